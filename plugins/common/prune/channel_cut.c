// Which channels of experts, shared and dense parts go, within a budget of parameters.
//
// 1. All modules that may be cut are listed, each with its channels that stand.
// 2. Free widths: one ranking of their runs of channels, of a layer or of the model; equal widths:
//    the width that a layer's budget leaves all its experts, and each gives up its lowest runs.
// 3. Every module that lost channels gets an overlay, and, where that is asked for, an output bias.
#include "common/prune/channel_cut.h"

#include <math.h>
#include <stdlib.h>

#include "common/prune/channels.h"

const char *const channel_cut_widths[] = { "free", "equal", NULL };

typedef struct cutting { // a module while it is cut
    struct module m;
    const double *score; // (F)
    uint8_t *stands;     // (F)
    size_t width;        // channels that stand
    double params;       // of one channel
    double bias; // parameters that an output bias adds once it loses one; 0: none, or it has one
    bool touched;
} cutting;

typedef struct work {
    cull_ctx *ctx;
    const struct channel_cut_settings *set;
    const cull_view *view;
    const cull_budget *budget;
    size_t n;
    cutting *module; // (n) in the order of layers; of a layer its experts, then its side
} work;

// ---- 1. the modules ----

static bool side_wanted(const struct channel_cut_settings *set, const struct module *m)
{
    return m->F > 0 && (m->down == CULL_PART_SHARED_DOWN ? set->shared : set->dense);
}

static bool has_bias_before(const cull_cut *before, const struct module *m)
{
    const cull_matrix_id down = module_down(m);

    for (size_t i = 0; before && i < before->n_overlays; i++) {
        const cull_overlay *o = cull_overlay_at(before, i);
        if (o->kind == CULL_BIAS && o->where.layer == down.layer && o->where.part == down.part &&
            o->where.expert == down.expert)
            return true;
    }
    return false;
}

static cull_status add_module(work *w, const struct module *m, const double *score)
{
    cutting *c = &w->module[w->n];

    *c = (cutting){ .m = *m, .score = score, .params = (double)channel_params(w->view, m) };
    c->stands = w->ctx->host->scratch(w->ctx, m->F, 1);
    if (!c->stands)
        return CULL_ENOMEM;
    standing_channels(w->view->before, m, c->stands);
    for (size_t i = 0; i < m->F; i++)
        c->width += c->stands[i];
    if (w->set->bias && channel_stats_of(w->view, m).tokens > 0 &&
        !has_bias_before(w->view->before, m))
        c->bias = (double)outputs_of(w->view, m);
    w->n += c->width > 0;
    return CULL_OK;
}

static cull_status list_layer(work *w, const cull_scores *scores, size_t l)
{
    const struct module side = side_module(w->view, l);

    if (w->budget->frozen[l])
        return CULL_OK;
    for (size_t e = 0; e < cull_view_layer(w->view, l)->E; e++) {
        const struct module m = expert_module(w->view, l, e);
        const cull_status status = expert_stands(w->view->before, l, e)
                                       ? add_module(w, &m, scores->channel[l] + e * m.F)
                                       : CULL_OK;
        if (status != CULL_OK)
            return status;
    }
    if (!side_wanted(w->set, &side) || !scores->side || !scores->side[l])
        return CULL_OK;
    return add_module(w, &side, scores->side[l]);
}

static cull_status list_modules(work *w, const cull_scores *scores, size_t first, size_t end)
{
    size_t room = 0;

    for (size_t l = first; l < end; l++)
        room += cull_view_layer(w->view, l)->E + 1;
    w->module = w->ctx->host->scratch(w->ctx, room, sizeof *w->module);
    if (!w->module)
        return CULL_ENOMEM;
    for (size_t l = first; l < end; l++) {
        const cull_status status = list_layer(w, scores, l);
        if (status != CULL_OK)
            return status;
    }
    return CULL_OK;
}

// ---- runs of channels ----

typedef struct run {
    double score;
    size_t module, first;
} run;

