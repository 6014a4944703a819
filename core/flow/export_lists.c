// What a trial decided as lists for other programs: the experts kept, a mask of them, or their
// whole ranking.
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/new_file.h"
#include "flow/export.h"
#include "record/h5/h5.h"

static cull_status write_text(cull_ctx *ctx, const char *path, cull_buf *text)
{
    const cull_status status = text->failed
                                   ? cull_no_memory(ctx)
                                   : cull_write_file(ctx, path, text->s ? text->s : "", text->n);

    cull_buf_release(text);
    return status;
}

// Add a line of JSON, which is let go. NULL: there was no memory for it.
static void put_line(cull_buf *text, json_t *line)
{
    cull_json_put(text, line, JSON_REAL_PRECISION(17));
    cull_buf_puts(text, "\n");
    json_decref(line);
}

// A layer's experts that stand for themselves, or those that do not.
static json_t *experts_of(const cull_layer_cut *layer, bool kept)
{
    json_t *list = json_array();

    for (size_t e = 0; e < layer->E; e++)
        if ((layer->action[e] == CULL_ACTION_BASE) == kept &&
            json_array_append_new(list, json_integer((json_int_t)e)) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

cull_status cull_export_lists(cull_ctx *ctx, const cull_prepared_model *prepared,
                              const cull_cut *cut, const char *path)
{
    cull_buf text = CULL_BUF_INIT;

    for (size_t l = 0; l < prepared->opened.facts->L; l++)
        if (prepared->layer[l]->E > 0 && !cut->layer[l].skip_layer)
            put_line(&text, json_pack("{s:I, s:o}", "layer", (json_int_t)l, "kept",
                                      experts_of(&cut->layer[l], true)));
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

    CULL_TRY(check_mask(ctx, cut));
    json_t *layers = json_array();
    for (size_t l = 0; l < facts->L; l++) {
        const size_t E = prepared->layer[l]->E;
        if (E > 0 &&
            json_array_append_new(layers, json_pack("{s:I, s:I, s:o}", "layer", (json_int_t)l,
                                                    "experts", (json_int_t)E, "masked",
                                                    experts_of(&cut->layer[l], false))) != 0)
            text.failed = true;
    }
    put_line(&text, json_pack("{s:i, s:{s:s, s:s}, s:o}", "version", 1, "model", "type",
                              facts->arch, "fingerprint", facts->fingerprint, "layers", layers));
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

// Their numbers, or their scores.
static json_t *list_of(size_t n, const ranked *order, bool scores)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        if (json_array_append_new(list, scores ? json_real(order[i].score)
                                               : json_integer((json_int_t)order[i].expert)) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
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
    put_line(text, json_pack("{s:i, s:o, s:o}", "layer", layer, "experts", list_of(n, order, false),
                             "scores", list_of(n, order, true)));
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
    const cull_status status = cull_h5_done(file, read_ranking(ctx, file, trial, &text));
    if (status == CULL_OK)
        return write_text(ctx, path, &text);
    cull_buf_release(&text);
    return status;
}
