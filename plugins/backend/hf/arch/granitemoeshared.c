// Granite 3 MoE with an MLP beside the experts (IBM 2025): see granitemoe.c.
#include "names.h"

const hf_arch hf_granitemoeshared = {
    HF_LIKE_GRANITE,
    .model_type = "granitemoeshared",
    .shared_F = HF_KEY("shared_intermediate_size", 0),
    .shared = { .pair = "shared_mlp.input_linear", .down = "shared_mlp.output_linear" },
    .transformers = "GraniteMoeSharedForCausalLM",
};
