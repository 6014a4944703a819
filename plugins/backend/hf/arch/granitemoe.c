// Granite 3 MoE (IBM 2024): four multipliers, among them the attention scale, which replaces
// 1/√width.
#include "names.h"

const hf_arch hf_granitemoe = {
    .model_type = "granitemoe",
    .eps = 1e-6,
    .theta = 1e4,
    .embed_scale = HF_KEY("embedding_multiplier", 1),
    .residual_scale = HF_KEY("residual_multiplier", 1),
    .logit_divisor = HF_KEY("logits_scaling", 1),
    .qkv_bias = HF_KEY("attention_bias", 0),
    .o_bias = HF_KEY("attention_bias", 0),
    .attention_scale = HF_KEY("attention_multiplier", 1),
    .E = HF_NEEDS("num_local_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("intermediate_size"),
    .last_moe = HF_CONSTANT(-1),
    .router = HF_ROUTER_GRANITE,
    .experts = { HF_EXPERTS_GRANITE },
    .transformers = "GraniteMoeForCausalLM",
    .constants = "block_sparse_moe.experts.constants",
};
