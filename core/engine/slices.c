// Slices of an experiment's sequences, and sums over them in a fixed binary tree.
#include "engine/slices.h"

#include <string.h>

#include "base/memory.h"

void cull_slices_assign(size_t n, const size_t *length, uint8_t *slice)
{
    uint64_t all = 0, before = 0;

    for (size_t i = 0; i < n; i++)
        all += length[i];
    for (size_t i = 0; i < n; i++) {
        slice[i] = (uint8_t)((2 * before + length[i]) * CULL_SLICES / (2 * all));
        before += length[i];
    }
}

// The smallest node that holds slices a < b: its first slice, and its size.
static size_t node_of(size_t a, size_t b, size_t *size)
{
    for (*size = 1; a / *size != b / *size;)
        *size *= 2;

    return a / *size * *size;
}

static void merge_last(cull_slice_sum *s)
{
    double *to = s->sum[s->held - 2];
    const double *from = s->sum[s->held - 1];

    if (s->merge)
        s->merge(s, to, from);
    else
        for (size_t i = 0; i < s->n; i++)
            to[i] += from[i];
    s->held--;
}

// Merge the nodes that are complete when `next` is the first slice to come.
static void settle(cull_slice_sum *s, size_t next)
{
    while (s->held >= 2) {
        size_t size;
        const size_t first = node_of(s->slice[s->held - 2], s->slice[s->held - 1], &size);
        if (first + size > next || first < s->first || first + size > s->end)
            return;
        merge_last(s);
    }
}

double *cull_slice_sum_at(cull_slice_sum *s, size_t slice)
{
    if (s->held && s->slice[s->held - 1] == slice)
        return s->sum[s->held - 1];
    settle(s, slice);
    const size_t at = s->held;
    if (!s->sum[at])
        s->sum[at] = cull_alloc(s->n, sizeof **s->sum);
    else
        memset(s->sum[at], 0, s->n * sizeof **s->sum);
    if (!s->sum[at])
        return NULL;
    s->slice[at] = slice;
    s->held++;
    return s->sum[at];
}

const double *cull_slice_sum_total(cull_slice_sum *s)
{
    settle(s, CULL_SLICES);
    return s->held ? s->sum[0] : NULL;
}

size_t cull_slice_sum_put(cull_slice_sum *s, double *out)
{
    size_t n = 1;

    settle(s, s->end);
    if (!out)
        return n + s->held * (1 + s->n);
    out[0] = (double)s->held;
    for (size_t i = 0; i < s->held; i++, n += 1 + s->n) {
        out[n] = (double)s->slice[i];
        memcpy(out + n + 1, s->sum[i], s->n * sizeof *out);
    }
    return n;
}

size_t cull_slice_sum_take(cull_slice_sum *s, const double *in)
{
    const size_t parts = (size_t)in[0];
    size_t n = 1;

    for (size_t i = 0; i < parts; i++, n += 1 + s->n) {
        double *to = cull_slice_sum_at(s, (size_t)in[n]);
        if (!to)
            return 0;
        memcpy(to, in + n + 1, s->n * sizeof *to);
    }
    return n;
}

void cull_slice_sum_release(cull_slice_sum *s)
{
    for (size_t i = 0; i < CULL_SLICE_DEPTH; i++)
        cull_free(s->sum[i]);
    *s = (cull_slice_sum){ 0 };
}
