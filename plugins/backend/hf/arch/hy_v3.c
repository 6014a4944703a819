// Hunyuan 3 (Tencent 2026): Qwen3's attention, sigmoid gates with a bias for the choice.
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "first_k_dense_replace", "1|null", "transformers looks at mlp_layer_types alone" },
    { "enable_moe_fp32_combine", "true|false", NULL },
    { "enable_attention_fp32_softmax|enable_lm_head_fp32", HF_ANY, NULL },
    { 0 },
};
// clang-format on

const hf_arch hf_hy_v3 = {
    .model_type = "hy_v3",
    .eps = 1e-5,
    .theta = 11158840,
    .head_dim = HF_KEY("head_dim", 128),
    .kv_heads = 8,
    .qkv_bias = HF_KEY("attention_bias", 0),
    .o_bias = HF_KEY("attention_bias", 0),
    .qk_norm = HF_QK_HEAD,
    .E = HF_NEEDS("num_local_experts|num_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("moe_intermediate_size"),
    .dense_F = HF_NEEDS("intermediate_size"),
    .first_moe = HF_CONSTANT(1),
    .last_moe = HF_CONSTANT(-1),
    .mlp_types = true,
    .router = { .score = HF_SIGMOID,
                .name = "mlp.router.gate|mlp.gate",
                .bias = "mlp.expert_bias|mlp.e_score_correction_bias",
                .renormalise = HF_CONSTANT(1),
                .add = 1e-20,
                .scale = HF_KEY("router_scaling_factor", 2.826) },
    .experts = { HF_EXPERTS_PROJ, HF_EXPERTS_FUSED },
    .shared_n = HF_KEY("num_shared_experts", 1),
    .shared_as_dense = true,
    .shared = { "mlp.shared_mlp.gate_proj|mlp.shared_experts.gate_proj",
                "mlp.shared_mlp.up_proj|mlp.shared_experts.up_proj",
                "mlp.shared_mlp.down_proj|mlp.shared_experts.down_proj" },
    .dense = HF_DENSE_PROJ,
    .ffn_bias = HF_KEY("mlp_bias", 0),
    .mtp = "num_nextn_predict_layers",
    .keys = keys,
    .transformers = "HYV3ForCausalLM",
};
