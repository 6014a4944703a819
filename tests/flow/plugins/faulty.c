// Plugins with one fault each, to see that it costs their own trials and nothing else.
#include <math.h>
#include <stdlib.h>

#include <cull/cull.h>

static cull_status fill(const cull_view *view, double value, cull_scores *out)
{
    for (size_t l = 0; l < view->model->L; l++)
        for (size_t e = 0; e < cull_view_layer(view, l)->E; e++)
            out->expert[l][e] = e == 3 && l == 1 ? value : (double)e;
    return CULL_OK;
}

static cull_status score_crash(cull_ctx *ctx, const void *settings, const cull_view *view,
                               size_t layer, cull_scores *out)
{
    (void)ctx;
    (void)settings;
    (void)layer;
    (void)view;
    (void)out;
    abort();
}

static cull_status score_loop(cull_ctx *ctx, const void *settings, const cull_view *view,
                              size_t layer, cull_scores *out)
{
    (void)ctx;
    (void)settings;
    (void)layer;
    (void)out;
    (void)view;
    for (volatile bool on = true; on;)
        ;
    return CULL_OK;
}

static cull_status score_undefined(cull_ctx *ctx, const void *settings, const cull_view *view,
                                   size_t layer, cull_scores *out)
{
    (void)ctx;
    (void)settings;
    (void)layer;
    return fill(view, NAN, out);
}

#define CRITERION(word, symbol)                                                                    \
    static const cull_criterion symbol = {                                                         \
        .size = sizeof symbol,                                                                     \
        .form = CULL_FORM_EXPERT,                                                                  \
        .score = score_##symbol,                                                                   \
    };                                                                                             \
    static const cull_plugin plugin_##symbol = {                                                   \
        .size = sizeof plugin_##symbol,                                                            \
        .kind = CULL_CRITERION,                                                                    \
        .name = word,                                                                              \
        .version = "1.0",                                                                          \
        .brief = "for tests",                                                                      \
        .vtable = &symbol,                                                                         \
    };

CRITERION("crash", crash)
CRITERION("loop", loop)
CRITERION("nan", undefined)

#define STRATEGY(symbol)                                                                           \
    static const cull_plugin plugin_##symbol = {                                                   \
        .size = sizeof plugin_##symbol,                                                            \
        .kind = CULL_STRATEGY,                                                                     \
        .name = #symbol,                                                                           \
        .version = "1.0",                                                                          \
        .brief = "for tests",                                                                      \
        .vtable = &symbol,                                                                         \
    };

// Takes one expert more than it may.
static cull_status select_more(cull_ctx *ctx, const void *settings, const cull_view *view,
                               const cull_scores *scores, const cull_budget *budget, size_t layer,
                               cull_cut *out)
{
    (void)ctx;
    (void)settings;
    (void)scores;
    (void)layer;
    for (size_t l = 0; l < view->model->L; l++)
        for (size_t e = 0; e <= budget->remove[l]; e++)
            cull_cut_layer(out, l)->action[e] = CULL_ACTION_DROP;
    return CULL_OK;
}

static const cull_strategy more = {
    .size = sizeof more,
    .accepts = CULL_FORM_NONE,
    .emits = 1u << CULL_ACTION_DROP,
    .select = select_more,
};

// Takes what it may, and a layer.
static cull_status select_skipping(cull_ctx *ctx, const void *settings, const cull_view *view,
                                   const cull_scores *scores, const cull_budget *budget,
                                   size_t layer, cull_cut *out)
{
    (void)ctx;
    (void)settings;
    (void)scores;
    (void)layer;
    for (size_t l = 0; l < view->model->L; l++)
        for (size_t e = 0; e < budget->remove[l]; e++)
            cull_cut_layer(out, l)->action[e] = CULL_ACTION_DROP;
    cull_cut_layer(out, 1)->skip_layer = true;
    return CULL_OK;
}

static const cull_strategy skipping = {
    .size = sizeof skipping,
    .accepts = CULL_FORM_NONE,
    .emits = 1u << CULL_ACTION_DROP,
    .select = select_skipping,
};

// Is to take layers, and takes an expert.
static cull_status select_stray(cull_ctx *ctx, const void *settings, const cull_view *view,
                                const cull_scores *scores, const cull_budget *budget, size_t layer,
                                cull_cut *out)
{
    (void)ctx;
    (void)settings;
    (void)view;
    (void)scores;
    (void)budget;
    (void)layer;
    cull_cut_layer(out, 0)->action[0] = CULL_ACTION_ZERO;
    return CULL_OK;
}

static const cull_strategy stray = {
    .size = sizeof stray,
    .accepts = CULL_FORM_NONE,
    .emits = CULL_EMITS_SKIP,
    .select = select_stray,
};

STRATEGY(more)
STRATEGY(skipping)
STRATEGY(stray)

CULL_MODULE("faulty", "1.0", "MIT", &plugin_crash, &plugin_loop, &plugin_undefined, &plugin_more,
            &plugin_skipping, &plugin_stray);
