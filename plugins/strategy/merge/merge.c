// Merge: groups of experts become one, a mean weighted by what they matter.
#include <math.h>

#include <cull/cull.h>

#include "align.h"
#include "groups.h"
#include "saliency.h"

struct settings {
    int64_t groups, usage, capacity, router, align;
    bool weighted;
};

enum { DOMINANT = LINKAGE_SINGLE + 1, CENTROIDS };
static const char *const group_words[] = { "complete", "average",   "single",
                                           "dominant", "centroids", NULL };

enum { ROUTER_KEEP, ROUTER_DROP };
static const char *const router_words[] = { "keep", "drop", NULL };

// As `enum alignment`, and what the setting took when it was a yes or no.
enum { ALIGN_WORD_FALSE = ALIGN_PRODUCTS + 1, ALIGN_WORD_TRUE };
static const char *const align_words[] = { "none",     "weights", "activations", "both",
                                           "products", "false",   "true",        NULL };

static const cull_param params[] = {
    CULL_P_CHOICE(
        struct settings, groups, DOMINANT, group_words,
        "dominant: the experts that matter most stay, each other joins the nearest (M-SMoE); "
        "centroids: those that stay take their nearest, up to `capacity` (REAM); average, "
        "complete, single: hierarchical clustering (HC-SMoE: average)"),
    CULL_P_CHOICE(
        struct settings, usage, USAGE_COUNT, saliency_words,
        "how much an expert matters, and its weight in the mean: a usage as frequency's `of`; "
        "reap: its mean gated output norm; ream: that of REAM's code, where the gate, over all "
        "experts, enters twice"),
    CULL_P_INT(struct settings, capacity, 16, 0, 1e6,
               "members of a centroid's group, itself included; 0: any number, each expert joins "
               "its nearest centroid"),
    CULL_P_CHOICE(
        struct settings, router, ROUTER_KEEP, router_words,
        "keep: all rows stay, and the members' slots are served by the merged expert; drop: the "
        "rows of all members but one are deleted, and the checkpoint shrinks"),
    CULL_P_CHOICE(
        struct settings, align, ALIGN_NONE, align_words,
        "put each member's neurons in the order of those of the expert that they are merged into, "
        "by least distance of their weights, their activations, or both (REAM); products, also "
        "true: by largest inner products of weights (M-SMoE); none, also false"),
    CULL_P_BOOL(struct settings, weighted, true, "weight the mean by `usage`; off: a plain mean"),
};

static enum alignment alignment_of(const struct settings *set)
{
    if (set->align == ALIGN_WORD_TRUE)
        return ALIGN_PRODUCTS;
    return set->align == ALIGN_WORD_FALSE ? ALIGN_NONE : (enum alignment)set->align;
}

// REAM: an expert that no token reaches can still be merged, with the least weight of all.
static void lift_zeros(const cull_view *view, size_t l, double *saliency)
{
    const size_t E = cull_view_layer(view, l)->E;
    double least = INFINITY;

    for (size_t e = 0; e < E; e++)
        if (expert_stands(view->before, l, e) && saliency[e] > 0.0 && saliency[e] < least)
            least = saliency[e];
    for (size_t e = 0; e < E && least < INFINITY; e++)
        if (saliency[e] == 0.0)
            saliency[e] = least < 0.5 ? least : 0.5;
}

// share[l] (E): an expert's share of its layer's saliency, so that layers compare.
static cull_status saliency_shares(cull_ctx *ctx, const struct settings *set, const cull_view *view,
                                   double ***out)
{
    const size_t L = view->model->L;

    *out = (double **)ctx->host->scratch(ctx, L, sizeof **out);
    for (size_t l = 0; *out && l < L; l++) {
        const size_t E = cull_view_layer(view, l)->E;
        double *share = (double *)ctx->host->scratch(ctx, E + 1, sizeof *share);
        double sum = 0.0;

        if (!share)
            return CULL_ENOMEM;
        for (size_t e = 0; e < E; e++)
            share[e] = saliency_of(set->usage, cull_stats_layer(view->stats, l), e);
        if (set->groups == CENTROIDS)
            lift_zeros(view, l, share);
        for (size_t e = 0; e < E; e++)
            sum += share[e];
        for (size_t e = 0; e < E && sum > 0.0; e++)
            share[e] /= sum;
        (*out)[l] = share;
    }
    return *out ? CULL_OK : CULL_ENOMEM;
}

