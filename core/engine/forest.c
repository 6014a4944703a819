// Requests as a forest of segments: what they share is computed once.
#include "engine/forest.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

typedef struct sorted { // a sequence among the others
    const int32_t *ids;
    size_t n, index;
    bool beyond;
} sorted;

static int compare(const void *a, const void *b)
{
    const sorted *x = a, *y = b;
    const size_t n = x->n < y->n ? x->n : y->n;

    if (x->beyond != y->beyond)
        return x->beyond ? 1 : -1;
    for (size_t i = 0; i < n; i++)
        if (x->ids[i] != y->ids[i])
            return x->ids[i] < y->ids[i] ? -1 : 1;
    if (x->n != y->n)
        return x->n < y->n ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

static size_t common(const sorted *a, const sorted *b)
{
    const size_t n = a->n < b->n ? a->n : b->n;
    size_t i = 0;

    if (a->beyond != b->beyond)
        return 0;
    while (i < n && a->ids[i] == b->ids[i])
        i++;
    return i;
}

// Sequences [lo, hi) share their first `depth` ids and hang below `parent`.
typedef struct range {
    size_t lo, hi, depth, parent;
} range;

typedef struct builder {
    cull_ctx *ctx;
    const sorted *seq;
    cull_forest *out;
    size_t *end;
    range *stack;
    size_t n, room;
    bool share;
} builder;

static cull_status push(builder *b, range r)
{
    if (b->n == b->room) {
        range *more = cull_grow(b->stack, b->room, b->room ? 2 * b->room : 64, sizeof *more);
        if (!more)
            return cull_no_memory(b->ctx);
        b->stack = more;
        b->room = b->room ? 2 * b->room : 64;
    }
    b->stack[b->n++] = r;
    return CULL_OK;
}

// Push the groups of [lo, hi) that differ in the id at `at`, last first; they keep `depth` and
// `parent`.
static cull_status push_groups(builder *b, size_t lo, size_t hi, size_t at, size_t depth,
                               size_t parent)
{
    for (size_t end = hi; end > lo;) {
        size_t first = end - 1;
        while (first > lo && b->seq[first - 1].beyond == b->seq[end - 1].beyond &&
               b->seq[first - 1].n > at && b->seq[end - 1].n > at &&
               b->seq[first - 1].ids[at] == b->seq[end - 1].ids[at])
            first--;
        CULL_TRY(push(b, (range){ first, end, depth, parent }));
        end = first;
    }
    return CULL_OK;
}

static size_t rows_below(const builder *b, size_t lo, size_t hi, size_t depth)
{
    size_t n = 0;

    for (size_t i = lo; i < hi; i++)
        n += b->seq[i].n - depth;
    return n;
}

static cull_status add_segment(builder *b, const range *r, size_t to)
{
    cull_forest *f = b->out;
    const size_t s = f->n_segments++;
    const int32_t *ids = b->seq[r->lo].ids;

    f->segment[s] = (cull_segment){ r->parent, r->depth, f->n_rows, to - r->depth };
    if (r->parent == CULL_ROOT)
        f->tree[f->n_trees++] = (cull_tree){ s, 0, f->n_rows, 0, b->seq[r->lo].beyond };
    for (size_t p = r->depth; p < to; p++, f->n_rows++) {
        f->ids[f->n_rows] = ids[p];
        f->pos[f->n_rows] = (int32_t)p;
    }
    cull_tree *tree = f->tree + f->n_trees - 1;
    tree->n_segments++;
    tree->n_rows = f->n_rows - tree->first_row;

    size_t lo = r->lo;
    for (; lo < r->hi && b->seq[lo].n == to; lo++)
        b->end[b->seq[lo].index] = s;
    return push_groups(b, lo, r->hi, to, to, s);
}

static cull_status take_range(builder *b, range r)
{
    const size_t shared =
        r.hi - r.lo > 1 ? common(b->seq + r.lo, b->seq + r.hi - 1) : b->seq[r.lo].n;

    if (r.parent == CULL_ROOT && r.hi - r.lo > 1) {
        const bool alike = shared == b->seq[r.hi - 1].n; // all of them equal
        if (!b->share || (shared < CULL_SHARE_LEAST && !alike)) {
            if (b->share && b->seq[r.lo].n > shared)
                return push_groups(b, r.lo, r.hi, shared, 0, CULL_ROOT);
            CULL_TRY(push(b, (range){ r.lo + 1, r.hi, 0, CULL_ROOT }));
            return push(b, (range){ r.lo, r.lo + 1, 0, CULL_ROOT });
        }
        if (!alike && rows_below(b, r.lo, r.hi, shared) > CULL_TREE_ROWS) {
            const size_t middle = r.lo + (r.hi - r.lo) / 2;
            CULL_TRY(push(b, (range){ middle, r.hi, 0, CULL_ROOT }));
            return push(b, (range){ r.lo, middle, 0, CULL_ROOT });
        }
    }
    return add_segment(b, &r, shared);
}

static cull_status make_room(cull_ctx *ctx, size_t n, const cull_ids *seq, cull_forest *out)
{
    size_t rows = 0;

    for (size_t i = 0; i < n; i++)
        rows += seq[i].n;
    *out = (cull_forest){ 0 };
    out->ids = cull_take(ctx, rows, sizeof *out->ids);
    out->pos = cull_take(ctx, rows, sizeof *out->pos);
    out->segment = cull_take(ctx, 2 * n + 1, sizeof *out->segment);
    out->tree = cull_take(ctx, n + 1, sizeof *out->tree);
    return out->ids && out->pos && out->segment && out->tree ? CULL_OK : CULL_ENOMEM;
}

cull_status cull_forest_build(cull_ctx *ctx, size_t n, const cull_ids *seq, bool share,
                              size_t rope_switch, cull_forest *out, size_t *end)
{
    sorted *order = cull_alloc(n ? n : 1, sizeof *order);
    builder b = { .ctx = ctx, .seq = order, .out = out, .end = end, .share = share };
    cull_status status;

    if (!order)
        return cull_no_memory(ctx);
    for (size_t i = 0, put = 0; i < 2 * n; i++) { // the short ones first, else in their own order
        const bool beyond = rope_switch && seq[i % n].n > rope_switch;
        if (beyond == (i >= n))
            order[put++] = (sorted){ seq[i % n].ids, seq[i % n].n, i % n, beyond };
    }
    if (share)
        qsort(order, n, sizeof *order, compare);
    status = make_room(ctx, n, seq, out);
    if (status == CULL_OK && n)
        status = push(&b, (range){ 0, n, 0, CULL_ROOT });
    while (status == CULL_OK && b.n)
        status = take_range(&b, b.stack[--b.n]);
    cull_free(b.stack);
    cull_free(order);
    return status;
}

void cull_forest_path(const cull_forest *f, size_t end, size_t *row)
{
    for (size_t s = end; s != CULL_ROOT; s = f->segment[s].parent)
        for (size_t i = 0; i < f->segment[s].n; i++)
            row[f->segment[s].pos + i] = f->segment[s].first + i;
}

size_t cull_forest_spans(const cull_forest *f, size_t first, size_t n, cull_span *span)
{
    const size_t s0 = f->tree[first].first_segment;
    const size_t row0 = f->tree[first].first_row;
    size_t count = 0;

    for (size_t t = first; t < first + n; t++)
        count += f->tree[t].n_segments;
    for (size_t i = 0; i < count; i++) {
        const cull_segment *s = f->segment + s0 + i;
        span[i] = (cull_span){ s->parent == CULL_ROOT ? CULL_ROOT : s->parent - s0,
                               s->pos,
                               s->first - row0,
                               s->n,
                               s->first - row0,
                               s->n,
                               0 };
    }
    return count;
}
