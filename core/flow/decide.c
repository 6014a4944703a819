// One step at a time: its statistics, its decision, its variant.
#include <string.h>

#include "base/cut.h"
#include "flow/stage.h"
#include "flow/steps.h"
#include "plan/key.h"
#include "record/cut_file.h"

static const cull_method *method_of(const cull_study *s, const cull_step *step)
{
    return &s->spec->methods[step->method];
}

// The failure in the context becomes the step's own.
cull_status cull_fail_step(cull_study *s, size_t i, cull_status status)
{
    const cull_step *step = &s->plan->step[i];
    char text[CULL_SENTENCE + CULL_FRAMES * CULL_FRAME];
    if (!cull_own_failure(status))
        return status;
    cull_while(s->ctx, status, "making stage %zu of method \"%s\"", step->stage + 1,
               method_of(s, step)->name);
    cull_error_text(&cull_context_of(s->ctx)->error, text, sizeof text);
    cull_error_clear(s->ctx);
    s->made[i].state = CULL_FAILED;
    s->made[i].reason = cull_arena_copy(cull_context_of(s->ctx)->alloc, text, strlen(text));
    return s->made[i].reason ? CULL_OK : cull_no_memory(s->ctx);
}

static const cull_cut *cut_before(cull_study *s, const cull_step *step)
{
    if (step->before == CULL_NOT)
        return cull_empty_cut(s->ctx, &s->inputs->at[step->model]);
    return s->made[step->before].variant.cut;
}

static cull_status measure_before(cull_study *s, const cull_step *step, cull_measure *out)
{
    const cull_subject *subject = &s->inputs->at[step->model];
    if (step->before != CULL_NOT) {
        *out = s->made[step->before].variant.measure;
        return CULL_OK;
    }
    return cull_measure_cut(s->ctx, &subject->opened, NULL, subject->frozen, (cull_traffic){ 0 },
                            out);
}

static const cull_stats *stats_of(const cull_study *s, const cull_step *step)
{
    static const cull_stats none = { .size = sizeof none };
    const cull_stats_store *store =
        step->gather == CULL_NOT ? NULL : s->statistics[step->gather].store;
    return store ? cull_stats_store_view(store) : &none;
}

static double *const *observed_of(const cull_study *s, const cull_step *step)
{
    if (step->gather == CULL_NOT || !step->spec->criterion.plugin)
        return NULL;
    const cull_gather *g = &s->plan->gather[step->gather];
    const cull_statistics *st = &s->statistics[step->gather];
    for (size_t i = 0; i < st->n_observers; i++)
        if (g->observers[i]->plugin == step->spec->criterion.plugin &&
            g->observers[i]->settings == step->spec->criterion.settings)
            return st->observer[i].acc;
    return NULL;
}

// ---- calibrate ----

static cull_status calibrate_job(cull_study *s, size_t g, cull_calibrate_job *job)
{
    const cull_gather *gather = &s->plan->gather[g];
    cull_key *keys = cull_take(s->ctx, gather->n_observers + 1, sizeof *keys);
    if (!keys)
        return CULL_ENOMEM;
    for (size_t i = 0; i < gather->n_observers; i++)
        CULL_TRY(cull_observer_key(s->ctx, s->registry, gather, gather->observers[i], &keys[i]));
    *job = (cull_calibrate_job){
        .subject = &s->inputs->at[gather->model],
        .gather = gather,
        .observer_keys = keys,
        .on = gather->on == CULL_NOT ? NULL : s->made[gather->on].variant.cut,
        .folder = s->options->folder,
        .engine = &s->options->engine,
    };
    return CULL_OK;
}

cull_status cull_calibrate_gather(cull_study *s, size_t g)
{
    cull_calibrate_job job;
    CULL_TRY(calibrate_job(s, g, &job));
    return cull_calibrate(s->ctx, &job, &s->statistics[g]);
}

// ---- score and select, apply ----

static cull_status store_step(cull_study *s, size_t i)
{
    const cull_step *step = &s->plan->step[i];
    const char *path = cull_step_file(s, step);
    cull_cut_about about = { .model = s->inputs->at[step->model].opened.facts->fingerprint };
    if (!path)
        return cull_no_memory(s->ctx);
    CULL_TRY(cull_cut_store(s->ctx, s->spec->store, s->inputs->at[step->model].opened.facts->dtype,
                            &about.store));
    return cull_cut_save(s->ctx, s->made[i].result.cut, &about, path);
}

