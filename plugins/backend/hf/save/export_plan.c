// Which layers and experts a checkpoint of the variant has.
#include <string.h>

#include "save/save.h"

static cull_status refuse(hf_saving *s, const char *why)
{
    return s->ctx->host->fail(s->ctx, CULL_ENOTSUP, "%s cannot be exported: %s",
                              s->m->arch->model_type, why);
}

static cull_status plan_layers(hf_saving *s)
{
    const size_t L = s->m->s.L;
    size_t room = 0; // groups may be padded to the largest of any layer

    for (size_t l = 0; l < L; l++)
        room = hf_larger(room, s->m->layer[l].facts.E + s->m->s.n_group);
    s->new_layer = s->ctx->host->alloc(s->ctx, L, sizeof *s->new_layer);
    s->slot = s->ctx->host->alloc(s->ctx, L, sizeof *s->slot);
    s->rows = s->ctx->host->alloc(s->ctx, L, sizeof *s->rows);
    s->k = s->ctx->host->alloc(s->ctx, L, sizeof *s->k);
    if (!s->new_layer || !s->slot || !s->rows || !s->k)
        return CULL_ENOMEM;
    for (size_t l = 0; l < L; l++) {
        if (s->m->layer[l].facts.E &&
            !(s->slot[l] = s->ctx->host->alloc(s->ctx, room, sizeof **s->slot)))
            return CULL_ENOMEM;
        s->new_layer[l] = cull_cut_layer(s->cut, l)->skip_layer ? SIZE_MAX : s->L++;
    }
    return s->L ? CULL_OK : refuse(s, "no layer is left");
}

// A layer with experts that stays.
static bool is_sparse(const hf_saving *s, size_t l)
{
    return s->slot[l] && s->new_layer[l] != SIZE_MAX;
}

// Rules that act while running; only the number of experts a token has a place in a checkpoint.
static cull_status check_rules(hf_saving *s)
{
    for (size_t l = 0; l < s->m->s.L; l++) {
        const cull_layer_cut *cut = cull_cut_layer(s->cut, l);
        if (!is_sparse(s, l))
            continue;
        if (cut->skip_moe)
            return refuse(s, "no checkpoint can say that a layer's experts are passed over");
        if (cut->skip_ratio > 0)
            return refuse(s, "no checkpoint can say that experts with small gates are skipped");
        if (cut->top_p > 0)
            return refuse(s, "no checkpoint can say that a token's experts end at a probability");
        s->k[l] = cut->k ? cut->k : s->m->layer[l].facts.K;
        s->own |= s->K && s->k[l] != s->K && !s->m->s.K_listed;
        s->K = hf_larger(s->K, s->k[l]);
        if (s->m->arch->router.score == HF_SPARSEMIXER && s->k[l] != 2)
            return refuse(s, "its router always chooses two");
        if (s->m->arch->router.alone_as_is && s->k[l] == 1 && s->m->s.K > 1)
            return refuse(s, "with one expert a token its gates are no longer renormalised");
    }
    return CULL_OK;
}

// ---- experts ----

// May padding be kept from being chosen by a bias, which leaves the gates of the others alone?
static bool has_padding_bias(const cull_model *m)
{
    const hf_router *router = &m->arch->router;

    return router->linear_bias || (m->s.router_bias && router->score == HF_SIGMOID);
}

// Experts that a group keeps.
static size_t kept_in(const hf_saving *s, size_t l, size_t g)
{
    size_t kept = 0;

    for (size_t e = hf_group_begin(s->m, l, g); e < hf_group_begin(s->m, l, g + 1); e++)
        kept += cull_cut_layer(s->cut, l)->action[e] != CULL_ACTION_DROP;
    return kept;
}

