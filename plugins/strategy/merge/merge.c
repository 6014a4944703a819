// Merge: groups of experts become one, a mean weighted by usage; the router stays as it is.
#include <cull/cull.h>

#include "align.h"
#include "common/prune/clusters.h"
#include "common/prune/lowest.h"
#include "common/prune/usage.h"

struct settings {
    int64_t groups, usage;
    bool weighted, align;
};

enum { DOMINANT = LINKAGE_SINGLE + 1 };
static const char *const group_words[] = { "complete", "average", "single", "dominant", NULL };

static const char *const usage_words[] = {
#define USAGE_WORD(name, word) word,
    USAGES(USAGE_WORD)
#undef USAGE_WORD
        NULL,
};

static const cull_param params[] = {
    CULL_P_CHOICE(
        struct settings, groups, DOMINANT, group_words,
        "dominant: the most used experts stay, each other joins the nearest (M-SMoE); average, "
        "complete, single: hierarchical clustering (HC-SMoE: average)"),
    CULL_P_CHOICE(struct settings, usage, USAGE_COUNT, usage_words,
                  "what makes an expert dominant, and its weight in the mean; as frequency's `of`"),
    CULL_P_BOOL(struct settings, weighted, true, "weight the mean by usage; off: a plain mean"),
    CULL_P_BOOL(struct settings, align, false,
                "match every member's neurons to those of the group's most used expert first"),
};

// usage[l] (E): an expert's share of its layer's usage, so that layers compare.
static cull_status usage_shares(cull_ctx *ctx, const struct settings *set, const cull_view *view,
                                double ***usage)
{
    const size_t L = view->model->L;

    *usage = (double **)ctx->host->scratch(ctx, L, sizeof **usage);
    for (size_t l = 0; *usage && l < L; l++) {
        const size_t E = cull_view_layer(view, l)->E;
        double *share = (double *)ctx->host->scratch(ctx, E + 1, sizeof *share);
        double sum = 0.0;

        if (!share)
            return CULL_ENOMEM;
        for (size_t e = 0; e < E; e++)
            sum += share[e] = usage_of((enum usage)set->usage, cull_stats_layer(view->stats, l), e);
        for (size_t e = 0; e < E && sum > 0.0; e++)
            share[e] /= sum;
        (*usage)[l] = share;
    }
    return *usage ? CULL_OK : CULL_ENOMEM;
}

// The least used experts of the budget each join the nearest that stays: label[l][e] names it.
static cull_status join_dominants(cull_ctx *ctx, const cull_view *view, const cull_scores *scores,
                                  double *const *usage, struct allowance *left, size_t **label)
{
    struct ranked *minor;
    size_t n = 0;
    const cull_status status = lowest_experts(ctx, view, usage, left, &minor, &n);

    for (size_t i = 0; i < n && status == CULL_OK; i++)
        label[minor[i].layer][minor[i].expert] = SIZE_MAX;
    for (size_t i = 0; i < n && status == CULL_OK; i++) {
        const size_t l = minor[i].layer, E = cull_view_layer(view, l)->E;
        const double *d = scores->pair[l] + minor[i].expert * E;
        size_t nearest = SIZE_MAX;

        for (size_t c = 0; c < E; c++)
            if (label[l][c] == c && expert_stands(view->before, l, c) &&
                (nearest == SIZE_MAX || d[c] < d[nearest]))
                nearest = c;
        label[l][minor[i].expert] = nearest;
    }
    return status;
}

