// What a results folder was last asked, beside its trials: experiment.json.
#include "record/folder/folder_note.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/new_file.h"
#include "base/text.h"

static const char *path_of(cull_ctx *ctx, const char *folder)
{
    return cull_arena_printf(cull_context_of(ctx)->alloc, "%s/experiment.json", folder);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

// A run that changes nothing changes no file.
static bool is_noted(cull_ctx *ctx, const char *folder, const cull_folder_note *note)
{
    const cull_folder_note there = cull_folder_note_read(ctx, folder);
    bool same = there.n_trials == note->n_trials;

    for (size_t i = 0; same && i < note->n_trials; i++)
        same = strcmp(there.trial[i], note->trial[i]) == 0;
    return same && same_text(there.question, note->question) &&
           same_text(there.baseline, note->baseline) && same_text(there.automatic, note->automatic);
}

cull_status cull_folder_note_write(cull_ctx *ctx, const char *folder, const cull_folder_note *note)
{
    if (is_noted(ctx, folder, note))
        return CULL_OK;
    const char *path = path_of(ctx, folder);
    json_t *trials = json_array();
    for (size_t i = 0; i < note->n_trials; i++)
        json_array_append_new(trials, json_string(note->trial[i]));
    json_t *json = json_pack("{s:s, s:s?, s:s*, s:o}", "question", note->question, "baseline",
                             note->baseline, "auto_precision", note->automatic, "trials", trials);
    cull_buf text = CULL_BUF_INIT;
    cull_status status = CULL_ENOMEM;

    cull_json_put(&text, json, JSON_INDENT(2));
    if (path && !text.failed)
        status = cull_write_new_file(ctx, path, text.s, text.n);
    cull_buf_release(&text);
    json_decref(json);
    return status == CULL_ENOMEM ? cull_no_memory(ctx) : status;
}

static const char *text_of(cull_ctx *ctx, const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));

    return text ? cull_arena_copy(cull_context_of(ctx)->alloc, text, strlen(text)) : NULL;
}

static void read_trials(cull_ctx *ctx, const json_t *list, cull_folder_note *out)
{
    const size_t n = json_array_size(list);
    const char **id = cull_arena_alloc(cull_context_of(ctx)->alloc, n + 1, sizeof *id);

    for (size_t i = 0; id && i < n; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        text = text ? cull_arena_copy(cull_context_of(ctx)->alloc, text, strlen(text)) : NULL;
        if (text)
            id[out->n_trials++] = text;
    }
    if (out->n_trials)
        qsort(id, out->n_trials, sizeof *id, cull_by_text);
    out->trial = id;
}

cull_folder_note cull_folder_note_read(cull_ctx *ctx, const char *folder)
{
    const char *path = path_of(ctx, folder);
    json_t *json = path ? cull_json_of_file(path, JSON_REJECT_DUPLICATES) : NULL;
    const char *question = text_of(ctx, json, "question");
    cull_folder_note note = { question ? question : "", text_of(ctx, json, "baseline"),
                              text_of(ctx, json, "auto_precision"), 0, NULL };

    read_trials(ctx, json_object_get(json, "trials"), &note);
    json_decref(json);
    return note;
}
