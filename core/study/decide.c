// One step at a time: its decision, its variant.
#include <string.h>

#include "cut/cut.h"
#include "flow/sandbox/keep.h"
#include "study/steps.h"

static const cull_cut *cut_before(cull_study *s, const cull_step *step)
{
    if (step->before == CULL_NOT)
        return cull_empty_cut(s->ctx, &s->inputs->at[step->model]);
    return s->made[step->before].variant.cut;
}

static cull_status size_before(cull_study *s, const cull_step *step, cull_cut_size *out)
{
    const cull_prepared_model *prepared = &s->inputs->at[step->model];

    if (step->before != CULL_NOT) {
        *out = s->made[step->before].variant.size;
        return CULL_OK;
    }
    return cull_cut_size_of(s->ctx, &prepared->opened, NULL, cull_frozen_of(prepared, step->layers),
                            (cull_routing_counts){ 0 }, out);
}

static const cull_stats *stats_of(const cull_study *s, const cull_step *step)
{
    static const cull_stats none = { .size = sizeof none };
    const cull_stats_store *store = step->set == CULL_NOT ? NULL : s->statistics[step->set].store;

    return store ? cull_stats_store_view(store) : &none;
}

static double *const *observed_of(const cull_study *s, const cull_step *step)
{
    if (step->set == CULL_NOT || !step->spec->criterion.plugin)
        return NULL;
    const cull_calibration_set *g = &s->plan->set[step->set];
    const cull_statistics *statistics = &s->statistics[step->set];
    for (size_t i = 0; i < statistics->n_observers; i++)
        if (g->observers[i]->plugin == step->spec->criterion.plugin &&
            g->observers[i]->settings == step->spec->criterion.settings)
            return statistics->observer[i].acc;
    return NULL;
}

// ---- score and select, apply ----

static bool skips(const cull_cut *cut)
{
    for (size_t l = 0; l < cut->L; l++)
        if (cut->layer[l].skip_ratio > 0 || cut->layer[l].top_p > 0)
            return true;
    return false;
}

// Those of its set alone: what others read is not its own, and differs with their company.
const cull_rows *cull_rows_counted(const cull_study *s, size_t i)
{
    const cull_step *step = &s->plan->step[i];

    if (step->rows == CULL_NOT)
        return NULL;
    return cull_rows_of(&s->inputs->at[step->model], &s->plan->set[step->rows]);
}

static cull_status check_and_keep(cull_study *s, const cull_decision *b)
{
    const size_t i = b->step;
    const cull_step *step = &s->plan->step[i];
    cull_step_state *made = &s->made[i];

    cull_context_of(s->ctx)->owner = step->spec->strategy.plugin->name;
    const cull_status status =
        cull_budget_check(s->ctx, step, &s->inputs->at[step->model], &b->budget, &b->before,
                          &made->variant.size, made->result.cut);
    cull_context_of(s->ctx)->owner = NULL;
    CULL_TRY(cull_while(s->ctx, status, "checking the cut of strategy %s",
                        step->spec->strategy.plugin->name));
    CULL_TRY(cull_keep_step(s, i));
    cull_log_line(cull_context_of(s->ctx)->log, CULL_DEBUG, "stage %s: made", step->key.hex);
    made->state = CULL_DONE;
    return CULL_OK;
}

// How many experts a skipping router really runs shows only when it runs.
static cull_status await_counts(cull_study *s, const cull_decision *b)
{
    cull_decision *kept = cull_take(s->ctx, 1, sizeof *kept);

    if (!kept)
        return CULL_ENOMEM;
    *kept = *b;
    s->made[b->step].uncounted = kept;
    return CULL_OK;
}

cull_status cull_accept_step(cull_study *s, const cull_decision *b)
{
    const cull_step *step = &s->plan->step[b->step];
    const cull_prepared_model *prepared = &s->inputs->at[step->model];
    cull_step_state *made = &s->made[b->step];
    const cull_status status = cull_apply(
        s->ctx, prepared, cull_frozen_of(prepared, step->layers), s->spec->store, made->result.cut,
        (cull_routing_counts){ stats_of(s, step), false }, &made->variant);

    CULL_TRY(cull_while(s->ctx, status, "checking the cut of strategy %s",
                        step->spec->strategy.plugin->name));
    if (!skips(made->result.cut))
        return check_and_keep(s, b);
    if (cull_rows_counted(s, b->step))
        return await_counts(s, b);
    cull_log_line(cull_context_of(s->ctx)->log, CULL_WARN,
                  "strategy %s: %s, so that what runs for a token is not counted, and stands as "
                  "if all experts of a token ran",
                  step->spec->strategy.plugin->name,
                  s->spec->n_calibrations > 0 ? "its method reads no calibration rows"
                                              : "the experiment has no \"calibrate\"");
    return check_and_keep(s, b);
}

