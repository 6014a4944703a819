// The services that a backend's pieces call, and the pieces themselves.
#include "engine/run.h"

#include "base/sized.h"
#include "engine/scan.h"

static float *piece_scratch(cull_pass *pass, size_t n)
{
    cull_piece *piece = pass->core;
    float *p = cull_arena_room(cull_piece_arena(piece), n, sizeof *p);

    if (!p)
        (void)cull_no_memory(piece->run->ctx);
    return p;
}

typedef struct row_blocks {
    size_t n;
    void (*fn)(void *arg, size_t first, size_t count);
    void *arg;
} row_blocks;

enum { ROWS_AT_ONCE = 64 };

static cull_status run_row_block(void *arg, size_t i, size_t worker)
{
    const row_blocks *b = arg;
    const size_t first = i * ROWS_AT_ONCE;

    (void)worker;
    b->fn(b->arg, first, b->n - first < ROWS_AT_ONCE ? b->n - first : ROWS_AT_ONCE);
    return CULL_OK;
}

static void piece_rows(cull_pass *pass, size_t n, void (*fn)(void *arg, size_t first, size_t count),
                       void *arg)
{
    cull_piece *piece = pass->core;
    row_blocks blocks = { n, fn, arg };

    if (piece->inside || n <= ROWS_AT_ONCE)
        fn(arg, 0, n);
    else
        (void)cull_run_each(piece->run, (n + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE, run_row_block,
                            &blocks);
}

// Descriptions, as this Cull knows them.

static cull_status piece_attention(cull_pass *pass, const cull_attention *a, const float *q,
                                   const float *k, const float *v, float *out)
{
    cull_attention own;

    CULL_TRY(cull_sized_copy(pass->ctx, "an attention", CULL_UP_TO(cull_attention, sinks), a,
                             sizeof own, &own));
    return cull_attention_rows(pass, &own, q, k, v, out);
}

static cull_status piece_recur(cull_pass *pass, const cull_recurrence *r, const float *q,
                               const float *k, const float *v, const float *g, const float *beta,
                               float *out)
{
    cull_recurrence own;

    CULL_TRY(cull_sized_copy(pass->ctx, "a recurrence", CULL_UP_TO(cull_recurrence, state_at), r,
                             sizeof own, &own));
    return cull_recur_rows(pass, &own, q, k, v, g, beta, out);
}

static cull_status piece_convolve(cull_pass *pass, const cull_convolution *c, const float *x,
                                  float *out)
{
    cull_convolution own;

    CULL_TRY(cull_sized_copy(pass->ctx, "a convolution", CULL_UP_TO(cull_convolution, silu), c,
                             sizeof own, &own));
    return cull_convolve_rows(pass, &own, x, out);
}

const cull_engine cull_engine_services = {
    .size = sizeof(cull_engine),
    .linear = cull_linear,
    .attention = piece_attention,
    .scratch = piece_scratch,
    .rows = piece_rows,
    .recur = piece_recur,
    .convolve = piece_convolve,
};

cull_piece cull_piece_outer(cull_run *run)
{
    return (cull_piece){
        .pass = { .size = sizeof(cull_pass), .engine = &cull_engine_services, .ctx = run->ctx },
        .run = run,
        .worker = run->n_workers,
    };
}

cull_piece cull_piece_inner(cull_run *run, size_t worker)
{
    cull_piece piece = cull_piece_outer(run);

    piece.worker = worker;
    piece.inside = true;
    return piece;
}

cull_piece cull_piece_of(cull_run *run, size_t worker)
{
    return worker == run->n_workers ? cull_piece_outer(run) : cull_piece_inner(run, worker);
}
