// First choice: how often a router names an expert before all others.
#include <cull/cull.h>

// The accumulator: for each expert, the tokens that have it as their first choice.

static size_t doubles(const void *settings, const cull_layer_facts *layer)
{
    (void)settings;
    return layer->E;
}

static void add_rows(const void *settings, const cull_routed_rows *rows, double *acc)
{
    (void)settings;
    for (size_t i = 0; i < rows->n; i++) {
        const int32_t first = rows->index[i * rows->K];
        if (first >= 0)
            acc[first] += 1.0;
    }
}

static const cull_observer observer = {
    .size = sizeof observer,
    .doubles = doubles,
    .add_rows = add_rows,
};

static cull_status score(cull_ctx *ctx, const void *settings, const cull_view *view, size_t layer,
                         cull_scores *out)
{
    (void)settings;
    (void)layer; // one call for all layers
    for (size_t l = 0; l < view->model->L; l++) {
        const size_t E = cull_view_layer(view, l)->E;
        const double *firsts = E > 0 ? cull_observed(ctx, view, l) : NULL;
        if (E > 0 && !firsts)
            return CULL_EPLUGIN; // the host has said why
        for (size_t e = 0; e < E; e++)
            out->expert[l][e] = firsts[e];
    }
    return CULL_OK;
}

static const cull_criterion first_choice = {
    .size = sizeof first_choice,
    .form = CULL_FORM_EXPERT,
    .score = score,
    .observer = &observer,
};

CULL_PLUGIN_NAMED(
    CRITERION, first_choice, "first-choice", "1.0",
    "how often an expert is its router's first choice",
    .doc =
        "The number of calibration tokens whose largest gate is the expert's. Frequency counts "
        "all K choices alike, of which the last ones carry little weight; this counts those that "
        "carry most. An expert that no token names first scores 0. No statistic of the core holds "
        "it: the criterion gathers it itself, as an observer.\n\nCost: an addition per token.",
    .cite =
        "The load that top-1 routing balances: W. Fedus, B. Zoph, N. Shazeer, Switch Transformers "
        "(arXiv 2101.03961), section 2.2, applied to models with K > 1.");
