// REAM's distances of two experts' neurons: by what they yield, and by their weights.
#include <math.h>

#include "align.h"
#include "common/prune/math_service.h"
#include "common/prune/stats.h"

enum { TOKENS_AT_ONCE = 512, COMPONENTS = 64 };

// ---- activations: Euclidean distance of the channels' columns over the sample, each of norm 1
// ----

// Channels (F) of n tokens, `stride` floats apart, as doubles, and their squares added to `norm`.
static void widen(size_t n, size_t F, const float *from, size_t stride, double *to, double *norm)
{
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < F; c++) {
            to[i * F + c] = (double)from[i * stride + c];
            norm[c] += to[i * F + c] * to[i * F + c];
        }
}

// ‖a/|a| − b/|b|‖ from |a|², |b|² and a·b; a neuron that is always 0 stays 0.
static double unit_distance(double aa, double bb, double ab)
{
    const double cosine = aa > 0.0 && bb > 0.0 ? ab / (sqrt(aa) * sqrt(bb)) : 0.0;
    const double sq = (aa > 0.0) + (bb > 0.0) - 2.0 * cosine;

    return sq > 0.0 ? sqrt(sq) : 0.0;
}

static cull_status add_activations(cull_ctx *ctx, const cull_view *view, size_t l, size_t reference,
                                   size_t e, double *cost)
{
    const size_t F = cull_view_layer(view, l)->F, stride = cull_view_layer(view, l)->E * F;
    const cull_layer_stats *s = stats_of_layer(view, l);
    const cull_dense_sample *dense = s ? s->dense : NULL;
    const cull_math_ext *math;
    double *room =
        (double *)ctx->host->scratch(ctx, (2 * TOKENS_AT_ONCE + 2 + F) * F, sizeof *room);

    if (!dense || !dense->channels)
        return ctx->host->fail(ctx, CULL_ENOTSUP, "layer %zu: nothing was gathered of its channels",
                               l);
    const cull_status status = room ? math_service(ctx, &math) : CULL_ENOMEM;
    if (status != CULL_OK)
        return status;
    double *a = room, *b = a + TOKENS_AT_ONCE * F, *aa = b + TOKENS_AT_ONCE * F, *bb = aa + F;
    double *ab = bb + F;

    for (size_t t = 0; t < dense->N; t += TOKENS_AT_ONCE) {
        const size_t n = dense->N - t < TOKENS_AT_ONCE ? dense->N - t : TOKENS_AT_ONCE;
        const float *from = dense->channels + t * stride;
        widen(n, F, from + reference * F, stride, a, aa);
        widen(n, F, from + e * F, stride, b, bb);
        if (!math->gemm_f64(true, false, F, F, n, 1.0, a, F, b, F, 1.0, ab, F))
            return CULL_ENOMEM;
    }
    for (size_t i = 0; i < F * F; i++)
        cost[i] += unit_distance(aa[i / F], bb[i % F], ab[i]);
    return CULL_OK;
}

// ---- weights: principal components of the neurons of both experts together ----

// Row f of x (2F, width): [gate_f | up_f | down_:f] of the neurons of one expert, then of the
// other.
static cull_status neuron_rows(cull_ctx *ctx, const cull_view *view, size_t l, size_t e,
                               size_t width, double *x)
{
    const size_t F = cull_view_layer(view, l)->F, W = experts_inputs(view, l);
    size_t at = 0;

    for (size_t p = 0; p < N_EXPERT_PARTS; p++) {
        const cull_scratch_mark mark = ctx->host->mark(ctx);
        const bool down = expert_parts[p] == CULL_PART_DOWN;
        const float *w;

        if (!part_present(cull_view_layer(view, l), expert_parts[p]))
            continue;
        const cull_status status = expert_matrix(ctx, view, l, expert_parts[p], e, &w);
        if (status != CULL_OK)
            return status;
        for (size_t i = 0; i < F * W; i++)
            x[i / W * width + at + i % W] = (double)(down ? w[i % W * F + i / W] : w[i]);
        at += W;
        ctx->host->rewind(ctx, mark);
    }
    return CULL_OK;
}

