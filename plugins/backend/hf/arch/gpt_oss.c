// gpt-oss (OpenAI 2025, arXiv:2508.10925): attention sinks, windows in every other layer, experts
// with biases and a clamped activation, published in MXFP4.
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "experts_per_token", HF_ANY, NULL },
    { 0 }
};
// clang-format on

const hf_arch hf_gpt_oss = {
    .model_type = "gpt_oss",
    .eps = 1e-5,
    .theta = 1.5e5,
    .kv_heads = 8,
    .head_dim = HF_KEY("head_dim", 64),
    .qkv_bias = HF_KEY("attention_bias", 1),
    .o_bias = HF_KEY("attention_bias", 1),
    .sinks = HF_SINKS_ALL,
    .local_layers = HF_LOCAL_EVEN,
    .window = 128,
    .yarn_default = true,
    .E = HF_NEEDS("num_experts|num_local_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("intermediate_size"),
    .last_moe = HF_CONSTANT(-1),
    .act = HF_CLAMPED,
    .router = { .score = HF_SOFTMAX,
                .name = "mlp.router",
                .linear_bias = true,
                .renormalise = HF_CONSTANT(1) },
    .experts = { { HF_COLUMNS, { "mlp.experts.gate_up_proj", NULL, "mlp.experts.down_proj" } },
                 { HF_MXFP4, { "mlp.experts.gate_up_proj", NULL, "mlp.experts.down_proj" } } },
    .stack_bias = true,
    .keys = keys,
    .transformers = "GptOssForCausalLM",
};
