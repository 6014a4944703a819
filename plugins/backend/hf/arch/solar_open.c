// Solar Open (Upstage 2026): GLM-4.5's experts in every layer, Llama's attention.
#include "config/config.h"
#include "model.h"
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "first_k_dense_replace", "0|null", "transformers has no dense layers here" },
    { "use_qk_norm", "false|null", "transformers has no such norms here" },
    { "intermediate_size", HF_ANY, NULL },
    { 0 },
};
// clang-format on

// The reference rotates whole heads, whatever part of them has an angle.
static cull_status adjust(hf_config *c, cull_model *m)
{
    if (m->heads[0].rope.rot != m->heads[0].qk)
        return hf_refuse_value(c, "partial_rotary_factor", "below 1", "1");
    return c->status;
}

const hf_arch hf_solar_open = {
    .model_type = "solar_open",
    .eps = 1e-5,
    .theta = 1e6,
    .head_dim = HF_KEY("head_dim", 128),
    .kv_heads = 8,
    .qkv_bias = HF_KEY("attention_bias", 0),
    .partial = HF_KEY("partial_rotary_factor", 1),
    .E = HF_NEEDS("num_local_experts|n_routed_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("moe_intermediate_size"),
    .last_moe = HF_CONSTANT(-1),
    .router = HF_ROUTER_SIGMOID(1, 1, 1),
    .experts = { HF_EXPERTS_PROJ, HF_EXPERTS_FUSED },
    .shared_n = HF_KEY("n_shared_experts", 1),
    .shared = HF_SHARED_PROJ,
    .mtp = "num_nextn_predict_layers",
    .keys = keys,
    .adjust = adjust,
    .transformers = "SolarOpenForCausalLM",
};
