// What a stage's plugins see of a model: facts, statistics, weights under earlier cuts.
#include "flow/stage_view.h"

#include <string.h>

#include "cut/cut.h"
#include "cut/cut_file.h"
#include "cut/overlay.h"
#include "engine/finite.h"

// Of the checkpoint's pages only those of a layer are mapped at a time: a stage that goes through a
// model would seem to hold all of it.
static void come_to_layer(cull_stage_view *stage_view, size_t l)
{
    const size_t before = stage_view->reading;

    stage_view->reading = l;
    if (before != l && before != SIZE_MAX)
        cull_open_model_release(&stage_view->prepared->opened, before);
}

static cull_status weights(cull_ctx *ctx, const cull_view *view, cull_matrix_id where,
                           const float **w, size_t *rows, size_t *cols, const float **bias)
{
    cull_stage_view *stage_view = view->core;
    const cull_open_model *model = &stage_view->prepared->opened;
    cull_matrix m = { .size = sizeof m };

    CULL_TRY(CULL_CALL(ctx, model->plugin, where.layer, matrix,
                       model->backend->matrix(ctx, model->model, where, &m)));
    come_to_layer(stage_view, where.layer); // there is such a layer
    const cull_overlaid over = cull_overlay_of(view->before, where);
    const bool biased = m.bias || over.biased;
    float *copy = ctx->host->scratch(ctx, m.rows * m.cols, sizeof *copy);
    float *b = biased ? ctx->host->scratch(ctx, m.rows, sizeof *b) : NULL;
    if (!copy || (biased && !b))
        return CULL_ENOMEM;
    cull_overlay_rows(&over, &m, 0, m.rows, copy);
    if (!over.matrix)
        CULL_TRY(cull_check_weights(ctx, where, 0, m.rows, m.cols, copy));
    if (b)
        cull_overlay_bias(&over, &m, 0, m.rows, b);
    *w = copy;
    *rows = m.rows;
    *cols = m.cols;
    if (bias)
        *bias = b;
    return CULL_OK;
}

cull_layer_facts *cull_stage_view_layers(cull_ctx *ctx, const cull_prepared_model *prepared)
{
    const size_t L = prepared->opened.facts->L;
    cull_layer_facts *layers = cull_take(ctx, L + 1, sizeof *layers);

    for (size_t l = 0; layers && l < L; l++)
        layers[l] = *prepared->layer[l];
    return layers;
}

void cull_stage_view_init(cull_stage_view *stage_view, const cull_step *step,
                          const cull_prepared_model *prepared, const cull_layer_facts *layers,
                          const cull_stats *stats, const cull_cut *before, double *const *observed)
{
    *stage_view = (cull_stage_view){
        .step = step, .prepared = prepared, .observed = observed, .reading = SIZE_MAX
    };
    stage_view->view = (cull_view){
        .size = sizeof stage_view->view,
        .model = prepared->opened.facts,
        .layer = layers,
        .stats = stats,
        .before = before,
        .weights = weights,
    };
}

// ---- services ----

static const double *observed_layer(cull_ctx *ctx, const cull_view *view, size_t layer)
{
    const cull_stage_view *stage_view = view->core;

    if (stage_view->observed && layer < view->model->L)
        return stage_view->observed[layer];
    cull_fail(ctx, CULL_ENOTSUP, "no statistic of its own was gathered for layer %zu", layer);
    return NULL;
}

static cull_status weight_scores(cull_ctx *ctx, const cull_view *view, cull_matrix_id where,
                                 size_t rows, size_t cols, const float *w, float *out)
{
    const cull_use *use = &((const cull_stage_view *)view->core)->step->spec->criterion;
    const cull_criterion *criterion = use->plugin ? use->plugin->vtable : NULL;

    if (!criterion || !criterion->score_weights)
        return cull_fail(ctx, CULL_ENOTSUP, "the stage has no criterion that scores weights");
    cull_context *context = cull_context_of(ctx);
    const char *owner = context->owner;
    context->owner = use->plugin->name;
    const cull_status status =
        CULL_CALL(ctx, use->plugin, where.layer, score_weights,
                  criterion->score_weights(ctx, use->settings, view, where, rows, cols, w, out));
    context->owner = owner;
    return status;
}

static const void *extension(cull_ctx *ctx, const char *id)
{
    static const cull_observed_ext observed = { sizeof observed, observed_layer };
    static const cull_weight_scores_ext scores = { sizeof scores, weight_scores };

    (void)ctx;
    if (strcmp(id, CULL_EXT_OBSERVED) == 0)
        return &observed;
    if (strcmp(id, CULL_EXT_WEIGHT_SCORES) == 0)
        return &scores;
    return strcmp(id, CULL_EXT_CUT_FILE) == 0 ? &cull_cut_file_service : NULL;
}

void cull_stage_view_enter(cull_ctx *ctx, cull_stage_view *stage_view, const char *owner)
{
    cull_context *context = cull_context_of(ctx);

    stage_view->view.core = stage_view;
    context->owner = owner;
    context->seed = stage_view->step->seed;
    context->extension = extension;
}
