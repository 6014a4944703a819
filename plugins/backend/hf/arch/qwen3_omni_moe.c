// Qwen3-Omni's thinker (Xu et al. 2025, arXiv:2509.17765): Qwen3-MoE under a wrapper.
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "sliding_window|use_sliding_window|max_window_layers", HF_ANY, NULL },
    { "shared_expert_intermediate_size|use_qk_norm", HF_ANY, NULL },
    { 0 },
};
// clang-format on

const hf_arch hf_qwen3_omni_moe = {
    .model_type = "qwen3_omni_moe",
    .also = "qwen3_omni_moe_text|qwen3_omni_moe_thinker",
    .eps = 1e-6,
    .theta = 1e6,
    .mrope = true,
    .kv_heads = 4,
    .qkv_bias = HF_KEY("attention_bias", 0),
    .o_bias = HF_KEY("attention_bias", 0),
    .qk_norm = HF_QK_HEAD,
    .E = HF_NEEDS("num_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("moe_intermediate_size"),
    .dense_F = HF_NEEDS("intermediate_size"),
    .last_moe = HF_CONSTANT(-1),
    .moe_step = HF_KEY("decoder_sparse_step", 1),
    .except = "mlp_only_layers",
    .router = { .score = HF_SOFTMAX,
                .name = "mlp.gate",
                .renormalise = HF_KEY("norm_topk_prob", 1) },
    .experts = { HF_EXPERTS_PROJ, HF_EXPERTS_FUSED },
    .dense = HF_DENSE_PROJ,
    .keys = keys,
};