cull_status cull_accept_counted(cull_study *s, size_t i, const cull_statistics *counted)
{
    const cull_step *step = &s->plan->step[i];
    const cull_prepared_model *prepared = &s->inputs->at[step->model];
    cull_step_state *made = &s->made[i];
    const cull_decision *decided = made->uncounted;

    made->uncounted = NULL;
    made->counted = (cull_phase){ .name = "count",
                                  .wall_s = counted->wall_s,
                                  .cpu_s = counted->cpu_s,
                                  .tokens = cull_rows_counted(s, i)->tokens,
                                  .flops = (double)counted->cost.flops,
                                  .weight_bytes = counted->cost.weight_bytes };
    CULL_TRY(cull_cut_size_of(
        s->ctx, &prepared->opened, made->result.cut, cull_frozen_of(prepared, step->layers),
        (cull_routing_counts){ cull_stats_store_view(counted->store), true }, &made->variant.size));
    return check_and_keep(s, decided);
}

cull_status cull_prepare_step(cull_study *s, size_t i, cull_decision *b)
{
    const cull_step *step = &s->plan->step[i];
    const cull_prepared_model *prepared = &s->inputs->at[step->model];
    const cull_cut_size *donor =
        step->donor == CULL_NOT ? NULL : &s->made[step->donor].variant.size;

    *b = (cull_decision){ .step = i, .shared.step = i };
    b->job = (cull_stage_job){
        .step = step,
        .prepared = prepared,
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
    CULL_TRY(size_before(s, step, &b->before));
    CULL_TRY(cull_budget_make(s->ctx, step, prepared, &b->before, donor, &b->budget));
    uint8_t **keep;
    CULL_TRY(cull_keep_find(s->ctx, step, prepared, b->job.before, b->job.stats, &keep));
    b->job.keep = keep;
    s->made[i].result = (cull_stage_result){ .cut = cull_cut_copy(s->ctx, b->job.before) };
    return s->made[i].result.cut ? CULL_OK : CULL_ENOMEM;
}

void cull_concern_step(cull_study *s, size_t i)
{
    cull_log *log = cull_context_of(s->ctx)->log;
    const char *slug = NULL;

    for (size_t c = 0; i != CULL_NOT && c < s->plan->n_cells && !slug; c++)
        for (size_t at = s->plan->cell[c].step; at != CULL_NOT && !slug;
             at = s->plan->step[at].before)
            if (at == i) {
                const cull_trial_axes axes = cull_axes_of(s, &s->plan->cell[c]);
                slug = cull_trial_slug(s->ctx, &axes);
            }
    cull_log_concern(log, slug);
}

// Is the step to choose again, with other counts of units that differ in size?
static cull_status choose_again(cull_study *s, cull_decision *b, cull_whole_units *units,
                                bool *again)
{
    const cull_step *step = &s->plan->step[b->step];
    const cull_prepared_model *prepared = &s->inputs->at[step->model];
    cull_stage_result *result = &s->made[b->step].result;
    cull_cut_size after;

    *again = false;
    if (!cull_whole_units_differ(step, prepared, &b->before, &b->budget))
        return CULL_OK;
    size_t *most = NULL;
    if (b->job.keep)
        CULL_TRY(cull_keep_most(s->ctx, prepared, b->job.before, b->job.keep, &b->budget, &most));
    units->most = most;
    CULL_TRY(cull_cut_size_of(s->ctx, &prepared->opened, result->cut,
                              cull_frozen_of(prepared, step->layers), (cull_routing_counts){ 0 },
                              &after));
    CULL_TRY(cull_whole_units_again(s->ctx, step, prepared, &b->before, &after, &b->budget, units,
                                    again));
    if (!*again)
        return CULL_OK;
    cull_stage_result_release(result);
    *result = (cull_stage_result){ .cut = cull_cut_copy(s->ctx, b->job.before) };
    return result->cut ? CULL_OK : CULL_ENOMEM;
}

cull_status cull_decide_step(cull_study *s, size_t i)
{
    cull_decision b;
    cull_whole_units units = { 0 };
    bool again = true;

    cull_concern_step(s, i);
    // 1. Its budget, and what it is to see
    CULL_TRY(cull_prepare_step(s, i, &b));
    // 2. Score and select, in a child
    while (again) {
        CULL_TRY(cull_stage_run(s->ctx, &b.job, &s->made[i].result));
        CULL_TRY(choose_again(s, &b, &units, &again));
    }
    // 3. Apply, and check against the budget
    return cull_accept_step(s, &b);
}
