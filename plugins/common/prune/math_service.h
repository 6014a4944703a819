// The host's matrix products and factorisations, for plugins that cannot do without.
#ifndef COMMON_MATH_SERVICE_H
#define COMMON_MATH_SERVICE_H

#include <cull/cull.h>
#include <cull/ext/math.h>

static inline cull_status math_service(cull_ctx *ctx, const cull_math_ext **out)
{
    *out = ctx->host->extension(ctx, CULL_EXT_MATH);
    return *out ? CULL_OK
                : ctx->host->fail(ctx, CULL_EENV, "this Cull lacks the service " CULL_EXT_MATH);
}

#endif
