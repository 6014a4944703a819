// One layer's visit: attend, route, observe, decide, experts, after.
#include "engine/visit.h"

#include <string.h>

#include "base/call.h"
#include "math/rows.h"

bool cull_cut_before_router(const cull_cut *cut, size_t l)
{
    if (!cut)
        return false;
    if (cut->layer[l].skip_layer)
        return true;
    for (size_t i = 0; i < cut->n_overlays; i++) {
        const cull_matrix_id w = cut->overlay[i].where;
        if (w.layer == l && w.expert == CULL_NONE && w.part != CULL_PART_ROUTER)
            return true;
    }
    return false;
}

static bool skips_layer(const cull_lane *lane, size_t l)
{
    return lane->cut && lane->cut->layer[l].skip_layer;
}

static bool skips_moe(const cull_lane *lane, size_t l)
{
    return lane->cut && lane->cut->layer[l].skip_moe;
}

static float *floats(cull_run *run, size_t n)
{
    float *p = cull_arena_room(run->worker[run->n_workers].arena, n, sizeof *p);
    if (!p)
        (void)cull_no_memory(run->ctx);
    return p;
}

static cull_input_hooks inputs_of(const cull_layer_hooks *hooks, const cull_lane *lane)
{
    cull_input_hooks inputs = hooks ? hooks->inputs : (cull_input_hooks){ 0 };

    if (inputs.slice)
        inputs.slice += lane->first_row;
    return inputs;
}

// The experts' input, where it is not the router's.
static cull_status enter(cull_run *run, size_t l, cull_lane *lane, cull_piece *piece)
{
    lane->z = lane->x;
    if (!cull_layer_of(run->m, l)->expert_width)
        return CULL_OK;
    lane->z = floats(run, lane->n * run->m->facts->D);
    if (!lane->z)
        return CULL_ENOMEM;
    const cull_mark mark = cull_arena_mark(cull_piece_arena(piece));
    CULL_TRY(run->m->backend->enter(&piece->pass, run->m->model, l, lane->n, lane->x, lane->z));
    cull_arena_rewind(cull_piece_arena(piece), mark);
    return CULL_OK;
}

// Pass 1: what stands before the router, once for all lanes that share it.
static cull_status attend(cull_run *run, size_t l, cull_lane *lane, const cull_layer_hooks *hooks)
{
    const cull_backend *b = run->m->backend;
    const size_t D = run->m->facts->D;
    cull_input_hooks inputs = inputs_of(hooks, lane);
    cull_piece piece = cull_piece_outer(run);

    lane->r = floats(run, lane->n * D);
    lane->x = floats(run, lane->n * D);
    lane->side = cull_layer_of(run->m, l)->has_side ? floats(run, lane->n * D) : NULL;
    if (!lane->r || !lane->x || (cull_layer_of(run->m, l)->has_side && !lane->side))
        return CULL_ENOMEM;
    piece.cut = lane->cut;
    piece.kv = lane->kv;
    piece.layer = l;
    piece.inputs = hooks ? &inputs : NULL;
    piece.pass.core = &piece;
    piece.pass.beyond_switch = lane->beyond;

    cull_arena *arena = cull_piece_arena(&piece);
    const cull_mark mark = cull_arena_mark(arena);
    CULL_TRY(CULL_CALL(run->ctx, run->m->plugin, l, attend,
                       b->attend(&piece.pass, run->m->model, l, lane->n, lane->pos, lane->h_in,
                                 lane->r, lane->side, lane->x)));
    cull_arena_rewind(arena, mark);
    return enter(run, l, lane, &piece);
}

// What a backend picks is used as an index.
static cull_status check_picks(cull_run *run, size_t l, size_t n, size_t E, const int32_t *index)
{
    for (size_t i = 0; i < n; i++)
        if (index[i] >= 0 && (size_t)index[i] >= E)
            return cull_fail(run->ctx, CULL_EPLUGIN,
                             "backend %s: its router picks expert %d of the %zu of layer %zu",
                             run->m->plugin ? run->m->plugin->name : "", (int)index[i], E, l);
    return CULL_OK;
}

