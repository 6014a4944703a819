// GLM-5 (GLM-5 team 2026): DeepSeek-V3.2 whose layers may share an indexer's choice.
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    HF_KEYS_DEEPSEEK,
    { "index_head_dim|index_n_heads|layer_types|rope_interleave|mlp_bias", HF_ANY, NULL },
    { "indexer_types|index_topk_pattern|index_topk_freq|index_skip_topk_offset", HF_ANY, NULL },
    { "indexer_rope_interleave|index_share_for_mtp_iteration", HF_ANY, NULL },
    { 0 },
};
// clang-format on

const hf_arch hf_glm_moe_dsa = {
    .model_type = "glm_moe_dsa",
    .eps = 1e-5,
    .theta = 1e4,
    .attention = HF_MLA,
    .qkv_bias = HF_KEY("attention_bias", 0),
    .o_bias = HF_KEY("attention_bias", 0),
    .own_types = true,
    .exact = HF_KEY("index_topk", 2048),
    .interleaved = HF_CONSTANT(1),
    .E = HF_NEEDS("num_local_experts|num_experts|n_routed_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("moe_intermediate_size"),
    .dense_F = HF_NEEDS("intermediate_size"),
    .first_moe = HF_KEY("first_k_dense_replace", 3),
    .last_moe = HF_CONSTANT(-1),
    .mlp_types = true,
    .router = HF_ROUTER_SIGMOID(2.5, 1, 1),
    .experts = { HF_EXPERTS_PROJ, HF_EXPERTS_FUSED },
    .shared_n = HF_KEY("n_shared_experts", 1),
    .shared = HF_SHARED_PROJ,
    .dense = HF_DENSE_PROJ,
    .mtp = "num_nextn_predict_layers|num_mtp_layers",
    .keys = keys,
    .tensors = HF_TENSORS_INDEXER,
    .transformers = "GlmMoeDsaForCausalLM",
};
