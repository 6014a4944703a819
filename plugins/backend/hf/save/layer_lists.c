// What config.json says layer by layer, cut along when layers go; and what it says by a rule (every
// fourth layer attends, the first are dense) as a list, for the rule no longer holds.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "save/json_text.h"
#include "save/save.h"

static bool is_gone(const hf_saving *s, size_t l)
{
    return s->new_layer[l] == SIZE_MAX;
}

// ---- what is there ----

// A list, or a pattern of letters, with an entry for each layer: without those that are gone.
static char *shorten(hf_saving *s, char *text, const char *key)
{
    json_t *old = hf_json_value(text, key), *list = json_array();
    char *pattern = strdup(json_is_string(old) ? json_string_value(old) : "");
    const bool listed = json_array_size(old) == s->m->s.L;
    char *out = text;
    size_t n = 0;

    for (size_t l = 0; list && listed && l < s->m->s.L; l++)
        if (!is_gone(s, l))
            (void)json_array_append(list, json_array_get(old, l));
    if (listed)
        out = hf_json_put(s->ctx, text, key, json_incref(list));
    else if (pattern && strlen(pattern) == s->m->s.L) {
        for (size_t l = 0; l < s->m->s.L; l++)
            if (!is_gone(s, l))
                pattern[n++] = pattern[l];
        out = hf_json_put(s->ctx, text, key, json_stringn(pattern, n));
    }
    free(pattern);
    json_decref(list);
    json_decref(old);
    return out;
}

// A list of layers by number, the first of which is `from`: of those that stay, their new numbers.
static char *renumber(hf_saving *s, char *text, const char *key, size_t from)
{
    json_t *old = hf_json_value(text, key), *list = json_array();
    char *out = text;

    for (size_t i = 0; list && i < json_array_size(old); i++) {
        const json_int_t l = json_integer_value(json_array_get(old, i)) - (json_int_t)from;
        if (l >= 0 && (size_t)l < s->m->s.L && !is_gone(s, (size_t)l))
            (void)json_array_append_new(
                list, json_integer((json_int_t)s->new_layer[l] + (json_int_t)from));
    }
    if (json_is_array(old))
        out = hf_json_put(s->ctx, text, key, json_incref(list));
    json_decref(list);
    json_decref(old);
    return out;
}

// An object with something for some layers, by number.
static char *renumber_keys(hf_saving *s, char *text, const char *key)
{
    json_t *old = hf_json_value(text, key), *object = json_object();
    char number[24], *out = text;

    for (size_t l = 0; object && l < s->m->s.L; l++) {
        json_t *value = hf_of_layer(old, l);
        (void)snprintf(number, sizeof number, "%zu", s->new_layer[l]);
        if (value && !is_gone(s, l))
            (void)json_object_set(object, number, value);
    }
    if (json_object_size(old))
        out = hf_json_put(s->ctx, text, key, json_incref(object));
    json_decref(object);
    json_decref(old);
    return out;
}

// The lists within an object, as Kimi-Linear and MiniMax-M3 are published.
static char *cut_inside(hf_saving *s, char *text, const char *key)
{
    hf_json_member m;

    if (!hf_json_find(text, key, &m) || *m.value != '{')
        return text;
    char *inside = hf_text(s->ctx, "%.*s", (int)(m.end - m.value), m.value);
    inside = inside ? renumber(s, inside, "full_attn_layers", 1) : NULL;
    inside = inside ? renumber(s, inside, "kda_layers", 1) : NULL;
    inside = inside ? shorten(s, inside, "sparse_attention_freq") : NULL;
    return inside ? hf_json_set(s->ctx, text, key, inside) : NULL;
}

// All that some family has.
static char *cut_lists(hf_saving *s, char *text)
{
    static const char *const by_layer[] = {
        "layer_types",           "layers_block_type", "hybrid_override_pattern", "mlp_layer_types",
        "no_rope_layers",        "moe_topk",          "hybrid_layer_pattern",    "indexer_types",
        "moe_intermediate_size", "moe_layer_freq",    "num_shared_expert",       "is_moe_layer",
    };
    static const char *const numbers[] = { "mlp_only_layers", "moe_layers" };

    for (size_t i = 0; text && i < sizeof by_layer / sizeof *by_layer; i++)
        text = shorten(s, text, by_layer[i]);
    for (size_t i = 0; text && i < sizeof numbers / sizeof *numbers; i++)
        text = renumber(s, text, numbers[i], 0);
    text = text ? renumber_keys(s, text, "per_layer_config") : NULL;
    text = text ? cut_inside(s, text, "linear_attn_config") : NULL;
    return text ? cut_inside(s, text, "sparse_attention_config") : NULL;
}

// ---- what a rule says ----

// Is one of the keys "a|b|c" there, and not null?
static bool has_any(const char *text, const char *keys)
{
    for (; keys && *keys; keys += strspn(keys, "|")) {
        const size_t n = strcspn(keys, "|");
        char name[64];
        hf_json_member m;
        (void)snprintf(name, sizeof name, "%.*s", (int)n, keys);
        if (hf_json_find(text, name, &m) && *m.value != 'n')
            return true;
        keys += n;
    }
    return false;
}

// A list with the word that `word` has for each layer that stays.
static char *put_words(hf_saving *s, char *text, const char *key,
                       const char *(*word)(const cull_model *, const hf_layer *))
{
    json_t *list = json_array();

    for (size_t l = 0; list && l < s->m->s.L; l++)
        if (!is_gone(s, l))
            (void)json_array_append_new(list, json_string(word(s->m, &s->m->layer[l])));
    return hf_json_put(s->ctx, text, key, list);
}

