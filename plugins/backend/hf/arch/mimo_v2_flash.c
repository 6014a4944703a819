// MiMo-V2-Flash (Xiaomi 2025): values narrower than keys, and scaled; layers with a window have
// twice the key heads, sinks, and another θ.
#include "config/config.h"
#include "model.h"
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "scoring_func", "\"sigmoid\"|null", NULL },
    { "topk_method", "\"noaux_tc\"|null", NULL },
    { "add_swa_attention_sink_bias", "true|null", NULL },
    { "add_full_attention_sink_bias", "false|null", NULL },
    { "n_shared_experts", "0|null", NULL },
    { "attention_chunk_size|hybrid_block_size|rope_scaling|layernorm_epsilon", HF_ANY, NULL },
    { "swa_num_attention_heads|swa_num_key_value_heads|swa_head_dim|swa_v_head_dim", HF_ANY, NULL },
    { "sliding_window_size|hybrid_layer_pattern|attention_value_scale", HF_ANY, NULL },
    { 0 },
};
// clang-format on

// Layers are local as hybrid_layer_pattern says, or all but the first and every sixth. The window
// is sliding_window, or sliding_window_size positions and the query's own.
static cull_status adjust(hf_config *c, cull_model *m)
{
    const bool listed = hf_config_has(c, "layer_types");
    const json_t *pattern = listed ? NULL : hf_config_value(c, "hybrid_layer_pattern");
    const size_t before = hf_size(c, (hf_num)HF_KEY("sliding_window_size", 0), 0);

    CULL_TRY(hf_check_integers(c, "hybrid_layer_pattern", pattern));
    if (pattern && json_array_size(pattern) != m->s.L)
        return hf_wrong(c, "hybrid_layer_pattern", pattern, "a list with a number for each layer");
    for (size_t l = 0; !listed && l < m->s.L; l++)
        m->layer[l].local = pattern ? json_integer_value(json_array_get(pattern, l)) != 0
                                    : l > 0 && (l + 1) % 6 != 0;
    m->s.gate_scale = hf_config_has(c, "routed_scaling_factor") ? m->s.gate_scale : 1;
    m->s.window = hf_config_has(c, "sliding_window_size") ? before + 1 : m->s.window;
    return c->status;
}

const hf_arch hf_mimo_v2_flash = {
    .model_type = "mimo_v2_flash",
    .eps = 1e-5,
    .theta = 5e6,
    .head_dim = HF_KEY("head_dim", 192),
    .value_dim = HF_KEY("v_head_dim", 128),
    .kv_heads = 4,
    .qkv_bias = HF_KEY("attention_bias", 0),
    .v_scale = HF_KEY("attention_value_scale", 0.707),
    .sinks = HF_SINKS_LOCAL,
    .local_layers = HF_LOCAL_BUT_NTH,
    .local_n = HF_CONSTANT(6),
    .window = 129,
    .local = { .KV_times = 2, .theta = HF_KEY("swa_rope_theta", 1e4) },
    .partial = HF_KEY("partial_rotary_factor", 0.334),
    .by_type = true,
    .E = HF_NEEDS("num_local_experts|n_routed_experts"),
    .K = HF_NEEDS("num_experts_per_tok"),
    .F = HF_NEEDS("moe_intermediate_size"),
    .dense_F = HF_NEEDS("intermediate_size"),
    .first_moe = HF_CONSTANT(1),
    .last_moe = HF_CONSTANT(-1),
    .mlp_types = true,
    .flags = "moe_layer_freq",
    .router = HF_ROUTER_SIGMOID(0, 1, 1),
    .experts = { HF_EXPERTS_PROJ, HF_EXPERTS_FUSED },
    .dense = HF_DENSE_PROJ,
    .mtp = "num_nextn_predict_layers",
    .keys = keys,
    .adjust = adjust,
    .transformers = "MiMoV2FlashForCausalLM",
};
