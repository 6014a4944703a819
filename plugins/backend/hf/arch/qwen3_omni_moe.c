// Qwen3-Omni's thinker (Xu et al. 2025, arXiv:2509.17765): Qwen3-MoE under a wrapper.
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "sliding_window", HF_ANY_INTEGER, NULL },
    { "use_sliding_window|max_window_layers", HF_ANY, NULL },
    { "shared_expert_intermediate_size|use_qk_norm", HF_ANY, NULL },
    { 0 },
};
// clang-format on

const hf_arch hf_qwen3_omni_moe = {
    HF_LIKE_QWEN3_WRAPPED,
    .model_type = "qwen3_omni_moe",
    .also = "qwen3_omni_moe_text|qwen3_omni_moe_thinker",
    .theta = 1e6,
    .kv_heads = 4,
    .E = HF_NEEDS("num_experts"),
    .router = { .score = HF_SOFTMAX,
                .name = "mlp.gate",
                .renormalise = HF_KEY("norm_topk_prob", 1) },
    .experts = { HF_EXPERTS_PROJ, HF_EXPERTS_FUSED },
    .keys = keys,
};
