// Trinity (Arcee AI 2025): norms before and after each part, a sigmoid gate on what the heads
// yield, rotation in layers with a window alone.
#include "config/config.h"
#include "model.h"
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "score_func", "\"sigmoid\"|null", NULL },
    { "route_norm", "true|null", "transformers always renormalises here" },
    { "n_group|topk_group|num_expert_groups|num_limited_groups", "1|0|null", "transformers has no groups here" },
    { "global_attn_every_n_layers|load_balance_coeff|use_grouped_mm", HF_ANY, NULL },
    { 0 },
};
// clang-format on

static cull_status adjust(hf_config *c, cull_model *m)
{
    if (hf_flag(c, (hf_num)HF_KEY("mup_enabled", 0)))
        m->s.embed_scale = (float)pow((double)m->s.D, 0.5);
    return c->status;
}

const hf_arch hf_afmoe = {
    .model_type = "afmoe",
    .eps = 1e-5,
    .theta = 1e4,
    .norms = { "input_layernorm", "post_attention_layernorm", "pre_mlp_layernorm",
               "post_mlp_layernorm" },
    .head_dim = HF_KEY("head_dim", 128),
    .qkv_bias = HF_KEY("attention_bias", 0),
    .o_bias = HF_KEY("attention_bias", 0),
    .qk_norm = HF_QK_HEAD,
    .gate = "self_attn.gate_proj",
    .local_layers = HF_LOCAL_BUT_NTH,
    .local_n = HF_KEY("global_attn_every_n_layers", 4),
    .window = 1024,
    .rotates = HF_ROTATE_LOCAL,
    .E = HF_NEEDS("num_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("moe_intermediate_size"),
    .dense_F = HF_NEEDS("intermediate_size"),
    .first_moe = HF_KEY("num_dense_layers", 1),
    .last_moe = HF_CONSTANT(-1),
    .router = { .score = HF_SIGMOID,
                .name = "mlp.router.gate",
                .bias = "mlp.expert_bias",
                .bias_is_parameter = true,
                .renormalise = HF_CONSTANT(1),
                .add = 1e-20,
                .scale = HF_KEY("route_scale", 1) },
    .experts = { HF_EXPERTS_PROJ, HF_EXPERTS_FUSED },
    .shared_n = HF_KEY("num_shared_experts", 2),
    .shared = HF_SHARED_PROJ,
    .dense = HF_DENSE_PROJ,
    .keys = keys,
    .adjust = adjust,
    .transformers = "AfmoeForCausalLM",
};
