// Qwen3-VL-MoE's language model (Qwen team 2025, arXiv:2511.21631): Qwen3-MoE with fused experts
// that are turned; M-RoPE's three positions are one on text.
#include "config/config.h"
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "norm_topk_prob", "true|null", "transformers always renormalises here" },
    { "sliding_window|use_sliding_window|max_window_layers", HF_ANY, NULL },
    { 0 },
};
// clang-format on

// The reference looks at layer_types where there is such a key, whatever its value.
static cull_status adjust(hf_config *c, cull_model *m)
{
    (void)m;
    return hf_config_is_null(c, "layer_types")
               ? hf_refuse_value(c, "layer_types", "null", "a list, or no such key")
               : CULL_OK;
}

const hf_arch hf_qwen3_vl_moe = {
    HF_LIKE_QWEN3_WRAPPED,
    .model_type = "qwen3_vl_moe",
    .also = "qwen3_vl_moe_text",
    .theta = 5e5,
    .tied = true,
    .kv_heads = 16,
    .E = HF_NEEDS("num_local_experts|num_experts"),
    .router = { .score = HF_SOFTMAX, .name = "mlp.gate", .renormalise = HF_CONSTANT(1) },
    .experts = { { HF_HALVES, { "mlp.experts.gate_up_proj", NULL, "mlp.experts.down_proj" } },
                 HF_EXPERTS_FUSED,
                 HF_EXPERTS_PROJ },
    .keys = keys,
    .adjust = adjust,
};
