// linear(): the one place where rows meet a matrix.
//
// y = x Wᵀ + b is computed tile by tile of W's rows: a tile is unpacked from the stored type, the
// variant's overlay is applied, and what is made of it for the processor's kernels multiplies all
// rows of a block. Called by the coordinator the tiles (and, for small matrices, blocks of rows)
// are shared out to the pool; called from a worker they run in place. A row's bits depend neither
// on the rows beside it nor on the number of threads (math/gemm.h).
//
// Precision is decided here, a matrix at a time: x is rounded, or split into terms, once for all
// tiles; where the processor multiplies no bf16, what was rounded is multiplied as float32.
#include <math.h>
#include <string.h>

#include "base/call.h"
#include "base/clock.h"
#include "cut/cut.h"
#include "cut/unpack.h"
#include "engine/finite.h"
#include "engine/input_hooks.h"
#include "engine/run.h"
#include "engine/tile.h"
#include "math/bf16.h"
#include "math/gemm.h"
#include "math/rows.h"

typedef struct product {
    cull_run *run;
    cull_matrix w;
    cull_overlaid over;
    size_t n, ldx, ldy;
    cull_product kind;
    bool round_w;     // to bf16, though multiplied as float32
    size_t n_terms;   // of x
    const void *x[2]; // (n, cols) float32 or bf16, ldx apart
    float *y;
    size_t tile_rows, n_tiles; // of W
    size_t block;              // rows of x in one item
} product;

enum { FEW_TILES = 8, X_BLOCK = 1024 };

// Is W as it is stored what a tile is made of: dense rows of bf16, nothing laid over them?
static const uint16_t *stored_bf16(const product *p, size_t first)
{
    const cull_matrix *w = &p->w;
    const bool plain = w->dtype == CULL_DT_BF16 && w->col_stride == 1 &&
                       w->row_stride == (ptrdiff_t)w->cols && (uintptr_t)w->data % 2 == 0;

    return plain && !cull_overlaid_matrix(&p->over) ? (const uint16_t *)w->data + first * w->cols
                                                    : NULL;
}

// Rows [first, first + n) of the variant's W as float32: in `tile`, or in place where they stand
// ready.
static const float *variant_rows(const product *p, size_t first, size_t n, float *tile)
{
    const bool whole = !p->over.masked && p->over.channels == SIZE_MAX;
    const float *ready = p->over.matrix ? p->over.matrix : cull_plain_f32(&p->w);

    if (ready && whole)
        return ready + first * p->w.cols;
    cull_overlay_rows(&p->over, &p->w, first, n, tile);
    return tile;
}

static const void *make_tile(const product *p, const cull_worker *worker, size_t first, size_t n)
{
    const uint16_t *half = stored_bf16(p, first);
    const void *rows = half ? (const void *)half : variant_rows(p, first, n, worker->tile);

    if (p->round_w && !half) {
        cull_bf16_round(n * p->w.cols, rows, worker->tile);
        rows = worker->tile;
    }
    return cull_gemm_tile(worker->gemm, p->kind, half ? CULL_TILE_BF16 : CULL_TILE_F32, n,
                          p->w.cols, rows, worker->panels);
}

static cull_status multiply_tile(void *arg, size_t i, size_t worker)
{
    const product *p = arg;
    cull_worker *scratch = p->run->worker + worker;
    const size_t first = i % p->n_tiles * p->tile_rows;
    const size_t x0 = i / p->n_tiles * p->block;
    const size_t n = p->w.rows - first < p->tile_rows ? p->w.rows - first : p->tile_rows;
    const size_t width = p->kind == CULL_PRODUCT_BF16 ? sizeof(uint16_t) : sizeof(float);
    const bool biased = p->w.bias || p->over.biased;
    float bias[CULL_TILE_ROWS];

    if (biased)
        cull_overlay_bias(&p->over, &p->w, first, n, bias);
    cull_rows_by_tile rows = { .product = p->kind,
                               .m = p->n - x0 < p->block ? p->n - x0 : p->block,
                               .n = n,
                               .K = p->w.cols,
                               .ldx = p->ldx,
                               .ldy = p->ldy,
                               .tile = make_tile(p, scratch, first, n),
                               .y = p->y + x0 * p->ldy + first };
    const double start = cull_seconds();
    for (size_t t = 0; t < p->n_terms; t++) { // the smaller term first
        rows.x = (const char *)p->x[t] + x0 * p->ldx * width;
        rows.add = t > 0;
        rows.bias = biased && t + 1 == p->n_terms ? bias : NULL;
        if (!cull_gemm_rows(scratch->gemm, &rows))
            return cull_no_memory(p->run->ctx);
    }
    scratch->product_seconds += cull_seconds() - start;
    scratch->flops += 2 * (uint64_t)rows.m * n * p->w.cols;
    return CULL_OK;
}

// A weight that is no number makes none of row 0's products: then it is named. What is not finite
// for another reason, as in a variant with such a matrix of its own, is that variant's alone, and
// is refused where it ends.
static cull_status check_weights(const product *p, cull_matrix_id where, size_t worker)
{
    cull_ctx *ctx = p->run->ctx;
    float *tile = p->run->worker[worker].tile;

    if (p->over.matrix || cull_row_is_finite(p->w.rows, p->y))
        return CULL_OK;
    for (size_t r = 0; r < p->w.rows; r++) {
        if (isfinite(p->y[r]))
            continue;
        cull_unpack_rows(&p->w, r, 1, tile);
        CULL_TRY(cull_check_weights(ctx, where, r, 1, p->w.cols, tile));
    }
    for (size_t r = 0; p->w.bias && r < p->w.rows; r += CULL_TILE_ROWS) {
        const size_t n = p->w.rows - r < CULL_TILE_ROWS ? p->w.rows - r : CULL_TILE_ROWS;
        cull_unpack_bias(&p->w, r, n, tile);
        CULL_TRY(cull_check_bias(ctx, where, r, n, tile));
    }
    return CULL_OK;
}

