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

const char *cull_folder_shown(const cull_frame *f, size_t trial)
{
    const char *folder = f->trial[trial].folder, *shown = last_part(folder);

    for (size_t i = 0; i < f->n_trials; i++)
        if (!same(f->trial[i].folder, folder) && same(last_part(f->trial[i].folder), shown))
            return folder;
    return shown;
}

// ---- models ----

static bool model_is_taken(const cull_frame *f, size_t trial)
{
    const cull_frame_trial *t = &f->trial[trial];

    for (size_t i = 0; i < f->n_trials; i++)
        if (same(f->trial[i].model, t->model) && !same(f->trial[i].folder, t->folder) &&
            !same(f->trial[i].fingerprint, t->fingerprint))
            return true;
    return false;
}

// Models of one name and different weights have tables of their own: "tiny (run-2)".
static cull_status name_models(cull_ctx *ctx, cull_frame *f)
{
    const char **name = cull_scratch(ctx, f->n_trials, sizeof *name);

    if (!name)
        return CULL_ENOMEM;
    for (size_t i = 0; i < f->n_trials; i++) { // all are judged by the old names
        name[i] = f->trial[i].model;
        if (model_is_taken(f, i))
            name[i] = cull_arena_printf(cull_context_of(ctx)->alloc, "%s (%s)", f->trial[i].model,
                                        cull_folder_shown(f, i));
        if (!name[i])
            return cull_no_memory(ctx);
    }
    for (size_t i = 0; i < f->n_trials; i++)
        f->trial[i].model = f->trial[i].weights = name[i];
    return CULL_OK;
}

// ---- methods ----

// Would the two trials be taken for one another, or for seeds of one cell, in spite of their
// folders?
static bool are_mistaken(const cull_frame *f, const cull_frame_trial *a, const cull_frame_trial *b)
{
    return !a->dense && !same(a->folder, b->folder) && cull_same_cell(f, a, b) &&
           (cull_same_name(f, a, b) || !same(a->recipe, b->recipe));
}

// The methods of which any trial is mistaken for another folder's, all their trials: what sets one
// apart is said of all.
static cull_status mark_mistaken(cull_ctx *ctx, const cull_frame *f, bool **out, bool *any)
{
    bool *mark = *out = cull_scratch(ctx, f->n_trials, sizeof *mark);

    *any = false;
    if (!mark)
        return CULL_ENOMEM;
    for (size_t i = 0; i < f->n_trials; i++)
        for (size_t j = 0; j < f->n_trials && !mark[i]; j++)
            if (are_mistaken(f, &f->trial[i], &f->trial[j]))
                *any = mark[i] = true;
    for (size_t i = 0; i < f->n_trials; i++)
        for (size_t j = 0; j < f->n_trials && mark[i]; j++)
            if (same(f->trial[j].method, f->trial[i].method) &&
                same(f->trial[j].model, f->trial[i].model))
                mark[j] = true;
    return CULL_OK;
}

typedef struct setting { // the n-th of its name
    const char *name;
    size_t n;
} setting;

typedef const char *(*value_fn)(const cull_frame *f, size_t trial, const setting *arg);

// One more axis; `value` gives a marked trial's, the others have none.
static cull_status add_axis(cull_ctx *ctx, cull_frame *f, const char *name, const bool *mark,
                            value_fn value, const setting *arg)
{
    const char **names = cull_take(ctx, f->n_axes + 1, sizeof *names);

    if (!names)
        return CULL_ENOMEM;
    memcpy(names, f->axis, f->n_axes * sizeof *names);
    names[f->n_axes] = name;
    for (size_t i = 0; i < f->n_trials; i++) {
        const char **axis = cull_take(ctx, f->n_axes + 1, sizeof *axis);
        if (!axis)
            return CULL_ENOMEM;
        memcpy(axis, f->trial[i].axis, f->n_axes * sizeof *axis);
        const char *text = mark[i] ? value(f, i, arg) : NULL;
        axis[f->n_axes] = text ? text : "";
        f->trial[i].axis = axis;
    }
    f->axis = names;
    f->n_axes++;
    return CULL_OK;
}

static const char *setting_of(const cull_frame *f, size_t trial, const setting *of)
{
    return cull_setting_value(&f->trial[trial].settings, of->name, of->n);
}

static const char *folder_of(const cull_frame *f, size_t trial, const setting *arg)
{
    (void)arg;
    return cull_folder_shown(f, trial);
}

// "rows_per_file" for "calibrate.rows_per_file", unless an axis is called so already; "criterion 2"
// for that of a second stage. NULL: no memory, reported.
static const char *axis_name(cull_ctx *ctx, const cull_frame *f, const setting *of)
{
    const char *dot = strrchr(of->name, '.'), *name = dot ? dot + 1 : of->name;

    for (size_t i = 0; i < f->n_axes; i++)
        if (same(f->axis[i], name))
            name = of->name;
    if (of->n > 0)
        name = cull_arena_printf(cull_context_of(ctx)->alloc, "%s %zu", name, of->n + 1);
    if (!name)
        (void)cull_no_memory(ctx);
    return name;
}

// The first setting in which two mistaken trials differ and that both have.
static bool find_difference(const cull_frame *f, setting *out)
{
    for (size_t i = 0; i < f->n_trials; i++)
        for (size_t j = 0; j < i; j++) {
            if (!are_mistaken(f, &f->trial[i], &f->trial[j]))
                continue;
            const cull_named_value *differs =
                cull_settings_differ(&f->trial[i].settings, &f->trial[j].settings, &out->n);
            out->name = differs ? differs->name : NULL;
            if (differs)
                return true;
        }
    return false;
}

// What settings tell apart gets them as axes; the rest, repetitions, their folders.
static cull_status tell_methods_apart(cull_ctx *ctx, cull_frame *f)
{
    bool *mark, any;
    setting differs;

    while (find_difference(f, &differs)) {
        const char *name = axis_name(ctx, f, &differs);
        if (!name)
            return CULL_ENOMEM;
        CULL_TRY(mark_mistaken(ctx, f, &mark, &any));
        CULL_TRY(add_axis(ctx, f, name, mark, setting_of, &differs));
    }
    CULL_TRY(mark_mistaken(ctx, f, &mark, &any));
    return any ? add_axis(ctx, f, "folder", mark, folder_of, NULL) : CULL_OK;
}

// ---- checkpoints ----

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
    CULL_TRY(name_models(ctx, f));
    CULL_TRY(tell_methods_apart(ctx, f));
    join_checkpoints(f);
    return CULL_OK;
}
