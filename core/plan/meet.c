// From bytes, experts or active parameters that may stay to the sparsity that leaves no more.
#include "plan/meet.h"

#include <math.h>
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

static bool alone(const meeting *m)
{
    return m->plan->spec->methods[m->step->method].n == 1;
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

static double of_active(const meeting *m)
{
    const cull_model_facts *facts = m->s->opened.facts;
    const cull_unit unit = m->step->unit;
    double routed = 0;

    if (unit == CULL_UNIT_EXPERT || (unit == CULL_UNIT_CHANNEL && !narrows(m->step))) {
        refuse(m,
               unit == CULL_UNIT_EXPERT
                   ? "active: as many experts run for a token when others are gone"
                   : "active: zeros in the place of channels run for a token as before; it takes "
                     "widths: equal");
        return NAN;
    }
    for (size_t l = 0; l < facts->L; l++)
        if (is_free(m, l))
            routed += (double)m->s->layer[l]->K * (double)m->s->layer[l]->expert_params;
    const double sparsity =
        routed > 0 ? (1 - m->step->budget->value) * (double)facts->params_active / routed : 1;
    if (sparsity < 1)
        return sparsity;
    refuse(m, "active: more is to go than routed experts run for a token");
    return NAN;
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

// The smallest of the sparsities at which another unit goes that saves `need` bytes.
static double least_sparsity(const meeting *m, const double *one, double need)
{
    const bool experts = m->step->unit == CULL_UNIT_EXPERT;
    double units = 0;

    for (size_t l = 0; l < m->s->opened.facts->L; l++) {
        const double E = (double)m->s->layer[l]->E, F = (double)m->s->layer[l]->F;
        if (is_free(m, l))
            units = experts && m->step->scope == CULL_ALLOCATE_GLOBAL
                        ? units + E
                        : fmax(units, experts ? E : F);
    }
    for (double n = 0; n < units; n++) {
        const double sparsity = n / units;
        if ((experts ? saved_experts : saved_channels)(m, one, sparsity) >= need)
            return sparsity;
    }
    return NAN;
}

static cull_status of_bytes(const meeting *m, double *out)
{
    const cull_model_facts *facts = m->s->opened.facts;
    const uint32_t stays = 1u << CULL_ACTION_ZERO | 1u << CULL_ACTION_ALIAS;
    const bool goes = m->step->unit == CULL_UNIT_EXPERT
                          ? !(m->step->emits & stays)
                          : m->step->unit == CULL_UNIT_CHANNEL && narrows(m->step);
    double *one = cull_take(m->problems->ctx, facts->L + 1, sizeof *one);

    *out = NAN;
    if (!one)
        return CULL_ENOMEM;
    if (!goes) {
        refuse(m, "bytes: what this strategy removes is stored as before, as zeros or copies; it "
                  "takes experts whose router rows go too, or channels with widths: equal");
        return CULL_OK;
    }
    for (size_t l = 0; l < facts->L; l++)
        if (m->s->layer[l]->E > 0)
            CULL_TRY(expert_bytes(m, l, &one[l]));
    *out = least_sparsity(m, one, (double)facts->bytes - m->step->budget->value);
    if (isnan(*out))
        refuse(m, "bytes: what is not in routed experts is larger already");
    return CULL_OK;
}

// ---- all of them ----

static cull_status meet(const meeting *m, double *sparsity)
{
    const cull_amount kind = m->step->budget->kind;

    *sparsity = NAN;
    if (kind != CULL_EXPERTS && !alone(m)) {
        refuse(m, "a budget of bytes or active parameters takes a method of one stage");
        return CULL_OK;
    }
    if (kind == CULL_BYTES)
        return of_bytes(m, sparsity);
    *sparsity = kind == CULL_EXPERTS ? of_experts(m) : of_active(m);
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
