// A checkpoint opened through the backend.
#include "support/opened.h"

#include <stdio.h>

#include "support/test.h"

cull_open_model opened_at(fake_host *host, const char *path)
{
    const cull_plugin *hf = fake_plugin(host, "backend", "hf");
    void *settings = fake_settings(host, hf);
    cull_open_model m = { .backend = hf->vtable, .plugin = hf };

    fake_set(host, hf, settings, "path", path);
    assert_ok(host, m.backend->open(fake_ctx(host), settings, CULL_OPEN_WEIGHTS, &m.model));
    assert_ok(host, cull_open_model_look(fake_ctx(host), &m));
    return m;
}

cull_open_model opened_new(fake_host *host, const char *path)
{
    char full[1024];

    (void)snprintf(full, sizeof full, "%s/%s", CULL_SOURCE_DIR, path);
    return opened_at(host, full);
}

void opened_close(cull_open_model *m)
{
    m->backend->close(m->model);
}

const cull_layer_facts *const *opened_facts(fake_host *host, const cull_open_model *m)
{
    const cull_layer_facts **facts = cull_take(fake_ctx(host), m->facts->L, sizeof *facts);

    assert_non_null(facts);
    for (size_t l = 0; l < m->facts->L; l++)
        facts[l] = cull_layer_of(m, l);
    return facts;
}

cull_cut *opened_drop(fake_host *host, const cull_open_model *m, const int32_t *const *kept,
                      const size_t *n_kept)
{
    size_t *E = cull_take(fake_ctx(host), m->facts->L, sizeof *E);
    cull_cut *cut;

    assert_non_null(E);
    for (size_t l = 0; l < m->facts->L; l++)
        E[l] = cull_layer_of(m, l)->E;
    cut = cull_cut_new(fake_ctx(host), m->facts->L, m->facts->D, E);
    assert_non_null(cut);
    for (size_t l = 0; l < m->facts->L; l++) {
        for (size_t e = 0; e < E[l]; e++)
            cut->layer[l].action[e] = CULL_ACTION_DROP;
        for (size_t i = 0; i < n_kept[l]; i++)
            cut->layer[l].action[kept[l][i]] = CULL_ACTION_BASE;
    }
    return cut;
}