// For each member of a group but `target` the neurons that match target's.
static cull_status align_group(cull_ctx *ctx, const cull_view *view, enum alignment how,
                               struct group *group, size_t target)
{
    size_t **neuron = (size_t **)ctx->host->scratch(ctx, group->n, sizeof *neuron);
    cull_status status = neuron ? CULL_OK : CULL_ENOMEM;

    for (size_t i = 0; i < group->n && status == CULL_OK; i++) {
        if (group->expert[i] == target)
            continue;
        neuron[i] = (size_t *)ctx->host->scratch(ctx, cull_view_layer(view, group->layer)->F,
                                                 sizeof **neuron);
        status = neuron[i] ? align_neurons(ctx, view, group->layer, target, group->expert[i], how,
                                           neuron[i])
                           : CULL_ENOMEM;
    }
    group->neuron = (const size_t *const *)neuron;
    return status;
}

// All slots that members serve are served by target from now on.
static void alias_members(const struct group *group, size_t target, cull_layer_cut *layer)
{
    for (size_t i = 0; i < group->n; i++)
        for (size_t slot = 0; slot < layer->E; slot++) {
            const bool alias = layer->action[slot] == CULL_ACTION_ALIAS;
            const bool own = slot == group->expert[i] && slot != target;
            if (own || (alias && layer->target[slot] == group->expert[i])) {
                layer->action[slot] = CULL_ACTION_ALIAS;
                layer->target[slot] = (uint32_t)target;
            }
        }
}

// The router loses the rows of all members but target.
static cull_status drop_members(cull_ctx *ctx, const cull_view *view, const struct group *group,
                                size_t target, cull_cut *out)
{
    cull_status status = CULL_OK;

    for (size_t i = 0; i < group->n && status == CULL_OK; i++)
        if (group->expert[i] != target)
            status = remove_expert(ctx, view, group->layer, group->expert[i], REMOVAL_DROP, out);
    return status;
}

// The group's weights, and its member of most saliency.
static cull_status weigh_group(cull_ctx *ctx, const struct settings *set, const double *saliency,
                               struct group *group, size_t *most)
{
    double *weight = (double *)ctx->host->scratch(ctx, group->n, sizeof *weight);
    double total = 0.0;
    size_t best = 0;

    if (!weight)
        return CULL_ENOMEM;
    for (size_t i = 0; i < group->n; i++) {
        weight[i] = saliency[group->expert[i]];
        total += weight[i];
        best = weight[i] > weight[best] ? i : best;
    }
    *most = group->expert[best];
    if (total > 0.0 && set->weighted)
        group->weight = weight;
    else if (set->weighted)
        ctx->host->log(
            ctx, CULL_WARN,
            "layer %zu: no token reaches the %zu experts merged into expert %zu; they are merged "
            "by a plain mean",
            group->layer, group->n, *most);
    return CULL_OK;
}

// name: the group's label, which is its head where there is one.
static cull_status merge_group(cull_ctx *ctx, const struct settings *set, const cull_view *view,
                               struct group *group, size_t name, const double *saliency,
                               cull_cut *out)
{
    const enum alignment how = alignment_of(set);
    size_t target;
    cull_status status = weigh_group(ctx, set, saliency, group, &target);

    target = set->groups >= DOMINANT ? name : target;
    if (how != ALIGN_NONE && status == CULL_OK)
        status = align_group(ctx, view, how, group, target);
    if (status == CULL_OK)
        status = overlay_means(ctx, view, group, target, out);
    if (status == CULL_OK && set->router == ROUTER_DROP)
        return drop_members(ctx, view, group, target, out);
    if (status == CULL_OK)
        alias_members(group, target, cull_cut_layer(out, group->layer));
    return status;
}