static bool rested_on(const cull_plan *plan, size_t i)
{
    for (size_t j = 0; j < plan->n_steps; j++)
        if (plan->step[j].before == i)
            return true;
    return false;
}

static bool skips(const cull_cut *cut)
{
    for (size_t l = 0; l < cut->L; l++)
        if (cut->layer[l].skip_ratio > 0)
            return true;
    return false;
}

// How many experts a skipping router really runs shows only when it runs: the calibration rows are
// counted on the variant itself.
static cull_status measure_running(cull_study *s, size_t i)
{
    const cull_step *step = &s->plan->step[i];
    const cull_subject *subject = &s->inputs->at[step->model];
    cull_made *made = &s->made[i];
    if (subject->n_rows == 0)
        return CULL_OK;
    const cull_gather gather = { .model = step->model, .seed = subject->rows[0].seed };
    const cull_calibrate_job job = { .subject = subject,
                                     .gather = &gather,
                                     .on = made->result.cut,
                                     .folder = s->options->folder,
                                     .engine = &s->options->engine };
    cull_statistics counted = { 0 };
    cull_status status = cull_calibrate_count(s->ctx, &job, &counted);
    if (status == CULL_OK)
        status = cull_measure_cut(s->ctx, &subject->opened, made->result.cut, subject->frozen,
                                  (cull_traffic){ cull_stats_store_view(counted.store), true },
                                  &made->variant.measure);
    cull_statistics_release(&counted);
    return status;
}

// What the stage decided is checked against its budget and becomes a variant.
static cull_status accept(cull_study *s, size_t i, const cull_budget *budget,
                          const cull_measure *before)
{
    const cull_step *step = &s->plan->step[i];
    const cull_subject *subject = &s->inputs->at[step->model];
    cull_made *made = &s->made[i];
    cull_status status = cull_apply(s->ctx, subject, s->spec->store, made->result.cut,
                                    (cull_traffic){ stats_of(s, step), false }, &made->variant);
    if (status == CULL_OK && skips(made->result.cut))
        status = measure_running(s, i);
    cull_context_of(s->ctx)->owner = step->spec->strategy.plugin->name;
    if (status == CULL_OK)
        status = cull_budget_check(s->ctx, step, subject, budget, before, &made->variant.measure,
                                   made->result.cut);
    cull_context_of(s->ctx)->owner = NULL;
    CULL_TRY(cull_while(s->ctx, status, "checking the cut of strategy %s",
                        step->spec->strategy.plugin->name));
    if (rested_on(s->plan, i) || step->visit)
        CULL_TRY(store_step(s, i));
    made->state = CULL_DONE;
    return CULL_OK;
}

typedef struct bench { // all that one stage's decision needs
    cull_stage_job job;
    cull_measure before;
    cull_budget budget;
    double *sparsity; // (L) visits
    size_t step;
} bench;

static cull_status prepare(cull_study *s, size_t i, bench *b)
{
    const cull_step *step = &s->plan->step[i];
    const cull_subject *subject = &s->inputs->at[step->model];
    const cull_measure *donor =
        step->donor == CULL_NOT ? NULL : &s->made[step->donor].variant.measure;
    *b = (bench){ .step = i };
    b->job = (cull_stage_job){
        .step = step,
        .subject = subject,
        .layers = s->layers[step->model],
        .before = cut_before(s, step),
        .stats = stats_of(s, step),
        .observed = observed_of(s, step),
        .budget = &b->budget,
        .folder = s->options->folder,
        .seconds = s->options->plugin_seconds,
    };
    if (!b->job.before)
        return CULL_ENOMEM;
    CULL_TRY(measure_before(s, step, &b->before));
    CULL_TRY(cull_budget_make(s->ctx, step, subject, &b->before, donor, &b->budget));
    s->made[i].result = (cull_stage_result){ .cut = cull_cut_copy(s->ctx, b->job.before) };
    return s->made[i].result.cut ? CULL_OK : CULL_ENOMEM;
}

