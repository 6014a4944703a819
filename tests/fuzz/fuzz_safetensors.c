// Any bytes as a safetensors file: opened or refused, and no view leaves the bytes.
#include "base/safetensors.h"

#include "fuzz/fuzz.h"
#include "plugin/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    cull_context context;
    cull_safetensors *file = NULL;
    unsigned sum = 0;

    if (cull_context_init(&context, NULL, NULL) == CULL_OK &&
        cull_safetensors_view(&context.ctx, "input", bytes, n, &file) == CULL_OK)
        for (size_t i = 0; i < cull_safetensors_count(file); i++) {
            cull_tensor t;
            cull_safetensors_at(file, i, &t);
            for (size_t j = 0; j < t.bytes; j++)
                sum += ((const uint8_t *)t.data)[j];
        }
    cull_safetensors_close(file);
    cull_context_release(&context);
    volatile unsigned read = sum; // or the loop would be optimised away
    (void)read;
    return 0;
}
