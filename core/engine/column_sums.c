// Column sums: what each kind adds and merges, and how columns are shared out.
#include "engine/column_sums.h"

#include "base/memory.h"
#include <cull/kernel.h>

enum { CHUNK = 512 }; // columns of an item

// A chunk's doubles: a count where the kind merges by it, then each quantity's (width).
typedef struct kind_facts {
    size_t counted, quantities;
    void (*add)(size_t width, const float *x, double gate, double *acc);
    void (*merge)(const cull_slice_sum *, double *to, const double *from);
} kind_facts;

CULL_CLONES
static void add_sum(size_t width, const float *x, double gate, double *acc)
{
    for (size_t c = 0; c < width; c++)
        acc[c] += gate * (double)x[c];
}

CULL_CLONES
static void add_squares(size_t width, const float *x, double gate, double *acc)
{
    (void)gate;
    for (size_t c = 0; c < width; c++)
        acc[c] += (double)x[c] * (double)x[c];
}

// Welford's recurrence.
CULL_CLONES
static void add_moments(size_t width, const float *x, double gate, double *acc)
{
    double *mean = acc + 1, *m2 = mean + width, *gated = m2 + width;
    const double weight = gate * gate;

    acc[0] += 1.0;
    const double share = 1.0 / acc[0];
    for (size_t c = 0; c < width; c++) {
        const double delta = (double)x[c] - mean[c];
        mean[c] += delta * share;
        m2[c] += delta * ((double)x[c] - mean[c]);
        gated[c] += weight * (double)x[c];
    }
}

// Chan et al.: (n, mean, M2) of two disjoint sets.
static void merge_moments(const cull_slice_sum *s, double *to, const double *from)
{
    const size_t width = (s->n - 1) / 3;
    double *mean = to + 1, *m2 = mean + width, *gated = m2 + width;
    const double *mean_b = from + 1, *m2_b = mean_b + width, *gated_b = m2_b + width;
    const double n = to[0] + from[0], share = from[0] / n;

    for (size_t c = 0; c < width; c++) {
        const double delta = mean_b[c] - mean[c];
        m2[c] += m2_b[c] + delta * delta * to[0] * share;
        mean[c] += delta * share;
        gated[c] += gated_b[c];
    }
    to[0] = n;
}

// Welford's recurrence.
CULL_CLONES
static void add_spread(size_t width, const float *x, double gate, double *acc)
{
    double *mean = acc + 1, *m2 = mean + width;

    (void)gate;
    acc[0] += 1.0;
    const double share = 1.0 / acc[0];
    for (size_t c = 0; c < width; c++) {
        const double delta = (double)x[c] - mean[c];
        mean[c] += delta * share;
        m2[c] += delta * ((double)x[c] - mean[c]);
    }
}

static void merge_spread(const cull_slice_sum *s, double *to, const double *from)
{
    const size_t width = (s->n - 1) / 2;
    double *mean = to + 1, *m2 = mean + width;
    const double *mean_b = from + 1, *m2_b = mean_b + width;
    const double n = to[0] + from[0], share = from[0] / n;

    for (size_t c = 0; c < width; c++) {
        const double delta = mean_b[c] - mean[c];
        m2[c] += m2_b[c] + delta * delta * to[0] * share;
        mean[c] += delta * share;
    }
    to[0] = n;
}

CULL_CLONES
static void add_gated(size_t width, const float *x, double gate, double *acc)
{
    for (size_t c = 0; c < width; c++) {
        const double gx = gate * (double)x[c];
        acc[c] += gx * gx;
    }
}

CULL_CLONES
static void raise_peaks(size_t width, const float *x, double gate, double *acc)
{
    for (size_t c = 0; c < width; c++) {
        const double gx = gate * (double)x[c];
        acc[c] = gx * gx > acc[c] ? gx * gx : acc[c];
    }
}

static void merge_peaks(const cull_slice_sum *s, double *to, const double *from)
{
    for (size_t c = 0; c < s->n; c++)
        to[c] = from[c] > to[c] ? from[c] : to[c];
}

