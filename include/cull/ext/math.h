// Optional service "cull.math/1": matrix products and factorisations, by the kernels that the host
// found for the processor. A plugin that takes them from here links no BLAS.
//
// All matrices are row-major, ld… apart from row to row; everything runs in the calling thread, and
// any thread may call: [any]. false: the numbers are beyond the library, or as said below.
#ifndef CULL_EXT_MATH_H
#define CULL_EXT_MATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CULL_EXT_MATH "cull.math/1"

typedef struct cull_math_ext {
    uint32_t size;

    // C (m, n) = alpha · A B + beta · C; A is (m, k) or its transpose, B (k, n) or its transpose.
    bool (*gemm_f32)(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, float alpha,
                     const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c,
                     size_t ldc);
    bool (*gemm_f64)(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, double alpha,
                     const double *a, size_t lda, const double *b, size_t ldb, double beta,
                     double *c, size_t ldc);

    // The lower triangle of C (n, n) = A Aᵀ + beta · C, A (n, k); of AᵀA, A (k, n), with
    // `transpose`.
    bool (*syrk_f64)(bool transpose, size_t n, size_t k, const double *a, size_t lda, double beta,
                     double *c, size_t ldc);

    // A = UᵀU in place, U the upper triangle; the lower one stays as it is. false also: A is not
    // positive definite. Then, in place of U, the upper triangle of A⁻¹.
    bool (*cholesky_f64)(size_t n, double *a, size_t lda);
    bool (*cholesky_inverse_f64)(size_t n, double *u, size_t ldu);

    // B (n, m) = U⁻¹ B, or U⁻ᵀ B with `transpose`; U upper (n, n).
    bool (*solve_upper_f64)(bool transpose, size_t n, size_t m, const double *u, size_t ldu,
                            double *b, size_t ldb);

    // A (m, n) = U diag(s) Vᵀ, r = min(m, n): u (m, r), s (r) descending, vt (r, n), all dense. a
    // is overwritten. work: svd_f64_work(m, n) doubles. false also: it did not converge.
    size_t (*svd_f64_work)(size_t m, size_t n);
    bool (*svd_f64)(size_t m, size_t n, double *a, double *u, double *s, double *vt, double *work);

    // The r largest eigenvalues of symmetric A (n, n), descending, into w (r), their vectors of
    // norm 1 into the rows of v (r, n). A's lower triangle is read, all of it is overwritten. work:
    // eigen_f64_work(n) doubles. false also: they did not converge.
    size_t (*eigen_f64_work)(size_t n);
    bool (*eigen_f64)(size_t n, double *a, size_t r, double *w, double *v, double *work);
} cull_math_ext;

#endif
