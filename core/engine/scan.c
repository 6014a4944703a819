// The walk of scans: which spans make a tree, where their states stand, and one item after the
// other.
#include "engine/scan.h"

#include <string.h>

typedef struct walk {
    const cull_run *run;
    const cull_kv *kv;
    const cull_scan *scan;
    size_t n_trees;
    size_t *first; // (n_trees + 1) where a tree's spans begin in `order`
    size_t *order; // spans with rows, tree by tree
    size_t *slot;  // (n_spans)
    size_t n_slots, stride;
} walk;

cull_status cull_scan_slots(cull_ctx *ctx, cull_arena *arena, size_t n, const size_t *parent,
                            bool keep, size_t *slot, size_t *n_slots)
{
    size_t *last = cull_arena_alloc(arena, n, sizeof *last); // child, plus 1; 0: none
    size_t *spare = cull_arena_alloc(arena, n, sizeof *spare);
    size_t n_spare = 0, made = 0;

    if (!last || !spare)
        return cull_no_memory(ctx);
    for (size_t s = 0; s < n; s++)
        if (parent[s] != CULL_ROOT)
            last[parent[s]] = s + 1;
    for (size_t s = 0; s < n; s++) {
        if (parent[s] != CULL_ROOT && last[parent[s]] == s + 1)
            slot[s] = slot[parent[s]];
        else
            slot[s] = n_spare ? spare[--n_spare] : made++;
        if (!keep && !last[s])
            spare[n_spare++] = slot[s];
    }
    *n_slots = made;
    return CULL_OK;
}

// Spans by their roots, those without rows left out.
static void list_spans(walk *w, const size_t *tree)
{
    for (size_t s = 0; s < w->kv->n_spans; s++)
        w->first[tree[s] + 1] += w->kv->span[s].n_rows != 0;
    for (size_t t = 0; t < w->n_trees; t++)
        w->first[t + 1] += w->first[t];
    for (size_t s = w->kv->n_spans; s-- > 0;)
        if (w->kv->span[s].n_rows)
            w->order[--w->first[tree[s] + 1]] = s;
    // each tree's end has moved to its beginning
    memmove(w->first, w->first + 1, w->n_trees * sizeof *w->first);
}

static cull_status make_walk(cull_piece *piece, cull_arena *arena, walk *w)
{
    const size_t n = w->kv->n_spans;
    const cull_span *span = w->kv->span;
    size_t *tree = cull_arena_alloc(arena, n, sizeof *tree);
    size_t *parent = cull_arena_alloc(arena, n, sizeof *parent), with_rows = 0;

    w->first = cull_arena_alloc(arena, n + 2, sizeof *w->first);
    w->order = cull_arena_alloc(arena, n, sizeof *w->order);
    w->slot = cull_arena_alloc(arena, n, sizeof *w->slot);
    if (!tree || !parent || !w->first || !w->order || !w->slot)
        return cull_no_memory(piece->run->ctx);
    for (size_t s = 0; s < n; s++) {
        parent[s] = span[s].parent;
        tree[s] = parent[s] == CULL_ROOT ? w->n_trees++ : tree[parent[s]];
        w->slot[s] = span[s].slot;
        with_rows += span[s].n_rows != 0;
    }
    list_spans(w, tree);
    w->first[w->n_trees] = with_rows;
    w->stride = cull_layer_of(piece->run->m, piece->layer)->state_width;
    if (w->kv->states)
        return CULL_OK;
    w->stride = w->scan->floats;
    return cull_scan_slots(piece->run->ctx, arena, n, parent, false, w->slot, &w->n_slots);
}

// Where a span's part stands, begun: from its own rows before, its parent's end, or zeros.
static float *begin_span(const walk *w, size_t s, float *states)
{
    const cull_span *span = w->kv->span + s;
    float *own = states + w->slot[s] * w->stride;

    if (span->n_kv > span->n_rows)
        return own;
    if (span->parent == CULL_ROOT)
        memset(own, 0, w->scan->floats * sizeof *own);
    else if (w->slot[span->parent] != w->slot[s])
        memcpy(own, states + w->slot[span->parent] * w->stride, w->scan->floats * sizeof *own);
    return own;
}

static cull_status run_item(void *arg, size_t i, size_t worker)
{
    const walk *w = arg;
    const size_t tree = i / w->scan->parts, part = i % w->scan->parts;
    cull_arena *arena = w->run->worker[worker].arena;
    const cull_mark mark = cull_arena_mark(arena);
    float *states = w->kv->states ? w->kv->states + w->scan->at + part * w->scan->floats
                                  : cull_arena_room(arena, w->n_slots * w->stride, sizeof *states);

    if (!states)
        return cull_no_memory(w->run->ctx);
    for (size_t o = w->first[tree]; o < w->first[tree + 1]; o++) {
        const cull_span *span = w->kv->span + w->order[o];
        float *state = begin_span(w, w->order[o], states);
        CULL_TRY(w->scan->run(w->scan->arg, part, span->row_first, span->n_rows, state, arena));
    }
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

cull_status cull_scan_rows(cull_piece *piece, const cull_scan *scan)
{
    cull_run *run = piece->run;
    cull_arena *arena = cull_piece_arena(piece);
    const cull_mark mark = cull_arena_mark(arena);
    walk w = { .run = run, .kv = piece->kv, .scan = scan };

    if (!piece->kv ||
        scan->at + scan->parts * scan->floats > cull_layer_of(run->m, piece->layer)->state_width)
        return cull_fail(run->ctx, CULL_EPLUGIN,
                         "layer %zu keeps a state that its facts do not speak of", piece->layer);
    CULL_TRY(make_walk(piece, arena, &w));
    CULL_TRY(cull_piece_each(piece, w.n_trees * scan->parts, run_item, &w));
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}
