// Statistics for a step: from the cache, or gathered in a pass.
#include "flow/calibrate.h"

#include <time.h>

#include "engine/stats_store.h"
#include "flow/calibration_cache.h"
#include "flow/observers.h"
#include "flow/ranks/share_calibration.h"

static double now(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// Experts that no token reaches get their scores by each criterion's own rule: never silently.
static void report_unrouted(cull_ctx *ctx, const cull_calibrate_job *job, const cull_stats *stats)
{
    cull_buf text = CULL_BUF_INIT;

    for (size_t l = 0; l < stats->L; l++) {
        const cull_layer_stats *s = &stats->layer[l];
        for (size_t e = 0; s->count && e < s->E; e++)
            if (s->count[e] <= 0 && !(job->on && job->on->layer[l].action[e] == CULL_ACTION_DROP))
                cull_buf_printf(&text, " %zu/%zu", l, e);
    }
    if (text.n > 0)
        cull_log_line(cull_context_of(ctx)->log, CULL_WARN,
                      "model \"%s\": no calibration token reaches the experts (layer/expert)%s",
                      job->prepared->spec->name, text.s);
    cull_buf_release(&text);
}

static cull_stats_store *new_store(cull_ctx *ctx, const cull_calibrate_job *job, uint32_t groups)
{
    return cull_stats_store_new(ctx, job->prepared->opened.facts, job->prepared->layer, groups);
}

// What a job asks of a pass.
typedef struct request {
    const cull_calibrate_job *job;
    cull_calibration how; // its `out` is the request's own
    bool *found;          // (n_observers) in the cache
    size_t *missing;      // (how.n_observers) which of the set's are not
} request;

static bool asks(const request *r)
{
    return r->how.groups || r->how.n_observers || r->how.decide;
}

// The observers of the set that the cache lacks.
static cull_status missing_observers(cull_ctx *ctx, request *r)
{
    cull_statistics *out = r->job->out;

    if (!out->observer)
        CULL_TRY(cull_observers_make(ctx, r->job->prepared, r->job->set, &out->n_observers,
                                     &out->observer));
    r->found = cull_take(ctx, out->n_observers + 1, sizeof *r->found);
    r->missing = cull_take(ctx, out->n_observers + 1, sizeof *r->missing);
    r->how.n_observers = 0;
    r->how.observers = cull_take(ctx, out->n_observers + 1, sizeof *r->how.observers);
    if (!r->found || !r->missing || !r->how.observers)
        return CULL_ENOMEM;
    for (size_t i = 0; i < out->n_observers; i++) {
        CULL_TRY(cull_cache_read_observer(ctx, r->job, i, out->observer[i].acc, &r->found[i]));
        if (r->found[i])
            continue;
        r->missing[r->how.n_observers] = i;
        r->how.observers[r->how.n_observers++] = out->observer[i];
    }
    return CULL_OK;
}

static cull_status read_cache(cull_ctx *ctx, request *r)
{
    CULL_TRY(cull_cache_read(ctx, r->job, r->job->set->groups, r->job->out->store));
    return missing_observers(ctx, r);
}

static cull_status look_in_cache(cull_ctx *ctx, request *r)
{
    cull_statistics *out = r->job->out;
    const uint32_t wanted = r->job->set->groups;

    if (out->store && (cull_stats_store_view(out->store)->groups & wanted) == wanted)
        return CULL_OK;
    if (!out->store)
        out->store = new_store(ctx, r->job, 0);
    if (!out->store)
        return CULL_ENOMEM;
    CULL_TRY_CACHE(ctx, r->job->cache, read_cache(ctx, r));
    r->how.groups = wanted & ~cull_stats_store_view(out->store)->groups;
    return CULL_OK;
}

static request request_of(const cull_calibrate_job *job)
{
    const cull_rows *rows = cull_rows_of(job->prepared, job->set);

    return (request){
        .job = job,
        .how = { .rows = &rows->sequences, .dense_rows = rows->dense_rows, .cut = job->on },
    };
}

static cull_status prepare(cull_ctx *ctx, const cull_calibrate_job *job, request *r)
{
    *r = request_of(job);
    if (job->count) {
        r->how.groups = CULL_STAT_ROUTING;
        return CULL_OK;
    }
    if (!job->visit)
        return look_in_cache(ctx, r);
    r->how.groups = job->visit->groups;
    r->how.decide = job->visit->decide;
    r->how.decide_arg = job->visit->arg;
    r->how.deciding = job->visit->deciding;
    r->how.propagate = job->visit->propagate;
    r->how.told = job->visit->told;
    r->how.rounds = job->visit->rounds;
    return CULL_OK;
}

// Time by the share of the arithmetic.
static void charge(const request *r, const cull_cost_seen *cost, double part, double wall,
                   double cpu)
{
    cull_statistics *out = r->job->out;

    cull_cost_add(&out->cost, cost);
    out->wall_s += wall * part;
    out->cpu_s += cpu * part;
}

// By all ranks, where there are several.
static cull_status make_pass(cull_ctx *ctx, size_t n, request *const *asking, cull_cost_seen *cost)
{
    const cull_calibrate_job *job = asking[0]->job;
    cull_calibration *how = cull_take(ctx, n, sizeof *how);
    cull_shared_calibration *shared = cull_take(ctx, n, sizeof *shared);

    if (!how || !shared)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        how[i] = asking[i]->how;
        shared[i] = (cull_shared_calibration){ asking[i]->job->set, asking[i]->missing, how[i] };
    }
    if (cull_context_of(ctx)->ranks)
        return cull_calibrate_shared(ctx, job->prepared, job->engine, n, shared, cost);
    return cull_calibrate_pass(ctx, &job->prepared->opened, job->engine, n, how, cost);
}

