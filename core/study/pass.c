// A pass over the weights: what looks on, and what is decided meanwhile.
#include "plan/key.h"
#include "study/steps.h"

typedef struct visitors { // the steps that are decided in one visit
    cull_study *study;
    size_t gather, n;
    bool propagate;    // the only one, and what it changes is what later layers see
    cull_bench *bench; // (n)
    cull_visit visit;
} visitors;

static cull_status decide_layer(void *arg, cull_ctx *ctx, size_t l, const cull_stats *stats,
                                cull_cut *deciding)
{
    const visitors *v = arg;
    cull_study *s = v->study;
    (void)deciding; // the only visitor's own cut, where the pass goes on with it
    for (size_t i = 0; i < v->n; i++) {
        cull_bench *b = &v->bench[i];
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

static cull_status prepare_visit(cull_study *s, size_t i, cull_bench *b)
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

// The party that step i joins: those of its gather that only look share a visit; one that changes
// what later layers see has its own.
static visitors *party_of(cull_study *s, size_t i, size_t *n_parties, visitors *party)
{
    const cull_step *step = &s->plan->step[i];
    visitors *joined = &party[*n_parties];
    for (size_t p = 0; p < *n_parties && !step->spec->propagate; p++)
        if (party[p].gather == step->gather && !party[p].propagate)
            return &party[p];
    *joined = (visitors){ .study = s, .gather = step->gather, .propagate = step->spec->propagate };
    ++*n_parties;
    return joined;
}

static cull_status invite(cull_study *s, size_t n, const size_t *steps, size_t i, visitors *v)
{
    if (!v->bench)
        v->bench = cull_take(s->ctx, n, sizeof *v->bench);
    if (!v->bench)
        return CULL_ENOMEM;
    const cull_status status = prepare_visit(s, steps[i], &v->bench[v->n++]);
    if (status != CULL_OK)
        CULL_TRY(cull_fail_step(s, steps[i], status));
    v->visit.decide = decide_layer;
    v->visit.arg = v;
    v->visit.groups |= CULL_STAT_A | s->plan->step[steps[i]].needs;
    v->visit.propagate = v->propagate;
    v->visit.deciding = s->made[steps[i]].result.cut;
    return CULL_OK;
}

static cull_status accept_party(cull_study *s, visitors *v)
{
    for (size_t i = 0; i < v->n; i++) {
        cull_bench *b = &v->bench[i];
        if (s->made[b->step].state != CULL_WANTED)
            continue;
        const cull_status status = cull_accept_step(s, b);
        if (status != CULL_OK)
            CULL_TRY(cull_fail_step(s, b->step, status));
    }
    return CULL_OK;
}

// ---- the pass ----

static cull_status job_of(cull_study *s, size_t g, cull_calibrate_job *job)
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
        .out = &s->statistics[g],
    };
    return CULL_OK;
}

cull_status cull_make_pass(cull_study *s, size_t n_gathers, const size_t *gather, size_t n_visiting,
                           const size_t *visiting)
{
    visitors *party = cull_take(s->ctx, n_visiting + 1, sizeof *party);
    cull_calibrate_job *job = cull_take(s->ctx, n_gathers + n_visiting + 1, sizeof *job);
    size_t n = 0, n_parties = 0;
    if (!party || !job)
        return CULL_ENOMEM;
    for (size_t g = 0; g < n_gathers; g++)
        CULL_TRY(job_of(s, gather[g], &job[n++]));
    for (size_t i = 0; i < n_visiting; i++)
        CULL_TRY(invite(s, n_visiting, visiting, i, party_of(s, visiting[i], &n_parties, party)));
    for (size_t p = 0; p < n_parties; p++) {
        CULL_TRY(job_of(s, party[p].gather, &job[n]));
        job[n++].visit = &party[p].visit;
    }
    if (n > 0)
        CULL_TRY(cull_calibrate(s->ctx, n, job));
    for (size_t p = 0; p < n_parties; p++)
        CULL_TRY(accept_party(s, &party[p]));
    return CULL_OK;
}
