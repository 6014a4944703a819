// dots.llm1 (rednote-hilab 2025, arXiv:2506.05767): Qwen3's attention, DeepSeek-V3's experts.
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "scoring_func", "\"noaux_tc\"|\"sigmoid\"|null", NULL },
    { "topk_method", "\"noaux_tc\"|null", NULL },
    { "moe_layer_freq", "1|null", NULL },
    { "use_sliding_window", "false|null", "transformers looks at sliding_window alone" },
    { "max_window_layers", HF_ANY, NULL },
    { 0 },
};
// clang-format on

const hf_arch hf_dots1 = {
    .model_type = "dots1",
    .eps = 1e-6,
    .theta = 1e4,
    .kv_heads = 32,
    .kv_null = true,
    .qkv_bias = HF_KEY("attention_bias", 0),
    .o_bias = HF_KEY("attention_bias", 0),
    .qk_norm = HF_QK_HEAD,
    .local_layers = HF_LOCAL_FROM,
    .local_n = HF_KEY("max_window_layers", 62),
    .window = 4096,
    .E = HF_NEEDS("num_local_experts|n_routed_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("moe_intermediate_size"),
    .dense_F = HF_NEEDS("intermediate_size"),
    .first_moe = HF_KEY("first_k_dense_replace", 0),
    .last_moe = HF_CONSTANT(-1),
    .router = { .score = HF_SIGMOID,
                .name = "mlp.gate",
                .bias = "mlp.gate.e_score_correction_bias",
                .renormalise = HF_KEY("norm_topk_prob", 0),
                .add = 1e-20,
                .scale = HF_KEY("routed_scaling_factor", 1),
                .n_group = HF_KEY("n_group", 1),
                .topk_group = HF_KEY("topk_group", 1) },
    .experts = { HF_EXPERTS_PROJ, HF_EXPERTS_FUSED },
    .shared_n = HF_NEEDS("n_shared_experts"),
    .shared = HF_SHARED_PROJ,
    .dense = HF_DENSE_PROJ,
    .keys = keys,
    .transformers = "Dots1ForCausalLM",
};
