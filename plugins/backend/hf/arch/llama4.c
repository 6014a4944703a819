// Llama 4 (Meta 2025): a sigmoid gate on the experts' input, chunks in rotated layers, sharper
// queries in the others.
#include "config/config.h"
#include "model.h"
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "for_llm_compressor", "false|null", NULL },
    { "attn_temperature_tuning|floor_scale|attn_scale|router_jitter_noise|use_qk_norm", HF_ANY, NULL },
    { "no_rope_layers|no_rope_layer_interval|interleave_moe_layer_step|cache_implementation", HF_ANY, NULL },
    { 0 },
};
// clang-format on

static cull_status adjust(hf_config *c, cull_model *m)
{
    const json_t *tuning = hf_config_value(c, "attn_temperature_tuning");
    const bool on = !tuning || json_is_true(tuning) || json_integer_value(tuning) != 0;
    const bool listed = hf_config_has(c, "layer_types");

    if (tuning && !json_is_boolean(tuning) && !json_is_integer(tuning)) // a number in older files
        return hf_wrong(c, "attn_temperature_tuning", tuning, "true or false");
    if (hf_config_is_null(c, "attn_temperature_tuning"))
        return hf_refuse_value(c, "attn_temperature_tuning", "null", "true, false");
    m->s.temper = (float)hf_real(c, (hf_num)HF_KEY("attn_scale", 0.1));
    m->s.temper_span = (float)hf_size(c, (hf_num)HF_KEY("floor_scale", 8192), 1);
    m->s.temper_from = 1;
    for (size_t l = 0; l < m->s.L; l++) {
        hf_layer *layer = &m->layer[l];
        layer->tempered = on && !layer->rotates;
        layer->local = listed ? layer->local : layer->rotates && m->s.chunk;
    }
    return c->status;
}

const hf_arch hf_llama4 = {
    .model_type = "llama4",
    .also = "llama4_text",
    .eps = 1e-5,
    .theta = 5e5,
    .head_dim = HF_KEY("head_dim", 128),
    .kv_heads = 8,
    .qkv_bias = HF_KEY("attention_bias", 0),
    .o_bias = HF_KEY("attention_bias", 0),
    .qk_norm = HF_QK_BARE,
    .qk_norm_on = HF_KEY("use_qk_norm", 1),
    .qk_norm_last = true,
    .local_layers = HF_LOCAL_BUT_NTH,
    .local_n = HF_KEY("no_rope_layer_interval", 4),
    .window = 8192,
    .chunked = true,
    .rotates = HF_ROTATE_LIST,
    .interleaved = HF_CONSTANT(1),
    .E = HF_NEEDS("num_local_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("intermediate_size"),
    .dense_F = HF_NEEDS("intermediate_size_mlp"),
    .last_moe = HF_CONSTANT(-1),
    .moe_step = HF_KEY("interleave_moe_layer_step", 1),
    .only = "moe_layers",
    .gate_on_input = true,
    .router = { .score = HF_TOP_SIGMOID, .name = "feed_forward.router" },
    .experts = { { HF_HALVES,
                   { "feed_forward.experts.gate_up_proj", NULL,
                     "feed_forward.experts.down_proj" } } },
    .shared_n = HF_CONSTANT(1),
    .shared = { "feed_forward.shared_expert.gate_proj", "feed_forward.shared_expert.up_proj",
                "feed_forward.shared_expert.down_proj" },
    .dense = { "feed_forward.gate_proj", "feed_forward.up_proj", "feed_forward.down_proj" },
    .keys = keys,
    .adjust = adjust,
    .transformers = "Llama4ForCausalLM",
    .constants = "feed_forward.experts.constants",
};
