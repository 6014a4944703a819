// Granite 3 MoE with an MLP beside the experts (IBM 2025): see granitemoe.c.
#include "names.h"

const hf_arch hf_granitemoeshared = {
    .model_type = "granitemoeshared",
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
    .shared_F = HF_KEY("shared_intermediate_size", 0),
    .shared = { .pair = "shared_mlp.input_linear", .down = "shared_mlp.output_linear" },
    .transformers = "GraniteMoeSharedForCausalLM",
    .constants = "block_sparse_moe.experts.constants",
};
