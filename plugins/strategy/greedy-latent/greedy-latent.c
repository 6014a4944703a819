// Greedy-latent: STUN's first stage. Experts that behave alike form clusters; one of each stays.
#include <cull/cull.h>

#include "reconstruct.h"
#include "reject.h"

struct settings {
    int64_t linkage, reconstruct, kappa, cap;
};

enum { STUN_GREEDY = LINKAGE_SINGLE + 1 };
static const char *const linkage_words[] = { "complete", "average", "single", "stun-greedy", NULL };

enum { KEEP_REPRESENTATIVE, KEEP_MEAN, KEEP_SELECTIVE };
static const char *const keep_words[] = { "representative", "mean", "selective", NULL };

static const cull_param params[] = {
    CULL_P_CHOICE(struct settings, linkage, LINKAGE_COMPLETE, linkage_words,
                  "complete, average, single: hierarchical clustering, cut at an exact count; "
                  "stun-greedy: the authors' greedy merging with rejection"),
    CULL_P_CHOICE(
        struct settings, reconstruct, KEEP_SELECTIVE, keep_words,
        "what a cluster keeps: its representative's weights and router row; the mean of all its "
        "members' weights and rows; or, selective, means in layers left with fewer than kappa "
        "clusters and representatives elsewhere"),
    CULL_P_INT(struct settings, kappa, 3, 1, CULL_ANY_HI,
               "selective: a layer left with fewer clusters than this takes means"),
    CULL_P_INT(struct settings, cap, 0, 0, CULL_ANY_HI,
               "stun-greedy: most merges in a layer; 0: what the budget allows (the authors' "
               "default is 1)"),
};

static cull_status stun_greedy(cull_ctx *ctx, const cull_view *view, const struct rejection *all,
                               size_t wanted, struct allowance *left, size_t **label)
{
    struct merge *merges;
    size_t n = 0;
    cull_status status = room_for_merges(ctx, view, &merges);

    if (status == CULL_OK && wanted > 0)
        status = search_threshold(ctx, all, wanted, merges, &n);
    if (status == CULL_OK)
        cut_dendrograms(n, merges, view, left, label);
    return status;
}

// One threshold for all layers, or, where every layer has a count of its own, one for each.
static cull_status reject_layers(cull_ctx *ctx, const struct settings *set, const cull_view *view,
                                 const cull_scores *scores, bool by_layer, struct allowance *left,
                                 size_t **label)
{
    const size_t L = view->model->L;
    struct cloud *cloud = (struct cloud *)ctx->host->scratch(ctx, L, sizeof *cloud);
    size_t *cap = (size_t *)ctx->host->scratch(ctx, L, sizeof *cap);
    size_t n = 0, most = 0;
    cull_status status = cloud && cap ? CULL_OK : CULL_ENOMEM;

    for (size_t l = 0; l < L && status == CULL_OK; l++) {
        if (left->layer[l] == 0)
            continue;
        if (set->cap > 0 && left->layer[l] > (size_t)set->cap)
            left->layer[l] = (size_t)set->cap;
        cap[n] = left->layer[l];
        most += cap[n];
        status = cloud_of(ctx, view, scores, l, &cloud[n++]);
    }
    if (!by_layer && status == CULL_OK)
        return stun_greedy(ctx, view, &(struct rejection){ n, cloud, cap },
                           left->total < most ? left->total : most, left, label);
    for (size_t i = 0; i < n && status == CULL_OK; i++)
        status = stun_greedy(ctx, view, &(struct rejection){ 1, &cloud[i], &cap[i] }, cap[i], left,
                             label);
    return status;
}

// The clusters of layer l in the order of their names; *members is (E) of scratch.
static cull_status groups_of(cull_ctx *ctx, const cull_view *view, size_t l, const size_t *label,
                             struct group **groups, size_t *n)
{
    const size_t E = cull_view_layer(view, l)->E;
    size_t *members = (size_t *)ctx->host->scratch(ctx, E, sizeof *members);

    *n = 0;
    *groups = (struct group *)ctx->host->scratch(ctx, E, sizeof **groups);
    if (!members || !*groups)
        return CULL_ENOMEM;
    for (size_t name = 0; name < E; name++) {
        const size_t m = members_of(view, l, label, name, members);
        if (m == 0)
            continue;
        (*groups)[(*n)++] = (struct group){ .layer = l, .n = m, .expert = members };
        members += m;
    }
    return CULL_OK;
}

// One member of each cluster of layer l stays, the others are dropped.
static cull_status keep_one_each(cull_ctx *ctx, const struct settings *set, const cull_view *view,
                                 size_t l, const size_t *label, cull_cut *out)
{
    struct group *groups;
    size_t n;
    cull_status status = groups_of(ctx, view, l, label, &groups, &n);
    const bool mean = set->reconstruct == KEEP_MEAN ||
                      (set->reconstruct == KEEP_SELECTIVE && n < (size_t)set->kappa);
    size_t *stays = (size_t *)ctx->host->scratch(ctx, cull_view_layer(view, l)->E, sizeof *stays);

    if (!stays)
        return CULL_ENOMEM;
    if (n == standing_experts(view, l)) // nothing was merged
        return status;
    for (size_t i = 0; i < n && status == CULL_OK; i++) {
        status = find_representative(ctx, view, &groups[i], &stays[i]);
        for (size_t m = 0; m < groups[i].n && status == CULL_OK; m++)
            if (groups[i].expert[m] != stays[i])
                cull_cut_layer(out, l)->action[groups[i].expert[m]] = CULL_ACTION_DROP;
        if (mean && groups[i].n > 1 && status == CULL_OK)
            status = overlay_means(ctx, view, &groups[i], stays[i], out);
    }
    if (mean && status == CULL_OK)
        status = overlay_mean_rows(ctx, view, l, n, groups, stays, out);
    return status;
}

