// GLM-5 (GLM-5 team 2026): DeepSeek-V3.2 whose layers may share an indexer's choice.
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    HF_KEYS_DSA,
    { "indexer_types|index_topk_pattern|index_topk_freq|index_skip_topk_offset", HF_ANY, NULL },
    { "indexer_rope_interleave|index_share_for_mtp_iteration|moe_router_dtype", HF_ANY, NULL },
    { 0 },
};
// clang-format on

const hf_arch hf_glm_moe_dsa = {
    HF_LIKE_DEEPSEEK_V32,
    .model_type = "glm_moe_dsa",
    .kv_heads = 64,
    .eps = 1e-5,
    .router = HF_ROUTER_SIGMOID(2.5, 1, 1),
    .keys = keys,
    .transformers = "GlmMoeDsaForCausalLM",
};
