// A rank's slices of calibrations, and what of them meets on rank 0.
#include "flow/ranks/share_calibration.h"

#include <string.h>

#include "base/memory.h"
#include "engine/slices.h"
#include "flow/apply.h"
#include "flow/observers.h"
#include "flow/ranks/order.h"
#include "flow/ranks/share_selection.h"

typedef struct shared { // one calibration, as this rank takes part in it
    const char *folder; // for cuts
    cull_parts parts;   // of the last meeting
    cull_sequences rows;
    cull_calibration how; // as this rank makes it
    cull_decide_fn decide;
    void *decide_arg;
    cull_stage_result cut, deciding; // on other ranks: as rank 0 has them
    cull_selecting selecting;        // on other ranks
} shared;

// ---- which rows ----

// The owner of each slice: half of a rank's tokens before the middle of its share, half behind. The
// first slice is rank 0's.
static void share_slices(const uint64_t *tokens, size_t n_ranks, size_t owner[CULL_SLICES])
{
    uint64_t all = 0, before = 0;

    for (size_t s = 0; s < CULL_SLICES; s++)
        all += tokens[s];
    for (size_t s = 0; s < CULL_SLICES; s++) {
        const uint64_t middle = 2 * before + tokens[s];
        owner[s] = s == 0 || all == 0 ? 0 : (size_t)(middle * n_ranks / (2 * all));
        owner[s] = owner[s] < n_ranks ? owner[s] : n_ranks - 1;
        before += tokens[s];
    }
}

static void own_slices(const size_t owner[CULL_SLICES], size_t rank, cull_calibration *how)
{
    size_t first = 0, end;

    while (first < CULL_SLICES && owner[first] != rank)
        first++;
    for (end = first; end < CULL_SLICES && owner[end] == rank;)
        end++;
    how->first_slice = first;
    how->end_slice = end;
}

// The sequences of this rank's slices, in their order.
static cull_status take_own(cull_ctx *ctx, const cull_prepared_model *prepared, shared *s)
{
    const cull_sequences *all = s->how.rows;
    const cull_ranks *ranks = cull_context_of(ctx)->ranks;
    uint64_t tokens[CULL_SLICES] = { 0 };
    size_t owner[CULL_SLICES], n = 0;
    uint8_t *slice = cull_take(ctx, all->n + 1, 1);
    uint32_t *ordinal = cull_take(ctx, all->n + 1, sizeof *ordinal);
    cull_sequence *at = cull_take(ctx, all->n + 1, sizeof *at);

    if (!slice || !ordinal || !at)
        return CULL_ENOMEM;
    CULL_TRY(cull_calibration_slices(ctx, &prepared->opened, all, slice));
    for (size_t i = 0; i < all->n; i++)
        tokens[slice[i]] += all->at[i].n;
    share_slices(tokens, cull_ranks_size(ranks), owner);
    own_slices(owner, cull_ranks_rank(ranks), &s->how);
    for (size_t i = 0; i < all->n; i++) {
        if (owner[slice[i]] != cull_ranks_rank(ranks))
            continue;
        at[n] = all->at[i];
        ordinal[n] = (uint32_t)i;
        slice[n++] = slice[i];
    }
    s->rows = (cull_sequences){ sizeof s->rows, n, at };
    s->how.n_all = all->n;
    s->how.rows = &s->rows;
    s->how.slice = slice;
    s->how.ordinal = ordinal;
    return CULL_OK;
}

// ---- meetings of the pass ----

static cull_status share(void *arg, cull_ctx *ctx, size_t to, size_t n, const double *own,
                         size_t *n_parts, const double *const **part)
{
    shared *s = arg;

    cull_parts_release(&s->parts);
    CULL_TRY(cull_ranks_collect(ctx, to, n * sizeof *own, own, &s->parts));
    *n_parts = s->parts.n;
    *part = (const double *const *)s->parts.part;
    return CULL_OK;
}

static cull_status least(void *arg, cull_ctx *ctx, size_t *x)
{
    (void)arg;
    return cull_ranks_least(ctx, x);
}

static cull_status tell(void *arg, cull_ctx *ctx, size_t n, void *x)
{
    (void)arg;
    return cull_ranks_copy(ctx, n, x);
}

// Rank 0 decides, and asks the others for their part where decisions are shared out.
static cull_status decide_together(shared *s, cull_ctx *ctx, size_t l, const cull_stats *stats,
                                   cull_cut *cut)
{
    if (s->decide)
        CULL_TRY(s->decide(s->decide_arg, ctx, l, stats, cut));
    if (!s->how.n_deciders)
        return CULL_OK;
    return s->decide ? cull_select_no_more(ctx) : cull_serve_selections(ctx, &s->selecting, stats);
}