static cull_status merge_layer(cull_ctx *ctx, const struct settings *set, const cull_view *view,
                               size_t l, const size_t *label, const double *saliency, cull_cut *out)
{
    const size_t E = cull_view_layer(view, l)->E;
    size_t *members = (size_t *)ctx->host->scratch(ctx, E + 1, sizeof *members);
    cull_status status = members ? CULL_OK : CULL_ENOMEM;

    for (size_t name = 0; name < E && status == CULL_OK; name++) {
        const cull_scratch_mark mark = ctx->host->mark(ctx);
        struct group group = { .layer = l, .expert = members };

        group.n = members_of(view, l, label, name, members);
        if (group.n > 1)
            status = merge_group(ctx, set, view, &group, name, saliency, out);
        ctx->host->rewind(ctx, mark);
    }
    return status;
}

static cull_status merge_layers(cull_ctx *ctx, const struct settings *set, const cull_view *view,
                                size_t *const *label, double *const *saliency, cull_cut *out)
{
    cull_status status = CULL_OK;

    for (size_t l = 0; l < view->model->L && status == CULL_OK; l++) {
        const cull_scratch_mark mark = ctx->host->mark(ctx);

        status = merge_layer(ctx, set, view, l, label[l], saliency[l], out);
        ctx->host->rewind(ctx, mark);
        if (!ctx->host->progress(ctx, (double)(l + 1), (double)view->model->L))
            return ctx->host->fail(ctx, CULL_ECANCELED, "merging was interrupted");
    }
    return status;
}

static cull_status select_experts(cull_ctx *ctx, const void *settings, const cull_view *view,
                                  const cull_scores *scores, const cull_budget *budget,
                                  size_t layer, cull_cut *out)
{
    const struct settings *set = settings;
    struct grouping grouping = {
        .distance = (const double *const *)scores->pair,
        .capacity = set->groups == CENTROIDS ? (size_t)set->capacity : 0,
        .level = set->router == ROUTER_DROP,
    };
    struct allowance left;
    size_t **label;
    cull_status status = allowance_of(ctx, view, budget, 1, &left);

    for (size_t l = 0; l < view->model->L && status == CULL_OK; l++)
        if (layer != CULL_ALL_LAYERS && layer != l)
            left.layer[l] = 0;
    if (status == CULL_OK)
        status = singletons(ctx, view, &label);
    if (status == CULL_OK)
        status = saliency_shares(ctx, set, view, &grouping.saliency);
    if (status != CULL_OK)
        return status;
    if (set->groups >= DOMINANT)
        status = join_heads(ctx, view, &grouping, &left, label);
    else
        status = link_layers(ctx, view, scores, (enum linkage)set->groups, &left, label);
    return status == CULL_OK ? merge_layers(ctx, set, view, label, grouping.saliency, out) : status;
}

static uint32_t needs_for(const void *settings)
{
    const struct settings *set = settings;
    const enum alignment how = alignment_of(set);
    const bool channels = how == ALIGN_ACTIVATIONS || how == ALIGN_BOTH;

    return CULL_STAT_ROUTING | saliency_needs(set->usage) |
           (channels ? CULL_STAT_DENSE_CHANNELS : 0);
}

static uint32_t emits_for(const void *settings)
{
    const bool drop = ((const struct settings *)settings)->router == ROUTER_DROP;

    return (drop ? 1u << CULL_ACTION_DROP : 1u << CULL_ACTION_ALIAS) | CULL_EMITS_MATRIX;
}

// Is there room for all round those that a layer's share leaves? Where a router has groups, more
// may stay.
static cull_status fit_capacity(cull_ctx *ctx, const struct settings *set, const cull_view *view,
                                const cull_budget *budget)
{
    if (set->groups != CENTROIDS || set->capacity == 0 || budget->scope != CULL_SCOPE_LAYER)
        return CULL_OK;
    for (size_t l = 0; l < view->model->L; l++) {
        const cull_layer_facts *layer = cull_view_layer(view, l);
        const size_t go = (size_t)floor(budget->sparsity * (double)layer->E + 1e-9);
        if (!budget->frozen[l] && layer->n_group <= 1)
            CULL_TRY(room_for_all(ctx, l, layer->E - go, (size_t)set->capacity, layer->E));
    }
    return CULL_OK;
}

