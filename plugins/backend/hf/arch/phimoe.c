// Phi-3.5-MoE (Abdin et al. 2024, arXiv:2404.14219), routed by SparseMixer-v2 (arXiv:2409.12136).
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "input_jitter_noise", HF_ANY, NULL },
    { 0 }
};
// clang-format on

const hf_arch hf_phimoe = {
    .model_type = "phimoe",
    .eps = 1e-5,
    .theta = 1e6,
    .kv_heads = 8,
    .norm = HF_LAYER,
    .head_bias = HF_KEY("lm_head_bias", 0),
    .qkv_bias = HF_KEY("attention_bias", 0),
    .o_bias = HF_KEY("attention_bias", 0),
    .local_layers = HF_LOCAL_ALL,
    .own_mscale = true,
    .E = HF_NEEDS("num_local_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("intermediate_size"),
    .last_moe = HF_CONSTANT(-1),
    .router = { .score = HF_SPARSEMIXER,
                .name = "block_sparse_moe.gate|mlp.router",
                .jitter = HF_KEY("router_jitter_noise", 0.01) },
    .experts = { HF_EXPERTS_W123, HF_EXPERTS_FUSED },
    .keys = keys,
    .transformers = "PhimoeForCausalLM",
};
