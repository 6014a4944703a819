// K-EXAONE (LG AI Research 2026): windows in three of four layers, which alone are rotated;
// DeepSeek-V3's experts.
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "scoring_func", "\"sigmoid\"|null", NULL },
    { "topk_method", "\"noaux_tc\"|null", NULL },
    { "attention_bias", "false|null", NULL },
    { "sliding_window_pattern|first_k_dense_replace|is_moe_layer|first_last_k_dense_replace", HF_ANY, NULL },
    { 0 },
};
// clang-format on

const hf_arch hf_exaone_moe = {
    .model_type = "exaone_moe",
    .eps = 1e-5,
    .theta = 1e4,
    .kv_heads = 32,
    .qk_norm = HF_QK_HEAD,
    .local_layers = HF_LOCAL_BUT_NTH,
    .local_n = HF_KEY("sliding_window_pattern", 4),
    .window = 4096,
    .rotates = HF_ROTATE_LOCAL,
    .E = HF_NEEDS("num_local_experts|num_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("moe_intermediate_size"),
    .dense_F = HF_NEEDS("intermediate_size"),
    .first_moe = HF_KEY("first_k_dense_replace", 1),
    .last_moe = HF_CONSTANT(-1),
    .mlp_types = true,
    .router = { .score = HF_SIGMOID,
                .name = "mlp.gate",
                .bias = "mlp.e_score_correction_bias|mlp.gate.e_score_correction_bias",
                .renormalise = HF_KEY("norm_topk_prob", 1),
                .add = 1e-20,
                .scale = HF_KEY("routed_scaling_factor", 2.5),
                .n_group = HF_KEY("n_group", 1),
                .topk_group = HF_KEY("topk_group", 1) },
    .experts = { HF_EXPERTS_PROJ, HF_EXPERTS_FUSED },
    .shared_n = HF_KEY("num_shared_experts", 1),
    .shared = HF_SHARED_PROJ,
    .dense = HF_DENSE_PROJ,
    .mtp = "num_nextn_predict_layers",
    .keys = keys,
    .transformers = "ExaoneMoeForCausalLM",
};
