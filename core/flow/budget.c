// What a stage may keep: from sparsity, shares and allocation to counts.
#include "flow/budget.h"

#include <math.h>
#include <string.h>

#include "base/whole.h"
#include "plan/fit.h"

static double stage_share(const cull_step *step, const cull_cut_size *before)
{
    if (!cull_unit_removes(step->unit))
        return 0;
    if (!isnan(step->spec->share))
        return step->spec->share;
    const double here = before->free_total > 0 ? before->free_kept / before->free_total : 1;
    const double left = here * step->later;
    const double share = left > 0 ? 1 - (1 - step->sparsity) / left : 0;
    return share > 1e-12 ? share : 0;
}

// Where nothing may be cut: as the experiment says, and what an earlier stage passes over.
static uint8_t *frozen_now(cull_ctx *ctx, const cull_step *step, const cull_prepared_model *s,
                           const cull_cut_size *before)
{
    const size_t L = s->opened.facts->L;
    const uint8_t *all = cull_frozen_of(s, step->layers);
    uint8_t *frozen = cull_take(ctx, L, 1);

    for (size_t l = 0; frozen && l < L; l++)
        frozen[l] = before->passed[l] ? CULL_EXCLUDED : all[l];
    return frozen;
}

static size_t left_of(const cull_prepared_model *s, const cull_cut_size *measure, size_t l)
{
    return s->layer[l]->E - measure->gone[l];
}

static cull_status spread_experts(cull_ctx *ctx, const cull_step *step,
                                  const cull_prepared_model *s, const cull_cut_size *before,
                                  const cull_cut_size *donor, double share, cull_budget *out)
{
    const size_t L = s->opened.facts->L;
    size_t *remove = cull_take(ctx, L, sizeof *remove), left = 0;

    if (!remove)
        return CULL_ENOMEM;
    for (size_t l = 0; l < L; l++) {
        if (out->frozen[l])
            continue;
        left += left_of(s, before, l);
        remove[l] = donor ? donor->gone[l] : cull_whole_share(share, left_of(s, before, l));
        if (remove[l] > left_of(s, before, l))
            remove[l] = left_of(s, before, l);
    }
    if (step->scope == CULL_ALLOCATE_GLOBAL || step->scope == CULL_ALLOCATE_SEARCH) {
        out->scope = CULL_SCOPE_GLOBAL;
        out->total = cull_whole_share(share, left);
        return CULL_OK;
    }
    out->scope = CULL_SCOPE_LAYER;
    out->remove = remove;
    for (size_t l = 0; l < L; l++)
        out->total += remove[l];
    return CULL_OK;
}

// ---- channels: a budget of parameters ----

static bool side_counts(const cull_step *step, const cull_prepared_model *s, size_t l)
{
    return s->layer[l]->parts & cull_stage_sides(step->spec);
}

// A layer without experts may be where dense parts give up channels.
static bool has_channels(const cull_step *step, const cull_prepared_model *s, size_t l)
{
    const uint8_t why = cull_frozen_of(s, step->layers)[l];

    return why == CULL_WITHOUT_EXPERTS ? side_counts(step, s, l) : !why;
}

// Parameters of layer l that take part: as the model has them, or as a cut leaves them.
static double channel_total(const cull_step *step, const cull_prepared_model *s,
                            const cull_cut_size *size, size_t l)
{
    return (double)s->layer[l]->E * (double)s->layer[l]->expert_params +
           (side_counts(step, s, l) ? size->side_total[l] : 0);
}

static double channel_left(const cull_step *step, const cull_prepared_model *s,
                           const cull_cut_size *size, size_t l)
{
    return size->layer_kept[l] + (side_counts(step, s, l) ? size->side_kept[l] : 0);
}

// What a donor took of the layer's experts, in parameters.
static double donated(const cull_prepared_model *s, const cull_cut_size *donor, size_t l)
{
    return (double)s->layer[l]->E * (double)s->layer[l]->expert_params - donor->layer_kept[l];
}

