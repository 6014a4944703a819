// What a stage and a method amount to, from the tables of their plugins.
#include <math.h>

#include "base/call.h"
#include "engine/stats_store.h"
#include "plan/plan.h"

static const cull_strategy *strategy_of(const cull_stage *stage)
{
    return stage->strategy.plugin->vtable;
}

static const cull_criterion *criterion_of(const cull_stage *stage)
{
    return stage->criterion.plugin ? stage->criterion.plugin->vtable : NULL;
}

// What a plugin says of its settings, or else of itself.
static uint32_t bits_of(const cull_use *use, const char *callback, uint32_t (*of)(const void *),
                        uint32_t plain)
{
    if (!of)
        return plain;
    cull_call_enter(use->plugin, callback, SIZE_MAX);
    const uint32_t bits = of(use->settings);
    cull_call_leave();
    return bits;
}

uint32_t cull_stage_emits(const cull_stage *stage)
{
    const cull_strategy *s = strategy_of(stage);

    return bits_of(&stage->strategy, "emits_for", s->emits_for, s->emits);
}

uint32_t cull_stage_needs(const cull_stage *stage)
{
    const cull_strategy *s = strategy_of(stage);
    const cull_criterion *c = criterion_of(stage);
    const uint32_t needs = bits_of(&stage->strategy, "needs_for", s->needs_for, s->needs);
    const uint32_t kept = stage->keep.super ? CULL_STAT_OUTPUT_NORM : 0;

    return kept |
           (c ? needs | bits_of(&stage->criterion, "needs_for", c->needs_for, c->needs) : needs);
}

uint32_t cull_stage_form(const cull_stage *stage)
{
    const cull_criterion *c = criterion_of(stage);

    if (!c)
        return CULL_FORM_NONE;
    return bits_of(&stage->criterion, "form_for", c->form_for, c->form);
}

static bool picks(const cull_stage *stage)
{
    const cull_strategy *s = strategy_of(stage);

    if (!s->picks_for)
        return false;
    cull_call_enter(stage->strategy.plugin, "picks_for", SIZE_MAX);
    const bool yes = s->picks_for(stage->strategy.settings);
    cull_call_leave();
    return yes;
}

cull_unit cull_stage_unit(const cull_stage *stage)
{
    const uint32_t emits = cull_stage_emits(stage);

    if (strategy_of(stage)->flags & CULL_NO_BUDGET)
        return picks(stage) ? CULL_UNIT_PICK : CULL_UNIT_NONE;
    if (emits & CULL_TAKES_EXPERTS)
        return CULL_UNIT_EXPERT;
    if (emits & CULL_EMITS_CHANNELS)
        return CULL_UNIT_CHANNEL;
    if (emits & CULL_EMITS_SKIP)
        return CULL_UNIT_LAYER;
    return emits & (CULL_EMITS_MASK | CULL_EMITS_MATRIX) ? CULL_UNIT_WEIGHT : CULL_UNIT_NONE;
}

bool cull_stage_visits(const cull_stage *stage)
{
    return (strategy_of(stage)->flags & (CULL_BY_LAYER | CULL_EITHER_WAY)) &&
           (stage->propagate || (cull_stage_needs(stage) & CULL_STATS_IN_VISIT));
}

double cull_method_shares(const cull_method *method)
{
    double kept = 1;

    for (size_t i = 0; i < method->n; i++)
        if (!isnan(method->stage[i].share))
            kept *= 1 - method->stage[i].share;
    return 1 - kept;
}

bool cull_stage_observes(const cull_stage *stage)
{
    const cull_criterion *c = criterion_of(stage);

    return c && c->observer;
}

bool cull_step_sees(const cull_step *step)
{
    return step->needs || cull_stage_observes(step->spec);
}

size_t cull_step_seen(const cull_step *step)
{
    return cull_step_sees(step) ? step->set : CULL_NOT;
}

