// Double precision and factorisations, by OpenBLAS and its LAPACK. All matrices are row-major.
//
// The library is loaded at the first use, not when the program starts: OpenBLAS reads
// OPENBLAS_CORETYPE as it loads, and one that does not know the processor would otherwise run its
// oldest kernels. What it is told is what processor and system offer (cpu.h); a value that the
// environment has already wins. It works in the calling thread alone. Any thread may call.
#ifndef CULL_MATH_BLAS_H
#define CULL_MATH_BLAS_H

#include <stdbool.h>
#include <stddef.h>

// Load it now, while no other thread reads the environment. NULL: it is there; else a sentence
// about what is missing, and every function below gives false.
const char *cull_blas_load(void);
const char *cull_blas_kernel(void); // "SkylakeX"; "" while it is not loaded

#define CULL_CHECKED __attribute__((warn_unused_result))

// C (m, n) = alpha · A B + beta · C, A (m, k) or its transpose, B (k, n) or its transpose.
bool cull_gemm_f64(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, double alpha,
                   const double *a, size_t lda, const double *b, size_t ldb, double beta, double *c,
                   size_t ldc) CULL_CHECKED;

// The lower triangle of C (n, n) = A Aᵀ + beta · C, A (n, k); of AᵀA, A (k, n), with `transpose`.
bool cull_syrk_f64(bool transpose, size_t n, size_t k, const double *a, size_t lda, double beta,
                   double *c, size_t ldc) CULL_CHECKED;

// A = UᵀU in place, U upper; A's lower triangle is left as it is. false also: not positive
// definite.
bool cull_cholesky_f64(size_t n, double *a, size_t lda) CULL_CHECKED;
// From U the upper triangle of A⁻¹, in place.
bool cull_cholesky_inverse_f64(size_t n, double *u, size_t ldu) CULL_CHECKED;
// B (n, m) = U⁻¹ B, or U⁻ᵀ B with `transpose`; U upper (n, n).
bool cull_solve_upper_f64(bool transpose, size_t n, size_t m, const double *u, size_t ldu,
                          double *b, size_t ldb) CULL_CHECKED;

// A (m, n) = U diag(s) Vᵀ, r = min(m, n): u (m, r), s (r) descending, vt (r, n). a is overwritten.
// work: cull_svd_f64_work(m, n) doubles.
size_t cull_svd_f64_work(size_t m, size_t n);
bool cull_svd_f64(size_t m, size_t n, double *a, double *u, double *s, double *vt,
                  double *work) CULL_CHECKED;

// The r ≤ n largest eigenvalues of symmetric A (n, n), descending, into w (r), and their vectors of
// norm 1 as the rows of v (r, n). A's lower triangle is read, all of it is overwritten. work:
// cull_eigen_f64_work(n) doubles. false also: they did not converge.
size_t cull_eigen_f64_work(size_t n);
bool cull_eigen_f64(size_t n, double *a, size_t r, double *w, double *v, double *work) CULL_CHECKED;

#endif
