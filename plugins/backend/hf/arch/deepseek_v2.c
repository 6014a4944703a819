// DeepSeek-V2 (DeepSeek-AI 2024, arXiv:2405.04434).
#include <string.h>

#include "config/config.h"
#include "model.h"
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "scoring_func", "\"softmax\"|null", NULL },
    { "moe_layer_freq", "1|null", NULL },
    { "norm_topk_prob", "false|null", "transformers never renormalises here" },
    { "head_dim|qk_head_dim", HF_ANY, NULL },
    { 0 }
};
// clang-format on

// Groups count only with topk_method "group_limited_greedy".
static cull_status adjust(hf_config *c, cull_model *m)
{
    const char *method = hf_word(c, "topk_method", "greedy");

    if (strcmp(method, "greedy") == 0)
        m->s.n_group = m->s.topk_group = 1;
    else if (strcmp(method, "group_limited_greedy") != 0)
        return hf_refuse(c, "topk_method", method, "greedy, group_limited_greedy");
    else if (!hf_config_has(c, "n_group") || !hf_config_has(c, "topk_group"))
        return hf_wrong(c, hf_config_has(c, "n_group") ? "topk_group" : "n_group", NULL, "");
    return c->status;
}

const hf_arch hf_deepseek_v2 = {
    .model_type = "deepseek_v2",
    .eps = 1e-6,
    .theta = 1e4,
    .attention = HF_MLA,
    .qkv_bias = HF_KEY("attention_bias", 0),
    .o_bias = HF_KEY("attention_bias", 0),
    .interleaved = HF_CONSTANT(1),
    .E = HF_NEEDS("num_experts|n_routed_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("moe_intermediate_size"),
    .dense_F = HF_NEEDS("intermediate_size"),
    .first_moe = HF_KEY("first_k_dense_replace", 0),
    .last_moe = HF_CONSTANT(-1),
    .router = { .score = HF_SOFTMAX,
                .name = "mlp.gate",
                .scale = HF_KEY("routed_scaling_factor", 1),
                .n_group = HF_KEY("n_group", 0),
                .topk_group = HF_KEY("topk_group", 0),
                .group_score = HF_GROUP_MAX },
    .experts = { HF_EXPERTS_PROJ, HF_EXPERTS_FUSED },
    .shared_n = HF_KEY("n_shared_experts", 2),
    .shared = HF_SHARED_PROJ,
    .dense = HF_DENSE_PROJ,
    .ffn_bias = HF_KEY("mlp_bias", 0),
    .keys = keys,
    .adjust = adjust,
    .transformers = "DeepseekV2ForCausalLM",
};
