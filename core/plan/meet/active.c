// From the active parameters that may stay to the sparsity that leaves no more.
//
// What runs for a token is stopped by the budget's own stage, in whole units, and by the stages
// beside it that drop experts, with which rows of the router go. How many these take is known
// before, so that the budget's own need stop no more than is left; where it is not, more goes.
#include <math.h>
#include <stdlib.h>

#include "base/order.h"
#include "base/whole.h"
#include "plan/meet/meeting.h"

// ---- the stages beside ----

// Experts of the layers that may be cut, as stages take them one after the other.
typedef struct experts {
    bool known, placed; // how many stand, and in which layers
    double all;         // that stand
    double *left;       // (L) that stand, where that is known
    double *dropped;    // (L) whose rows of the router go, as far as the layer is known
    double anywhere;    // and of those in whichever layers
    double row;         // parameters of such a row; 0: not all layers have them
} experts;

static cull_status all_experts(const cull_meeting *m, experts *out)
{
    const size_t L = m->s->opened.facts->L;

    *out = (experts){ .known = true, .placed = true, .row = (double)m->s->opened.facts->D };
    out->left = cull_take(m->problems->ctx, L + 1, sizeof *out->left);
    out->dropped = cull_take(m->problems->ctx, L + 1, sizeof *out->dropped);
    if (!out->left || !out->dropped)
        return CULL_ENOMEM;
    for (size_t l = 0; l < L; l++) {
        if (!cull_meeting_is_free(m, l))
            continue;
        out->left[l] = (double)m->s->layer[l]->E;
        out->all += out->left[l];
        if (m->s->layer[l]->n_group > 1) // fewer may go, so that groups stay equal
            out->known = false;
        if (!(m->s->layer[l]->parts >> CULL_PART_ROUTER & 1))
            out->row = 0;
    }
    return CULL_OK;
}

// A stage takes whole experts of each layer, or of all together.
static void take_experts(const cull_meeting *m, const cull_step *step, experts *x)
{
    const bool by_layer = step->scope == CULL_ALLOCATE_LAYER;
    const bool drops = step->emits & 1u << CULL_ACTION_DROP;
    const double share = step->spec->share;
    double gone = by_layer ? 0 : cull_whole(share * x->all);

    x->known = x->known && (x->placed || !by_layer);
    x->placed = x->placed && by_layer;
    if (!x->known)
        return;
    for (size_t l = 0; l < m->s->opened.facts->L && x->placed; l++) {
        const double here = cull_whole(share * x->left[l]);
        x->left[l] -= here;
        x->dropped[l] += drops ? here : 0;
        gone += here;
    }
    x->all -= gone;
    x->anywhere += drops && !by_layer ? gone : 0;
}

static void take_before(const cull_meeting *m, size_t i, experts *x)
{
    if (i == CULL_NOT)
        return;
    take_before(m, m->plan->step[i].before, x);
    take_experts(m, &m->plan->step[i], x);
}

// The step after another one of its method; CULL_NOT: it is the last.
static size_t step_after(const cull_plan *plan, size_t i)
{
    const cull_step *step = &plan->step[i];

    for (size_t j = i + 1; j < plan->n_steps; j++)
        if (plan->step[j].before == i && plan->step[j].method == step->method &&
            plan->step[j].allocation == step->allocation)
            return j;
    return CULL_NOT;
}

static void take_later(const cull_meeting *m, experts *x)
{
    size_t i = (size_t)(m->step - m->plan->step);

    while ((i = step_after(m->plan, i)) != CULL_NOT)
        take_experts(m, &m->plan->step[i], x);
}

// What the other stages take of the routed experts: of those before in whole ones where that is
// known, else their shares. before: what these leave, of `all`.
static double taken_by_others(const cull_meeting *m, const experts *before, double all)
{
    const cull_method *method = &m->plan->spec->methods[m->step->method];
    double earlier = 1, later = 1;

    for (size_t i = 0; i < method->n; i++) {
        const double share = method->stage[i].share;
        double *kept = i < m->step->stage ? &earlier : &later;
        *kept *= isnan(share) ? 1 : 1 - share;
    }
    if (before->known && all > 0)
        earlier = before->all / all;
    return 1 - earlier * later;
}

// Parameters of the router's rows that go with the experts of other stages. Of a layer that may be
// passed over only those count that are known to be its own: with it they go once.
static double rows_gone(const cull_meeting *m, const experts *x)
{
    double rows = m->step->unit == CULL_UNIT_LAYER ? 0 : x->anywhere;

    for (size_t l = 0; l < m->s->opened.facts->L; l++)
        rows += x->dropped[l];
    return rows * x->row;
}

