// One calibration of a pass: its rows, its slices, its hidden states.
#include "engine/calibration.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "engine/deal.h"
#include "engine/progress.h"

// ---- what each row belongs to ----

// dense_rows sequences of n, evenly spread, the first included.
static bool sampled(size_t i, size_t n, size_t want)
{
    if (want == 0 || want >= n)
        return true;
    const size_t j = (i * want + n - 1) / n; // the only one that could land on i

    return j < want && j * n / want == i;
}

// Rows of sequence i's segment s: in the subsample or not, in which slice.
static void mark_rows(cull_calibrating *c, size_t i, const cull_segment *s, uint8_t slice)
{
    const cull_calibration *cal = c->cal;
    const size_t ordinal = cal->ordinal ? cal->ordinal[i] : i;
    const size_t n = cal->ordinal ? cal->n_all : cal->rows->n;

    for (size_t r = s->first; r < s->first + s->n; r++) {
        c->group[r] = (uint32_t)ordinal;
        c->chosen[r] = sampled(ordinal, n, cal->dense_rows);
        c->slice[r] = slice;
        c->sampler.N += c->chosen[r];
    }
}

cull_status cull_calibration_slices(cull_ctx *ctx, const cull_open_model *m,
                                    const cull_sequences *rows, uint8_t *slice)
{
    const size_t n = rows->n, limit = m->facts->rope_switch;
    size_t *length = cull_scratch(ctx, n, sizeof *length), *at = cull_scratch(ctx, n, sizeof *at);
    uint8_t *ordered = cull_scratch(ctx, n, 1);

    if (!length || !at || !ordered)
        return CULL_ENOMEM;
    for (size_t i = 0, put = 0; i < 2 * n; i++) { // as cull_forest_build orders them
        const bool beyond = limit && rows->at[i % n].n > limit;
        if (beyond == (i >= n))
            at[put++] = i % n;
    }
    for (size_t i = 0; i < n; i++)
        length[i] = rows->at[at[i]].n;
    cull_slices_assign(n, length, ordered);
    for (size_t i = 0; i < n; i++)
        slice[at[i]] = ordered[i];
    return CULL_OK;
}

static cull_status mark_sequences(cull_calibrating *c, const size_t *end)
{
    const size_t n = c->cal->rows->n;
    uint8_t *own = cull_scratch(c->run->ctx, n, 1);
    const uint8_t *slice = c->cal->slice ? c->cal->slice : own;

    c->chosen = cull_alloc(c->forest.n_rows, 1);
    c->group = cull_alloc(c->forest.n_rows, sizeof *c->group);
    c->slice = cull_alloc(c->forest.n_rows, 1);
    if (!c->chosen || !c->group || !c->slice || !own)
        return cull_no_memory(c->run->ctx);
    CULL_TRY(cull_calibration_slices(c->run->ctx, c->run->m, c->cal->rows, own));
    for (size_t i = 0; i < n; i++)
        mark_rows(c, i, c->forest.segment + end[i], slice[i]);
    c->sampler.g = &c->stats_pass;
    c->sampler.chosen = c->chosen;
    c->sampler.group = c->group;
    c->sampler.want = c->cal->groups & CULL_STATS_DENSE;
    return CULL_OK;
}

static cull_status hook_moe(void *arg, cull_run *run, size_t l, const cull_lane *lane,
                            const float *norm)
{
    cull_calibrating *c = arg;

    CULL_TRY(c->own.moe(c->own.arg, run, l, lane, norm));
    if (c->sampler.want)
        return cull_sampler_add(&c->sampler, lane);
    return CULL_OK;
}

static cull_status hook_after(void *arg, cull_run *run, size_t l, const cull_lane *lane)
{
    cull_calibrating *c = arg;

    if (c->own.after)
        CULL_TRY(c->own.after(c->own.arg, run, l, lane));
    if (c->sampler.want & CULL_STAT_DENSE_SAMPLE)
        cull_sampler_weigh(&c->sampler, lane);
    return CULL_OK;
}

static cull_status hook_experts(void *arg, cull_run *run, const cull_lane *lane, size_t n,
                                const cull_expert_wave *wave, float *norm)
{
    cull_calibrating *c = arg;

    return c->own.experts(c->own.arg, run, lane, n, wave, norm);
}

