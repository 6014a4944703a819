// "cull.math/1": the door's functions as one table.
#include "math/service.h"

#include "math/blas.h"
#include "math/gemm.h"

const cull_math_ext cull_math_service = {
    .size = sizeof(cull_math_ext),
    .gemm_f32 = cull_gemm_f32,
    .gemm_f64 = cull_gemm_f64,
    .syrk_f64 = cull_syrk_f64,
    .cholesky_f64 = cull_cholesky_f64,
    .cholesky_inverse_f64 = cull_cholesky_inverse_f64,
    .solve_upper_f64 = cull_solve_upper_f64,
    .svd_f64_work = cull_svd_f64_work,
    .svd_f64 = cull_svd_f64,
    .eigen_f64_work = cull_eigen_f64_work,
    .eigen_f64 = cull_eigen_f64,
};
