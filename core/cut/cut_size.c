// How much a cut removes: of expert, of all and of active parameters.
#include "cut/cut_size.h"

#include <math.h>
#include <string.h>

#include "base/call.h"
#include "cut/cut.h"
#include "cut/overlay.h"

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

// Are all weights of a matrix kept but those of a single mask?
static bool one_mask(const cull_cut *cut, const cull_overlaid *over, size_t *mask)
{
    size_t masks = 0;

    for (size_t i = over->first; i != SIZE_MAX; i = cull_cut_next(cut, i))
        if (cut->overlay[i].kind == CULL_MASK) {
            masks++;
            *mask = i;
        }
    return masks == 1 && over->channels == SIZE_MAX;
}

size_t cull_kept_channels(const cull_cut *cut, cull_matrix_id down, size_t F)
{
    const cull_overlaid over = cull_overlay_of(cut, down);
    size_t kept = 0;

    if (over.channels == SIZE_MAX)
        return F;
    for (size_t c = 0; c < F; c++)
        kept += cull_overlay_keeps(&over, c);
    return kept;
}

uint64_t cull_kept_weights(const cull_cut *cut, cull_matrix_id where, size_t rows, size_t cols)
{
    const cull_overlaid over = cull_overlay_of(cut, where);
    const size_t F = over.by_row ? rows : cols;
    size_t mask = SIZE_MAX;

    if (one_mask(cut, &over, &mask))
        return kept_of_mask(&cut->overlay[mask]);
    if (!over.masked)
        return over.channels == SIZE_MAX
                   ? (uint64_t)rows * cols
                   : cull_kept_channels(cut, where, F) * (uint64_t)(over.by_row ? cols : rows);
    uint64_t kept = 0;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            kept += kept_by_all(cut, where, r, c) && cull_overlay_keeps(&over, over.by_row ? r : c);
    return kept;
}

// ---- one layer ----

typedef struct layer_size {
    const cull_open_model *model;
    const cull_cut *cut;
    const cull_layer_facts *facts;
    size_t l;
    bool narrower; // channels that are gone do not run: a checkpoint is as much narrower
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
    CULL_TRY(CULL_CALL(ctx, m->model->plugin, m->l, matrix,
                       m->model->backend->matrix(ctx, m->model->model, where, &matrix)));
    *rows = matrix.rows;
    *cols = matrix.cols;
    return CULL_OK;
}

// Parameters of a module that go or come beside its weights: biases of the channels that are gone,
// and output biases. channel_params: of one channel.
static cull_status biases_gone(cull_ctx *ctx, const layer_size *m, cull_matrix_id down,
                               uint64_t channel_params, double *gone)
{
    const cull_overlaid over = cull_overlay_of(m->cut, down);
    size_t D, F, rows, cols, weights = 0;

    *gone = 0;
    if (!over.biased && over.channels == SIZE_MAX)
        return CULL_OK;
    CULL_TRY(shape(ctx, m, down, &D, &F));
    for (uint32_t part = down.part - 2; part <= down.part; part++) {
        const cull_matrix_id where = { down.layer, part, down.expert };
        CULL_TRY(shape(ctx, m, where, &rows, &cols));
        weights += rows ? rows * cols / F : 0;
    }
    *gone = (double)(F - cull_kept_channels(m->cut, down, F)) *
                ((double)channel_params - (double)weights) -
            (over.biased ? (double)D : 0);
    return CULL_OK;
}

// Parameters that an expert which stands for itself keeps, and those that run when it does: zeros
// in the place of channels do.
static cull_status kept_of_expert(cull_ctx *ctx, const layer_size *m, size_t e, bool frozen,
                                  double *kept, double *runs)
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
    double biases;
    CULL_TRY(biases_gone(ctx, m, cull_at_expert(m->l, CULL_PART_DOWN, e), m->facts->channel_params,
                         &biases));
    *kept -= biases;
    *runs = *kept;
    if (!m->narrower && m->cut)
        *runs += (double)(m->facts->F - cull_kept_channels(m->cut,
                                                           cull_at_expert(m->l, CULL_PART_DOWN, e),
                                                           m->facts->F)) *
                 (double)m->facts->channel_params;
    return CULL_OK;
}