// Would a stock router choose as the variant's does, with padding that is never among the best? It
// scores a group by its best two, also where there is one group, and takes a token's experts from
// whichever groups are chosen, the smallest of all perhaps.
static bool routes_alike(const hf_saving *s, size_t l)
{
    const size_t G = s->m->s.n_group, least = hf_least_of_group(s->m->arch);
    size_t kept[HF_MOST_GROUPS], reach = 0;

    for (size_t g = 0; g < G; g++) {
        size_t at = g, n = kept_in(s, l, g);
        if (n < least)
            return false;
        for (; at > 0 && kept[at - 1] > n; at--)
            kept[at] = kept[at - 1];
        kept[at] = n;
    }
    for (size_t g = 0; g < s->m->s.topk_group; g++)
        reach += kept[g];
    return reach >= s->k[l];
}

typedef struct extent { // of the groups of all layers
    size_t most;        // experts that one keeps
    bool even;          // all keep as many
    bool alike;         // a stock router can choose among them
} extent;

static extent measure_groups(const hf_saving *s)
{
    extent x = { .even = true, .alike = true };

    for (size_t l = 0; l < s->m->s.L; l++) {
        for (size_t g = 0; g < s->m->s.n_group && is_sparse(s, l); g++) {
            const size_t kept = kept_in(s, l, g);
            x.even &= x.most == 0 || kept == x.most;
            x.most = hf_larger(x.most, kept);
        }
        x.alike &= !is_sparse(s, l) || routes_alike(s, l);
    }
    return x;
}

// The kept experts of each group in order, and padding after them up to `most`; 0: none.
static cull_status fill_slots(hf_saving *s, size_t l, size_t most)
{
    int32_t *slot = s->slot[l];
    size_t kept = 0, at = 0;

    for (size_t g = 0; g < s->m->s.n_group; g++) {
        for (size_t e = hf_group_begin(s->m, l, g); e < hf_group_begin(s->m, l, g + 1); e++)
            if (cull_cut_layer(s->cut, l)->action[e] != CULL_ACTION_DROP) {
                slot[at++] = (int32_t)e;
                kept++;
            }
        while (at < (g + 1) * most)
            slot[at++] = HF_PADDING;
    }
    s->rows[l] = at;
    if (kept < s->k[l])
        return s->ctx->host->fail(
            s->ctx, CULL_ENOTSUP,
            "layer %zu keeps %zu experts, but %zu a token are routed: lower k", l, kept, s->k[l]);
    return CULL_OK;
}

// Is some expert of the layer a constant, now or from the beginning?
static bool has_constants(const hf_saving *s, size_t l)
{
    bool any = s->m->layer[l].constant != NULL;

    for (size_t e = 0; e < s->m->layer[l].facts.E; e++)
        any |= cull_cut_layer(s->cut, l)->action[e] == CULL_ACTION_NOVICE;
    return any;
}

// No published layout says that layers differ, or that an expert is a constant, unless experts have
// biases.
static cull_status check_own(hf_saving *s)
{
    if (!s->own)
        return CULL_OK;
    if (s->m->arch->twofold)
        return refuse(s, "its layers differ, or have constants in experts' places, but every layer "
                         "has as many experts of images as of text");
    if (!s->m->transformers)
        return refuse(s, "its layers differ, or have constants in experts' places, which only "
                         "Cull's own layout can say; and transformers lacks this architecture");
    for (size_t l = 0; l < s->m->s.L; l++)
        if (is_sparse(s, l) && hf_slots_stored(s, l) == 0)
            return s->ctx->host->fail(
                s->ctx, CULL_ENOTSUP,
                "layer %zu keeps no expert but constants, which no checkpoint "
                "can say",
                l);
    s->ctx->host->log(s->ctx, CULL_WARN,
                      "layers differ, or have constants in experts' places: written in Cull's own "
                      "layout, which transformers loads with trust_remote_code=True");
    return CULL_OK;
}