// The statistics' callbacks, with the subsample's around them.
static cull_status begin_layer(cull_calibrating *c, size_t l)
{
    CULL_TRY(cull_stats_pass_begin(&c->stats_pass, l, &c->own));
    c->hooks = c->own;
    c->hooks.arg = c;
    c->hooks.after = hook_after;
    if (c->stats_pass.E == 0)
        return CULL_OK;
    c->hooks.experts = hook_experts;
    c->hooks.moe = hook_moe;
    return cull_sampler_begin(&c->sampler);
}

// ---- the stream of hidden states ----

static cull_status visit_blocks(cull_calibrating *c, size_t l, const cull_cut *cut,
                                const cull_layer_hooks *hooks, const cull_states *in,
                                const cull_states *out)
{
    const size_t D = c->run->m->facts->D;

    for (size_t i = 0; i < c->n_blocks; i++) {
        const cull_block *b = c->block + i;
        cull_lane lane = { .n = b->n_rows,
                           .first_row = b->first_row,
                           .pos = c->forest.pos + b->first_row,
                           .kv = &b->kv,
                           .beyond = b->beyond,
                           .cut = cut,
                           .h_in = in->h + b->first_row * D,
                           .h_out = out->h + b->first_row * D };
        CULL_TRY(cull_visit_layer(c->run, l, 1, &lane, hooks));
        cull_states_leave(in, b->first_row, b->n_rows);
        cull_states_leave(out, b->first_row, b->n_rows);
    }
    return CULL_OK;
}

static cull_status new_states(const cull_calibrating *c, cull_states *out)
{
    return cull_states_new(c->run->ctx, c->forest.n_rows, c->run->m->facts->D, c->spill, out);
}

typedef struct pair_rows { // cosines of rows [first, first + n) with those of earlier layers
    const cull_calibrating *c;
    size_t l, first, n;
    double *cosine; // (l, n)
} pair_rows;

enum { PAIR_ROWS = 64 };

static cull_status compare_rows(void *arg, size_t item, size_t worker)
{
    const pair_rows *p = arg;
    const size_t D = p->c->h.D, items = (p->n + PAIR_ROWS - 1) / PAIR_ROWS;
    const size_t i = item / items, from = item % items * PAIR_ROWS;
    const size_t end = from + PAIR_ROWS < p->n ? from + PAIR_ROWS : p->n;
    const float *a = p->c->history[i].h + p->first * D, *b = p->c->h.h + p->first * D;

    (void)worker;
    for (size_t r = from; r < end; r++)
        p->cosine[i * p->n + r] = cull_cosine(a + r * D, b + r * D, D);
    return CULL_OK;
}

static double angle_of(double cosine)
{
    return acos(cosine > 1.0 ? 1.0 : (cosine < -1.0 ? -1.0 : cosine)) / acos(-1.0);
}