static const char *window_word(const cull_model *m, const hf_layer *layer)
{
    const char *local = m->arch->chunked ? "chunked_attention" : "sliding_attention";

    return layer->local ? local : "full_attention";
}

static const char *mixer_word(const cull_model *m, const hf_layer *layer)
{
    static const char *const words[] = { "full_attention", "linear_attention", "moe" };

    (void)m;
    return layer->mix == HF_MIX_NOTHING && layer->facts.E == 0 ? "mlp" : words[layer->mix];
}

static const char *sparse_word(const cull_model *m, const hf_layer *layer)
{
    (void)m;
    return layer->facts.E ? "sparse" : "dense";
}

// Which layers see a window, or are recurrent.
static char *put_types(hf_saving *s, char *text)
{
    const hf_arch *arch = s->m->arch;
    const bool windows = arch->local_layers > HF_LOCAL_ALL && (s->m->s.window || s->m->s.chunk);

    if (arch->mixer.kind && !has_any(text, arch->mixer.types) &&
        !has_any(text, "linear_attn_config"))
        return put_words(s, text, arch->mixer.single ? "layers_block_type" : "layer_types",
                         mixer_word);
    if (windows && !has_any(text, "layer_types|hybrid_layer_pattern"))
        return put_words(s, text, "layer_types", window_word);
    return text;
}

// Which are rotated: without the key, or with an empty list, by their number.
static char *put_rotated(hf_saving *s, char *text)
{
    json_t *old = hf_json_value(text, "no_rope_layers"), *list = json_array();
    const bool said = json_array_size(old) > 0;
    char *out = text;

    for (size_t l = 0; list && l < s->m->s.L; l++)
        if (!is_gone(s, l))
            (void)json_array_append_new(list, json_integer(s->m->layer[l].rotates));
    if (s->m->arch->rotates == HF_ROTATE_LIST && !said)
        out = hf_json_put(s->ctx, text, "no_rope_layers", json_incref(list));
    json_decref(list);
    json_decref(old);
    return out;
}

// Layers l of n with experts: first ≤ l ≤ last, (l + 1) % step = 0.
typedef struct sparse_rule {
    size_t first, last, step;
} sparse_rule;

// Does a rule with this step say what `sparse` (n) does? It becomes the first and last of them.
static bool fits(const bool *sparse, size_t n, bool may_end, sparse_rule *rule)
{
    bool same = true;

    rule->first = n;
    rule->last = n - 1;
    for (size_t l = n; l-- > 0;)
        rule->first = sparse[l] ? l : rule->first;
    for (size_t l = 0; may_end && l < n; l++)
        rule->last = sparse[l] ? l : rule->last;
    for (size_t l = 0; l < n; l++)
        same &= sparse[l] == (l >= rule->first && l <= rule->last && (l + 1) % rule->step == 0);
    return same;
}

static char *put_number(hf_saving *s, char *text, hf_num num, size_t value)
{
    char number[24];

    (void)snprintf(number, sizeof number, "%zu", value);
    return text && num.key ? hf_json_set(s->ctx, text, num.key, number) : text;
}

// The same rule with other numbers. Where there is none, the export is opened again and refused.
static char *put_rule(hf_saving *s, char *text)
{
    const hf_arch *arch = s->m->arch;
    bool *sparse = s->ctx->host->alloc(s->ctx, s->L, sizeof *sparse);
    sparse_rule rule = { .step = 1 };

    if (!sparse)
        return NULL;
    for (size_t l = 0; l < s->m->s.L; l++)
        if (!is_gone(s, l))
            sparse[s->new_layer[l]] = s->m->layer[l].facts.E != 0;
    while (!fits(sparse, s->L, arch->last_moe.key != NULL, &rule) && arch->moe_step.key &&
           rule.step < s->L)
        rule.step++;
    text = put_number(s, text, arch->first_moe, rule.first);
    text = put_number(s, text, arch->last_moe, rule.last);
    return put_number(s, text, arch->moe_step, rule.step);
}

// The layers, by number, that have experts, or that have none.
static char *put_numbers(hf_saving *s, char *text, const char *key, bool sparse)
{
    json_t *list = json_array();

    for (size_t l = 0; list && l < s->m->s.L; l++)
        if (!is_gone(s, l) && (s->m->layer[l].facts.E != 0) == sparse)
            (void)json_array_append_new(list, json_integer((json_int_t)s->new_layer[l]));
    return hf_json_put(s->ctx, text, key, list);
}

// Which have experts, where some have none.
static char *put_sparse(hf_saving *s, char *text)
{
    const hf_arch *arch = s->m->arch;
    bool dense = false;

    for (size_t l = 0; l < s->m->s.L; l++)
        dense |= s->m->layer[l].facts.E == 0;
    if (!dense || arch->mixer.single || has_any(text, arch->flags))
        return text;
    if (arch->mlp_types)
        return has_any(text, "mlp_layer_types")
                   ? text
                   : put_words(s, text, "mlp_layer_types", sparse_word);
    if (arch->except)
        return put_number(s, put_numbers(s, text, arch->except, false), arch->moe_step, 1);
    if (arch->only)
        return put_numbers(s, text, arch->only, true);
    return put_rule(s, text);
}

char *hf_save_layer_lists(hf_saving *s, char *text)
{
    text = cut_lists(s, text);
    text = text ? put_types(s, text) : NULL;
    text = text ? put_rotated(s, text) : NULL;
    return text ? put_sparse(s, text) : NULL;
}
