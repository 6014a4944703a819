// Hessians by tiles of rows, in parallel over blocks of their columns.
#include "engine/hessian.h"

#include <string.h>

#include "base/memory.h"
#include "math/blas.h"

enum { BLOCK = 128 }; // rows of a Hessian in one item

typedef struct block { // rows [first, first + n) of one part's Hessian
    const cull_hessian_rows *part;
    size_t first, n;
} block;

typedef struct adding {
    cull_run *run;
    const block *block;
    bool all; // not whole tiles alone
} adding;

static const float *row_of(const cull_hessian_rows *part, size_t i)
{
    const cull_hessian *h = part->to;

    return i < h->n ? h->tile + i * h->cols : part->row[i - h->n];
}

// Rows that make products now; none of those that are kept.
static size_t due_rows(const cull_hessian_rows *part, bool all)
{
    const size_t n = part->to->h ? part->to->n + part->n : 0;

    return all ? n : n / CULL_HESSIAN_ROWS * CULL_HESSIAN_ROWS;
}

static void widen(size_t n, const float *x, double *out)
{
    for (size_t c = 0; c < n; c++)
        out[c] = (double)x[c];
}

static cull_status add_block(void *arg, size_t i, size_t worker)
{
    const adding *a = arg;
    const block *b = a->block + i;
    const size_t cols = b->part->to->cols, width = b->first + b->n;
    const size_t due = due_rows(b->part, a->all);
    cull_arena *arena = a->run->worker[worker].arena;
    const cull_mark mark = cull_arena_mark(arena);
    double *x = cull_arena_room(arena, CULL_HESSIAN_ROWS * width, sizeof *x);

    if (!x)
        return cull_no_memory(a->run->ctx);
    for (size_t first = 0; first < due; first += CULL_HESSIAN_ROWS) {
        const size_t n = due - first < CULL_HESSIAN_ROWS ? due - first : CULL_HESSIAN_ROWS;
        for (size_t r = 0; r < n; r++)
            widen(width, row_of(b->part, first + r), x + r * width);
        if (!cull_gemm_f64(true, false, b->n, width, n, 1.0, x + b->first, width, x, width, 1.0,
                           b->part->to->h + b->first * cols, cols))
            return cull_fail(a->run->ctx, CULL_ENOTSUP, "a Hessian of %zu inputs", cols);
    }
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

// Whole tiles, or all rows.
static cull_status add_due(cull_run *run, size_t n, const cull_hessian_rows *part, bool all)
{
    cull_arena *arena = run->worker[run->n_workers].arena;
    const cull_mark mark = cull_arena_mark(arena);
    size_t n_blocks = 0;

    for (size_t i = 0; i < n; i++)
        n_blocks += (part[i].to->cols + BLOCK - 1) / BLOCK;
    block *b = cull_arena_alloc(arena, n_blocks + 1, sizeof *b);
    if (!b)
        return cull_no_memory(run->ctx);
    n_blocks = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t cols = part[i].to->cols;
        if (due_rows(part + i, all) == 0)
            continue;
        for (size_t first = 0; first < cols; first += BLOCK)
            b[n_blocks++] = (block){ part + i, first, cols - first < BLOCK ? cols - first : BLOCK };
    }
    adding a = { run, b, all };
    CULL_TRY(cull_run_each(run, n_blocks, add_block, &a));
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

// What no product took waits.
static cull_status keep_rest(cull_run *run, const cull_hessian_rows *part)
{
    cull_hessian *h = part->to;
    const size_t due = due_rows(part, false), before = h->n, all = h->n + part->n;

    if (!h->tile)
        h->tile = cull_alloc(CULL_HESSIAN_ROWS * h->cols, sizeof *h->tile);
    if (!h->tile)
        return cull_no_memory(run->ctx);
    for (size_t i = due ? due : before; i < all; i++)
        memcpy(h->tile + (i - due) * h->cols, part->row[i - before], h->cols * sizeof *h->tile);
    h->n = all - due;
    return CULL_OK;
}

// ---- rows for another process ----

static cull_status keep_rows(cull_run *run, const cull_hessian_rows *part)
{
    cull_hessian *h = part->to;
    const size_t n = h->n + part->n, room = 2 * h->room > n ? 2 * h->room : n;

    if (n > h->room) {
        float *more = cull_grow(h->tile, h->n * h->cols, room * h->cols, sizeof *more);
        if (!more)
            return cull_no_memory(run->ctx);
        h->tile = more;
        h->room = room;
    }
    for (size_t i = 0; i < part->n; i++)
        memcpy(h->tile + (h->n + i) * h->cols, part->row[i], h->cols * sizeof *h->tile);
    h->n = n;
    return CULL_OK;
}

static size_t words_of(size_t n, size_t cols)
{
    return (n * cols * sizeof(float) + sizeof(double) - 1) / sizeof(double);
}

size_t cull_hessian_put(const cull_hessian *hessian, double *out)
{
    const size_t n = hessian->h ? 0 : hessian->n;

    if (out) {
        out[0] = (double)n;
        if (n)
            memcpy(out + 1, hessian->tile, n * hessian->cols * sizeof(float));
    }
    return 1 + words_of(n, hessian->cols);
}

size_t cull_hessian_listed(const double *in, size_t cols, cull_arena *arena, size_t *n,
                           const float ***row)
{
    const float *first = (const float *)(const void *)(in + 1);

    *n = (size_t)in[0];
    *row = cull_arena_alloc(arena, *n + 1, sizeof **row);
    for (size_t i = 0; *row && i < *n; i++)
        (*row)[i] = first + i * cols;
    return 1 + words_of(*n, cols);
}

// ---- sums ----

void cull_hessian_begin(cull_hessian *hessian, double *h)
{
    cull_free(hessian->tile);
    *hessian = (cull_hessian){ .cols = hessian->cols, .h = h };
}

cull_status cull_hessians_add(cull_run *run, size_t n, const cull_hessian_rows *part)
{
    CULL_TRY(add_due(run, n, part, false));
    for (size_t i = 0; i < n; i++)
        CULL_TRY(part[i].to->h ? keep_rest(run, part + i) : keep_rows(run, part + i));
    return CULL_OK;
}

static cull_status mirror(void *arg, size_t i, size_t worker)
{
    const cull_hessian *h = (const cull_hessian *)arg + i;

    (void)worker;
    for (size_t a = 0; a < h->cols; a++)
        for (size_t b = 0; b < a; b++)
            h->h[b * h->cols + a] = h->h[a * h->cols + b];
    return CULL_OK;
}

cull_status cull_hessians_finish(cull_run *run, size_t n, cull_hessian *hessian)
{
    cull_arena *arena = run->worker[run->n_workers].arena;
    const cull_mark mark = cull_arena_mark(arena);
    cull_hessian_rows *part = cull_arena_alloc(arena, n + 1, sizeof *part);

    if (!part)
        return cull_no_memory(run->ctx);
    for (size_t i = 0; i < n; i++)
        part[i] = (cull_hessian_rows){ .to = hessian + i };
    CULL_TRY(add_due(run, n, part, true));
    for (size_t i = 0; i < n; i++)
        hessian[i].n = 0;
    cull_arena_rewind(arena, mark);
    return cull_run_each(run, n, mirror, hessian);
}

void cull_hessian_release(cull_hessian *hessian)
{
    cull_free(hessian->tile);
    *hessian = (cull_hessian){ 0 };
}
