// ERNIE 4.5 (Baidu 2025, technical report).
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "moe_capacity|num_nextn_predict_layers", HF_ANY, NULL },
    { 0 }
};
// clang-format on

const hf_arch hf_ernie4_5_moe = {
    .model_type = "ernie4_5_moe",
    .eps = 1e-5,
    .theta = 5e5,
    .tied = true,
    .kv_heads = 4,
    .head_bias = HF_KEY("use_bias", 0),
    .qkv_bias = HF_KEY("use_bias", 0),
    .o_bias = HF_KEY("use_bias", 0),
    .interleaved = HF_CONSTANT(1),
    .E = HF_NEEDS("num_experts|moe_num_experts"),
    .K = HF_NEEDS("num_experts_per_tok|moe_k"),
    .F = HF_NEEDS("moe_intermediate_size"),
    .dense_F = HF_NEEDS("intermediate_size"),
    .first_moe = HF_KEY("moe_layer_start_index", 1),
    .last_moe = HF_KEY("moe_layer_end_index", -1),
    .moe_step = HF_KEY("moe_layer_interval", 1),
    .router = { .score = HF_SOFTMAX,
                .name = "mlp.gate",
                .bias = "mlp.moe_statics.e_score_correction_bias|mlp.gate.moe_statics.e_score_"
                        "correction_bias",
                .bias_is_parameter = true,
                .renormalise = HF_CONSTANT(1),
                .floor = HF_KEY("moe_norm_min", 1e-12) },
    .experts = { HF_EXPERTS_PROJ, HF_EXPERTS_FUSED },
    .shared_n = HF_KEY("moe_num_shared_experts", 2),
    .shared = HF_SHARED_PROJ,
    .dense = HF_DENSE_PROJ,
    .ffn_bias = HF_KEY("use_bias", 0),
    .keys = keys,
    .transformers = "Ernie4_5_MoeForCausalLM",
};
