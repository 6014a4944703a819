// Dispatch: every expert meets the rows of all lanes that chose it, once.
//
// Pass 1 lists each group's source rows: a group is an expert as the base model has it, or as one
// lane's cut overlays it; lanes with a common attend name a row once. Pass 2 runs groups in waves
// that fit the buffer: blocks of rows in parallel, each gathered and multiplied by itself, or,
// where experts are few and large, one by one with all threads; then a hooks sees the wave, whose
// overlays are all that need be resident. Pass 3 adds the wave's outputs to the lanes, row by row
// in order of experts, so that sums do not depend on threads.
#include <stdlib.h>
#include <string.h>

#include "base/call.h"
#include "cut/cut.h"
#include "engine/progress.h"
#include "engine/visit.h"
#include "math/gemm.h"
#include "math/rows.h"

enum {
    WAVE_BYTES = 64 << 20,   // of a wave's outputs, at most
    CACHED_BYTES = 16 << 20, // and where that is enough to share out
    GROUPS_A_WORKER = 4,
    COMBINE_ROWS = 128,
    ITEM_BYTES = 16 << 20,
    LEAST_ITEM_ROWS = 512,
};

typedef struct source { // a row of x
    uint32_t lane, row;
} source;

typedef struct group {
    size_t e;
    const cull_cut *cut; // whose overlays apply; NULL: base
    size_t first, n;     // of the sources
    size_t overlay;      // bytes of what the cut lays over the expert
    size_t wave_row;     // where its outputs begin in the wave's buffer
} group;

typedef struct item { // a block of a group's rows
    size_t group, first, n;
} item;

typedef struct dispatch {
    cull_run *run;
    size_t l, n_lanes, K, E, D, F;
    uint64_t expert_params;
    cull_lane *const *lane;
    const cull_layer_hooks *hooks;
    float *norm;
    cull_arena *arena;
    size_t n_groups;
    group *group;
    size_t *group_of; // (n_lanes, E)
    source *source;
    float *gate;     // (sources) the gate of each, when hooks look on
    float *scale;    // (sources) what multiplies each, where gates act on inputs; else NULL
    size_t *slot_of; // (sources) row·K + k in lane 0, likewise
    uint32_t **twin; // [lane] → (n, E) the source already listed for a shared row, or NULL
    float *y, *u;    // the wave's outputs; inputs of down, where a hooks wants them
    item *item;
    bool many_overlays;
} dispatch;

static const cull_part expert_parts[] = { CULL_PART_GATE, CULL_PART_UP, CULL_PART_DOWN };
enum { N_EXPERT_PARTS = 3 };

static bool overlays_expert(const cull_cut *cut, size_t l, size_t e)
{
    for (size_t i = 0; cut && i < N_EXPERT_PARTS; i++)
        if (cull_cut_first(cut, cull_at_expert(l, expert_parts[i], e)) != SIZE_MAX)
            return true;
    return false;
}

static size_t overlay_bytes(const cull_cut *cut, size_t l, size_t e)
{
    size_t bytes = 0;

    for (size_t i = 0; i < N_EXPERT_PARTS; i++)
        for (size_t j = cull_cut_first(cut, cull_at_expert(l, expert_parts[i], e)); j != SIZE_MAX;
             j = cull_cut_next(cut, j))
            bytes += cull_overlay_bytes(cut->overlay[j].kind, cut->overlay[j].rows,
                                        cut->overlay[j].cols);
    return bytes;
}

// Each base expert, and behind it a group for every lane that overlays it: a lane's groups stand in
// the order of its experts, whose outputs are thus added in the same order however waves fall.
static cull_status make_groups(dispatch *t)
{
    const size_t room = t->E * (t->n_lanes + 1);

    t->group = cull_arena_alloc(t->arena, room, sizeof *t->group);
    t->group_of = cull_arena_alloc(t->arena, t->n_lanes * t->E, sizeof *t->group_of);
    if (!t->group || !t->group_of)
        return cull_no_memory(t->run->ctx);
    for (size_t e = 0; e < t->E; e++) {
        const size_t base = t->n_groups++;
        t->group[base] = (group){ .e = e };
        for (size_t i = 0; i < t->n_lanes; i++) {
            const cull_cut *cut = t->lane[i]->cut;
            t->group_of[i * t->E + e] = base;
            if (!overlays_expert(cut, t->l, e))
                continue;
            t->group_of[i * t->E + e] = t->n_groups;
            t->group[t->n_groups++] =
                (group){ .e = e, .cut = cut, .overlay = overlay_bytes(cut, t->l, e) };
        }
    }
    return CULL_OK;
}