// Whole units of counts that are its own, chosen for all layers at once, the others left as they
// are.
bool cull_step_by_size(const cull_step *step)
{
    return (step->unit == CULL_UNIT_EXPERT || step->unit == CULL_UNIT_LAYER) &&
           !(step->emits & CULL_EMITS_MATRIX) && step->donor == CULL_NOT && !step->search &&
           !(step->budget && step->budget->kind == CULL_ACTIVE) && !step->visit;
}

bool cull_stage_counted(const cull_stage *stage)
{
    return strategy_of(stage)->flags & CULL_COUNTED;
}

bool cull_stage_draws(const cull_stage *stage)
{
    const cull_criterion *c = criterion_of(stage);

    return (strategy_of(stage)->flags | (c ? c->flags : 0)) & CULL_USES_SEED;
}

bool cull_stage_by_experts(const cull_stage *stage)
{
    const uint32_t both = CULL_BY_LAYER | CULL_BY_EXPERT;

    return (strategy_of(stage)->flags & both) == both && !cull_stage_observes(stage) &&
           !(cull_stage_needs(stage) & ~(uint32_t)CULL_STATS_TOLD);
}

// Samples go where their layer is decided about; Hessians would not.
bool cull_stage_by_layers(const cull_stage *stage)
{
    const uint32_t there =
        (CULL_STATS_TOLD & ~CULL_STAT_HESSIAN) | CULL_STAT_DENSE_SAMPLE | CULL_STAT_DENSE_CHANNELS;

    return (strategy_of(stage)->flags & CULL_LAYERS_APART) && !stage->propagate &&
           cull_stage_visits(stage) && !cull_stage_observes(stage) &&
           !(cull_stage_needs(stage) & ~(uint32_t)there);
}

bool cull_rows_random(const cull_calibration_spec *calibration)
{
    const cull_data *data = calibration->data.plugin->vtable;

    if (!data->random)
        return false;
    cull_call_enter(calibration->data.plugin, "random", SIZE_MAX);
    const bool random = data->random(calibration->data.settings);
    cull_call_leave();
    return random;
}

const char *cull_calibration_name(const cull_spec *spec, const cull_cell *cell)
{
    return cell->calibration == CULL_NOT ? NULL : spec->calibrations[cell->calibration].name;
}

const char *cull_layers_name(const cull_spec *spec, const cull_cell *cell)
{
    return cell->layers == CULL_NOT ? NULL : spec->layers[cell->layers].name;
}

bool cull_unit_removes(cull_unit unit)
{
    return unit != CULL_UNIT_NONE && unit != CULL_UNIT_PICK;
}

bool cull_unit_spreads(cull_unit unit)
{
    return unit == CULL_UNIT_EXPERT || unit == CULL_UNIT_CHANNEL;
}

uint64_t cull_stage_sides(const cull_stage *stage)
{
    const cull_strategy *s = strategy_of(stage);

    if (!s->parts_for)
        return 0;
    cull_call_enter(stage->strategy.plugin, "parts_for", SIZE_MAX);
    const uint64_t parts = s->parts_for(stage->strategy.settings);
    cull_call_leave();
    return parts;
}

size_t cull_spread_stage(const cull_method *method)
{
    for (size_t i = 0; i < method->n; i++)
        if (cull_unit_spreads(cull_stage_unit(&method->stage[i])))
            return i;
    return CULL_NOT;
}

const cull_search *cull_search_of(const cull_plan *plan, size_t step)
{
    const size_t donor = plan->step[step].donor;

    return donor == CULL_NOT ? NULL : plan->step[donor].search;
}

void cull_keep_hash(const cull_keep *keep, cull_hash *hash)
{
    if (!keep->place.file)
        return;
    cull_hash_text(hash, "keep");
    cull_hash_u64(hash, keep->super);
    for (size_t i = 0; i < keep->n; i++) {
        cull_hash_u64(hash, keep->at[i][0]);
        cull_hash_u64(hash, keep->at[i][1]);
    }
}