static cull_status select_experts(cull_ctx *ctx, const void *settings, const cull_view *view,
                                  const cull_scores *scores, const cull_budget *budget,
                                  size_t layer, cull_cut *out)
{
    const struct settings *set = settings;
    const bool by_layer = budget->scope == CULL_SCOPE_LAYER;
    struct allowance left;
    size_t **label;
    cull_status status = allowance_of(ctx, view, budget, 1, &left);

    (void)layer;
    if (status == CULL_OK)
        status = singletons(ctx, view, &label);
    if (status != CULL_OK)
        return status;
    if (set->linkage == STUN_GREEDY)
        status = reject_layers(ctx, set, view, scores, by_layer, &left, label);
    else
        status = link_layers(ctx, view, scores, (enum linkage)set->linkage, &left, label);

    for (size_t l = 0; l < view->model->L && status == CULL_OK; l++) {
        const cull_scratch_mark mark = ctx->host->mark(ctx);

        if (cull_view_layer(view, l)->E > 0 && !budget->frozen[l])
            status = keep_one_each(ctx, set, view, l, label[l], out);
        ctx->host->rewind(ctx, mark);
        if (!ctx->host->progress(ctx, (double)(l + 1), (double)view->model->L))
            return ctx->host->fail(ctx, CULL_ECANCELED, "clustering was interrupted");
    }
    return status;
}

static uint32_t emits_for(const void *settings)
{
    const bool means = ((const struct settings *)settings)->reconstruct != KEEP_REPRESENTATIVE;

    return 1u << CULL_ACTION_DROP | (means ? (uint32_t)CULL_EMITS_MATRIX : 0u);
}

static double rewrites(const void *settings, size_t E, size_t left)
{
    const struct settings *set = settings;
    const bool mean = set->reconstruct == KEEP_MEAN ||
                      (set->reconstruct == KEEP_SELECTIVE && left < (size_t)set->kappa);

    return mean ? merged_groups(E, left) : 0;
}

static const cull_strategy greedy_latent = {
    .size = sizeof greedy_latent,
    .accepts = CULL_FORM_PAIR,
    .emits = 1u << CULL_ACTION_DROP | CULL_EMITS_MATRIX,
    .emits_for = emits_for,
    .select = select_experts,
    .rewrites = rewrites,
};

CULL_PLUGIN_NAMED(
    STRATEGY, greedy_latent, "greedy-latent", "1.0",
    "STUN's expert stage: cluster the experts, keep one of each cluster",
    .doc =
        "Clusters every layer's experts by a pairwise distance (similarity, for STUN) and keeps "
        "one of each cluster: its representative, the member whose flattened gate, up and down "
        "weights are nearest in l2 to the cluster's mean. The others leave the router. Selective "
        "reconstruction: in a layer left with fewer than kappa = 3 clusters every cluster takes "
        "the element-wise mean of its members' weights and router rows (float64 means, rounded to "
        "float32; biases stay the representative's).\n"
        "\n"
        "linkage: complete builds each layer's exact dendrogram, sorts all merges of the model by "
        "height and applies the lowest until the budget is met (allocation global: layers keep "
        "different counts; allocation layer: the same share each). No threshold has to be "
        "searched and the count is exact. average and single are there for ablation.\n"
        "\n"
        "linkage: stun-greedy is the authors' algorithm: pairs by ascending distance below a "
        "threshold tau join unless some member is farther than tau from the pair's other expert, "
        "by distances not yet used up; cross pairs that do not touch the two experts go "
        "unchecked, so a cluster may hold pairs beyond tau. One tau for all layers is searched as "
        "they do (0.5, step 0.1, doubled, then halved).\n"
        "\n"
        "Cost: O(E^3) a layer, and two readings of the weights of clusters of three and more. "
        "Nothing is run.\n"
        "\n"
        "Departures from the authors' code: complete linkage by default. stun-greedy is cut to "
        "the exact count by the height of its merges where no threshold gives it; the authors' "
        "search stops with an error after ten equal totals, which ties among integer "
        "co-activations provoke. Their limit of one merge a layer is off by default (cap). No "
        "zero bias is written into the router.",
    .cite = "Lee, Hwang, Qiao, Campos, Yao, He: STUN: Structured-Then-Unstructured Pruning for "
            "Scalable MoE Pruning, section 4.\n"
            "@inproceedings{lee2025stun,\n"
            "  title={{STUN}: Structured-Then-Unstructured Pruning for Scalable {MoE} Pruning},\n"
            "  author={Lee, Jaeseong and Hwang, Seung-won and Qiao, Aurick and Campos, Daniel F "
            "and Yao, Zhewei and He, Yuxiong},\n"
            "  booktitle={Proceedings of ACL}, year={2025}, note={arXiv 2409.06211}}",
    CULL_SETTINGS(params, struct settings));
