// A pass's workers, their scratch, and what it has cost.
#include "engine/run.h"

#include "base/memory.h"
#include "engine/ahead.h"
#include "engine/tile.h"
#include "math/blas.h"

cull_status cull_run_init(cull_run *run, cull_ctx *ctx, const cull_open_model *m,
                          cull_precision precision)
{
    cull_pool *pool = cull_context_of(ctx)->pool;

    *run = (cull_run){ .ctx = ctx, .m = m, .pool = pool, .precision = precision };
    run->n_workers = pool ? cull_pool_threads(pool) : 0;
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
    run->ahead = cull_ahead_new(m);
    return CULL_OK;
}

void cull_run_release(cull_run *run)
{
    cull_ahead_free(run->ahead);
    for (size_t w = 0; run->worker && w <= run->n_workers; w++) {
        cull_arena_free(run->worker[w].arena);
        cull_free(run->worker[w].tile);
        cull_free(run->worker[w].panels);
        cull_gemm_free(run->worker[w].gemm);
    }
    cull_free(run->worker);
    *run = (cull_run){ 0 };
}

cull_cost_seen cull_run_cost(const cull_run *run)
{
    cull_cost_seen cost = run->cost;

    for (size_t w = 0; run->worker && w <= run->n_workers; w++)
        cost.flops += run->worker[w].flops;
    return cost;
}

cull_status cull_run_each(cull_run *run, size_t n,
                          cull_status (*fn)(void *arg, size_t i, size_t worker), void *arg)
{
    if (run->pool && n > 1)
        return cull_pool_run(run->pool, n, fn, arg);
    return cull_run_in_turn(run, n, fn, arg);
}

cull_status cull_run_in_turn(cull_run *run, size_t n,
                             cull_status (*fn)(void *arg, size_t i, size_t worker), void *arg)
{
    for (size_t i = 0; i < n; i++)
        CULL_TRY(fn(arg, i, run->n_workers));
    return CULL_OK;
}

cull_status cull_piece_each(cull_piece *piece, size_t n,
                            cull_status (*fn)(void *arg, size_t i, size_t worker), void *arg)
{
    if (!piece->inside)
        return cull_run_each(piece->run, n, fn, arg);
    for (size_t i = 0; i < n; i++)
        CULL_TRY(fn(arg, i, piece->worker));
    return CULL_OK;
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