static cull_status params_of_experts(cull_ctx *ctx, const layer_size *m, bool frozen,
                                     double *params, double *runs)
{
    const cull_layer_cut *cut = m->cut ? &m->cut->layer[m->l] : NULL;
    const size_t D = m->model->facts->D;

    for (size_t e = 0; e < m->facts->E; e++) {
        const int action = cut ? cut->action[e] : CULL_ACTION_BASE;
        params[e] = runs[e] = action == CULL_ACTION_NOVICE ? (double)D : 0;
        if (action != CULL_ACTION_BASE)
            m->sum->gone[m->l]++;
        else
            CULL_TRY(kept_of_expert(ctx, m, e, frozen, &params[e], &runs[e]));
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

static bool is_side(uint32_t part)
{
    return part >= CULL_PART_SHARED_GATE && part <= CULL_PART_DENSE_DOWN &&
           part != CULL_PART_SHARED_ROUTER;
}

static bool changes_others(const layer_size *m)
{
    for (size_t i = 0; m->cut && i < m->cut->n_overlays; i++)
        if (m->cut->overlay[i].where.layer == m->l && m->cut->overlay[i].where.expert == CULL_NONE)
            return true;
    return false;
}

// Parts that are cut on request: attention, shared and dense ones (`side`). The router's rows go
// with their experts.
static cull_status other_gone(cull_ctx *ctx, const layer_size *m, double *gone, double *side)
{
    *gone = *side = 0;
    for (uint32_t part = 0; part < CULL_N_PARTS && changes_others(m); part++) {
        const cull_matrix_id where = cull_at(m->l, (cull_part)part);
        size_t rows, cols;
        double biases = 0;
        if (part == CULL_PART_GATE || part == CULL_PART_UP || part == CULL_PART_DOWN)
            continue;
        CULL_TRY(shape(ctx, m, where, &rows, &cols));
        if (rows == 0)
            continue;
        if (cull_module_down(where).part == part)
            CULL_TRY(biases_gone(ctx, m, where, m->facts->side_channel_params, &biases));
        const double went = (double)rows * (double)cols -
                            (double)cull_kept_weights(m->cut, where, rows, cols) + biases;
        *gone += went;
        *side += is_side(part) ? went : 0;
    }
    return CULL_OK;
}

static cull_status measure_layer(cull_ctx *ctx, const layer_size *m, bool frozen,
                                 const pick_counts *picks)
{
    const cull_layer_cut *cut = m->cut ? &m->cut->layer[m->l] : NULL;
    const size_t E = m->facts->E;
    cull_cut_size *sum = m->sum;
    double *params = cull_scratch(ctx, 2 * E + 1, sizeof *params), *runs = params + E;
    double kept = 0, row, other, side;

    if (!params)
        return CULL_ENOMEM;
    const bool passed = cull_cut_passes(m->cut, m->l);
    CULL_TRY(params_of_experts(ctx, m, frozen || passed, params, runs));
    CULL_TRY(router_params(ctx, m, &row));
    CULL_TRY(other_gone(ctx, m, &other, &side));
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
    sum->layer_kept[m->l] = kept;
    sum->side_total[m->l] = (double)m->facts->side_F * (double)m->facts->side_channel_params;
    sum->side_kept[m->l] = cut && cut->skip_layer ? 0 : sum->side_total[m->l] - side;
    sum->free_total += frozen ? 0 : experts;
    sum->free_kept += frozen ? 0 : kept;
    sum->all_kept -= experts - kept + other;
    sum->passed[m->l] = passed;
    sum->layers_gone += passed;
    sum->picks[m->l] = passed ? 0 : cut && cut->k ? cut->k : m->facts->K;
    const double dense_active = (double)m->facts->K * (double)m->facts->expert_params;
    const double active = passed ? 0 : active_of_experts(m, runs, picks);
    sum->active_kept -= (E ? dense_active - active : 0) + other;
    return CULL_OK;
}

// ---- the model ----

// Do all experts that stand in layers that stay keep as many channels, and may a checkpoint say so?
static bool narrower(const cull_open_model *model, const cull_cut *cut)
{
    size_t width = SIZE_MAX;

    for (size_t l = 0; cut && l < model->facts->L; l++)
        for (size_t e = 0; e < cut->layer[l].E && !cull_cut_passes(cut, l); e++) {
            const size_t F = cull_layer_of(model, l)->F;
            if (cut->layer[l].action[e] != CULL_ACTION_BASE)
                continue;
            const size_t kept = cull_kept_channels(cut, cull_at_expert(l, CULL_PART_DOWN, e), F);
            if (width != SIZE_MAX && kept != width)
                return false;
            width = kept;
        }
    return !model->facts->one_width;
}

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
        if (layer->skip_moe || layer->skip_ratio > 0 || layer->top_p > 0)
            return false;
    }
    return true;
}

