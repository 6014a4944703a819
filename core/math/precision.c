// The words of precisions, and what "auto" comes to.
#include "math/precision.h"

#include <string.h>

#include "math/cpu.h"

static const char *const words[] = {
    [CULL_F32] = "f32",
    [CULL_BF16] = "bf16",
    [CULL_BF16X2] = "bf16x2",
};

bool cull_precision_of(const char *word, cull_precision *out)
{
    if (strcmp(word, "auto") == 0) {
        *out = cull_cpu_features().amx_bf16 ? CULL_BF16X2 : CULL_F32;
        return true;
    }
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(word, words[i]) == 0) {
            *out = (cull_precision)i;
            return true;
        }
    return false;
}

const char *cull_precision_word(cull_precision precision)
{
    return words[precision];
}