// ---- precision ----

typedef struct rounding {
    const float *x;
    size_t n, cols, ldx;
    uint16_t *high, *low; // (n, cols); NULL: no such term
    float *wide;          // (n, cols) the sum of the terms instead, or NULL
    bool two;
} rounding;

enum { ROUND_ROWS = 64 };

static cull_status round_rows(void *arg, size_t i, size_t worker)
{
    const rounding *t = arg;
    const size_t end = (i + 1) * ROUND_ROWS < t->n ? (i + 1) * ROUND_ROWS : t->n;

    (void)worker;
    for (size_t r = i * ROUND_ROWS; r < end; r++) {
        const float *x = t->x + r * t->ldx;
        const size_t at = r * t->cols;
        if (t->wide && t->two)
            cull_bf16_round_two(t->cols, x, t->wide + at);
        else if (t->wide)
            cull_bf16_round(t->cols, x, t->wide + at);
        else if (t->two)
            cull_bf16_two(t->cols, x, t->high + at, t->low + at);
        else
            cull_bf16_row(t->cols, x, t->high + at);
    }
    return CULL_OK;
}

// x as the precision has it, in the piece's arena.
static cull_status round_inputs(cull_piece *piece, product *p, const float *x)
{
    const bool two = p->run->precision == CULL_BF16X2;
    const bool half = cull_gemm_has_bf16(p->run->worker[piece->worker].gemm);
    const size_t n_items = (p->n + ROUND_ROWS - 1) / ROUND_ROWS;
    cull_arena *arena = cull_piece_arena(piece);
    rounding t = { .x = x, .n = p->n, .cols = p->w.cols, .ldx = p->ldx, .two = two };

    if (half) {
        t.high = cull_arena_room(arena, p->n * p->w.cols, sizeof *t.high);
        t.low = two ? cull_arena_room(arena, p->n * p->w.cols, sizeof *t.low) : NULL;
    } else {
        t.wide = cull_arena_room(arena, p->n * p->w.cols, sizeof *t.wide);
    }
    if ((half && (!t.high || (two && !t.low))) || (!half && !t.wide))
        return cull_no_memory(p->run->ctx);
    CULL_TRY(cull_piece_each(piece, n_items, round_rows, &t));
    p->kind = half ? CULL_PRODUCT_BF16 : CULL_PRODUCT_F32;
    p->round_w = !half && !two;
    p->ldx = p->w.cols;
    p->n_terms = half && two ? 2 : 1;
    p->x[0] = half ? (two ? (const void *)t.low : t.high) : (const void *)t.wide;
    p->x[1] = t.high;
    return CULL_OK;
}

// What of x meets the matrix.
static cull_status prepare_inputs(cull_piece *piece, product *p, const float *x)
{
    const cull_precision precision = p->run->precision;
    const bool exact = cull_is_bf16(&p->w) && !p->over.matrix;

    if (precision == CULL_BF16 || (precision == CULL_BF16X2 && exact))
        return round_inputs(piece, p, x);
    p->kind = CULL_PRODUCT_F32;
    p->n_terms = 1;
    p->x[0] = x;
    return CULL_OK;
}

cull_status cull_linear(cull_pass *pass, cull_matrix_id where, size_t n, const float *x, size_t ldx,
                        float *y, size_t ldy)
{
    cull_piece *piece = pass->core;
    cull_run *run = piece->run;
    product p = { .run = run, .n = n, .ldx = ldx, .y = y, .ldy = ldy };

    if (n == 0)
        return CULL_OK;
    CULL_TRY(CULL_CALL(run->ctx, run->m->plugin, where.layer, matrix,
                       run->m->backend->matrix(run->ctx, run->m->model, where, &p.w)));
    if (p.w.cols > CULL_MOST_COLS)
        return cull_fail(run->ctx, CULL_ENOTSUP, "a matrix of %zu input channels is too wide",
                         p.w.cols);
    p.over = cull_overlay_of(piece->cut, where);
    if (piece->inputs)
        CULL_TRY(cull_input_hooks_feed(piece, where, p.w.cols, n, x, ldx));

    cull_arena *arena = cull_piece_arena(piece);
    const cull_mark mark = cull_arena_mark(arena);
    CULL_TRY(prepare_inputs(piece, &p, x));
    p.tile_rows = cull_gemm_tile_rows(p.w.cols);
    p.n_tiles = (p.w.rows + p.tile_rows - 1) / p.tile_rows;
    p.block = p.n_tiles >= FEW_TILES ? n : X_BLOCK;

    const size_t items = p.n_tiles * ((n + p.block - 1) / p.block);
    CULL_TRY(cull_piece_each(piece, items, multiply_tile, &p));
    cull_arena_rewind(arena, mark);
    CULL_TRY(check_weights(&p, where, piece->inside ? piece->worker : run->n_workers));
    return piece->inputs ? cull_input_hooks_gate(piece, where, n, y, ldy) : CULL_OK;
}
