// The names of kernels, and their rates.
#include "math/kernels.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "math/blas.h"
#include "math/gemm.h"

enum { ROWS = 512, COLS = 256, K = 2048, GRAM = 256 };

void cull_kernels_text(char text[CULL_KERNELS_TEXT])
{
    char gemm[CULL_KERNELS_TEXT / 2];

    cull_gemm_kernel(gemm, sizeof gemm);
    (void)snprintf(text, CULL_KERNELS_TEXT, "%s, OpenBLAS %s", gemm, cull_blas_kernel());
}

// The best rate of calls until the time is over; one call at least.
static double best_rate(bool (*call)(void *arg), void *arg, double flops, double seconds)
{
    const double begun = cull_seconds();
    double best = 0;

    do {
        const double start = cull_seconds();
        if (!call(arg))
            return 0;
        const double took = cull_seconds() - start;
        best = fmax(best, took > 0 ? flops / took : 0);
    } while (cull_seconds() - begun < seconds);
    return best;
}

typedef struct rows_product {
    cull_gemm *g;
    cull_product product;
    float *x, *y;
    uint16_t *w;
    void *tile;
} rows_product;

// As linear() does: the weights are unpacked into a tile, and meet all rows.
static bool multiply_rows(void *arg)
{
    const rows_product *p = arg;
    const cull_rows_by_tile rows = {
        .product = p->product,
        .m = ROWS,
        .n = COLS,
        .K = K,
        .ldx = K,
        .ldy = COLS,
        .x = p->x,
        .tile = cull_gemm_tile(p->g, p->product, CULL_TILE_BF16, COLS, K, p->w, p->tile),
        .y = p->y,
    };

    return cull_gemm_rows(p->g, &rows);
}

static double measure_rows(cull_product product, double seconds)
{
    rows_product p = { .g = cull_gemm_new(), .product = product };
    double rate = 0;

    if (p.g && (product == CULL_PRODUCT_F32 || cull_gemm_has_bf16(p.g))) {
        p.x = cull_alloc(ROWS * K, sizeof *p.x);
        p.y = cull_alloc(ROWS * COLS, sizeof *p.y);
        p.w = cull_alloc(COLS * K, sizeof *p.w);
        p.tile = cull_alloc(cull_gemm_tile_bytes(p.g, product, COLS, K), 1);
        if (p.x && p.y && p.w && p.tile && multiply_rows(&p)) // once to compile it
            rate = best_rate(multiply_rows, &p, 2.0 * ROWS * COLS * K, seconds);
    }
    cull_free(p.x);
    cull_free(p.y);
    cull_free(p.w);
    cull_free(p.tile);
    cull_gemm_free(p.g);
    return rate;
}

double cull_measure_f32(double seconds)
{
    return measure_rows(CULL_PRODUCT_F32, seconds);
}

double cull_measure_bf16(double seconds)
{
    return measure_rows(CULL_PRODUCT_BF16, seconds);
}

static bool multiply_gram(void *arg)
{
    double *a = arg;

    return cull_syrk_f64(false, GRAM, GRAM, a, GRAM, 0, a + GRAM * GRAM, GRAM);
}

double cull_measure_f64(double seconds)
{
    double *a = cull_alloc(2 * GRAM * GRAM, sizeof *a);
    const double rate =
        a ? best_rate(multiply_gram, a, (double)GRAM * GRAM * (GRAM + 1), seconds) : 0;

    cull_free(a);
    return rate;
}
