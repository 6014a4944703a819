// The facts of an open model, as this Cull knows them.
#include "plugin/open_model.h"

#include "base/call.h"
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

static cull_status broken(cull_ctx *ctx, const cull_open_model *m, const char *callback,
                          const char *what)
{
    return cull_fail(ctx, CULL_EPLUGIN, "backend %s: its callback \"%s\" returns %s",
                     m->plugin ? m->plugin->name : "", callback, what);
}

static cull_status read_model(cull_ctx *ctx, cull_open_model *m)
{
    cull_call_enter(m->plugin, "facts", SIZE_MAX);
    const cull_model_facts *told = m->backend->facts(m->model);
    cull_call_leave();
    if (!told)
        return broken(ctx, m, "facts", "nothing");
    CULL_TRY(look_at_model(ctx, told, &m->facts));
    const cull_model_facts *f = m->facts;
    const bool texts = f->arch && f->dtype && f->source && f->fingerprint;
    return (f->L == 0 || texts) && (f->n_stop == 0 || f->stop) // L is 0 where only a tokenizer is
               ? CULL_OK
               : broken(ctx, m, "facts", "a model that lacks one of its texts or lists");
}

// Counts and widths are lengths of arrays from here on.
static const char *layer_fault(const cull_layer_facts *f)
{
    if (f->E > UINT16_MAX || f->K > f->E)
        return "more experts for a token than there are, or too many";
    if (f->E > 0 && (f->K == 0 || f->F == 0))
        return "experts of no width, or none for a token";
    return f->n_group > 1 && f->E % f->n_group != 0 ? "groups of unequal size" : NULL;
}

static cull_status read_layer(cull_ctx *ctx, const cull_open_model *m, size_t l,
                              cull_layer_facts *out)
{
    enum { LEAST = CULL_UP_TO(cull_layer_facts, other_params) };

    cull_call_enter(m->plugin, "layer_facts", l);
    const cull_layer_facts *told = m->backend->layer_facts(m->model, l);
    cull_call_leave();
    if (!told)
        return broken(ctx, m, "layer_facts", "nothing");
    CULL_TRY(cull_sized_copy(ctx, "a layer's facts", LEAST, told, sizeof *out, out));
    const char *fault = layer_fault(out);
    return fault ? cull_while(ctx, broken(ctx, m, "layer_facts", fault), "opening layer %zu", l)
                 : CULL_OK;
}

cull_status cull_open_model_look(cull_ctx *ctx, cull_open_model *m)
{
    CULL_TRY(read_model(ctx, m));
    cull_layer_facts *layer = cull_take(ctx, m->facts->L + 1, sizeof *layer);
    const cull_layer_facts **at = cull_take(ctx, m->facts->L + 1, sizeof *at);
    if (!layer || !at)
        return CULL_ENOMEM;
    for (size_t l = 0; l < m->facts->L; l++) {
        CULL_TRY(read_layer(ctx, m, l, &layer[l]));
        at[l] = &layer[l];
    }
    m->layer = at;
    return CULL_OK;
}

void cull_open_model_release(const cull_open_model *m, size_t l)
{
    if (!m->backend->release)
        return;
    cull_call_enter(m->plugin, "release", l);
    m->backend->release(m->model, l);
    cull_call_leave();
}

bool cull_open_model_releases_all(const cull_open_model *m)
{
    return CULL_KNOWS(cull_backend, m->backend, release_all) && m->backend->release_all;
}

void cull_open_model_release_all(const cull_open_model *m)
{
    if (!cull_open_model_releases_all(m))
        return;
    cull_call_enter(m->plugin, "release_all", SIZE_MAX);
    m->backend->release_all(m->model);
    cull_call_leave();
}
