// What a trial decided as lists for other programs: the experts kept, a mask of them, or their
// whole ranking.
#include <math.h>
#include <stdlib.h>

#include "base/new_file.h"
#include "flow/export.h"
#include "record/h5.h"

static cull_status write_text(cull_ctx *ctx, const char *path, cull_buf *text)
{
    const cull_status status = text->failed
                                   ? cull_no_memory(ctx)
                                   : cull_write_file(ctx, path, text->s ? text->s : "", text->n);

    cull_buf_release(text);
    return status;
}

// "[0, 3, …]" of a layer's experts that stand for themselves, or of those that do not.
static void put_experts(cull_buf *text, const cull_layer_cut *layer, bool kept)
{
    const char *comma = "";

    cull_buf_puts(text, "[");
    for (size_t e = 0; e < layer->E; e++)
        if ((layer->action[e] == CULL_ACTION_BASE) == kept) {
            cull_buf_printf(text, "%s%zu", comma, e);
            comma = ", ";
        }
    cull_buf_puts(text, "]");
}

cull_status cull_export_lists(cull_ctx *ctx, const cull_prepared_model *prepared,
                              const cull_cut *cut, const char *path)
{
    cull_buf text = CULL_BUF_INIT;

    for (size_t l = 0; l < prepared->opened.facts->L; l++) {
        if (prepared->layer[l]->E == 0 || cut->layer[l].skip_layer)
            continue;
        cull_buf_printf(&text, "{\"layer\": %zu, \"kept\": ", l);
        put_experts(&text, &cut->layer[l], true);
        cull_buf_puts(&text, "}\n");
    }
    return write_text(ctx, path, &text);
}

// ---- a mask ----

static cull_status check_mask(cull_ctx *ctx, const cull_cut *cut)
{
    for (size_t l = 0; l < cut->L; l++)
        for (size_t e = 0; e < cut->layer[l].E; e++)
            if (cut->layer[l].action[e] != CULL_ACTION_BASE &&
                cut->layer[l].action[e] != CULL_ACTION_DROP)
                return cull_fail(
                    ctx, CULL_ENOTSUP,
                    "layer %zu, expert %zu: a mask says which experts are dropped, and "
                    "this one is zeroed, merged or a constant",
                    l, e);
    if (cut->n_overlays)
        return cull_fail(ctx, CULL_ENOTSUP,
                         "a mask says which experts are dropped, and this cut changes weights");
    return CULL_OK;
}

cull_status cull_export_mask(cull_ctx *ctx, const cull_prepared_model *prepared,
                             const cull_cut *cut, const char *path)
{
    const cull_model_facts *facts = prepared->opened.facts;
    cull_buf text = CULL_BUF_INIT;
    const char *comma = "";

    CULL_TRY(check_mask(ctx, cut));
    cull_buf_printf(
        &text,
        "{\n  \"version\": 1,\n  \"model\": {\"type\": \"%s\", \"fingerprint\": \"%s\"},\n"
        "  \"layers\": [",
        facts->arch, facts->fingerprint);
    for (size_t l = 0; l < facts->L; l++) {
        if (prepared->layer[l]->E == 0)
            continue;
        cull_buf_printf(&text, "%s\n    {\"layer\": %zu, \"experts\": %zu, \"masked\": ", comma, l,
                        prepared->layer[l]->E);
        put_experts(&text, &cut->layer[l], false);
        cull_buf_puts(&text, "}");
        comma = ",";
    }
    cull_buf_puts(&text, "\n  ]\n}\n");
    return write_text(ctx, path, &text);
}

// ---- a ranking ----

typedef struct ranked {
    double score;
    size_t expert;
} ranked;

// The one that goes last stands first: of equals the higher index.
static int last_first(const void *a, const void *b)
{
    const ranked *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->expert < y->expert) - (x->expert > y->expert);
}

static cull_status put_ranking(cull_ctx *ctx, cull_buf *text, int layer, size_t E,
                               const double *score)
{
    ranked *order = cull_scratch(ctx, E + 1, sizeof *order);
    size_t n = 0;

    if (!order)
        return CULL_ENOMEM;
    for (size_t e = 0; e < E; e++)
        if (isfinite(score[e])) // the others are of layers with more experts
            order[n++] = (ranked){ score[e], e };
    qsort(order, n, sizeof *order, last_first);
    cull_buf_printf(text, "{\"layer\": %d, \"experts\": [", layer);
    for (size_t i = 0; i < n; i++)
        cull_buf_printf(text, "%s%zu", i ? ", " : "", order[i].expert);
    cull_buf_puts(text, "], \"scores\": [");
    for (size_t i = 0; i < n; i++)
        cull_buf_printf(text, "%s%.17g", i ? ", " : "", order[i].score);
    cull_buf_puts(text, "]}\n");
    return CULL_OK;
}

static cull_status read_ranking(cull_ctx *ctx, cull_h5_in *file, const char *trial, cull_buf *text)
{
    cull_h5_shape scores, layers;
    const void *score, *layer;

    if (!cull_h5_has(file, "/experts/score"))
        return cull_fail(ctx, CULL_EINVAL, "%s: no criterion of this trial scored experts", trial);
    CULL_TRY(cull_h5_get(file, "/experts/score", 'd', &scores, &score));
    CULL_TRY(cull_h5_get(file, "/experts/layer", 'n', &layers, &layer));
    if (scores.rank != 3 || layers.n != scores.shape[1])
        return cull_fail(ctx, CULL_EFORMAT, "%s: scores and layers do not fit", trial);
    for (size_t i = 0; i < layers.n; i++) // of the first criterion, which saw all experts
        CULL_TRY(put_ranking(ctx, text, ((const int32_t *)layer)[i], scores.shape[2],
                             (const double *)score + i * scores.shape[2]));
    return CULL_OK;
}

cull_status cull_export_ranking(cull_ctx *ctx, const char *trial, const char *path)
{
    cull_buf text = CULL_BUF_INIT;
    cull_h5_in *file;

    CULL_TRY(cull_h5_open(ctx, trial, &file));
    const cull_status status = read_ranking(ctx, file, trial, &text);
    cull_h5_close(file);
    if (status == CULL_OK)
        return write_text(ctx, path, &text);
    cull_buf_release(&text);
    return status;
}
