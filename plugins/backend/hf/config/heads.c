// config.json → the attention of each layer: which are local, their heads, their rotation.
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "model.h"

#define NEEDS(k)  ((hf_num)HF_NEEDS(k))
#define KEY(k, d) ((hf_num)HF_KEY(k, d))

static size_t or_as(hf_config *c, hf_num num, size_t as)
{
    if (!num.key)
        return as;
    const size_t n = hf_size(c, num, 1);
    return n ? n : as;
}

static cull_status check_heads(hf_config *c, const hf_heads *heads, size_t D)
{
    const cull_host *host = c->ctx->host;

    CULL_TRY(c->status);
    if (heads->qk == 0)
        return c->status = host->fail(c->ctx, CULL_EFORMAT,
                                      "%s: hidden_size %zu is less than num_attention_heads %zu, "
                                      "and there is no head_dim",
                                      c->path, D, heads->H);
    if (heads->H % heads->KV != 0)
        return c->status = host->fail(c->ctx, CULL_EFORMAT,
                                      "%s: num_attention_heads %zu is not a multiple of"
                                      " num_key_value_heads %zu",
                                      c->path, heads->H, heads->KV);
    return CULL_OK;
}

static cull_status read_gqa(hf_config *c, cull_model *m)
{
    const hf_arch *arch = m->arch;
    hf_heads *heads = &m->heads[0];
    hf_shape *s = &m->s;

    heads->qk = hf_size(c, arch->head_dim.key ? arch->head_dim : KEY("head_dim", 0), 1);
    if (heads->qk == 0 && heads->H)
        heads->qk = s->D / heads->H; // rounded down, as the reference does
    CULL_TRY(check_heads(c, heads, s->D));
    heads->v = or_as(c, arch->value_dim, heads->qk);
    heads->scale = arch->attention_scale.key        ? (float)hf_real(c, arch->attention_scale)
                   : arch->attention_scale.def != 0 ? (float)arch->attention_scale.def
                                                    : (float)pow((double)heads->qk, -0.5);
    s->qk_norm = arch->qk_norm && (!arch->qk_norm_on.key || hf_flag(c, arch->qk_norm_on));
    s->clip = arch->clip.key ? (float)hf_real(c, arch->clip) : INFINITY;
    const bool scaled =
        arch->v_scale.key && !json_is_null(json_object_get(c->root, arch->v_scale.key));
    s->v_scale = scaled ? (float)hf_real(c, arch->v_scale) : 1;
    return c->status;
}

static cull_status read_mla(hf_config *c, cull_model *m)
{
    hf_heads *heads = &m->heads[0];
    hf_shape *s = &m->s;

    s->q_rank = hf_size(c, KEY("q_lora_rank", 0), 1);
    if (c->status == CULL_OK && s->q_rank == 0 && !hf_config_is_null(c, "q_lora_rank"))
        (void)hf_wrong(c, "q_lora_rank", NULL, "");
    s->kv_rank = hf_size(c, NEEDS("kv_lora_rank"), 1);
    s->nope = hf_size(c, NEEDS("qk_nope_head_dim"), 1);
    s->rope = hf_size(c, NEEDS("qk_rope_head_dim"), 2);
    heads->qk = s->nope + s->rope;
    heads->v = hf_size(c, NEEDS("v_head_dim"), 1);
    if (c->status == CULL_OK && heads->KV != heads->H)
        (void)hf_wrong(c, "num_key_value_heads", hf_config_value(c, "num_key_value_heads"),
                       "num_attention_heads");
    heads->scale = (float)pow((double)heads->qk, -0.5);
    s->clip = INFINITY;
    s->v_scale = 1;
    return c->status;
}

// ---- which layers are local ----

static bool local_by_default(const hf_arch *arch, size_t l, size_t n)
{
    switch (arch->local_layers) {
    case HF_LOCAL_ALL:
        return true;
    case HF_LOCAL_EVEN:
        return l % 2 == 0 && l < n;
    case HF_LOCAL_FROM:
        return l >= n;
    case HF_LOCAL_BUT_NTH:
        return (l + 1) % n != 0;
    case HF_LOCAL_NONE:
        break;
    }
    return false;
}

// The width of windows or chunks; 0: there are none.
static size_t read_width(hf_config *c, cull_model *m)
{
    const hf_arch *arch = m->arch;
    const char *key = arch->chunked ? "attention_chunk_size" : "sliding_window";
    const bool on = !arch->window_switch || hf_flag(c, KEY(arch->window_switch, 0));
    const bool said = json_object_get(c->root, key) != NULL;
    const size_t width = hf_size(c, KEY(key, 0), on);

    return !on ? 0 : said ? width : arch->window;
}

