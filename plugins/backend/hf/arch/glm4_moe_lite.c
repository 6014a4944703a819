// GLM-4.7-Flash (Z.ai 2026): DeepSeek-V3's attention, GLM-4.5's experts.
#include "config/config.h"
#include "model.h"
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    HF_KEYS_DEEPSEEK,
    { "partial_rotary_factor", "1.0|null", NULL }, // of the head's part that is rotated
    { "first_k_dense_replace", "1|null", "transformers looks at mlp_layer_types alone" },
    { 0 },
};
// clang-format on

// head_dim is another name for qk_rope_head_dim.
static cull_status adjust(hf_config *c, cull_model *m)
{
    if (hf_size(c, (hf_num)HF_KEY("head_dim", (double)m->s.rope), 1) != m->s.rope)
        return hf_wrong(c, "head_dim", hf_config_value(c, "head_dim"), "qk_rope_head_dim");
    return c->status;
}

const hf_arch hf_glm4_moe_lite = {
    .model_type = "glm4_moe_lite",
    .eps = 1e-5,
    .theta = 1e4,
    .kv_heads = 20,
    .attention = HF_MLA,
    .qkv_bias = HF_KEY("attention_bias", 0),
    .o_bias = HF_KEY("attention_bias", 0),
    .interleaved = HF_KEY("rope_interleave", 1),
    .E = HF_NEEDS("num_local_experts|n_routed_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("moe_intermediate_size"),
    .dense_F = HF_NEEDS("intermediate_size"),
    .first_moe = HF_CONSTANT(1),
    .last_moe = HF_CONSTANT(-1),
    .mlp_types = true,
    .router = HF_ROUTER_SIGMOID(1.8, 1, 1),
    .experts = { HF_EXPERTS_PROJ, HF_EXPERTS_FUSED },
    .shared_n = HF_KEY("n_shared_experts", 1),
    .shared = HF_SHARED_PROJ,
    .dense = HF_DENSE_PROJ,
    .mtp = "num_nextn_predict_layers|num_mtp_layers",
    .keys = keys,
    .adjust = adjust,
    .transformers = "Glm4MoeLiteForCausalLM",
};
