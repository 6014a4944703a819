// Which weights of one matrix go: the lowest scores, by row, by groups of a row, or over the whole.
#include "common/prune/choose.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

static bool all_finite(size_t n, const float *x)
{
    bool all = true;

    for (size_t j = 0; j < n; j++)
        all &= isfinite(x[j]) != 0;
    return all;
}

static cull_status check_row(const work *w, size_t i)
{
    const choice *c = w->c;
    const float *score = c->score + i * c->cols;

    if (all_finite(c->cols, score))
        return CULL_OK;
    size_t j = 0;
    while (isfinite(score[j]))
        j++;
    return w->ctx->host->fail(w->ctx, CULL_ENUMERIC,
                              "%s: the score of the weight at row %zu, column %zu is not finite",
                              place_of(c->where).s, i, j);
}

// Which of n <= 8 weights are above the threshold, and which on it.
static inline void compare(const float *score, size_t n, float threshold, unsigned *above,
                           unsigned *equal)
{
    *above = *equal = 0;
    for (size_t j = 0; j < n; j++) {
        *above |= (unsigned)(score[j] > threshold) << j;
        *equal |= (unsigned)(score[j] == threshold) << j;
    }
}

// Keep what is above the threshold, and of the ties all but the first `ties`; returns the ties
// left. Eight weights, a byte of the mask, at a time, and without a branch, which would be guessed
// wrong for every other weight.
static size_t keep_above(const work *w, size_t i, float threshold, size_t ties)
{
    const choice *c = w->c;
    const size_t stride = mask_stride(c->cols);
    const float *score = c->score + i * c->cols;
    uint8_t *row = w->mask + i * stride;

    for (size_t b = 0; b < stride; b++, score += 8) {
        unsigned above, equal;
        if (c->cols - 8 * b >= 8)
            compare(score, 8, threshold, &above, &equal);
        else
            compare(score, c->cols - 8 * b, threshold, &above, &equal);
        const unsigned stood = c->before ? c->before[i * stride + b] : 0xff;
        for (equal &= stood; equal && ties > 0; ties--)
            equal &= equal - 1; // without its first
        row[b] = (uint8_t)((above & stood) | equal);
    }
    return ties;
}

// The scores of row i that still compete, into buf (c->cols); their number comes back.
static size_t standing(const choice *c, size_t i, float *buf)
{
    const float *score = c->score + i * c->cols;
    size_t n = 0;

    if (!c->before) {
        memcpy(buf, score, c->cols * sizeof *buf);
        return c->cols;
    }
    for (size_t j = 0; j < c->cols; j++) {
        buf[n] = score[j];
        n += !was_dropped(c, i, j);
    }
    return n;
}

// ---- the threshold ----

enum { BINS = 512, LANES = 8 };

typedef struct bins { // equal parts of the range of some numbers
    float least, scale;
} bins;

// Not less for a greater number, so that a bin's numbers stand together in their order.
static size_t bin_of(const bins *b, float x)
{
    const float at = (x - b->least) * b->scale;

    return at < BINS - 1 ? (size_t)(int)at : BINS - 1;
}

// The range of n numbers; false: it cannot be parted.
static bool part_range(const float *x, size_t n, bins *out)
{
    float low[LANES], high[LANES];

    for (size_t v = 0; v < LANES; v++)
        low[v] = high[v] = x[0];
    for (size_t j = 0; j + LANES <= n; j += LANES)
        for (size_t v = 0; v < LANES; v++) {
            low[v] = x[j + v] < low[v] ? x[j + v] : low[v];
            high[v] = x[j + v] > high[v] ? x[j + v] : high[v];
        }
    for (size_t j = n / LANES * LANES; j < n; j++) {
        low[0] = x[j] < low[0] ? x[j] : low[0];
        high[0] = x[j] > high[0] ? x[j] : high[0];
    }
    for (size_t v = 1; v < LANES; v++) {
        low[0] = low[v] < low[0] ? low[v] : low[0];
        high[0] = high[v] > high[0] ? high[v] : high[0];
    }
    *out = (bins){ low[0], BINS / (high[0] - low[0]) };
    return isfinite(high[0] - low[0]) && isfinite(out->scale);
}

// Leave in buf only the numbers among which the one at place *k is, which becomes its place among
// them; returns how many they are. Those below are *below.
static size_t narrow_down(float *buf, size_t n, size_t *k, size_t *below)
{
    uint32_t count[BINS] = { 0 };
    bins b;
    size_t bin = 0, left = 0;

    *below = 0;
    if (n < 2 * LANES || n > UINT32_MAX || !part_range(buf, n, &b))
        return n;
    for (size_t j = 0; j < n; j++)
        count[bin_of(&b, buf[j])]++;
    while (*below + count[bin] <= *k)
        *below += count[bin++];
    for (size_t j = 0; j < n; j++) {
        const float x = buf[j];
        buf[left] = x;
        left += bin_of(&b, x) == bin;
    }
    *k -= *below;
    return left;
}

// The threshold below which k of the n numbers of buf lie, and how many of those equal to it go
// with them. k > 0; buf is used up. A few numbers far from the others leave them all in one bin,
// which is then parted again.
static float threshold_of(float *buf, size_t n, size_t k, size_t *ties)
{
    size_t at = k - 1, below = 0, less = 0, before;

    do {
        before = n;
        n = narrow_down(buf, n, &at, &less);
        below += less;
    } while (n < before && n > BINS);
    const float threshold = rank_kth(buf, n, at);

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
