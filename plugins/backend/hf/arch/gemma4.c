// Gemma 4 (Google DeepMind 2026), 26B-A4B: experts beside a dense MLP, each with norms of its own;
// full layers have wider heads, and keys for values.
#include "config/config.h"
#include "model.h"
#include "names.h"

// clang-format off
static const hf_key keys[] = {
    { "use_bidirectional_attention", "\"vision\"|null", NULL }, // of images alone
    { "num_kv_shared_layers", "0|null", NULL },
    { "use_double_wide_mlp", "false|null", NULL },
    { "attention_chunk_size", "null", NULL },
    { "vocab_size_per_layer_input|per_layer_config|attention_k_eq_v", HF_ANY, NULL },
    { "global_head_dim|num_global_key_value_heads", HF_ANY, NULL },
    { 0 },
};
// clang-format on

// What per_layer_config may say of a layer.
static cull_status check_overrides(hf_config *c, const cull_model *m)
{
    static const char config[] = "per_layer_config", works[] = "head_dim|num_key_value_heads";
    json_t *all = json_object_get(c->root, config), *layer, *value;
    const char *number, *key;
    size_t l;

    if (all && !json_is_null(all) && !json_is_object(all))
        return hf_wrong(c, config, all, "an object");
    json_object_foreach(all, number, layer)
    {
        if (!hf_layer_number(number, &l) || l >= m->s.L)
            return hf_refuse(c, config, number, "numbers of layers");
        if (!json_is_object(layer))
            return hf_wrong(c, config, layer, "an object for each layer");
        json_object_foreach(layer, key, value) if (!hf_one_of(key, works)) return hf_refuse(
            c, config, key, "head_dim, num_key_value_heads");
    }
    return CULL_OK;
}

// The last layer is full whatever its type says.
static cull_status adjust(hf_config *c, cull_model *m)
{
    if (hf_size(c, (hf_num)HF_KEY("hidden_size_per_layer_input", 256), 0))
        return c->status ? c->status
                         : hf_refuse_value(c, "hidden_size_per_layer_input", "> 0", "0");
    if (!hf_flag(c, (hf_num)HF_KEY("enable_moe_block", 0)))
        return c->status ? c->status : hf_refuse_value(c, "enable_moe_block", "false", "true");
    if (!hf_config_has(c, "rope_parameters"))
        return hf_wrong(c, "rope_parameters", NULL, "");
    CULL_TRY(check_overrides(c, m));
    m->layer[m->s.L - 1].local = false;
    m->s.embed_scale = (float)pow((double)m->s.D, 0.5);
    return c->status;
}

const hf_arch hf_gemma4 = {
    .model_type = "gemma4",
    .also = "gemma4_text",
    .reading = 1, // what the experts read is their norm's output
    .eps = 1e-6,
    .theta = 1e6,
    .tied = true,
    .norms = { .attention = "input_layernorm",
               .attention_after = "post_attention_layernorm",
               .ffn = "pre_feedforward_layernorm",
               .ffn_after = "post_feedforward_layernorm",
               .side_after = "post_feedforward_layernorm_1",
               .experts = "pre_feedforward_layernorm_2.weight",
               .experts_after = "post_feedforward_layernorm_2" },
    .out_scale = "layer_scalar",
    .softcap = HF_KEY("final_logit_softcapping", 0),
    .head_dim = HF_KEY("head_dim", 256),
    .full = { .KV = HF_KEY("num_global_key_value_heads", 0), .qk = HF_KEY("global_head_dim", 512) },
    .local = { .theta = HF_CONSTANT(1e4) },
    .per_layer = true,
    .kv_heads = 4,
    .qkv_bias = HF_KEY("attention_bias", 0),
    .o_bias = HF_KEY("attention_bias", 0),
    .qk_norm = HF_QK_HEAD,
    .v_norm = true,
    .k_is_v = HF_KEY("attention_k_eq_v", 0),
    .attention_scale = HF_CONSTANT(1),
    .local_layers = HF_LOCAL_BUT_NTH,
    .local_n = HF_CONSTANT(6),
    .window = 512,
    .by_type = true,
    .E = HF_NEEDS("num_experts"),
    .K = HF_NEEDS("top_k_experts"),
    .F = HF_NEEDS("moe_intermediate_size"),
    .last_moe = HF_CONSTANT(-1),
    .act = HF_GELU,
    .side_act = HF_GELU,
    .act_words = "gelu_pytorch_tanh",
    .router = { .score = HF_SOFTMAX,
                .name = "router.proj",
                .input_scale = "router.scale",
                .gate_scale = "router.per_expert_scale",
                .renormalise = HF_CONSTANT(1) },
    .experts = { { HF_ROWS, { "experts.gate_up_proj", NULL, "experts.down_proj" } } },
    .shared_F = HF_NEEDS("intermediate_size"),
    .shared = HF_DENSE_PROJ,
    .keys = keys,
    .adjust = adjust,
    .transformers = "Gemma4ForCausalLM",
    .constants = "experts.constants",
};
