// A cluster's mean, and the expert nearest to it.
#include "reconstruct.h"

#include <math.h>

// far[i] += the squared distance of member i's matrix to the group's mean matrix.
static cull_status add_distances(cull_ctx *ctx, const cull_view *view, const struct group *group,
                                 cull_part part, double *far)
{
    const struct shape shape = expert_shape(view, group->layer, part);
    const cull_scratch_mark mark = ctx->host->mark(ctx);
    double *mean = (double *)ctx->host->scratch(ctx, shape.rows * shape.cols, sizeof *mean);
    cull_status status = CULL_ENOMEM;

    if (mean)
        status = mean_of_group(ctx, view, group, part, mean);
    for (size_t i = 0; i < group->n && status == CULL_OK; i++) {
        const cull_scratch_mark inner = ctx->host->mark(ctx);
        const float *w;

        status = expert_matrix(ctx, view, group->layer, part, group->expert[i], &w);
        for (size_t k = 0; k < shape.rows * shape.cols && status == CULL_OK; k++) {
            const double x = (double)w[k] - mean[k];
            far[i] += x * x;
        }
        ctx->host->rewind(ctx, inner);
    }
    ctx->host->rewind(ctx, mark);
    return status;
}

cull_status distances_to_mean(cull_ctx *ctx, const cull_view *view, const struct group *group,
                              double *far)
{
    cull_status status = CULL_OK;

    for (size_t i = 0; i < group->n; i++)
        far[i] = 0.0;
    for (size_t p = 0; p < N_EXPERT_PARTS && status == CULL_OK; p++)
        if (part_present(cull_view_layer(view, group->layer), expert_parts[p]))
            status = add_distances(ctx, view, group, expert_parts[p], far);
    for (size_t i = 0; i < group->n; i++)
        far[i] = sqrt(far[i]);
    return status;
}

cull_status find_representative(cull_ctx *ctx, const cull_view *view, const struct group *group,
                                size_t *out)
{
    size_t nearest = 0;

    *out = group->expert[0];
    if (group->n <= 2) // two are equally far from their mean
        return CULL_OK;

    double *far = (double *)ctx->host->scratch(ctx, group->n, sizeof *far);
    if (!far)
        return CULL_ENOMEM;
    const cull_status status = distances_to_mean(ctx, view, group, far);
    if (status != CULL_OK)
        return status;
    for (size_t i = 1; i < group->n; i++)
        if (far[i] < far[nearest])
            nearest = i;
    *out = group->expert[nearest];
    return CULL_OK;
}

cull_status overlay_mean_rows(cull_ctx *ctx, const cull_view *view, size_t l, size_t n,
                              const struct group *groups, const size_t *representative,
                              cull_cut *cut)
{
    const cull_matrix_id where = cull_at(l, CULL_PART_ROUTER);
    const float *w, *bias;
    size_t rows, D;
    const cull_status status = view->weights(ctx, view, where, &w, &rows, &D, &bias);

    if (status != CULL_OK)
        return status;
    float *router = (float *)ctx->host->overlay(ctx, cut, where, CULL_MATRIX, rows, D);
    if (!router)
        return CULL_ENOMEM;
    for (size_t k = 0; k < rows * D; k++)
        router[k] = w[k];
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < D; d++) {
            double sum = 0.0;
            for (size_t m = 0; m < groups[i].n; m++)
                sum += (double)w[groups[i].expert[m] * D + d];
            router[representative[i] * D + d] = (float)(sum / (double)groups[i].n);
        }
    return CULL_OK;
}
