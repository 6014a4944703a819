// Which experts go: the lowest scores within a budget.
#include "common/prune/choose.h"

#include <math.h>
#include <stdlib.h>

#include "common/prune/masks.h"
#include "common/prune/parts.h"
#include "common/prune/rank.h"

enum {
    SLICES = 64
}; // rows are worked on in at most so many slices, whatever the number of threads

typedef struct work {
    cull_ctx *ctx;
    const choice *c;
    uint8_t *mask;
    size_t slice; // rows of a slice
    void *room;   // per slice
    size_t room_bytes;
} work;

static bool was_dropped(const choice *c, size_t i, size_t j)
{
    return c->before && !mask_kept(c->before + i * mask_stride(c->cols), j);
}

static cull_status check_row(const work *w, size_t i)
{
    const choice *c = w->c;

    for (size_t j = 0; j < c->cols; j++)
        if (!isfinite(c->score[i * c->cols + j]))
            return w->ctx->host->fail(
                w->ctx, CULL_ENUMERIC,
                "%s: the score of the weight at row %zu, column %zu is not finite",
                place_of(c->where).s, i, j);
    return CULL_OK;
}

// Keep what is above the threshold, and of the ties all but the first `ties`; returns the ties
// left.
static size_t keep_above(const work *w, size_t i, float threshold, size_t ties)
{
    const choice *c = w->c;
    const float *score = c->score + i * c->cols;
    uint8_t *row = w->mask + i * mask_stride(c->cols);

    for (size_t j = 0; j < c->cols; j++) {
        if (was_dropped(c, i, j) || score[j] < threshold)
            continue;
        if (score[j] == threshold && ties > 0)
            ties--;
        else
            mask_keep(row, j);
    }
    return ties;
}

// The scores of row i that still compete, into buf; their number comes back.
static size_t standing(const choice *c, size_t i, float *buf)
{
    size_t n = 0;

    for (size_t j = 0; j < c->cols; j++)
        if (!was_dropped(c, i, j))
            buf[n++] = c->score[i * c->cols + j];
    return n;
}

// The threshold below which k of the n numbers of buf lie, and how many of those equal to it go
// with them. k > 0; buf is permuted.
static float threshold_of(float *buf, size_t n, size_t k, size_t *ties)
{
    const float threshold = rank_kth(buf, n, k - 1);
    size_t below = 0;

    for (size_t i = 0; i < n; i++)
        below += buf[i] < threshold;
    *ties = k - below;
    return threshold;
}

static cull_status choose_in_row(const work *w, size_t i, void *room)
{
    const size_t n = standing(w->c, i, room);
    const size_t k = mask_quota(n, w->c->sparsity);
    size_t ties = 0;
    const float threshold = k ? threshold_of(room, n, k, &ties) : -INFINITY;

    keep_above(w, i, threshold, ties);
    return CULL_OK;
}

// n:m, a row in groups of m consecutive inputs. A shorter group at the end gives up the same share
// of its own, rounded down.
static cull_status choose_in_groups(const work *w, size_t i, void *room)
{
    const choice *c = w->c;
    const size_t n = mask_quota(c->m, c->sparsity);
    const float *score = c->score + i * c->cols;
    uint8_t *row = w->mask + i * mask_stride(c->cols);
    bool *gone = room; // (m)

    for (size_t first = 0; first < c->cols; first += c->m) {
        const size_t size = c->cols - first < c->m ? c->cols - first : c->m;
        size_t quota = size * n / c->m;
        for (size_t j = 0; j < size; j++) {
            gone[j] = was_dropped(c, i, first + j);
            quota -= gone[j] && quota > 0;
        }
        for (; quota > 0; quota--) {
            size_t least = size;
            for (size_t j = 0; j < size; j++)
                if (!gone[j] && (least == size || score[first + j] < score[first + least]))
                    least = j;
            gone[least] = true;
        }
        for (size_t j = 0; j < size; j++)
            if (!gone[j])
                mask_keep(row, first + j);
    }
    return CULL_OK;
}

