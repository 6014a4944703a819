// From bytes, experts or active parameters that may stay to the sparsity that leaves no more.
#include "plan/meet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/call.h"
#include "base/safetensors.h"
#include "plugin/settings.h"

typedef struct meeting {
    cull_plan *plan;
    const cull_prepared_model *s;
    cull_problems *problems;
    const cull_step *step;
} meeting;

static void refuse(const meeting *m, const char *why)
{
    cull_problem_add(m->problems, m->step->budget->place, "method \"%s\" on model \"%s\": %s",
                     m->plan->spec->methods[m->step->method].name, m->s->spec->name, why);
}

static bool is_free(const meeting *m, size_t l)
{
    const size_t choice = m->step->layers == CULL_NOT ? 0 : m->step->layers;

    return !m->s->frozen[choice * m->s->opened.facts->L + l];
}

// The value of a setting of the strategy's own, or NULL.
static const void *setting(const cull_step *step, const char *name, cull_type type)
{
    const cull_use *use = &step->spec->strategy;
    const cull_param *param = cull_setting_find(use->plugin, name);

    return param && param->type == type ? (const char *)use->settings + param->offset : NULL;
}

// Do all experts stay equally wide, so that what goes is neither stored nor run?
static bool narrows(const cull_step *step)
{
    const cull_param *param = cull_setting_find(step->spec->strategy.plugin, "widths");
    const int64_t *choice = setting(step, "widths", CULL_CHOICE);

    return choice && strcmp(param->choices[*choice], "equal") == 0;
}

// ---- whole units ----

// What is saved at a sparsity: bytes, or parameters that run. one: (L) bytes of an expert.
typedef double saving(const meeting *m, const double *one, double sparsity);

static double units_of_layer(const meeting *m, size_t l)
{
    const cull_layer_facts *layer = m->s->layer[l];

    switch (m->step->unit) {
    case CULL_UNIT_EXPERT:
        return (double)layer->E;
    case CULL_UNIT_CHANNEL:
        return (double)layer->F;
    case CULL_UNIT_WEIGHT: // of a row
        return fmax((double)m->s->opened.facts->D, (double)layer->F);
    default:
        return 1;
    }
}

// The units of which whole ones go, in the layer that has most, or in all layers together.
static double units_of(const meeting *m)
{
    double most = 0, all = 0;

    for (size_t l = 0; l < m->s->opened.facts->L; l++) {
        if (!is_free(m, l))
            continue;
        most = fmax(most, units_of_layer(m, l));
        all += units_of_layer(m, l);
    }
    const bool ranked = m->step->unit == CULL_UNIT_EXPERT && m->step->scope == CULL_ALLOCATE_GLOBAL;
    return ranked || m->step->unit == CULL_UNIT_LAYER ? all : most;
}

// The smallest of the sparsities at which another unit goes that saves `need`.
static double least_sparsity(const meeting *m, const double *one, saving *saved, double need)
{
    const double units = units_of(m);

    for (double n = 0; n < units; n++)
        if (saved(m, one, n / units) >= need)
            return n / units;
    return NAN;
}

// ---- experts ----

static double of_experts(const meeting *m)
{
    double all = 0, kept = 0;

    for (size_t l = 0; l < m->s->opened.facts->L; l++) {
        const double one = (double)m->s->layer[l]->expert_params;
        if (!is_free(m, l))
            continue;
        if (m->step->budget->value > (double)m->s->layer[l]->E) {
            refuse(m, "more experts are to stay than a layer has");
            return NAN;
        }
        all += (double)m->s->layer[l]->E * one;
        kept += m->step->budget->value * one;
    }
    return all > 0 ? 1 - kept / all : NAN;
}

// ---- active parameters ----

// Parameters of layer l's shared or dense part that are in the budget, too.
static double side_params(const meeting *m, size_t l)
{
    const cull_layer_facts *layer = m->s->layer[l];
    const bool counts = layer->parts & cull_stage_sides(m->step->spec);

    return counts ? (double)layer->side_F * (double)layer->side_channel_params : 0;
}

// Parameters of layer l that go with its experts: where whole layers go all that is in them, or
// else the router.
static double passed_beside(const meeting *m, size_t l)
{
    const cull_layer_facts *layer = m->s->layer[l];

    if (m->step->emits & CULL_EMITS_LAYER)
        return (double)layer->other_params;
    return layer->parts >> CULL_PART_ROUTER & 1 ? (double)layer->E * (double)m->s->opened.facts->D
                                                : 0;
}

// What of layer l runs for a token and may go.
static double runs_of(const meeting *m, size_t l)
{
    const cull_layer_facts *layer = m->s->layer[l];
    const bool passed = m->step->unit == CULL_UNIT_LAYER;

    return (double)layer->K * (double)layer->expert_params +
           (passed ? passed_beside(m, l) : side_params(m, l));
}

