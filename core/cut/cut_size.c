#include "cut/cut_size.h"

#include <math.h>
#include <string.h>

#include "cut/cut.h"

static bool masked_in(const cull_overlay *mask, size_t r, size_t c)
{
    const uint8_t *row = (const uint8_t *)mask->data + r * ((mask->cols + 7) / 8);
    return row[c / 8] >> (c % 8) & 1;
}

static uint64_t kept_of_mask(const cull_overlay *mask)
{
    const size_t bytes = (mask->cols + 7) / 8, rest = mask->cols % 8;
    uint64_t kept = 0;
    for (size_t r = 0; r < mask->rows; r++) {
        const uint8_t *row = (const uint8_t *)mask->data + r * bytes;
        for (size_t b = 0; b < bytes; b++) {
            unsigned bits = row[b];
            if (rest && b + 1 == bytes)
                bits &= (1u << rest) - 1;
            for (; bits; bits &= bits - 1)
                kept++;
        }
    }
    return kept;
}

static bool kept_by_all(const cull_cut *cut, cull_matrix_id where, size_t r, size_t c)
{
    for (size_t i = cull_cut_first(cut, where); i != SIZE_MAX; i = cull_cut_next(cut, i))
        if (cut->overlay[i].kind == CULL_MASK && !masked_in(&cut->overlay[i], r, c))
            return false;
    return true;
}

uint64_t cull_kept_weights(const cull_cut *cut, cull_matrix_id where, size_t rows, size_t cols)
{
    size_t masks = 0, last = SIZE_MAX;
    const float *matrix = NULL;
    for (size_t i = cull_cut_first(cut, where); i != SIZE_MAX; i = cull_cut_next(cut, i)) {
        if (cut->overlay[i].kind == CULL_MATRIX) {
            matrix = cut->overlay[i].data;
        } else {
            masks++;
            last = i;
        }
    }
    if (masks == 1)
        return kept_of_mask(&cut->overlay[last]);
    if (masks == 0 && !matrix)
        return (uint64_t)rows * cols;
    uint64_t kept = 0;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            kept += masks ? kept_by_all(cut, where, r, c) : matrix[r * cols + c] != 0;
    return kept;
}

// ---- one layer ----

typedef struct layer_size {
    const cull_open_model *model;
    const cull_cut *cut;
    const cull_layer_facts *facts;
    size_t l;
    cull_cut_size *sum;
} layer_size;

// Rows and columns of a matrix, 0 where there is none.
static cull_status shape(cull_ctx *ctx, const layer_size *m, cull_matrix_id where, size_t *rows,
                         size_t *cols)
{
    cull_matrix matrix = { .size = sizeof matrix };
    *rows = *cols = 0;
    if (!(m->facts->parts >> where.part & 1))
        return CULL_OK;
    CULL_TRY(m->model->backend->matrix(ctx, m->model->model, where, &matrix));
    *rows = matrix.rows;
    *cols = matrix.cols;
    return CULL_OK;
}

// Parameters that an expert which stands for itself keeps.
static cull_status kept_of_expert(cull_ctx *ctx, const layer_size *m, size_t e, bool frozen,
                                  double *kept)
{
    static const cull_part parts[] = { CULL_PART_GATE, CULL_PART_UP, CULL_PART_DOWN };
    *kept = (double)m->facts->expert_params;
    for (size_t i = 0; i < 3; i++) {
        const cull_matrix_id where = cull_at_expert(m->l, parts[i], e);
        size_t rows, cols;
        CULL_TRY(shape(ctx, m, where, &rows, &cols));
        const double all = (double)rows * (double)cols;
        const double left = m->cut ? (double)cull_kept_weights(m->cut, where, rows, cols) : all;
        *kept -= all - left;
        if (!frozen) {
            m->sum->weights_found += all;
            m->sum->weights_kept += left;
            m->sum->weight_rows += (double)rows;
        }
    }
    return CULL_OK;
}

static cull_status params_of_experts(cull_ctx *ctx, const layer_size *m, bool frozen,
                                     double *params)
{
    const cull_layer_cut *cut = m->cut ? &m->cut->layer[m->l] : NULL;
    const size_t D = m->model->facts->D;
    for (size_t e = 0; e < m->facts->E; e++) {
        const int action = cut ? cut->action[e] : CULL_ACTION_BASE;
        params[e] = action == CULL_ACTION_NOVICE ? (double)D : 0;
        if (action != CULL_ACTION_BASE)
            m->sum->gone[m->l]++;
        else
            CULL_TRY(kept_of_expert(ctx, m, e, frozen, &params[e]));
    }
    return CULL_OK;
}

typedef struct pick_counts { // of one layer
    const double *count;     // (E) or NULL
    double tokens;           // behind the counts where they are the variant's own; else 0
} pick_counts;

static double params_served(const cull_layer_cut *cut, const double *params, size_t e)
{
    return params[cut && cut->action[e] == CULL_ACTION_ALIAS ? cut->target[e] : e];
}

// What runs for a token: what was counted on the variant, or else k experts, chosen among those not
// dropped as often as in the dense model.
static double active_of_experts(const layer_size *m, const double *params, const pick_counts *p)
{
    const cull_layer_cut *cut = m->cut ? &m->cut->layer[m->l] : NULL;
    double weight = 0, sum = 0, uniform = 0, kept = 0;
    for (size_t e = 0; e < m->facts->E; e++) {
        if (cut && cut->action[e] == CULL_ACTION_DROP)
            continue;
        kept += 1;
        uniform += params_served(cut, params, e);
        weight += p->count ? p->count[e] : 0;
        sum += p->count ? p->count[e] * params_served(cut, params, e) : 0;
    }
    if (p->tokens > 0)
        return sum / p->tokens;
    const double k = fmin(cut && cut->k ? (double)cut->k : (double)m->facts->K, kept);
    if (weight > 0)
        return k * sum / weight;
    return kept > 0 ? k * uniform / kept : 0;
}

