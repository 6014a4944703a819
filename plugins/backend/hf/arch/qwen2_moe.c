// Qwen1.5-MoE and Qwen2-MoE (Yang et al. 2024, arXiv:2407.10671).
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "max_window_layers", HF_ANY, NULL },
    { 0 }
};
// clang-format on

const hf_arch hf_qwen2_moe = {
    .model_type = "qwen2_moe",
    .eps = 1e-6,
    .theta = 1e4,
    .kv_heads = 16,
    .qkv_bias = HF_KEY("qkv_bias", 1),
    .local_layers = HF_LOCAL_EVEN,
    .window = 4096,
    .window_switch = "use_sliding_window",
    .local_n = HF_KEY("max_window_layers", 28),
    .E = HF_NEEDS("num_experts"),
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
    .shared_F = HF_NEEDS("shared_expert_intermediate_size"),
    .shared = { "mlp.shared_expert.gate_proj", "mlp.shared_expert.up_proj",
                "mlp.shared_expert.down_proj" },
    .shared_gate = "mlp.shared_expert_gate",
    .dense = HF_DENSE_PROJ,
    .keys = keys,
    .transformers = "Qwen2MoeForCausalLM",
};