// Parameters of an output bias that a module gets when channels go.
static double bias_params(const meeting *m)
{
    const bool *biased = setting(m->step, "bias", CULL_BOOL);

    return biased && *biased ? (double)m->s->opened.facts->D : 0;
}

// Whole runs of channels of every expert, and of the part beside them.
static double stopped_channels(const meeting *m, const double *one, double sparsity)
{
    const int64_t *multiple = setting(m->step, "multiple", CULL_INT);
    const double run = multiple ? (double)*multiple : 1;
    double stopped = 0;

    (void)one;
    for (size_t l = 0; l < m->s->opened.facts->L; l++) {
        const cull_layer_facts *layer = m->s->layer[l];
        const double each = (double)layer->channel_params;
        const double side = side_params(m, l), wide = (double)layer->side_F;
        if (!is_free(m, l))
            continue;
        const double routed =
            each > 0 ? floor(sparsity * (double)layer->expert_params / each / run + 1e-9) * run : 0;
        const double beside = side > 0 ? floor(sparsity * wide / run + 1e-9) * run : 0;
        stopped += routed > 0 ? (double)layer->K * (routed * each - bias_params(m)) : 0;
        stopped += beside > 0 ? beside / wide * side - bias_params(m) : 0;
    }
    return stopped;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

// What runs in each layer that may be cut, the least first.
static double *each_layer(const meeting *m)
{
    double *one = cull_take(m->problems->ctx, m->s->opened.facts->L + 1, sizeof *one);
    size_t n = 0;

    for (size_t l = 0; one && l < m->s->opened.facts->L; l++)
        if (is_free(m, l))
            one[n++] = runs_of(m, l);
    if (one)
        qsort(one, n, sizeof *one, ascending);
    return one;
}

// Whole layers, those where least runs. one: of each_layer.
static double stopped_layers(const meeting *m, const double *one, double sparsity)
{
    const size_t n = (size_t)floor(sparsity * units_of(m) + 1e-9);
    double stopped = 0;

    for (size_t i = 0; i < n; i++)
        stopped += one[i];
    return stopped;
}

// Whole weights of every row.
static double stopped_weights(const meeting *m, const double *one, double sparsity)
{
    const double D = (double)m->s->opened.facts->D;
    double stopped = 0;

    (void)one;
    for (size_t l = 0; l < m->s->opened.facts->L; l++) {
        const cull_layer_facts *layer = m->s->layer[l];
        const double F = (double)layer->F, K = (double)layer->K;
        const double wide = layer->parts >> CULL_PART_GATE & 1 ? 2 : 1;
        if (is_free(m, l))
            stopped += K * (wide * F * floor(sparsity * D + 1e-9) + D * floor(sparsity * F + 1e-9));
    }
    return stopped;
}

// Does all that runs go on running when the other stages' experts go, so that the budget is this
// stage's alone? What is searched for is alone.
static bool others_run_on(const meeting *m)
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

static bool all_free(const meeting *m)
{
    for (size_t l = 0; l < m->s->opened.facts->L; l++)
        if (m->s->layer[l]->E > 0 && !is_free(m, l))
            return false;
    return true;
}

// Why what the stage removes runs for a token as before; NULL: it does not.
static const char *why_runs_on(const meeting *m)
{
    const uint32_t counted = 1u << CULL_ACTION_NOVICE | 1u << CULL_ACTION_ZERO;

    if (m->step->unit == CULL_UNIT_EXPERT)
        return m->step->emits & counted
                   ? "active: how often tokens meet what stands in the place of experts that are "
                     "gone, and runs less, is known only when it is counted"
                   : "active: as many experts run for a token when others are gone";
    if (m->step->unit == CULL_UNIT_CHANNEL && !narrows(m->step))
        return "active: zeros in the place of channels run for a token as before; it takes widths: "
               "equal";
    if (m->step->unit == CULL_UNIT_CHANNEL && !all_free(m))
        return "active: experts are narrower in all layers or in none, and some layers may not be "
               "cut";
    return others_run_on(m) ? NULL
                            : "active: beside this stage there may be only such as drop or merge "
                              "experts, since others change what runs for a token, too";
}

// What runs, in the layers that may be cut. *spare: what does not where a token has one expert.
static double running(const meeting *m, double *spare)
{
    double all = 0;

    *spare = 0;
    for (size_t l = 0; l < m->s->opened.facts->L; l++) {
        if (!is_free(m, l))
            continue;
        all += runs_of(m, l);
        if (m->s->layer[l]->K > 1)
            *spare += (double)(m->s->layer[l]->K - 1) * (double)m->s->layer[l]->expert_params;
    }
    return all;
}

// The stage before, where it is the first and takes whole experts, of which it is known how many
// go: where a router has groups, fewer may, so that they stay equal. Else NULL.
static const cull_step *known_before(const meeting *m)
{
    const cull_step *step = m->step->before == CULL_NOT ? NULL : &m->plan->step[m->step->before];

    if (!step || step->before != CULL_NOT || step->unit != CULL_UNIT_EXPERT ||
        (step->scope != CULL_ALLOCATE_LAYER && step->scope != CULL_ALLOCATE_GLOBAL))
        return NULL;
    for (size_t l = 0; l < m->s->opened.facts->L; l++)
        if (is_free(m, l) && m->s->layer[l]->n_group > 1)
            return NULL;
    return step;
}

// Experts of the layers that may be cut, and those of them that `step` takes, in whole ones.
static double experts_gone(const meeting *m, const cull_step *step, double *all)
{
    const double share = step->spec->share;
    double gone = 0;

    *all = 0;
    for (size_t l = 0; l < m->s->opened.facts->L; l++) {
        if (!is_free(m, l))
            continue;
        gone += floor(share * (double)m->s->layer[l]->E + 1e-9);
        *all += (double)m->s->layer[l]->E;
    }
    return step->scope == CULL_ALLOCATE_GLOBAL ? floor(share * *all + 1e-9) : gone;
}

// What the other stages take of the routed experts: in whole ones where that is known, else their
// shares. *rows: parameters of the router that have gone with experts; a layer that is passed over
// has none left to lose.
static double taken_by_others(const meeting *m, double *rows)
{
    const double shares = cull_method_shares(&m->plan->spec->methods[m->step->method]);
    const cull_step *before = known_before(m);
    double all;

    *rows = 0;
    if (!before)
        return shares;
    const double gone = experts_gone(m, before, &all);
    if (m->step->unit != CULL_UNIT_LAYER && before->emits & 1u << CULL_ACTION_DROP)
        *rows = gone * (double)m->s->opened.facts->D;
    return 1 - (1 - shares) / (1 - before->spec->share) * (1 - gone / all);
}

// The sparsity at which no more than the budget's fraction of all that runs goes on running.
static cull_status of_active(const meeting *m, double *out)
{
    static saving *const stopped[] = { [CULL_UNIT_CHANNEL] = stopped_channels,
                                       [CULL_UNIT_LAYER] = stopped_layers,
                                       [CULL_UNIT_WEIGHT] = stopped_weights };
    const bool picks = m->step->unit == CULL_UNIT_PICK;
    const char *why = why_runs_on(m);
    double spare, rows;
    const double all = running(m, &spare), others = taken_by_others(m, &rows);
    const double stops =
        (1 - m->step->budget->value) * (double)m->s->opened.facts->params_active * (1 - 1e-12);
    const double need = picks ? stops : fmax(0, stops - rows);
    const double *layers = each_layer(m);

    if (!layers)
        return CULL_ENOMEM;
    if (!why && need >= all)
        why = "active: more is to go than routed experts run for a token";
    if (!why && picks && need > spare)
        why = "active: with one expert for a token more runs than that";
    if (why) {
        refuse(m, why);
        return CULL_OK;
    }
    const double sparsity =
        picks ? need / all : least_sparsity(m, layers, stopped[m->step->unit], need);
    if (isnan(sparsity))
        refuse(m, "active: more is to go than whole units of it can");
    *out = 1 - (1 - sparsity) * (1 - others);
    return CULL_OK;
}

// ---- bytes ----

static double stored_bytes(const cull_matrix *m)
{
    const double n = (double)m->rows * (double)m->cols;
    double bytes = n * (double)cull_dtype_bits(m->dtype) / 8;

    if (m->scale)
        bytes += ceil((double)m->rows / (double)m->block_rows) *
                 ceil((double)m->cols / (double)m->block_cols) *
                 (double)cull_dtype_bits(m->scale_dtype) / 8;
    return m->bias ? bytes + (double)m->rows * (double)cull_dtype_bits(m->bias_dtype) / 8 : bytes;
}

// Of one expert of layer l, without its row of the router.
static cull_status expert_bytes(const meeting *m, size_t l, double *out)
{
    static const cull_part parts[] = { CULL_PART_GATE, CULL_PART_UP, CULL_PART_DOWN };
    const cull_open_model *model = &m->s->opened;
    cull_ctx *ctx = m->problems->ctx;

    *out = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        cull_matrix matrix = { .size = sizeof matrix };
        if (!(m->s->layer[l]->parts >> parts[i] & 1))
            continue;
        CULL_TRY(CULL_CALL(
            ctx, model->plugin, l, matrix,
            model->backend->matrix(ctx, model->model, cull_at_expert(l, parts[i], 0), &matrix)));
        *out += stored_bytes(&matrix);
    }
    return CULL_OK;
}

