// Which trials and evaluations a folder already holds.
#include <stdio.h>
#include <string.h>

#include "record/folder/folder.h"
#include "record/h5/h5.h"
#include "record/trial_file.h"

// One file of a results folder: a trial, or an evaluation that was added to one.
typedef struct entry {
    const char *name, *id, *cut, *renamed_from;
    bool added;
    size_t n, n_questions;
    const char *const *key;      // (n) evaluations
    const char *const *question; // (n_questions) files of what they ask
} entry;

static cull_status read_keys(cull_h5_in *file, entry *e)
{
    cull_h5_shape shape;
    const void *data = NULL;

    e->id = e->cut = e->renamed_from = "";
    CULL_TRY(cull_h5_get_text(file, "/", "trial_id", &e->id));
    CULL_TRY(cull_h5_get_text(file, "/cut", "file", &e->cut));
    CULL_TRY(cull_h5_get_text(file, "/", "renamed_from", &e->renamed_from));
    CULL_TRY(cull_h5_get_texts(file, "/eval", "questions", &e->n_questions, &e->question));
    if (!cull_h5_has(file, "/evaluations/key"))
        return CULL_OK;
    CULL_TRY(cull_h5_get(file, "/evaluations/key", 's', &shape, &data));
    e->key = data;
    e->n = shape.n;
    return CULL_OK;
}

// Read one file; `usable` is false for a damaged one, which the log names.
static cull_status read_entry(cull_ctx *ctx, const char *dir, entry *e, bool *usable)
{
    const char *path =
        cull_arena_printf(cull_context_of(ctx)->scratch, "%s/trials/%s", dir, e->name);
    cull_h5_in *file = NULL;

    if (!path)
        return cull_no_memory(ctx);

    *usable = false;
    e->added = strstr(e->name, ".eval-") != NULL;
    cull_status status = cull_h5_open(ctx, path, &file);
    if (status == CULL_OK)
        status = cull_h5_done(file, read_keys(file, e));
    *usable = status == CULL_OK && strlen(e->id) == 32;
    if (status == CULL_ENOMEM)
        return status;
    if (status != CULL_OK) {
        ctx->host->log(ctx, CULL_WARN, "%s", cull_context_of(ctx)->error.sentence);
        cull_error_clear(ctx);
    } else if (!*usable) {
        ctx->host->log(ctx, CULL_WARN, "%s: is not a trial", path);
    }
    return CULL_OK;
}

static cull_status read_entries(cull_ctx *ctx, const char *dir, size_t *n, entry **out)
{
    const char *trials = cull_arena_printf(cull_context_of(ctx)->scratch, "%s/trials", dir);
    const char *const *names;
    size_t n_names;

    if (!trials)
        return cull_no_memory(ctx);
    CULL_TRY(cull_folder_list(ctx, trials, ".h5", &n_names, &names));

    *n = 0;
    *out = cull_scratch(ctx, n_names ? n_names : 1, sizeof **out);
    if (!*out)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n_names; i++) {
        bool usable = false;
        (*out)[*n] = (entry){ .name = names[i] };
        CULL_TRY(read_entry(ctx, dir, &(*out)[*n], &usable));
        *n += usable;
    }
    return CULL_OK;
}

// The trial of entry i with the evaluations of all entries of its id.
static cull_status gather(cull_ctx *ctx, const char *dir, size_t n, const entry *all, size_t i,
                          cull_stored_trial *out)
{
    size_t keys = 0, questions = 0;

    for (size_t j = 0; j < n; j++) {
        const bool same = strcmp(all[j].id, all[i].id) == 0;
        keys += same ? all[j].n : 0;
        questions += same ? all[j].n_questions : 0;
    }
    const char **key = cull_take(ctx, keys + 1, sizeof *key);
    const char **question = cull_take(ctx, questions + 1, sizeof *question);
    if (!key || !question)
        return CULL_ENOMEM;

    keys = questions = 0;
    for (size_t j = i, left = n; left > 0; left--, j = (j + 1) % n) { // the main file first
        if (strcmp(all[j].id, all[i].id) != 0)
            continue;
        for (size_t k = 0; k < all[j].n; k++)
            key[keys++] = all[j].key[k];
        for (size_t k = 0; k < all[j].n_questions; k++)
            question[questions++] = all[j].question[k];
    }
    out->n_own = all[i].n;
    memcpy(out->id, all[i].id, sizeof out->id);
    out->path = cull_arena_printf(cull_context_of(ctx)->alloc, "%s/trials/%s", dir, all[i].name);
    out->cut = *all[i].cut ? all[i].cut : NULL;
    out->renamed_from = all[i].renamed_from;
    out->evaluation = key;
    out->n_evaluations = keys;
    out->question = question;
    out->n_questions = questions;
    return out->path ? CULL_OK : cull_no_memory(ctx);
}

cull_status cull_find_stored_trials(cull_ctx *ctx, const char *dir, cull_stored_trials *out)
{
    entry *all = NULL;
    size_t n = 0;

    *out = (cull_stored_trials){ 0 };
    CULL_TRY(read_entries(ctx, dir, &n, &all));

    cull_stored_trial *present = cull_take(ctx, n ? n : 1, sizeof *present);
    if (!present)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        bool again = all[i].added;
        for (size_t j = 0; j < out->n; j++)
            again |= strcmp(present[j].id, all[i].id) == 0;
        if (again)
            continue;
        CULL_TRY(gather(ctx, dir, n, all, i, &present[out->n]));
        out->n++;
    }
    out->at = present;
    return CULL_OK;
}

const cull_stored_trial *cull_trial_exists(const cull_stored_trials *stored, const char *id)
{
    for (size_t i = 0; i < stored->n; i++)
        if (strcmp(stored->at[i].id, id) == 0)
            return &stored->at[i];
    return NULL;
}

bool cull_evaluation_exists(const cull_stored_trial *present, const char *key)
{
    for (size_t i = 0; i < present->n_evaluations; i++)
        if (strcmp(present->evaluation[i], key) == 0)
            return true;
    return false;
}

cull_status cull_results_sweep(cull_ctx *ctx, const char *dir, size_t *removed)
{
    static const char *const folders[] = { "",       "/trials",    "/cuts",  "/calibration",
                                           "/steps", "/questions", "/claims" };

    *removed = 0;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        const char *folder =
            cull_arena_printf(cull_context_of(ctx)->scratch, "%s%s", dir, folders[i]);
        if (!folder)
            return cull_no_memory(ctx);
        CULL_TRY(cull_folder_sweep(ctx, folder, removed));
    }
    return CULL_OK;
}
