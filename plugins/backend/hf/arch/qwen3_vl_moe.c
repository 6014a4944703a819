// Qwen3-VL-MoE's language model (Qwen team 2025, arXiv:2511.21631): Qwen3-MoE with fused experts
// that are turned; M-RoPE's three positions are one on text.
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "norm_topk_prob", "true|null", "transformers always renormalises here" },
    { "sliding_window|use_sliding_window|max_window_layers", HF_ANY, NULL },
    { 0 },
};
// clang-format on

const hf_arch hf_qwen3_vl_moe = {
    .model_type = "qwen3_vl_moe",
    .also = "qwen3_vl_moe_text",
    .eps = 1e-6,
    .theta = 5e5,
    .tied = true,
    .mrope = true,
    .kv_heads = 16,
    .qkv_bias = HF_KEY("attention_bias", 0),
    .o_bias = HF_KEY("attention_bias", 0),
    .qk_norm = HF_QK_HEAD,
    .E = HF_NEEDS("num_local_experts|num_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("moe_intermediate_size"),
    .dense_F = HF_NEEDS("intermediate_size"),
    .last_moe = HF_CONSTANT(-1),
    .moe_step = HF_KEY("decoder_sparse_step", 1),
    .except = "mlp_only_layers",
    .router = { .score = HF_SOFTMAX, .name = "mlp.gate", .renormalise = HF_CONSTANT(1) },
    .experts = { { HF_HALVES, { "mlp.experts.gate_up_proj", NULL, "mlp.experts.down_proj" } },
                 HF_EXPERTS_FUSED,
                 HF_EXPERTS_PROJ },
    .dense = HF_DENSE_PROJ,
    .keys = keys,
};
