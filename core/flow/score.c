// A criterion called: room for its scores, and whether they are finite.
#include "flow/score.h"

#include <math.h>

#include "base/call.h"

static double **take_rows(cull_ctx *ctx, const cull_view *view)
{
    return cull_take(ctx, view->model->L, sizeof(double *));
}

// A number for each channel of `layer`, or of all layers; of the shared and dense parts where the
// strategy cuts them.
static cull_status make_channels(cull_ctx *ctx, const cull_stage *stage, const cull_view *view,
                                 size_t layer, cull_scores *out)
{
    const uint64_t parts = cull_stage_sides(stage);
    double **channel = take_rows(ctx, view), **side = take_rows(ctx, view);

    if (!channel || !side)
        return CULL_ENOMEM;
    for (size_t l = 0; l < view->model->L; l++) {
        const cull_layer_facts *facts = &view->layer[l];
        if (layer != CULL_ALL_LAYERS && layer != l)
            continue;
        if (facts->E && !(channel[l] = cull_take(ctx, facts->E * facts->F, sizeof **channel)))
            return CULL_ENOMEM;
        if ((facts->parts & parts) && !(side[l] = cull_take(ctx, facts->side_F, sizeof **side)))
            return CULL_ENOMEM;
    }
    out->channel = channel;
    out->side = side;
    return CULL_OK;
}

static cull_status make_room(cull_ctx *ctx, const cull_stage *stage, const cull_view *view,
                             size_t layer, cull_scores *out)
{
    const size_t L = view->model->L;

    if (out->form == CULL_FORM_LAYER) {
        out->layer = cull_take(ctx, L, sizeof *out->layer);
        return out->layer ? CULL_OK : CULL_ENOMEM;
    }
    if (out->form == CULL_FORM_CHANNEL)
        return make_channels(ctx, stage, view, layer, out);
    if (out->form != CULL_FORM_EXPERT && out->form != CULL_FORM_PAIR)
        return CULL_OK;
    double **rows = take_rows(ctx, view);
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

static cull_status check_channels(cull_ctx *ctx, const cull_scores *s, size_t l,
                                  const cull_layer_facts *facts)
{
    for (size_t i = 0; s->channel[l] && i < facts->E * facts->F; i++)
        if (!isfinite(s->channel[l][i]))
            return cull_fail(ctx, CULL_ENUMERIC,
                             "the score of layer %zu, expert %zu, channel %zu is %g", l,
                             i / facts->F, i % facts->F, s->channel[l][i]);
    for (size_t i = 0; s->side[l] && i < facts->side_F; i++)
        if (!isfinite(s->side[l][i]))
            return cull_fail(ctx, CULL_ENUMERIC,
                             "the score of layer %zu, channel %zu beside its experts is %g", l, i,
                             s->side[l][i]);
    return CULL_OK;
}

static cull_status check_layer(cull_ctx *ctx, const cull_scores *s, size_t l,
                               const cull_layer_facts *facts)
{
    const size_t E = facts->E;

    if (s->form == CULL_FORM_CHANNEL)
        return check_channels(ctx, s, l, facts);
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
    const cull_stage *stage = stage_view->step->spec;
    const cull_use *use = &stage->criterion;
    const cull_criterion *criterion = use->plugin ? use->plugin->vtable : NULL;
    const cull_view *view = &stage_view->view;

    *out =
        (cull_scores){ .size = sizeof *out, .form = cull_stage_form(stage), .L = view->model->L };
    if (!criterion || !criterion->score || out->form == CULL_FORM_WEIGHT)
        return CULL_OK;
    CULL_TRY(make_room(ctx, stage, view, layer, out));
    cull_stage_view_enter(ctx, stage_view, use->plugin->name);
    const bool by_layer = out->form & (CULL_FORM_SUBSET | CULL_FORM_CHANNEL | CULL_FORM_PAIR);
    const size_t which = by_layer ? layer : CULL_ALL_LAYERS;
    cull_status status = CULL_CALL(ctx, use->plugin, layer, score,
                                   criterion->score(ctx, use->settings, view, which, out));
    if (status == CULL_OK && out->form == CULL_FORM_SUBSET && !out->subset.eval)
        status = cull_fail(ctx, CULL_EPLUGIN, "the loss of subsets has no \"eval\"");
    for (size_t l = 0; l < out->L && status == CULL_OK; l++)
        if (layer == CULL_ALL_LAYERS || layer == l)
            status = check_layer(ctx, out, l, &view->layer[l]);
    return cull_while(ctx, status, "scoring with criterion %s", use->plugin->name);
}