// ---- the budget's own ----

// Parameters of layer l's shared or dense part that are in the budget, too.
static double side_params(const cull_meeting *m, size_t l)
{
    const cull_layer_facts *layer = m->s->layer[l];
    const bool counts = layer->parts & cull_stage_sides(m->step->spec);

    return counts ? (double)layer->side_F * (double)layer->side_channel_params : 0;
}

// Parameters of layer l that go with its experts: where whole layers go all that is in them, or
// else the router.
static double passed_beside(const cull_meeting *m, size_t l)
{
    const cull_layer_facts *layer = m->s->layer[l];

    if (m->step->emits & CULL_EMITS_LAYER)
        return (double)layer->other_params;
    return layer->parts >> CULL_PART_ROUTER & 1 ? (double)layer->E * (double)m->s->opened.facts->D
                                                : 0;
}

// What of layer l runs for a token and may go.
static double runs_of(const cull_meeting *m, size_t l)
{
    const cull_layer_facts *layer = m->s->layer[l];
    const bool passed = m->step->unit == CULL_UNIT_LAYER;

    return (double)layer->K * (double)layer->expert_params +
           (passed ? passed_beside(m, l) : side_params(m, l));
}

// Parameters of an output bias that a module gets when channels go.
static double bias_params(const cull_meeting *m)
{
    const bool *biased = cull_meeting_setting(m->step, "bias", CULL_BOOL);

    return biased && *biased ? (double)m->s->opened.facts->D : 0;
}

// Whole runs of channels of every expert, and of the part beside them.
static double stopped_channels(const cull_meeting *m, const void *arg, double sparsity)
{
    const int64_t *multiple = cull_meeting_setting(m->step, "multiple", CULL_INT);
    const double run = multiple ? (double)*multiple : 1;
    double stopped = 0;

    (void)arg;
    for (size_t l = 0; l < m->s->opened.facts->L; l++) {
        const cull_layer_facts *layer = m->s->layer[l];
        const double each = (double)layer->channel_params;
        const double side = side_params(m, l), wide = (double)layer->side_F;
        if (!cull_meeting_is_free(m, l))
            continue;
        const double routed =
            each > 0 ? cull_whole(sparsity * (double)layer->expert_params / each / run) * run : 0;
        const double beside = side > 0 ? cull_whole(sparsity * wide / run) * run : 0;
        stopped += routed > 0 ? (double)layer->K * (routed * each - bias_params(m)) : 0;
        stopped += beside > 0 ? beside / wide * side - bias_params(m) : 0;
    }
    return stopped;
}

// What stops in each layer that may be cut when it is passed over, the least first: rows of the
// router that have gone with experts do not stop again.
static double *each_layer(const cull_meeting *m, const experts *x)
{
    double *one = cull_take(m->problems->ctx, m->s->opened.facts->L + 1, sizeof *one);
    size_t n = 0;

    for (size_t l = 0; one && l < m->s->opened.facts->L; l++)
        if (cull_meeting_is_free(m, l))
            one[n++] = runs_of(m, l) - x->dropped[l] * x->row;
    if (one)
        qsort(one, n, sizeof *one, cull_by_value);
    return one;
}

// Whole layers, those where least stops. arg: of each_layer.
static double stopped_layers(const cull_meeting *m, const void *arg, double sparsity)
{
    const size_t n = (size_t)cull_whole(sparsity * cull_meeting_units(m));
    const double *one = arg;
    double stopped = 0;

    for (size_t i = 0; i < n; i++)
        stopped += one[i];
    return stopped;
}

// Whole weights of every row.
static double stopped_weights(const cull_meeting *m, const void *arg, double sparsity)
{
    const double D = (double)m->s->opened.facts->D;
    double stopped = 0;

    (void)arg;
    for (size_t l = 0; l < m->s->opened.facts->L; l++) {
        const cull_layer_facts *layer = m->s->layer[l];
        const double F = (double)layer->F, K = (double)layer->K;
        const double wide = layer->parts >> CULL_PART_GATE & 1 ? 2 : 1;
        if (cull_meeting_is_free(m, l))
            stopped += K * (wide * F * cull_whole(sparsity * D) + D * cull_whole(sparsity * F));
    }
    return stopped;
}

// Does all that runs go on running when the other stages' experts go, so that the budget is this
// stage's alone? What is searched for is alone.
static bool others_run_on(const cull_meeting *m)
{
    const uint32_t may = 1u << CULL_ACTION_DROP | 1u << CULL_ACTION_ALIAS | CULL_EMITS_MATRIX;
    const cull_method *method = &m->plan->spec->methods[m->step->method];

    for (size_t i = 0; i < method->n; i++)
        if (!m->step->search && i != m->step->stage &&
            (cull_stage_unit(&method->stage[i]) != CULL_UNIT_EXPERT ||
             (cull_stage_emits(&method->stage[i]) & ~may)))
            return false;
    return true;
}

