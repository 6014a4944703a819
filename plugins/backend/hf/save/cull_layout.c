// Cull's own layout, where no published one will do: "cull_layers" in config.json
// (layer_overrides.c reads it) and the code that transformers needs for it.
#include <jansson.h>
#include <string.h>

#include "common/text/json_dumped.h"
#include "save/save.h"

extern const char hf_modeling_py[]; // modeling_cull.py

// A list that lacked memory is NULL.
static void append(json_t **list, json_t *value)
{
    if (json_array_append_new(*list, value) != 0) {
        json_decref(*list);
        *list = NULL;
    }
}

// The slots without matrices, in order.
static json_t *constants_of(const hf_saving *s, size_t l)
{
    json_t *list = json_array();

    for (int32_t j = 0; (size_t)j < s->rows[l]; j++)
        if (!hf_slot_stored(s, l, j))
            append(&list, json_integer(j));
    return list;
}

// How many slots are of each group; nothing where there are no groups, or there is one that has the
// two experts by which a router scores it.
static json_t *groups_of(const hf_saving *s, size_t l)
{
    const bool any = s->m->s.n_group > 1 || s->rows[l] < hf_least_of_group(s->m->arch);
    json_t *list = json_array();
    size_t at = 0;

    for (size_t g = 0; any && g < s->m->s.n_group; g++) {
        const size_t first = at, end = hf_group_begin(s->m, l, g + 1);
        while (at < s->rows[l] && (size_t)s->slot[l][at] < end)
            at++;
        append(&list, json_integer((json_int_t)(at - first)));
    }
    return list;
}

// A list that is left out where it is empty.
static json_t *unless_empty(json_t *list)
{
    if (json_array_size(list) > 0)
        return list;
    json_decref(list);
    return NULL;
}

// {"experts": 6, "per_token": 2, "groups": [2, 4], "constants": [1, 4]}; null of a dense layer.
static json_t *layer_of(const hf_saving *s, size_t l)
{
    if (s->rows[l] == 0)
        return json_null();
    json_t *groups = groups_of(s, l), *constants = constants_of(s, l);
    if (groups && constants)
        return json_pack("{s:I, s:I, s:o*, s:o*}", "experts", (json_int_t)s->rows[l], "per_token",
                         (json_int_t)s->k[l], "groups", unless_empty(groups), "constants",
                         unless_empty(constants));
    json_decref(groups);
    json_decref(constants);
    return NULL;
}

char *hf_own_layers(hf_saving *s)
{
    json_t *list = json_array();

    for (size_t l = 0; l < s->m->s.L; l++)
        if (s->new_layer[l] != SIZE_MAX)
            append(&list, layer_of(s, l));
    char *text = list ? json_dumps(list, 0) : NULL;
    char *kept = text ? hf_text(s->ctx, "%s", text) : NULL;
    if (!text)
        (void)s->ctx->host->fail(s->ctx, CULL_ENOMEM, "out of memory");
    json_free_dumped(text);
    json_decref(list);
    return kept;
}

cull_status hf_save_modeling(hf_saving *s)
{
    const char *path = hf_text(s->ctx, "%s/%s", s->how->folder, HF_OWN_FILE);
    char *text = hf_text(s->ctx, "from transformers import %s as Stock\n%s", s->m->transformers,
                         hf_modeling_py);

    return path && text ? hf_write_file(s->ctx, path, text, strlen(text)) : CULL_ENOMEM;
}
