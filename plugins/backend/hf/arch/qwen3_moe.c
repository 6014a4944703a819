// Qwen3-MoE (Yang et al. 2025, arXiv:2505.09388).
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "max_window_layers", HF_ANY, NULL },
    { "qkv_bias", "false|null", "attention_bias stands for it" },
    { "use_qk_norm", "true|null", "transformers always has such norms here" },
    { "shared_expert_intermediate_size", "0|null", "transformers has no shared expert here" },
    { 0 }
};
// clang-format on

const hf_arch hf_qwen3_moe = {
    .model_type = "qwen3_moe",
    .eps = 1e-6,
    .theta = 1e4,
    .kv_heads = 4,
    .qkv_bias = HF_KEY("attention_bias", 0),
    .o_bias = HF_KEY("attention_bias", 0),
    .qk_norm = HF_QK_HEAD,
    .local_layers = HF_LOCAL_ALL,
    .window = 4096,
    .window_switch = "use_sliding_window",
    .E = HF_NEEDS(
        "num_local_experts|num_experts"), // transformers 5 writes the first, and prefers it
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("moe_intermediate_size"),
    .dense_F = HF_NEEDS("intermediate_size"),
    .last_moe = HF_CONSTANT(-1),
    .moe_step = HF_KEY("decoder_sparse_step", 1),
    .except = "mlp_only_layers",
    .router = { .score = HF_SOFTMAX,
                .name = "mlp.gate",
                .renormalise = HF_KEY("norm_topk_prob", 0) },
    .experts = { HF_EXPERTS_PROJ, HF_EXPERTS_FUSED },
    .dense = HF_DENSE_PROJ,
    .keys = keys,
    .transformers = "Qwen3MoeForCausalLM",
};