static cull_status spread_channels(cull_ctx *ctx, const cull_step *step,
                                   const cull_prepared_model *s, const cull_cut_size *before,
                                   const cull_cut_size *donor, cull_budget *out)
{
    const size_t L = s->opened.facts->L;
    double *params = cull_take(ctx, L, sizeof *params), total = 0, left = 0;
    uint8_t *frozen = cull_take(ctx, L, sizeof *frozen);

    if (!params || !frozen)
        return CULL_ENOMEM;
    for (size_t l = 0; l < L; l++) {
        frozen[l] = before->passed[l] || !has_channels(step, s, l);
        total += has_channels(step, s, l) ? channel_total(step, s, before, l) : 0;
        left += frozen[l] ? 0 : channel_left(step, s, before, l);
    }
    const double rest =
        left > 0 ? fmax(0, 1 - (1 - step->sparsity) * total / (left * step->later)) : 0;
    out->sparsity = isnan(step->spec->share) ? rest : step->spec->share;
    out->frozen = frozen;
    out->params = params;
    out->scope = step->scope == CULL_ALLOCATE_GLOBAL ? CULL_SCOPE_GLOBAL : CULL_SCOPE_LAYER;
    for (size_t l = 0; l < L; l++) {
        const double here = channel_left(step, s, before, l);
        if (!frozen[l])
            params[l] = fmin(here, donor ? donated(s, donor, l) : out->sparsity * here);
        out->total_params += params[l];
    }
    return CULL_OK;
}

// ---- experts that serve a token: a budget of active parameters ----

// What no longer runs is at least what is to go, so that what runs is at most what may.
static cull_status spread_picks(cull_ctx *ctx, const cull_step *step, const cull_prepared_model *s,
                                const cull_cut_size *before, const cull_cut_size *donor,
                                cull_budget *out)
{
    size_t *remove = cull_take(ctx, s->opened.facts->L, sizeof *remove);
    double one = INFINITY;

    if (!remove)
        return CULL_ENOMEM;
    for (size_t l = 0; l < s->opened.facts->L; l++) {
        if (out->frozen[l])
            continue;
        one = fmin(one, (double)s->layer[l]->expert_params);
        if (donor)
            remove[l] = before->picks[l] - donor->picks[l];
        out->total += remove[l];
    }
    if (donor) {
        out->remove = remove;
        return CULL_OK;
    }
    const double may = step->budget->value * before->active_total;
    out->scope = CULL_SCOPE_GLOBAL;
    out->total_params = fmax(0, before->active_kept - step->spared - may * (1 + 1e-12));
    out->total = (size_t)ceil(out->total_params / one);
    return CULL_OK;
}

static void spread_layers(size_t L, double share, cull_budget *out)
{
    size_t left = 0;

    for (size_t l = 0; l < L; l++)
        left += !out->frozen[l];
    out->scope = CULL_SCOPE_GLOBAL;
    out->total = cull_whole_share(share, left);
}

cull_status cull_budget_make(cull_ctx *ctx, const cull_step *step, const cull_prepared_model *s,
                             const cull_cut_size *before, const cull_cut_size *donor,
                             cull_budget *out)
{
    const size_t L = s->opened.facts->L;
    size_t *least = cull_take(ctx, L, sizeof *least);
    size_t *none = cull_take(ctx, L, sizeof *none);
    const uint8_t *frozen = frozen_now(ctx, step, s, before);

    if (!least || !none || !frozen)
        return CULL_ENOMEM;
    for (size_t l = 0; l < L; l++)
        least[l] = step->unit == CULL_UNIT_PICK ? s->layer[l]->E > 0
                                                : cull_least_experts(s->layer[l], step->emits);
    *out = (cull_budget){
        .size = sizeof *out,
        .scope = CULL_SCOPE_LAYER,
        .sparsity = stage_share(step, before),
        .remove = none,
        .least = least,
        .frozen = frozen,
    };
    if (step->unit == CULL_UNIT_EXPERT)
        return spread_experts(ctx, step, s, before, donor, out->sparsity, out);
    if (step->unit == CULL_UNIT_CHANNEL)
        return spread_channels(ctx, step, s, before, donor, out);
    if (step->unit == CULL_UNIT_PICK)
        return spread_picks(ctx, step, s, before, donor, out);
    if (step->unit == CULL_UNIT_LAYER)
        spread_layers(L, out->sparsity, out);
    return CULL_OK;
}

