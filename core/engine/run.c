// The machinery of one pass: workers' scratch, pieces, shared loops.
#include "engine/run.h"

#include "base/memory.h"
#include "base/sized.h"
#include "cut/cut.h"
#include "engine/scan.h"
#include "engine/tile.h"
#include "math/blas.h"

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

cull_status cull_run_init(cull_run *run, cull_ctx *ctx, const cull_open_model *m)
{
    cull_pool *pool = cull_context_of(ctx)->pool;

    *run = (cull_run){ .ctx = ctx, .m = m, .pool = pool };
    run->n_workers = pool ? cull_pool_threads(pool) : 0;
    if (pthread_mutex_init(&run->lock, NULL) != 0)
        return cull_fail(ctx, CULL_EENV, "no mutex is to be had");
    if (cull_blas_load())
        return cull_fail(ctx, CULL_EENV, "%s", cull_blas_load());
    run->worker = cull_alloc(run->n_workers + 1, sizeof *run->worker);
    if (!run->worker)
        return cull_no_memory(ctx);
    for (size_t w = 0; w <= run->n_workers; w++) {
        run->worker[w].arena = cull_arena_new();
        run->worker[w].tile = cull_alloc(CULL_TILE_FLOATS, sizeof(float));
        run->worker[w].panels = cull_alloc(CULL_TILE_BYTES, 1);
        run->worker[w].gemm = cull_gemm_new();
        if (!run->worker[w].arena || !run->worker[w].tile || !run->worker[w].panels ||
            !run->worker[w].gemm)
            return cull_no_memory(ctx);
    }
    return CULL_OK;
}

void cull_run_release(cull_run *run)
{
    for (size_t w = 0; run->worker && w <= run->n_workers; w++) {
        cull_arena_free(run->worker[w].arena);
        cull_free(run->worker[w].tile);
        cull_free(run->worker[w].panels);
        cull_gemm_free(run->worker[w].gemm);
    }
    cull_free(run->worker);
    (void)pthread_mutex_destroy(&run->lock);
    *run = (cull_run){ 0 };
}

cull_status cull_run_each(cull_run *run, size_t n,
                          cull_status (*fn)(void *arg, size_t i, size_t worker), void *arg)
{
    if (run->pool && n > 1)
        return cull_pool_run(run->pool, n, fn, arg);
    for (size_t i = 0; i < n; i++)
        CULL_TRY(fn(arg, i, run->n_workers));
    return CULL_OK;
}

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

cull_arena *cull_piece_arena(cull_piece *piece)
{
    return piece->run->worker[piece->worker].arena;
}

void cull_cost_add(cull_cost_seen *to, const cull_cost_seen *pass)
{
    to->passes += pass->passes;
    to->rows += pass->rows;
    to->weight_bytes += pass->weight_bytes;
    to->flops += pass->flops;
}