// Why what the stage removes runs for a token as before; NULL: it does not.
static const char *why_runs_on(const cull_meeting *m)
{
    const uint32_t counted = 1u << CULL_ACTION_NOVICE | 1u << CULL_ACTION_ZERO;

    if (m->step->unit == CULL_UNIT_EXPERT)
        return m->step->emits & counted
                   ? "active: how often tokens meet what stands in the place of experts that are "
                     "gone, and runs less, is known only when it is counted"
                   : "active: as many experts run for a token when others are gone";
    if (m->step->unit == CULL_UNIT_CHANNEL && !cull_meeting_narrows(m->step))
        return "active: zeros in the place of channels run for a token as before; it takes widths: "
               "equal";
    if (m->step->unit == CULL_UNIT_CHANNEL && !cull_meeting_all_free(m))
        return "active: experts are narrower in all layers or in none, and some layers may not be "
               "cut";
    return others_run_on(m) ? NULL
                            : "active: beside this stage there may be only such as drop or merge "
                              "experts, since others change what runs for a token, too";
}

// What runs, in the layers that may be cut. *spare: what does not where a token has one expert.
static double running(const cull_meeting *m, double *spare)
{
    double all = 0;

    *spare = 0;
    for (size_t l = 0; l < m->s->opened.facts->L; l++) {
        if (!cull_meeting_is_free(m, l))
            continue;
        all += runs_of(m, l);
        if (m->s->layer[l]->K > 1)
            *spare += (double)(m->s->layer[l]->K - 1) * (double)m->s->layer[l]->expert_params;
    }
    return all;
}

// What of the budget is left to the budget's own stage. *taken: of the routed experts by the
// others; *spared: rows of the router that go when it has decided.
static cull_status need_of(const cull_meeting *m, experts *x, double *need, double *taken,
                           double *spared)
{
    const double stops =
        (1 - m->step->budget->value) * (double)m->s->opened.facts->params_active * (1 - 1e-12);
    double before = 0;

    *taken = 0;
    CULL_TRY(all_experts(m, x));
    if (!m->step->search) { // what is searched for is alone
        const double all = x->all;
        take_before(m, m->step->before, x);
        *taken = taken_by_others(m, x, all);
        before = rows_gone(m, x);
        take_later(m, x);
    }
    *spared = rows_gone(m, x) - before;
    *need = fmax(0, stops - rows_gone(m, x));
    return CULL_OK;
}

static bool merged_before(const cull_meeting *m)
{
    for (size_t i = m->step->before; i != CULL_NOT; i = m->plan->step[i].before)
        if (m->plan->step[i].emits & CULL_EMITS_MATRIX)
            return true;
    return false;
}

// The least sparsity that stops so much. Behind merges it is a little more: weights of merged
// experts that are zero by chance count as gone, and what is a hair less than whole units is one
// less.
static double own_sparsity(const cull_meeting *m, const double *layers, double need)
{
    static cull_saving *const stopped[] = { [CULL_UNIT_CHANNEL] = stopped_channels,
                                            [CULL_UNIT_LAYER] = stopped_layers,
                                            [CULL_UNIT_WEIGHT] = stopped_weights };
    const double whole = cull_least_sparsity(m, layers, stopped[m->step->unit], need);

    return whole > 0 && merged_before(m) ? whole + 1 / (64 * cull_meeting_units(m)) : whole;
}

cull_status cull_meet_active(const cull_meeting *m, double *sparsity, double *spared)
{
    const bool picks = m->step->unit == CULL_UNIT_PICK;
    const char *why = why_runs_on(m);
    double spare, taken, need;
    experts x;

    *sparsity = NAN;
    if (why) {
        cull_meeting_refuse(m, why);
        return CULL_OK;
    }
    CULL_TRY(need_of(m, &x, &need, &taken, spared));
    const double all = running(m, &spare), *layers = each_layer(m, &x);
    if (!layers)
        return CULL_ENOMEM;
    if (need >= all)
        why = "active: more is to go than routed experts run for a token";
    else if (picks && need > spare)
        why = "active: with one expert for a token more runs than that";
    const double own = why ? NAN : picks ? need / all : own_sparsity(m, layers, need);
    if (!why && isnan(own))
        why = "active: more is to go than whole units of it can";
    if (why)
        cull_meeting_refuse(m, why);
    *sparsity = 1 - (1 - own) * (1 - taken);
    return CULL_OK;
}