typedef struct ranked {
    float score;
    uint32_t at;
} ranked;

static int by_score(const void *a, const void *b)
{
    const ranked *x = a;
    const ranked *y = b;

    if (x->score != y->score)
        return x->score < y->score ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

// Each score of row i becomes the share of the row's sum that it and all below it make up.
static cull_status share_in_row(const work *w, size_t i, void *room)
{
    const choice *c = w->c;
    float *score = c->score + i * c->cols;
    ranked *order = room; // (cols)
    size_t n = 0;
    double total = 0;

    for (size_t j = 0; j < c->cols; j++) {
        if (was_dropped(c, i, j))
            continue;
        order[n++] = (ranked){ score[j], (uint32_t)j };
        total += score[j];
    }
    qsort(order, n, sizeof *order, by_score);
    double sum = 0;
    for (size_t k = 0; k < n; k++) {
        sum += order[k].score;
        score[order[k].at] = total > 0 ? (float)(sum / total) : 0.0F;
    }
    return CULL_OK;
}

typedef cull_status (*row_fn)(const work *w, size_t i, void *room);

typedef struct sweep {
    const work *w;
    row_fn fn;
} sweep;

static cull_status sweep_slice(void *arg, size_t slice)
{
    const sweep *s = arg;
    const work *w = s->w;
    char *room = (char *)w->room + slice * w->room_bytes;
    const size_t end = (slice + 1) * w->slice < w->c->rows ? (slice + 1) * w->slice : w->c->rows;

    for (size_t i = slice * w->slice; i < end; i++) {
        cull_status status = check_row(w, i);
        if (status == CULL_OK)
            status = s->fn(w, i, room);
        if (status != CULL_OK)
            return status;
    }
    return CULL_OK;
}

// fn for every row, on the pool, each slice with room for `bytes`.
static cull_status each_row(work *w, row_fn fn, size_t bytes)
{
    const cull_host *host = w->ctx->host;

    w->slice = (w->c->rows + SLICES - 1) / SLICES;
    w->room_bytes = (bytes + 63) / 64 * 64;
    w->room = host->scratch(w->ctx, SLICES, w->room_bytes);
    if (!w->room)
        return CULL_ENOMEM;
    return host->parallel(w->ctx, (w->c->rows + w->slice - 1) / w->slice, sweep_slice,
                          &(sweep){ w, fn });
}

static cull_status nothing_more(const work *w, size_t i, void *room)
{
    (void)w, (void)i, (void)room;
    return CULL_OK;
}

// One threshold for the whole matrix.
static cull_status choose_in_tensor(work *w)
{
    const choice *c = w->c;
    const bool share = c->group == GROUP_SHARE;
    const cull_status status =
        each_row(w, share ? share_in_row : nothing_more, share ? c->cols * sizeof(ranked) : 1);

    if (status != CULL_OK)
        return status;

    float *buf = w->ctx->host->scratch(w->ctx, c->rows * c->cols, sizeof *buf);
    if (!buf)
        return CULL_ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < c->rows; i++)
        n += standing(c, i, buf + n);
    const size_t k = mask_quota(n, c->sparsity);
    size_t ties = 0;
    const float threshold = k ? threshold_of(buf, n, k, &ties) : -INFINITY;
    for (size_t i = 0; i < c->rows; i++)
        ties = keep_above(w, i, threshold, ties);
    return CULL_OK;
}

cull_status choose(cull_ctx *ctx, const choice *c, uint8_t *mask)
{
    work w = { .ctx = ctx, .c = c, .mask = mask };

    if (c->rows == 0 || c->cols == 0)
        return CULL_OK;
    if (c->m > 0)
        return each_row(&w, choose_in_groups, c->m * sizeof(bool));
    if (c->group == GROUP_ROW)
        return each_row(&w, choose_in_row, c->cols * sizeof(float));
    return choose_in_tensor(&w);
}
