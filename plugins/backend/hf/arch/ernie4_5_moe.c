// ERNIE 4.5 (Baidu 2025, technical report).
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "moe_capacity|num_nextn_predict_layers", HF_ANY, NULL },
    { 0 }
};
// clang-format on

const hf_arch hf_ernie4_5_moe = {
    HF_LIKE_ERNIE,
    .model_type = "ernie4_5_moe",
    .head_bias = HF_KEY("use_bias", 0),
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
    .keys = keys,
    .transformers = "Ernie4_5_MoeForCausalLM",
};
