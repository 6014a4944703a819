// Kimi Linear (Moonshot AI 2025, arXiv:2510.26692): delta nets with a decay per channel, and latent
// attention without positions.
#include "config/config.h"
#include "model.h"
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "moe_router_activation_func", "\"sigmoid\"", NULL },
    { "moe_layer_freq", "1", NULL },
    { "use_grouped_topk|mla_use_nope", "true", NULL },
    { "head_dim|qk_head_dim|num_key_value_heads", HF_ANY, NULL },
    { 0 }
};
// clang-format on

// Is layer l in a list that counts from 1?
static bool is_listed(const json_t *list, size_t l)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_integer_value(json_array_get(list, i)) == (json_int_t)l + 1)
            return true;
    return false;
}

// Which layers attend where layer_types does not say: those of a list, beside which another has the
// rest; or every fourth but the first.
static cull_status read_lists(hf_config *lists, cull_model *m)
{
    const json_t *full = hf_config_value(lists, "full_attn_layers");
    const json_t *delta = hf_config_value(lists, "kda_layers");
    bool once = json_array_size(full) + json_array_size(delta) == m->s.L;

    if (!full || !delta)
        return lists->status;
    for (size_t l = 0; l < m->s.L; l++) {
        const bool attends = is_listed(full, l);
        once &= attends != is_listed(delta, l);
        m->layer[l].mix = attends ? HF_MIX_ATTENTION : HF_MIX_RECURRENT;
    }
    return once ? lists->status
                : hf_wrong(lists, "full_attn_layers", full,
                           "a list that together with kda_layers has every layer once");
}

// Published files keep the delta nets' numbers in an object.
static cull_status adjust(hf_config *c, cull_model *m)
{
    const bool listed = hf_config_has(c, "layer_types");
    hf_mixer_shape *s = &m->s.mix;
    hf_config lists;

    for (size_t l = 0; !listed && l < m->s.L; l++)
        m->layer[l].mix = l && l % 4 == 0 ? HF_MIX_ATTENTION : HF_MIX_RECURRENT;
    if (hf_config_is_null(c, "linear_attn_config"))
        return hf_refuse_value(c, "linear_attn_config", "null", "an object, or no such key");
    if (hf_config_sub(c, "linear_attn_config", &lists)) {
        s->H = hf_size(&lists, (hf_num)HF_KEY("num_heads", (double)s->H), 1);
        s->k_width = hf_size(&lists, (hf_num)HF_KEY("head_dim", (double)s->k_width), 1);
        s->taps = hf_size(&lists, (hf_num)HF_KEY("short_conv_kernel_size", (double)s->taps), 1);
        if (lists.status == CULL_OK && !listed)
            (void)read_lists(&lists, m);
        c->status = lists.status;
        hf_config_close(&lists);
    }
    s->KH = s->H;
    s->v_width = s->k_width;
    return c->status;
}

const hf_arch hf_kimi_linear = {
    .model_type = "kimi_linear",
    .eps = 1e-5,
    .theta = 1e4,
    .kv_heads = 32,
    .kv_null = true,
    .attention = HF_MLA,
    .positions = "max_position_embeddings|model_max_length",
    .never_tied = true,
    .rotates = HF_ROTATE_NONE,
    .qkv_bias = HF_KEY("attention_bias", 0),
    .o_bias = HF_KEY("attention_bias", 0),
    .own_types = true,
    .mixer = { .kind = HF_MIXER_KDA,
               .types = "layer_types",
               .H = HF_KEY("linear_num_heads", 32),
               .k_width = HF_KEY("linear_head_dim", 128),
               .taps = HF_KEY("linear_conv_kernel_dim", 4),
               .q = "self_attn.q_proj",
               .k = "self_attn.k_proj",
               .v = "self_attn.v_proj",
               .conv = "self_attn.q_conv1d",
               .conv_k = "self_attn.k_conv1d",
               .conv_v = "self_attn.v_conv1d",
               .a_in = "self_attn.f_a_proj",
               .a_out = "self_attn.f_b_proj",
               .z_in = "self_attn.g_a_proj",
               .z_out = "self_attn.g_b_proj",
               .b = "self_attn.b_proj",
               .rate = "self_attn.A_log",
               .dt_bias = "self_attn.dt_bias",
               .norm = "self_attn.o_norm.weight",
               .gate = HF_GATE_SIGMOID,
               .out = CULL_PART_O,
               .out_name = "self_attn.o_proj" },
    .E = HF_NEEDS("num_experts|num_local_experts"),
    .K = HF_NEEDS("num_experts_per_token|num_experts_per_tok"),
    .F = HF_NEEDS("moe_intermediate_size"),
    .dense_F = HF_NEEDS("intermediate_size"),
    .first_moe = HF_KEY("first_k_dense_replace", 1),
    .last_moe = HF_CONSTANT(-1),
    .mlp_types = true,
    .router = { .score = HF_SIGMOID,
                .name = "block_sparse_moe.gate|mlp.gate",
                .bias = "block_sparse_moe.gate.e_score_correction_bias|mlp.gate.e_score_correction_"
                        "bias",
                .renormalise = HF_KEY("moe_renormalize|norm_topk_prob", 1),
                .add = 1e-20,
                .scale = HF_KEY("routed_scaling_factor", 2.446),
                .n_group = HF_KEY("num_expert_group|n_group", 1),
                .topk_group = HF_KEY("topk_group", 1) },
    .experts = { HF_EXPERTS_W123, HF_EXPERTS_FUSED },
    .shared_n = HF_KEY("num_shared_experts|n_shared_experts", 1),
    .shared = { "block_sparse_moe.shared_experts.gate_proj|mlp.shared_experts.gate_proj",
                "block_sparse_moe.shared_experts.up_proj|mlp.shared_experts.up_proj",
                "block_sparse_moe.shared_experts.down_proj|mlp.shared_experts.down_proj" },
    .dense = { "mlp.gate_proj|block_sparse_moe.gate_proj", "mlp.up_proj|block_sparse_moe.up_proj",
               "mlp.down_proj|block_sparse_moe.down_proj" },
    .mtp = "num_nextn_predict_layers",
    .keys = keys,
    .adjust = adjust,
    .transformers = "KimiLinearForCausalLM",
    .constants = "block_sparse_moe.experts.constants",
};
