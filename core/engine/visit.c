// One layer's visit: attend, route, observe, decide, experts, after.
#include "engine/visit.h"

#include <string.h>

#include "base/call.h"
#include "engine/join.h"
#include "engine/memory.h"
#include "engine/progress.h"
#include "math/rows.h"

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

// ---- steps of a lane ----

// A lane's part of a visit's step: its rows through a piece, whose scratch is given back after it.
typedef cull_status (*lane_step)(cull_piece *piece, size_t l, cull_lane *lane);

typedef struct stepping {
    cull_run *run;
    size_t l;
    cull_lane *const *lane;
    const cull_layer_hooks *hooks;
    lane_step step;
} stepping;

static cull_status step_lane(void *arg, size_t i, size_t worker)
{
    const stepping *t = arg;
    cull_lane *lane = t->lane[i];
    cull_input_hooks inputs = inputs_of(t->hooks, lane);
    cull_piece piece = cull_piece_of(t->run, worker);
    cull_arena *arena = cull_piece_arena(&piece);
    const cull_mark mark = cull_arena_mark(arena);

    piece.cut = lane->cut;
    piece.kv = lane->kv;
    piece.layer = t->l;
    piece.inputs = t->hooks ? &inputs : NULL;
    piece.pass.core = &piece;
    piece.pass.beyond_switch = lane->beyond;
    CULL_TRY(t->step(&piece, t->l, lane));
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

enum { OWN_LANE_BYTES = 16 << 20 };

// Does a worker for each lane keep all of them at work, with rows that stay in its own cache? Then
// nobody waits for the others between the steps of a lane.
static bool lanes_apart(const cull_run *run, size_t l, size_t n, cull_lane *const *lane)
{
    const double floats = cull_reserved_floats(run->m->facts, cull_layer_of(run->m, l));
    const size_t workers = run->n_workers ? run->n_workers : 1;
    const size_t rounds = (n + workers - 1) / workers;

    for (size_t i = 0; i < n; i++)
        if ((double)lane[i]->n * floats * sizeof(float) > OWN_LANE_BYTES)
            return false;
    return workers > 1 && 8 * n >= 7 * rounds * workers;
}

static cull_status each_lane(cull_run *run, size_t l, size_t n, cull_lane *const *lane,
                             const cull_layer_hooks *hooks, lane_step step)
{
    stepping t = { run, l, lane, hooks, step };
    const bool apart = !hooks && n > 1 && lanes_apart(run, l, n, lane);

    return (apart ? cull_run_each : cull_run_in_turn)(run, n, step_lane, &t);
}

// ---- pass 1: what stands before the router, once for all lanes that share it ----

static cull_status attend(cull_piece *piece, size_t l, cull_lane *lane)
{
    const cull_run *run = piece->run;
    const cull_backend *b = run->m->backend;

    CULL_TRY(CULL_CALL(run->ctx, run->m->plugin, l, attend,
                       b->attend(&piece->pass, run->m->model, l, lane->n, lane->pos, lane->h_in,
                                 lane->r, lane->side, lane->x)));
    if (lane->z != lane->x)
        CULL_TRY(CULL_CALL(run->ctx, run->m->plugin, l, enter,
                           b->enter(&piece->pass, run->m->model, l, lane->n, lane->x, lane->z)));
    cull_pass_moved(piece->run, piece->worker, lane->n, cull_layer_of(run->m, l)->other_params);
    return CULL_OK;
}

// ---- pass 2: the router, under the lane's rule ----

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

static cull_status make_routed(cull_run *run, size_t l, cull_lane *lane,
                               const cull_layer_hooks *hooks)
{
    const cull_layer_facts *f = cull_layer_of(run->m, l);
    const bool want_p = hooks && hooks->want_p;
    cull_routed *r = &lane->routed;

    r->size = sizeof *r;
    r->index =
        cull_arena_alloc(run->worker[run->n_workers].arena, lane->n * f->K, sizeof *r->index);
    r->gate = floats(run, lane->n * f->K);
    r->logits = floats(run, lane->n * f->E);
    r->p = want_p ? floats(run, lane->n * f->E) : NULL;
    return r->index && r->gate && r->logits && (!want_p || r->p) ? CULL_OK
                                                                 : cull_no_memory(run->ctx);
}

static cull_status route(cull_piece *piece, size_t l, cull_lane *lane)
{
    cull_run *run = piece->run;
    const cull_layer_facts *f = cull_layer_of(run->m, l);
    const cull_layer_cut *cut = lane->cut ? lane->cut->layer + l : NULL;
    cull_rule rule = { .size = sizeof rule };

    if (cut) {
        uint8_t *allowed = cull_arena_alloc(cull_piece_arena(piece), f->E, 1);
        if (!allowed)
            return cull_no_memory(run->ctx);
        for (size_t e = 0; e < f->E; e++)
            allowed[e] = cut->action[e] != CULL_ACTION_DROP;
        rule = (cull_rule){ sizeof(cull_rule), allowed, cut->k, cut->skip_ratio, cut->top_p };
    }
    CULL_TRY(CULL_CALL(run->ctx, run->m->plugin, l, route,
                       run->m->backend->route(&piece->pass, run->m->model, l, lane->n, lane->x,
                                              &rule, &lane->routed)));
    return check_picks(run, l, lane->n * f->K, f->E, lane->routed.index);
}

// ---- pass 3: the slot table ----

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

static cull_status make_slots(cull_run *run, size_t l, cull_lane *lane)
{
    const size_t n = lane->n * cull_layer_of(run->m, l)->K;
    const bool on_input = cull_layer_of(run->m, l)->gate_on_input;
    cull_arena *arena = run->worker[run->n_workers].arena;

    lane->slot = cull_arena_room(arena, n, sizeof *lane->slot);
    lane->slot_gate = floats(run, n);
    lane->slot_scale = on_input ? floats(run, n) : NULL;
    lane->slot_row = cull_arena_room(arena, n, sizeof *lane->slot_row);
    return lane->slot && lane->slot_gate && lane->slot_row && (!on_input || lane->slot_scale)
               ? CULL_OK
               : cull_no_memory(run->ctx);
}

static cull_status resolve(cull_piece *piece, size_t l, cull_lane *lane)
{
    const cull_run *run = piece->run;
    resolving t = { lane, lane->cut ? lane->cut->layer + l : NULL, cull_layer_of(run->m, l)->K,
                    run->m->facts->D };

    return cull_piece_each(piece, (lane->n + RESOLVE_ROWS - 1) / RESOLVE_ROWS, resolve_rows, &t);
}

static cull_status route_and_resolve(cull_piece *piece, size_t l, cull_lane *lane)
{
    CULL_TRY(route(piece, l, lane));
    return resolve(piece, l, lane);
}

// ---- pass 5: what follows the experts ----

static bool is_routed(const cull_run *run, const cull_lane *lane, size_t l)
{
    return cull_layer_of(run->m, l)->E && !skips_layer(lane, l) && !skips_moe(lane, l);
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
    return CULL_CALL(
        run->ctx, run->m->plugin, l, leave,
        run->m->backend->leave(&piece.pass, run->m->model, l, lane->n, lane->sum, lane->h_out));
}

static cull_status after(cull_piece *piece, size_t l, cull_lane *lane)
{
    const cull_run *run = piece->run;
    const float *moe = is_routed(run, lane, l) ? lane->h_out : NULL;

    piece->inputs = NULL;
    return CULL_CALL(run->ctx, run->m->plugin, l, after,
                     run->m->backend->after(&piece->pass, run->m->model, l, lane->n, lane->r,
                                            lane->side, moe, lane->h_out));
}

// ---- all lanes ----

// Pass 1 for all lanes, those of few rows joined. Only when every lane has read its h_in may a
// skipped one's be copied over an h_out, which may be another's h_in.
static cull_status attend_lanes(cull_run *run, size_t l, size_t n_lanes, cull_lane *lane,
                                const cull_layer_hooks *hooks)
{
    cull_arena *arena = run->worker[run->n_workers].arena;
    cull_lane **own = cull_arena_alloc(arena, n_lanes, sizeof *own);
    cull_lane **joined = cull_arena_alloc(arena, n_lanes, sizeof *joined);
    size_t n = 0, n_joined = 0;

    if (!own || !joined)
        return cull_no_memory(run->ctx);
    for (size_t i = 0; i < n_lanes; i++)
        if (!skips_layer(lane + i, l) && lane[i].attended == i)
            own[n++] = lane + i;
    CULL_TRY(cull_join_lanes(run, l, n, own, &n_joined, joined));
    for (size_t i = 0; i < n_lanes; i++) {
        const cull_lane *same = lane + lane[i].attended;
        if (skips_layer(lane + i, l))
            continue;
        lane[i].r = same->r;
        lane[i].x = same->x;
        lane[i].z = same->z;
        lane[i].side = same->side;
    }
    CULL_TRY(each_lane(run, l, n_joined, joined, hooks, attend));
    for (size_t i = 0; i < n_lanes; i++)
        if (skips_layer(lane + i, l) && lane[i].h_out != lane[i].h_in)
            memcpy(lane[i].h_out, lane[i].h_in, lane[i].n * run->m->facts->D * sizeof(float));
    return cull_pass_goes_on(run);
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
        CULL_TRY(make_routed(run, l, lane + i, hooks));
        CULL_TRY(make_slots(run, l, lane + i));
        live[n++] = lane + i;
    }
    CULL_TRY(each_lane(run, l, n, live, hooks, route_and_resolve));
    if (hooks && hooks->experts && n == 1) {
        *norm = floats(run, live[0]->n * cull_layer_of(run->m, l)->K);
        if (!*norm)
            return CULL_ENOMEM;
    }
    return n ? cull_dispatch(run, l, n, live, hooks, *norm) : CULL_OK;
}

