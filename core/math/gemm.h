// The one door for matrix products: nobody else includes cblas.h or dnnl.h.
//
// Single and half precision go through oneDNN, which compiles its kernels for the processor that it
// meets; double precision and factorisations through OpenBLAS (blas.h). All matrices are row-major.
//
// A row's result does not depend on its company: for one W, one kernel and one kind of product, the
// bits of a row of x Wᵀ depend on that row alone, not on which or how many rows it is multiplied
// with. K is never split. Where oneDNN has kernels for panels (AVX-512, AMX) any number of rows
// gives the same bits; its older ones do for certain numbers of rows only, so rows are padded to
// those. tests/unit/math/test_gemm.c holds both to it.
//
// Life cycle: a cull_gemm belongs to one thread at a time, keeps what was compiled for the shapes
// that it has met, and runs in the calling thread alone, whatever OMP_NUM_THREADS says. It does not
// survive fork: a child makes its own.
#ifndef CULL_MATH_GEMM_H
#define CULL_MATH_GEMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cull_gemm cull_gemm;

cull_gemm *cull_gemm_new(void); // NULL: out of memory
void cull_gemm_free(cull_gemm *);

// What is multiplied; sums are float32. BF16: x and W are bf16, products exact. Only where the
// processor multiplies bf16 (cull_gemm_has_bf16); elsewhere round to bf16 and take F32, which is
// the same but for the order of sums.
typedef enum cull_product { CULL_PRODUCT_F32, CULL_PRODUCT_BF16 } cull_product;

bool cull_gemm_has_bf16(const cull_gemm *);

// "oneDNN 2.6.3 avx512_core_bf16": who multiplies, for people and records.
void cull_gemm_kernel(char *text, size_t size);

// ---- a tile: some rows of W, made ready once for all rows of x ----

typedef enum cull_tile_source { CULL_TILE_F32, CULL_TILE_BF16 } cull_tile_source;

// Rows of W that a tile should hold: about 2 MiB of them, in multiples of 64.
size_t cull_gemm_tile_rows(size_t K);
size_t cull_gemm_tile_bytes(const cull_gemm *, cull_product, size_t n, size_t K);

// n rows of W of K channels, dense, of a type: what cull_gemm_rows takes, in `tile` (aligned to 64
// bytes), or W itself where nothing is to be done. F32 rows are rounded for BF16 products.
const void *cull_gemm_tile(const cull_gemm *, cull_product, cull_tile_source, size_t n, size_t K,
                           const void *w, void *tile);

// The same of a float32 W that stands as its transpose: K rows of n, `stride` apart.
const void *cull_gemm_tile_across(const cull_gemm *, size_t n, size_t K, const float *w,
                                  size_t stride, void *tile);

// y (m, n), ldy apart = x (m, K), ldx apart, times the tile, plus bias (n) or NULL. `add`: plus
// what y holds. x: float32 or bf16, by the product. false: out of memory.
typedef struct cull_rows_by_tile {
    cull_product product;
    bool add;
    size_t m, n, K, ldx, ldy;
    const void *x, *tile;
    const float *bias;
    float *y;
} cull_rows_by_tile;
bool cull_gemm_rows(cull_gemm *, const cull_rows_by_tile *) __attribute__((warn_unused_result));

// ---- whole products of float32, of any form; the bits may depend on the number of rows ----

// C (m, n) = alpha · A B + beta · C, A (m, k) or its transpose, B (k, n) or its transpose.
bool cull_gemm_f32(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, float alpha,
                   const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c,
                   size_t ldc) __attribute__((warn_unused_result));

#endif
