// A made-up model, from a seed: facts, weights, a router.
#include "check/synthetic.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "cut/cut.h"

enum { N = 96, D = 8, V = 32, SEED = 20 };

size_t cull_synthetic_twin(size_t E, size_t e)
{
    return (2 * E + 1 - e) % E; // reversed and rotated
}

// Normal numbers by Box and Muller.
static void fill_normal(cull_rng *rng, float *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double radius = sqrt(-2 * log(1 - cull_rng_uniform(rng)));
        out[i] = (float)(radius * cos(6.283185307179586 * cull_rng_uniform(rng)));
    }
}

static void stream(cull_rng *rng, const char *what, size_t layer, size_t expert)
{
    char name[64];

    snprintf(name, sizeof name, "%s %zu %zu", what, layer, expert);
    cull_rng_init(rng, SEED, "synthetic", name);
}

const cull_synthetic_shape cull_synthetic_shapes[CULL_SYNTHETIC_SHAPES] = {
    { "a made-up model", { 6, 0, 5 }, 2, 1, 1, false, false },
    { "one with experts that no token reaches", { 6, 0, 5 }, 2, 1, 1, true, false },
    { "one with experts that are the same", { 6, 0, 5 }, 2, 1, 1, false, true },
    { "one whose router picks all experts", { 3, 0, 3 }, 3, 1, 1, false, false },
    { "one with a single expert", { 1, 0, 1 }, 1, 1, 1, false, false },
    { "one with groups of experts", { 8, 0, 8 }, 2, 4, 2, false, false },
};

// The expert of the plain model that stands at e.
static size_t plain(const cull_synthetic *w, size_t l, size_t e)
{
    const size_t own = w->permuted ? cull_synthetic_twin(w->layer[l].E, e) : e;

    return w->shape->twins && own == 1 ? 0 : own;
}

// May the router pick expert e for this token? Of groups, those with the largest logits.
static bool is_open(const cull_synthetic *w, size_t l, const float *z, size_t e)
{
    const size_t E = w->layer[l].E, groups = w->layer[l].n_group, size = E / groups;
    double own = -INFINITY;
    size_t better = 0;

    if (w->shape->starved && (w->permuted ? cull_synthetic_twin(E, e) : e) == E - 1)
        return false;
    for (size_t i = 0; i < size; i++)
        own = fmax(own, (double)z[e / size * size + i]);
    for (size_t g = 0; g < groups; g++) {
        double best = -INFINITY;
        for (size_t i = 0; i < size; i++)
            best = fmax(best, (double)z[g * size + i]);
        better += best > own;
    }
    return better < w->layer[l].topk_group;
}

static void fill_experts(cull_synthetic *w, size_t l)
{
    const size_t E = w->layer[l].E, F = w->layer[l].F;
    cull_synthetic_layer *rows = &w->rows[l];

    for (size_t e = 0; e < E; e++) {
        cull_rng rng;
        stream(&rng, "rows", l, plain(w, l, e));
        const double liked = cull_rng_uniform(&rng); // experts differ in load and in size
        for (size_t t = 0; t < N; t++) {
            float *logit = &rows->logits[t * E + e];
            fill_normal(&rng, logit, 1);
            *logit += (float)liked;
            fill_normal(&rng, rows->y + (t * E + e) * D, D);
            fill_normal(&rng, rows->u + (t * E + e) * F, F);
            for (size_t d = 0; d < D; d++)
                rows->y[(t * E + e) * D + d] *= (float)(0.5 + liked);
        }
    }
}

// Softmax, the K largest, their gates divided by their sum.
static void route_token(const cull_synthetic *w, size_t l, size_t t)
{
    const cull_layer_facts *facts = &w->layer[l];
    const cull_synthetic_layer *rows = &w->rows[l];
    const size_t E = facts->E, K = facts->K;
    const float *z = rows->logits + t * E;
    double most = -INFINITY, sum = 0, chosen = 0;

    for (size_t e = 0; e < E; e++)
        most = fmax(most, (double)z[e]);
    for (size_t e = 0; e < E; e++)
        sum += exp((double)z[e] - most);
    for (size_t e = 0; e < E; e++)
        rows->p[t * E + e] = (float)(exp((double)z[e] - most) / sum);
    for (size_t k = 0; k < K; k++) {
        size_t best = E;
        for (size_t e = 0; e < E; e++)
            if (!(rows->gate_of[t * E + e] > 0) && is_open(w, l, z, e) &&
                (best == E || z[e] > z[best]))
                best = e;
        rows->index[t * K + k] = (int32_t)best;
        rows->gate_of[t * E + best] = rows->p[t * E + best];
        chosen += (double)rows->p[t * E + best];
    }
    for (size_t k = 0; k < K; k++) {
        const size_t e = (size_t)rows->index[t * K + k];
        const float g = (float)((double)rows->gate_of[t * E + e] / chosen);
        rows->gate[t * K + k] = rows->gate_of[t * E + e] = g;
        for (size_t d = 0; d < D; d++)
            rows->moe[t * D + d] += g * rows->y[(t * E + e) * D + d];
    }
}