static cull_status fits(cull_ctx *ctx, const void *settings, const cull_view *view,
                        const cull_budget *budget, cull_cut *out)
{
    const bool aligned = alignment_of(settings) != ALIGN_NONE;

    (void)out;
    CULL_TRY(fit_capacity(ctx, settings, view, budget));
    for (size_t l = 0; l < view->model->L; l++)
        if (aligned && !budget->frozen[l] && cull_view_layer(view, l)->F > ALIGN_WIDEST)
            return ctx->host->fail(ctx, CULL_ENOTSUP,
                                   "align: experts of layer %zu have %zu neurons, and matching "
                                   "more than %d takes too many steps and too much memory; leave "
                                   "`align` out",
                                   l, cull_view_layer(view, l)->F, ALIGN_WIDEST);
    return CULL_OK;
}

static double rewrites(const void *settings, size_t E, size_t left)
{
    (void)settings;
    return merged_groups(E, left);
}

// A member's costs of matching, as far as they are products: with the neurons' weights, with those
// that are told apart by the eigenvectors of a (2F, 2F) matrix, or over the subsample.
static double matching(enum alignment how, double F, double W, double dense)
{
    const double weights = 12 * F * F * W + 4 * 8 * F * F * F / 3, activations = 2 * F * F * dense;

    if (how == ALIGN_PRODUCTS)
        return 6 * F * F * W;
    return (how == ALIGN_WEIGHTS || how == ALIGN_BOTH ? weights : 0) +
           (how == ALIGN_ACTIVATIONS || how == ALIGN_BOTH ? activations : 0);
}

// A mean of the members' weights, and where neurons are matched their assignment, which takes far
// fewer than F³ steps but where all costs are alike.
static void work(const void *settings, const cull_model_facts *model, const cull_layer_facts *layer,
                 cull_work *out)
{
    const enum alignment how = alignment_of(settings);
    const double W = (double)(layer->expert_width ? layer->expert_width : model->D);
    const double F = (double)layer->F, members = (double)out->remove;

    out->steps = members * (double)layer->expert_params;
    if (how == ALIGN_NONE)
        return;
    out->alone = members * matching(how, F, W, out->dense);
    out->steps += members * F * F * log2(F + 1);
}

static const cull_strategy merge = {
    .size = sizeof merge,
    .accepts = CULL_FORM_PAIR,
    .emits = 1u << CULL_ACTION_ALIAS | 1u << CULL_ACTION_DROP | CULL_EMITS_MATRIX,
    .needs = CULL_STAT_ROUTING,
    .flags = CULL_EITHER_WAY | CULL_LAYERS_APART,
    .needs_for = needs_for,
    .emits_for = emits_for,
    .select = select_experts,
    .fits = fits,
    .rewrites = rewrites,
    .work = work,
};

