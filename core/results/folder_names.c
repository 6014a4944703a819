// What trials are called where several folders are set side by side.
#include <math.h>
#include <string.h>

#include "results/load.h"

static bool same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool equal(double a, double b) // NaN equals NaN
{
    return a == b || (isnan(a) && isnan(b));
}

bool cull_same_cell(const cull_frame *f, const cull_frame_trial *a, const cull_frame_trial *b)
{
    return same(a->model, b->model) && same(a->method, b->method) &&
           equal(a->sparsity, b->sparsity) && cull_same_axes(f, a->axis, b->axis);
}

bool cull_same_column(const cull_row *a, const cull_row *b)
{
    return same(a->task, b->task) && same(a->metric, b->metric) && same(a->filter, b->filter);
}

bool cull_same_name(const cull_frame *f, const cull_frame_trial *a, const cull_frame_trial *b)
{
    return cull_same_cell(f, a, b) && equal(a->seed, b->seed) && same(a->precision, b->precision);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

// "reap (run-2)", of a trial's folder; its whole path where two folders end alike.
static const char *with_folder(cull_ctx *ctx, const cull_frame *f, size_t trial, const char *name)
{
    const char *folder = f->trial[trial].folder, *shown = last_part(folder);
    for (size_t i = 0; i < f->n_trials; i++)
        if (!same(f->trial[i].folder, folder) && same(last_part(f->trial[i].folder), shown))
            shown = folder;
    return cull_arena_printf(cull_context_of(ctx)->alloc, "%s (%s)", name, shown);
}

// Is there a trial that this one's `name` could be taken for, in another folder?
typedef bool (*mistaken_fn)(const cull_frame *f, size_t trial);

static bool model_is_taken(const cull_frame *f, size_t trial)
{
    const cull_frame_trial *t = &f->trial[trial];
    for (size_t i = 0; i < f->n_trials; i++)
        if (same(f->trial[i].model, t->model) && !same(f->trial[i].folder, t->folder) &&
            !same(f->trial[i].fingerprint, t->fingerprint))
            return true;
    return false;
}

// Has any trial of the method in this folder a twin in another one, or does another one mean
// something else by the name?
static bool method_is_taken(const cull_frame *f, size_t trial)
{
    const cull_frame_trial *t = &f->trial[trial];
    for (size_t i = 0; i < f->n_trials && !t->dense; i++) {
        const cull_frame_trial *own = &f->trial[i];
        if (!same(own->method, t->method) || !same(own->folder, t->folder))
            continue;
        for (size_t j = 0; j < f->n_trials; j++)
            if (!same(f->trial[j].folder, t->folder) && cull_same_cell(f, own, &f->trial[j]) &&
                (cull_same_name(f, own, &f->trial[j]) || !same(own->recipe, f->trial[j].recipe)))
                return true;
    }
    return false;
}

// Let the names that are taken carry their folders'.
static cull_status tell_apart(cull_ctx *ctx, cull_frame *f, mistaken_fn taken, bool model)
{
    const char **name = cull_scratch(ctx, f->n_trials, sizeof *name);
    if (!name)
        return CULL_ENOMEM;
    for (size_t i = 0; i < f->n_trials; i++) { // all are judged by the old names
        name[i] = model ? f->trial[i].model : f->trial[i].method;
        if (taken(f, i) && !(name[i] = with_folder(ctx, f, i, name[i])))
            return cull_no_memory(ctx);
    }
    for (size_t i = 0; i < f->n_trials; i++)
        if (model)
            f->trial[i].model = f->trial[i].weights = name[i];
        else
            f->trial[i].method = name[i];
    return CULL_OK;
}

// Does the trial's folder hold nothing but checkpoints?
static bool is_checkpoint(const cull_frame *f, size_t trial)
{
    for (size_t i = 0; i < f->n_trials; i++)
        if (!f->trial[i].dense && same(f->trial[i].folder, f->trial[trial].folder))
            return false;
    return true;
}

static bool has_variants(const cull_frame *f, const char *model)
{
    for (size_t i = 0; i < f->n_trials; i++)
        if (!f->trial[i].dense && same(f->trial[i].weights, model))
            return true;
    return false;
}

// Checkpoints join the table of the first model.
static void join_checkpoints(cull_frame *f)
{
    const char *first = f->trial[0].model;
    bool joined = false;
    for (size_t i = 0; i < f->n_trials; i++) {
        cull_frame_trial *t = &f->trial[i];
        t->checkpoint =
            !same(t->weights, first) && !has_variants(f, t->weights) && is_checkpoint(f, i);
        joined |= t->checkpoint;
    }
    for (size_t i = 0; i < f->n_trials; i++) {
        cull_frame_trial *t = &f->trial[i];
        t->checkpoint |= joined && same(t->weights, first) && !has_variants(f, first);
        if (!t->checkpoint)
            continue;
        t->model = first;
        t->method = t->weights;
        t->dense = same(t->weights, first);
        t->achieved = t->achieved_all = t->active = NAN; // of a checkpoint as it is: not known
    }
}

cull_status cull_frame_name(cull_ctx *ctx, cull_frame *f)
{
    CULL_TRY(tell_apart(ctx, f, model_is_taken, true));
    CULL_TRY(tell_apart(ctx, f, method_is_taken, false));
    join_checkpoints(f);
    return CULL_OK;
}