// Ascending by score; ties by the lower module (layer, expert), then the lower channel.
static int by_score(const void *a, const void *b)
{
    const run *x = a, *y = b;

    if (x->score != y->score)
        return x->score < y->score ? -1 : 1;
    if (x->module != y->module)
        return x->module < y->module ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

static size_t run_end(const work *w, const cutting *c, size_t first)
{
    const size_t end = first + (size_t)w->set->multiple;

    return end < c->m.F ? end : c->m.F;
}

// Channels of the run that stand.
static size_t run_width(const work *w, const cutting *c, size_t first)
{
    size_t n = 0;

    for (size_t i = first; i < run_end(w, c, first); i++)
        n += c->stands[i];
    return n;
}

// The runs of modules [first, end) that hold channels, in the order in which they go; *out is in
// scratch.
static cull_status rank_runs(const work *w, size_t first, size_t end, run **out, size_t *n)
{
    size_t room = 1;

    for (size_t i = first; i < end; i++)
        room += w->module[i].m.F / (size_t)w->set->multiple + 1;
    *n = 0;
    *out = w->ctx->host->scratch(w->ctx, room, sizeof **out);
    if (!*out)
        return CULL_ENOMEM;
    for (size_t i = first; i < end; i++) {
        const cutting *c = &w->module[i];
        for (size_t at = 0; at < c->m.F; at = run_end(w, c, at)) {
            run r = { 0, i, at };
            for (size_t j = at; j < run_end(w, c, at); j++)
                r.score += c->stands[j] ? c->score[j] : 0;
            if (run_width(w, c, at) > 0)
                (*out)[(*n)++] = r;
        }
    }
    qsort(*out, *n, sizeof **out, by_score);
    return CULL_OK;
}

static void take_run(const work *w, const run *r)
{
    cutting *c = &w->module[r->module];

    c->width -= run_width(w, c, r->first);
    for (size_t i = r->first; i < run_end(w, c, r->first); i++)
        c->stands[i] = 0;
    c->touched = true;
}

// ---- 2. free widths ----

// What rounding may add to a budget that is a product of fractions.
static double forgiving(double params)
{
    return params * (1 + 1e-12) + 1e-6;
}

// Runs go in rising order of scores while what goes stays within `params`.
static cull_status cut_freely(const work *w, size_t first, size_t end, double params)
{
    const cull_scratch_mark mark = w->ctx->host->mark(w->ctx);
    double gone = 0;
    run *ranking;
    size_t n;
    const cull_status status = rank_runs(w, first, end, &ranking, &n);

    if (status != CULL_OK)
        return status;
    for (size_t i = 0; i < n; i++) {
        const cutting *c = &w->module[ranking[i].module];
        const size_t width = run_width(w, c, ranking[i].first);
        if (c->width < width + (size_t)w->set->least)
            continue;
        gone += (double)width * c->params - (c->touched ? 0 : c->bias);
        if (gone > forgiving(params))
            break;
        take_run(w, &ranking[i]);
    }
    w->ctx->host->rewind(w->ctx, mark);
    return CULL_OK;
}

// ---- 2. equal widths ----

// Parameters that go when no module of [first, end) is wider than `width`.
static double gone_at(const work *w, size_t first, size_t end, size_t width)
{
    double gone = 0;

    for (size_t i = first; i < end; i++) {
        const cutting *c = &w->module[i];
        if (c->width > width)
            gone += (double)(c->width - width) * c->params - c->bias;
    }
    return gone;
}

// Modules [first, end) lose their lowest runs until none is wider than the same width, the smallest
// at which no more than `share` of their parameters go.
static cull_status cut_alike(const work *w, size_t first, size_t end, double share)
{
    const size_t step = (size_t)w->set->multiple;
    const size_t floor = w->set->least > 1 ? (size_t)w->set->least : 1;
    double params = 0;
    size_t width = 0;

    for (size_t i = first; i < end; i++) {
        params += (double)w->module[i].width * w->module[i].params;
        width = w->module[i].width > width ? w->module[i].width : width;
    }
    while (width >= floor + step &&
           gone_at(w, first, end, width - step) <= forgiving(share * params))
        width -= step;
    for (size_t i = first; i < end; i++) {
        const cull_scratch_mark mark = w->ctx->host->mark(w->ctx);
        run *ranking;
        size_t n;
        const cull_status status = rank_runs(w, i, i + 1, &ranking, &n);
        if (status != CULL_OK)
            return status;
        for (size_t r = 0; r < n && w->module[i].width > width; r++)
            take_run(w, &ranking[r]);
        w->ctx->host->rewind(w->ctx, mark);
    }
    return CULL_OK;
}

// The experts of a layer, and its side by itself, lose the same share.
static cull_status cut_layer_alike(const work *w, size_t first, size_t end, double params)
{
    double left = 0;
    size_t side = end;

    for (size_t i = first; i < end; i++)
        left += (double)w->module[i].width * w->module[i].params;
    if (end > first && w->module[end - 1].m.expert == CULL_NONE)
        side = end - 1;
    const double share = left > 0 ? params / left : 0;
    const cull_status status = cut_alike(w, first, side, share);
    return status == CULL_OK ? cut_alike(w, side, end, share) : status;
}

static cull_status cut_layers(const work *w)
{
    for (size_t first = 0, end; first < w->n; first = end) {
        const size_t l = w->module[first].m.l;
        for (end = first; end < w->n && w->module[end].m.l == l; end++)
            ;
        const cull_status status = (w->set->widths == WIDTHS_EQUAL ? cut_layer_alike : cut_freely)(
            w, first, end, w->budget->params[l]);
        if (status != CULL_OK)
            return status;
    }
    return CULL_OK;
}

// ---- 3. the cut ----

// b = Σ over the channels that went of down_:c · mean u_c.
static cull_status write_bias(const work *w, const cutting *c, const uint8_t *before, cull_cut *out)
{
    const size_t D = outputs_of(w->view, &c->m), F = c->m.F;
    const double *mean = channel_stats_of(w->view, &c->m).mean;
    const cull_scratch_mark mark = w->ctx->host->mark(w->ctx);
    const float *down;
    size_t rows, cols;

    if (!mean)
        return not_gathered(w->ctx, &c->m);
    float *bias = w->ctx->host->overlay(w->ctx, out, module_down(&c->m), CULL_BIAS, 1, D);
    if (!bias)
        return CULL_ENOMEM;
    const cull_status status =
        w->view->weights(w->ctx, w->view, module_down(&c->m), &down, &rows, &cols, NULL);
    for (size_t d = 0; status == CULL_OK && d < D; d++) {
        double sum = 0;
        for (size_t i = 0; i < F; i++)
            sum += before[i] && !c->stands[i] ? (double)down[d * F + i] * mean[i] : 0;
        bias[d] = (float)sum;
    }
    w->ctx->host->rewind(w->ctx, mark);
    return status;
}

static cull_status write_module(const work *w, const cutting *c, cull_cut *out)
{
    uint8_t *kept =
        w->ctx->host->overlay(w->ctx, out, module_down(&c->m), CULL_CHANNELS, 1, c->m.F);
    uint8_t *before = w->ctx->host->scratch(w->ctx, c->m.F, 1);

    if (!kept || !before)
        return CULL_ENOMEM;
    for (size_t i = 0; i < c->m.F; i++)
        if (c->stands[i])
            mask_keep(kept, i);
    standing_channels(w->view->before, &c->m, before);
    const bool biased = w->set->bias && channel_stats_of(w->view, &c->m).tokens > 0;
    return biased ? write_bias(w, c, before, out) : CULL_OK;
}

cull_status channel_cut_select(cull_ctx *ctx, const void *settings, const cull_view *view,
                               const cull_scores *scores, const cull_budget *budget, size_t layer,
                               cull_cut *out)
{
    work w = { ctx, settings, view, budget, 0, NULL };
    const bool all = layer == CULL_ALL_LAYERS;
    const bool global = budget->scope == CULL_SCOPE_GLOBAL;

    cull_status status =
        list_modules(&w, scores, all ? 0 : layer, all ? view->model->L : layer + 1);
    if (status == CULL_OK)
        status = global ? cut_freely(&w, 0, w.n, budget->total_params) : cut_layers(&w);
    for (size_t i = 0; i < w.n && status == CULL_OK; i++)
        if (w.module[i].touched)
            status = write_module(&w, &w.module[i], out);
    return status;
}

// ---- what settings and facts rule out ----

static cull_status check_width(cull_ctx *ctx, const struct channel_cut_settings *set, size_t l,
                               const struct module *m)
{
    if (m->F % (size_t)set->multiple == 0)
        return CULL_OK;
    return ctx->host->fail(ctx, CULL_EINVAL,
                           "multiple: %zu does not divide the %zu channels of layer %zu's %s",
                           (size_t)set->multiple, m->F, l, cull_part_word(m->down));
}

// Whole runs that experts of width F may give up.
static size_t may_go(const struct channel_cut_settings *set, size_t F)
{
    const size_t least = (size_t)set->least, together = (size_t)set->multiple;

    return F > least ? (F - least) / together * together : 0;
}

// Does `least` keep more than the budget leaves, by a run of every expert or more? Shared and dense
// parts have a least width, too, but others.
static cull_status check_least(cull_ctx *ctx, const struct channel_cut_settings *set,
                               const cull_view *view, const cull_budget *budget)
{
    double may = 0, go = 0;

    if (set->least == 0 || set->shared || set->dense)
        return CULL_OK;
    for (size_t l = 0; l < view->model->L; l++) {
        const cull_layer_facts *layer = cull_view_layer(view, l);
        if (budget->frozen[l] || layer->E == 0)
            continue;
        const double E = (double)layer->E, most = (double)may_go(set, layer->F);
        const double here = budget->sparsity * (double)layer->F;
        if (budget->scope == CULL_SCOPE_LAYER && here >= most + (double)set->multiple)
            return ctx->host->fail(ctx, CULL_EBUDGET,
                                   "least: %zu of the %zu channels of each expert of layer %zu "
                                   "stay, but a sparsity of %g leaves fewer",
                                   layer->F - may_go(set, layer->F), layer->F, l, budget->sparsity);
        may += E * (most + (double)set->multiple);
        go += E * here;
    }
    return go > 0 && go >= may
               ? ctx->host->fail(ctx, CULL_EBUDGET,
                                 "least: %zu channels of each expert stay, but a sparsity of %g "
                                 "leaves fewer",
                                 (size_t)set->least, budget->sparsity)
               : CULL_OK;
}

cull_status channel_cut_fits(cull_ctx *ctx, const void *settings, const cull_view *view,
                             const cull_budget *budget, cull_cut *out)
{
    const struct channel_cut_settings *set = settings;
    cull_status status = CULL_OK;

    (void)out;
    if (set->widths == WIDTHS_EQUAL && budget->scope == CULL_SCOPE_GLOBAL)
        return ctx->host->fail(ctx, CULL_EINVAL,
                               "widths: equal needs a budget for each layer, and allocation global "
                               "gives none");
    if (set->widths == WIDTHS_EQUAL && view->model->one_width)
        return ctx->host->fail(ctx, CULL_ENOTSUP, "widths: equal: %s", view->model->one_width);
    for (size_t l = 0; l < view->model->L && status == CULL_OK; l++) {
        const struct module side = side_module(view, l), routed = expert_module(view, l, 0);
        if (budget->frozen[l])
            continue;
        if (cull_view_layer(view, l)->E > 0)
            status = check_width(ctx, set, l, &routed);
        if (status == CULL_OK && side_wanted(set, &side))
            status = check_width(ctx, set, l, &side);
    }
    return status == CULL_OK ? check_least(ctx, set, view, budget) : status;
}

uint64_t channel_cut_parts_for(const void *settings)
{
    const struct channel_cut_settings *set = settings;

    return (uint64_t)set->shared << CULL_PART_SHARED_DOWN | (uint64_t)set->dense
                                                                << CULL_PART_DENSE_DOWN;
}

uint32_t channel_cut_needs_for(const void *settings)
{
    return ((const struct channel_cut_settings *)settings)->bias
               ? CULL_STAT_ROUTING | CULL_STAT_CHANNEL_MOMENTS
               : 0;
}
