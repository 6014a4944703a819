// config.json, edited as text: what is not changed stays byte for byte.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "save/save.h"

// ---- a JSON object as text; it has been parsed before, so that it is known to be one ----

// The quote that ends the string which begins here.
static const char *end_of_string(const char *at)
{
    for (at++; *at != '"'; at++)
        at += *at == '\\';
    return at;
}

// The first character that is no part of the value which begins here, blanks after it included.
static const char *skip_value(const char *at)
{
    int depth = 0;

    for (; *at; at++) {
        if (*at == '"')
            at = end_of_string(at);
        else if (*at == '{' || *at == '[')
            depth++;
        else if ((*at == '}' || *at == ']') && depth-- == 0)
            return at;
        else if (*at == ',' && depth == 0)
            return at;
    }
    return at;
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

typedef struct member {
    const char *begin;       // of the key
    const char *value, *end; // of the value, blanks after it left out
} member;

static bool find_member(const char *text, const char *key, member *out)
{
    const size_t n = strlen(key);
    const char *at = skip_blanks(skip_blanks(text) + 1);

    while (*at == '"') {
        const char *begin = at, *end = end_of_string(at);
        const char *value = skip_blanks(strchr(end, ':') + 1), *after = skip_value(value);
        if ((size_t)(end - begin) == n + 1 && memcmp(begin + 1, key, n) == 0) {
            *out = (member){ begin, value, after };
            while (strchr(" \t\r\n", out->end[-1]))
                out->end--;
            return true;
        }
        at = *after == ',' ? skip_blanks(after + 1) : after;
    }
    return false;
}

// Set a key, adding it in front where it is not there; NULL where there is no memory.
static char *set_key(hf_saving *s, const char *text, const char *key, size_t n, const char *value)
{
    char name[64];
    member m;

    (void)snprintf(name, sizeof name, "%.*s", (int)n, key);
    if (find_member(text, name, &m))
        return hf_text(s->ctx, "%.*s%s%s", (int)(m.value - text), text, value, m.end);
    const char *inside = strchr(text, '{') + 1;
    return hf_text(s->ctx, "%.*s\n  \"%s\": %s,%s", (int)(inside - text), text, name, value,
                   inside);
}

// Every key of "a|b" that is there; where none is, `add` adds the last, which is the class's own.
static char *set_keys(hf_saving *s, char *text, const char *keys, bool add, size_t value)
{
    char number[32];
    member m;
    bool found = false;

    (void)snprintf(number, sizeof number, "%zu", value);
    while (text && keys && *keys) {
        const size_t n = strcspn(keys, "|");
        const bool last = keys[n] == '\0';
        char name[64];
        (void)snprintf(name, sizeof name, "%.*s", (int)n, keys);
        const bool there = find_member(text, name, &m);
        found |= there;
        if (there || (add && last && !found))
            text = set_key(s, text, keys, n, number);
        keys += n + !last;
    }
    return text;
}

static char *remove_key(hf_saving *s, const char *text, const char *key)
{
    member m;

    if (!find_member(text, key, &m))
        return hf_text(s->ctx, "%s", text);
    const char *end = skip_blanks(m.end);
    if (*end == ',')
        return hf_text(s->ctx, "%.*s%s", (int)(m.begin - text), text, skip_blanks(end + 1));
    const char *begin = m.begin; // the last one: the comma before it goes
    while (begin > text && begin[-1] != ',' && begin[-1] != '{')
        begin--;
    begin -= begin > text && begin[-1] == ',';
    return hf_text(s->ctx, "%.*s\n%s", (int)(begin - text), text, end);
}

// A list with an entry for each layer, without those of the layers that are gone.
static char *shorten_list(hf_saving *s, char *text, const char *key)
{
    size_t n = 0;
    member m;

    if (!find_member(text, key, &m) || *m.value != '[')
        return text;
    for (const char *at = skip_blanks(m.value + 1); *at != ']'; n++) {
        at = skip_value(at);
        at = skip_blanks(at + (*at == ','));
    }
    if (n != s->m->s.L)
        return text;
    char *list = hf_text(s->ctx, "[");
    const char *at = skip_blanks(m.value + 1);
    for (size_t l = 0; list && l < n; l++) {
        const char *after = skip_value(at), *end = after;
        while (strchr(" \t\r\n", end[-1]))
            end--;
        if (s->new_layer[l] != SIZE_MAX)
            list = hf_text(s->ctx, "%s%s%.*s", list, list[1] ? ", " : "", (int)(end - at), at);
        at = skip_blanks(after + (*after == ','));
    }
    return list ? hf_text(s->ctx, "%.*s%s]%s", (int)(m.value - text), text, list, m.end) : NULL;
}

// Which layers are recurrent, as a list: a rule that config.json leaves to itself (every fourth
// attends), or says in other words, no longer holds when layers are gone.
static char *list_mixers(hf_saving *s, char *text)
{
    static const char *const words[] = { "full_attention", "linear_attention", "moe" };
    const hf_mixer *mixer = &s->m->arch->mixer;
    const char *key = mixer->single ? "layers_block_type" : "layer_types";
    char *list = hf_text(s->ctx, "[");
    member m;

    if (!text || mixer->kind == HF_MIXER_NONE || find_member(text, key, &m))
        return text;
    for (size_t l = 0; list && l < s->m->s.L; l++) {
        const hf_layer *layer = &s->m->layer[l];
        const bool mlp = layer->mix == HF_MIX_NOTHING && layer->facts.E == 0;
        list = hf_text(s->ctx, "%s%s\"%s\"", list, l ? ", " : "", mlp ? "mlp" : words[layer->mix]);
    }
    list = list ? hf_text(s->ctx, "%s]", list) : NULL;
    text = list ? set_key(s, text, key, strlen(key), list) : NULL;
    return text ? remove_key(s, text, "hybrid_override_pattern") : NULL;
}

// All lists by layer that some family has.
static char *shorten_lists(hf_saving *s, char *text)
{
    static const char *const keys[] = {
        "layer_types",      "layers_block_type", "mlp_layer_types",
        "no_rope_layers",   "moe_topk",          "hybrid_layer_pattern",
        "indexer_types",    "moe_layer_freq",    "moe_intermediate_size",
        "num_shared_expert"
    };

    if (s->L == s->m->s.L)
        return text;
    text = list_mixers(s, text);
    for (size_t i = 0; text && i < sizeof keys / sizeof *keys; i++)
        text = shorten_list(s, text, keys[i]);
    return text;
}

// Experts a token, by layer, where config.json has a list of them.
static char *set_listed(hf_saving *s, char *text)
{
    const char *keys = s->m->arch->K.key;
    char *list = hf_text(s->ctx, "[");

    for (size_t l = 0; list && l < s->m->s.L; l++)
        if (s->new_layer[l] != SIZE_MAX)
            list = hf_text(s->ctx, "%s%s%zu", list, list[1] ? ", " : "",
                           s->k[l] ? s->k[l] : s->m->layer[l].K);
    list = list ? hf_text(s->ctx, "%s]", list) : NULL;
    return list ? set_key(s, text, keys, strcspn(keys, "|"), list) : NULL;
}

// What Cull's own layout adds to the language model's keys, or takes from them again.
static char *set_own(hf_saving *s, char *text)
{
    if (!s->own)
        return remove_key(s, text, "cull_layers");
    char *layers = hf_own_layers(s);
    return layers ? set_key(s, text, "cull_layers", strlen("cull_layers"), layers) : NULL;
}

// The same of the file's own keys.
static char *set_own_code(hf_saving *s, char *text)
{
    member m;

    if (s->own)
        return set_key(s, text, "auto_map", strlen("auto_map"), HF_OWN_CLASS);
    const char *module = find_member(text, "auto_map", &m) ? strstr(m.value, HF_OWN_MODULE) : NULL;
    return module && module < m.end ? remove_key(s, text, "auto_map") : text;
}

// The keys of the language model.
static char *edit_model(hf_saving *s, char *text)
{
    const hf_arch *arch = s->m->arch;

    if (s->E && s->E != s->m->s.E)
        text = set_keys(s, text, arch->E.key, true, s->E);
    if (s->m->s.K_listed)
        text = set_listed(s, text);
    else if (s->K && s->K != s->m->s.K)
        text = set_keys(s, text, arch->K.key, true, s->K);
    for (size_t k = 0; text && k < HF_N_KINDS; k++)
        if (s->width[k].key && s->width[k].to != s->width[k].from)
            text = set_keys(s, text, s->width[k].key, true, s->width[k].to);
    if (text && s->L != s->m->s.L)
        text = set_keys(s, text, "num_hidden_layers", true, s->L);
    text = set_keys(s, text, arch->mtp, false, 0);
    if (text && s->how->dequantise)
        text = remove_key(s, text, "quantization_config");
    text = text ? shorten_lists(s, text) : NULL;
    return text ? set_own(s, text) : NULL;
}

// Where the object that holds them begins and ends: the file's own, or one in it.
static member find_model(const char *text)
{
    static const char *const keys[] = { "thinker_config", "text_config" };
    member model = { text, text, text + strlen(text) }, inside;

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (find_member(model.value, keys[i], &inside) && *inside.value == '{')
            model = inside;
    return model;
}

cull_status hf_save_config(hf_saving *s)
{
    const char *from = hf_text(s->ctx, "%s/config.json", s->m->facts.source);
    const char *to = hf_text(s->ctx, "%s/config.json", s->how->folder), *bytes;
    size_t n;

    if (!from || !to)
        return CULL_ENOMEM;
    HF_TRY(s->ctx->host->read_file(s->ctx, from, &bytes, &n));
    const member model = find_model(bytes);
    char *text = hf_text(s->ctx, "%.*s", (int)(model.end - model.value), model.value);
    text = text ? edit_model(s, text) : NULL;
    if (text)
        text = hf_text(s->ctx, "%.*s%s%s", (int)(model.value - bytes), bytes, text, model.end);
    if (text && s->how->dequantise)
        text = remove_key(s, text, "quantization_config");
    text = text ? set_own_code(s, text) : NULL;
    HF_TRY(text ? hf_write_file(s->ctx, to, text, strlen(text)) : CULL_ENOMEM);
    return s->own ? hf_save_modeling(s) : CULL_OK;
}
