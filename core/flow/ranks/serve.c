// Orders taken and done, one after the other.
#include "flow/ranks/serve.h"

#include "base/pages.h"
#include "flow/ranks/order.h"
#include "flow/ranks/share_calibration.h"
#include "flow/ranks/share_evaluation.h"
#include "plugin/host.h"

static cull_status carry_out(cull_ctx *ctx, const cull_plan *plan, const cull_inputs *inputs,
                             const cull_engine_options *engine, const cull_order *o)
{
    if (o->model >= inputs->n)
        return cull_fail(ctx, CULL_EINVAL, "this rank does not plan what rank 0 does");
    if (o->kind == CULL_ORDER_CALIBRATE)
        return cull_serve_calibrations(ctx, plan, inputs, engine, o->model, o->n);
    return cull_serve_evaluation(ctx, inputs, engine, o->model, o->n_variants, o->n);
}

// What an order needs lives in a context of its own, and goes with it.
static cull_status carry_out_apart(cull_ctx *ctx, const cull_plan *plan, const cull_inputs *inputs,
                                   const cull_engine_options *engine, const cull_order *o)
{
    const cull_context *parent = cull_context_of(ctx);
    cull_context own;

    if (cull_context_init(&own, parent->pool, parent->log) != CULL_OK)
        return cull_no_memory(ctx);
    own.stop = parent->stop;
    own.ranks = parent->ranks;
    own.pages = cull_pages_new(engine->spill); // of cuts that its children make
    cull_status status = own.pages ? CULL_OK : cull_no_memory(&own.ctx);
    if (status == CULL_OK)
        status = carry_out(&own.ctx, plan, inputs, engine, o);
    if (status != CULL_OK)
        cull_error_copy(ctx, &own.ctx);
    cull_pages_free(own.pages);
    cull_context_release(&own);
    return status;
}

cull_status cull_serve(cull_ctx *ctx, const cull_plan *plan, const cull_inputs *inputs,
                       const cull_engine_options *engine)
{
    cull_status status = CULL_OK;

    while (status == CULL_OK) {
        cull_order order = { 0 };
        status = cull_order_give(ctx, &order);
        if (status == CULL_OK && order.kind == CULL_ORDER_END)
            return CULL_OK;
        if (status == CULL_OK)
            status = carry_out_apart(ctx, plan, inputs, engine, &order);
    }
    return cull_ranks_agree(ctx, status);
}

cull_status cull_serve_no_more(cull_ctx *ctx, cull_status status)
{
    cull_order end = { .kind = CULL_ORDER_END };

    if (status != CULL_OK)
        return cull_ranks_agree(ctx, status);
    return cull_order_give(ctx, &end);
}