// ---- whole units that differ in size ----

typedef struct choice { // what is to go, and went, in a layer or in all together
    double stood, went; // parameters
    double units;       // that stood
    size_t gone;        // units that went
} choice;

static size_t gone_of_layer(const cull_step *step, const cull_cut_size *before,
                            const cull_cut_size *after, size_t l)
{
    return step->unit == CULL_UNIT_LAYER ? (size_t)(after->passed[l] - before->passed[l])
                                         : after->gone[l] - before->gone[l];
}

static void add_layer(const cull_step *step, const cull_prepared_model *s,
                      const cull_cut_size *before, const cull_cut_size *after, size_t l,
                      choice *out)
{
    out->stood += before->layer_kept[l];
    out->went += before->layer_kept[l] - after->layer_kept[l];
    out->units += step->unit == CULL_UNIT_LAYER ? 1 : (double)(s->layer[l]->E - before->gone[l]);
    out->gone += gone_of_layer(step, before, after, l);
}

// Of layer l, or of all where the budget is one for all.
static choice choice_of(const cull_step *step, const cull_prepared_model *s,
                        const cull_cut_size *before, const cull_cut_size *after,
                        const cull_budget *budget, size_t l)
{
    choice c = { 0 };

    if (budget->scope == CULL_SCOPE_GLOBAL)
        for (l = 0; l < s->opened.facts->L; l++) {
            if (!budget->frozen[l])
                add_layer(step, s, before, after, l, &c);
        }
    else if (!budget->frozen[l])
        add_layer(step, s, before, after, l, &c);
    return c;
}

bool cull_whole_units_differ(const cull_step *step, const cull_prepared_model *s,
                             const cull_cut_size *before, const cull_budget *budget)
{
    const bool layers = step->unit == CULL_UNIT_LAYER;
    const bool global = budget->scope == CULL_SCOPE_GLOBAL;
    double one = NAN;

    if (!cull_step_by_size(step))
        return false;
    for (size_t l = 0; l < s->opened.facts->L; l++) {
        const double size = (double)s->layer[l]->expert_params;
        const double here = layers ? before->layer_kept[l] : size;
        if (budget->frozen[l])
            continue;
        if (global && !isnan(one) && here != one)
            return true;
        if (!layers && before->layer_kept[l] != (double)(s->layer[l]->E - before->gone[l]) * size)
            return true;
        one = here;
    }
    return false;
}

static cull_status begin(cull_ctx *ctx, size_t L, const cull_budget *budget, cull_whole_units *u)
{
    const bool global = budget->scope == CULL_SCOPE_GLOBAL;

    u->n = global ? 1 : L;
    u->count = cull_take(ctx, 3 * u->n, sizeof *u->count);
    if (!u->count)
        return CULL_ENOMEM;
    u->fits = u->count + u->n;
    u->over = u->fits + u->n;
    for (size_t i = 0; i < u->n; i++) {
        u->count[i] = global ? budget->total : budget->remove[i];
        u->over[i] = SIZE_MAX;
    }
    return CULL_OK;
}