// For each member of a group but `target` the neurons that match target's.
static cull_status align_group(cull_ctx *ctx, const cull_view *view, struct group *group,
                               size_t target)
{
    size_t **neuron = (size_t **)ctx->host->scratch(ctx, group->n, sizeof *neuron);
    cull_status status = neuron ? CULL_OK : CULL_ENOMEM;

    for (size_t i = 0; i < group->n && status == CULL_OK; i++) {
        if (group->expert[i] == target)
            continue;
        neuron[i] = (size_t *)ctx->host->scratch(ctx, cull_view_layer(view, group->layer)->F,
                                                 sizeof **neuron);
        status = neuron[i]
                     ? align_neurons(ctx, view, group->layer, target, group->expert[i], neuron[i])
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

static cull_status merge_group(cull_ctx *ctx, const struct settings *set, const cull_view *view,
                               struct group *group, const double *usage, cull_cut *out)
{
    double *weight = (double *)ctx->host->scratch(ctx, group->n, sizeof *weight);
    double total = 0.0;
    size_t most = 0;
    cull_status status = weight ? CULL_OK : CULL_ENOMEM;

    for (size_t i = 0; i < group->n && weight; i++) {
        weight[i] = usage[group->expert[i]];
        total += weight[i];
        most = weight[i] > weight[most] ? i : most;
    }
    const size_t target = group->expert[most];
    if (total > 0.0 && set->weighted)
        group->weight = weight;
    else if (set->weighted)
        ctx->host->log(
            ctx, CULL_WARN,
            "layer %zu: no token reaches the %zu experts merged into expert %zu; they are merged "
            "by a plain mean",
            group->layer, group->n, target);

    if (set->align && status == CULL_OK)
        status = align_group(ctx, view, group, target);
    if (status == CULL_OK)
        status = overlay_means(ctx, view, group, target, out);
    if (status == CULL_OK)
        alias_members(group, target, cull_cut_layer(out, group->layer));
    return status;
}

static cull_status merge_layer(cull_ctx *ctx, const struct settings *set, const cull_view *view,
                               size_t l, const size_t *label, const double *usage, cull_cut *out)
{
    const size_t E = cull_view_layer(view, l)->E;
    size_t *members = (size_t *)ctx->host->scratch(ctx, E + 1, sizeof *members);
    cull_status status = members ? CULL_OK : CULL_ENOMEM;

    for (size_t name = 0; name < E && status == CULL_OK; name++) {
        const cull_scratch_mark mark = ctx->host->mark(ctx);
        struct group group = { .layer = l, .expert = members };

        group.n = members_of(view, l, label, name, members);
        if (group.n > 1)
            status = merge_group(ctx, set, view, &group, usage, out);
        ctx->host->rewind(ctx, mark);
    }
    return status;
}

static cull_status select_experts(cull_ctx *ctx, const void *settings, const cull_view *view,
                                  const cull_scores *scores, const cull_budget *budget,
                                  size_t layer, cull_cut *out)
{
    const struct settings *set = settings;
    struct allowance left;
    size_t **label;
    double **usage;
    cull_status status = allowance_of(ctx, view, budget, 1, &left);

    (void)layer;
    if (status == CULL_OK)
        status = singletons(ctx, view, &label);
    if (status == CULL_OK)
        status = usage_shares(ctx, set, view, &usage);
    if (status != CULL_OK)
        return status;
    if (set->groups == DOMINANT)
        status = join_dominants(ctx, view, scores, usage, &left, label);
    else
        status = link_layers(ctx, view, scores, (enum linkage)set->groups, &left, label);

    for (size_t l = 0; l < view->model->L && status == CULL_OK; l++) {
        const cull_scratch_mark mark = ctx->host->mark(ctx);

        status = merge_layer(ctx, set, view, l, label[l], usage[l], out);
        ctx->host->rewind(ctx, mark);
        if (!ctx->host->progress(ctx, (double)(l + 1), (double)view->model->L))
            return ctx->host->fail(ctx, CULL_ECANCELED, "merging was interrupted");
    }
    return status;
}

static double rewrites(const void *settings, size_t E, size_t left)
{
    (void)settings;
    return merged_groups(E, left);
}

static const cull_strategy merge = {
    .size = sizeof merge,
    .accepts = CULL_FORM_PAIR,
    .emits = 1u << CULL_ACTION_ALIAS | CULL_EMITS_MATRIX,
    .needs = CULL_STAT_ROUTING,
    .select = select_experts,
    .rewrites = rewrites,
};

CULL_PLUGIN(
    STRATEGY, merge, "1.0", "groups of experts become one; the router stays as it is",
    .doc =
        "Groups each layer's experts by a pairwise distance and replaces every group by one "
        "expert, the mean of the members' gate, up and down matrices weighted by usage. The "
        "router keeps all its rows; the members' slots are served by the merged expert. A group "
        "of m counts as m - 1 removed.\n"
        "\n"
        "groups: dominant is M-SMoE: the least used experts give up, over the whole model "
        "(allocation global) or the same number in each layer, at least one per layer staying, "
        "and each joins the nearest that stays (distance logit-similarity). groups: average is "
        "HC-SMoE: hierarchical clustering (distance output-distance), cut at the layer's count, "
        "or, with allocation global, through all layers' dendrograms at one height.\n"
        "\n"
        "align: true first permutes each member's neurons to match those of the group's most used "
        "expert: the assignment that maximises the inner products of gate rows, up rows and down "
        "columns (Hungarian method). A permutation alone changes no output.\n"
        "\n"
        "Cost: O(E^3) a layer; a reading of the weights of merged experts; with align O(F^2 (D + "
        "F)) for each, and F^2 floats.\n"
        "\n"
        "Departures from the authors' code: usage counts all k experts of a token (both fix "
        "top-2). A group without any tokens is merged by a plain mean, and reported, where both "
        "leave an expert of zeros. M-SMoE aligns to expert 0, here to the group's dominant, and "
        "its Mixtral script not at all; HC-SMoE's scripts misspell `hierarchical` and so run "
        "k-means++, and its complete linkage merges the farthest pair. Biases of experts, where "
        "there are any, stay the dominant's.",
    .cite =
        "M-SMoE: Li, Zhang, Yadav, Sung, Cheng, Bansal, Chen: Merge, Then Compress: Demystify "
        "Efficient SMoE with Hints from Its Routing Policy, section 3. HC-SMoE: Chen, Liu, Sun, "
        "Chao, Hsu, Lee: Retraining-Free Merging of Sparse MoE via Hierarchical Clustering.\n"
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
        "  booktitle={ICML}, year={2025}, note={arXiv 2410.08589}}",
    CULL_SETTINGS(params, struct settings));
