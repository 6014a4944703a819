// What calibration sees of one block of an expert's rows.
#include <math.h>

#include "engine/input_hooks.h"
#include "engine/observe_sums.h"
#include <cull/kernel.h>

// The head of an item's accumulator; mean (D), m2 (D), g2y (D), x_sq (D), u_sq (F) and the
// observers' follow.
typedef struct item_head {
    double count, gate, gate_sq, norm, norm_sq, gate_norm, norm_max, max_signed, max_abs;
} item_head;

enum { HEAD = sizeof(item_head) / sizeof(double) };

static double *mean_of(double *acc)
{
    return acc + HEAD;
}
static double *m2_of(const cull_stats_pass *g, double *acc)
{
    return acc + HEAD + g->D;
}
static double *g2y_of(const cull_stats_pass *g, double *acc)
{
    return acc + HEAD + 2 * g->D;
}
static double *x_sq_of(const cull_stats_pass *g, double *acc)
{
    return acc + HEAD + 3 * g->D;
}
static double *u_sq_of(const cull_stats_pass *g, double *acc)
{
    return acc + HEAD + 4 * g->D;
}

static double norm_of(const float *y, size_t D, item_head *h)
{
    double sum = 0.0;
    double top = -INFINITY, low = INFINITY;

    for (size_t d = 0; d < D; d++) {
        sum += (double)y[d] * (double)y[d];
        top = y[d] > top ? y[d] : top;
        low = y[d] < low ? y[d] : low;
    }
    const double widest = top > -low ? top : -low;
    h->max_signed = top > h->max_signed ? top : h->max_signed;
    h->max_abs = widest > h->max_abs ? widest : h->max_abs;
    return sqrt(sum);
}

static void add_norms(const cull_expert_rows *rows, item_head *h, float *norm)
{
    h->max_signed = -INFINITY;
    for (size_t i = 0; i < rows->n; i++) {
        const double gate = rows->gate[i];
        const double N = norm_of(rows->y + i * rows->D, rows->D, h);
        norm[i] = (float)N;
        h->gate += gate;
        h->gate_sq += gate * gate;
        h->norm += N;
        h->norm_sq += N * N;
        h->gate_norm += gate * N;
        h->norm_max = N > h->norm_max ? N : h->norm_max;
    }
    h->count = (double)rows->n;
}

// Two passes over the block: its mean, then squares about it.
CULL_CLONES
static void add_moments(const cull_stats_pass *g, const cull_expert_rows *rows, double *acc)
{
    double *mean = mean_of(acc), *m2 = m2_of(g, acc), *g2y = g2y_of(g, acc);

    for (size_t i = 0; i < rows->n; i++) {
        const float *y = rows->y + i * g->D;
        const double gg = (double)rows->gate[i] * (double)rows->gate[i];
        for (size_t d = 0; d < g->D; d++) {
            mean[d] += y[d];
            g2y[d] += gg * y[d];
        }
    }
    for (size_t d = 0; d < g->D; d++)
        mean[d] /= (double)rows->n;
    for (size_t i = 0; i < rows->n; i++) {
        const float *y = rows->y + i * g->D;
        for (size_t d = 0; d < g->D; d++) {
            const double delta = y[d] - mean[d];
            m2[d] += delta * delta;
        }
    }
}

static void begin_item(void *arg, size_t e, double *acc, cull_input_hooks *inputs)
{
    const cull_stats_pass *g = arg;

    if (g->groups & CULL_STAT_INPUT_SQUARES)
        inputs->down_sq = u_sq_of(g, acc);
    if (g->groups & CULL_STAT_HESSIAN)
        inputs->down_hessian = g->u_hessian + e * g->F * g->F;
}

static cull_status add_item(void *arg, const cull_expert_rows *rows, double *acc, float *norm)
{
    const cull_stats_pass *g = arg;

    add_norms(rows, (item_head *)(void *)acc, norm);
    if (g->groups & CULL_STAT_OUTPUT_MOMENTS)
        add_moments(g, rows, acc);
    if (g->groups & CULL_STAT_INPUT_SQUARES)
        cull_add_squares(rows->n, g->D, rows->x, g->D, x_sq_of(g, acc));
    for (size_t i = 0; i < g->cal->n_observers; i++) {
        const cull_observer_use *use = g->cal->observers + i;
        if (use->observer->add_expert)
            use->observer->add_expert(use->settings, rows, acc + g->observer_at[i]);
    }
    if (!(g->groups & CULL_STAT_HESSIAN))
        return CULL_OK;
    cull_piece piece = cull_piece_outer(g->run); // items run one by one then, by the coordinator
    return cull_add_hessian(&piece, rows->n, g->D, rows->x, g->D,
                            g->x_hessian + rows->expert * g->D * g->D);
}

static void raise_to(double *to, double value, bool first)
{
    if (first || value > *to)
        *to = value;
}

// Chan et al.: (n, mean, M2) of two disjoint sets.
static void merge_moments(const cull_stats_pass *g, size_t e, double before, double n,
                          const double *acc)
{
    double *mean = (double *)g->stats->mean + e * g->D;
    double *m2 = (double *)g->stats->var + e * g->D;
    const double *mean_b = mean_of((double *)(uintptr_t)acc);
    const double *m2_b = m2_of(g, (double *)(uintptr_t)acc);

    for (size_t d = 0; d < g->D; d++) {
        const double delta = mean_b[d] - mean[d];
        m2[d] += m2_b[d] + delta * delta * before * n / (before + n);
        mean[d] += delta * n / (before + n);
    }
    cull_sums_add((double *)g->stats->mean_gate + e * g->D, g->D,
                  g2y_of(g, (double *)(uintptr_t)acc));
}

static void merge_item(void *arg, size_t e, const double *acc)
{
    cull_stats_pass *g = arg;
    cull_layer_stats *s = g->stats;
    const item_head *h = (const item_head *)(const void *)acc;
    double *count = (double *)s->count;
    const double before = count[e];

    count[e] += h->count;
    ((double *)s->gate_sum)[e] += h->gate;
    ((double *)s->gate_sq)[e] += h->gate_sq;
    if (g->groups & CULL_STAT_OUTPUT_NORM) {
        ((double *)s->norm_sum)[e] += h->norm;
        ((double *)s->norm_sq)[e] += h->norm_sq;
        ((double *)s->gate_norm)[e] += h->gate_norm;
        raise_to((double *)s->norm_max + e, h->norm_max, before == 0.0);
        raise_to((double *)s->max_signed + e, h->max_signed, before == 0.0);
        raise_to((double *)s->max_abs + e, h->max_abs, before == 0.0);
    }
    if (g->groups & CULL_STAT_OUTPUT_MOMENTS)
        merge_moments(g, e, before, h->count, acc);
    if (g->groups & CULL_STAT_INPUT_SQUARES) {
        cull_sums_add((double *)s->x_sq + e * g->D, g->D, x_sq_of(g, (double *)(uintptr_t)acc));
        cull_sums_add((double *)s->u_sq + e * g->F, g->F, u_sq_of(g, (double *)(uintptr_t)acc));
    }
    for (size_t i = 0; i < g->cal->n_observers; i++)
        if (g->cal->observers[i].observer->add_expert)
            cull_merge_observer(g, i, acc + g->observer_at[i]);
}

size_t cull_hook_experts(const cull_stats_pass *g, cull_layer_hooks *hooks)
{
    hooks->begin_item = begin_item;
    hooks->item = add_item;
    hooks->merge_item = merge_item;
    return HEAD + 4 * g->D + g->F;
}
