// Mixtral of Experts (Jiang et al. 2024, arXiv:2401.04088).
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "router_jitter_noise", HF_ANY, NULL },
    { 0 }
};
// clang-format on

const hf_arch hf_mixtral = {
    .model_type = "mixtral",
    .eps = 1e-5,
    .theta = 1e6,
    .kv_heads = 8,
    .local_layers = HF_LOCAL_ALL,
    .E = HF_NEEDS("num_experts|num_local_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("intermediate_size"),
    .last_moe = HF_CONSTANT(-1),
    .router = { .score = HF_SOFTMAX,
                .name = "block_sparse_moe.gate|mlp.gate",
                .renormalise = HF_CONSTANT(1) },
    .experts = { HF_EXPERTS_W123, HF_EXPERTS_FUSED },
    .keys = keys,
    .transformers = "MixtralForCausalLM",
};