static cull_status plan_experts(hf_saving *s)
{
    const extent x = measure_groups(s);

    s->own |= !x.alike || (!x.even && !has_padding_bias(s->m));
    for (size_t l = 0; l < s->m->s.L; l++)
        s->own |= is_sparse(s, l) && has_constants(s, l) && !s->m->arch->stack_bias;
    s->E = s->m->s.n_group * x.most;
    for (size_t l = 0; l < s->m->s.L; l++)
        if (is_sparse(s, l))
            CULL_TRY(fill_slots(s, l, s->own ? 0 : x.most));
    return check_own(s);
}

static cull_status check_overlays(hf_saving *s)
{
    for (size_t i = 0; i < s->cut->n_overlays; i++) {
        const cull_overlay *o = cull_overlay_at(s->cut, i);
        const cull_matrix *m = hf_matrix_place(s->m, o->where);
        const bool weights = o->kind == CULL_MASK || o->kind == CULL_MATRIX;
        if (m && weights && hf_is_quantised(m->dtype) && !s->how->dequantise)
            return refuse(
                s, "quantised weights that are masked or rewritten can only be stored dequantised");
        if (m && o->where.part == CULL_PART_ROUTER && m->col_stride != 1)
            return refuse(s, "its router is stored turned, and is not rewritten in that form");
        if (s->m->s.tied && o->where.layer == CULL_NONE)
            return refuse(s, "its head and its embedding are one matrix");
    }
    return CULL_OK;
}

// Experts that others stand for have the others' matrices, once more each.
static void warn_of_copies(hf_saving *s)
{
    size_t n = 0;

    for (size_t l = 0; l < s->m->s.L; l++)
        for (size_t j = 0; is_sparse(s, l) && j < s->rows[l]; j++) {
            const int32_t e = s->slot[l][j];
            n += e >= 0 && cull_cut_layer(s->cut, l)->action[e] == CULL_ACTION_ALIAS;
        }
    if (n)
        s->ctx->host->log(s->ctx, CULL_WARN,
                          "%zu experts that were merged into others are stored as copies of them: "
                          "their router is as it was, and this saves no byte",
                          n);
}

// Layers that predict further tokens are of the model that was not pruned.
static void warn_of_mtp(hf_saving *s)
{
    if (s->m->s.mtp)
        s->ctx->host->log(
            s->ctx, CULL_WARN,
            "%zu multi-token-prediction (MTP) layers are left out of the export: %.*s "
            "is 0 in its config.json",
            s->m->s.mtp, (int)strcspn(s->m->arch->mtp, "|"), s->m->arch->mtp);
}

// A second set of experts has as many as the first, by config.json.
static void warn_of_second(hf_saving *s)
{
    if (s->m->arch->twofold && s->E && s->E != s->m->s.E)
        s->ctx->host->log(s->ctx, CULL_WARN,
                          "of the experts of images, which by config.json are as many as those of "
                          "text, the same numbers are kept: what the model makes of images is "
                          "another");
}

cull_status hf_save_plan(hf_saving *s)
{
    CULL_TRY(plan_layers(s));
    CULL_TRY(check_rules(s));
    CULL_TRY(check_overlays(s));
    CULL_TRY(plan_experts(s));
    warn_of_copies(s);
    warn_of_mtp(s);
    warn_of_second(s);
    return hf_save_widths(s);
}

const char *hf_exports(cull_ctx *ctx, const cull_model *m)
{
    const hf_arch *arch = m->arch;
    const char *own = m->transformers ? "in Cull's own layout" : "not at all";
    bool quantised = m->s.mxfp4 || m->s.block_rows;

    return hf_text(ctx,
                   "equal cuts as published; layers that keep different numbers %s; constants %s; "
                   "channels %s%s",
                   has_padding_bias(m) ? "padded, which a bias keeps out" : own,
                   arch->stack_bias ? "as biases" : own,
                   m->facts.one_width ? "as zeros" : "narrower where all are alike, else as zeros",
                   quantised ? "; masked or rewritten weights only dequantised" : "");
}
