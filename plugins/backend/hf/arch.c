#include "arch.h"

#include <string.h>

#include "config.h"

extern const hf_arch hf_mixtral, hf_olmoe;

const hf_arch *const hf_archs[] = { &hf_mixtral, &hf_olmoe, NULL };

const hf_arch *hf_arch_find(const char *model_type)
{
    for (const hf_arch *const *arch = hf_archs; *arch; arch++)
        if (strcmp((*arch)->model_type, model_type) == 0 || hf_one_of(model_type, (*arch)->also))
            return *arch;
    return NULL;
}