static cull_status make_layer(cull_ctx *ctx, cull_synthetic *w, size_t l)
{
    const size_t E = w->layer[l].E, K = w->layer[l].K, F = w->layer[l].F;
    cull_synthetic_layer *rows = &w->rows[l];
    cull_rng rng;

    *rows = (cull_synthetic_layer){
        .x = cull_take(ctx, N * D, sizeof(float)),
        .r = cull_take(ctx, N * D, sizeof(float)),
        .moe = cull_take(ctx, N * D, sizeof(float)),
        .y = cull_take(ctx, N * E * D, sizeof(float)),
        .u = cull_take(ctx, N * E * F, sizeof(float)),
        .logits = cull_take(ctx, N * E, sizeof(float)),
        .p = cull_take(ctx, N * E, sizeof(float)),
        .gate_of = cull_take(ctx, N * E, sizeof(float)),
        .index = cull_take(ctx, N * K, sizeof(int32_t)),
        .gate = cull_take(ctx, N * K, sizeof(float)),
    };
    if (cull_context_of(ctx)->error.status != CULL_OK)
        return CULL_ENOMEM;
    stream(&rng, "tokens", l, 0);
    fill_normal(&rng, rows->x, N * D);
    fill_normal(&rng, rows->r, N * D);
    fill_experts(w, l);
    for (size_t t = 0; t < N && E; t++)
        route_token(w, l, t);
    return CULL_OK;
}

// ---- what the view offers ----

static cull_status weights(cull_ctx *ctx, const cull_view *view, cull_matrix_id where,
                           const float **out, size_t *rows, size_t *cols, const float **bias)
{
    const cull_synthetic *w = view->core;
    const bool known = where.layer < w->facts.L && where.part < CULL_N_PARTS &&
                       (w->layer[where.layer].parts >> where.part & 1);

    if (!known)
        return cull_fail(ctx, CULL_ENOTSUP, "the made-up model has no part %u in layer %u",
                         (unsigned)where.part, (unsigned)where.layer);

    const cull_layer_facts *facts = &w->layer[where.layer];
    const bool router = where.part == CULL_PART_ROUTER, down = where.part == CULL_PART_DOWN;
    if (!router && where.expert >= facts->E)
        return cull_fail(ctx, CULL_EINVAL, "there is no expert %u in layer %u",
                         (unsigned)where.expert, (unsigned)where.layer);
    *rows = router ? facts->E : down ? (size_t)D : facts->F;
    *cols = down ? facts->F : (size_t)D;
    if (bias)
        *bias = NULL;
    float *m = cull_scratch(ctx, *rows * *cols, sizeof *m);
    if (!m)
        return CULL_ENOMEM;
    for (size_t r = 0; r < (router ? *rows : 1); r++) { // a router's row belongs to its expert
        cull_rng rng;
        stream(&rng, cull_part_word(where.part), where.layer,
               plain(w, where.layer, router ? r : where.expert));
        fill_normal(&rng, m + r * *cols, router ? *cols : *rows * *cols);
    }
    *out = m;
    return CULL_OK;
}

static const double *observed(cull_ctx *ctx, const cull_view *view, size_t layer)
{
    (void)ctx;
    return ((const cull_synthetic *)view->core)->rows[layer].observed;
}

static cull_status weight_scores(cull_ctx *ctx, const cull_view *view, cull_matrix_id where,
                                 size_t rows, size_t cols, const float *w, float *out)
{
    (void)ctx;
    (void)view;
    (void)where;
    for (size_t i = 0; i < rows * cols; i++)
        out[i] = fabsf(w[i]);
    return CULL_OK;
}

static const void *extension(cull_ctx *ctx, const char *id)
{
    static const cull_observed_ext of_observer = { sizeof of_observer, observed };
    static const cull_weight_scores_ext of_weights = { sizeof of_weights, weight_scores };

    (void)ctx;
    return strcmp(id, CULL_EXT_OBSERVED) == 0        ? (const void *)&of_observer
           : strcmp(id, CULL_EXT_WEIGHT_SCORES) == 0 ? (const void *)&of_weights
                                                     : NULL;
}

// ---- making ----