// Must local layers have a window? Those that are listed must; of some families also those that are
// so by default, where config.json says that there is none.
static bool needs_window(hf_config *c, const hf_arch *arch, const json_t *types)
{
    const bool on = !arch->window_switch || hf_flag(c, KEY(arch->window_switch, 0));
    const bool none = on && hf_config_is_null(c, "sliding_window");

    return types || (none && !arch->chunked && arch->local_layers != HF_LOCAL_FROM);
}

// A family whose layers are all alike does not read layer_types; if they are there, they say so.
static cull_status check_alike(hf_config *c, cull_model *m)
{
    static const char key[] = "layer_types";
    const char *alike = m->s.window ? "sliding_attention" : "full_attention";
    const bool own = m->arch->own_types;
    const json_t *types = own ? json_object_get(c->root, key) : hf_config_value(c, key);

    CULL_TRY(hf_check_words(c, key, json_is_null(types) ? NULL : types, m->s.L));
    for (size_t l = 0; !own && l < json_array_size(types); l++) {
        const char *type = json_string_value(json_array_get(types, l));
        if (strcmp(type, alike) != 0)
            return hf_refuse(c, key, type, alike);
    }
    return CULL_OK;
}

static cull_status read_locals(hf_config *c, cull_model *m)
{
    const hf_arch *arch = m->arch;
    const char *word = arch->chunked ? "chunked_attention" : "sliding_attention";
    const char *key = arch->chunked ? "attention_chunk_size" : "sliding_window";
    const bool listed = arch->local_layers > HF_LOCAL_ALL;
    const json_t *types = listed ? hf_config_value(c, "layer_types") : NULL;

    if (arch->local_layers == HF_LOCAL_NONE)
        return check_alike(c, m);
    const size_t width = read_width(c, m);
    const size_t least = arch->local_layers == HF_LOCAL_BUT_NTH;
    const bool counted = !types && (arch->local_n.key || arch->local_n.def != 0);
    const size_t n = counted ? hf_size(c, arch->local_n, least) : m->s.L;
    CULL_TRY(c->status);
    CULL_TRY(hf_check_words(c, "layer_types", types, m->s.L));
    for (size_t l = 0; l < m->s.L; l++) {
        const char *type = json_string_value(json_array_get(types, l));
        const bool local = type ? strcmp(type, word) == 0 : local_by_default(arch, l, n);
        if (type && !local && strcmp(type, "full_attention") != 0)
            return hf_refuse(c, "layer_types", type,
                             arch->chunked ? "full_attention, chunked_attention"
                                           : "full_attention, sliding_attention");
        if (local && width == 0 && listed && needs_window(c, arch, types))
            return c->ctx->host->fail(c->ctx, CULL_EFORMAT,
                                      "%s: layers have %s, but there is no %s", c->path, word, key);
        m->layer[l].local = local && width;
    }
    *(arch->chunked ? &m->s.chunk : &m->s.window) = width;
    return listed ? c->status : check_alike(c, m);
}

// ---- which are rotated ----

// Does config.json say that positions are rotated?
static bool says_rope(hf_config *c)
{
    static const char key[] = "position_embedding_type";
    const char *word = hf_word(c, key, NULL);

    if (word && !hf_one_of(word, "rope|nope"))
        (void)hf_refuse(c, key, word, "rope, nope");
    return word && strcmp(word, "rope") == 0;
}

static cull_status read_rotated(hf_config *c, cull_model *m)
{
    const enum hf_rotates rotates = m->arch->rotates;
    const bool any = rotates == HF_ROTATE_SAID ? says_rope(c) : rotates != HF_ROTATE_NONE;
    const bool windows = m->s.window || m->s.chunk;
    const json_t *list = rotates == HF_ROTATE_LIST ? hf_config_value(c, "no_rope_layers") : NULL;
    const size_t step =
        rotates == HF_ROTATE_LIST ? hf_size(c, KEY("no_rope_layer_interval", 4), 1) : 0;

    CULL_TRY(hf_check_integers(c, "no_rope_layers", list));
    if (json_array_size(list) && json_array_size(list) != m->s.L)
        return hf_wrong(c, "no_rope_layers", list, "a list with a number for each layer");
    for (size_t l = 0; l < m->s.L; l++) {
        hf_layer *layer = &m->layer[l];
        layer->rotates = any;
        if (rotates == HF_ROTATE_LOCAL)
            layer->rotates = layer->local || !windows;
        else if (rotates == HF_ROTATE_LIST)
            layer->rotates = json_array_size(list)
                                 ? json_integer_value(json_array_get(list, l)) != 0
                                 : (l + 1) % step != 0;
    }
    return c->status;
}

// ---- by type of layer ----

