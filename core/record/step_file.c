// A stage's scores, and the name of its cut.
#include "record/step_file.h"

#include <stdio.h>
#include <string.h>

#include "base/safetensors.h"

static const char layer_scores[] = "layer.score", active_kept[] = "active_kept";

static const char *expert_scores(cull_ctx *ctx, size_t l)
{
    const char *name =
        cull_arena_printf(cull_context_of(ctx)->scratch, "layer.%zu.expert.score", l);

    if (!name)
        cull_no_memory(ctx);
    return name;
}

typedef struct content {
    size_t n;
    cull_entry *entry;   // (n)
    const double **data; // (n)
} content;

static void add(content *c, const char *name, size_t n, const double *data)
{
    c->data[c->n] = data;
    c->entry[c->n++] = (cull_entry){ sizeof(cull_entry), name, CULL_DT_F64, 1, { n } };
}

static cull_status collect(cull_ctx *ctx, size_t L, const size_t *E, const cull_step_scores *scores,
                           content *c)
{
    c->entry = cull_scratch(ctx, L + 2, sizeof *c->entry);
    c->data = cull_scratch(ctx, L + 2, sizeof *c->data);
    if (!c->entry || !c->data)
        return CULL_ENOMEM;
    if (scores->layer)
        add(c, layer_scores, L, scores->layer);
    if (scores->active)
        add(c, active_kept, 1, scores->active);
    for (size_t l = 0; scores->expert && l < L; l++) {
        const char *name = E[l] > 0 && scores->expert[l] ? expert_scores(ctx, l) : NULL;
        if (name)
            add(c, name, E[l], scores->expert[l]);
    }
    return CULL_OK;
}

cull_status cull_step_save(cull_ctx *ctx, const char *path, const char *cut, size_t L,
                           const size_t *E, const cull_step_scores *scores)
{
    const cull_mark mark = cull_arena_mark(cull_context_of(ctx)->scratch);
    content c = { 0 };
    cull_safetensors_writer *writer = NULL;
    cull_status status = collect(ctx, L, E, scores, &c);

    if (status == CULL_OK)
        status = cull_safetensors_create_sealed(ctx, path, c.n, c.entry, 1,
                                                &(cull_pair){ "cut", cut }, &writer);
    for (size_t i = 0; status == CULL_OK && i < c.n; i++)
        status =
            cull_safetensors_put(ctx, writer, i, c.data[i], c.entry[i].shape[0] * sizeof(double));
    if (status == CULL_OK)
        status = cull_safetensors_finish(ctx, writer);
    else
        cull_safetensors_abandon(writer);
    cull_arena_rewind(cull_context_of(ctx)->scratch, mark);
    return cull_while(ctx, status, "storing what a stage decided");
}

static cull_status read_name(cull_ctx *ctx, const char *path, const cull_safetensors *file,
                             cull_cut_name *out)
{
    const char *name = cull_safetensors_metadata(file, "cut");

    if (!name || strlen(name) >= sizeof out->text || strchr(name, '/') || *name == '.')
        return cull_fail(ctx, CULL_EFORMAT, "%s: names no cut", path);
    snprintf(out->text, sizeof out->text, "%s", name);
    return CULL_OK;
}

// n scores of that name; *out is NULL where there are none.
static cull_status read_scores(cull_ctx *ctx, const char *path, const cull_safetensors *file,
                               const char *name, size_t n, double **out)
{
    cull_tensor t;

    *out = NULL;
    if (!cull_safetensors_find(file, name, &t))
        return CULL_OK;
    if (t.dtype != CULL_DT_F64 || t.rank != 1 || t.shape[0] != n)
        return cull_fail(ctx, CULL_EFORMAT, "%s: tensor \"%s\" is not F64 (%zu)", path, name, n);
    *out = cull_take(ctx, n, sizeof **out);
    if (*out && n > 0)
        memcpy(*out, t.data, t.bytes);
    return *out ? CULL_OK : CULL_ENOMEM;
}

static cull_status read_experts(cull_ctx *ctx, const char *path, const cull_safetensors *file,
                                size_t L, const size_t *E, cull_step_scores *scores)
{
    double **expert = cull_take(ctx, L, sizeof *expert);
    bool any = false;

    if (!expert)
        return CULL_ENOMEM;
    for (size_t l = 0; l < L; l++) {
        const char *name = expert_scores(ctx, l);
        if (!name)
            return CULL_ENOMEM;
        CULL_TRY(read_scores(ctx, path, file, name, E[l], &expert[l]));
        any |= expert[l] != NULL;
    }
    for (size_t l = 0; any && l < L; l++)
        if (!expert[l] && !(expert[l] = cull_take(ctx, E[l] + 1, sizeof **expert)))
            return CULL_ENOMEM;
    scores->expert = any ? expert : NULL;
    return CULL_OK;
}

cull_status cull_step_load(cull_ctx *ctx, const char *path, size_t L, const size_t *E,
                           cull_cut_name *cut, cull_step_scores *scores)
{
    cull_safetensors *file;

    *scores = (cull_step_scores){ 0 };
    CULL_TRY(cull_safetensors_open_sealed(ctx, path, &file));
    cull_status status = read_name(ctx, path, file, cut);
    if (status == CULL_OK)
        status = read_scores(ctx, path, file, layer_scores, L, &scores->layer);
    if (status == CULL_OK)
        status = read_scores(ctx, path, file, active_kept, 1, &scores->active);
    if (status == CULL_OK)
        status = read_experts(ctx, path, file, L, E, scores);
    cull_safetensors_close(file);
    return status;
}

cull_status cull_step_cut(cull_ctx *ctx, const char *path, cull_cut_name *cut)
{
    cull_safetensors *file;

    CULL_TRY(cull_safetensors_open_sealed(ctx, path, &file));
    const cull_status status = read_name(ctx, path, file, cut);
    cull_safetensors_close(file);
    return status;
}
