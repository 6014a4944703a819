// A pass over the weights: what looks on, and what is decided meanwhile.
#include "engine/stats_store.h"
#include "flow/ranks/share_selection.h"
#include "plan/key.h"
#include "study/steps.h"

typedef struct layerwise_batch { // the steps that are decided in one visit
    cull_study *study;
    size_t set, n;
    bool propagate;          // the only one, and what it changes is what later layers see
    cull_decision *decision; // (n)
    cull_visit visit;
} layerwise_batch;

static cull_status decide_layer(void *arg, cull_ctx *ctx, size_t l, const cull_stats *stats,
                                cull_cut *deciding)
{
    const layerwise_batch *v = arg;
    cull_study *s = v->study;

    (void)deciding; // the cut of the only one to decide, where the pass goes on with it
    for (size_t i = 0; i < v->n; i++) {
        cull_decision *b = &v->decision[i];
        cull_step_state *made = &s->made[b->step];
        if (made->state != CULL_WANTED || (b->budget.frozen[l] && !b->shared.is))
            continue;
        b->job.stats = stats;
        cull_concern_step(s, b->step);
        const cull_status status =
            b->shared.is
                ? cull_select_shared(ctx, &b->shared, &b->job, l, b->sparsity, &made->result)
                : cull_stage_visit(ctx, &b->job, l, b->sparsity[l], &made->result);
        if (status != CULL_OK)
            CULL_TRY(cull_fail_step(s, b->step, status));
    }
    return CULL_OK;
}

static cull_status prepare_visit(cull_study *s, size_t i, cull_decision *b)
{
    const cull_step *step = &s->plan->step[i];
    const size_t L = s->inputs->at[step->model].opened.facts->L;
    const cull_strategy *strategy = step->spec->strategy.plugin->vtable;

    CULL_TRY(cull_prepare_step(s, i, b));
    b->sparsity = cull_take(s->ctx, L, sizeof *b->sparsity);
    if (!b->sparsity)
        return CULL_ENOMEM;
    if (strategy->spread)
        return cull_stage_spread(s->ctx, &b->job, b->sparsity);
    for (size_t l = 0; l < L; l++)
        b->sparsity[l] = b->budget.sparsity;
    return CULL_OK;
}

// The batch that step i joins: those of its set that only look share a visit; one that changes
// what later layers see has its own.
static layerwise_batch *batch_of(cull_study *s, size_t i, size_t *n_batches, layerwise_batch *batch)
{
    const cull_step *step = &s->plan->step[i];
    layerwise_batch *joined = &batch[*n_batches];

    for (size_t p = 0; p < *n_batches && !step->spec->propagate; p++)
        if (batch[p].set == step->set && !batch[p].propagate)
            return &batch[p];
    *joined = (layerwise_batch){ .study = s, .set = step->set, .propagate = step->spec->propagate };
    ++*n_batches;
    return joined;
}

// Where there are several ranks they decide together, unless what is decided about by rank 0 alone
// wants the same samples, or any Hessians, there: these go to the owners of their experts.
static void share_out(cull_study *s, layerwise_batch *v)
{
    const uint32_t sample = CULL_STAT_DENSE_SAMPLE | CULL_STAT_DENSE_CHANNELS; // go together
    uint32_t alone = 0;

    if (cull_ranks_size(cull_context_of(s->ctx)->ranks) == 1)
        return;
    for (size_t i = 0; i < v->n; i++) {
        const cull_step *step = &s->plan->step[v->decision[i].step];
        if (!cull_stage_by_experts(step->spec) && !cull_stage_by_layers(step->spec))
            alone |= step->needs & (uint32_t)CULL_STATS_IN_VISIT;
    }
    if (alone & CULL_STAT_HESSIAN)
        return;
    alone |= alone & sample ? sample : 0;
    for (size_t i = 0; i < v->n; i++) {
        const cull_step *step = &s->plan->step[v->decision[i].step];
        cull_shared_step *shared = &v->decision[i].shared;
        const bool experts = cull_stage_by_experts(step->spec);
        shared->is = (experts || cull_stage_by_layers(step->spec)) && !(step->needs & alone);
        shared->rounds = shared->is && !experts;
        if (shared->is)
            v->visit.told |= CULL_STAT_ROUTING | step->needs;
        v->visit.rounds |= shared->rounds;
    }
}

static cull_status add_step(cull_study *s, size_t n, const size_t *steps, size_t i,
                            layerwise_batch *v)
{
    if (!v->decision)
        v->decision = cull_take(s->ctx, n, sizeof *v->decision);
    if (!v->decision)
        return CULL_ENOMEM;
    const cull_status status = prepare_visit(s, steps[i], &v->decision[v->n++]);
    if (status != CULL_OK)
        CULL_TRY(cull_fail_step(s, steps[i], status));
    v->visit.decide = decide_layer;
    v->visit.arg = v;
    v->visit.groups |= CULL_STAT_ROUTING | s->plan->step[steps[i]].needs;
    v->visit.propagate = v->propagate;
    v->visit.deciding = s->made[steps[i]].result.cut;
    return CULL_OK;
}

static cull_status accept_batch(cull_study *s, layerwise_batch *v)
{
    for (size_t i = 0; i < v->n; i++) {
        cull_decision *b = &v->decision[i];
        if (s->made[b->step].state != CULL_WANTED)
            continue;
        cull_concern_step(s, b->step);
        const cull_status status = cull_accept_step(s, b);
        if (status != CULL_OK)
            CULL_TRY(cull_fail_step(s, b->step, status));
    }
    return CULL_OK;
}