// Another count for what was chosen with the last one; the same: it stays. What went of it is
// within a unit of what may, or as much as the strategy has, or one more was too much.
static size_t next(const choice *c, double share, cull_whole_units *u, size_t i)
{
    const size_t last = u->count[i];
    const double one = c->units > 0 ? c->stood / c->units : 0, room = share * c->stood - c->went;

    if (room < -0.5)
        u->over[i] = last;
    else
        u->fits[i] = last;
    if (room >= -0.5 && (room < one || c->gone < last))
        return last;
    const double low = (double)u->fits[i] + 1, most = u->most ? (double)u->most[i] : c->units;
    const double high = fmin((double)u->over[i] - 1, most);
    if (low > high)
        return u->fits[i];
    return (size_t)fmin(fmax((double)last + trunc(room / one), low), high);
}

static void set(cull_budget *budget, const cull_whole_units *u)
{
    const bool global = budget->scope == CULL_SCOPE_GLOBAL;

    budget->total = 0;
    for (size_t i = 0; i < u->n; i++)
        budget->total += u->count[i];
    if (!global)
        budget->remove = u->count;
}

cull_status cull_whole_units_again(cull_ctx *ctx, const cull_step *step,
                                   const cull_prepared_model *s, const cull_cut_size *before,
                                   const cull_cut_size *after, cull_budget *budget,
                                   cull_whole_units *u, bool *again)
{
    *again = false;
    if (!u->count)
        CULL_TRY(begin(ctx, s->opened.facts->L, budget, u));
    for (size_t i = 0; i < u->n; i++) {
        const choice c = choice_of(step, s, before, after, budget, i);
        const size_t count = next(&c, budget->sparsity, u, i);
        *again = *again || count != u->count[i];
        u->count[i] = count;
    }
    set(budget, u);
    return CULL_OK;
}

// ---- was it kept? ----

static cull_status check_frozen(cull_ctx *ctx, size_t L, const uint8_t *frozen,
                                const cull_cut_size *before, const cull_cut_size *after)
{
    for (size_t l = 0; l < L; l++)
        if (frozen[l] && after->gone[l] != before->gone[l])
            return cull_fail(ctx, CULL_EBUDGET, "layer %zu may not be cut, but was", l);
    const double stood = before->expert_kept - before->free_kept;
    if (after->expert_kept - after->free_kept < stood - 0.5)
        return cull_fail(ctx, CULL_EBUDGET, "weights of layers that may not be cut went");
    return CULL_OK;
}

static cull_status check_routers(cull_ctx *ctx, const cull_prepared_model *s, const cull_cut *cut)
{
    for (size_t l = 0; l < s->opened.facts->L; l++) {
        const cull_layer_cut *layer = &cut->layer[l];
        const size_t k = layer->k ? layer->k : s->layer[l]->K;
        size_t kept = 0;
        for (size_t e = 0; e < layer->E; e++)
            kept += layer->action[e] != CULL_ACTION_DROP;
        if (layer->E > 0 && kept < k && !layer->skip_layer && !layer->skip_moe)
            return cull_fail(ctx, CULL_EBUDGET,
                             "layer %zu keeps %zu experts, but its router picks %zu", l, kept, k);
    }
    return CULL_OK;
}

// What a whole share of alike experts may be short of the parameters asked for: one expert, of each
// layer that has its own share, and what novices leave.
static double rounded_off(const cull_prepared_model *s, const cull_budget *budget,
                          const cull_cut_size *before, const cull_cut_size *after)
{
    double units = 0, novices = 0;

    for (size_t l = 0; l < s->opened.facts->L; l++) {
        const double one = budget->frozen[l] ? 0 : (double)s->layer[l]->expert_params;
        units = budget->scope == CULL_SCOPE_LAYER ? units + one : fmax(units, one);
        novices += (double)(after->gone[l] - before->gone[l]) * (double)s->opened.facts->D;
    }
    return units + novices;
}

