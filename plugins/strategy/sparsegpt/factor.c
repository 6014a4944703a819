// The Cholesky factor of a Hessian's inverse.
#include "factor.h"

#include <math.h>
#include <string.h>

#include "common/prune/math_service.h"

enum { MOST_RAISES = 12 };

static bool usable(const double *a, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(a[i * n + i]) || a[i * n + i] <= 0)
            return false;
    return true;
}

cull_status factorise(cull_ctx *ctx, const double *sum, size_t n, double tokens, double damp,
                      factor *out)
{
    double *H = ctx->host->scratch(ctx, n * n, sizeof *H);

    *out = (factor){ .n = n,
                     .U = ctx->host->scratch(ctx, n * n, sizeof *out->U),
                     .dead = ctx->host->scratch(ctx, n, 1) };
    if (!H || !out->U || !out->dead)
        return CULL_ENOMEM;
    const cull_math_ext *math;
    const cull_status found = math_service(ctx, &math);
    if (found != CULL_OK)
        return found;

    double trace = 0;
    for (size_t i = 0; i < n * n; i++)
        H[i] = 2 / tokens * sum[i];
    for (size_t i = 0; i < n; i++) {
        out->dead[i] = H[i * n + i] == 0;
        if (out->dead[i])
            H[i * n + i] = 1;
        trace += H[i * n + i];
    }
    if (!isfinite(trace))
        return ctx->host->fail(ctx, CULL_ENUMERIC, "the Hessian of its inputs is not finite");

    out->damp = damp;
    for (int raise = 0; raise < MOST_RAISES; raise++) {
        memcpy(out->U, H, n * n * sizeof *H);
        for (size_t i = 0; i < n; i++)
            out->U[i * n + i] += out->damp * trace / (double)n;
        if (math->cholesky_f64(n, out->U, n) && math->cholesky_inverse_f64(n, out->U, n) &&
            math->cholesky_f64(n, out->U, n) && usable(out->U, n))
            return CULL_OK;
        out->damp = fmax(10 * out->damp, 1e-6);
    }
    return ctx->host->fail(
        ctx, CULL_ENUMERIC,
        "the Hessian of its inputs has no Cholesky factor, even damped by %.0e of its "
        "mean diagonal",
        out->damp);
}
