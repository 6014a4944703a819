// From bytes, experts or active parameters (active.c) that may stay to the sparsity that
// leaves no more.
#include "plan/meet/meet.h"

#include <math.h>

#include "base/call.h"
#include "base/safetensors.h"
#include "base/whole.h"
#include "plan/meet/meeting.h"

// ---- experts ----

static double of_experts(const cull_meeting *m)
{
    double all = 0, kept = 0;

    for (size_t l = 0; l < m->s->opened.facts->L; l++) {
        const double one = (double)m->s->layer[l]->expert_params;
        if (!cull_meeting_is_free(m, l))
            continue;
        if (m->step->budget->value > (double)m->s->layer[l]->E) {
            cull_meeting_refuse(m, "more experts are to stay than a layer has");
            return NAN;
        }
        all += (double)m->s->layer[l]->E * one;
        kept += m->step->budget->value * one;
    }
    return all > 0 ? 1 - kept / all : NAN;
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

// Of one expert of layer l, without its row of the router; *quantised: in blocks with scales.
static cull_status expert_bytes(const cull_meeting *m, size_t l, double *out, bool *quantised)
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
        *quantised = *quantised || matrix.scale;
    }
    return CULL_OK;
}

// A constant in an expert's place, as the widest type stores it.
static double left_in_place(const cull_meeting *m)
{
    const bool novice = m->step->emits & 1u << CULL_ACTION_NOVICE;

    return novice ? (double)m->s->opened.facts->D * sizeof(float) : 0;
}

// Whole experts of each layer, or, in one ranking, of the layers where they are smallest; as many
// of each of a router's groups, where those stay equal.
static double saved_experts(const cull_meeting *m, const void *arg, double sparsity)
{
    const double *one = arg; // (L) bytes of an expert
    const bool levels = cull_meeting_levels(m->step);
    double saved = 0, experts = 0, stay = 0, least = INFINITY;

    for (size_t l = 0; l < m->s->opened.facts->L; l++) {
        if (!cull_meeting_is_free(m, l) || m->s->layer[l]->E == 0)
            continue;
        const double beside = (double)m->s->layer[l]->expert_beside, E = (double)m->s->layer[l]->E,
                     each = one[l] + beside - left_in_place(m);
        const double groups = levels ? fmax(1, (double)m->s->layer[l]->n_group) : 1;
        saved += floor(cull_whole(sparsity * E) / groups) * groups * each;
        experts += E;
        stay += groups - 1;
        least = fmin(least, each);
    }
    return m->step->scope == CULL_ALLOCATE_GLOBAL
               ? fmax(0, cull_whole(sparsity * experts) - stay) * least
               : saved;
}

// Whole runs of channels of every expert.
static double saved_channels(const cull_meeting *m, const void *arg, double sparsity)
{
    const double *one = arg; // (L) bytes of an expert
    const int64_t *multiple = cull_meeting_setting(m->step, "multiple", CULL_INT);
    double saved = 0;

    for (size_t l = 0; l < m->s->opened.facts->L; l++) {
        const double F = (double)m->s->layer[l]->F, run = multiple ? (double)*multiple : 1;
        if (cull_meeting_is_free(m, l) && F > 0)
            saved += cull_whole(sparsity * F / run) * run / F * (double)m->s->layer[l]->E * one[l];
    }
    return saved;
}

// Is the budget the stage's alone? What masks or rewrites weights behind it is stored as before, in
// what it leaves.
static bool others_store_alike(const cull_meeting *m)
{
    const uint32_t may = CULL_EMITS_MASK | CULL_EMITS_MATRIX | CULL_EMITS_RULE;
    const cull_method *method = &m->plan->spec->methods[m->step->method];

    for (size_t i = 0; i < method->n; i++)
        if (i < m->step->stage ||
            (i > m->step->stage && (cull_stage_emits(&method->stage[i]) & ~may)))
            return false;
    return true;
}

static bool changes_weights(const cull_meeting *m)
{
    const cull_method *method = &m->plan->spec->methods[m->step->method];

    for (size_t i = 0; i < method->n; i++)
        if (cull_stage_emits(&method->stage[i]) & (CULL_EMITS_MASK | CULL_EMITS_MATRIX))
            return true;
    return false;
}

// Why no export meets a budget of bytes; NULL: one may.
static const char *why_stored(const cull_meeting *m, bool quantised)
{
    const uint32_t stays = 1u << CULL_ACTION_ZERO | 1u << CULL_ACTION_ALIAS;
    const bool goes = m->step->unit == CULL_UNIT_EXPERT
                          ? !(m->step->emits & stays)
                          : m->step->unit == CULL_UNIT_CHANNEL && cull_meeting_narrows(m->step) &&
                                cull_meeting_all_free(m);

    if (!others_store_alike(m))
        return "bytes: the stage that has no share of its own comes first, and behind it only such "
               "as change weights, which are stored as before";
    if (!goes)
        return "bytes: what this strategy removes is stored as before, as zeros or copies; it "
               "takes experts whose router rows go too, or channels of all layers with widths: "
               "equal";
    return quantised && changes_weights(m)
               ? "bytes: quantised weights that are masked or rewritten can only be stored "
                 "dequantised"
               : NULL;
}

// *out: of the whole method, in which later stages have shares of their own.
static cull_status of_bytes(const cull_meeting *m, double *out)
{
    const cull_model_facts *facts = m->s->opened.facts;
    double *one = cull_take(m->problems->ctx, facts->L + 1, sizeof *one);
    bool quantised = false;

    *out = NAN;
    if (!one)
        return CULL_ENOMEM;
    for (size_t l = 0; l < facts->L; l++)
        if (m->s->layer[l]->E > 0)
            CULL_TRY(expert_bytes(m, l, &one[l], &quantised));
    const char *why = why_stored(m, quantised);
    if (why) {
        cull_meeting_refuse(m, why);
        return CULL_OK;
    }
    *out = cull_least_sparsity(
        m, one, m->step->unit == CULL_UNIT_EXPERT ? saved_experts : saved_channels,
        (double)(facts->bytes + facts->bytes_beside) - m->step->budget->value);
    if (isnan(*out))
        cull_meeting_refuse(m, "bytes: what is not in routed experts is larger already");
    *out = m->step->later < 1 ? 1 - (1 - *out) * m->step->later : *out;
    return CULL_OK;
}

// ---- all of them ----

static cull_status meet(const cull_meeting *m, double *sparsity, double *spared)
{
    const cull_amount kind = m->step->budget->kind;

    *sparsity = NAN;
    *spared = 0;
    if (kind == CULL_EXPERTS)
        *sparsity = of_experts(m);
    else if (kind == CULL_ACTIVE)
        return cull_meet_active(m, sparsity, spared);
    else
        return of_bytes(m, sparsity);
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
        const cull_meeting m = { plan, prepared, problems, step };
        double sparsity;
        if (step->model != model || !step->budget)
            continue;
        CULL_TRY(meet(&m, &sparsity, &step->spared));
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
