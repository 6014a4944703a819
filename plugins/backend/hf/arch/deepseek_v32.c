// DeepSeek-V3.2 (DeepSeek-AI 2025, arXiv:2512.02556): V3 whose queries see the index_topk keys that
// an indexer chooses; up to so many positions that is V3's attention.
#include "names.h"

static const hf_key keys[] = { HF_KEYS_DSA, { 0 } };

const hf_arch hf_deepseek_v32 = {
    HF_LIKE_DEEPSEEK_V32,
    .model_type = "deepseek_v32",
    .kv_heads = 128,
    .eps = 1e-6,
    .router = HF_ROUTER_SIGMOID(2.5, 8, 4),
    .keys = keys,
    .transformers = "DeepseekV32ForCausalLM",
};
