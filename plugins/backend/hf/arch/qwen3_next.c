// Qwen3-Next (Qwen Team 2025): three gated delta nets to one block of gated attention.
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "use_sliding_window", "false|null", "transformers has no windows here" },
    { 0 }
};
// clang-format on

const hf_arch hf_qwen3_next = {
    HF_LIKE_QWEN3_NEXT,
    .model_type = "qwen3_next",
    .mixer = { HF_MIXER_QWEN3_NEXT, .in = "linear_attn.in_proj_qkvz",
               .ba = "linear_attn.in_proj_ba" },
    .dense_F = HF_NEEDS("intermediate_size"),
    .moe_step = HF_KEY("decoder_sparse_step", 1),
    .except = "mlp_only_layers",
    .router = { .score = HF_SOFTMAX,
                .name = "mlp.gate",
                .renormalise = HF_KEY("norm_topk_prob", 1) },
    .experts = { HF_EXPERTS_PROJ, HF_EXPERTS_FUSED },
    .dense = HF_DENSE_PROJ,
    .keys = keys,
    .transformers = "Qwen3NextForCausalLM",
};
