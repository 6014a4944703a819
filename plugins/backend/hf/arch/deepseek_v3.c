// DeepSeek-V3 (DeepSeek-AI 2024, arXiv:2412.19437), R1; Moonlight; Kimi-K2.
#include "config/config.h"
#include "model.h"
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "scoring_func", "\"sigmoid\"|null", NULL },
    { "topk_method", "\"noaux_tc\"|null", NULL },
    { "moe_layer_freq", "1|null", NULL },
    { "qk_head_dim", HF_ANY, NULL },
    { 0 }
};
// clang-format on

// The reference takes head_dim for the rotated channels of a head.
static cull_status adjust(hf_config *c, cull_model *m)
{
    if (hf_size(c, (hf_num)HF_KEY("head_dim", 0), 1) != m->s.rope && hf_config_has(c, "head_dim"))
        return hf_wrong(c, "head_dim", hf_config_value(c, "head_dim"), "qk_rope_head_dim");
    return c->status;
}

const hf_arch hf_deepseek_v3 = {
    .model_type = "deepseek_v3",
    .also = "kimi_k2",
    .eps = 1e-6,
    .theta = 1e4,
    .kv_heads = 128,
    .kv_null = true,
    .attention = HF_MLA,
    .qkv_bias = HF_KEY("attention_bias", 0),
    .o_bias = HF_KEY("attention_bias", 0),
    .interleaved = HF_KEY("rope_interleave", 1),
    .E = HF_NEEDS("num_local_experts|n_routed_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("moe_intermediate_size"),
    .dense_F = HF_NEEDS("intermediate_size"),
    .first_moe = HF_KEY("first_k_dense_replace", 3),
    .last_moe = HF_CONSTANT(-1),
    .router = { .score = HF_SIGMOID,
                .name = "mlp.gate",
                .bias = "mlp.gate.e_score_correction_bias",
                .renormalise = HF_KEY("norm_topk_prob", 1),
                .add = 1e-20,
                .scale = HF_KEY("routed_scaling_factor", 2.5),
                .n_group = HF_KEY("n_group", 8),
                .topk_group = HF_KEY("topk_group", 4) },
    .experts = { HF_EXPERTS_PROJ, HF_EXPERTS_FUSED },
    .shared_n = HF_KEY("n_shared_experts", 1),
    .shared = HF_SHARED_PROJ,
    .dense = HF_DENSE_PROJ,
    .mtp = "num_nextn_predict_layers|num_mtp_layers",
    .keys = keys,
    .adjust = adjust,
    .transformers = "DeepseekV3ForCausalLM",
};
