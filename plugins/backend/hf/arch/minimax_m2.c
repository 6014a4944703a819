// MiniMax-M2 (MiniMax 2025).
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "scoring_func", "\"sigmoid\"|null", NULL },
    { "use_qk_norm", "true|null", NULL },
    { "qk_norm_type", "\"per_layer\"|null", NULL },
    { "use_routing_bias", "true|null", NULL },
    { "shared_intermediate_size", "0|null", NULL },
    { "router_jitter_noise|use_mtp|mtp_transformer_layers|mlp_intermediate_size", HF_ANY, NULL },
    { "shared_moe_mode|layernorm_full_attention_beta|layernorm_linear_attention_beta", HF_ANY, NULL },
    { "layernorm_mlp_beta|attn_type_list", HF_ANY, NULL },
    { 0 }
};
// clang-format on

const hf_arch hf_minimax_m2 = {
    .model_type = "minimax_m2",
    .eps = 1e-6,
    .theta = 5e6,
    .head_dim = HF_KEY("head_dim", 128),
    .kv_heads = 8,
    .qk_norm = HF_QK_WHOLE,
    .partial = HF_KEY("partial_rotary_factor", 1),
    .rotary_dim = "rotary_dim",
    .E = HF_NEEDS("num_experts|num_local_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("intermediate_size"),
    .last_moe = HF_CONSTANT(-1),
    .router = { .score = HF_SIGMOID,
                .name = "block_sparse_moe.gate|mlp.gate",
                .bias = "block_sparse_moe.e_score_correction_bias|mlp.e_score_correction_bias",
                .renormalise = HF_CONSTANT(1) },
    .experts = { HF_EXPERTS_W123, HF_EXPERTS_FUSED },
    .mtp = "num_mtp_modules",
    .keys = keys,
    .transformers = "MiniMaxM2ForCausalLM",
};