// Counts that are not chosen again, as those of merges, visits and donors, may be more than was
// asked for, or far less, where experts differ in size.
static void warn_of_sizes(cull_ctx *ctx, const cull_step *step, const cull_prepared_model *s,
                          const cull_budget *budget, const cull_cut_size *before,
                          const cull_cut_size *after)
{
    const double took = before->free_kept - after->free_kept;
    const double asked = budget->sparsity * before->free_kept;

    if ((step->budget && step->budget->kind == CULL_ACTIVE) ||
        (took <= asked * (1 + 1e-9) + 0.5 && took + rounded_off(s, budget, before, after) >= asked))
        return;
    cull_log_line(cull_context_of(ctx)->log, CULL_WARN,
                  "%s: the experts that went hold %.4g of the parameters that there were, where "
                  "%.4g of them was to go",
                  cull_context_of(ctx)->owner, took / before->free_kept, budget->sparsity);
}

static cull_status check_experts(cull_ctx *ctx, const cull_step *step, const cull_prepared_model *s,
                                 const cull_budget *budget, const cull_cut_size *before,
                                 const cull_cut_size *after)
{
    size_t total = 0;

    for (size_t l = 0; l < s->opened.facts->L; l++) {
        const size_t took = after->gone[l] - before->gone[l];
        total += took;
        if (budget->scope == CULL_SCOPE_LAYER && took > budget->remove[l])
            return cull_fail(ctx, CULL_EBUDGET,
                             "%zu experts of layer %zu went, but %zu were allowed", took, l,
                             budget->remove[l]);
    }
    if (total > budget->total)
        return cull_fail(ctx, CULL_EBUDGET, "%zu experts went, but %zu were allowed", total,
                         budget->total);
    if (total < budget->total)
        cull_log_line(cull_context_of(ctx)->log, CULL_WARN,
                      "%s: %zu experts went where %zu were to go", cull_context_of(ctx)->owner,
                      total, budget->total);
    else
        warn_of_sizes(ctx, step, s, budget, before, after);
    return CULL_OK;
}

static cull_status check_layers(cull_ctx *ctx, const cull_budget *budget,
                                const cull_cut_size *before, const cull_cut_size *after)
{
    const size_t took = after->layers_gone - before->layers_gone;

    if (took > budget->total)
        return cull_fail(ctx, CULL_EBUDGET, "%zu layers went, but %zu were allowed", took,
                         budget->total);
    if (took < budget->total)
        cull_log_line(cull_context_of(ctx)->log, CULL_WARN,
                      "%s: %zu layers went where %zu were to go", cull_context_of(ctx)->owner, took,
                      budget->total);
    return CULL_OK;
}

// A budget of parameters is met within a channel of the model, or, where each layer has its own,
// within a channel of every expert.
static cull_status check_channels(cull_ctx *ctx, const cull_step *step,
                                  const cull_prepared_model *s, const cull_budget *budget,
                                  const cull_cut_size *before, const cull_cut_size *after)
{
    double total = 0, slack = 0;

    for (size_t l = 0; l < s->opened.facts->L; l++) {
        const double took = channel_left(step, s, before, l) - channel_left(step, s, after, l);
        const double one = (double)s->layer[l]->channel_params;
        const bool by_layer = budget->scope == CULL_SCOPE_LAYER;
        total += took;
        slack = by_layer ? slack + (double)s->layer[l]->E * one : fmax(slack, one);
        if (budget->frozen[l] ? took > 0.5 : by_layer && took > budget->params[l] + 0.5)
            return cull_fail(ctx, CULL_EBUDGET,
                             "%.0f parameters of layer %zu's channels went, but %.0f were allowed",
                             took, l, budget->params[l]);
    }
    if (total > budget->total_params + 0.5)
        return cull_fail(ctx, CULL_EBUDGET, "%.0f parameters went, but %.0f were allowed", total,
                         budget->total_params);
    if (total + slack < budget->total_params)
        cull_log_line(cull_context_of(ctx)->log, CULL_WARN,
                      "%s: channels of %.0f parameters went where %.0f were to go",
                      cull_context_of(ctx)->owner, total, budget->total_params);
    return CULL_OK;
}