static void make_facts(cull_synthetic *w)
{
    const cull_synthetic_shape *shape = w->shape;
    const uint64_t parts =
        1u << CULL_PART_ROUTER | 1u << CULL_PART_GATE | 1u << CULL_PART_UP | 1u << CULL_PART_DOWN;

    w->facts = (cull_model_facts){
        .size = sizeof w->facts,
        .arch = "synthetic",
        .dtype = "f32",
        .source = "made up",
        .fingerprint = "00000000000000000000000000000000",
        .L = CULL_SYNTHETIC_LAYERS,
        .D = D,
        .V = V,
        .max_positions = N,
        .logit_scale = 1,
        .bos = -1,
        .eos = -1,
    };
    for (size_t l = 0; l < CULL_SYNTHETIC_LAYERS; l++) {
        const size_t E = shape->E[l], F = E ? 10 : 0;
        w->layer[l] = (cull_layer_facts){
            .size = sizeof w->layer[l],
            .E = E,
            .K = E ? shape->K : 0,
            .F = F,
            .n_group = shape->n_group,
            .topk_group = shape->topk_group,
            .renormalise = true,
            .parts = E ? parts : 0,
            .expert_params = 3 * D * F,
            .channel_params = 3 * D,
        };
        w->facts.params_expert += E * 3 * D * F;
    }
    w->facts.params_total = w->facts.params_expert;
}

cull_status cull_synthetic_new(cull_ctx *ctx, uint32_t groups, bool permuted, cull_synthetic **out)
{
    return cull_synthetic_shaped(ctx, &cull_synthetic_shapes[0], groups, permuted, out);
}

cull_status cull_synthetic_shaped(cull_ctx *ctx, const cull_synthetic_shape *shape, uint32_t groups,
                                  bool permuted, cull_synthetic **out)
{
    cull_synthetic *w = cull_take(ctx, 1, sizeof *w);
    size_t experts[CULL_SYNTHETIC_LAYERS];

    if (!w)
        return CULL_ENOMEM;
    w->shape = shape;
    w->N = N;
    w->permuted = permuted;
    make_facts(w);
    for (size_t l = 0; l < CULL_SYNTHETIC_LAYERS; l++) {
        experts[l] = w->layer[l].E;
        CULL_TRY(make_layer(ctx, w, l));
    }
    CULL_TRY(cull_synthetic_count(ctx, w, groups));
    w->view = (cull_view){
        .size = sizeof w->view,
        .model = &w->facts,
        .layer = w->layer,
        .stats = &w->stats,
        .before = cull_cut_new(ctx, CULL_SYNTHETIC_LAYERS, D, experts),
        .weights = weights,
        .core = w,
    };
    cull_context_of(ctx)->extension = extension;
    *out = w;
    return w->view.before ? CULL_OK : CULL_ENOMEM;
}

// The rows of one expert, as a pass would hand them out.
static cull_status observe_expert(cull_ctx *ctx, const cull_synthetic *w, size_t l, size_t e,
                                  const cull_observer *observer, const void *settings)
{
    const size_t E = w->layer[l].E;
    const cull_synthetic_layer *rows = &w->rows[l];
    float *x = cull_scratch(ctx, N * D, sizeof *x), *y = cull_scratch(ctx, N * D, sizeof *y);
    float *gate = cull_scratch(ctx, N, sizeof *gate);
    size_t n = 0;

    if (!x || !y || !gate)
        return CULL_ENOMEM;
    for (size_t t = 0; t < N; t++) {
        if (!(rows->gate_of[t * E + e] > 0))
            continue;
        memcpy(x + n * D, rows->x + t * D, D * sizeof *x);
        memcpy(y + n * D, rows->y + (t * E + e) * D, D * sizeof *y);
        gate[n++] = rows->gate_of[t * E + e];
    }
    const cull_expert_rows of = { .size = sizeof(cull_expert_rows),
                                  .layer = l,
                                  .expert = e,
                                  .n = n,
                                  .D = D,
                                  .x = x,
                                  .gate = gate,
                                  .y = y };
    if (n == 0)
        return CULL_OK;
    observer->add_expert(settings, &of, rows->observed);
    return CULL_OK;
}

cull_status cull_synthetic_observe(cull_ctx *ctx, cull_synthetic *w, const cull_observer *observer,
                                   const void *settings)
{
    for (size_t l = 0; l < CULL_SYNTHETIC_LAYERS; l++) {
        const cull_layer_facts *facts = &w->layer[l];
        cull_synthetic_layer *rows = &w->rows[l];
        if (!facts->E)
            continue;
        rows->observed = cull_take(ctx, observer->doubles(settings, facts), sizeof *rows->observed);
        if (!rows->observed)
            return CULL_ENOMEM;
        const cull_routed_rows all = {
            sizeof(cull_routed_rows),
            .layer = l,
            .n = N,
            .D = D,
            .E = facts->E,
            .K = facts->K,
            .x = rows->x,
            .r = rows->r,
            .moe = rows->moe,
            .logits = rows->logits,
            .p = rows->p,
            .index = rows->index,
            .gate = rows->gate,
        };
        if (observer->add_rows)
            observer->add_rows(settings, &all, rows->observed);
        for (size_t e = 0; observer->add_expert && e < facts->E; e++)
            CULL_TRY(observe_expert(ctx, w, l, e, observer, settings));
    }
    return CULL_OK;
}
