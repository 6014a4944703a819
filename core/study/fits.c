// What criteria and strategies rule out when they see a model's facts.
#include "study/fits.h"

#include <math.h>

#include "cut/cut.h"
#include "flow/apply.h"
#include "flow/stage_view.h"
#include "plugin/host.h"

typedef struct fitting {
    cull_ctx *ctx;
    const cull_prepared_model *prepared;
    const cull_layer_facts *layers; // (L)
    const cull_method *method;
    cull_problems *problems;
} fitting;

// A plugin's refusal becomes a problem of the experiment; a want of memory stays a failure.
static cull_status refused(fitting *f, const cull_use *use, cull_status status)
{
    char text[CULL_SENTENCE + CULL_FRAMES * CULL_FRAME];

    if (status == CULL_OK || status == CULL_ENOMEM)
        return status;
    cull_error_text(&cull_context_of(f->ctx)->error, text, sizeof text);
    cull_error_clear(f->ctx);
    cull_problem_add(f->problems, use->place, "method \"%s\" on model \"%s\": %s", f->method->name,
                     f->prepared->spec->name, text);
    return CULL_OK;
}

// A point of the grid. sparsity: that of a first stage, 0 where it is not known yet.
typedef struct point {
    size_t layers;
    enum cull_scope scope;
    double sparsity;
} point;

// What a plugin sees while planning, which it is about to be asked by.
static void show(fitting *f, const cull_use *use, const cull_step *step, const cull_cut *before,
                 cull_stage_view *out)
{
    cull_stage_view_init(out, step, f->prepared, f->layers, NULL, before, NULL);
    out->view.weights = NULL;
    cull_stage_view_enter(f->ctx, out, use->plugin->name);
}

static cull_status fit_criterion(fitting *f, const cull_stage *stage, size_t layers)
{
    const cull_use *use = &stage->criterion;
    const cull_criterion *criterion = use->plugin ? use->plugin->vtable : NULL;
    const cull_step step = { .spec = stage, .layers = layers };
    cull_stage_view stage_view;

    if (!criterion || !criterion->fits)
        return CULL_OK;
    show(f, use, &step, NULL, &stage_view);
    return refused(f, use,
                   CULL_CALL(f->ctx, use->plugin, SIZE_MAX, fits,
                             criterion->fits(f->ctx, use->settings, &stage_view.view)));
}

// *known: the cut of the stages so far, NULL from where it takes statistics to know it.
static cull_status fit_strategy(fitting *f, const cull_stage *stage, point p,
                                const cull_cut **known)
{
    const cull_strategy *strategy = stage->strategy.plugin->vtable;
    const cull_cut *before = *known;

    *known = NULL;
    if (!strategy->fits)
        return CULL_OK;
    cull_cut *cut = before ? cull_cut_copy(f->ctx, before) : cull_empty_cut(f->ctx, f->prepared);
    if (!cut)
        return CULL_ENOMEM;
    const cull_step step = { .spec = stage, .layers = p.layers };
    const cull_budget budget = { .size = sizeof budget,
                                 .scope = p.scope,
                                 .sparsity = p.sparsity,
                                 .frozen = cull_frozen_of(f->prepared, p.layers) };
    cull_stage_view stage_view;
    show(f, &stage->strategy, &step, before, &stage_view);
    const cull_status status =
        CULL_CALL(f->ctx, stage->strategy.plugin, SIZE_MAX, fits,
                  strategy->fits(f->ctx, stage->strategy.settings, &stage_view.view, &budget, cut));
    if (status == CULL_OK && (strategy->flags & CULL_NO_BUDGET) && cull_stage_needs(stage) == 0)
        *known = cut;
    return refused(f, &stage->strategy, status);
}

static cull_status fit_method(fitting *f, point p)
{
    const cull_cut *known = cull_empty_cut(f->ctx, f->prepared);

    if (!known)
        return CULL_ENOMEM;
    for (size_t i = 0; i < f->method->n; i++) {
        CULL_TRY(fit_criterion(f, &f->method->stage[i], p.layers));
        CULL_TRY(fit_strategy(f, &f->method->stage[i], p, &known));
        p.sparsity = 0;
    }
    return CULL_OK;
}

// What a method's first stage takes of a trial's sparsity, before it is known what other stages
// really leave; 0 where another unit's budget, or another method's counts, will say it, or nobody
// asks.
static double first_sparsity(const cull_method *method, const cull_sparsity *asked,
                             const cull_allocation *allocation)
{
    const cull_strategy *strategy = method->stage[0].strategy.plugin->vtable;

    if (!strategy->fits || strategy->flags & CULL_NO_BUDGET ||
        (allocation->kind != CULL_ALLOCATE_LAYER && allocation->kind != CULL_ALLOCATE_GLOBAL))
        return 0;
    if (!isnan(method->stage[0].share))
        return method->stage[0].share;
    return asked && asked->kind == CULL_FRACTION
               ? fmax(0, 1 - (1 - asked->value) / (1 - cull_method_shares(method)))
               : 0;
}

static cull_status fit_everywhere(fitting *f, const cull_spec *spec, const cull_allocation *a,
                                  size_t layers)
{
    point p = { .layers = layers,
                .scope = a->kind == CULL_ALLOCATE_GLOBAL ? CULL_SCOPE_GLOBAL : CULL_SCOPE_LAYER };

    for (size_t i = 0; i < spec->n_sparsities || i == 0; i++) {
        const double before = p.sparsity;
        p.sparsity =
            first_sparsity(f->method, i < spec->n_sparsities ? &spec->sparsities[i] : NULL, a);
        if (i == 0 || p.sparsity != before)
            CULL_TRY(fit_method(f, p));
    }
    return CULL_OK;
}

static cull_status fit_model(fitting *f, const cull_spec *spec)
{
    f->layers = cull_stage_view_layers(f->ctx, f->prepared);
    if (!f->layers)
        return CULL_ENOMEM;
    for (size_t m = 0; m < spec->n_methods; m++) {
        f->method = &spec->methods[m];
        for (size_t i = 0; i < spec->n_layers * spec->n_allocations; i++)
            CULL_TRY(fit_everywhere(f, spec, &spec->allocations[i % spec->n_allocations],
                                    i / spec->n_allocations));
    }
    return CULL_OK;
}

// In a context of its own: what was loaded to be looked at is gone afterwards.
static cull_status fit_apart(cull_ctx *ctx, const cull_spec *spec,
                             const cull_prepared_model *prepared, cull_problems *problems)
{
    const cull_context *parent = cull_context_of(ctx);
    cull_context own;

    if (cull_context_init(&own, parent->pool, parent->log) != CULL_OK)
        return cull_no_memory(ctx);
    own.unsealed = true; // what a cut's file lacks is said when it is used
    fitting f = { .ctx = &own.ctx, .prepared = prepared, .problems = problems };
    const cull_status status = fit_model(&f, spec);
    if (status != CULL_OK)
        cull_error_copy(ctx, &own.ctx);
    cull_context_release(&own);
    return status;
}

cull_status cull_fit_cuts(cull_ctx *ctx, const cull_spec *spec, const cull_inputs *inputs,
                          cull_problems *problems)
{
    for (size_t m = 0; m < inputs->n; m++)
        CULL_TRY(fit_apart(ctx, spec, &inputs->at[m], problems));
    return CULL_OK;
}
