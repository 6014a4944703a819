// Lanes that keep their keys in the same store and whose cuts change nothing before the router are
// one: their rows, and the spans that these belong to, one behind the other.
#include "engine/join.h"

#include <string.h>

#include "cut/cut.h"
#include "engine/memory.h"
#include "math/gemm.h"

enum { JOINED_BYTES = 32 << 20 }; // of rows on their way through attention

typedef struct joining {
    cull_run *run;
    cull_arena *arena;
    size_t l, n;
    cull_lane *const *lane;
    bool *taken; // (n)
} joining;

static float *floats(const joining *t, size_t n)
{
    return cull_arena_room(t->arena, n, sizeof(float));
}

// Room for what attending makes of the lane's rows.
static cull_status lane_room(cull_run *run, size_t l, cull_lane *lane)
{
    const joining t = { .run = run, .arena = run->worker[run->n_workers].arena };
    const cull_layer_facts *f = cull_layer_of(run->m, l);
    const size_t n = lane->n * run->m->facts->D;

    lane->r = floats(&t, n);
    lane->x = floats(&t, n);
    lane->side = f->has_side ? floats(&t, n) : NULL;
    lane->z = f->expert_width ? floats(&t, n) : lane->x;
    return lane->r && lane->x && lane->z && (!f->has_side || lane->side) ? CULL_OK
                                                                         : cull_no_memory(run->ctx);
}

static size_t most_rows(const joining *t)
{
    const double floats = cull_reserved_floats(t->run->m->facts, cull_layer_of(t->run->m, t->l));

    return (size_t)(JOINED_BYTES / (floats * sizeof(float)));
}

static bool can_join(const joining *t, const cull_lane *lane)
{
    return lane->kv && lane->kv->store && lane->n <= most_rows(t) &&
           !cull_cut_before_router(lane->cut, t->l);
}

static bool alike(const cull_lane *a, const cull_lane *b)
{
    return a->kv->store == b->kv->store && a->beyond == b->beyond;
}

// Rows of a joined lane. A matrix of a single tile is not shared out among workers: each takes its
// part of the lanes instead.
static size_t wanted_rows(const joining *t)
{
    const size_t D = t->run->m->facts->D, most = most_rows(t);
    const size_t parts = t->run->n_workers && cull_gemm_tile_rows(D) >= D ? t->run->n_workers : 1;
    size_t rows = 0;

    for (size_t i = 0; i < t->n; i++)
        rows += t->taken[i] ? 0 : t->lane[i]->n;
    rows = (rows + parts - 1) / parts;
    return rows < most ? rows : most;
}

// The lanes like `first` that are not taken yet, until there are `rows` rows; into `part`.
static size_t take_part(const joining *t, size_t first, size_t rows, cull_lane **part)
{
    size_t n = 0, have = 0;

    for (size_t i = first; i < t->n && have < rows; i++) {
        if (t->taken[i] || !alike(t->lane[first], t->lane[i]))
            continue;
        t->taken[i] = true;
        part[n++] = t->lane[i];
        have += t->lane[i]->n;
    }
    return n;
}

// ---- one lane made of some ----

static void copy_spans(const cull_kv *from, size_t first_row, size_t first_span, cull_span *to)
{
    for (size_t s = 0; s < from->n_spans; s++) {
        to[s] = from->span[s];
        to[s].row_first += first_row;
        if (to[s].parent != CULL_ROOT)
            to[s].parent += first_span;
    }
}

// What the lanes will look into is there when the joined one has been attended.
static void look_into(const cull_lane *all, size_t first, size_t D, cull_lane *lane)
{
    lane->r = all->r + first * D;
    lane->x = all->x + first * D;
    lane->z = all->z + first * D;
    lane->side = all->side ? all->side + first * D : NULL;
}

static cull_status join(const joining *t, size_t n, cull_lane *const *part, cull_lane *all)
{
    const size_t D = t->run->m->facts->D;
    cull_kv *kv = cull_arena_alloc(t->arena, 1, sizeof *kv);
    size_t rows = 0, spans = 0;

    for (size_t i = 0; i < n; i++) {
        rows += part[i]->n;
        spans += part[i]->kv->n_spans;
    }
    float *h = floats(t, rows * D);
    int32_t *pos = cull_arena_alloc(t->arena, rows, sizeof *pos);
    cull_span *span = cull_arena_alloc(t->arena, spans, sizeof *span);
    if (!kv || !h || !pos || !span)
        return cull_no_memory(t->run->ctx);

    *kv = *part[0]->kv;
    kv->n_spans = spans;
    kv->span = span;
    *all = (cull_lane){ .n = rows, .pos = pos, .kv = kv, .beyond = part[0]->beyond, .h_in = h };
    CULL_TRY(lane_room(t->run, t->l, all));
    for (size_t i = 0, row = 0, first = 0; i < n;
         row += part[i]->n, first += part[i]->kv->n_spans, i++) {
        memcpy(h + row * D, part[i]->h_in, part[i]->n * D * sizeof *h);
        memcpy(pos + row, part[i]->pos, part[i]->n * sizeof *pos);
        copy_spans(part[i]->kv, row, first, span + first);
        look_into(all, row, D, part[i]);
    }
    return CULL_OK;
}

cull_status cull_join_lanes(cull_run *run, size_t l, size_t n, cull_lane *const *lane,
                            size_t *n_joined, cull_lane **joined)
{
    cull_arena *arena = run->worker[run->n_workers].arena;
    joining t = { run, arena, l, n, lane, cull_arena_alloc(arena, n, sizeof *t.taken) };
    cull_lane **part = cull_arena_alloc(arena, n, sizeof *part);

    *n_joined = 0;
    if (!t.taken || !part)
        return cull_no_memory(run->ctx);
    for (size_t i = 0; i < n; i++) {
        t.taken[i] = !can_join(&t, lane[i]);
        if (!t.taken[i])
            continue;
        joined[(*n_joined)++] = lane[i];
        CULL_TRY(lane_room(run, l, lane[i]));
    }
    const size_t rows = wanted_rows(&t);
    for (size_t i = 0; i < n; i++) {
        if (t.taken[i])
            continue;
        const size_t n_part = take_part(&t, i, rows, part);
        cull_lane *all = n_part == 1 ? part[0] : cull_arena_alloc(arena, 1, sizeof *all);
        if (!all)
            return cull_no_memory(run->ctx);
        CULL_TRY(n_part == 1 ? lane_room(run, l, all) : join(&t, n_part, part, all));
        joined[(*n_joined)++] = all;
    }
    return CULL_OK;
}