// Where the pass goes on with the layer as it was decided, all ranks do.
static cull_status decide(void *arg, cull_ctx *ctx, size_t l, const cull_stats *stats,
                          cull_cut *cut)
{
    shared *s = arg;
    const size_t before = cut ? cut->n_overlays : 0;

    CULL_TRY(decide_together(s, ctx, l, stats, cut));
    if (!s->how.propagate)
        return CULL_OK;
    cull_stage_result told = { .cut = cut };
    return cull_order_cut(ctx, s->folder, before, l, s->decide ? &told : &s->deciding);
}

static void take_part(const cull_ranks *ranks, cull_calibration *how, shared *s)
{
    how->share = share;
    how->least = least;
    how->share_arg = s;
    if (how->told) {
        how->tell = tell;
        how->n_deciders = cull_ranks_size(ranks);
        how->decider = cull_ranks_rank(ranks);
    }
    s->decide = how->decide;
    s->decide_arg = how->decide_arg;
    if (how->decide || how->propagate || how->told)
        how->decide = decide;
    how->decide_arg = s;
}

// All calibrations of the pass, when they are known; then whether all ranks are well, and what it
// cost them together.
static cull_status make_pass(cull_ctx *ctx, const cull_prepared_model *prepared,
                             const cull_engine_options *engine, size_t n, shared *s,
                             cull_cost_seen *cost)
{
    cull_calibration *how = cull_take(ctx, n + 1, sizeof *how);
    double *seen = cull_take(ctx, 4 * n + 1, sizeof *seen);
    cull_status status = how && seen ? CULL_OK : CULL_ENOMEM;

    for (size_t i = 0; i < n && status == CULL_OK; i++) {
        status = take_own(ctx, prepared, s + i);
        take_part(cull_context_of(ctx)->ranks, &s[i].how, s + i);
        how[i] = s[i].how;
    }
    if (status == CULL_OK)
        status = cull_calibrate_pass(ctx, &prepared->opened, engine, n, how, cost);
    CULL_TRY(cull_ranks_agree(ctx, status));
    for (size_t i = 0; i < n; i++) {
        const double of[] = { (double)cost[i].passes, (double)cost[i].rows,
                              (double)cost[i].weight_bytes, (double)cost[i].flops };
        memcpy(seen + 4 * i, of, sizeof of);
    }
    CULL_TRY(cull_ranks_sum(ctx, 4 * n, seen));
    for (size_t i = 0; i < n; i++)
        cost[i] = (cull_cost_seen){ (uint64_t)seen[4 * i], (uint64_t)seen[4 * i + 1],
                                    (uint64_t)seen[4 * i + 2], (uint64_t)seen[4 * i + 3] };
    return CULL_OK;
}

static void release(size_t n, shared *s)
{
    for (size_t i = 0; s && i < n; i++) {
        cull_parts_release(&s[i].parts);
        cull_stage_result_release(&s[i].cut);
        cull_stage_result_release(&s[i].deciding);
        cull_selecting_release(&s[i].selecting);
    }
    cull_free(s);
}

// ---- what is ordered of each ----

typedef struct wanted {
    cull_key set; // of its observers
    size_t calibration;
    uint64_t seed;
    size_t dense_rows, n_observers;
    uint32_t groups, told;
    bool cut, propagate, rounds;
} wanted;

static cull_status give(cull_ctx *ctx, const char *folder, const cull_shared_calibration *c)
{
    wanted w = { .set = c->set->key,
                 .calibration = c->set->calibration,
                 .seed = c->set->seed,
                 .dense_rows = c->how.dense_rows,
                 .n_observers = c->how.n_observers,
                 .groups = c->how.groups,
                 .told = c->how.told,
                 .cut = c->how.cut,
                 .propagate = c->how.decide && c->how.propagate,
                 .rounds = c->how.rounds };
    cull_stage_result cut = { .cut = (cull_cut *)(uintptr_t)c->how.cut };
    cull_stage_result deciding = { .cut = c->how.deciding };

    CULL_TRY(cull_ranks_copy(ctx, sizeof w, &w));
    if (w.n_observers > 0)
        CULL_TRY(cull_ranks_copy(ctx, w.n_observers * sizeof *c->observer,
                                 (void *)(uintptr_t)c->observer));
    if (w.cut)
        CULL_TRY(cull_order_cut(ctx, folder, 0, CULL_ALL_LAYERS, &cut));
    return w.propagate ? cull_order_cut(ctx, folder, 0, CULL_ALL_LAYERS, &deciding) : CULL_OK;
}

