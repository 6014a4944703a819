// The lines of `cull plan` that speak of several ranks.
#include "cli/plan_ranks.h"

#include <math.h>
#include <stdio.h>

#include "base/amount.h"
#include "plan/cost/memory.h"

enum { MOST_RANKS = 1024 };

typedef struct scaled { // a model's share of the plan
    cull_scaled calibrate, search, evaluate;
    double decide; // seconds
} scaled;

typedef struct work {
    const cull_inputs *inputs;
    const cull_plan *rest;         // what is to be computed
    const cull_model_costs *costs; // (inputs->n) of it, alone
} work;

// What a search asks is taken to be shared as the metrics' requests are.
static cull_status scale_model(cull_ctx *ctx, const work *w, size_t m,
                               const cull_machines *machines, scaled *out)
{
    const cull_model_costs *costs = &w->costs[m];
    const cull_alone calibrate = { costs->of.calibrate, costs->seconds.calibrate, 0 };
    const cull_alone search = { costs->of.search, costs->seconds.search, 0 };
    const cull_alone evaluate = { costs->of.evaluate, costs->seconds.evaluate,
                                  cull_cuts_bytes(w->rest, &w->inputs->at[m], m) };

    *out = (scaled){ .decide =
                         cull_scale_deciding(&w->inputs->at[m], machines->ranks, &costs->seconds) };
    if (calibrate.cost.passes > 0)
        CULL_TRY(cull_scale_calibration(ctx, w->rest, w->inputs, m, machines, &calibrate,
                                        &out->calibrate));
    if (search.cost.passes > 0)
        CULL_TRY(
            cull_scale_evaluation(ctx, w->rest, w->inputs, m, machines, &search, &out->search));
    return cull_scale_evaluation(ctx, w->rest, w->inputs, m, machines, &evaluate, &out->evaluate);
}

static cull_status seconds_on(cull_ctx *ctx, const work *w, cull_machines machines, size_t ranks,
                              double *seconds)
{
    *seconds = 0;
    machines.ranks = ranks;
    for (size_t m = 0; m < w->inputs->n; m++) {
        scaled s;
        CULL_TRY(scale_model(ctx, w, m, &machines, &s));
        *seconds += s.calibrate.seconds + s.search.seconds + s.decide + s.evaluate.seconds;
    }
    return CULL_OK;
}

// The first number of ranks of which twice as many save less than a tenth.
static cull_status useful_ranks(cull_ctx *ctx, const work *w, const cull_machines *machines,
                                size_t *ranks)
{
    double now, twice;

    CULL_TRY(seconds_on(ctx, w, *machines, 1, &now));
    for (*ranks = 1; *ranks < MOST_RANKS; *ranks *= 2, now = twice) {
        CULL_TRY(seconds_on(ctx, w, *machines, 2 * *ranks, &twice));
        if (twice > 0.9 * now)
            break;
    }
    return CULL_OK;
}

static void print_scaled(const char *what, const cull_scaled *s, const char *told)
{
    char read[32], bytes[32], peak[32], shared[32];

    printf("  %-10s %.1f s computing (%.0f %% of the tokens on the busiest rank), %sB of weights "
           "read a rank (%.1f s), %sB told %s (%.1f s), peak %sB a rank (%sB of it once a node): "
           "about %.1f s\n",
           what, s->computing, 100 * s->share, cull_amount_text(s->read_bytes, read, sizeof read),
           s->reading, cull_amount_text(s->told_bytes, bytes, sizeof bytes), told, s->telling,
           cull_amount_text(s->peak_bytes, peak, sizeof peak),
           cull_amount_text(s->shared_bytes, shared, sizeof shared), s->seconds);
}

cull_status cull_print_ranks(cull_ctx *ctx, const cull_experiment *e, const cull_plan *rest,
                             const cull_model_costs *costs, const cull_machines *machines)
{
    const work w = { &e->inputs, rest, costs };
    double here, alone;
    size_t useful;

    CULL_TRY(seconds_on(ctx, &w, *machines, machines->ranks, &here));
    CULL_TRY(seconds_on(ctx, &w, *machines, 1, &alone));
    CULL_TRY(useful_ranks(ctx, &w, machines, &useful));
    printf("on %zu rank%s (--network %.4g GB/s, --disk %.4g GB/s, ", machines->ranks,
           machines->ranks == 1 ? "" : "s", machines->network / 1e9, machines->disk / 1e9);
    if (machines->rate > 0)
        printf("--rate %.4g GF a rank):\n", machines->rate / 1e9);
    else
        printf("each as fast as this machine):\n");
    for (size_t m = 0; m < e->inputs.n; m++) {
        scaled s;
        CULL_TRY(scale_model(ctx, &w, m, machines, &s));
        printf(" model %s\n", e->spec.models[m].name);
        if (costs[m].of.calibrate.passes > 0)
            print_scaled("calibrate", &s.calibrate, "a layer");
        if (costs[m].of.search.passes > 0)
            print_scaled("search", &s.search, "in all");
        if (costs[m].seconds.decide > 0)
            printf("  %-10s %.1f s where one rank takes %.1f s\n", "decide", s.decide,
                   costs[m].seconds.decide);
        if (costs[m].of.evaluate.passes > 0)
            print_scaled("evaluate", &s.evaluate, "in all");
    }
    printf("  about %.0f s, where one rank takes %.0f s; ", ceil(here), ceil(alone));
    if (useful >= MOST_RANKS)
        printf("more ranks help beyond %d\n", MOST_RANKS);
    else
        printf("twice as many as %zu save less than a tenth\n", useful);
    return CULL_OK;
}
