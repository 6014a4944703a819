// Block drop: whole layers that hardly turn the residual stream go, one by one or as a run.
#include <cull/cull.h>

#include "common/prune/blocks.h"

struct settings {
    int64_t blocks, measure;
};

enum { BLOCKS_DISCRETE, BLOCKS_CONSECUTIVE };
static const char *const block_words[] = { "discrete", "consecutive", NULL };
static const char *const measure_words[] = { MEASURE_WORDS };

static const cull_param params[] = {
    CULL_P_CHOICE(
        struct settings, blocks, BLOCKS_DISCRETE, block_words,
        "discrete: the lowest layers, by the criterion's scores or, without a criterion, by how "
        "far each turns the stream; consecutive: the run of layers that turns it least, without a "
        "criterion"),
    CULL_P_CHOICE(
        struct settings, measure, MEASURE_COSINE, measure_words,
        "without a criterion: cosine: 1 minus the mean cosine; angle: the mean angle over pi"),
};

// The run of layers that may all go and together turn the stream least; the first of equals.
static void nearest_run(const cull_view *view, const cull_budget *budget, enum measure measure,
                        bool *go)
{
    const size_t L = view->model->L, n = layers_to_go(view, budget);
    size_t first = SIZE_MAX;
    double least = 0.0;

    for (size_t i = 0; n > 0 && i + n <= L; i++) {
        const double distance = block_distance(view->stats, i, i + n, measure);
        bool may = true;

        for (size_t l = i; l < i + n; l++)
            may = may && layer_may_go(view, budget, l, false);
        if (may && (first == SIZE_MAX || distance < least)) {
            first = i;
            least = distance;
        }
    }
    for (size_t l = 0; first != SIZE_MAX && l < n; l++)
        go[first + l] = true;
}

static cull_status select_layers(cull_ctx *ctx, const void *settings, const cull_view *view,
                                 const cull_scores *scores, const cull_budget *budget, size_t layer,
                                 cull_cut *out)
{
    const struct settings *set = settings;
    const enum measure measure = (enum measure)set->measure;
    const size_t L = view->model->L;
    bool *go = (bool *)ctx->host->scratch(ctx, L, sizeof *go);
    double *turn = (double *)ctx->host->scratch(ctx, L, sizeof *turn);
    const bool scored = scores && scores->form == CULL_FORM_LAYER;

    (void)layer;
    if (!go || !turn)
        return CULL_ENOMEM;
    if (layers_to_go(view, budget) >= L)
        return ctx->host->fail(ctx, CULL_EBUDGET, "block-drop cannot take all %zu layers", L);
    if (scored && set->blocks == BLOCKS_CONSECUTIVE)
        return ctx->host->fail(ctx, CULL_EINVAL,
                               "blocks: consecutive measures whole runs itself; the criterion's "
                               "scores are of single layers and must be left out");

    for (size_t l = 0; l < L && !scored; l++)
        turn[l] = block_distance(view->stats, l, l + 1, measure);
    if (set->blocks == BLOCKS_CONSECUTIVE)
        nearest_run(view, budget, measure, go);
    else
        lowest_layers(view, budget, scored ? scores->layer : turn, false, go);
    for (size_t l = 0; l < L; l++)
        cull_cut_layer(out, l)->skip_layer = cull_cut_layer(out, l)->skip_layer || go[l];
    return CULL_OK;
}

static const cull_strategy block_drop = {
    .size = sizeof block_drop,
    .accepts = CULL_FORM_LAYER | CULL_FORM_NONE,
    .emits = CULL_EMITS_SKIP | CULL_EMITS_LAYER,
    .needs = CULL_STAT_LAYER_COSINES,
    .select = select_layers,
};

CULL_PLUGIN_NAMED(
    STRATEGY, block_drop, "block-drop", "1.0",
    "whole layers go, the lowest or the least turning run",
    .doc = "Passes over whole layers, attention and experts: the lowest by their scores (cosine "
           "with of: block, which is also what is taken without a criterion), or, with blocks: "
           "consecutive, the run of layers i … i + n - 1 whose input h_i and output h_(i+n) are "
           "nearest, by mean cosine (Unified) or mean angle (Gromov et al., Angular in MoNE's "
           "tables). Ties go to the lower layer. A run must lie within layers that may be cut.\n"
           "\n"
           "The budget counts routed experts, in whole layers: n is the sparsity times L, rounded "
           "down. The attention that goes with them is beside it; the trial records it in the "
           "sparsity of all parameters, and budgets of active parameters count it.\n"
           "\n"
           "Cost: statistic layer-cosines; O(L^2).\n"
           "\n"
           "Departures from the authors' code: the gap of n layers is read from h_i and h_(i+n) "
           "themselves (Unified's consecutive mode reads column n, where gap n lies in column n - "
           "1); the last layer may be in a run.",
    .cite = "He, Dong, Ding, Li: Towards Efficient Mixture of Experts (Unified), block drop; "
            "Gromov et al.: The Unreasonable Ineffectiveness of the Deeper Layers.\n"
            "@article{he2024unified,\n"
            "  title={Towards Efficient Mixture of Experts: A Holistic Study of Compression "
            "Techniques},\n"
            "  author={He, Shwai and Dong, Daize and Ding, Liang and Li, Ang},\n"
            "  journal={arXiv preprint arXiv:2406.02500}, year={2024}}\n"
            "@article{gromov2024deeper,\n"
            "  title={The Unreasonable Ineffectiveness of the Deeper Layers},\n"
            "  author={Gromov, Andrey and Tirumala, Kushal and Shapourian, Hassan and Glorioso, "
            "Paolo and Roberts, Daniel A.},\n"
            "  journal={arXiv preprint arXiv:2403.17887}, year={2024}}",
    CULL_SETTINGS(params, struct settings));
