// Cull's own layout, where no published one will do: "cull_layers" in config.json
// (layer_overrides.c reads it) and the code that transformers needs for it.
#include <string.h>

#include "save/save.h"

extern const char hf_modeling_py[]; // modeling_cull.py

// ", \"constants\": [1, 4]", or "" where every slot has matrices.
static char *constants_of(hf_saving *s, size_t l)
{
    const char *before = ", \"constants\": [";
    char *text = hf_text(s->ctx, "%s", "");

    for (int32_t j = 0; text && (size_t)j < s->rows[l]; j++)
        if (!hf_slot_stored(s, l, j)) {
            text = hf_text(s->ctx, "%s%s%d", text, before, (int)j);
            before = ", ";
        }
    return text && *text ? hf_text(s->ctx, "%s]", text) : text;
}

// ", \"groups\": [2, 3]": how many slots are of each group, or "" where there are no groups.
static char *groups_of(hf_saving *s, size_t l)
{
    const char *before = ", \"groups\": [";
    char *text = hf_text(s->ctx, "%s", "");
    size_t at = 0;

    for (size_t g = 0; text && s->m->s.n_group > 1 && g < s->m->s.n_group; g++) {
        const size_t first = at, end = hf_group_begin(s->m, l, g + 1);
        while (at < s->rows[l] && (size_t)s->slot[l][at] < end)
            at++;
        text = hf_text(s->ctx, "%s%s%zu", text, before, at - first);
        before = ", ";
    }
    return text && *text ? hf_text(s->ctx, "%s]", text) : text;
}

char *hf_own_layers(hf_saving *s)
{
    const char *before = "[";
    char *text = hf_text(s->ctx, "%s", "");

    for (size_t l = 0; text && l < s->m->s.L; l++) {
        if (s->new_layer[l] == SIZE_MAX)
            continue;
        const char *constants = s->rows[l] ? constants_of(s, l) : NULL;
        const char *groups = s->rows[l] ? groups_of(s, l) : NULL;
        if (!s->rows[l])
            text = hf_text(s->ctx, "%s%s\n    null", text, before);
        else
            text = constants && groups
                       ? hf_text(s->ctx, "%s%s\n    {\"experts\": %zu, \"per_token\": %zu%s%s}",
                                 text, before, s->rows[l], s->k[l], groups, constants)
                       : NULL;
        before = ",";
    }
    return text ? hf_text(s->ctx, "%s\n  ]", text) : NULL;
}

cull_status hf_save_modeling(hf_saving *s)
{
    const char *path = hf_text(s->ctx, "%s/%s", s->how->folder, HF_OWN_FILE);
    char *text = hf_text(s->ctx, "from transformers import %s as Stock\n%s", s->m->transformers,
                         hf_modeling_py);

    return path && text ? hf_write_file(s->ctx, path, text, strlen(text)) : CULL_ENOMEM;
}
