// A variant as a checkpoint: planned, written, verified.
#include "save/save.h"

// What was written is opened again: it must be a sound checkpoint with the layers, experts and
// rules that were planned.
static cull_status verify(hf_saving *s)
{
    cull_model *again;

    HF_TRY(hf_open_folder(s->ctx, s->how->folder, CULL_OPEN_WEIGHTS, &again));
    bool same = again->s.L == s->L && again->s.n_group == s->m->s.n_group;
    for (size_t l = 0; l < s->m->s.L && same; l++) {
        const cull_layer_facts *was = &s->m->layer[l].facts;
        if (s->new_layer[l] == SIZE_MAX)
            continue;
        const cull_layer_facts *is = &again->layer[s->new_layer[l]].facts;
        same = is->E == s->rows[l] && is->K == s->k[l] && is->window == was->window &&
               is->renormalise == was->renormalise;
    }
    hf_close(again);
    if (same)
        return CULL_OK;
    return s->ctx->host->fail(
        s->ctx, CULL_ENOTSUP,
        "%s cannot be exported: without these layers and experts its config.json means "
        "another model",
        s->m->arch->model_type);
}

cull_status hf_save(cull_ctx *ctx, const cull_model *m, const cull_cut *cut, const cull_save *how)
{
    hf_saving s = { .ctx = ctx, .m = m, .cut = cut, .how = how };

    s.variant = ctx->host->extension(ctx, CULL_EXT_VARIANT);
    if (!s.variant || !m->arch)
        return ctx->host->fail(ctx, CULL_EENV, "this Cull lacks the service " CULL_EXT_VARIANT);
    HF_TRY(hf_save_plan(&s));
    HF_TRY(hf_save_list(&s));
    HF_TRY(hf_save_tensors(&s));
    HF_TRY(hf_save_config(&s));
    HF_TRY(hf_save_rest(&s));
    return verify(&s);
}
