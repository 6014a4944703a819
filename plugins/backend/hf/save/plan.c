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
    s->new_layer = s->ctx->host->alloc(s->ctx, s->m->s.L, sizeof *s->new_layer);
    s->slot = s->ctx->host->alloc(s->ctx, s->m->s.L, sizeof *s->slot);
    if (!s->new_layer || !s->slot)
        return CULL_ENOMEM;
    for (size_t l = 0; l < s->m->s.L; l++)
        s->new_layer[l] = s->cut->layer[l].skip_layer ? SIZE_MAX : s->L++;
    return s->L ? CULL_OK : refuse(s, "no layer is left");
}

// Rules that act while running, and have no place in a checkpoint.
static cull_status check_rules(hf_saving *s)
{
    for (size_t l = 0; l < s->m->s.L; l++) {
        const cull_layer_cut *cut = &s->cut->layer[l];
        const size_t k = cut->k ? cut->k : s->m->s.K;
        if (s->new_layer[l] == SIZE_MAX || !s->slot[l])
            continue;
        if (cut->skip_moe)
            return refuse(s, "no checkpoint can say that a layer's experts are passed over");
        if (cut->skip_ratio > 0)
            return refuse(s, "no checkpoint can say that experts with small gates are skipped");
        if (s->K && k != s->K)
            return refuse(s, "layers differ in the number of experts a token");
        s->K = k;
    }
    if (s->m->arch->router.score == HF_SPARSEMIXER && s->K && s->K != 2)
        return refuse(s, "its router always chooses two");
    if (s->m->arch == hf_arch_find("arctic") && s->K == 1 && s->m->s.K > 1)
        return refuse(s, "with one expert a token its gates are no longer renormalised");
    return CULL_OK;
}

static bool has_padding_bias(const hf_saving *s)
{
    const hf_router *router = &s->m->arch->router;
    return router->linear_bias || (router->bias && router->score == HF_SIGMOID);
}

// How many experts of each group stay, at most; every layer is padded to that.
static cull_status widest(hf_saving *s, size_t *most, bool *even)
{
    const size_t G = s->m->s.n_group;

    *most = 0;
    *even = true;
    for (size_t l = 0; l < s->m->s.L; l++) {
        const size_t E = s->m->layer[l].facts.E;
        if (!E || s->new_layer[l] == SIZE_MAX)
            continue;
        for (size_t g = 0; g < G; g++) {
            size_t kept = 0;
            for (size_t e = g * (E / G); e < (g + 1) * (E / G); e++)
                kept += s->cut->layer[l].action[e] != CULL_ACTION_DROP;
            *even &= *most == 0 || kept == *most;
            *most = kept > *most ? kept : *most;
            if (kept == 1 && G > 1 && s->m->arch->router.group_score == HF_GROUP_TOP2)
                return refuse(s, "a group with one expert has no best two");
        }
    }
    return CULL_OK;
}

static cull_status fill_slots(hf_saving *s, size_t l, size_t most)
{
    const size_t G = s->m->s.n_group, E = s->m->layer[l].facts.E;
    int32_t *slot = s->slot[l];
    size_t kept = 0;

    for (size_t g = 0; g < G; g++) {
        size_t n = 0;
        for (size_t e = g * (E / G); e < (g + 1) * (E / G); e++)
            if (s->cut->layer[l].action[e] != CULL_ACTION_DROP)
                slot[g * most + n++] = (int32_t)e;
        kept += n;
        for (; n < most; n++)
            slot[g * most + n] = HF_PADDING;
    }
    if (kept < s->K)
        return s->ctx->host->fail(
            s->ctx, CULL_ENOTSUP,
            "layer %zu keeps %zu experts, but %zu a token are routed: lower k", l, kept, s->K);
    return CULL_OK;
}

static cull_status plan_experts(hf_saving *s)
{
    const size_t G = s->m->s.n_group;
    size_t most;
    bool even;

    HF_TRY(widest(s, &most, &even));
    if (!even && !has_padding_bias(s))
        return refuse(
            s,
            G > 1 ? "its groups keep different numbers of experts"
                  : "its layers keep different numbers of experts, and its router has no bias that "
                    "would keep padding from being chosen");
    if (G > 1 && s->m->s.topk_group * most < s->K)
        return refuse(s, "the chosen groups would have too few experts");
    s->E = G * most;
    for (size_t l = 0; l < s->m->s.L; l++)
        if (s->slot[l] && s->new_layer[l] != SIZE_MAX)
            HF_TRY(fill_slots(s, l, most));
    return CULL_OK;
}

bool hf_is_quantised(cull_dtype type)
{
    return type == CULL_DT_F8_E4M3 || type == CULL_DT_F4;
}

static cull_status check_overlays(hf_saving *s)
{
    for (size_t i = 0; i < s->cut->n_overlays; i++) {
        const cull_matrix *m = hf_matrix_place(s->m, s->cut->overlay[i].where);
        if (m && hf_is_quantised(m->dtype) && !s->how->dequantise)
            return refuse(
                s, "quantised weights that are masked or rewritten can only be stored dequantised");
        if (s->m->s.tied && s->cut->overlay[i].where.layer == CULL_NONE)
            return refuse(s, "its head and its embedding are one matrix");
    }
    return CULL_OK;
}

static cull_status check_actions(hf_saving *s)
{
    for (size_t l = 0; l < s->m->s.L; l++) {
        const hf_layer *layer = &s->m->layer[l];
        const bool constant = layer->expert && layer->expert[2].bias;
        for (size_t e = 0; e < layer->facts.E; e++)
            if (s->cut->layer[l].action[e] == CULL_ACTION_NOVICE && !constant)
                return refuse(s, "its experts have no bias that a constant could be stored in");
    }
    return CULL_OK;
}

int32_t hf_slot_content(const hf_saving *s, size_t l, int32_t slot)
{
    const int32_t e = s->slot[l][slot];
    const cull_layer_cut *cut = &s->cut->layer[l];

    if (e == HF_PADDING || cut->action[e] == CULL_ACTION_ZERO ||
        cut->action[e] == CULL_ACTION_NOVICE)
        return -1;
    return cut->action[e] == CULL_ACTION_ALIAS ? (int32_t)cut->target[e] : e;
}

cull_status hf_save_plan(hf_saving *s)
{
    HF_TRY(plan_layers(s));
    for (size_t l = 0; l < s->m->s.L; l++) {
        const size_t E = s->m->layer[l].facts.E;
        if (E && !(s->slot[l] = s->ctx->host->alloc(s->ctx, E, sizeof **s->slot)))
            return CULL_ENOMEM;
    }
    HF_TRY(check_rules(s));
    HF_TRY(check_actions(s));
    HF_TRY(check_overlays(s));
    return plan_experts(s);
}