static cull_status finish_lanes(cull_run *run, size_t l, size_t n_lanes, cull_lane *lane,
                                const cull_layer_hooks *hooks, const float *norm)
{
    cull_lane **live = cull_arena_alloc(run->worker[run->n_workers].arena, n_lanes, sizeof *live);
    size_t n = 0;

    if (!live)
        return cull_no_memory(run->ctx);
    for (size_t i = 0; i < n_lanes; i++) {
        const bool routed = is_routed(run, lane + i, l);
        if (skips_layer(lane + i, l))
            continue;
        if (routed)
            CULL_TRY(leave(run, l, lane + i));
        if (routed && hooks && hooks->moe)
            CULL_TRY(hooks->moe(hooks->arg, run, l, lane + i, norm));
        run->cost.rows += lane[i].n;
        live[n++] = lane + i;
    }
    return each_lane(run, l, n, live, hooks, after);
}

static cull_status visit(cull_run *run, size_t l, size_t n_lanes, cull_lane *lane,
                         const cull_layer_hooks *hooks)
{
    float *norm = NULL;

    CULL_TRY(attend_lanes(run, l, n_lanes, lane, hooks));
    CULL_TRY(moe_lanes(run, l, n_lanes, lane, hooks, &norm));
    CULL_TRY(finish_lanes(run, l, n_lanes, lane, hooks, norm));
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
