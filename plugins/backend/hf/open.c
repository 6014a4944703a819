// A checkpoint's folder becomes a model: its files, config.json, tensors, tokenizer.
#include "config/lists.h"
#include "hub.h"
#include "save/save.h"
#include "tokenizer/tokenizer.h"

// The words of all architectures, for a refusal.
static const char *known_words(cull_ctx *ctx)
{
    char *words = hf_text(ctx, "%s", hf_archs[0]->model_type);

    for (size_t i = 1; words && hf_archs[i]; i++)
        words = hf_text(ctx, "%s, %s", words, hf_archs[i]->model_type);
    return words;
}

static cull_status find_arch(hf_config *c, cull_model *m)
{
    const char *type = hf_wrapper_type(c), *known;

    CULL_TRY(c->status);
    if (!type)
        return hf_wrong(c, "model_type", NULL, "");
    m->arch = hf_arch_find(type);
    if (m->arch) {
        m->facts.arch = m->arch->model_type;
        return CULL_OK;
    }
    known = known_words(c->ctx);
    return known ? hf_refuse(c, "model_type", type, known) : CULL_ENOMEM;
}

static cull_status read_config(cull_ctx *ctx, const char *path, cull_model *m)
{
    hf_wrapped w;
    cull_status status = hf_wrapper_open(ctx, path, &w);

    m->wrapped = w.depth > 0;
    if (status == CULL_OK)
        status = find_arch(&w.text, m);
    if (status == CULL_OK) {
        m->transformers = m->wrapped ? hf_wrapper_class(&w.text) : m->arch->transformers;
        status = hf_shape_read(&w.text, m);
    }
    hf_wrapper_close(&w);
    return status;
}

static cull_status open_weights(cull_ctx *ctx, cull_model *m, bool may_miss)
{
    const char *config = hf_text(ctx, "%s/config.json", m->facts.source);

    if (!config)
        return CULL_ENOMEM;
    CULL_TRY(hf_files_open(ctx, m->facts.source, may_miss, &m->files));
    CULL_TRY(read_config(ctx, config, m));
    CULL_TRY(hf_bind(ctx, m));
    CULL_TRY(hf_lists_tensors(ctx, m));
    CULL_TRY(hf_facts_finish(ctx, m, config));
    return hf_generation_read(ctx, m, config);
}

// The tokenizer's own BOS and EOS stand above those of config.json.
static cull_status open_tokenizer(cull_ctx *ctx, cull_model *m)
{
    CULL_TRY(hf_tokenizer_open(ctx, m->facts.source, &m->tokenizer));
    if (hf_tokenizer_bos(m->tokenizer) >= 0)
        m->facts.bos = hf_tokenizer_bos(m->tokenizer);
    if (hf_tokenizer_eos(m->tokenizer) >= 0)
        m->facts.eos = hf_tokenizer_eos(m->tokenizer);
    m->facts.adds_bos = hf_tokenizer_adds_bos(m->tokenizer);
    m->facts.decoding = hf_tokenizer_decoding(m->tokenizer);
    return CULL_OK;
}

void hf_close(cull_model *m)
{
    if (!m)
        return;
    hf_files_close(&m->files);
    hf_tokenizer_close(m->tokenizer);
}

cull_status hf_open_folder(cull_ctx *ctx, const char *folder, uint32_t what, cull_model **out)
{
    cull_model *m = ctx->host->alloc(ctx, 1, sizeof *m);

    if (!m)
        return CULL_ENOMEM;
    m->facts =
        (cull_model_facts){ .size = sizeof m->facts, .bos = -1, .eos = -1, .logit_scale = 1 };
    cull_status status = hf_hub_folder(ctx, folder, &m->facts.source);
    if (status == CULL_OK && (what & CULL_OPEN_WEIGHTS))
        status = open_weights(ctx, m, what & CULL_OPEN_SHAPES);
    if (status == CULL_OK && (what & CULL_OPEN_TOKENIZER))
        status = open_tokenizer(ctx, m);
    if (status != CULL_OK) {
        hf_close(m);
        return status;
    }
    *out = m;
    return CULL_OK;
}