// Of each earlier layer: the sums of cosines, then those of angles.
static cull_status add_pairs(cull_calibrating *c, size_t l, size_t first, size_t n)
{
    cull_arena *arena = c->run->worker[c->run->n_workers].arena;
    const cull_mark mark = cull_arena_mark(arena);
    pair_rows p = { c, l, first, n, cull_arena_room(arena, l * n, sizeof(double)) };

    if (!p.cosine)
        return cull_no_memory(c->run->ctx);
    CULL_TRY(cull_run_each(c->run, l * ((n + PAIR_ROWS - 1) / PAIR_ROWS), compare_rows, &p));
    for (size_t r = 0; r < n; r++) {
        double *acc = cull_slice_sum_at(&c->stats_pass.pairs, c->slice[first + r]);
        if (!acc)
            return cull_no_memory(c->run->ctx);
        for (size_t i = 0; i < l; i++) {
            acc[i] += p.cosine[i * n + r];
            acc[l + i] += angle_of(p.cosine[i * n + r]);
        }
    }
    for (size_t i = 0; i < l; i++)
        cull_states_leave(&c->history[i], first, n);
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

static void finish_pairs(cull_calibrating *c, size_t l)
{
    const cull_stats *stats = cull_stats_store_view(c->stats_pass.store);
    const size_t side = c->run->m->facts->L + 1;
    const double *total = cull_slice_sum_total(&c->stats_pass.pairs);

    for (size_t i = 0; total && i < l; i++) {
        ((double *)(uintptr_t)stats->cos_sum)[i * side + l] = total[i];
        ((double *)(uintptr_t)stats->angle_sum)[i * side + l] = total[l + i];
    }
    cull_slice_sum_release(&c->stats_pass.pairs);
}

// K: the state after layer l − 1 against all earlier ones.
static cull_status add_history(cull_calibrating *c, size_t l)
{
    const size_t rows = c->forest.n_rows;

    if (!c->history)
        return CULL_OK;
    c->stats_pass.pairs = (cull_slice_sum){ .n = 2 * l,
                                            .first = c->stats_pass.first_slice,
                                            .end = c->stats_pass.end_slice };
    for (size_t first = 0; l && first < rows; first += CULL_STATES_AT_ONCE) {
        const size_t left = rows - first;
        const size_t n = left < CULL_STATES_AT_ONCE ? left : CULL_STATES_AT_ONCE;
        CULL_TRY(add_pairs(c, l, first, n));
        cull_states_leave(&c->h, first, n);
    }
    CULL_TRY(cull_stats_pass_share_pairs(&c->stats_pass));
    finish_pairs(c, l);
    if (l == c->run->m->facts->L)
        return CULL_OK;
    CULL_TRY(new_states(c, &c->history[l]));
    cull_states_copy(&c->h, &c->history[l], rows);
    return CULL_OK;
}

static cull_status keep_target(void *arg, cull_run *run, size_t l, const cull_lane *lane,
                               const float *norm)
{
    cull_calibrating *c = arg;
    const size_t D = run->m->facts->D;

    (void)l, (void)norm;
    for (size_t i = 0; i < lane->n; i++)
        if (c->chosen[lane->first_row + i])
            memcpy(c->target + c->n_target++ * D, lane->sum + i * D, D * sizeof *c->target);
    return CULL_OK;
}

// The model as it was before the deciding stage runs along, for what subsets are compared with.
static cull_status run_before(cull_calibrating *c, size_t l)
{
    const cull_layer_hooks hooks = { .arg = c, .moe = keep_target };

    c->n_target = 0;
    return c->before.h ? visit_blocks(c, l, c->cal->cut, &hooks, &c->before, &c->before) : CULL_OK;
}

// Is a layer run again as it was decided?
static bool runs_again(const cull_calibration *cal)
{
    return cal->decide && cal->propagate;
}

// The sums of all rows, wherever they were, become statistics.
static cull_status complete_layer(cull_calibrating *c)
{
    cull_stats_pass *g = &c->stats_pass;

    g->n_tokens = c->forest.n_rows;
    g->n_dense = c->sampler.N;
    CULL_TRY(cull_stats_pass_share(g));
    CULL_TRY(cull_sampler_share(&c->sampler));
    if (cull_stats_pass_completes(g)) {
        cull_stats_store_edit(c->cal->out)->tokens = g->n_tokens;
        CULL_TRY(cull_stats_pass_finish(g));
        cull_sampler_finish(&c->sampler);
    }
    CULL_TRY(cull_stats_pass_tell(g));
    return cull_stats_pass_finish_hessians(g);
}

static void let_kept_go(cull_calibrating *c)
{
    if (c->kept.N > 0)
        cull_stats_store_layer(c->cal->out, c->keeping)->dense = NULL;
    cull_dense_sample_release(&c->kept);
}

// The sample of a layer that is decided about when the round ends.
static void keep_sample(cull_calibrating *c, size_t l)
{
    const cull_calibration *cal = c->cal;
    const cull_open_model *m = c->run->m;

    if (!cal->rounds || c->stats_pass.E == 0)
        return;
    if (cull_round_ends(m, l, cal->n_deciders)) {
        let_kept_go(c);
    } else if (cull_layer_hand(m, l, cal->n_deciders) == cal->decider) {
        c->kept = c->sampler.sample;
        c->keeping = l;
        c->sampler.sample = (cull_dense_sample){ .size = sizeof c->sampler.sample };
        c->stats_pass.stats->dense = &c->kept;
    }
}

cull_status cull_calibrating_layer(cull_calibrating *c, size_t l)
{
    const cull_calibration *cal = c->cal;
    const bool again = runs_again(cal);
    const cull_cut *cut = again ? cal->deciding : cal->cut;

    cull_pass_visits(c->run, l, (double)c->forest.n_rows * (1 + again + (c->before.h != NULL)));
    CULL_TRY(run_before(c, l));
    CULL_TRY(begin_layer(c, l));
    CULL_TRY(visit_blocks(c, l, cut, &c->hooks, &c->h, again ? &c->next : &c->h));
    CULL_TRY(complete_layer(c));
    if (cal->decide) {
        CULL_TRY(cal->decide(cal->decide_arg, c->run->ctx, l,
                             cull_stats_store_view(c->stats_pass.store), cal->deciding));
        if (again)
            CULL_TRY(visit_blocks(c, l, cal->deciding, NULL, &c->h, &c->h));
    }
    cull_stats_pass_leave(&c->stats_pass);
    keep_sample(c, l);
    cull_sampler_release(&c->sampler);
    return add_history(c, l + 1);
}

// ---- from the first layer to the last ----

uint64_t cull_calibration_rows(const cull_calibration *cal)
{
    uint64_t rows = 0;

    for (size_t i = 0; i < cal->rows->n; i++)
        rows += cal->rows->at[i].n;
    return rows;
}

uint64_t cull_calibration_bytes(const cull_open_model *m, const cull_calibration *cal)
{
    return cull_calibrating_bytes(m, cull_calibration_rows(cal), cal->groups, runs_again(cal));
}

static cull_status make_forest(cull_calibrating *c, const cull_engine_options *options)
{
    cull_ctx *ctx = c->run->ctx;
    const cull_sequences *rows = c->cal->rows;
    cull_ids *seq = cull_scratch(ctx, rows->n, sizeof *seq);
    size_t *end = cull_scratch(ctx, rows->n, sizeof *end);

    if (!seq || !end)
        return CULL_ENOMEM;
    for (size_t i = 0; i < rows->n; i++) {
        if (rows->at[i].n == 0)
            return cull_fail(ctx, CULL_EINVAL, "calibration row %zu is empty", i);
        seq[i] = (cull_ids){ rows->at[i].ids, rows->at[i].n };
    }
    CULL_TRY(cull_forest_build(ctx, rows->n, seq, false, c->run->m->facts->rope_switch, &c->forest,
                               end));
    CULL_TRY(mark_sequences(c, end));
    return cull_blocks_make(ctx, cull_context_of(ctx)->scratch, &c->forest, 0, c->forest.n_trees,
                            cull_block_rows(c->run->m, options, 1), &c->n_blocks, &c->block);
}

static cull_status make_states(cull_calibrating *c)
{
    const cull_model_facts *facts = c->run->m->facts;
    const bool again = runs_again(c->cal);

    CULL_TRY(new_states(c, &c->h));
    if (again)
        CULL_TRY(new_states(c, &c->next));
    if (again && (c->cal->groups & CULL_STAT_DENSE_SAMPLE)) {
        CULL_TRY(new_states(c, &c->before));
        c->sampler.target = c->target = cull_alloc(c->sampler.N * facts->D, sizeof *c->target);
        if (!c->target)
            return cull_no_memory(c->run->ctx);
    }
    if (!(c->cal->groups & CULL_STAT_LAYER_COSINES))
        return CULL_OK;
    c->history = cull_alloc(facts->L + 1, sizeof *c->history);
    return c->history ? CULL_OK : cull_no_memory(c->run->ctx);
}

cull_status cull_calibrating_begin(cull_calibrating *c, cull_run *run, const cull_calibration *cal,
                                   const cull_engine_options *options)
{
    const uint32_t groups = cal->groups | CULL_STAT_ROUTING; // all others need the counts

    *c = (cull_calibrating){ .run = run, .cal = cal };
    if (cull_keep_states(run->m, options, cull_calibration_bytes(run->m, cal), true).spilled)
        c->spill = options->spill;
    c->stats_pass = (cull_stats_pass){ .run = run,
                                       .cal = cal,
                                       .store = cal->out,
                                       .groups = groups,
                                       .first_slice = cal->first_slice,
                                       .end_slice = cal->end_slice ? cal->end_slice : CULL_SLICES };
    CULL_TRY(cull_stats_store_require(cal->out, groups));
    CULL_TRY(make_forest(c, options));
    c->stats_pass.slice = c->slice;
    CULL_TRY(make_states(c));
    CULL_TRY(cull_embed_states(run, c->forest.n_rows, c->forest.ids, &c->h));
    if (c->before.h)
        cull_states_copy(&c->h, &c->before, c->forest.n_rows);
    return add_history(c, 0);
}

void cull_calibrating_end(cull_calibrating *c)
{
    for (size_t i = 0; c->history && i <= c->run->m->facts->L; i++)
        cull_states_free(&c->history[i]);
    cull_free(c->history);
    cull_states_free(&c->h);
    cull_states_free(&c->next);
    cull_states_free(&c->before);
    cull_free(c->target);
    cull_free(c->chosen);
    cull_free(c->group);
    cull_free(c->slice);
    cull_sampler_release(&c->sampler);
    let_kept_go(c);
    cull_stats_pass_release(&c->stats_pass);
}
