// Mellum 2 (JetBrains 2026): Qwen3-MoE whose layers have windows, and rotate, by their type.
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "mtp_layer_types|mtp_mlp_layer_types", HF_ANY_WORDS, NULL },
    { 0 },
};
// clang-format on

const hf_arch hf_mellum = {
    .model_type = "mellum",
    .eps = 1e-6,
    .theta = 5e5,
    .head_dim = HF_KEY("head_dim", 128),
    .kv_heads = 4,
    .qkv_bias = HF_KEY("attention_bias", 0),
    .o_bias = HF_KEY("attention_bias", 0),
    .qk_norm = HF_QK_HEAD,
    .local_layers = HF_LOCAL_FROM, // none by default
    .window = 1024,
    .local = { .theta = HF_CONSTANT(1e4) },
    .partial = HF_KEY("partial_rotary_factor", 1),
    .by_type = true,
    .E = HF_NEEDS("num_local_experts|num_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("moe_intermediate_size"),
    .dense_F = HF_NEEDS("intermediate_size"),
    .last_moe = HF_CONSTANT(-1),
    .mlp_types = true,
    .router = { .score = HF_SOFTMAX,
                .name = "mlp.gate",
                .renormalise = HF_KEY("norm_topk_prob", 1) },
    .experts = { HF_EXPERTS_PROJ, HF_EXPERTS_FUSED },
    .dense = HF_DENSE_PROJ,
    .mtp = "num_nextn_predict_layers|num_mtp_layers",
    .keys = keys,
    .transformers = "MellumForCausalLM",
};