CULL_PLUGIN(
    STRATEGY, merge, "1.1", "groups of experts become one, a weighted mean",
    .doc =
        "Groups each layer's experts by a pairwise distance and replaces every group by one "
        "expert, the mean of the members' gate, up and down matrices weighted by usage. A group "
        "of m counts as m - 1 removed.\n"
        "\n"
        "groups: dominant is M-SMoE: the least used experts give up, over the whole model "
        "(allocation global) or the same number in each layer, at least one per layer staying, "
        "and each joins the nearest that stays (distance logit-similarity). groups: average is "
        "HC-SMoE: hierarchical clustering (distance output-distance), cut at the layer's count, "
        "or, with allocation global, through all layers' dendrograms at one height.\n"
        "\n"
        "groups: centroids is REAM: the most salient experts stay, and, the most salient first, "
        "each takes its nearest experts (distance ream) until its group has `capacity` members "
        "with itself. Too few places for all are an error. Where a layer has few experts, 16 "
        "places hardly look at similarity: the first centroid takes most. Experts that no token "
        "reaches weigh as little as the least salient that one does, at most 0.5. As published: "
        "usage reap, capacity 16, router drop, align both, and propagate: pruned, so that each "
        "layer is decided on what the merged layers before it let through.\n"
        "\n"
        "router: keep leaves the router its rows; the members' slots are served by the merged "
        "expert, their gates add up, and a checkpoint in a stock layout is as large as before. "
        "router: drop deletes the rows and correction biases of all members but the one that they "
        "are merged into: its gate does not grow, at least k experts stay, as many in each of a "
        "router's groups, and the checkpoint shrinks and loads anywhere.\n"
        "\n"
        "align puts each member's neurons in the order of those of the expert that stays, by the "
        "one-to-one assignment (Hungarian method) of least cost; a permutation alone changes no "
        "output. activations: Euclidean distance of the neurons' activations over the dense "
        "subsample's tokens (dense_rows in calibrate; the authors take 32,768), each of norm 1. "
        "weights: "
        "distance of their 64 leading principal components, joint for both experts, of rows "
        "[gate | up | down column] of norm 1, the scores scaled once more by the singular values, "
        "then of norm 1. both: the sum. products: largest inner products of gate rows, up rows "
        "and down columns.\n"
        "\n"
        "Cost: O(E^3) a layer; a reading of the weights of merged experts; with align up to F^3 "
        "steps, F^2 numbers and, by weights, the eigenvectors of a (2F, 2F) matrix for each "
        "member; by activations, every expert on the subsample and E F numbers for each of its "
        "tokens while a layer is decided. More than 8192 neurons are refused.\n"
        "\n"
        "Departures from the authors' code: usage counts all k experts of a token (both fix "
        "top-2). A group without any tokens is merged by a plain mean, and reported, where both "
        "leave an expert of zeros. M-SMoE aligns to expert 0, here to the group's dominant, and "
        "its Mixtral script not at all; HC-SMoE's scripts misspell `hierarchical` and so run "
        "k-means++, and its complete linkage merges the farthest pair. REAM's code takes one "
        "randomised PCA of all experts of a layer, here an exact one of each pair; averages "
        "batches, here tokens; and takes a softmax over the logits of any router, here the "
        "probabilities of the model's own. Biases of experts, where there are any, stay those of "
        "the expert that stays.",
    .cite =
        "M-SMoE: Li, Zhang, Yadav, Sung, Cheng, Bansal, Chen: Merge, Then Compress: Demystify "
        "Efficient SMoE with Hints from Its Routing Policy, section 3. HC-SMoE: Chen, Liu, Sun, "
        "Chao, Hsu, Lee: Retraining-Free Merging of Sparse MoE via Hierarchical Clustering. REAM: "
        "Jha, Hashemzadeh, Pasand, Parviz, Lee, Knyazev: REAM: Merging Improves Pruning of "
        "Experts in LLMs.\n"
        "@inproceedings{li2024msmoe,\n"
        "  title={Merge, Then Compress: Demystify Efficient {SMoE} with Hints from Its Routing "
        "Policy},\n"
        "  author={Li, Pingzhi and Zhang, Zhenyu and Yadav, Prateek and Sung, Yi-Lin and Cheng, "
        "Yu and Bansal, Mohit and Chen, Tianlong},\n"
        "  booktitle={ICLR}, year={2024}, note={arXiv 2310.01334}}\n"
        "@inproceedings{chen2025hcsmoe,\n"
        "  title={Retraining-Free Merging of Sparse {MoE} via Hierarchical Clustering},\n"
        "  author={Chen, I-Chun and Liu, Hsu-Shen and Sun, Wei-Fang and Chao, Chen-Hao and Hsu, "
        "Yen-Chang and Lee, Chun-Yi},\n"
        "  booktitle={ICML}, year={2025}, note={arXiv 2410.08589}}\n"
        "@article{jha2026ream,\n"
        "  title={{REAM}: Merging Improves Pruning of Experts in {LLMs}},\n"
        "  author={Jha, Saurav and Hashemzadeh, Maryam and Pasand, Ali Saheb and Parviz, Ali and "
        "Lee, Min-Joong and Knyazev, Boris},\n"
        "  journal={arXiv preprint arXiv:2604.04356}, year={2026}}",
    CULL_SETTINGS(params, struct settings));