// Pass 2: the router, under the lane's rule.
static cull_status route(cull_run *run, size_t l, cull_lane *lane, const cull_layer_hooks *hooks)
{
    const cull_layer_facts *f = cull_layer_of(run->m, l);
    const cull_layer_cut *cut = lane->cut ? lane->cut->layer + l : NULL;
    cull_arena *arena = run->worker[run->n_workers].arena;
    cull_input_hooks inputs = inputs_of(hooks, lane);
    uint8_t *allowed = NULL;
    cull_rule rule = { .size = sizeof rule };

    if (cut) {
        allowed = cull_arena_alloc(arena, f->E, 1);
        if (!allowed)
            return cull_no_memory(run->ctx);
        for (size_t e = 0; e < f->E; e++)
            allowed[e] = cut->action[e] != CULL_ACTION_DROP;
        rule = (cull_rule){ sizeof(cull_rule), allowed, cut->k, cut->skip_ratio, cut->top_p };
    }
    lane->routed.size = sizeof lane->routed;
    lane->routed.index = cull_arena_alloc(arena, lane->n * f->K, sizeof(int32_t));
    lane->routed.gate = floats(run, lane->n * f->K);
    lane->routed.logits = floats(run, lane->n * f->E);
    lane->routed.p = hooks && hooks->want_p ? floats(run, lane->n * f->E) : NULL;
    if (!lane->routed.index || !lane->routed.gate || !lane->routed.logits ||
        (hooks && hooks->want_p && !lane->routed.p))
        return cull_no_memory(run->ctx);

    cull_piece piece = cull_piece_outer(run);
    piece.cut = lane->cut;
    piece.layer = l;
    piece.inputs = hooks ? &inputs : NULL;
    piece.pass.core = &piece;
    const cull_mark mark = cull_arena_mark(arena);
    CULL_TRY(CULL_CALL(run->ctx, run->m->plugin, l, route,
                       run->m->backend->route(&piece.pass, run->m->model, l, lane->n, lane->x,
                                              &rule, &lane->routed)));
    cull_arena_rewind(arena, mark);
    return check_picks(run, l, lane->n * f->K, f->E, lane->routed.index);
}

// One row's picks through the slot table: constants go straight into the output, the rest is listed
// in order of experts, two picks that the same expert serves as one. A gate that acts on the input
// is its scale: the output counts as it is, and picks stay apart.
static void resolve_row(const cull_lane *lane, const cull_layer_cut *cut, size_t i, size_t K,
                        size_t D)
{
    uint32_t *slot = lane->slot + i * K;
    float *gate = lane->slot_gate + i * K;
    float *scale = lane->slot_scale ? lane->slot_scale + i * K : NULL;
    size_t n = 0;

    for (size_t k = 0; k < K; k++)
        slot[k] = CULL_NONE;
    for (size_t k = 0; k < K; k++) {
        const int32_t e = lane->routed.index[i * K + k];
        const float routed = lane->routed.gate[i * K + k], g = scale ? 1 : routed;
        if (e < 0)
            continue;
        const unsigned action = cut ? cut->action[e] : CULL_ACTION_BASE;
        if (action == CULL_ACTION_NOVICE)
            cull_row_add(D, lane->h_out + i * D, g, cut->constant + (size_t)e * D);
        if (action != CULL_ACTION_BASE && action != CULL_ACTION_ALIAS)
            continue;
        const uint32_t by = action == CULL_ACTION_ALIAS ? cut->target[e] : (uint32_t)e;
        size_t at = 0;
        while (at < n && slot[at] < by)
            at++;
        if (at < n && slot[at] == by && !scale) {
            gate[at] += g;
            continue;
        }
        memmove(slot + at + 1, slot + at, (n - at) * sizeof *slot);
        memmove(gate + at + 1, gate + at, (n - at) * sizeof *gate);
        slot[at] = by;
        gate[at] = g;
        if (scale) {
            memmove(scale + at + 1, scale + at, (n - at) * sizeof *scale);
            scale[at] = routed;
        }
        n++;
    }
}

typedef struct resolving {
    const cull_lane *lane;
    const cull_layer_cut *cut;
    size_t K, D;
} resolving;

enum { RESOLVE_ROWS = 256 };

static cull_status resolve_rows(void *arg, size_t block, size_t worker)
{
    const resolving *t = arg;
    const size_t first = block * RESOLVE_ROWS;
    const size_t end = first + RESOLVE_ROWS < t->lane->n ? first + RESOLVE_ROWS : t->lane->n;

    (void)worker;
    memset(t->lane->h_out + first * t->D, 0, (end - first) * t->D * sizeof(float));
    for (size_t i = first; i < end; i++)
        resolve_row(t->lane, t->cut, i, t->K, t->D);
    return CULL_OK;
}

// Pass 3: the slot table.
static cull_status resolve(cull_run *run, size_t l, cull_lane *lane)
{
    const size_t K = cull_layer_of(run->m, l)->K;
    const bool on_input = cull_layer_of(run->m, l)->gate_on_input;
    cull_arena *arena = run->worker[run->n_workers].arena;
    resolving t = { lane, lane->cut ? lane->cut->layer + l : NULL, K, run->m->facts->D };

    lane->slot = cull_arena_room(arena, lane->n * K, sizeof *lane->slot);
    lane->slot_gate = floats(run, lane->n * K);
    lane->slot_scale = on_input ? floats(run, lane->n * K) : NULL;
    lane->slot_row = cull_arena_room(arena, lane->n * K, sizeof *lane->slot_row);
    if (!lane->slot || !lane->slot_gate || !lane->slot_row || (on_input && !lane->slot_scale))
        return cull_no_memory(run->ctx);
    return cull_run_each(run, (lane->n + RESOLVE_ROWS - 1) / RESOLVE_ROWS, resolve_rows, &t);
}

