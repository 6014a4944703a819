// Neurons of an expert put in the order of another's.
#include "align.h"

#include <math.h>

#include "common/prune/math_service.h"

// cost −= w_ref w_eᵀ over the neurons of one part: (F, F).
static cull_status add_products(cull_ctx *ctx, const cull_view *view, size_t l, cull_part part,
                                size_t reference, size_t e, float *cost)
{
    const struct shape shape = expert_shape(view, l, part);
    const size_t F = cull_view_layer(view, l)->F, W = experts_inputs(view, l);
    const cull_scratch_mark mark = ctx->host->mark(ctx);
    const float *a, *b;
    const cull_math_ext *math;
    cull_status status = math_service(ctx, &math);

    if (status == CULL_OK)
        status = expert_matrix(ctx, view, l, part, reference, &a);
    if (status == CULL_OK)
        status = expert_matrix(ctx, view, l, part, e, &b);
    if (status == CULL_OK) {
        const bool down = part == CULL_PART_DOWN;
        if (!math->gemm_f32(down, !down, F, F, W, -1.0f, a, shape.cols, b, shape.cols, 1.0f, cost,
                            F))
            status = CULL_ENOMEM;
    }
    ctx->host->rewind(ctx, mark);
    return status;
}

static cull_status product_costs(cull_ctx *ctx, const cull_view *view, size_t l, size_t reference,
                                 size_t e, double *cost)
{
    const size_t F = cull_view_layer(view, l)->F;
    const cull_scratch_mark mark = ctx->host->mark(ctx);
    float *products = (float *)ctx->host->scratch(ctx, F * F, sizeof *products);
    cull_status status = products ? CULL_OK : CULL_ENOMEM;

    for (size_t p = 0; p < N_EXPERT_PARTS && status == CULL_OK; p++)
        if (part_present(cull_view_layer(view, l), expert_parts[p]))
            status = add_products(ctx, view, l, expert_parts[p], reference, e, products);
    for (size_t i = 0; i < F * F && status == CULL_OK; i++)
        cost[i] = (double)products[i];
    ctx->host->rewind(ctx, mark);
    return status;
}

cull_status align_neurons(cull_ctx *ctx, const cull_view *view, size_t l, size_t reference,
                          size_t e, enum alignment how, size_t *neuron)
{
    const size_t F = cull_view_layer(view, l)->F;
    const cull_scratch_mark mark = ctx->host->mark(ctx);
    double *cost = (double *)ctx->host->scratch(ctx, F * F, sizeof *cost);
    cull_status status = cost ? CULL_OK : CULL_ENOMEM;

    if (status == CULL_OK)
        status = how == ALIGN_PRODUCTS ? product_costs(ctx, view, l, reference, e, cost)
                                       : neuron_distances(ctx, view, l, reference, e, how, cost);
    if (status == CULL_OK)
        status = assign(ctx, F, cost, neuron);
    ctx->host->rewind(ctx, mark);
    return status;
}

enum { FREE = -1 };

// Shortest augmenting paths (Kuhn's method with potentials u of rows and v of columns, cost − u − v
// ≥ 0).
struct paths {
    size_t n;
    const double *cost;
    double *u, *v;      // (n)
    ptrdiff_t *row_of;  // (n) row assigned to a column, or FREE
    double *slack;      // (n) least reduced cost by which the tree reaches a column
    ptrdiff_t *reached; // (n) the column before it on that path, or FREE: the root
    bool *done;         // (n) column in the tree
};

// Grow the tree from row `root` until a free column is reached; returns that column.
static size_t grow(struct paths *p, size_t root)
{
    size_t row = root;
    ptrdiff_t last = FREE;

    for (size_t c = 0; c < p->n; c++) {
        p->slack[c] = INFINITY;
        p->done[c] = false;
    }
    for (;;) {
        size_t next = p->n;
        for (size_t c = 0; c < p->n; c++) {
            if (p->done[c])
                continue;
            const double reduced = p->cost[row * p->n + c] - p->u[row] - p->v[c];
            if (reduced < p->slack[c]) {
                p->slack[c] = reduced;
                p->reached[c] = last;
            }
            if (next == p->n || p->slack[c] < p->slack[next])
                next = c;
        }

        const double delta = p->slack[next];
        p->u[root] += delta;
        for (size_t c = 0; c < p->n; c++)
            if (p->done[c]) {
                p->u[p->row_of[c]] += delta;
                p->v[c] -= delta;
            } else {
                p->slack[c] -= delta;
            }
        p->done[next] = true;
        if (p->row_of[next] == FREE)
            return next;
        row = (size_t)p->row_of[next];
        last = (ptrdiff_t)next;
    }
}

cull_status assign(cull_ctx *ctx, size_t n, const double *cost, size_t *column)
{
    struct paths p = { .n = n, .cost = cost };

    p.u = (double *)ctx->host->scratch(ctx, n, sizeof *p.u);
    p.v = (double *)ctx->host->scratch(ctx, n, sizeof *p.v);
    p.slack = (double *)ctx->host->scratch(ctx, n, sizeof *p.slack);
    p.row_of = (ptrdiff_t *)ctx->host->scratch(ctx, n, sizeof *p.row_of);
    p.reached = (ptrdiff_t *)ctx->host->scratch(ctx, n, sizeof *p.reached);
    p.done = (bool *)ctx->host->scratch(ctx, n, sizeof *p.done);
    if (!p.u || !p.v || !p.slack || !p.row_of || !p.reached || !p.done)
        return CULL_ENOMEM;

    for (size_t c = 0; c < n; c++)
        p.row_of[c] = FREE;
    for (size_t root = 0; root < n; root++) {
        ptrdiff_t c = (ptrdiff_t)grow(&p, root);
        for (; p.reached[c] != FREE; c = p.reached[c]) // shift the assignment along the path
            p.row_of[c] = p.row_of[p.reached[c]];
        p.row_of[c] = (ptrdiff_t)root;
    }
    for (size_t c = 0; c < n; c++)
        column[p.row_of[c]] = c;
    return CULL_OK;
}