cull_status cull_calibrate_shared(cull_ctx *ctx, const cull_prepared_model *prepared,
                                  const cull_engine_options *engine, size_t n,
                                  const cull_shared_calibration *c, cull_cost_seen *cost)
{
    cull_order order = { .kind = CULL_ORDER_CALIBRATE, .model = c[0].set->model, .n = n };
    shared *s = cull_alloc(n, sizeof *s);

    if (!s)
        return cull_no_memory(ctx);
    cull_status status = cull_order_give(ctx, &order);
    for (size_t i = 0; i < n && status == CULL_OK; i++) {
        status = give(ctx, engine->spill, &c[i]);
        s[i].folder = engine->spill;
        s[i].how = c[i].how;
    }
    if (status == CULL_OK)
        status = make_pass(ctx, prepared, engine, n, s, cost);
    release(n, s);
    return status;
}

// ---- the other ranks ----

static const cull_calibration_set *set_of(const cull_plan *plan, const cull_key *key)
{
    for (size_t g = 0; g < plan->n_sets; g++)
        if (memcmp(&plan->set[g].key, key, sizeof *key) == 0)
            return &plan->set[g];
    return NULL;
}

static cull_status take_observers(cull_ctx *ctx, const cull_plan *plan,
                                  const cull_prepared_model *prepared, const wanted *w,
                                  cull_calibration *how)
{
    const cull_calibration_set *set = set_of(plan, &w->set);
    size_t *which = cull_take(ctx, w->n_observers + 1, sizeof *which), n = 0;
    cull_observer_use *all = NULL;

    how->observers = cull_take(ctx, w->n_observers + 1, sizeof *how->observers);
    if (!which || !how->observers)
        return CULL_ENOMEM;
    if (w->n_observers > 0) {
        CULL_TRY(cull_ranks_copy(ctx, w->n_observers * sizeof *which, which));
        if (!set)
            return cull_fail(ctx, CULL_EINVAL, "this rank does not plan what rank 0 does");
        CULL_TRY(cull_observers_make(ctx, prepared, set, &n, &all));
    }
    for (size_t i = 0; i < w->n_observers && which[i] < n; i++)
        how->observers[how->n_observers++] = all[which[i]];
    return CULL_OK;
}

static cull_status take_cut(cull_ctx *ctx, const char *folder, const cull_prepared_model *prepared,
                            cull_stage_result *result)
{
    result->cut = cull_empty_cut(ctx, prepared);
    return result->cut ? cull_order_cut(ctx, folder, 0, CULL_ALL_LAYERS, result) : CULL_ENOMEM;
}

static cull_status take(cull_ctx *ctx, const cull_plan *plan, const cull_prepared_model *prepared,
                        const char *folder, shared *s)
{
    wanted w;

    CULL_TRY(cull_ranks_copy(ctx, sizeof w, &w));
    s->folder = folder;
    const cull_calibration_set set = { .calibration = w.calibration, .seed = w.seed };
    const cull_rows *rows = cull_rows_of(prepared, &set);
    if (!rows)
        return cull_fail(ctx, CULL_EINVAL, "this rank does not plan what rank 0 does");
    s->how = (cull_calibration){ .rows = &rows->sequences,
                                 .groups = w.groups,
                                 .told = w.told,
                                 .rounds = w.rounds,
                                 .dense_rows = w.dense_rows,
                                 .propagate = w.propagate };
    CULL_TRY(take_observers(ctx, plan, prepared, &w, &s->how));
    if (w.cut)
        CULL_TRY(take_cut(ctx, folder, prepared, &s->cut));
    if (w.propagate)
        CULL_TRY(take_cut(ctx, folder, prepared, &s->deciding));
    s->how.cut = s->cut.cut;
    s->how.deciding = s->deciding.cut;
    s->selecting = (cull_selecting){ .plan = plan, .prepared = prepared, .folder = folder };
    s->how.out = cull_stats_store_new(ctx, prepared->opened.facts, prepared->layer,
                                      w.groups & ~(uint32_t)CULL_STATS_IN_VISIT);
    return s->how.out ? CULL_OK : CULL_ENOMEM;
}

cull_status cull_serve_calibrations(cull_ctx *ctx, const cull_plan *plan, const cull_inputs *inputs,
                                    const cull_engine_options *engine, size_t model, size_t n)
{
    const cull_prepared_model *prepared = &inputs->at[model];
    shared *s = cull_alloc(n, sizeof *s);
    cull_cost_seen *cost = cull_take(ctx, n + 1, sizeof *cost);
    cull_status status = s && cost ? CULL_OK : cull_no_memory(ctx);

    for (size_t i = 0; i < n && status == CULL_OK; i++)
        status = take(ctx, plan, prepared, engine->spill, &s[i]);
    if (status == CULL_OK)
        status = make_pass(ctx, prepared, engine, n, s, cost);
    for (size_t i = 0; s && i < n; i++)
        cull_stats_store_free(s[i].how.out);
    release(n, s);
    return status;
}
