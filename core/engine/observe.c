// The statistics of the layer in hand: its sums begin, finish and go.
#include "engine/observe.h"

#include "base/call.h"
#include "base/memory.h"
#include "engine/observe_sums.h"

uint64_t cull_layer_sums_bytes(size_t E, size_t D, size_t F, uint32_t groups)
{
    enum { AT_ONCE = 5 }; // a sum a level of the slices' tree, and the one in hand
    uint64_t expert = 0, pair = 0;

    if (groups & CULL_STAT_OUTPUT_MOMENTS)
        expert += 3 * D;
    if (groups & CULL_STAT_INPUT_SQUARES)
        expert += D + F;
    if (groups & CULL_STAT_DENSE_MEAN)
        expert += D;
    if (groups & CULL_STAT_DENSE_GATED)
        expert += D;
    if (groups & CULL_STAT_CHANNEL_MOMENTS)
        expert += 2 * F;
    if (groups & CULL_STAT_GATED_SQUARES)
        expert += D + F;
    if (groups & CULL_STAT_GATED_PEAKS)
        expert += F;
    pair += groups & CULL_STAT_COACTIVATION ? 1 : 0;
    pair += groups & CULL_STAT_LOGIT_GRAM ? 2 : 0;
    const uint64_t waiting = groups & CULL_STAT_HESSIAN ? CULL_HESSIAN_ROWS * (D + F) : 0;
    return AT_ONCE * (E * expert + E * E * pair) * sizeof(double) + E * waiting * sizeof(float);
}

// ---- the inputs of parts ----

static bool is_experts(uint32_t part)
{
    return part == CULL_PART_GATE || part == CULL_PART_UP || part == CULL_PART_DOWN;
}

static cull_status begin_parts(cull_stats_pass *g, cull_layer_hooks *hooks)
{
    const cull_layer_facts *facts = cull_layer_of(g->run->m, g->l);

    for (uint32_t p = 0; p < CULL_N_PARTS; p++) {
        cull_matrix m = { .size = sizeof m };
        if (!(facts->parts >> p & 1u) || is_experts(p))
            continue;
        CULL_TRY(CULL_CALL(g->run->ctx, g->run->m->plugin, g->l, matrix,
                           g->run->m->backend->matrix(g->run->ctx, g->run->m->model,
                                                      cull_at(g->l, (cull_part)p), &m)));
        CULL_TRY(cull_column_sums_init(g->run->ctx, &g->part[p], CULL_COLUMN_SQUARES, m.cols,
                                       g->first_slice, g->end_slice));
        hooks->inputs.part[p] = &g->part[p];
    }
    return CULL_OK;
}

static cull_status finish_parts(cull_stats_pass *g)
{
    for (size_t p = 0; p < CULL_N_PARTS; p++) {
        if (!g->part[p].cols)
            continue;
        double *out = cull_stats_store_part(g->store, g->l, (cull_part)p, g->part[p].cols);
        if (!out)
            return cull_no_memory(g->run->ctx);
        cull_column_sums_total(&g->part[p], 0, out);
    }
    return CULL_OK;
}

// ---- the channels of the shared or dense part ----

static cull_status begin_side(cull_stats_pass *g, size_t F, cull_layer_hooks *hooks)
{
    static const struct {
        uint32_t group;
        cull_column_kind kind;
    } sums[CULL_N_SIDE_SUMS] = {
        [CULL_SIDE_SPREAD] = { CULL_STAT_CHANNEL_MOMENTS, CULL_COLUMN_SPREAD },
        [CULL_SIDE_GATED] = { CULL_STAT_GATED_SQUARES, CULL_COLUMN_GATED },
        [CULL_SIDE_PEAKS] = { CULL_STAT_GATED_PEAKS, CULL_COLUMN_PEAKS },
    };

    for (size_t i = 0; F && i < CULL_N_SIDE_SUMS; i++) {
        if (!(g->groups & sums[i].group))
            continue;
        CULL_TRY(cull_column_sums_init(g->run->ctx, &g->side[i], sums[i].kind, F, g->first_slice,
                                       g->end_slice));
        hooks->inputs.side = g->side;
    }
    return CULL_OK;
}

static void finish_side(cull_stats_pass *g)
{
    const cull_layer_stats *s = g->stats;
    double *var = (double *)s->side_var;

    if (g->side[CULL_SIDE_SPREAD].cols) {
        cull_column_sums_total(&g->side[CULL_SIDE_SPREAD], 0, (double *)s->side_mean);
        cull_column_sums_total(&g->side[CULL_SIDE_SPREAD], 1, var);
        for (size_t c = 0; c < s->side_F; c++)
            var[c] = s->tokens > 1 ? var[c] / ((double)s->tokens - 1.0) : 0.0;
    }
    if (g->side[CULL_SIDE_GATED].cols)
        cull_column_sums_total(&g->side[CULL_SIDE_GATED], 0, (double *)s->side_gu_sq);
    if (g->side[CULL_SIDE_PEAKS].cols)
        cull_column_sums_total(&g->side[CULL_SIDE_PEAKS], 0, (double *)s->side_gu_peak);
}

// ---- the layer ----

cull_status cull_stats_pass_begin(cull_stats_pass *g, size_t l, cull_layer_hooks *hooks)
{
    const cull_layer_facts *facts = cull_layer_of(g->run->m, l);

    g->l = l;
    g->E = facts->E;
    g->K = facts->K;
    g->F = facts->F;
    g->D = g->run->m->facts->D;
    g->stats = cull_stats_store_layer(g->store, l);
    g->n_ratios = 0;
    *hooks = (cull_layer_hooks){ .arg = g, .inputs.slice = g->slice };
    if (g->groups & CULL_STAT_INPUT_SQUARES)
        CULL_TRY(begin_parts(g, hooks));
    CULL_TRY(begin_side(g, facts->side_F, hooks));
    if (g->E)
        CULL_TRY(cull_experts_begin(g, hooks));
    return cull_rows_begin(g, hooks);
}

cull_status cull_stats_pass_finish(cull_stats_pass *g)
{
    g->stats->tokens = g->n_tokens;
    CULL_TRY(finish_parts(g));
    finish_side(g);
    if (g->E)
        cull_experts_finish(g);
    cull_rows_finish(g);
    return CULL_OK;
}

void cull_stats_pass_leave(cull_stats_pass *g)
{
    cull_experts_leave(g);
    cull_rows_leave(g);
    for (size_t p = 0; p < CULL_N_PARTS; p++)
        cull_column_sums_release(&g->part[p]);
    for (size_t i = 0; i < CULL_N_SIDE_SUMS; i++)
        cull_column_sums_release(&g->side[i]);
    g->stats->dense = NULL;
}

void cull_stats_pass_release(cull_stats_pass *g)
{
    if (g->stats)
        cull_stats_pass_leave(g);
    cull_slice_sum_release(&g->pairs);
    cull_free(g->ratio);
}