static const kind_facts kinds[] = {
    [CULL_COLUMN_SUM] = { 0, 1, add_sum, NULL },
    [CULL_COLUMN_SQUARES] = { 0, 1, add_squares, NULL },
    [CULL_COLUMN_MOMENTS] = { 1, 3, add_moments, merge_moments },
    [CULL_COLUMN_SPREAD] = { 1, 2, add_spread, merge_spread },
    [CULL_COLUMN_GATED] = { 0, 1, add_gated, NULL },
    [CULL_COLUMN_PEAKS] = { 0, 1, raise_peaks, merge_peaks },
};

static size_t width_of(const cull_column_sums *sums, size_t chunk)
{
    const size_t left = sums->cols - chunk * CHUNK;

    return left < CHUNK ? left : CHUNK;
}

cull_status cull_column_sums_init(cull_ctx *ctx, cull_column_sums *sums, cull_column_kind kind,
                                  size_t cols, size_t first, size_t end)
{
    *sums =
        (cull_column_sums){ .cols = cols, .kind = kind, .n_chunks = (cols + CHUNK - 1) / CHUNK };
    sums->chunk = cull_alloc(sums->n_chunks, sizeof *sums->chunk);
    if (!sums->chunk)
        return cull_no_memory(ctx);
    for (size_t i = 0; i < sums->n_chunks; i++)
        sums->chunk[i] = (cull_slice_sum){
            .n = kinds[kind].counted + kinds[kind].quantities * width_of(sums, i),
            .merge = kinds[kind].merge,
            .first = first,
            .end = end,
        };
    return CULL_OK;
}

void cull_column_sums_release(cull_column_sums *sums)
{
    for (size_t i = 0; i < sums->n_chunks; i++)
        cull_slice_sum_release(&sums->chunk[i]);
    cull_free(sums->chunk);
    *sums = (cull_column_sums){ 0 };
}

typedef struct item { // a chunk of one piece of work
    const cull_column_work *work;
    size_t chunk;
} item;

typedef struct adding {
    cull_run *run;
    const item *item;
} adding;

static cull_status add_chunk(void *arg, size_t i, size_t worker)
{
    const adding *a = arg;
    const item *it = a->item + i;
    const cull_sliced_rows *rows = &it->work->rows;
    const kind_facts *kind = kinds + it->work->to->kind;
    const size_t first = it->chunk * CHUNK, width = width_of(it->work->to, it->chunk);

    (void)worker;
    for (size_t r = 0; r < rows->n; r++) {
        double *acc = cull_slice_sum_at(it->work->to->chunk + it->chunk, rows->slice[r]);
        if (!acc)
            return cull_no_memory(a->run->ctx);
        kind->add(width, rows->row[r] + first, rows->gate ? (double)rows->gate[r] : 1.0, acc);
    }
    return CULL_OK;
}

cull_status cull_column_sums_add(cull_run *run, size_t n, const cull_column_work *work)
{
    cull_arena *arena = run->worker[run->n_workers].arena;
    const cull_mark mark = cull_arena_mark(arena);
    size_t n_items = 0;

    for (size_t i = 0; i < n; i++)
        n_items += work[i].to->n_chunks;
    item *it = cull_arena_alloc(arena, n_items + 1, sizeof *it);
    if (!it)
        return cull_no_memory(run->ctx);
    n_items = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < work[i].to->n_chunks; c++)
            it[n_items++] = (item){ work + i, c };
    adding a = { run, it };
    CULL_TRY(cull_run_each(run, n_items, add_chunk, &a));
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

void cull_column_sums_total(cull_column_sums *sums, size_t q, double *out)
{
    for (size_t i = 0; i < sums->n_chunks; i++) {
        const size_t width = width_of(sums, i);
        const double *total = cull_slice_sum_total(sums->chunk + i);
        const double *from = total ? total + kinds[sums->kind].counted + q * width : NULL;
        for (size_t c = 0; c < width; c++)
            out[i * CHUNK + c] = from ? from[c] : 0.0;
    }
}
