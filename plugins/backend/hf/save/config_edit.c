// config.json, edited as text: what is not changed stays byte for byte, numbers in their own
// spelling and the Infinity that Python writes and no JSON library reads.
#include <stdio.h>
#include <string.h>

#include "common/text/json_dumped.h"
#include "save/json_text.h"
#include "save/save.h"

// Every key of "a|b" that is there; where none is, `add` adds the last, which is the class's own.
static char *set_keys(hf_saving *s, char *text, const char *keys, bool add, const char *value)
{
    hf_json_member m;
    bool found = false;

    while (text && keys && *keys) {
        const size_t n = strcspn(keys, "|");
        const bool last = keys[n] == '\0';
        char name[64];
        (void)snprintf(name, sizeof name, "%.*s", (int)n, keys);
        const bool there = hf_json_find(text, name, &m);
        found |= there;
        if (there || (add && last && !found))
            text = hf_json_set(s->ctx, text, name, value);
        keys += n + !last;
    }
    return text;
}

static char *set_number(hf_saving *s, char *text, const char *keys, bool add, size_t value)
{
    char number[32];

    (void)snprintf(number, sizeof number, "%zu", value);
    return set_keys(s, text, keys, add, number);
}

// Experts a token, by layer, where config.json has a list of them.
static char *set_per_token(hf_saving *s, char *text)
{
    json_t *list = json_array();

    for (size_t l = 0; list && l < s->m->s.L; l++)
        if (s->new_layer[l] != SIZE_MAX)
            (void)json_array_append_new(
                list, json_integer((json_int_t)(s->k[l] ? s->k[l] : s->m->layer[l].K)));
    char *value = list ? json_dumps(list, 0) : NULL;
    text = value ? set_keys(s, text, s->m->arch->K.key, true, value) : NULL;
    json_free_dumped(value);
    json_decref(list);
    return text;
}

// What Cull's own layout adds to the language model's keys, or takes from them again.
static char *set_own(hf_saving *s, char *text)
{
    if (!s->own)
        return hf_json_remove(s->ctx, text, "cull_layers");
    char *layers = hf_own_layers(s);
    return layers ? hf_json_set(s->ctx, text, "cull_layers", layers) : NULL;
}

// The same of the file's own keys.
static char *set_own_code(hf_saving *s, char *text)
{
    hf_json_member m;

    if (s->own)
        return hf_json_set(s->ctx, text, "auto_map", HF_OWN_CLASS);
    const char *module = hf_json_find(text, "auto_map", &m) ? strstr(m.value, HF_OWN_MODULE) : NULL;
    return module && module < m.end ? hf_json_remove(s->ctx, text, "auto_map") : text;
}

// Does any kind of part become narrower? Then the width of each is said, for one that config.json
// lacks may follow from another's; but not that of two sets of experts, which is a list and stays.
static bool is_narrower(const hf_saving *s)
{
    bool any = false;

    for (size_t k = 0; k < HF_N_KINDS; k++)
        any |= s->width[k].to != s->width[k].from;
    return any;
}

// Quantised checkpoints name BF16, to which transformers would round what is written as F32.
static char *set_type(hf_saving *s, char *text, bool add)
{
    return s->n_wide ? set_keys(s, text, "torch_dtype|dtype", add, "\"float32\"") : text;
}

// The keys of the language model.
static char *edit_model(hf_saving *s, char *text)
{
    const hf_arch *arch = s->m->arch;

    if (s->E && s->E != s->m->s.E)
        text = set_number(s, text, arch->E.key, true, s->E);
    if (text && s->m->s.K_listed)
        text = set_per_token(s, text);
    else if (s->K && s->K != s->m->s.K)
        text = set_number(s, text, arch->K.key, true, s->K);
    for (size_t k = 0; text && k < HF_N_KINDS; k++)
        if (s->width[k].key && s->width[k].present && is_narrower(s) &&
            !(arch->twofold && k == HF_ROUTED))
            text = set_number(s, text, s->width[k].key, true, s->width[k].to);
    if (text && s->L != s->m->s.L)
        text = set_number(s, text, "num_hidden_layers", !arch->mixer.single, s->L);
    text = set_number(s, text, arch->mtp, false, 0);
    text = set_type(s, text, false);
    if (text && s->how->dequantise)
        text = hf_json_remove(s->ctx, text, "quantization_config");
    text = text && s->L != s->m->s.L ? hf_save_layer_lists(s, text) : text;
    return text ? set_own(s, text) : NULL;
}

// Where the object that holds them begins and ends: the file's own, or one in it.
static hf_json_member find_model(const char *text)
{
    static const char *const keys[] = { "thinker_config", "text_config" };
    hf_json_member model = { text, text, text + strlen(text) }, inside;

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (hf_json_find(model.value, keys[i], &inside) && *inside.value == '{')
            model = inside;
    return model;
}

// A layer that shares an indexer's choice shares that of the nearest one before it that chooses.
static cull_status check_indexers(hf_saving *s, const char *text)
{
    json_t *types = hf_json_value(text, "indexer_types");
    size_t l = 0;

    while (s->new_layer[l] == SIZE_MAX)
        l++;
    const char *first = json_string_value(json_array_get(types, l));
    const bool lost = first && strcmp(first, "shared") == 0;
    json_decref(types);
    if (!lost)
        return CULL_OK;
    return s->ctx->host->fail(s->ctx, CULL_ENOTSUP,
                              "%s cannot be exported: layer %zu shares the indexer of a layer that "
                              "is gone",
                              s->m->arch->model_type, l);
}

cull_status hf_save_config(hf_saving *s)
{
    const char *from = hf_text(s->ctx, "%s/config.json", s->m->facts.source);
    const char *to = hf_text(s->ctx, "%s/config.json", s->how->folder), *bytes;
    size_t n;

    if (!from || !to)
        return CULL_ENOMEM;
    CULL_TRY(s->ctx->host->read_file(s->ctx, from, &bytes, &n));
    const hf_json_member model = find_model(bytes);
    CULL_TRY(check_indexers(s, model.value));
    char *text = hf_text(s->ctx, "%.*s", (int)(model.end - model.value), model.value);
    text = text ? edit_model(s, text) : NULL;
    if (text)
        text = hf_text(s->ctx, "%.*s%s%s", (int)(model.value - bytes), bytes, text, model.end);
    if (text && s->how->dequantise)
        text = hf_json_remove(s->ctx, text, "quantization_config");
    text = set_type(s, text, true);
    text = text ? set_own_code(s, text) : NULL;
    CULL_TRY(text ? hf_write_file(s->ctx, to, text, strlen(text)) : CULL_ENOMEM);
    return s->own ? hf_save_modeling(s) : CULL_OK;
}
