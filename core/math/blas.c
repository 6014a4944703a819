// OpenBLAS, loaded late and told which kernels the processor can run.
#define _GNU_SOURCE // setenv
#include "math/blas.h"

#include <dlfcn.h>
#include <float.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cblas.h>

#include "math/cpu.h"

// LAPACK by its Fortran names: matrices by columns, so that ours are transposed.
typedef void potrf_fn(const char *uplo, const int *n, double *a, const int *lda, int *info);
typedef void gesvd_fn(const char *jobu, const char *jobvt, const int *m, const int *n, double *a,
                      const int *lda, double *s, double *u, const int *ldu, double *vt,
                      const int *ldvt, double *work, const int *lwork, int *info);
typedef void syevr_fn(const char *jobz, const char *range, const char *uplo, const int *n,
                      double *a, const int *lda, const double *vl, const double *vu, const int *il,
                      const int *iu, const double *abstol, int *m, double *w, double *z,
                      const int *ldz, int *isuppz, double *work, const int *lwork, int *iwork,
                      const int *liwork, int *info);

static struct library { // written once, by load()
    char problem[512];
    __typeof__(cblas_dgemm) *dgemm;
    __typeof__(cblas_dsyrk) *dsyrk;
    __typeof__(cblas_dtrsm) *dtrsm;
    __typeof__(openblas_get_corename) *corename;
    potrf_fn *dpotrf, *dpotri;
    gesvd_fn *dgesvd;
    syevr_fn *dsyevr;
} library;

static pthread_once_t loaded = PTHREAD_ONCE_INIT;

// The newest kernels that OpenBLAS may have for such a processor, or NULL: let it choose.
static const char *core_type(void)
{
    const cull_cpu cpu = cull_cpu_features();

    if (cpu.avx512)
        return "SKYLAKEX";
    if (cpu.avx2 && cpu.fma)
        return "HASWELL";
    return cpu.avx ? "SANDYBRIDGE" : NULL;
}

static bool find(void *handle, const char *name, void *fn, size_t size)
{
    void *symbol = dlsym(handle, name); // an object pointer that is a function's, as POSIX has it

    if (!symbol && !*library.problem)
        (void)snprintf(library.problem, sizeof library.problem, "OpenBLAS has no %s", name);
    memcpy(fn, &symbol, size);
    return symbol;
}

// With a variable set while the library loads, unless the environment has it already.
static bool lend(const char *name, const char *value)
{
    return value && !getenv(name) && setenv(name, value, 1) == 0;
}

// OpenBLAS asks for its buffers for ever where there is no room for them: so it is asked first, and
// takes them at once.
static bool has_room(void)
{
    enum { BUFFERS = 160 << 20 };
    void *room = malloc(BUFFERS);

    free(room);
    return room;
}

static void take_buffers(void)
{
    const double one = 1;
    double product = 0;

    if (library.dgemm)
        library.dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, 1, 1, 1, 1, &one, 1, &one, 1, 0,
                      &product, 1);
}

static void load(void)
{
    if (!has_room()) {
        (void)snprintf(library.problem, sizeof library.problem,
                       "out of memory: OpenBLAS wants 160 MB for its buffers");
        return;
    }
    const bool core = lend("OPENBLAS_CORETYPE", core_type());
    const bool threads = lend("OPENBLAS_NUM_THREADS", "1"); // the pool's workers are the threads
    void *handle = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);

    if (!handle)
        handle = dlopen(CULL_OPENBLAS_PATH, RTLD_NOW | RTLD_LOCAL);
    if (core)
        unsetenv("OPENBLAS_CORETYPE");
    if (threads)
        unsetenv("OPENBLAS_NUM_THREADS");
    if (!handle) {
        (void)snprintf(library.problem, sizeof library.problem, "OpenBLAS cannot be loaded: %s",
                       dlerror());
        return;
    }

    __typeof__(openblas_set_num_threads) *set_threads = NULL;
    if (find(handle, "openblas_set_num_threads", &set_threads, sizeof set_threads))
        set_threads(1);
    (void)find(handle, "openblas_get_corename", &library.corename, sizeof library.corename);
    (void)find(handle, "cblas_dgemm", &library.dgemm, sizeof library.dgemm);
    (void)find(handle, "cblas_dsyrk", &library.dsyrk, sizeof library.dsyrk);
    (void)find(handle, "cblas_dtrsm", &library.dtrsm, sizeof library.dtrsm);
    (void)find(handle, "dpotrf_", &library.dpotrf, sizeof library.dpotrf);
    (void)find(handle, "dpotri_", &library.dpotri, sizeof library.dpotri);
    (void)find(handle, "dgesvd_", &library.dgesvd, sizeof library.dgesvd);
    (void)find(handle, "dsyevr_", &library.dsyevr, sizeof library.dsyevr);
    take_buffers();
}

const char *cull_blas_load(void)
{
    pthread_once(&loaded, load);
    return *library.problem ? library.problem : NULL;
}

