#include "engine/input_hooks.h"

#include <cblas.h>

#include <cull/kernel.h>

CULL_CLONES
void cull_add_squares(size_t n, size_t cols, const float *x, size_t ldx, double *acc)
{
    for (size_t i = 0; i < n; i++, x += ldx)
        for (size_t c = 0; c < cols; c++)
            acc[c] += (double)x[c] * (double)x[c];
}

typedef struct square_blocks {
    size_t n, cols, ldx;
    const float *x;
    double *partial; // (blocks, cols)
} square_blocks;

static cull_status square_block(void *arg, size_t i, size_t worker)
{
    const square_blocks *b = arg;
    const size_t first = i * CULL_ROW_BLOCK;
    const size_t n = b->n - first < CULL_ROW_BLOCK ? b->n - first : CULL_ROW_BLOCK;

    (void)worker;
    cull_add_squares(n, b->cols, b->x + first * b->ldx, b->ldx, b->partial + i * b->cols);
    return CULL_OK;
}

// The coordinator's rows: fixed blocks, merged in their order.
static cull_status add_squares_outer(cull_piece *piece, size_t n, size_t cols, const float *x,
                                     size_t ldx, double *acc)
{
    cull_arena *arena = cull_piece_arena(piece);
    const cull_mark mark = cull_arena_mark(arena);
    const size_t blocks = (n + CULL_ROW_BLOCK - 1) / CULL_ROW_BLOCK;
    square_blocks b = { n, cols, ldx, x, cull_arena_alloc(arena, blocks * cols, sizeof(double)) };

    if (!b.partial)
        return cull_no_memory(piece->run->ctx);
    CULL_TRY(cull_run_each(piece->run, blocks, square_block, &b));
    for (size_t i = 0; i < blocks; i++)
        for (size_t c = 0; c < cols; c++)
            acc[c] += b.partial[i * cols + c];
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

typedef struct hessian_rows {
    size_t n, cols;
    const double *x; // (n, cols)
    double *h;
} hessian_rows;

enum { HESSIAN_TILE = 128 };

static cull_status hessian_tile(void *arg, size_t i, size_t worker)
{
    const hessian_rows *b = arg;
    const size_t first = i * HESSIAN_TILE;
    const size_t rows = b->cols - first < HESSIAN_TILE ? b->cols - first : HESSIAN_TILE;

    (void)worker;
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (blasint)rows, (blasint)b->cols,
                (blasint)b->n, 1.0, b->x + first, (blasint)b->cols, b->x, (blasint)b->cols, 1.0,
                b->h + first * b->cols, (blasint)b->cols);
    return CULL_OK;
}

cull_status cull_add_hessian(cull_piece *piece, size_t n, size_t cols, const float *x, size_t ldx,
                             double *h)
{
    cull_arena *arena = cull_piece_arena(piece);
    const cull_mark mark = cull_arena_mark(arena);
    double *wide = cull_arena_alloc(arena, n * cols, sizeof *wide);
    hessian_rows b = { n, cols, wide, h };
    const size_t tiles = (cols + HESSIAN_TILE - 1) / HESSIAN_TILE;

    if (!wide)
        return cull_no_memory(piece->run->ctx);
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < cols; c++)
            wide[i * cols + c] = x[i * ldx + c];
    if (piece->inside) {
        for (size_t i = 0; i < tiles; i++)
            (void)hessian_tile(&b, i, piece->worker);
    } else {
        CULL_TRY(cull_run_each(piece->run, tiles, hessian_tile, &b));
    }
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

cull_status cull_input_hooks_feed(cull_piece *piece, cull_matrix_id where, size_t cols, size_t n,
                                  const float *x, size_t ldx)
{
    const cull_input_hooks *inputs = piece->inputs;

    if (where.part == CULL_PART_DOWN) {
        if (inputs->down_sq)
            cull_add_squares(n, cols, x, ldx, inputs->down_sq);
        if (inputs->down_hessian)
            return cull_add_hessian(piece, n, cols, x, ldx, inputs->down_hessian);
        return CULL_OK;
    }
    if (!piece->inside && where.part < CULL_N_PARTS && inputs->part_sq[where.part])
        return add_squares_outer(piece, n, cols, x, ldx, inputs->part_sq[where.part]);
    return CULL_OK;
}