// Tables for lanes that share an attend with another: which source a (row, expert) already is.
// Where gates act on inputs a row is another one for each gate.
static cull_status make_twins(dispatch *t)
{
    t->twin = cull_arena_alloc(t->arena, t->n_lanes, sizeof *t->twin);
    if (!t->twin)
        return cull_no_memory(t->run->ctx);
    for (size_t i = 0; i < t->n_lanes && !t->lane[i]->slot_scale; i++) {
        for (size_t j = 0; j < i && !t->twin[i]; j++) {
            if (t->lane[j]->x != t->lane[i]->x)
                continue;
            if (!t->twin[j])
                t->twin[j] = cull_arena_alloc(t->arena, t->lane[i]->n * t->E, sizeof **t->twin);
            if (!t->twin[j])
                return cull_no_memory(t->run->ctx);
            t->twin[i] = t->twin[j];
        }
    }
    return CULL_OK;
}

// Visit all (lane, row, slot); count (fill = false) or list (fill = true) the groups' sources.
static void walk(dispatch *t, bool fill)
{
    for (size_t i = 0; i < t->n_lanes; i++) {
        const cull_lane *lane = t->lane[i];
        for (size_t s = 0; s < lane->n * t->K; s++) {
            const uint32_t e = lane->slot[s];
            if (e == CULL_NONE)
                continue;
            group *g = t->group + t->group_of[i * t->E + e];
            uint32_t *twin = t->twin[i] && !g->cut ? t->twin[i] + s / t->K * t->E + e : NULL;
            if (twin && *twin) { // listed by an earlier lane, as twin − 1 within its group
                lane->slot_row[s] = *twin - 1;
                continue;
            }
            if (twin)
                *twin = (uint32_t)g->n + 1;
            if (fill) {
                t->source[g->first + g->n] = (source){ (uint32_t)i, (uint32_t)(s / t->K) };
                lane->slot_row[s] = g->n;
                if (t->scale)
                    t->scale[g->first + g->n] = lane->slot_scale[s];
                if (t->gate) {
                    t->gate[g->first + g->n] = lane->slot_gate[s];
                    t->slot_of[g->first + g->n] = s;
                }
            }
            g->n++;
        }
    }
}

static void clear_twins(dispatch *t)
{
    for (size_t i = 0; i < t->n_lanes; i++)
        if (t->twin[i])
            memset(t->twin[i], 0, t->lane[i]->n * t->E * sizeof **t->twin);
}

static bool shows_experts(const dispatch *t)
{
    return t->hooks && t->hooks->experts;
}

static bool wants_inner(const dispatch *t)
{
    return shows_experts(t) && t->hooks->want_inner;
}

static cull_status list_sources(dispatch *t)
{
    size_t total = 0;

    walk(t, false);
    for (size_t g = 0; g < t->n_groups; g++) {
        t->group[g].first = total;
        total += t->group[g].n;
        t->group[g].n = 0;
    }
    t->source = cull_arena_room(t->arena, total, sizeof *t->source);
    if (t->lane[0]->slot_scale) {
        t->scale = cull_arena_alloc(t->arena, total, sizeof *t->scale);
        if (!t->scale)
            return cull_no_memory(t->run->ctx);
    }
    if (shows_experts(t)) {
        t->gate = cull_arena_alloc(t->arena, total, sizeof *t->gate);
        t->slot_of = cull_arena_alloc(t->arena, total, sizeof *t->slot_of);
    }
    if (!t->source || (shows_experts(t) && (!t->gate || !t->slot_of)))
        return cull_no_memory(t->run->ctx);
    clear_twins(t);
    walk(t, true);
    return CULL_OK;
}

