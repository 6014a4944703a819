// What strategies compute, summed over layers.
#include "plan/cost/work.h"

#include <math.h>

#include "base/call.h"

size_t cull_step_gone(const cull_step *step, const cull_layer_facts *layer)
{
    const double share = isnan(step->spec->share) ? step->sparsity : step->spec->share;

    return step->unit == CULL_UNIT_EXPERT && share > 0 ? (size_t)floor(share * (double)layer->E)
                                                       : 0;
}

static size_t left_before(const cull_plan *plan, const cull_step *step,
                          const cull_layer_facts *layer)
{
    size_t left = layer->E;

    for (size_t i = step->before; i != CULL_NOT; i = plan->step[i].before) {
        const size_t gone = cull_step_gone(&plan->step[i], layer);
        left -= gone < left ? gone : left;
    }
    return left;
}

// What a plugin says may be anything.
static double amount(double x)
{
    return isfinite(x) && x > 0 ? x : 0;
}

static void ask(const cull_plan *plan, const cull_prepared_model *s, const cull_step *step,
                size_t l, cull_work *out)
{
    const cull_use *use = &step->spec->strategy;
    const cull_strategy *strategy = use->plugin->vtable;
    const cull_layer_facts *layer = s->layer[l];
    const cull_rows *rows = step->set == CULL_NOT ? NULL : cull_rows_of(s, &plan->set[step->set]);
    const size_t left = left_before(plan, step, layer), gone = cull_step_gone(step, layer);

    *out = (cull_work){ .size = sizeof *out,
                        .left = left,
                        .remove = gone < left ? gone : left,
                        .tokens = rows ? (double)rows->tokens : 0,
                        .dense = rows ? (double)rows->dense_tokens : 0 };
    cull_call_enter(use->plugin, "work", l);
    strategy->work(use->settings, s->opened.facts, layer, out);
    cull_call_leave();
}

void cull_work_add(cull_work *to, const cull_work *from)
{
    to->products += amount(from->products);
    to->alone += amount(from->alone);
    to->steps += amount(from->steps);
}

static cull_work work_of(const cull_plan *plan, const cull_prepared_model *prepared,
                         const cull_step *step)
{
    const cull_strategy *strategy = step->spec->strategy.plugin->vtable;
    const uint8_t *frozen = cull_frozen_of(prepared, step->layers);
    cull_work sum = { .size = sizeof sum };

    for (size_t l = 0; strategy->work && l < prepared->opened.facts->L; l++) {
        cull_work one;
        if (frozen[l] || prepared->layer[l]->E == 0)
            continue;
        ask(plan, prepared, step, l, &one);
        cull_work_add(&sum, &one);
    }
    return sum;
}

cull_deciding cull_count_deciding(const cull_plan *plan, const cull_prepared_model *prepared,
                                  size_t model)
{
    cull_deciding out = { .cuts = 0 };

    for (size_t i = 0; i < plan->n_steps; i++) {
        const cull_step *step = &plan->step[i];
        if (step->model != model)
            continue;
        const cull_work work = work_of(plan, prepared, step);
        out.cuts++;
        cull_work_add(&out.all, &work);
        if (step->visit && cull_stage_by_experts(step->spec))
            cull_work_add(&out.by_experts, &work);
        if (step->visit && cull_stage_by_layers(step->spec))
            cull_work_add(&out.by_layers, &work);
    }
    return out;
}

double cull_work_seconds(const cull_rates *rates, size_t threads, const cull_work *work)
{
    return (work->products + work->alone * (double)threads) / rates->hessian +
           work->steps / rates->steps;
}