// A constant in an expert's place, as the widest type stores it.
static double left_in_place(const meeting *m)
{
    const bool novice = m->step->emits & 1u << CULL_ACTION_NOVICE;

    return novice ? (double)m->s->opened.facts->D * sizeof(float) : 0;
}

// Whole experts of each layer, or, in one ranking, of the layers where they are smallest.
static double saved_experts(const meeting *m, const double *one, double sparsity)
{
    double saved = 0, experts = 0, least = INFINITY;

    for (size_t l = 0; l < m->s->opened.facts->L; l++) {
        if (!is_free(m, l) || m->s->layer[l]->E == 0)
            continue;
        const double E = (double)m->s->layer[l]->E, each = one[l] - left_in_place(m);
        saved += floor(sparsity * E + 1e-9) * each;
        experts += E;
        least = fmin(least, each);
    }
    return m->step->scope == CULL_ALLOCATE_GLOBAL ? floor(sparsity * experts + 1e-9) * least
                                                  : saved;
}

// Whole runs of channels of every expert.
static double saved_channels(const meeting *m, const double *one, double sparsity)
{
    const int64_t *multiple = setting(m->step, "multiple", CULL_INT);
    double saved = 0;

    for (size_t l = 0; l < m->s->opened.facts->L; l++) {
        const double F = (double)m->s->layer[l]->F, run = multiple ? (double)*multiple : 1;
        if (is_free(m, l) && F > 0)
            saved +=
                floor(sparsity * F / run + 1e-9) * run / F * (double)m->s->layer[l]->E * one[l];
    }
    return saved;
}

