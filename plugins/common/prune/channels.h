// Channels: hidden units of a feed-forward module, and their scores.
//
// Channel c of a module is row c of gate and of up and column c of down. A module is a routed
// expert, or the shared or dense part of a layer (its side).
#ifndef COMMON_CHANNELS_H
#define COMMON_CHANNELS_H

#include <string.h>

#include <cull/criterion.h>

#include "common/prune/masks.h"
#include "common/prune/parts.h"
#include "common/prune/stats.h"

struct module {
    size_t l, F;
    uint32_t expert; // CULL_NONE: the side
    cull_part down;  // its matrix down; gate and up come before it
};

static inline struct module expert_module(const cull_view *view, size_t l, size_t e)
{
    return (struct module){ l, cull_view_layer(view, l)->F, (uint32_t)e, CULL_PART_DOWN };
}

// The shared or dense part of layer l; F is 0 where there is none.
static inline struct module side_module(const cull_view *view, size_t l)
{
    const cull_layer_facts *layer = cull_view_layer(view, l);
    const bool shared = part_present(layer, CULL_PART_SHARED_DOWN);
    const bool any = shared || part_present(layer, CULL_PART_DENSE_DOWN);

    return (struct module){ l, any ? layer->side_F : 0, CULL_NONE,
                            shared ? CULL_PART_SHARED_DOWN : CULL_PART_DENSE_DOWN };
}

// Rows of its down.
static inline size_t outputs_of(const cull_view *view, const struct module *m)
{
    return m->expert == CULL_NONE ? view->model->D : experts_inputs(view, m->l);
}

static inline cull_matrix_id module_down(const struct module *m)
{
    return (cull_matrix_id){ (uint32_t)m->l, (uint32_t)m->down, m->expert };
}

static inline uint64_t channel_params(const cull_view *view, const struct module *m)
{
    const cull_layer_facts *layer = cull_view_layer(view, m->l);

    return m->expert == CULL_NONE ? layer->side_channel_params : layer->channel_params;
}

// stands (F): 1 where no earlier stage removed the channel.
static inline void standing_channels(const cull_cut *before, const struct module *m,
                                     uint8_t *stands)
{
    const cull_matrix_id down = module_down(m);

    memset(stands, 1, m->F);
    for (size_t i = 0; before && i < before->n_overlays; i++) {
        const cull_overlay *o = cull_overlay_at(before, i);
        if (o->kind != CULL_CHANNELS || o->where.layer != down.layer ||
            o->where.part != down.part || o->where.expert != down.expert)
            continue;
        for (size_t c = 0; c < m->F; c++)
            stands[c] = stands[c] && mask_kept((const uint8_t *)o->data, c);
    }
}

// What calibration saw of a module's channels; each (F), or NULL where it was not gathered.
struct channel_stats {
    double tokens;
    const double *mean, *var; // of u
    const double *sq;         // Σ u²
    const double *gated_sq;   // Σ (g u)²
    const double *gated_peak; // max (g u)²
};

static inline const double *row_of(const double *of, size_t e, size_t F)
{
    return of ? of + e * F : NULL;
}

static inline struct channel_stats channel_stats_of(const cull_view *view, const struct module *m)
{
    const cull_layer_stats *s = stats_of_layer(view, m->l);
    const size_t e = m->expert, F = m->F;

    if (!s)
        return (struct channel_stats){ 0 };
    if (m->expert == CULL_NONE)
        return (struct channel_stats){ (double)s->tokens,   s->side_mean,  s->side_var,
                                       s->part_sq[m->down], s->side_gu_sq, s->side_gu_peak };
    return (struct channel_stats){
        s->count ? s->count[e] : 0, row_of(s->u_mean, e, F), row_of(s->u_var, e, F),
        row_of(s->u_sq, e, F),      row_of(s->gu_sq, e, F),  row_of(s->gu_peak, e, F),
    };
}

// score (F), zeroed, of a module's channels; those that no longer stand may get any number.
typedef cull_status (*channel_formula)(cull_ctx *, const void *settings, const cull_view *,
                                       const struct module *, double *score);

// Calls fn(arg, …) with every module that is scored: of `layer` or all layers, experts that stand,
// and sides.
static inline cull_status
each_scored(cull_ctx *ctx, const cull_view *view, size_t layer, const cull_scores *out,
            cull_status (*fn)(void *arg, cull_ctx *, const struct module *, double *score),
            void *arg)
{
    const bool all = layer == CULL_ALL_LAYERS;

    for (size_t l = all ? 0 : layer; l < (all ? view->model->L : layer + 1); l++) {
        for (size_t e = 0; e < cull_view_layer(view, l)->E; e++) {
            const struct module m = expert_module(view, l, e);
            const cull_status status = expert_stands(view->before, l, e)
                                           ? fn(arg, ctx, &m, out->channel[l] + e * m.F)
                                           : CULL_OK;
            if (status != CULL_OK)
                return status;
        }
        const struct module side = side_module(view, l);
        const cull_status status =
            out->side && out->side[l] ? fn(arg, ctx, &side, out->side[l]) : CULL_OK;
        if (status != CULL_OK)
            return status;
    }
    return CULL_OK;
}

struct channel_scoring {
    const cull_view *view;
    channel_formula formula;
    const void *settings;
};

static inline cull_status score_module(void *arg, cull_ctx *ctx, const struct module *m,
                                       double *score)
{
    const struct channel_scoring *s = (const struct channel_scoring *)arg;
    const cull_scratch_mark mark = ctx->host->mark(ctx);
    const cull_status status = s->formula(ctx, s->settings, s->view, m, score);

    ctx->host->rewind(ctx, mark);
    return status;
}

static inline cull_status score_channels(cull_ctx *ctx, const void *settings, const cull_view *view,
                                         size_t layer, channel_formula formula, cull_scores *out)
{
    struct channel_scoring s = { view, formula, settings };

    return each_scored(ctx, view, layer, out, score_module, &s);
}

// norm (F): ‖down_:c‖² of every column, in scratch memory.
static inline cull_status column_norms(cull_ctx *ctx, const cull_view *view, const struct module *m,
                                       double **norm)
{
    const float *w;
    size_t rows, cols;

    *norm = (double *)ctx->host->scratch(ctx, m->F, sizeof **norm);
    if (!*norm)
        return CULL_ENOMEM;
    const cull_status status = view->weights(ctx, view, module_down(m), &w, &rows, &cols, NULL);
    for (size_t r = 0; status == CULL_OK && r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            (*norm)[c] += (double)w[r * cols + c] * (double)w[r * cols + c];
    return status;
}

// A criterion's statistic of this module is needed, but was not gathered.
static inline cull_status not_gathered(cull_ctx *ctx, const struct module *m)
{
    return ctx->host->fail(ctx, CULL_ENOTSUP, "%s: nothing was gathered about its channels",
                           place_of(module_down(m)).s);
}

#endif
