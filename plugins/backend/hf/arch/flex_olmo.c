// FlexOlmo (Shi et al. 2025, arXiv:2507.07024): OLMoE with its norms after the parts.
#include "names.h"

const hf_arch hf_flex_olmo = {
    .model_type = "flex_olmo",
    .eps = 1e-6,
    .theta = 5e5,
    .norms = { .attention_after = "post_attention_layernorm",
               .ffn_after = "post_feedforward_layernorm" },
    .qkv_bias = HF_KEY("attention_bias", 0),
    .o_bias = HF_KEY("attention_bias", 0),
    .qk_norm = HF_QK_WHOLE,
    .E = HF_NEEDS("num_local_experts|num_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("intermediate_size"),
    .last_moe = HF_CONSTANT(-1),
    .router = { .score = HF_SOFTMAX,
                .name = "mlp.gate",
                .renormalise = HF_KEY("norm_topk_prob", 0) },
    .experts = { HF_EXPERTS_PROJ, HF_EXPERTS_FUSED },
    .transformers = "FlexOlmoForCausalLM",
};
