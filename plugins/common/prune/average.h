// Weighted means of the experts' matrices, in float64.
#ifndef COMMON_AVERAGE_H
#define COMMON_AVERAGE_H

#include <cull/view.h>

#include "common/prune/parts.h"

static const cull_part expert_parts[] = { CULL_PART_GATE, CULL_PART_UP, CULL_PART_DOWN };
enum { N_EXPERT_PARTS = 3 };

// A group of experts of one layer.
struct group {
    size_t layer, n;
    const size_t *expert;        // (n)
    const double *weight;        // (n), not all 0; NULL: all alike
    const size_t *const *neuron; // (n) → (F): whose neuron stands in place r; NULL: everyone's own
};

// gate, up: (F, W); down: (W, F)
struct shape {
    size_t rows, cols;
};

static inline struct shape expert_shape(const cull_view *view, size_t l, cull_part part)
{
    const size_t W = experts_inputs(view, l), F = cull_view_layer(view, l)->F;

    return part == CULL_PART_DOWN ? (struct shape){ W, F } : (struct shape){ F, W };
}

static inline cull_status expert_matrix(cull_ctx *ctx, const cull_view *view, size_t l,
                                        cull_part part, size_t e, const float **w)
{
    const struct shape want = expert_shape(view, l, part);
    const float *bias;
    struct shape is;
    const cull_status status =
        view->weights(ctx, view, cull_at_expert(l, part, e), w, &is.rows, &is.cols, &bias);

    if (status == CULL_OK && (is.rows != want.rows || is.cols != want.cols))
        return ctx->host->fail(ctx, CULL_EINVAL, "%s: %zu x %zu, not %zu x %zu",
                               place_of(cull_at_expert(l, part, e)).s, is.rows, is.cols, want.rows,
                               want.cols);
    return status;
}

// sum += weight × w, neuron by neuron: rows of gate and up, columns of down.
static inline void add_matrix(struct shape shape, double *sum, const float *w, double weight,
                              cull_part part, const size_t *neuron)
{
    const size_t *row = part == CULL_PART_DOWN ? NULL : neuron;
    const size_t *col = part == CULL_PART_DOWN ? neuron : NULL;

    for (size_t r = 0; r < shape.rows; r++) {
        const float *from = w + (row ? row[r] : r) * shape.cols;
        for (size_t c = 0; c < shape.cols; c++)
            sum[r * shape.cols + c] += weight * (double)from[col ? col[c] : c];
    }
}

// mean (rows, cols), zero to begin with, gets Σ w W / Σ w of one part of the group. One matrix is
// held at a time.
static inline cull_status mean_of_group(cull_ctx *ctx, const cull_view *view,
                                        const struct group *group, cull_part part, double *mean)
{
    const struct shape shape = expert_shape(view, group->layer, part);
    double total = 0.0;

    for (size_t i = 0; i < group->n; i++) {
        const double weight = group->weight ? group->weight[i] : 1.0;
        const cull_scratch_mark mark = ctx->host->mark(ctx);
        const float *w;
        const cull_status status =
            expert_matrix(ctx, view, group->layer, part, group->expert[i], &w);

        if (status != CULL_OK)
            return status;
        add_matrix(shape, mean, w, weight, part, group->neuron ? group->neuron[i] : NULL);
        total += weight;
        ctx->host->rewind(ctx, mark);
    }
    for (size_t i = 0; i < shape.rows * shape.cols; i++)
        mean[i] /= total;
    return CULL_OK;
}

// Write the group's means, rounded to float32, as the matrices of expert `target`.
static inline cull_status overlay_means(cull_ctx *ctx, const cull_view *view,
                                        const struct group *group, size_t target, cull_cut *cut)
{
    for (size_t p = 0; p < N_EXPERT_PARTS; p++) {
        const cull_part part = expert_parts[p];
        const struct shape shape = expert_shape(view, group->layer, part);
        const cull_matrix_id where = cull_at_expert(group->layer, part, target);
        const cull_scratch_mark mark = ctx->host->mark(ctx);

        if (!part_present(cull_view_layer(view, group->layer), part))
            continue;
        double *mean = (double *)ctx->host->scratch(ctx, shape.rows * shape.cols, sizeof *mean);
        if (!mean)
            return CULL_ENOMEM;
        const cull_status status = mean_of_group(ctx, view, group, part, mean);
        if (status != CULL_OK)
            return status;
        float *w =
            (float *)ctx->host->overlay(ctx, cut, where, CULL_MATRIX, shape.rows, shape.cols);
        if (!w)
            return CULL_ENOMEM;
        for (size_t i = 0; i < shape.rows * shape.cols; i++)
            w[i] = (float)mean[i];
        ctx->host->rewind(ctx, mark);
    }
    return CULL_OK;
}

#endif
