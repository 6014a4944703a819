// A search for counts per layer: propose, cut, evaluate, keep; generation by generation.
#include <math.h>
#include <string.h>
#include <time.h>

#include "cut/cut.h"
#include "flow/evaluate.h"
#include "flow/search/candidates.h"
#include "flow/search/history.h"
#include "plugin/host.h"
#include "study/steps.h"

typedef struct search {
    cull_study *study;
    size_t step;
    const cull_search *spec;
    const cull_prepared_model *prepared;
    cull_decision decision;
    cull_search_space space;
    cull_candidates scored;
    const char *path; // of the history
    int direction;    // of the metric's value: 1 where higher is better, else -1
    cull_phase cost;
} search;

// ---- what there is to search ----

// Experts of layer l that the stage leaves alone.
static size_t kept_of(const search *t, size_t l)
{
    uint8_t *const *keep = t->decision.job.keep;
    size_t n = 0;

    for (size_t e = 0; keep && e < t->prepared->layer[l]->E; e++)
        n += keep[l][e];
    return n;
}

// What may go of layer l but for those that have to stay: its experts, or of those a token's.
static size_t units_of(const search *t, size_t l)
{
    return t->study->plan->step[t->step].unit == CULL_UNIT_PICK ? t->decision.before.picks[l]
                                                                : t->prepared->layer[l]->E;
}

// A sensitivity wants every layer's cuts scored, and a generation more for what follows from them.
static cull_status has_room(const search *t)
{
    const cull_search_settings *set = t->spec->settings;
    const size_t n = cull_single_cuts(&t->space), room = (size_t)(set->generations - 1);

    if (set->by != CULL_SEARCH_SENSITIVITY || n <= room * (size_t)set->population)
        return CULL_OK;
    return cull_fail(t->study->ctx, CULL_EINVAL,
                     "search: %zu cuts of single layers are to be scored, but %lld generations of "
                     "%lld hold no more than %zu (%s:%zu:%zu)",
                     n, (long long)set->generations, (long long)set->population,
                     room * (size_t)set->population, t->spec->place.file, t->spec->place.line,
                     t->spec->place.column);
}

static cull_status open_space(search *t)
{
    cull_ctx *ctx = t->study->ctx;
    const cull_budget *budget = &t->decision.budget;
    const size_t L = t->prepared->opened.facts->L;
    size_t *most = cull_take(ctx, L, sizeof *most);
    double *weight = cull_take(ctx, L, sizeof *weight);

    if (!most || !weight)
        return CULL_ENOMEM;
    for (size_t l = 0; l < L; l++) {
        const size_t n = units_of(t, l), kept = kept_of(t, l);
        const size_t stay = budget->least[l] > kept ? budget->least[l] : kept;
        most[l] = budget->frozen[l] || n < stay ? 0 : n - stay;
        weight[l] = (double)n;
    }
    t->space = (cull_search_space){ L, budget->total, most, weight };
    t->scored.L = L;
    return has_room(t);
}

static cull_status begin(cull_study *s, size_t i, search *t)
{
    const cull_step *step = &s->plan->step[i];

    *t = (search){ .study = s,
                   .step = i,
                   .spec = step->search,
                   .prepared = &s->inputs->at[step->model],
                   .cost = { .name = "search" } };
    CULL_TRY(cull_prepare_step(s, i, &t->decision));
    CULL_TRY(open_space(t));
    t->path = cull_search_history_path(s->ctx, s->options->folder, step->key.hex);
    return t->path ? cull_search_history_load(s->ctx, t->path, &t->scored) : CULL_ENOMEM;
}

// ---- a generation's cuts ----

// Of a sensitivity's cuts many are of a single layer: their sparsity is as much of what is asked.
static cull_budget budget_of(const search *t, const size_t *gone)
{
    cull_budget budget = t->decision.budget;
    const double asked = (double)budget.total;

    budget.scope = CULL_SCOPE_LAYER;
    budget.remove = gone;
    budget.total = 0;
    for (size_t l = 0; l < t->space.L; l++)
        budget.total += gone[l];
    if (asked > 0)
        budget.sparsity *= (double)budget.total / asked;
    return budget;
}

static cull_status cut_all(cull_ctx *ctx, const search *t, size_t n, const size_t *gone,
                           cull_stage_result *result)
{
    cull_budget *budget = cull_take(ctx, n, sizeof *budget);

    if (!budget)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        budget[i] = budget_of(t, gone + i * t->space.L);
        result[i] = (cull_stage_result){ .cut = cull_cut_copy(ctx, t->decision.job.before) };
        if (!result[i].cut)
            return CULL_ENOMEM;
    }
    return cull_stage_run_each(ctx, &t->decision.job, n, budget, result);
}