static cull_status check_picks(cull_ctx *ctx, const cull_prepared_model *s,
                               const cull_budget *budget, const cull_cut_size *before,
                               const cull_cut_size *after)
{
    const double took = before->active_kept - after->active_kept;

    for (size_t l = 0; l < s->opened.facts->L; l++) {
        const size_t lost = before->picks[l] - after->picks[l];
        if (budget->frozen[l] ? lost != 0
                              : budget->scope == CULL_SCOPE_LAYER && lost != budget->remove[l])
            return cull_fail(
                ctx, CULL_EBUDGET,
                "a token of layer %zu is to lose %zu of its %zu experts, but %zu serve "
                "it",
                l, budget->frozen[l] ? 0 : budget->remove[l], before->picks[l], after->picks[l]);
    }
    if (budget->scope == CULL_SCOPE_GLOBAL && took < budget->total_params - 0.5)
        return cull_fail(ctx, CULL_EBUDGET,
                         "%.0f parameters less run for a token, but %.0f were to stop", took,
                         budget->total_params);
    return CULL_OK;
}

static cull_status check_weights(cull_ctx *ctx, const cull_budget *budget,
                                 const cull_cut_size *before, const cull_cut_size *after)
{
    const double took = before->weights_kept - after->weights_kept;
    const double allowed = budget->sparsity * before->weights_kept;

    if (took > allowed * (1 + 1e-9) + 0.5)
        return cull_fail(ctx, CULL_EBUDGET, "%.0f weights went, but %.0f were allowed", took,
                         allowed);
    if (took + before->weight_rows < allowed)
        cull_log_line(cull_context_of(ctx)->log, CULL_WARN,
                      "%s: %.0f weights went where %.0f were to go", cull_context_of(ctx)->owner,
                      took, allowed);
    return CULL_OK;
}

// Layers and experts that are not the stage's unit stay as they were: else more went than any
// budget says. (What becomes of weights is not looked at: merging rewrites them.)
static cull_status check_other_units(cull_ctx *ctx, const cull_step *step,
                                     const cull_prepared_model *s, const cull_cut_size *before,
                                     const cull_cut_size *after)
{
    const size_t L = s->opened.facts->L;
    const cull_unit unit = step->unit;

    if (unit == CULL_UNIT_NONE)
        return CULL_OK;
    if (unit != CULL_UNIT_LAYER && after->layers_gone != before->layers_gone)
        return cull_fail(ctx, CULL_EBUDGET,
                         "%zu layers are passed over, which are no part of the "
                         "stage's budget",
                         after->layers_gone - before->layers_gone);
    for (size_t l = 0; unit != CULL_UNIT_EXPERT && l < L; l++)
        if (after->gone[l] != before->gone[l])
            return cull_fail(ctx, CULL_EBUDGET,
                             "experts of layer %zu went, which are no part of the stage's budget",
                             l);
    return CULL_OK;
}

cull_status cull_budget_check(cull_ctx *ctx, const cull_step *step, const cull_prepared_model *s,
                              const cull_budget *budget, const cull_cut_size *before,
                              const cull_cut_size *after, const cull_cut *cut)
{
    CULL_TRY(check_frozen(ctx, s->opened.facts->L, cull_frozen_of(s, step->layers), before, after));
    CULL_TRY(check_routers(ctx, s, cut));
    CULL_TRY(check_other_units(ctx, step, s, before, after));
    switch (step->unit) {
    case CULL_UNIT_EXPERT:
        return check_experts(ctx, step, s, budget, before, after);
    case CULL_UNIT_CHANNEL:
        return check_channels(ctx, step, s, budget, before, after);
    case CULL_UNIT_LAYER:
        return check_layers(ctx, budget, before, after);
    case CULL_UNIT_WEIGHT:
        return check_weights(ctx, budget, before, after);
    case CULL_UNIT_PICK:
        return check_picks(ctx, s, budget, before, after);
    case CULL_UNIT_NONE:
        break;
    }
    return CULL_OK;
}
