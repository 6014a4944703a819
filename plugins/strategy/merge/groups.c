// Groups round the experts that matter most: M-SMoE's dominants, REAM's centroids.
#include "groups.h"

// The experts of a layer that join others.
struct crowd {
    const cull_view *view;
    size_t l, E, n_group;
    const double *saliency, *distance; // (E), (E, E)
    size_t *label;                     // (E) the head; SIZE_MAX: none yet; itself: stays
};

static bool stands(const struct crowd *c, size_t e)
{
    return expert_stands(c->view->before, c->l, e);
}

static bool is_head(const struct crowd *c, size_t e)
{
    return c->label[e] == e && stands(c, e);
}

static bool waits(const struct crowd *c, size_t e)
{
    return c->label[e] == SIZE_MAX;
}

// Of the experts that stand in one of the router's groups, all but the `keep` most salient wait.
static void thin_out(struct crowd *c, size_t first, size_t end, size_t keep)
{
    size_t n = 0;

    for (size_t e = first; e < end; e++)
        n += is_head(c, e);
    for (; n > keep; n--) {
        size_t least = SIZE_MAX;
        for (size_t e = first; e < end; e++)
            if (is_head(c, e) && (least == SIZE_MAX || c->saliency[e] < c->saliency[least]))
                least = e;
        c->label[least] = SIZE_MAX;
    }
}

// As many stay in each of the router's groups, and no fewer than `keep` in all.
static void keep_level(struct crowd *c, size_t keep)
{
    const size_t size = c->E / c->n_group;

    for (size_t e = 0; e < c->E; e++)
        if (waits(c, e))
            c->label[e] = e;
    for (size_t g = 0; g < c->n_group; g++)
        thin_out(c, g * size, (g + 1) * size, (keep + c->n_group - 1) / c->n_group);
}

// The nearest of those that `may` be taken by, or take, expert e.
static size_t nearest(const struct crowd *c, size_t e,
                      bool (*may)(const struct crowd *, size_t candidate))
{
    const double *d = c->distance + e * c->E;
    size_t best = SIZE_MAX;

    for (size_t o = 0; o < c->E; o++)
        if (may(c, o) && (best == SIZE_MAX || d[o] < d[best]))
            best = o;
    return best;
}

static void join_nearest(struct crowd *c)
{
    for (size_t e = 0; e < c->E; e++)
        if (waits(c, e))
            c->label[e] = nearest(c, e, is_head);
}

// The most salient head that is not done; ties: the higher index.
static size_t next_head(const struct crowd *c, const bool *done)
{
    size_t best = SIZE_MAX;

    for (size_t e = 0; e < c->E; e++)
        if (is_head(c, e) && !done[e] && (best == SIZE_MAX || c->saliency[e] >= c->saliency[best]))
            best = e;
    return best;
}

cull_status room_for_all(cull_ctx *ctx, size_t l, size_t heads, size_t capacity, size_t experts)
{
    if (experts <= heads * capacity)
        return CULL_OK;
    return ctx->host->fail(ctx, CULL_EINVAL,
                           "layer %zu: %zu groups of at most %zu experts have no room for %zu; "
                           "raise `capacity`, or 0 for none",
                           l, heads, capacity, experts);
}

static cull_status fill_groups(cull_ctx *ctx, struct crowd *c, size_t capacity)
{
    bool *done = (bool *)ctx->host->scratch(ctx, c->E, sizeof *done);
    size_t heads = 0, left = 0;

    if (!done)
        return CULL_ENOMEM;
    for (size_t e = 0; e < c->E; e++) {
        heads += is_head(c, e);
        left += waits(c, e);
    }
    CULL_TRY(room_for_all(ctx, c->l, heads, capacity, heads + left));
    for (size_t h = next_head(c, done); left > 0 && h != SIZE_MAX; h = next_head(c, done)) {
        done[h] = true;
        for (size_t n = 1; n < capacity && left > 0; n++, left--)
            c->label[nearest(c, h, waits)] = h;
    }
    return CULL_OK;
}

// The experts of layer l whose label is SIZE_MAX join its heads.
static cull_status join_layer(cull_ctx *ctx, const cull_view *view, size_t l,
                              const struct grouping *grouping, size_t *label)
{
    const cull_layer_facts *layer = cull_view_layer(view, l);
    struct crowd c = {
        view, l, layer->E, layer->n_group, grouping->saliency[l], grouping->distance[l], label
    };
    size_t joining = 0;

    for (size_t e = 0; e < c.E; e++)
        joining += waits(&c, e);
    if (joining == 0)
        return CULL_OK;
    if (grouping->level && c.n_group > 1)
        keep_level(&c, standing_experts(view, l) - joining);
    if (grouping->capacity > 0)
        return fill_groups(ctx, &c, grouping->capacity);
    join_nearest(&c);
    return CULL_OK;
}

cull_status join_heads(cull_ctx *ctx, const cull_view *view, const struct grouping *grouping,
                       struct allowance *left, size_t **label)
{
    struct ranked *minor;
    size_t n = 0;
    cull_status status = lowest_experts(ctx, view, grouping->saliency, left, &minor, &n);

    for (size_t i = 0; i < n && status == CULL_OK; i++)
        label[minor[i].layer][minor[i].expert] = SIZE_MAX;
    for (size_t l = 0; l < view->model->L && status == CULL_OK; l++)
        status = join_layer(ctx, view, l, grouping, label[l]);
    return status;
}