static void normalise_rows(size_t n, size_t width, double *x)
{
    for (size_t r = 0; r < n; r++) {
        double sum = 0.0;
        for (size_t c = 0; c < width; c++)
            sum += x[r * width + c] * x[r * width + c];
        for (size_t c = 0; c < width && sum > 0.0; c++)
            x[r * width + c] /= sqrt(sum);
    }
}

static void centre_columns(size_t n, size_t width, double *x)
{
    for (size_t c = 0; c < width; c++) {
        double mean = 0.0;
        for (size_t r = 0; r < n; r++)
            mean += x[r * width + c] / (double)n;
        for (size_t r = 0; r < n; r++)
            x[r * width + c] -= mean;
    }
}

// score (n, r) = U S² of x (n, width) = U S Vᵀ: eigenvectors of x xᵀ times eigenvalues.
static cull_status principal_scores(cull_ctx *ctx, size_t n, size_t width, const double *x,
                                    size_t r, double *score)
{
    const cull_math_ext *math;
    const cull_status status = math_service(ctx, &math);

    if (status != CULL_OK)
        return status;
    double *gram = (double *)ctx->host->scratch(ctx, n * n, sizeof *gram);
    double *work = (double *)ctx->host->scratch(ctx, math->eigen_f64_work(n), sizeof *work);
    double *value = (double *)ctx->host->scratch(ctx, r, sizeof *value);
    double *vector = (double *)ctx->host->scratch(ctx, r * n, sizeof *vector);
    if (!gram || !work || !value || !vector)
        return CULL_ENOMEM;
    if (!math->syrk_f64(false, n, width, x, width, 0.0, gram, n) ||
        !math->eigen_f64(n, gram, r, value, vector, work))
        return ctx->host->fail(ctx, CULL_ENUMERIC,
                               "the principal components of %zu neurons were not found", n);
    for (size_t i = 0; i < n * r; i++)
        score[i] = vector[i % r * n + i / r] * value[i % r];
    return CULL_OK;
}

static cull_status add_weights(cull_ctx *ctx, const cull_view *view, size_t l, size_t reference,
                               size_t e, double *cost)
{
    const cull_layer_facts *layer = cull_view_layer(view, l);
    const size_t F = layer->F, n = 2 * F;
    const size_t width = (part_present(layer, CULL_PART_GATE) ? 3 : 2) * experts_inputs(view, l);
    const size_t most = n < width ? n : width, r = most < COMPONENTS ? most : COMPONENTS;
    double *x = (double *)ctx->host->scratch(ctx, n * width, sizeof *x);
    double *score = (double *)ctx->host->scratch(ctx, n * r, sizeof *score);
    cull_status status = x && score ? CULL_OK : CULL_ENOMEM;

    if (status == CULL_OK)
        status = neuron_rows(ctx, view, l, reference, width, x);
    if (status == CULL_OK)
        status = neuron_rows(ctx, view, l, e, width, x + F * width);
    if (status != CULL_OK)
        return status;
    normalise_rows(n, width, x);
    centre_columns(n, width, x);
    status = principal_scores(ctx, n, width, x, r, score);
    if (status != CULL_OK)
        return status;
    normalise_rows(n, r, score);
    for (size_t i = 0; i < F * F; i++) {
        const double *a = score + i / F * r, *b = score + (F + i % F) * r;
        double sq = 0.0;
        for (size_t k = 0; k < r; k++)
            sq += (a[k] - b[k]) * (a[k] - b[k]);
        cost[i] += sqrt(sq);
    }
    return CULL_OK;
}

cull_status neuron_distances(cull_ctx *ctx, const cull_view *view, size_t l, size_t reference,
                             size_t e, enum alignment how, double *cost)
{
    const cull_scratch_mark mark = ctx->host->mark(ctx);
    cull_status status = CULL_OK;

    if (how == ALIGN_ACTIVATIONS || how == ALIGN_BOTH)
        status = add_activations(ctx, view, l, reference, e, cost);
    ctx->host->rewind(ctx, mark);
    if (status == CULL_OK && (how == ALIGN_WEIGHTS || how == ALIGN_BOTH))
        status = add_weights(ctx, view, l, reference, e, cost);
    ctx->host->rewind(ctx, mark);
    return status;
}
