// What SparseGPT needs of a Hessian.
#ifndef SPARSEGPT_FACTOR_H
#define SPARSEGPT_FACTOR_H

#include <cull/cull.h>

typedef struct factor {
    size_t n;
    double *U; // (n, n) upper triangle, UᵀU = H⁻¹; U[i,i]² is the error that removing input i costs
    uint8_t *dead; // (n) 1: the input was always zero
    double damp;   // that was needed, as a share of the mean of the diagonal
} factor;

// Of H = (2 / tokens) · sum, damped; `sum` (n, n) is Σ x xᵀ. Inputs that are always zero get a
// diagonal of 1. Where the factorisation fails, the damping is raised tenfold, again and again;
// ENUMERIC when that does not help either. Lives as scratch.
cull_status factorise(cull_ctx *ctx, const double *sum, size_t n, double tokens, double damp,
                      factor *out);

#endif