// ---- statistics ----

static cull_status job_of(cull_study *s, size_t g, cull_calibrate_job *job)
{
    const cull_calibration_set *set = &s->plan->set[g];
    cull_key *keys = cull_take(s->ctx, set->n_observers + 1, sizeof *keys);

    if (!keys)
        return CULL_ENOMEM;
    for (size_t i = 0; i < set->n_observers; i++)
        CULL_TRY(cull_observer_key(s->ctx, s->registry, set, set->observers[i], &keys[i]));
    *job = (cull_calibrate_job){
        .prepared = &s->inputs->at[set->model],
        .set = set,
        .observer_keys = keys,
        .on = set->on == CULL_NOT ? NULL : s->made[set->on].variant.cut,
        .cache = &s->cache,
        .engine = &s->options->engine,
        .out = &s->statistics[g],
    };
    return CULL_OK;
}

// ---- what is counted in it ----

typedef struct counting { // of the steps that wait for counts
    size_t n, *step;      // (n)
    cull_statistics *counted;
} counting;

static cull_status find_uncounted(cull_study *s, counting *c)
{
    *c = (counting){ .step = cull_take(s->ctx, s->plan->n_steps + 1, sizeof *c->step) };
    c->counted = cull_take(s->ctx, s->plan->n_steps + 1, sizeof *c->counted);
    if (!c->step || !c->counted)
        return CULL_ENOMEM;
    for (size_t i = 0; i < s->plan->n_steps; i++)
        if (s->made[i].uncounted)
            c->step[c->n++] = i;
    return CULL_OK;
}

static cull_status count_of(cull_study *s, size_t i, cull_statistics *out, cull_calibrate_job *job)
{
    const cull_rows *rows = cull_rows_counted(s, i);
    const size_t model = s->plan->step[i].model;
    cull_calibration_set *set = cull_take(s->ctx, 1, sizeof *set);

    if (!set)
        return CULL_ENOMEM;
    *set = (cull_calibration_set){ .model = model,
                                   .calibration = rows->calibration,
                                   .seed = rows->seed };
    *job = (cull_calibrate_job){
        .prepared = &s->inputs->at[model],
        .set = set,
        .on = s->made[i].result.cut,
        .count = true,
        .cache = &s->cache,
        .engine = &s->options->engine,
        .out = out,
    };
    return CULL_OK;
}

static cull_status accept_counts(cull_study *s, const counting *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const double dense = s->dense_flops[s->plan->step[c->step[i]].model];
        s->equivalents += dense > 0 ? (double)c->counted[i].cost.flops / dense : 0;
        cull_concern_step(s, c->step[i]);
        const cull_status status = cull_accept_counted(s, c->step[i], &c->counted[i]);
        if (status != CULL_OK)
            CULL_TRY(cull_fail_step(s, c->step[i], status));
    }
    return CULL_OK;
}

static void release_counts(const counting *c)
{
    for (size_t i = 0; c->counted && i < c->n; i++)
        cull_statistics_release(&c->counted[i]);
}

// ---- the pass ----

static cull_status run_pass(cull_study *s, size_t n, const cull_calibrate_job *job)
{
    cull_log *log = cull_context_of(s->ctx)->log;

    if (n == 0)
        return CULL_OK;
    cull_progress_about(log, job[0].prepared->spec->name);
    CULL_TRY(cull_calibrate(s->ctx, n, job));
    cull_progress_about(log, NULL);
    return CULL_OK;
}

static cull_status make_pass(cull_study *s, const counting *c, size_t n_sets, const size_t *set,
                             size_t n_layerwise, const size_t *layerwise)
{
    layerwise_batch *batch = cull_take(s->ctx, n_layerwise + 1, sizeof *batch);
    cull_calibrate_job *job = cull_take(s->ctx, n_sets + n_layerwise + c->n + 1, sizeof *job);
    size_t n = 0, n_batches = 0;

    if (!batch || !job)
        return CULL_ENOMEM;
    for (size_t g = 0; g < n_sets; g++)
        CULL_TRY(job_of(s, set[g], &job[n++]));
    for (size_t i = 0; i < n_layerwise; i++)
        CULL_TRY(
            add_step(s, n_layerwise, layerwise, i, batch_of(s, layerwise[i], &n_batches, batch)));
    for (size_t p = 0; p < n_batches; p++) {
        share_out(s, &batch[p]);
        CULL_TRY(job_of(s, batch[p].set, &job[n]));
        job[n++].visit = &batch[p].visit;
    }
    for (size_t i = 0; i < c->n; i++)
        CULL_TRY(count_of(s, c->step[i], &c->counted[i], &job[n++]));
    CULL_TRY(run_pass(s, n, job));
    CULL_TRY(accept_counts(s, c));
    for (size_t p = 0; p < n_batches; p++)
        CULL_TRY(accept_batch(s, &batch[p]));
    return CULL_OK;
}

cull_status cull_make_pass(cull_study *s, size_t n_sets, const size_t *set, size_t n_layerwise,
                           const size_t *layerwise)
{
    counting c;
    cull_status status = find_uncounted(s, &c);

    if (status == CULL_OK)
        status = make_pass(s, &c, n_sets, set, n_layerwise, layerwise);
    release_counts(&c);
    return status;
}
