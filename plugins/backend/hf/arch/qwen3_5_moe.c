// Qwen3.5 and Qwen3.6 (Qwen Team 2026): Qwen3-Next's blocks with the delta nets' inputs apart.
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "attn_output_gate", "true", NULL },
    { "mamba_ssm_dtype", HF_ANY, NULL },
    { "mtp_use_dedicated_embeddings", HF_ANY, NULL },
    { 0 }
};
// clang-format on

const hf_arch hf_qwen3_5_moe = {
    .model_type = "qwen3_5_moe_text",
    .also = "qwen3_5_moe",
    .eps = 1e-6,
    .theta = 1e4,
    .norm = HF_RMS_ONE,
    .head_dim = HF_KEY("head_dim", 256),
    .qkv_bias = HF_KEY("attention_bias", 0),
    .o_bias = HF_KEY("attention_bias", 0),
    .qk_norm = HF_QK_HEAD,
    .gated_query = true,
    .partial = HF_KEY("partial_rotary_factor", 0.25),
    .own_types = true,
    .mixer = { .kind = HF_MIXER_DELTA,
               .types = "layer_types",
               .attends = HF_KEY("full_attention_interval", 4),
               .H = HF_KEY("linear_num_value_heads", 32),
               .KH = HF_KEY("linear_num_key_heads", 16),
               .k_width = HF_KEY("linear_key_head_dim", 128),
               .v_width = HF_KEY("linear_value_head_dim", 128),
               .taps = HF_KEY("linear_conv_kernel_dim", 4),
               .in = "linear_attn.in_proj_qkv",
               .z = "linear_attn.in_proj_z",
               .b = "linear_attn.in_proj_b",
               .a = "linear_attn.in_proj_a",
               HF_DELTA_NAMES },
    .E = HF_NEEDS("num_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("moe_intermediate_size"),
    .last_moe = HF_CONSTANT(-1),
    .router = { .score = HF_SOFTMAX, .name = "mlp.gate", .renormalise = HF_CONSTANT(1) },
    .experts = { HF_EXPERTS_FUSED, HF_EXPERTS_PROJ },
    .shared_F = HF_NEEDS("shared_expert_intermediate_size"),
    .shared = { "mlp.shared_expert.gate_proj", "mlp.shared_expert.up_proj",
                "mlp.shared_expert.down_proj" },
    .shared_gate = "mlp.shared_expert_gate",
    .mtp = "mtp_num_hidden_layers",
    .keys = keys,
    .transformers = "Qwen3_5MoeForCausalLM",
};