const char *cull_blas_kernel(void)
{
    return cull_blas_load() ? "" : library.corename();
}

// Is the library there, and does it take such numbers?
static bool usable(size_t a, size_t b, size_t c)
{
    return !cull_blas_load() && a <= INT_MAX && b <= INT_MAX && c <= INT_MAX;
}

bool cull_gemm_f64(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, double alpha,
                   const double *a, size_t lda, const double *b, size_t ldb, double beta, double *c,
                   size_t ldc)
{
    if (!usable(m, n, k) || !usable(lda, ldb, ldc))
        return false;
    library.dgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans,
                  transpose_b ? CblasTrans : CblasNoTrans, (blasint)m, (blasint)n, (blasint)k,
                  alpha, a, (blasint)lda, b, (blasint)ldb, beta, c, (blasint)ldc);
    return true;
}

bool cull_syrk_f64(bool transpose, size_t n, size_t k, const double *a, size_t lda, double beta,
                   double *c, size_t ldc)
{
    if (!usable(n, k, lda) || !usable(ldc, 0, 0))
        return false;
    library.dsyrk(CblasRowMajor, CblasLower, transpose ? CblasTrans : CblasNoTrans, (blasint)n,
                  (blasint)k, 1.0, a, (blasint)lda, beta, c, (blasint)ldc);
    return true;
}

// LAPACK's lower triangle by columns is our upper one by rows.
bool cull_cholesky_f64(size_t n, double *a, size_t lda)
{
    const int order = (int)n, stride = (int)lda;
    int info = 0;

    if (!usable(n, lda, 0))
        return false;
    library.dpotrf("L", &order, a, &stride, &info);
    return info == 0;
}

bool cull_cholesky_inverse_f64(size_t n, double *u, size_t ldu)
{
    const int order = (int)n, stride = (int)ldu;
    int info = 0;

    if (!usable(n, ldu, 0))
        return false;
    library.dpotri("L", &order, u, &stride, &info);
    return info == 0;
}

bool cull_solve_upper_f64(bool transpose, size_t n, size_t m, const double *u, size_t ldu,
                          double *b, size_t ldb)
{
    if (!usable(n, m, ldu) || !usable(ldb, 0, 0))
        return false;
    library.dtrsm(CblasRowMajor, CblasLeft, CblasUpper, transpose ? CblasTrans : CblasNoTrans,
                  CblasNonUnit, (blasint)n, (blasint)m, 1.0, u, (blasint)ldu, b, (blasint)ldb);
    return true;
}

size_t cull_svd_f64_work(size_t m, size_t n)
{
    const size_t small = m < n ? m : n, large = m < n ? n : m;

    return 5 * small + 2 * large + 64 * (m + n);
}

// By columns ours is Aᵀ = V diag(s) Uᵀ.
bool cull_svd_f64(size_t m, size_t n, double *a, double *u, double *s, double *vt, double *work)
{
    const int rows = (int)n, cols = (int)m, r = m < n ? (int)m : (int)n;
    int info = 0;

    if (!usable(m, n, cull_svd_f64_work(m, n)))
        return false;
    const int lwork = (int)cull_svd_f64_work(m, n);
    library.dgesvd("S", "S", &rows, &cols, a, &rows, s, vt, &rows, u, &r, work, &lwork, &info);
    return info == 0;
}

// dsyevr's own room, its eigenvalues, and its integers.
enum { EIGEN_WORK = 70, EIGEN_INTS = 12 };

size_t cull_eigen_f64_work(size_t n)
{
    return (EIGEN_WORK + 1) * n + (EIGEN_INTS * n * sizeof(int)) / sizeof(double) + 1;
}

static void swap_rows(size_t n, double *a, double *b)
{
    for (size_t i = 0; i < n; i++) {
        const double x = a[i];
        a[i] = b[i];
        b[i] = x;
    }
}

// By columns ours is Aᵀ = A, whose upper triangle is our lower one; vectors come as columns,
// ascending.
bool cull_eigen_f64(size_t n, double *a, size_t r, double *w, double *v, double *work)
{
    const int order = (int)n, first = (int)(n - r + 1), lwork = (int)(EIGEN_WORK * n);
    const int liwork = (int)(10 * n);
    const double none = 0.0, exact = 2 * DBL_MIN;
    double *all = work + EIGEN_WORK * n;
    int *support = (int *)(void *)(all + n), found = 0, info = 0;

    if (!usable(n, r, EIGEN_WORK * n) || r == 0 || r > n)
        return false;
    library.dsyevr("V", "I", "U", &order, a, &order, &none, &none, &first, &order, &exact, &found,
                   all, v, &order, support, work, &lwork, support + 2 * n, &liwork, &info);
    if (info != 0 || found != (int)r)
        return false;
    for (size_t i = 0; i < r; i++)
        w[i] = all[r - 1 - i];
    for (size_t i = 0; i < r / 2; i++)
        swap_rows(n, v + i * n, v + (r - 1 - i) * n);
    return true;
}
