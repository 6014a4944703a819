// From: scores that were made elsewhere, from a file.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "table.h"

struct settings {
    const char *path;
};

static const cull_param params[] = {
    CULL_P_PATH(
        struct settings, path, CULL_REQUIRED,
        "scores, one per layer and expert: .npy (an array of layers × experts), or "
        ".safetensors (the same as tensor score, or a tensor layer.N.score for each layer)"),
};

static bool ends_with(const char *path, const char *ending)
{
    const size_t n = strlen(path), m = strlen(ending);

    return n >= m && strcmp(path + n - m, ending) == 0;
}

static cull_status take_row(cull_ctx *ctx, const char *path, const cull_view *view, size_t l,
                            const double *row, size_t n, double *out)
{
    const size_t E = cull_view_layer(view, l)->E;

    for (size_t e = 0; e < E; e++) {
        if (e >= n || !isfinite(row[e]))
            return ctx->host->fail(ctx, CULL_EINVAL,
                                   "%s: layer %zu has no score for expert %zu of %zu", path, l, e,
                                   E);
        out[e] = row[e];
    }
    for (size_t e = E; e < n; e++)
        if (!isnan(row[e]))
            return ctx->host->fail(ctx, CULL_EINVAL,
                                   "%s: layer %zu has a score for expert %zu, but only %zu experts",
                                   path, l, e, E);
    return CULL_OK;
}

static size_t moe_layers(const cull_view *view)
{
    size_t n = 0;

    for (size_t l = 0; l < view->model->L; l++)
        n += cull_view_layer(view, l)->E > 0;
    return n;
}

// Rows are all layers, dense ones included, or those with experts alone.
static cull_status take_table(cull_ctx *ctx, const char *path, const cull_view *view,
                              const table *t, cull_scores *out)
{
    const size_t L = view->model->L, n = moe_layers(view);
    size_t row = 0;

    if (t->rows != L && t->rows != n)
        return ctx->host->fail(ctx, CULL_EINVAL,
                               "%s: %zu rows for a model of %zu layers, %zu of them with experts",
                               path, t->rows, L, n);
    for (size_t l = 0; l < L; l++) {
        if (cull_view_layer(view, l)->E)
            CULL_TRY(take_row(ctx, path, view, l, t->at + row * t->cols, t->cols, out->expert[l]));
        row += t->rows == L || cull_view_layer(view, l)->E > 0;
    }
    return CULL_OK;
}

static cull_status take_layers(cull_ctx *ctx, const char *path, const cull_view *view,
                               cull_scores *out)
{
    for (size_t l = 0; l < view->model->L; l++) {
        char name[48];
        table t;
        bool found;
        if (cull_view_layer(view, l)->E == 0)
            continue;
        snprintf(name, sizeof name, "layer.%zu.score", l);
        CULL_TRY(table_safetensors(ctx, path, name, &found, &t));
        if (!found)
            return ctx->host->fail(ctx, CULL_EINVAL, "%s: neither a tensor \"score\" nor \"%s\"",
                                   path, name);
        CULL_TRY(take_row(ctx, path, view, l, t.at, t.rows * t.cols, out->expert[l]));
    }
    return CULL_OK;
}

static cull_status score(cull_ctx *ctx, const void *settings, const cull_view *view, size_t layer,
                         cull_scores *out)
{
    const char *path = ((const struct settings *)settings)->path;
    table t;
    bool found = true;

    (void)layer;
    if (ends_with(path, ".npy"))
        CULL_TRY(table_npy(ctx, path, &t));
    else if (ends_with(path, ".safetensors"))
        CULL_TRY(table_safetensors(ctx, path, "score", &found, &t));
    else
        return ctx->host->fail(ctx, CULL_EINVAL, "%s: a .npy or .safetensors file is wanted", path);
    return found ? take_table(ctx, path, view, &t, out) : take_layers(ctx, path, view, out);
}

// Scores hang on nothing that is not known while planning: they are read, and not kept.
static cull_status fits(cull_ctx *ctx, const void *settings, const cull_view *view)
{
    const size_t L = view->model->L;
    double **expert = ctx->host->scratch(ctx, L, sizeof *expert);
    cull_scores scores = { .size = sizeof scores, .form = CULL_FORM_EXPERT, .expert = expert };

    for (size_t l = 0; l < L && expert; l++) {
        const size_t E = cull_view_layer(view, l)->E;
        expert[l] = ctx->host->scratch(ctx, E + 1, sizeof *expert[l]);
        if (!expert[l])
            return CULL_ENOMEM;
    }
    return expert ? score(ctx, settings, view, CULL_ALL_LAYERS, &scores) : CULL_ENOMEM;
}

static const cull_criterion from = {
    .size = sizeof from,
    .form = CULL_FORM_EXPERT,
    .score = score,
    .fits = fits,
};

CULL_PLUGIN(CRITERION, from, "1.0", "scores that were made elsewhere, from a file",
            .doc = "One number per layer and expert; the lowest go first. A .npy file holds an "
                   "array (layers, experts) of float32 or float64, NaN where a layer has fewer "
                   "experts; its rows are all layers or those with experts alone. A .safetensors "
                   "file holds the same as tensor \"score\", or a tensor \"layer.N.score\" for "
                   "each layer. So a criterion can be tried in a notebook before it is C: every "
                   "strategy, allocation and metric then works on it as on any other.\n"
                   "\n"
                   "Cost: none; no calibration.",
            .cite = "Not a method: a way in for scores.", CULL_SETTINGS(params, struct settings));
