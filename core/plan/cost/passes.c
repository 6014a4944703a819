// How often the weights will be read, and who shares a pass.
#include "plan/cost/passes.h"

#include <stdlib.h>

#include "base/context.h"

cull_decides cull_step_decides(const cull_step *step)
{
    if (!step->visit)
        return CULL_DECIDES_WHOLE;
    return ((const cull_strategy *)step->spec->strategy.plugin->vtable)->spread
               ? CULL_DECIDES_LAYERWISE_SPREAD
               : CULL_DECIDES_LAYERWISE;
}

size_t cull_step_awaits(const cull_step *step)
{
    return cull_step_decides(step) == CULL_DECIDES_LAYERWISE ? CULL_NOT : cull_step_seen(step);
}

// The round in which a step is decided: after what it starts from, what it takes counts from, and
// what its statistics are gathered on. Steps stand after those that they rest on.
static size_t round_of(const cull_plan *plan, const size_t *round, const cull_step *step)
{
    const size_t on = step->set == CULL_NOT ? CULL_NOT : plan->set[step->set].on;
    const size_t rests[] = { step->before, step->donor, on };
    size_t after = 0;

    for (size_t i = 0; i < 3; i++)
        if (rests[i] != CULL_NOT && round[rests[i]] + 1 > after)
            after = round[rests[i]] + 1;
    return after;
}

static bool shares(const cull_planned_calibration *p, const cull_planned_calibration *with)
{
    if (p->set != with->set || p->visit != with->visit || p->propagate || with->propagate ||
        p->count || with->count)
        return false;
    return !p->visit || p->pass == with->pass;
}

// Statistics are gathered once, for the first that wants them; visits that only look are shared
// within a pass.
static void add(cull_passes *p, cull_planned_calibration one)
{
    for (size_t i = 0; i < p->n; i++)
        if (shares(&p->at[i], &one)) {
            p->at[i].groups |= one.groups;
            p->at[i].pass = one.pass < p->at[i].pass ? one.pass : p->at[i].pass;
            return;
        }
    p->at[p->n++] = one;
}

// What runs under a rule is counted in the first pass after it is decided, on its own variant.
static void add_count(const cull_step *step, size_t decided, cull_passes *p)
{
    if (step->counted && step->rows != CULL_NOT)
        add(p,
            (cull_planned_calibration){
                .pass = decided, .set = step->rows, .groups = CULL_STAT_ROUTING, .count = true });
}

// A round is a pass for statistics and visits that wait for none of them, one for visits that do,
// and one for what is left to count.
static void add_step(const cull_plan *plan, const cull_step *step, size_t round, cull_passes *p)
{
    const cull_decides decides = cull_step_decides(step);

    const size_t spread = decides == CULL_DECIDES_LAYERWISE_SPREAD;

    add_count(step, 3 * round + (cull_step_sees(step) ? 1 + spread : 0), p);
    if (cull_step_seen(step) == CULL_NOT)
        return;
    const cull_calibration_set *set = &plan->set[step->set];
    if (cull_step_awaits(step) != CULL_NOT && (set->groups || set->n_observers))
        add(p, (cull_planned_calibration){
                   .pass = 3 * round, .set = step->set, .groups = set->groups });
    if (decides != CULL_DECIDES_WHOLE)
        add(p, (cull_planned_calibration){ .pass = 3 * round + spread,
                                           .set = step->set,
                                           .groups = CULL_STAT_ROUTING | step->needs,
                                           .visit = true,
                                           .propagate = step->spec->propagate });
}

static int by_pass(const void *a, const void *b)
{
    const cull_planned_calibration *x = a, *y = b;

    if (x->pass != y->pass)
        return x->pass < y->pass ? -1 : 1;
    return (x->set > y->set) - (x->set < y->set);
}

cull_status cull_plan_passes(cull_ctx *ctx, const cull_plan *plan, size_t model, cull_passes *out)
{
    size_t *round = cull_scratch(ctx, plan->n_steps + 1, sizeof *round);

    *out = (cull_passes){ .at = cull_scratch(ctx, 3 * plan->n_steps + 1, sizeof *out->at) };
    if (!round || !out->at)
        return CULL_ENOMEM;
    for (size_t i = 0; i < plan->n_steps; i++) {
        round[i] = round_of(plan, round, &plan->step[i]);
        if (plan->step[i].model == model)
            add_step(plan, &plan->step[i], round[i], out);
    }
    qsort(out->at, out->n, sizeof *out->at, by_pass);
    for (size_t i = 0, last = SIZE_MAX, number = 0; i < out->n; i++) {
        number += i > 0 && out->at[i].pass != last;
        last = out->at[i].pass;
        out->at[i].pass = number;
    }
    return CULL_OK;
}