// Each is a variant that keeps to its counts.
static cull_status check_all(cull_ctx *ctx, const search *t, size_t n, const size_t *gone,
                             const cull_stage_result *result, const cull_cut **cut)
{
    const cull_step *step = &t->study->plan->step[t->step];

    for (size_t i = 0; i < n; i++) {
        const cull_budget budget = budget_of(t, gone + i * t->space.L);
        cull_variant variant;
        CULL_TRY(cull_apply(ctx, t->prepared, cull_frozen_of(t->prepared, step->layers),
                            t->study->spec->store, result[i].cut, (cull_routing_counts){ 0 },
                            &variant));
        cull_context_of(ctx)->owner = step->spec->strategy.plugin->name;
        CULL_TRY(cull_budget_check(ctx, step, t->prepared, &budget, &t->decision.before,
                                   &variant.size, variant.cut));
        cut[i] = variant.cut;
    }
    return CULL_OK;
}

// ---- its fitness ----

// Of the value that the search asks for: pooled, or else the mean over tasks.
static double value_of(const cull_collector *found, const char *name, int *direction)
{
    double sum = 0;
    size_t n = 0;

    for (size_t i = 0; i < found->n_values; i++) {
        const cull_value *value = &found->values[i];
        if (strcmp(value->metric, name) != 0)
            continue;
        *direction = value->higher_is_better ? 1 : -1;
        if (strcmp(value->task, "pooled") == 0)
            return value->value;
        sum += value->value;
        n++;
    }
    return n > 0 ? sum / (double)n : NAN;
}

static cull_status no_such_value(cull_ctx *ctx, const search *t, const cull_collector *found)
{
    cull_buf names = CULL_BUF_INIT;

    for (size_t i = 0; i < found->n_values; i++) {
        bool again = false;
        for (size_t j = 0; j < i && !again; j++)
            again = strcmp(found->values[j].metric, found->values[i].metric) == 0;
        if (!again)
            cull_buf_printf(&names, "%s%s", names.n > 0 ? ", " : "", found->values[i].metric);
    }
    const cull_status status = cull_fail(
        ctx, CULL_EINVAL, "search: metric %s reports no \"%s\", but %s (%s:%zu:%zu)",
        t->spec->metric.plugin->name, t->spec->settings->fitness, names.s ? names.s : "nothing",
        t->spec->place.file, t->spec->place.line, t->spec->place.column);
    cull_buf_release(&names);
    return status;
}

// Higher is better, whatever the metric's own direction.
static cull_status fitness_of(cull_ctx *ctx, search *t, size_t n, const cull_evaluated *evaluated,
                              double *fitness)
{
    for (size_t i = 0; i < n; i++) {
        fitness[i] = NAN;
        if (evaluated[i].status != CULL_OK) {
            cull_log_line(cull_context_of(ctx)->log, CULL_WARN,
                          "a candidate of the search is left out: %s", evaluated[i].error.sentence);
            continue;
        }
        const double value =
            value_of(evaluated[i].found, t->spec->settings->fitness, &t->direction);
        if (isnan(value))
            return no_such_value(ctx, t, evaluated[i].found);
        fitness[i] = value * t->direction;
    }
    return CULL_OK;
}

static cull_status evaluate_all(cull_ctx *ctx, search *t, size_t n, const cull_cut *const *cut,
                                double *fitness)
{
    cull_study *s = t->study;
    const double dense = s->dense_flops[s->plan->step[t->step].model];
    cull_evaluated *found = cull_take(ctx, n, sizeof *found);
    cull_cost_seen cost = { 0 };
    const cull_evaluate_job job = { .prepared = t->prepared,
                                    .n_variants = n,
                                    .cuts = cut,
                                    .n = 1,
                                    .metric = &t->spec->at,
                                    .spec = s->spec,
                                    .engine = &s->options->engine };

    if (!found)
        return CULL_ENOMEM;
    cull_status status = cull_evaluate(ctx, &job, found, &cost);
    if (status == CULL_OK)
        status = fitness_of(ctx, t, n, found, fitness);
    for (size_t i = 0; i < n; i++)
        cull_evaluated_release(1, &found[i]);
    s->equivalents += dense > 0 ? (double)cost.flops / dense : 0;
    t->cost.flops += (double)cost.flops;
    t->cost.weight_bytes += cost.weight_bytes;
    t->cost.tokens += n * t->prepared->asked[t->spec->at].tokens;
    return status;
}

// ---- generation by generation ----

