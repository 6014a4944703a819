#include "arch.h"

#include <string.h>

#include "config.h"

extern const hf_arch hf_mixtral, hf_olmoe, hf_qwen2_moe, hf_qwen3_moe, hf_deepseek_v2,
    hf_deepseek_v3, hf_phimoe, hf_arctic, hf_gpt_oss, hf_glm4_moe, hf_ernie4_5_moe, hf_minimax_m2,
    hf_granitemoe;

const hf_arch *const hf_archs[] = {
    &hf_mixtral,      &hf_olmoe,      &hf_qwen2_moe,  &hf_qwen3_moe, &hf_deepseek_v2,
    &hf_deepseek_v3,  &hf_phimoe,     &hf_arctic,     &hf_gpt_oss,   &hf_glm4_moe,
    &hf_ernie4_5_moe, &hf_minimax_m2, &hf_granitemoe, NULL
};

const hf_arch *hf_arch_find(const char *model_type)
{
    for (const hf_arch *const *arch = hf_archs; *arch; arch++)
        if (strcmp((*arch)->model_type, model_type) == 0 || hf_one_of(model_type, (*arch)->also))
            return *arch;
    return NULL;
}