static cull_status router_params(cull_ctx *ctx, const layer_size *m, double *row)
{
    size_t rows, cols;
    CULL_TRY(shape(ctx, m, cull_at(m->l, CULL_PART_ROUTER), &rows, &cols));
    *row = (double)cols;
    return CULL_OK;
}

// Parts that are cut on request: attention, shared and dense ones. The router's rows go with their
// experts.
static cull_status other_gone(cull_ctx *ctx, const layer_size *m, double *gone)
{
    *gone = 0;
    for (size_t i = 0; m->cut && i < m->cut->n_overlays; i++) {
        const cull_matrix_id where = m->cut->overlay[i].where;
        if (where.layer != m->l || where.expert != CULL_NONE || cull_cut_first(m->cut, where) != i)
            continue;
        size_t rows, cols;
        CULL_TRY(shape(ctx, m, where, &rows, &cols));
        *gone += (double)rows * (double)cols - (double)cull_kept_weights(m->cut, where, rows, cols);
    }
    return CULL_OK;
}

static cull_status measure_layer(cull_ctx *ctx, const layer_size *m, bool frozen,
                                 const pick_counts *picks)
{
    const cull_layer_cut *cut = m->cut ? &m->cut->layer[m->l] : NULL;
    const size_t E = m->facts->E;
    cull_cut_size *sum = m->sum;
    double *params = cull_scratch(ctx, E + 1, sizeof *params), kept = 0, row, other;
    if (!params)
        return CULL_ENOMEM;
    CULL_TRY(params_of_experts(ctx, m, frozen, params));
    CULL_TRY(router_params(ctx, m, &row));
    CULL_TRY(other_gone(ctx, m, &other));
    const bool passed = cut && (cut->skip_layer || cut->skip_moe);
    for (size_t e = 0; e < E; e++) {
        kept += passed ? 0 : params[e];
        if (cut && cut->action[e] == CULL_ACTION_DROP)
            other += row;
    }
    if (passed)
        other = cut->skip_layer ? (double)m->facts->other_params : row * (double)E;
    const double experts = (double)m->facts->expert_params * (double)E;
    sum->expert_total += experts;
    sum->expert_kept += kept;
    sum->free_total += frozen ? 0 : experts;
    sum->free_kept += frozen ? 0 : kept;
    sum->all_kept -= experts - kept + other;
    sum->layers_gone += passed;
    const double dense_active = (double)m->facts->K * (double)m->facts->expert_params;
    const double active = passed ? 0 : active_of_experts(m, params, picks);
    sum->active_kept -= (E ? dense_active - active : 0) + other;
    return CULL_OK;
}

// ---- the model ----

static size_t kept_in_group(const cull_layer_cut *cut, size_t E, size_t n_group, size_t g)
{
    size_t kept = 0;
    for (size_t e = g * (E / n_group); e < (g + 1) * (E / n_group); e++)
        kept += cut->action[e] != CULL_ACTION_DROP;
    return kept;
}

// Formats say one number of experts for all layers, and group-limited routers one for all groups;
// none knows constants in an expert's place, a missing sub-layer, or skipping.
static bool exportable(const cull_open_model *model, const cull_cut *cut)
{
    size_t first = SIZE_MAX;
    for (size_t l = 0; l < model->facts->L; l++) {
        const cull_layer_facts *facts = cull_layer_of(model, l);
        const cull_layer_cut *layer = &cut->layer[l];
        if (facts->E == 0 || layer->skip_layer)
            continue;
        for (size_t e = 0; e < facts->E; e++)
            if (layer->action[e] == CULL_ACTION_NOVICE)
                return false;
        const size_t groups = facts->n_group > 1 ? facts->n_group : 1;
        for (size_t g = 0; g < groups; g++) {
            const size_t kept = kept_in_group(layer, facts->E, groups, g);
            if (first != SIZE_MAX && kept != first)
                return false;
            first = kept;
        }
        if (layer->skip_moe || layer->skip_ratio > 0)
            return false;
    }
    return true;
}

cull_status cull_cut_size_of(cull_ctx *ctx, const cull_open_model *model, const cull_cut *cut,
                             const uint8_t *frozen, cull_routing_counts usage, cull_cut_size *out)
{
    const cull_model_facts *facts = model->facts;
    *out = (cull_cut_size){ .exportable = !cut || exportable(model, cut) };
    out->gone = cull_take(ctx, facts->L, sizeof *out->gone);
    if (!out->gone)
        return CULL_ENOMEM;
    out->all_total = out->all_kept = (double)facts->params_total;
    out->active_total = out->active_kept = (double)facts->params_active;
    for (size_t l = 0; l < facts->L; l++) {
        const layer_size m = { model, cut, cull_layer_of(model, l), l, out };
        const cull_stats *stats = usage.stats;
        pick_counts picks = { 0 };
        if (stats && (stats->groups & CULL_STAT_ROUTING)) {
            picks.count = stats->layer[l].count;
            picks.tokens = usage.of_variant ? (double)stats->layer[l].tokens : 0;
        }
        CULL_TRY(measure_layer(ctx, &m, frozen[l], &picks));
    }
    return CULL_OK;
}