static cull_status score_in(cull_ctx *ctx, search *t, size_t n, const size_t *gone, double *fitness)
{
    cull_stage_result *result = cull_take(ctx, n, sizeof *result);
    const cull_cut **cut = cull_take(ctx, n, sizeof *cut);

    if (!result || !cut)
        return CULL_ENOMEM;
    cull_status status = cut_all(ctx, t, n, gone, result);
    if (status == CULL_OK)
        status = check_all(ctx, t, n, gone, result, cut);
    if (status == CULL_OK)
        status = evaluate_all(ctx, t, n, cut, fitness);
    for (size_t i = 0; i < n; i++)
        cull_stage_result_release(&result[i]);
    return status;
}

// Cuts and answers live in a context of the generation's own, and go with it.
static cull_status score_generation(search *t, size_t n, const size_t *gone, double *fitness)
{
    cull_context *parent = cull_context_of(t->study->ctx);
    cull_context own;

    if (cull_context_init(&own, parent->pool, parent->log) != CULL_OK)
        return cull_no_memory(&parent->ctx);
    own.stop = parent->stop;
    own.ranks = parent->ranks;
    own.unsealed = parent->unsealed;
    const cull_status status = score_in(&own.ctx, t, n, gone, fitness);
    if (status != CULL_OK)
        cull_error_copy(&parent->ctx, &own.ctx);
    cull_context_release(&own);
    return status;
}

static void say_best(const search *t, size_t generation, size_t n)
{
    const size_t best = cull_fittest(&t->space, &t->scored);
    cull_buf gone = CULL_BUF_INIT;

    if (best == SIZE_MAX)
        return;
    for (size_t l = 0; l < t->space.L; l++)
        cull_buf_printf(&gone, "%s%zu", l ? " " : "", t->scored.gone[best * t->space.L + l]);
    cull_log_line(cull_context_of(t->study->ctx)->log, CULL_INFO,
                  "search: generation %zu of %lld, %zu candidate%s; the best has %s %.6g and loses "
                  "%s experts",
                  generation + 1, (long long)t->spec->settings->generations, n, n == 1 ? "" : "s",
                  t->spec->settings->fitness, t->scored.fitness[best] * t->direction,
                  gone.s ? gone.s : "no");
    cull_buf_release(&gone);
}

// Was the generation scored by an earlier run?
static bool is_there(const search *t, size_t generation)
{
    return t->scored.n > 0 && t->scored.generation[t->scored.n - 1] >= generation;
}

static cull_status run_generation(search *t, size_t generation, bool *over)
{
    cull_study *s = t->study;
    size_t n, *gone;

    CULL_TRY(cull_propose(s->ctx, t->spec->settings, &t->space, s->plan->step[t->step].seed,
                          generation, &t->scored, &n, &gone));
    *over = n == 0;
    if (*over)
        return CULL_OK;
    double *fitness = cull_take(s->ctx, n, sizeof *fitness);
    if (!fitness)
        return CULL_ENOMEM;
    CULL_TRY(score_generation(t, n, gone, fitness));
    CULL_TRY(cull_candidates_add(s->ctx, &t->scored, generation, n, gone, fitness));
    CULL_TRY(cull_search_history_save(s->ctx, t->path, &t->scored));
    say_best(t, generation, n);
    cull_arena_clear(cull_context_of(s->ctx)->scratch);
    return CULL_OK;
}

static double now(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static cull_status run_generations(search *t)
{
    const double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    bool over = false;

    for (size_t g = 0; g < (size_t)t->spec->settings->generations && !over; g++)
        if (!is_there(t, g))
            CULL_TRY(run_generation(t, g, &over));
    t->cost.wall_s = now(CLOCK_MONOTONIC) - wall;
    t->cost.cpu_s = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    return CULL_OK;
}

cull_status cull_search_step(cull_study *s, size_t i)
{
    search t;

    // 1. The space: how many experts go, and how many a layer can spare
    CULL_TRY(begin(s, i, &t));
    // 2. Generations, but those that an earlier run has left
    CULL_TRY(run_generations(&t));
    const size_t best = cull_fittest(&t.space, &t.scored);
    if (best == SIZE_MAX)
        return cull_fail(s->ctx, CULL_EINVAL, "no candidate of the search could be scored");
    // 3. The cut of the fittest
    t.decision.budget = budget_of(&t, t.scored.gone + best * t.space.L);
    t.decision.job.budget = &t.decision.budget;
    CULL_TRY(cull_stage_run(s->ctx, &t.decision.job, &s->made[i].result));
    s->made[i].searched = t.cost;
    return cull_accept_step(s, &t.decision);
}
