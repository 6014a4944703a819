// SparseGPT's sweep over the columns of a matrix.
#include "sweep.h"

#include <math.h>
#include <string.h>

#include "common/prune/masks.h"
#include "common/prune/math_service.h"
#include "common/prune/rank.h"

enum {
    SLICES = 64
}; // rows are worked on in at most so many slices, whatever the number of threads

typedef struct work {
    const cull_math_ext *math;
    const sweep *s;
    uint8_t *mask;
    size_t slice;      // rows of a slice
    size_t begin, end; // columns of the block
    double *error;     // (rows, block) what each removal leaves to make up for
    double *standing;  // (rows × block) scores that compete
} work;

static double weight_of(const work *k, size_t r, size_t c)
{
    return k->s->w[r * k->s->cols + c];
}

static double diagonal(const work *k, size_t c)
{
    return k->s->factor->U[c * k->s->cols + c];
}

static double score_of(const work *k, size_t r, size_t c)
{
    const double d = diagonal(k, c);

    return weight_of(k, r, c) * weight_of(k, r, c) / (d * d);
}

static bool was_dropped(const work *k, size_t r, size_t c)
{
    return k->s->before && !mask_kept(k->s->before + r * mask_stride(k->s->cols), c);
}

static uint8_t *mask_row(const work *k, size_t r)
{
    return k->mask + r * mask_stride(k->s->cols);
}

// One threshold for the whole block.
static void choose_block(const work *k)
{
    size_t n = 0;

    for (size_t r = 0; r < k->s->rows; r++)
        for (size_t c = k->begin; c < k->end; c++)
            if (!was_dropped(k, r, c))
                k->standing[n++] = score_of(k, r, c);
    const size_t quota = mask_quota(n, k->s->sparsity);
    const double threshold = quota ? rank_kth(k->standing, n, quota - 1) : -INFINITY;
    size_t ties = quota;
    for (size_t i = 0; i < n; i++)
        ties -= k->standing[i] < threshold;

    for (size_t r = 0; r < k->s->rows; r++) {
        for (size_t c = k->begin; c < k->end; c++) {
            const double score = score_of(k, r, c);
            if (was_dropped(k, r, c) || score < threshold)
                continue;
            if (score == threshold && ties > 0)
                ties--;
            else
                mask_keep(mask_row(k, r), c);
        }
    }
}

// n:m, on the weights as updated so far: the group that begins at column c of row r.
static void choose_group(const work *k, size_t r, size_t c)
{
    const size_t m = k->s->m;
    const size_t size = k->s->cols - c < m ? k->s->cols - c : m;
    size_t quota = size * mask_quota(m, k->s->sparsity) / m;

    for (size_t j = c; j < c + size; j++) {
        const bool gone = was_dropped(k, r, j);
        quota -= gone && quota > 0;
        if (!gone)
            mask_keep(mask_row(k, r), j);
    }
    for (; quota > 0; quota--) {
        size_t least = SIZE_MAX;
        for (size_t j = c; j < c + size; j++)
            if (mask_kept(mask_row(k, r), j) &&
                (least == SIZE_MAX || score_of(k, r, j) < score_of(k, r, least)))
                least = j;
        mask_drop(mask_row(k, r), least);
    }
}

// The block's columns from left to right; what a removal costs is made up for inside the block.
static void sweep_row(const work *k, size_t r)
{
    const sweep *s = k->s;
    double *w = s->w + r * s->cols;
    double *error = k->error + r * s->block;

    for (size_t c = k->begin; c < k->end; c++) {
        const double *u = s->factor->U + c * s->cols;
        if (s->m > 0 && c % s->m == 0)
            choose_group(k, r, c);
        const double stays = mask_kept(mask_row(k, r), c) ? w[c] : 0;
        const double e = (w[c] - stays) / u[c];
        for (size_t j = c + 1; j < k->end && e != 0; j++)
            w[j] -= e * u[j];
        w[c] = stays;
        error[c - k->begin] = e;
    }
}

// Rows of a slice: the block, then all columns to the right of it at once.
static cull_status sweep_slice(void *arg, size_t i)
{
    const work *k = arg;
    const sweep *s = k->s;
    const size_t first = i * k->slice;
    const size_t rows = s->rows - first < k->slice ? s->rows - first : k->slice;

    for (size_t r = first; r < first + rows; r++)
        sweep_row(k, r);
    if (k->end == s->cols)
        return CULL_OK;
    return k->math->gemm_f64(false, false, rows, s->cols - k->end, k->end - k->begin, -1,
                             k->error + first * s->block, s->block,
                             s->factor->U + k->begin * s->cols + k->end, s->cols, 1,
                             s->w + first * s->cols + k->end, s->cols)
               ? CULL_OK
               : CULL_ENOTSUP;
}

cull_status sweep_matrix(cull_ctx *ctx, const sweep *s, uint8_t *mask)
{
    const cull_host *host = ctx->host;
    work k = { .s = s, .mask = mask, .slice = (s->rows + SLICES - 1) / SLICES };
    const cull_status found = math_service(ctx, &k.math);

    if (found != CULL_OK)
        return found;
    k.error = host->scratch(ctx, s->rows * s->block, sizeof *k.error);
    k.standing = host->scratch(ctx, s->rows * s->block, sizeof *k.standing);
    if (!k.error || !k.standing)
        return CULL_ENOMEM;

    for (size_t r = 0; r < s->rows; r++)
        for (size_t c = 0; c < s->cols; c++)
            if (s->factor->dead[c])
                s->w[r * s->cols + c] = 0;
    for (k.begin = 0; k.begin < s->cols; k.begin = k.end) {
        k.end = s->cols - k.begin < s->block ? s->cols : k.begin + s->block;
        if (s->m == 0)
            choose_block(&k);
        const cull_status status =
            host->parallel(ctx, (s->rows + k.slice - 1) / k.slice, sweep_slice, &k);
        if (status != CULL_OK)
            return status;
    }
    return CULL_OK;
}
