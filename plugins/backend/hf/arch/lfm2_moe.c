// LFM2-8B-A1B (Liquid AI 2025, arXiv:2511.23404): gated short convolutions between blocks of
// attention.
#include "config/config.h"
#include "model.h"
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "conv_dim|conv_dim_out|conv_use_xavier_init|block_dim|block_ff_dim|block_use_swiglu", HF_ANY, NULL },
    { "use_pos_enc", "true", NULL },
    { 0 }
};
// clang-format on

// Published files say in tie_embedding whether the head is tied, which stands above the other key.
static cull_status adjust(hf_config *c, cull_model *m)
{
    m->s.tied = hf_flag(c, (hf_num){ "tie_embedding", m->s.tied });
    if (hf_config_is_null(c, "tie_embedding"))
        return hf_refuse_value(c, "tie_embedding", "null", "true, false");
    if (c->status == CULL_OK && !hf_config_has(c, "layer_types"))
        return hf_wrong(c, "layer_types", NULL, "");
    return c->status;
}

const hf_arch hf_lfm2_moe = {
    .model_type = "lfm2_moe",
    .eps = 1e-5,
    .eps_key = "norm_eps",
    .theta = 1e6,
    .tied = true,
    .norms = { .attention = "operator_norm", .ffn = "ffn_norm" },
    .last_norm = "embedding_norm",
    .kv_heads = 8,
    .qk_norm = HF_QK_HEAD,
    .q_norm = "self_attn.q_layernorm",
    .k_norm = "self_attn.k_layernorm",
    .o = "self_attn.out_proj",
    .own_types = true,
    .mixer = { .kind = HF_MIXER_CONV,
               .types = "layer_types",
               .taps = HF_KEY("conv_L_cache", 3),
               .conv_bias = HF_KEY("conv_bias", 0),
               .bias = HF_KEY("conv_bias", 0),
               .in = "conv.in_proj",
               .conv = "conv.conv",
               .out = CULL_PART_MIX_OUT,
               .out_name = "conv.out_proj" },
    .E = HF_NEEDS("num_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("moe_intermediate_size"),
    .dense_F = HF_NEEDS("intermediate_size"),
    .first_moe = HF_KEY("num_dense_layers", 2),
    .last_moe = HF_CONSTANT(-1),
    .router = { .score = HF_SIGMOID,
                .name = "feed_forward.gate",
                .bias = "feed_forward.expert_bias",
                .bias_on = HF_KEY("use_expert_bias", 1),
                .renormalise = HF_KEY("norm_topk_prob", 1),
                .add = 1e-6,
                .scale = HF_KEY("routed_scaling_factor", 1) },
    .experts = { { HF_EACH,
                   { "feed_forward.experts.*.w1", "feed_forward.experts.*.w3",
                     "feed_forward.experts.*.w2" } },
                 { HF_ROWS,
                   { "feed_forward.experts.gate_up_proj", NULL,
                     "feed_forward.experts.down_proj" } } },
    .dense = { "feed_forward.w1", "feed_forward.w3", "feed_forward.w2" },
    .keys = keys,
    .adjust = adjust,
    .transformers = "Lfm2MoeForCausalLM",
    .constants = "feed_forward.experts.constants",
};
