// Qwen3.5 and Qwen3.6 (Qwen Team 2026): Qwen3-Next's blocks with the delta nets' inputs apart.
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "attn_output_gate", "true", NULL },
    { "mamba_ssm_dtype", HF_ANY, NULL },
    { "mtp_use_dedicated_embeddings", HF_ANY, NULL },
    { "mlp_only_layers", "[]|null", "transformers has experts in every layer here" },
    { 0 }
};
// clang-format on

const hf_arch hf_qwen3_5_moe = {
    HF_LIKE_QWEN3_NEXT,
    .model_type = "qwen3_5_moe_text",
    .also = "qwen3_5_moe",
    .mrope = true,
    .mixer = { HF_MIXER_QWEN3_NEXT, .in = "linear_attn.in_proj_qkv", .z = "linear_attn.in_proj_z",
               .b = "linear_attn.in_proj_b", .a = "linear_attn.in_proj_a" },
    .router = { .score = HF_SOFTMAX, .name = "mlp.gate", .renormalise = HF_CONSTANT(1) },
    .experts = { HF_EXPERTS_FUSED, HF_EXPERTS_PROJ },
    .mtp = "mtp_num_hidden_layers",
    .keys = keys,
    .transformers = "Qwen3_5MoeForCausalLM",
};