// Σ gate · y back into the model's space, where it is another.
static cull_status leave(cull_run *run, size_t l, cull_lane *lane)
{
    const size_t D = run->m->facts->D;
    cull_piece piece = cull_piece_outer(run);

    lane->sum = lane->h_out;
    if (!cull_layer_of(run->m, l)->expert_width)
        return CULL_OK;
    piece.cut = lane->cut;
    piece.layer = l;
    piece.pass.core = &piece;
    lane->sum = floats(run, lane->n * D);
    if (!lane->sum)
        return CULL_ENOMEM;
    memcpy(lane->sum, lane->h_out, lane->n * D * sizeof *lane->sum);
    return run->m->backend->leave(&piece.pass, run->m->model, l, lane->n, lane->sum, lane->h_out);
}

// Pass 5: what follows the experts.
static cull_status after(cull_run *run, size_t l, cull_lane *lane, bool moe)
{
    cull_piece piece = cull_piece_outer(run);

    piece.cut = lane->cut;
    piece.layer = l;
    piece.pass.core = &piece;
    return CULL_CALL(run->ctx, run->m->plugin, l, after,
                     run->m->backend->after(&piece.pass, run->m->model, l, lane->n, lane->r,
                                            lane->side, moe ? lane->h_out : NULL, lane->h_out));
}

// Pass 1 for all lanes. Only when every lane has read its h_in may a skipped one's be copied over
// an h_out, which may be another's h_in.
static cull_status attend_lanes(cull_run *run, size_t l, size_t n_lanes, cull_lane *lane,
                                const cull_layer_hooks *hooks)
{
    for (size_t i = 0; i < n_lanes; i++) {
        const cull_lane *same = lane + lane[i].attended;
        if (skips_layer(lane + i, l))
            continue;
        if (same == lane + i)
            CULL_TRY(attend(run, l, lane + i, hooks));
        lane[i].r = same->r;
        lane[i].x = same->x;
        lane[i].z = same->z;
        lane[i].side = same->side;
    }
    for (size_t i = 0; i < n_lanes; i++)
        if (skips_layer(lane + i, l) && lane[i].h_out != lane[i].h_in)
            memcpy(lane[i].h_out, lane[i].h_in, lane[i].n * run->m->facts->D * sizeof(float));
    return CULL_OK;
}

static bool is_routed(const cull_run *run, const cull_lane *lane, size_t l)
{
    return cull_layer_of(run->m, l)->E && !skips_layer(lane, l) && !skips_moe(lane, l);
}

// Passes 2 to 4 for the lanes that have them. norm: [n][K] of the only lane, where the hooks look
// at experts.
static cull_status moe_lanes(cull_run *run, size_t l, size_t n_lanes, cull_lane *lane,
                             const cull_layer_hooks *hooks, float **norm)
{
    cull_lane **live = cull_arena_alloc(run->worker[run->n_workers].arena, n_lanes, sizeof *live);
    size_t n = 0;

    if (!live)
        return cull_no_memory(run->ctx);
    for (size_t i = 0; i < n_lanes; i++) {
        if (!is_routed(run, lane + i, l))
            continue;
        CULL_TRY(route(run, l, lane + i, hooks));
        CULL_TRY(resolve(run, l, lane + i));
        live[n++] = lane + i;
    }
    if (hooks && hooks->experts && n == 1) {
        *norm = floats(run, live[0]->n * cull_layer_of(run->m, l)->K);
        if (!*norm)
            return CULL_ENOMEM;
    }
    return n ? cull_dispatch(run, l, n, live, hooks, *norm) : CULL_OK;
}

static cull_status visit(cull_run *run, size_t l, size_t n_lanes, cull_lane *lane,
                         const cull_layer_hooks *hooks)
{
    float *norm = NULL;

    CULL_TRY(attend_lanes(run, l, n_lanes, lane, hooks));
    CULL_TRY(moe_lanes(run, l, n_lanes, lane, hooks, &norm));
    for (size_t i = 0; i < n_lanes; i++) {
        const bool routed = is_routed(run, lane + i, l);
        if (skips_layer(lane + i, l))
            continue;
        if (routed)
            CULL_TRY(leave(run, l, lane + i));
        if (routed && hooks && hooks->moe)
            CULL_TRY(hooks->moe(hooks->arg, run, l, lane + i, norm));
        CULL_TRY(after(run, l, lane + i, routed));
        run->cost.rows += lane[i].n;
    }
    for (size_t i = 0; i < n_lanes && hooks && hooks->after; i++)
        CULL_TRY(hooks->after(hooks->arg, run, l, lane + i));
    return CULL_OK;
}

cull_status cull_visit_layer(cull_run *run, size_t l, size_t n_lanes, cull_lane *lane,
                             const cull_layer_hooks *hooks)
{
    cull_arena *arena = run->worker[run->n_workers].arena;
    const cull_mark mark = cull_arena_mark(arena);
    const cull_status status = visit(run, l, n_lanes, lane, hooks);

    cull_arena_rewind(arena, mark);
    return cull_while(run->ctx, status, "computing layer %zu", l);
}
