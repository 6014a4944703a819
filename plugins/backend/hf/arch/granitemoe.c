// Granite 3 MoE (IBM 2024): four multipliers, among them the attention scale, which replaces
// 1/√width.
#include "names.h"

const hf_arch hf_granitemoe = {
    HF_LIKE_GRANITE,
    .model_type = "granitemoe",
    .transformers = "GraniteMoeForCausalLM",
};