cull_status cull_decide_step(cull_study *s, size_t i)
{
    bench b;
    CULL_TRY(prepare(s, i, &b));
    CULL_TRY(cull_stage_run(s->ctx, &b.job, &s->made[i].result));
    return accept(s, i, &b.budget, &b.before);
}

// ---- decided inside the layers' visit ----

typedef struct visitors { // the steps that are decided in one pass
    cull_study *study;
    size_t n;
    bench *bench; // (n)
} visitors;

static cull_status decide_layer(void *arg, cull_ctx *ctx, size_t l, const cull_stats *stats,
                                cull_cut *deciding)
{
    const visitors *v = arg;
    cull_study *s = v->study;
    (void)deciding; // the only visitor's own cut, where the pass goes on with it
    for (size_t i = 0; i < v->n; i++) {
        bench *b = &v->bench[i];
        cull_made *made = &s->made[b->step];
        if (made->state != CULL_WANTED || b->budget.frozen[l])
            continue;
        b->job.stats = stats;
        const cull_status status = cull_stage_visit(ctx, &b->job, l, b->sparsity[l], &made->result);
        if (status != CULL_OK)
            CULL_TRY(cull_fail_step(s, b->step, status));
    }
    return CULL_OK;
}

static cull_status prepare_visit(cull_study *s, size_t i, bench *b)
{
    const cull_step *step = &s->plan->step[i];
    const size_t L = s->inputs->at[step->model].opened.facts->L;
    const cull_strategy *strategy = step->spec->strategy.plugin->vtable;
    CULL_TRY(prepare(s, i, b));
    b->sparsity = cull_take(s->ctx, L, sizeof *b->sparsity);
    if (!b->sparsity)
        return CULL_ENOMEM;
    if (strategy->spread)
        return cull_stage_spread(s->ctx, &b->job, b->sparsity);
    for (size_t l = 0; l < L; l++)
        b->sparsity[l] = b->budget.sparsity;
    return CULL_OK;
}

static cull_status visit_together(cull_study *s, size_t g, size_t n, const size_t *steps)
{
    visitors v = { .study = s, .n = n };
    cull_calibrate_job job;
    cull_visit visit = { .decide = decide_layer, .arg = &v };
    v.bench = cull_take(s->ctx, n, sizeof *v.bench);
    if (!v.bench)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const cull_status status = prepare_visit(s, steps[i], &v.bench[i]);
        if (status != CULL_OK)
            CULL_TRY(cull_fail_step(s, steps[i], status));
        visit.groups |= CULL_STAT_A | s->plan->step[steps[i]].needs;
    }
    visit.propagate = s->plan->step[steps[0]].spec->propagate;
    visit.deciding = s->made[steps[0]].result.cut;
    CULL_TRY(calibrate_job(s, g, &job));
    CULL_TRY(cull_calibrate_visit(s->ctx, &job, &visit, &s->statistics[g]));
    for (size_t i = 0; i < n; i++) {
        if (s->made[steps[i]].state != CULL_WANTED)
            continue;
        const cull_status status = accept(s, steps[i], &v.bench[i].budget, &v.bench[i].before);
        if (status != CULL_OK)
            CULL_TRY(cull_fail_step(s, steps[i], status));
    }
    return CULL_OK;
}

// Those that only look share a pass; one that changes what later layers see has its own.
cull_status cull_decide_in_visit(cull_study *s, size_t g, size_t n, const size_t *steps)
{
    size_t *together = cull_take(s->ctx, n, sizeof *together), shared = 0;
    bool spreads = false;
    if (!together)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const cull_step *step = &s->plan->step[steps[i]];
        spreads = spreads || ((const cull_strategy *)step->spec->strategy.plugin->vtable)->spread;
    }
    if (spreads)
        CULL_TRY(cull_calibrate_gather(s, g));
    for (size_t i = 0; i < n; i++) {
        if (!s->plan->step[steps[i]].spec->propagate)
            together[shared++] = steps[i];
        else
            CULL_TRY(visit_together(s, g, 1, &steps[i]));
    }
    return shared ? visit_together(s, g, shared, together) : CULL_OK;
}