static cull_status run_item(void *arg, size_t i, size_t worker)
{
    const dispatch *t = arg;
    const item *it = t->item + i;
    const group *g = t->group + it->group;
    cull_piece piece = cull_piece_of(t->run, worker);
    cull_arena *arena = cull_piece_arena(&piece);
    const cull_mark mark = cull_arena_mark(arena);
    float *x = cull_arena_room(arena, it->n * t->D, sizeof *x);
    float *y = t->y + (g->wave_row + it->first) * t->D;
    cull_input_hooks inputs = { .down = t->u ? t->u + (g->wave_row + it->first) * t->F : NULL };

    if (!x)
        return cull_no_memory(t->run->ctx);
    for (size_t r = 0; r < it->n; r++) {
        const source s = t->source[g->first + it->first + r];
        memcpy(x + r * t->D, t->lane[s.lane]->z + s.row * t->D, t->D * sizeof *x);
        if (t->scale)
            cull_row_scale(t->D, x + r * t->D, t->scale[g->first + it->first + r]);
    }
    piece.cut = g->cut;
    piece.layer = t->l;
    piece.pass.core = &piece;
    piece.inputs = t->u ? &inputs : NULL;
    CULL_TRY(cull_while(t->run->ctx,
                        CULL_CALL(t->run->ctx, t->run->m->plugin, t->l, expert,
                                  t->run->m->backend->expert(&piece.pass, t->run->m->model, t->l,
                                                             g->e, it->n, x, y)),
                        "computing expert %zu of layer %zu", g->e, t->l));
    cull_pass_moved(t->run, worker, it->n, t->expert_params);
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

typedef struct combining {
    const dispatch *t;
    size_t first_group, end_group;
    size_t blocks; // of the longest lane
} combining;

static cull_status combine_rows(void *arg, size_t i, size_t worker)
{
    const combining *c = arg;
    const dispatch *t = c->t;
    const size_t lane_index = i / c->blocks, first = i % c->blocks * COMBINE_ROWS;
    const cull_lane *lane = t->lane[lane_index];
    const size_t end = first + COMBINE_ROWS < lane->n ? first + COMBINE_ROWS : lane->n;

    (void)worker;
    for (size_t s = first * t->K; s < end * t->K; s++) {
        if (lane->slot[s] == CULL_NONE)
            continue;
        const size_t g = t->group_of[lane_index * t->E + lane->slot[s]];
        if (g < c->first_group || g >= c->end_group)
            continue;
        const float *y = t->y + (t->group[g].wave_row + lane->slot_row[s]) * t->D;
        float *moe = lane->h_out + s / t->K * t->D;
        cull_row_add(t->D, moe, lane->slot_gate[s], y);
    }
    return CULL_OK;
}

static cull_status combine(const dispatch *t, size_t first_group, size_t end_group)
{
    combining c = { t, first_group, end_group, 0 };

    for (size_t i = 0; i < t->n_lanes; i++) {
        const size_t blocks = (t->lane[i]->n + COMBINE_ROWS - 1) / COMBINE_ROWS;
        c.blocks = blocks > c.blocks ? blocks : c.blocks;
    }
    return cull_run_each(t->run, t->n_lanes * c.blocks, combine_rows, &c);
}

// Rows of an item at most: each unpacks its expert's weights, and has scratch of its own.
static size_t most_rows(const dispatch *t)
{
    const size_t rows = ITEM_BYTES / ((t->D + 3 * t->F) * sizeof(float));

    return rows > LEAST_ITEM_ROWS ? rows : LEAST_ITEM_ROWS;
}

static size_t items_of(const dispatch *t, size_t first, size_t end)
{
    const size_t most = most_rows(t);
    size_t n = 0;

    for (size_t g = first; g < end; g++)
        n += (t->group[g].n + most - 1) / most;
    return n;
}

static size_t tiles_of(size_t n, size_t K)
{
    const size_t rows = cull_gemm_tile_rows(K);

    return (n + rows - 1) / rows;
}

// Are items run one by one, each with all threads? At the end of a wave of items threads wait for
// half an item, at the end of each of an item's three products for half a tile: few large experts
// are better shared out by tiles.
static bool one_by_one(const dispatch *t, size_t n_items)
{
    const size_t tiles = 2 * tiles_of(t->F, t->D) + tiles_of(t->D, t->F);

    return !t->run->pool || n_items < t->run->n_workers || 3 * n_items <= tiles;
}

static int by_size(const void *a, const void *b)
{
    const item *x = a, *y = b;

    if (x->n != y->n)
        return x->n < y->n ? 1 : -1;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

// A group's rows in equal parts. The largest items first, so that the last ones end together.
static size_t cut_items(dispatch *t, size_t first, size_t end, size_t most)
{
    size_t rows = 0, n = 0;

    for (size_t g = first; g < end; g++) {
        const size_t all = t->group[g].n, parts = (all + most - 1) / most;
        t->group[g].wave_row = rows;
        rows += all;
        for (size_t i = 0; i < parts; i++) {
            const size_t from = all * i / parts;
            t->item[n++] = (item){ g, from, all * (i + 1) / parts - from };
        }
    }
    qsort(t->item, n, sizeof *t->item, by_size);
    return n;
}

static cull_status show_wave(const dispatch *t, size_t first, size_t end)
{
    cull_expert_wave *wave = cull_arena_alloc(t->arena, end - first, sizeof *wave);
    size_t n = 0;

    if (!wave)
        return cull_no_memory(t->run->ctx);
    for (size_t i = first; i < end; i++) {
        const group *g = t->group + i;
        if (g->n)
            wave[n++] = (cull_expert_wave){ g->e,
                                            g->n,
                                            t->gate + g->first,
                                            t->scale ? t->scale + g->first : NULL,
                                            t->slot_of + g->first,
                                            t->y + g->wave_row * t->D,
                                            t->u ? t->u + g->wave_row * t->F : NULL };
    }
    return t->hooks->experts(t->hooks->arg, t->run, t->lane[0], n, wave, t->norm);
}

// Where a layer's overlays are more than a wave may hold, each wave lets its own go.
static void leave_overlays(const dispatch *t, size_t first, size_t end)
{
    for (size_t g = first; g < end; g++)
        for (size_t i = 0; t->group[g].cut && i < N_EXPERT_PARTS; i++)
            cull_cut_leave_matrix(t->group[g].cut,
                                  cull_at_expert(t->l, expert_parts[i], t->group[g].e));
}

static cull_status run_wave(dispatch *t, size_t first, size_t end, size_t rows, size_t room)
{
    const cull_mark mark = cull_arena_mark(t->arena);

    t->y = cull_arena_room(t->arena, room * t->D, sizeof *t->y);
    t->u = wants_inner(t) ? cull_arena_room(t->arena, room * t->F, sizeof *t->u) : NULL;
    t->item = cull_arena_alloc(t->arena, rows / most_rows(t) + (end - first), sizeof *t->item);
    if (!t->y || !t->item || (wants_inner(t) && !t->u))
        return cull_no_memory(t->run->ctx);
    const bool in_turn = one_by_one(t, items_of(t, first, end));
    const size_t most = most_rows(t) * (in_turn && t->run->pool ? t->run->n_workers : 1);
    const size_t n = cut_items(t, first, end, most);
    CULL_TRY((in_turn ? cull_run_in_turn : cull_run_each)(t->run, n, run_item, t));
    CULL_TRY(cull_pass_goes_on(t->run));
    if (shows_experts(t))
        CULL_TRY(show_wave(t, first, end));
    CULL_TRY(combine(t, first, end));
    if (t->many_overlays)
        leave_overlays(t, first, end);
    cull_arena_rewind(t->arena, mark);
    return CULL_OK;
}

size_t cull_wave_overlay_bytes(size_t n_workers)
{
    return ((n_workers ? n_workers : 1) + 1) * ((size_t)64 << 20);
}

static size_t output_bytes(const dispatch *t) // of a row
{
    return (t->D + (wants_inner(t) ? t->F : 0)) * sizeof(float);
}

// Few enough that outputs are still near the processor when they are added up; but enough for every
// worker to have several groups.
static size_t wave_rows(const dispatch *t, size_t all)
{
    const size_t most = WAVE_BYTES / output_bytes(t), usual = CACHED_BYTES / output_bytes(t);
    const size_t shared = GROUPS_A_WORKER * (t->run->n_workers + 1) * all / t->n_groups;
    const size_t rows = shared > usual ? shared : usual;

    return rows < most ? rows : most;
}

static cull_status run_waves(dispatch *t)
{
    const size_t overlays = cull_wave_overlay_bytes(t->run->n_workers);
    size_t all = 0, laid = 0;

    for (size_t g = 0; g < t->n_groups; g++) {
        all += t->group[g].n;
        laid += t->group[g].overlay;
    }
    t->many_overlays = laid > overlays;
    const size_t most = wave_rows(t, all);
    size_t room = WAVE_BYTES / output_bytes(t);
    // All waves of all layers ask for as much, and those of a group that is larger for a multiple,
    // or each larger one would leave the last one's memory unused; what is not written takes none.
    for (size_t g = 0; g < t->n_groups;) {
        size_t end = g, rows = 0, bytes = 0;
        while (end < t->n_groups && (end == g || (rows + t->group[end].n <= most &&
                                                  bytes + t->group[end].overlay <= overlays))) {
            rows += t->group[end].n;
            bytes += t->group[end++].overlay;
        }
        while (room < rows)
            room = room ? 2 * room : rows;
        if (rows)
            CULL_TRY(run_wave(t, g, end, rows, room));
        g = end;
    }
    return CULL_OK;
}

cull_status cull_dispatch(cull_run *run, size_t l, size_t n_lanes, cull_lane *const *lane,
                          const cull_layer_hooks *hooks, float *norm)
{
    const cull_layer_facts *f = cull_layer_of(run->m, l);
    dispatch t = { .run = run,
                   .l = l,
                   .n_lanes = n_lanes,
                   .K = f->K,
                   .E = f->E,
                   .D = run->m->facts->D,
                   .F = f->F,
                   .expert_params = f->expert_params,
                   .lane = lane,
                   .hooks = hooks,
                   .norm = norm,
                   .arena = run->worker[run->n_workers].arena };

    CULL_TRY(make_groups(&t));
    CULL_TRY(make_twins(&t));
    CULL_TRY(list_sources(&t));
    return run_waves(&t);
}
