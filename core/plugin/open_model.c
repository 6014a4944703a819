// The facts of an open model, as this Cull knows them.
#include "plugin/open_model.h"

#include "base/sized.h"

static cull_status look_at_model(cull_ctx *ctx, const cull_model_facts *told,
                                 const cull_model_facts **out)
{
    enum { LEAST = offsetof(cull_model_facts, exports) };
    cull_model_facts *facts = cull_take(ctx, 1, sizeof *facts);
    if (!facts)
        return CULL_ENOMEM;
    *out = facts;
    return cull_sized_copy(ctx, "a model's facts", LEAST, told, sizeof *facts, facts);
}

cull_status cull_open_model_look(cull_ctx *ctx, cull_open_model *m)
{
    enum { LEAST = CULL_UP_TO(cull_layer_facts, other_params) };
    CULL_TRY(look_at_model(ctx, m->backend->facts(m->model), &m->facts));
    cull_layer_facts *layer = cull_take(ctx, m->facts->L + 1, sizeof *layer);
    const cull_layer_facts **at = cull_take(ctx, m->facts->L + 1, sizeof *at);
    if (!layer || !at)
        return CULL_ENOMEM;
    for (size_t l = 0; l < m->facts->L; l++) {
        CULL_TRY(cull_sized_copy(ctx, "a layer's facts", LEAST,
                                 m->backend->layer_facts(m->model, l), sizeof layer[l], &layer[l]));
        at[l] = &layer[l];
    }
    m->layer = at;
    return CULL_OK;
}
