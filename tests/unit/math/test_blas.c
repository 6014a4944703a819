// Double precision against plain loops, whichever kernels OpenBLAS runs.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "math/blas.h"
#include "support/test.h"

enum { M = 37, N = 21, K = 53 };

static double *numbers(size_t n, unsigned seed)
{
    double *x = malloc(n * sizeof *x);

    assert_non_null(x);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (double)(seed >> 8) / 0x1p24 - 0.5;
    }
    return x;
}

static void assert_near(double got, double want)
{
    assert_true(fabs(got - want) <= 1e-11 * (1 + fabs(want)));
}

static void gemm(void **state)
{
    double *a = numbers(M * K, 1), *b = numbers(K * N, 2), *c = numbers(M * N, 3);
    double *old = numbers(M * N, 3);

    (void)state;
    for (int form = 0; form < 4; form++) {
        const bool ta = form & 1, tb = form & 2;
        assert_true(cull_gemm_f64(ta, tb, M, N, K, -1.5, a, ta ? M : K, b, tb ? K : N, 0.5, c, N));
        for (size_t i = 0; i < M; i++)
            for (size_t j = 0; j < N; j++) {
                double sum = 0;
                for (size_t k = 0; k < K; k++)
                    sum += (ta ? a[k * M + i] : a[i * K + k]) * (tb ? b[j * K + k] : b[k * N + j]);
                assert_near(c[i * N + j], -1.5 * sum + 0.5 * old[i * N + j]);
                old[i * N + j] = c[i * N + j];
            }
    }
    free(a);
    free(b);
    free(c);
    free(old);
}

static void syrk(void **state)
{
    double *a = numbers(N * K, 4), *c = numbers(N * N, 5);

    (void)state;
    for (int t = 0; t < 2; t++) {
        assert_true(cull_syrk_f64(t, N, K, a, t ? N : K, 0, c, N));
        for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j <= i; j++) {
                double sum = 0;
                for (size_t k = 0; k < K; k++)
                    sum += t ? a[k * N + i] * a[k * N + j] : a[i * K + k] * a[j * K + k];
                assert_near(c[i * N + j], sum);
            }
    }
    free(a);
    free(c);
}

// A = BBᵀ + I, so that it has a factor.
static double *definite(void)
{
    double *b = numbers(N * K, 6), *a = calloc(N * N, sizeof *a);

    assert_non_null(a);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++) {
            a[i * N + j] = i == j;
            for (size_t k = 0; k < K; k++)
                a[i * N + j] += b[i * K + k] * b[j * K + k];
        }
    free(b);
    return a;
}

static void factors(void **state)
{
    double *a = definite(), *u = definite(), *x = numbers(N * 3, 7), *b = numbers(N * 3, 7);

    (void)state;
    assert_true(cull_cholesky_f64(N, u, N));
    for (size_t i = 0; i < N; i++)
        for (size_t j = i; j < N; j++) {
            double sum = 0;
            for (size_t k = 0; k <= i; k++)
                sum += u[k * N + i] * u[k * N + j];
            assert_near(sum, a[i * N + j]);
        }
    assert_true(cull_solve_upper_f64(true, N, 3, u, N, x, 3));
    assert_true(cull_solve_upper_f64(false, N, 3, u, N, x, 3));
    assert_true(cull_cholesky_inverse_f64(N, u, N));
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < 3; j++) {
            double sum = 0, by_inverse = 0;
            for (size_t k = 0; k < N; k++) {
                sum += a[i * N + k] * x[k * 3 + j];
                by_inverse += (k < i ? u[k * N + i] : u[i * N + k]) * b[k * 3 + j];
            }
            assert_near(sum, b[i * 3 + j]);
            assert_near(x[i * 3 + j], by_inverse);
        }
    a[0] = -1;
    assert_false(cull_cholesky_f64(N, a, N));
    free(a);
    free(u);
    free(x);
    free(b);
}

static void singular_values_of(size_t m, size_t n)
{
    const size_t r = m < n ? m : n;
    double *a = numbers(m * n, 8), *copy = numbers(m * n, 8);
    double *u = numbers(m * r, 0), *s = numbers(r, 0), *vt = numbers(r * n, 0);
    double *work = numbers(cull_svd_f64_work(m, n), 0);

    assert_true(cull_svd_f64(m, n, copy, u, s, vt, work));
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t k = 0; k < r; k++)
                sum += u[i * r + k] * s[k] * vt[k * n + j];
            assert_near(sum, a[i * n + j]);
        }
    for (size_t k = 0; k + 1 < r; k++)
        assert_true(s[k] >= s[k + 1]);
    free(a);
    free(copy);
    free(u);
    free(s);
    free(vt);
    free(work);
}

// Of a matrix made of known eigenvectors: an orthonormal set of singular vectors.
static void eigenvalues(void **state)
{
    enum { R = 5 };
    double *a = numbers(N * N, 9), *u = numbers(N * N, 0), *s = numbers(N, 0);
    double *vt = numbers(N * N, 0), *work = numbers(cull_svd_f64_work(N, N), 0);
    double *w = numbers(R, 0), *v = numbers(R * N, 0);
    double *room = numbers(cull_eigen_f64_work(N), 0);

    (void)state;
    assert_true(cull_svd_f64(N, N, a, u, s, vt, work));
    for (size_t i = 0; i < N * N; i++) {
        a[i] = i / N < i % N ? NAN : 0; // the upper triangle is not read
        for (size_t k = 0; k < N && i / N >= i % N; k++)
            a[i] += u[i / N * N + k] * (10.0 - (double)k) * u[i % N * N + k];
    }
    assert_true(cull_eigen_f64(N, a, R, w, v, room));
    for (size_t k = 0; k < R; k++) {
        double dot = 0;
        assert_near(w[k], 10.0 - (double)k);
        for (size_t i = 0; i < N; i++)
            dot += v[k * N + i] * u[i * N + k];
        assert_near(fabs(dot), 1);
    }
    assert_false(cull_eigen_f64(N, a, 0, w, v, room));
    assert_false(cull_eigen_f64(N, a, N + 1, w, v, room));
    free(a);
    free(u);
    free(s);
    free(vt);
    free(work);
    free(w);
    free(v);
    free(room);
}

static void singular_values(void **state)
{
    (void)state;
    singular_values_of(M, N);
    singular_values_of(N, M);
    singular_values_of(1, N);
}

// What the environment names is what runs; without it the variables are as they were.
static void environment(void **state)
{
    const char *named = getenv("OPENBLAS_CORETYPE");
    char before[64];

    (void)state;
    (void)snprintf(before, sizeof before, "%s", named ? named : "");
    assert_null(cull_blas_load());
    assert_string_not_equal(cull_blas_kernel(), "");
    assert_string_equal(getenv("OPENBLAS_CORETYPE") ? getenv("OPENBLAS_CORETYPE") : "", before);
    if (*before)
        assert_int_equal(strcasecmp(cull_blas_kernel(), before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(environment),
        cmocka_unit_test(gemm),
        cmocka_unit_test(syrk),
        cmocka_unit_test(factors),
        cmocka_unit_test(singular_values),
        cmocka_unit_test(eigenvalues),
    };

    return cmocka_run_group_tests_name("blas", tests, NULL, NULL);
}