// What per_layer_config, layer by layer, says of the layers of one type under a key; a layer of
// which it says nothing has what all have.
static size_t by_layer(hf_config *c, cull_model *m, bool local, const char *key, size_t of_all)
{
    const json_t *all = hf_config_value(c, "per_layer_config");
    size_t found = 0;

    for (size_t l = 0; l < m->s.L; l++) {
        const json_t *value = json_object_get(hf_of_layer(all, l), key);
        const json_int_t n = value ? json_integer_value(value) : (json_int_t)of_all;
        if (m->layer[l].local != local)
            continue;
        if (n < 1 || n > 65536 || (found && (size_t)n != found))
            (void)hf_wrong(c, "per_layer_config", all, "the same for all layers of a type");
        found = (size_t)n;
    }
    return found ? found : of_all;
}

static cull_status read_type(hf_config *c, cull_model *m, bool local)
{
    const hf_arch *arch = m->arch;
    const hf_head_keys *keys = local ? &arch->local : &arch->full;
    const bool mla = arch->attention == HF_MLA;
    // Also where it is empty: then all are alike, whatever other keys say of a type.
    const bool listed = arch->per_layer && json_object_get(c->root, "per_layer_config");
    hf_heads *heads = &m->heads[local];

    heads->H = or_as(c, keys->H, heads->H);
    heads->k_is_v = !local && arch->k_is_v.key && hf_flag(c, arch->k_is_v);
    if (!listed && (!arch->k_is_v.key || heads->k_is_v)) // Gemma 4's global count goes with it
        heads->KV = or_as(c, keys->KV, heads->KV);
    heads->KV *= keys->KV_times ? keys->KV_times : 1;
    heads->v = or_as(c, keys->v, keys->qk.key && heads->v == heads->qk ? 0 : heads->v);
    size_t qk = listed ? heads->qk : or_as(c, keys->qk, heads->qk);
    if (listed) {
        qk = by_layer(c, m, local, "head_dim", qk);
        heads->KV = by_layer(c, m, local, "num_key_value_heads", heads->KV);
    }
    if (qk != heads->qk && !arch->attention_scale.key && arch->attention_scale.def == 0)
        heads->scale = (float)pow((double)qk, -0.5);
    heads->qk = qk;
    heads->v = heads->v ? heads->v : qk;
    heads->sinks = arch->sinks == HF_SINKS_ALL || (local && arch->sinks == HF_SINKS_LOCAL);
    CULL_TRY(check_heads(c, heads, m->s.D));
    heads->rope.first = mla ? m->s.nope : 0;
    heads->rope.interleaved = hf_flag(c, arch->interleaved);
    CULL_TRY(hf_rope_read(c, m, mla ? m->s.rope : qk, local, &heads->rope));
    if (mla)
        heads->scale *= (float)(heads->rope.yarn_mscale * heads->rope.yarn_mscale);
    return c->status;
}

cull_status hf_heads_read(hf_config *c, cull_model *m)
{
    hf_heads *heads = &m->heads[0];

    const char *positions = m->arch->positions ? m->arch->positions : "max_position_embeddings";

    m->facts.max_positions = hf_size(c, NEEDS(positions), 1);
    heads->H = hf_size(c, NEEDS("num_attention_heads"), 1);
    const bool null = m->arch->kv_null && hf_config_is_null(c, "num_key_value_heads");
    heads->KV = hf_size(c, KEY("num_key_value_heads", null ? 0 : (double)m->arch->kv_heads), 1);
    heads->KV = heads->KV ? heads->KV : heads->H;
    m->s.qkv_bias = hf_flag(c, m->arch->qkv_bias);
    m->s.o_bias = hf_flag(c, m->arch->o_bias);
    CULL_TRY(c->status);
    CULL_TRY(m->arch->attention == HF_MLA ? read_mla(c, m) : read_gqa(c, m));
    CULL_TRY(read_locals(c, m));
    CULL_TRY(read_rotated(c, m));
    m->s.exact = m->arch->exact.key ? hf_size(c, m->arch->exact, 1) : 0;
    m->heads[1] = m->heads[0];
    CULL_TRY(read_type(c, m, false));
    return m->s.window || m->s.chunk ? read_type(c, m, true) : c->status;
}

void hf_heads_finish(hf_config *c, cull_model *m)
{
    if (m->s.exact && m->s.exact < m->facts.max_positions)
        hf_note(c->ctx, m,
                "sparse attention is computed where it is dense, up to %zu positions: longer paths "
                "are refused",
                m->s.exact);
    for (size_t l = 0; l < m->s.L; l++) {
        hf_layer *layer = &m->layer[l];
        layer->heads = &m->heads[layer->local];
        layer->facts.window = layer->local ? m->s.window : 0;
    }
}
