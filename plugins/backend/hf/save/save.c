// A variant as a checkpoint: planned, written, verified.
#include "save/save.h"

// Do layers turn rows to each other in the same way?
static bool is_alike(const hf_layer *a, const hf_layer *b)
{
    return a->mix == b->mix && a->local == b->local && a->rotates == b->rotates &&
           a->tempered == b->tempered && a->heads->H == b->heads->H &&
           a->heads->KV == b->heads->KV && a->heads->qk == b->heads->qk &&
           a->heads->v == b->heads->v;
}

// What was written is opened again: it must be a sound checkpoint with the layers, experts and
// rules that were planned.
static cull_status verify(hf_saving *s)
{
    cull_model *again;

    CULL_TRY(hf_open_folder(s->ctx, s->how->folder, CULL_OPEN_WEIGHTS, &again));
    bool same = again->s.L == s->L && again->s.n_group == s->m->s.n_group;
    for (size_t l = 0; l < s->m->s.L && same; l++) {
        const cull_layer_facts *was = &s->m->layer[l].facts;
        if (s->new_layer[l] == SIZE_MAX)
            continue;
        const hf_layer *now = &again->layer[s->new_layer[l]];
        same = now->facts.E == s->rows[l] && now->facts.K == s->k[l] &&
               now->facts.window == was->window && now->facts.renormalise == was->renormalise &&
               is_alike(&s->m->layer[l], now);
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

static void say_needless(const hf_saving *s)
{
    bool any = false;

    for (size_t i = 0; i < s->m->files.n_tensors; i++)
        any |= hf_is_quantised(s->m->files.tensor[i].t.dtype);
    if (s->how->dequantise && !any)
        s->ctx->host->log(s->ctx, CULL_WARN,
                          "dequantise changes nothing: the checkpoint has no FP8 or MXFP4");
}

// What becomes of layers, experts and tensors; nothing is written yet.
static cull_status plan(hf_saving *s)
{
    s->variant = s->ctx->host->extension(s->ctx, CULL_EXT_VARIANT);
    if (!s->variant || !s->m->arch)
        return s->ctx->host->fail(s->ctx, CULL_EENV,
                                  "this Cull lacks the service " CULL_EXT_VARIANT);
    CULL_TRY(hf_save_plan(s));
    return hf_save_list(s);
}

cull_status hf_save(cull_ctx *ctx, const cull_model *m, const cull_cut *cut, const cull_save *how)
{
    hf_saving s = { .ctx = ctx, .m = m, .cut = cut, .how = how };

    CULL_TRY(plan(&s));
    say_needless(&s);
    CULL_TRY(hf_save_tensors(&s));
    CULL_TRY(hf_save_config(&s));
    CULL_TRY(hf_save_rest(&s));
    return verify(&s);
}

cull_status hf_saved_bytes(cull_ctx *ctx, const cull_model *m, const cull_cut *cut, uint64_t *bytes)
{
    const cull_save how = { .size = sizeof how };
    hf_saving s = { .ctx = ctx, .m = m, .cut = cut, .how = &how };

    *bytes = 0;
    CULL_TRY(plan(&s));
    for (size_t i = 0; i < s.n; i++)
        *bytes += s.out[i].bytes;
    return CULL_OK;
}
