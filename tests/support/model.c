// A model's facts without a model.
#include "support/model.h"

#include "support/test.h"

static const test_model *model_of(const cull_text *text)
{
    return (const test_model *)text->core;
}

static cull_status encode(cull_ctx *ctx, const cull_text *text, const char *s, size_t len,
                          uint32_t flags, int32_t **ids, size_t *n)
{
    const cull_open_model *m = &model_of(text)->opened;

    return m->backend->encode(ctx, m->model, s, len, flags, ids, n);
}

static cull_status decode(cull_ctx *ctx, const cull_text *text, const int32_t *ids, size_t n,
                          uint32_t flags, char **s, size_t *len)
{
    const cull_open_model *m = &model_of(text)->opened;

    return m->backend->decode(ctx, m->model, ids, n, flags, s, len);
}

void test_model_open(fake_host *host, const char *path, uint32_t what, test_model *out)
{
    const cull_plugin *plugin = fake_plugin(host, "backend", "hf");
    void *settings = fake_settings(host, plugin);
    cull_open_model *m = &out->opened;

    fake_set(host, plugin, settings, "path", path);
    m->plugin = plugin;
    m->backend = plugin->vtable;
    assert_ok(host, m->backend->open(fake_ctx(host), settings, what, &m->model));
    assert_ok(host, cull_open_model_look(fake_ctx(host), m));
    out->text = (cull_text){ .size = sizeof out->text,
                             .bos = m->facts->bos,
                             .eos = m->facts->eos,
                             .adds_bos = m->facts->adds_bos,
                             .max_positions = m->facts->max_positions,
                             .encode = encode,
                             .decode = decode,
                             .core = out,
                             .max_new = m->facts->max_new };
}

void test_model_close(test_model *model)
{
    model->opened.backend->close(model->opened.model);
}