static cull_status pass(cull_ctx *ctx, size_t n, request *const *asking)
{
    const cull_calibrate_job *job = asking[0]->job;
    const double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    cull_cost_seen *cost = cull_take(ctx, n, sizeof *cost);
    double flops = 0;

    if (!cost)
        return CULL_ENOMEM;
    cull_log_line(cull_context_of(ctx)->log, CULL_DEBUG,
                  "model \"%s\": a pass over the weights for %zu calibration%s",
                  job->prepared->spec->name, n, n == 1 ? "" : "s");
    CULL_TRY(cull_while(ctx, make_pass(ctx, n, asking, cost), "calibrating model \"%s\"",
                        job->prepared->spec->name));
    for (size_t i = 0; i < n; i++)
        flops += (double)cost[i].flops;
    for (size_t i = 0; i < n; i++)
        charge(asking[i], &cost[i], flops > 0 ? (double)cost[i].flops / flops : 1 / (double)n,
               now(CLOCK_MONOTONIC) - wall, now(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    return CULL_OK;
}

// Into the cache, and from there, as the next run will find it, into what the steps see.
static cull_status write_to_cache(cull_ctx *ctx, const request *r)
{
    const cull_calibrate_job *job = r->job;

    if (r->how.groups) {
        CULL_TRY(cull_cache_write(ctx, job, r->how.groups, r->how.out));
        cull_log_line(cull_context_of(ctx)->log, CULL_DEBUG, "calibration %s: made",
                      job->set->key.hex);
        CULL_TRY(cull_cache_read(ctx, job, job->set->groups, job->out->store));
        if (job->set->groups & ~cull_stats_store_view(job->out->store)->groups)
            return cull_fail(
                ctx, CULL_EIO,
                "%s/calibration: statistics that were just written cannot be read back",
                job->cache->path);
    }
    for (size_t i = 0; i < job->out->n_observers; i++)
        if (!r->found[i])
            CULL_TRY(cull_cache_write_observer(ctx, job, i, job->out->observer[i].acc));
    return CULL_OK;
}

static cull_status keep(cull_ctx *ctx, request *r)
{
    const cull_calibrate_job *job = r->job;

    if (job->count) {
        job->out->store = r->how.out;
        r->how.out = NULL;
        return CULL_OK;
    }
    if (job->visit)
        return CULL_OK;
    CULL_TRY_CACHE(ctx, job->cache, write_to_cache(ctx, r));
    if (r->how.groups & CULL_STAT_ROUTING)
        report_unrouted(ctx, job, cull_stats_store_view(r->how.out));
    return CULL_OK;
}

static cull_status run_requests(cull_ctx *ctx, size_t n, request *r)
{
    request **asking = cull_take(ctx, n + 1, sizeof *asking);
    size_t n_asking = 0;

    if (!asking)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        if (!asks(&r[i]))
            continue;
        r[i].how.out = new_store(ctx, r[i].job, r[i].how.groups & ~(uint32_t)CULL_STATS_IN_VISIT);
        if (!r[i].how.out)
            return CULL_ENOMEM;
        asking[n_asking++] = &r[i];
    }
    if (n_asking > 0)
        CULL_TRY(pass(ctx, n_asking, asking));
    for (size_t i = 0; i < n_asking; i++)
        CULL_TRY(keep(ctx, asking[i]));
    return CULL_OK;
}

cull_status cull_calibrate(cull_ctx *ctx, size_t n, const cull_calibrate_job *job)
{
    request *r = cull_take(ctx, n + 1, sizeof *r);
    cull_status status = r ? CULL_OK : CULL_ENOMEM;

    // 1. What the cache has
    for (size_t i = 0; i < n && status == CULL_OK; i++)
        status = prepare(ctx, &job[i], &r[i]);
    // 2. What it lacks, in one pass over the weights, and into the cache
    if (status == CULL_OK)
        status = run_requests(ctx, n, r);
    for (size_t i = 0; r && i < n; i++)
        cull_stats_store_free(r[i].how.out);
    return status;
}

void cull_statistics_release(cull_statistics *statistics)
{
    cull_stats_store_free(statistics->store);
    *statistics = (cull_statistics){ 0 };
}