static cull_status of_bytes(const meeting *m, double *out)
{
    const cull_model_facts *facts = m->s->opened.facts;
    const uint32_t stays = 1u << CULL_ACTION_ZERO | 1u << CULL_ACTION_ALIAS;
    const bool goes = m->step->unit == CULL_UNIT_EXPERT
                          ? !(m->step->emits & stays)
                          : m->step->unit == CULL_UNIT_CHANNEL && narrows(m->step) && all_free(m);
    double *one = cull_take(m->problems->ctx, facts->L + 1, sizeof *one);

    *out = NAN;
    if (!one)
        return CULL_ENOMEM;
    if (!goes) {
        refuse(m, "bytes: what this strategy removes is stored as before, as zeros or copies; it "
                  "takes experts whose router rows go too, or channels of all layers with widths: "
                  "equal");
        return CULL_OK;
    }
    for (size_t l = 0; l < facts->L; l++)
        if (m->s->layer[l]->E > 0)
            CULL_TRY(expert_bytes(m, l, &one[l]));
    *out =
        least_sparsity(m, one, m->step->unit == CULL_UNIT_EXPERT ? saved_experts : saved_channels,
                       (double)facts->bytes - m->step->budget->value);
    if (isnan(*out))
        refuse(m, "bytes: what is not in routed experts is larger already");
    return CULL_OK;
}

// ---- all of them ----

static cull_status meet(const meeting *m, double *sparsity)
{
    const cull_amount kind = m->step->budget->kind;

    *sparsity = NAN;
    if (kind == CULL_EXPERTS)
        *sparsity = of_experts(m);
    else if (kind == CULL_ACTIVE)
        return of_active(m, sparsity);
    else if (m->plan->spec->methods[m->step->method].n == 1)
        return of_bytes(m, sparsity);
    else
        refuse(m, "a budget of bytes takes a method of one stage");
    return CULL_OK;
}

// The step of a cell's method that carries its sparsity.
static const cull_step *carrier(const cull_plan *plan, const cull_cell *cell)
{
    size_t i = cell->step;

    while (i != CULL_NOT && !plan->step[i].budget)
        i = plan->step[i].before;
    return i == CULL_NOT ? NULL : &plan->step[i];
}

cull_status cull_plan_meet(cull_plan *plan, size_t model, const cull_prepared_model *prepared,
                           cull_problems *problems)
{
    for (size_t i = 0; i < plan->n_steps; i++) {
        cull_step *step = &plan->step[i];
        const meeting m = { plan, prepared, problems, step };
        double sparsity;
        if (step->model != model || !step->budget)
            continue;
        CULL_TRY(meet(&m, &sparsity));
        step->sparsity = isnan(sparsity) ? 0 : sparsity;
    }
    for (size_t i = 0; i < plan->n_cells; i++) {
        cull_cell *cell = &plan->cell[i];
        const cull_step *step = cell->model == model && cell->budget ? carrier(plan, cell) : NULL;
        if (step)
            cell->sparsity = step->sparsity;
    }
    return CULL_OK;
}
