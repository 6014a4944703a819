#include "flow/score.h"

#include <math.h>

static cull_status make_room(cull_ctx *ctx, const cull_view *view, cull_scores *out)
{
    const size_t L = view->model->L;
    if (out->form == CULL_FORM_LAYER) {
        out->layer = cull_take(ctx, L, sizeof *out->layer);
        return out->layer ? CULL_OK : CULL_ENOMEM;
    }
    if (out->form != CULL_FORM_EXPERT && out->form != CULL_FORM_PAIR)
        return CULL_OK;
    double **rows = cull_take(ctx, L, sizeof *rows);
    for (size_t l = 0; rows && l < L; l++) {
        const size_t E = view->layer[l].E;
        if (E == 0)
            continue;
        rows[l] = cull_take(ctx, out->form == CULL_FORM_PAIR ? E * E : E, sizeof **rows);
        if (!rows[l])
            return CULL_ENOMEM;
    }
    *(out->form == CULL_FORM_PAIR ? &out->pair : &out->expert) = rows;
    return rows ? CULL_OK : CULL_ENOMEM;
}

static cull_status check_layer(cull_ctx *ctx, const cull_scores *s, size_t l, size_t E)
{
    if (s->form == CULL_FORM_LAYER && !isfinite(s->layer[l]))
        return cull_fail(ctx, CULL_ENUMERIC, "the score of layer %zu is %g", l, s->layer[l]);
    for (size_t e = 0; s->form == CULL_FORM_EXPERT && e < E; e++)
        if (!isfinite(s->expert[l][e]))
            return cull_fail(ctx, CULL_ENUMERIC, "the score of layer %zu, expert %zu is %g", l, e,
                             s->expert[l][e]);
    for (size_t i = 0; s->form == CULL_FORM_PAIR && i < E * E; i++)
        if (i / E != i % E && !isfinite(s->pair[l][i]))
            return cull_fail(ctx, CULL_ENUMERIC,
                             "the score of layer %zu, experts %zu and %zu is %g", l, i / E, i % E,
                             s->pair[l][i]);
    return CULL_OK;
}

cull_status cull_score(cull_ctx *ctx, cull_stage_view *stage_view, size_t layer, cull_scores *out)
{
    const cull_use *use = &stage_view->step->spec->criterion;
    const cull_criterion *criterion = use->plugin ? use->plugin->vtable : NULL;
    const cull_view *view = &stage_view->view;
    *out = (cull_scores){ .size = sizeof *out,
                          .form = criterion ? criterion->form : CULL_FORM_NONE,
                          .L = view->model->L };
    if (!criterion || !criterion->score || out->form == CULL_FORM_WEIGHT)
        return CULL_OK;
    CULL_TRY(make_room(ctx, view, out));
    cull_stage_view_enter(ctx, stage_view, use->plugin->name);
    const size_t which = out->form == CULL_FORM_SUBSET ? layer : CULL_ALL_LAYERS;
    cull_status status = criterion->score(ctx, use->settings, view, which, out);
    for (size_t l = 0; l < out->L && status == CULL_OK; l++)
        if (layer == CULL_ALL_LAYERS || layer == l)
            status = check_layer(ctx, out, l, view->layer[l].E);
    return cull_while(ctx, status, "scoring with criterion %s", use->plugin->name);
}
