// Combinatorial: drop the set of experts whose loss, all together, is least.
#include "search.h"

#include "common/prune/parts.h"

struct settings {
    int64_t limit, beam, swaps;
};

static const cull_param params[] = {
    CULL_P_INT(
        struct settings, limit, 100000, 0, 1e12,
        "most subsets of a layer to try one by one; above it a beam search is run, and reported"),
    CULL_P_INT(struct settings, beam, 4, 1, 4096, "width of the beam search; 1 is greedy removal"),
    CULL_P_INT(struct settings, swaps, 8, 0, 1000000,
               "most exchanges of a kept and a dropped expert after the beam search"),
};

// Splits the layer's experts: those with weights of their own may go, the others (zeroed, replaced,
// served by another) stay as they are. Returns how many the router can still choose.
static size_t split_experts(const cull_view *view, size_t l, size_t *candidate, size_t *n,
                            uint64_t *always)
{
    size_t left = 0;

    for (size_t e = 0; e < cull_view_layer(view, l)->E; e++) {
        if (expert_stands(view->before, l, e)) {
            candidate[(*n)++] = e;
            left++;
        } else if (cull_cut_layer(view->before, l)->action[e] != CULL_ACTION_DROP) {
            set_add(always, e);
            left++;
        }
    }
    return left;
}

static cull_status run(const search *s, const struct settings *set, size_t l, found *out)
{
    cull_ctx *ctx = s->ctx;
    const double count = subsets_of(s->n, s->keep);

    if (count <= (double)set->limit) {
        const cull_status status = search_exact(s, out);
        if (status == CULL_OK)
            ctx->host->log(ctx, CULL_INFO,
                           "layer %zu: the best of all %.0f sets of %zu of %zu "
                           "experts has loss %.9g",
                           l, count, s->keep, s->n, out->loss);
        return status;
    }
    const cull_status status = search_beam(s, (size_t)set->beam, (size_t)set->swaps, out);
    if (status == CULL_OK)
        ctx->host->log(
            ctx, CULL_WARN,
            "layer %zu: %.4g sets of %zu of %zu experts are more than the "
            "limit of %.0f; a %s%s over %.0f of them found loss %.9g, which need not be the "
            "least",
            l, count, s->keep, s->n, (double)set->limit,
            set->beam > 1 ? "beam search" : "greedy removal", set->swaps > 0 ? " with swaps" : "",
            out->evaluated, out->loss);
    return status;
}

static cull_status select_layer(cull_ctx *ctx, const void *settings, const cull_view *view,
                                const cull_scores *scores, const cull_budget *budget, size_t layer,
                                cull_cut *out)
{
    const cull_host *host = ctx->host;
    const size_t E = cull_view_layer(view, layer)->E;
    search s = { .ctx = ctx, .loss = &scores->subset, .words = (E + 63) / 64 };

    if (E == 0 || (budget->frozen && budget->frozen[layer]))
        return CULL_OK;
    if (budget->scope != CULL_SCOPE_LAYER)
        return host->fail(ctx, CULL_ENOTSUP,
                          "combinatorial searches one layer at a time: it needs to be "
                          "told how many experts of each to drop (allocation layer, or like)");

    size_t *candidate = host->scratch(ctx, E, sizeof *candidate);
    uint64_t *always = host->scratch(ctx, s.words, sizeof *always);
    found best = { .set = host->scratch(ctx, s.words, sizeof *best.set) };
    if (!candidate || !always || !best.set)
        return CULL_ENOMEM;
    const size_t left = split_experts(view, layer, candidate, &s.n, always);
    const size_t least = budget->least ? budget->least[layer] : 0;
    size_t remove = budget->remove[layer];
    remove = remove > s.n ? s.n : remove;
    remove = left < least ? 0 : remove > left - least ? left - least : remove;
    if (remove == 0)
        return CULL_OK;

    s.candidate = candidate;
    s.always = always;
    s.keep = s.n - remove;
    const cull_status status = run(&s, settings, layer, &best);
    for (size_t i = 0; status == CULL_OK && i < s.n; i++)
        if (!set_has(best.set, candidate[i]))
            cull_cut_layer(out, layer)->action[candidate[i]] = CULL_ACTION_DROP;
    return status;
}

// The losses that are asked for, each of which looks at the experts chosen for each token.
static void work(const void *settings, const cull_model_facts *model, const cull_layer_facts *layer,
                 cull_work *out)
{
    const struct settings *set = settings;
    const size_t keep = out->left - out->remove;
    const double n = (double)out->left, gone = (double)out->remove, kept = (double)keep;
    const double all = subsets_of(out->left, keep);
    const double beam = (double)set->beam * (n * n - kept * kept) / 2;

    (void)model;
    if (out->remove > 0)
        out->steps = (all <= (double)set->limit ? all : beam + (double)set->swaps * kept * gone) *
                     out->dense * (double)layer->K;
}

static const cull_strategy combinatorial = {
    .size = sizeof combinatorial,
    .accepts = CULL_FORM_SUBSET,
    .emits = 1 << CULL_ACTION_DROP,
    .flags = CULL_BY_LAYER | CULL_LAYERS_APART,
    .select = select_layer,
    .work = work,
};

CULL_PLUGIN(
    STRATEGY, combinatorial, "1.0", "drop the set of experts whose common loss is least",
    .doc = "Tries every set of kept experts of the size that the budget asks for, in "
           "lexicographic order; the first of the smallest losses wins, so of experts that no "
           "token uses those with the higher index go. Where a layer has more sets than `limit`, "
           "a beam search removes one expert at a time and exchanges kept and dropped ones "
           "afterwards; the log says so, with the number of sets and the loss. On the models "
           "where both could be run, plain greedy removal (beam: 1, swaps: 0) found the optimum "
           "each time, but nothing guarantees that.\n\n"
           "Cost: C(n, keep) losses, or about beam * (n^2 - keep^2)/2 + swaps * keep * (n - "
           "keep).",
    .cite = "Lu et al.: Not All Experts are Equal (NAEE). ACL 2024. arXiv:2402.14800, section 3; "
            "the greedy removal and the beam are ours.",
    CULL_SETTINGS(params, struct settings));