// An output bias has its place only beside one that is there.
static cull_status check_biases(cull_ctx *ctx, const cull_open_model *model, const cull_cut *cut,
                                bool *exportable)
{
    for (size_t i = 0; cut && i < cut->n_overlays && *exportable; i++) {
        const cull_matrix_id where = cut->overlay[i].where;
        cull_matrix m = { .size = sizeof m };
        if (cut->overlay[i].kind != CULL_BIAS)
            continue;
        CULL_TRY(CULL_CALL(ctx, model->plugin, where.layer, matrix,
                           model->backend->matrix(ctx, model->model, where, &m)));
        *exportable = !m.rows || m.bias;
    }
    return CULL_OK;
}

cull_status cull_cut_size_of(cull_ctx *ctx, const cull_open_model *model, const cull_cut *cut,
                             const uint8_t *frozen, cull_routing_counts usage, cull_cut_size *out)
{
    const cull_model_facts *facts = model->facts;

    *out = (cull_cut_size){ .exportable = !cut || exportable(model, cut) };
    out->gone = cull_take(ctx, facts->L, sizeof *out->gone);
    out->picks = cull_take(ctx, facts->L, sizeof *out->picks);
    out->passed = cull_take(ctx, facts->L, sizeof *out->passed);
    out->layer_kept = cull_take(ctx, facts->L, sizeof *out->layer_kept);
    out->side_total = cull_take(ctx, facts->L, sizeof *out->side_total);
    out->side_kept = cull_take(ctx, facts->L, sizeof *out->side_kept);
    if (!out->gone || !out->picks || !out->passed || !out->layer_kept || !out->side_total ||
        !out->side_kept)
        return CULL_ENOMEM;
    out->all_total = out->all_kept = (double)facts->params_total;
    out->active_total = out->active_kept = (double)facts->params_active;
    CULL_TRY(check_biases(ctx, model, cut, &out->exportable));
    const bool equal = narrower(model, cut);
    for (size_t l = 0; l < facts->L; l++) {
        const layer_size m = { model, cut, cull_layer_of(model, l), l, equal, out };
        const cull_stats *stats = usage.stats;
        pick_counts picks = { 0 };
        if (stats && (stats->groups & CULL_STAT_ROUTING)) {
            picks.count = stats->layer[l].count;
            picks.tokens = usage.of_variant ? (double)stats->layer[l].tokens : 0;
        }
        CULL_TRY(measure_layer(ctx, &m, frozen[l], &picks));
        cull_cut_leave(cut, l);
    }
    return CULL_OK;
}
