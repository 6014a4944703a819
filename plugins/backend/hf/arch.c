// The families that are known.
#include "arch.h"

#include <string.h>

#include "config/config.h"

extern const hf_arch hf_mixtral, hf_olmoe, hf_qwen2_moe, hf_qwen3_moe, hf_deepseek_v2,
    hf_deepseek_v3, hf_phimoe, hf_arctic, hf_gpt_oss, hf_glm4_moe, hf_ernie4_5_moe,
    hf_ernie4_5_vl_moe, hf_minimax_m2, hf_granitemoe, hf_glm4_moe_lite, hf_dots1, hf_solar_open,
    hf_hy_v3, hf_hunyuan_v1_moe, hf_granitemoeshared, hf_mellum, hf_flex_olmo, hf_deepseek_v32,
    hf_glm_moe_dsa, hf_qwen3_vl_moe, hf_qwen3_omni_moe, hf_glm4v_moe, hf_exaone_moe, hf_afmoe,
    hf_mimo_v2_flash, hf_minimax_m3_vl, hf_cohere2_moe, hf_gemma4, hf_mistral4, hf_llama4,
    hf_lfm2_moe, hf_qwen3_next, hf_qwen3_5_moe, hf_kimi_linear, hf_granitemoehybrid, hf_nemotron_h;

const hf_arch *const hf_archs[] = { &hf_mixtral,        &hf_olmoe,
                                    &hf_qwen2_moe,      &hf_qwen3_moe,
                                    &hf_deepseek_v2,    &hf_deepseek_v3,
                                    &hf_phimoe,         &hf_arctic,
                                    &hf_gpt_oss,        &hf_glm4_moe,
                                    &hf_ernie4_5_moe,   &hf_ernie4_5_vl_moe,
                                    &hf_minimax_m2,     &hf_granitemoe,
                                    &hf_glm4_moe_lite,  &hf_dots1,
                                    &hf_solar_open,     &hf_hy_v3,
                                    &hf_hunyuan_v1_moe, &hf_granitemoeshared,
                                    &hf_mellum,         &hf_flex_olmo,
                                    &hf_deepseek_v32,   &hf_glm_moe_dsa,
                                    &hf_qwen3_vl_moe,   &hf_qwen3_omni_moe,
                                    &hf_glm4v_moe,      &hf_exaone_moe,
                                    &hf_afmoe,          &hf_mimo_v2_flash,
                                    &hf_minimax_m3_vl,  &hf_cohere2_moe,
                                    &hf_gemma4,         &hf_mistral4,
                                    &hf_llama4,         &hf_lfm2_moe,
                                    &hf_qwen3_next,     &hf_qwen3_5_moe,
                                    &hf_kimi_linear,    &hf_granitemoehybrid,
                                    &hf_nemotron_h,     NULL };

const hf_arch *hf_arch_find(const char *model_type)
{
    for (const hf_arch *const *arch = hf_archs; *arch; arch++)
        if (strcmp((*arch)->model_type, model_type) == 0 || hf_one_of(model_type, (*arch)->also))
            return *arch;
    return NULL;
}
