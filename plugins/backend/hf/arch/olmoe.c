// OLMoE (Muennighoff et al. 2024, arXiv:2409.02060).
#include "names.h"

const hf_arch hf_olmoe = {
    .model_type = "olmoe",
    .eps = 1e-5,
    .theta = 1e4,
    .qkv_bias = HF_KEY("attention_bias", 0),
    .o_bias = HF_KEY("attention_bias", 0),
    .qk_norm = HF_QK_WHOLE,
    .clip = HF_KEY("clip_qkv", INFINITY),
    .E = HF_NEEDS("num_local_experts|num_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("intermediate_size"),
    .last_moe = HF_CONSTANT(-1),
    .router = { .score = HF_SOFTMAX,
                .name = "mlp.gate",
                .renormalise = HF_KEY("norm_topk_prob", 0) },
    .experts = { HF_EXPERTS_PROJ, HF_EXPERTS_FUSED },
    .transformers = "OlmoeForCausalLM",
};
