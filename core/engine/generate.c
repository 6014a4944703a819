// Generation keeps the K/V of all layers, and the states of those that have one instead: prompts
// share theirs as a forest, and every sequence has a tail of its own. A step feeds one token of
// each unfinished sequence of every variant through all layers, and where variants have the same
// matrix their rows meet it as one (join.h).
#include "engine/generate.h"

#include <math.h>
#include <string.h>

#include "base/call.h"
#include "base/memory.h"
#include "engine/blocks.h"
#include "engine/head.h"
#include "engine/penalty.h"
#include "engine/progress.h"
#include "engine/scan.h"
#include "engine/stop_rules.h"

typedef struct sequence { // one request of one variant
    size_t parent;        // the prompt's last segment
    size_t n_prompt;
    size_t tail;    // first K/V row of its tail
    bool crosses;   // its answer may go beyond the rope switch, which its prompt does not
    size_t n;       // ids made so far
    int32_t *ids;   // (max_new)
    uint32_t ended; // CULL_ENDED_*, 0: it goes on
    bool broken;    // the next id would be made of logits that are no numbers
} sequence;

typedef struct generating {
    cull_run *run;
    const cull_engine_options *options;
    size_t n_variants, n, n_all; // sequences of this batch; requests
    const cull_cut *const *cut;
    const cull_request *const *request; // (n_all)
    const size_t *which;                // (n) requests of the batch
    cull_answer *answer;
    cull_forest forest;
    size_t *end;
    size_t store_rows; // of a variant
    float **store;     // (L) rows of K/V, variant by variant
    size_t n_slots;    // of a variant's states
    size_t *slot;      // (n_segments + n) each prompt segment's, then each sequence's
    float **states;    // (L) states, variant by variant
    sequence *seq;     // (n_variants, n)
    size_t **window;   // (n, n_until) ids at an answer's end in which a stop string is looked for
    bool *seen;        // (V) all false between uses; NULL: nothing is penalised
    double from, to;   // the parts of the phase between which rows go through all layers
} generating;

// What a row and a sequence leave behind in all layers.
static void kept_bytes(const cull_run *run, size_t *a_row, size_t *a_sequence)
{
    *a_row = *a_sequence = 0;
    for (size_t l = 0; l < run->m->facts->L; l++) {
        *a_row += cull_layer_of(run->m, l)->kv_width * sizeof(float);
        *a_sequence += cull_layer_of(run->m, l)->state_width * sizeof(float);
    }
}

// ---- one pass of some rows through all layers ----

static cull_status through_layers(generating *g, size_t n_lanes, cull_lane *lane, cull_kv *kv)
{
    const size_t L = g->run->m->facts->L;
    const double step = (g->to - g->from) / (double)L;
    double rows = 0;

    for (size_t i = 0; i < n_lanes; i++)
        rows += (double)lane[i].n;
    for (size_t l = 0; l < L; l++) {
        cull_layer_enter(g->run, l);
        cull_pass_span(g->run, g->from + (double)l * step, g->from + (double)(l + 1) * step);
        cull_pass_visits(g->run, l, rows);
        for (size_t i = 0; i < n_lanes; i++) {
            kv[i].store = g->store[l];
            kv[i].states = g->states[l];
        }
        CULL_TRY(cull_visit_layer(g->run, l, n_lanes, lane, NULL));
        cull_layer_leave(g->run, l);
        CULL_TRY(cull_pass_tell(g->run, g->from + (double)(l + 1) * step));
    }
    return CULL_OK;
}

// A span of the first variant's as one of v's.
static void own_span(const generating *g, size_t v, cull_span *span)
{
    span->kv_first += v * g->store_rows;
    span->slot += v * g->n_slots;
}

static void fill_lane(const generating *g, size_t i, size_t v, size_t n, const int32_t *pos,
                      const cull_kv *kv, bool beyond, float *h, cull_lane *lane)
{
    lane[i] = (cull_lane){ .n = n,
                           .pos = pos,
                           .kv = kv,
                           .beyond = beyond,
                           .cut = g->cut[v],
                           .h_in = h,
                           .h_out = h,
                           .attended = i };
}

// ---- an answer's ids and its end ----

static cull_status measure_stops(generating *g, size_t i)
{
    const cull_request *r = g->request[g->which[i]];

    g->window[i] = cull_scratch(g->run->ctx, r->n_until + 1, sizeof **g->window);
    return g->window[i] ? cull_stop_windows(g->run->ctx, g->run->m, r, g->window[i]) : CULL_ENOMEM;
}

static cull_status take_token(const generating *g, size_t i, sequence *s, int32_t id)
{
    s->ids[s->n++] = id;
    return cull_stop_at(g->run->ctx, g->run->m, g->request[g->which[i]], g->window[i], s->n, s->ids,
                        &s->ended);
}

// The answer's text has no special tokens, and is cut at each stop in turn.
static cull_status finish(const generating *g, size_t v, size_t i)
{
    const cull_open_model *m = g->run->m;
    const sequence *s = g->seq + v * g->n + i;
    const cull_request *r = g->request[g->which[i]];
    cull_answer *a = g->answer + v * g->n_all + g->which[i];
    char *text;

    *a = (cull_answer){ .size = sizeof(cull_answer),
                        .ids = s->ids,
                        .n = s->n,
                        .ended = s->ended,
                        .ll = s->broken ? NAN : 0 };
    CULL_TRY(
        CULL_CALL(g->run->ctx, m->plugin, SIZE_MAX, decode,
                  m->backend->decode(g->run->ctx, m->model, s->ids, s->n, 0, &text, &a->text_len)));
    a->text_len = cull_stop_cut(r, text, a->text_len);
    text[a->text_len] = '\0';
    a->text = text;
    return CULL_OK;
}

// ---- the next id ----

typedef struct chooser {
    const generating *g;
    sequence *const *seq; // of each row
} chooser;

static size_t index_of(const generating *g, const sequence *s)
{
    return (size_t)(s - g->seq) % g->n;
}

static void bend(void *arg, size_t row, float *logits)
{
    const chooser *c = arg;
    const generating *g = c->g;
    const sequence *s = c->seq[row];
    const cull_request *r = g->request[g->which[index_of(g, s)]];
    const cull_ids before[2] = { { r->ids, r->n }, { s->ids, s->n } };

    cull_penalise((float)g->run->m->facts->repetition_penalty, 2, before, g->seen, logits);
}

// The next id of n sequences, whatever variants they are of: h (n, D).
static cull_status choose(const generating *g, size_t n, sequence *const *seq, const float *h)
{
    cull_arena *arena = g->run->worker[g->run->n_workers].arena;
    const cull_mark mark = cull_arena_mark(arena);
    int32_t *best = cull_arena_alloc(arena, n, sizeof *best);
    chooser c = { g, seq };

    if (!best)
        return cull_no_memory(g->run->ctx);
    CULL_TRY(cull_head_argmax(g->run, n, h, g->seen ? bend : NULL, &c, best));
    for (size_t row = 0; row < n; row++) {
        sequence *s = seq[row];
        s->broken = best[row] < 0;
        if (!s->broken)
            CULL_TRY(take_token(g, index_of(g, s), s, best[row]));
        else
            s->ended = CULL_ENDED_ID; // its metric fails
    }
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

// ---- prompts ----

static cull_status prefill_block(generating *g, const cull_block *b, float *const *h)
{
    cull_arena *arena = g->run->worker[g->run->n_workers].arena;
    const cull_mark mark = cull_arena_mark(arena);
    const size_t D = g->run->m->facts->D;
    cull_lane *lane = cull_arena_alloc(arena, g->n_variants, sizeof *lane);
    cull_kv *kv = cull_arena_alloc(arena, g->n_variants, sizeof *kv);
    cull_span *span = cull_arena_alloc(arena, g->n_variants * b->kv.n_spans, sizeof *span);

    if (!lane || !kv || !span)
        return cull_no_memory(g->run->ctx);
    for (size_t v = 0; v < g->n_variants; v++) {
        cull_span *own = span + v * b->kv.n_spans;
        for (size_t s = 0; s < b->kv.n_spans; s++) {
            own[s] = b->kv.span[s];
            own[s].kv_first += b->first_row;
            own[s].slot = g->slot[g->forest.tree[b->first_tree].first_segment + s];
            own_span(g, v, own + s);
        }
        kv[v] = (cull_kv){ b->kv.n_spans, own, NULL, g->n_variants * g->store_rows, NULL };
        fill_lane(g, v, v, b->n_rows, g->forest.pos + b->first_row, kv + v, b->beyond,
                  h[v] + b->first_row * D, lane);
    }
    g->from = (double)b->first_row / (double)g->forest.n_rows;
    g->to = (double)(b->first_row + b->n_rows) / (double)g->forest.n_rows;
    CULL_TRY(through_layers(g, g->n_variants, lane, kv));
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

// Every sequence's first token, from the last row of its prompt.
static cull_status first_tokens(generating *g, float *const *h)
{
    cull_arena *arena = g->run->worker[g->run->n_workers].arena;
    const cull_mark mark = cull_arena_mark(arena);
    const size_t D = g->run->m->facts->D, n = g->n_variants * g->n;
    float *last = cull_arena_alloc(arena, n * D, sizeof *last);
    sequence **seq = cull_arena_alloc(arena, n, sizeof *seq);

    if (!last || !seq)
        return cull_no_memory(g->run->ctx);
    for (size_t i = 0; i < n; i++) {
        const cull_segment *s = g->forest.segment + g->end[i % g->n];
        seq[i] = g->seq + i;
        memcpy(last + i * D, h[i / g->n] + (s->first + s->n - 1) * D, D * sizeof *last);
    }
    CULL_TRY(choose(g, n, seq, last));
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

static cull_status prefill(generating *g)
{
    cull_run *run = g->run;
    const size_t D = run->m->facts->D;
    float **h = cull_alloc(g->n_variants, sizeof *h);
    cull_status status = h ? CULL_OK : cull_no_memory(run->ctx);
    cull_block *block = NULL;
    size_t n_blocks = 0;

    if (status == CULL_OK)
        status = cull_blocks_make(
            run->ctx, cull_context_of(run->ctx)->scratch, &g->forest, 0, g->forest.n_trees,
            cull_block_rows(run->m, g->options, g->n_variants), &n_blocks, &block);
    for (size_t v = 0; status == CULL_OK && v < g->n_variants; v++) {
        h[v] = cull_alloc(g->forest.n_rows * D, sizeof **h);
        status = h[v] ? cull_embed_rows(run, g->forest.n_rows, g->forest.ids, h[v])
                      : cull_no_memory(run->ctx);
    }
    for (size_t b = 0; status == CULL_OK && b < n_blocks; b++)
        status = prefill_block(g, block + b, h);
    if (status == CULL_OK)
        status = first_tokens(g, h);
    for (size_t v = 0; h && v < g->n_variants; v++)
        cull_free(h[v]);
    cull_free(h);
    return status;
}

// ---- steps ----

// The rows of one lane of a step: the unfinished sequences of a variant on one side of the rope
// switch. Of each its newest id; of one that comes to the switch all of them, where its family's
// generate() rotates their keys anew.
typedef struct step_lane {
    size_t variant, n, n_rows;
    sequence **seq;     // (n)
    size_t *last;       // (n) the row of each one's newest id
    int32_t *ids, *pos; // (n_rows)
    cull_span *span;
    float *h; // (n_rows, D)
} step_lane;

static size_t newest(const sequence *q)
{
    return q->n_prompt + q->n - 1;
}

// Does the sequence belong into the lane on this side of the switch?
static bool goes_on(const generating *g, const sequence *q, bool beyond)
{
    const size_t limit = g->run->m->facts->rope_switch;

    return !q->ended && (limit && newest(q) + 1 > limit) == beyond;
}

// How many of its ids are fed: all at the switch, where beyond is first true of a short prompt.
static size_t rows_fed(const generating *g, const sequence *q, bool beyond)
{
    return beyond && q->crosses && newest(q) == g->run->m->facts->rope_switch ? newest(q) + 1 : 1;
}

static void list_sequence(const generating *g, sequence *q, bool beyond, step_lane *out)
{
    const size_t i = index_of(g, q);
    const cull_request *r = g->request[g->which[i]];
    const size_t pos = newest(q), rows = rows_fed(g, q, beyond);
    const bool apart = beyond && q->crosses; // a short prompt's keys are in the tail, too
    cull_span span = { q->parent, q->n_prompt, q->tail, q->n, 0, rows, 0 };

    if (apart)
        span = (cull_span){ CULL_ROOT, 0, q->tail, pos + 1, 0, rows, 0 };
    span.row_first = out->n_rows;
    span.slot = g->slot[g->forest.n_segments + i];
    own_span(g, out->variant, &span);
    for (size_t at = pos + 1 - rows; at <= pos; at++) {
        out->ids[out->n_rows] = at < q->n_prompt ? r->ids[at] : q->ids[at - q->n_prompt];
        out->pos[out->n_rows++] = (int32_t)at;
    }
    out->span[g->forest.n_segments + out->n] = span;
    out->last[out->n] = out->n_rows - 1;
    out->seq[out->n++] = q;
}

static cull_status list_step(const generating *g, size_t v, bool beyond, cull_arena *arena,
                             step_lane *out)
{
    const size_t D = g->run->m->facts->D, n_prompt_spans = g->forest.n_segments;
    size_t rows = 0;

    for (size_t i = 0; i < g->n; i++) {
        const sequence *q = g->seq + v * g->n + i;
        rows += goes_on(g, q, beyond) ? rows_fed(g, q, beyond) : 0;
    }
    *out = (step_lane){ .variant = v };
    out->seq = cull_arena_alloc(arena, g->n, sizeof *out->seq);
    out->last = cull_arena_alloc(arena, g->n, sizeof *out->last);
    out->ids = cull_arena_alloc(arena, rows + 1, sizeof *out->ids);
    out->pos = cull_arena_alloc(arena, rows + 1, sizeof *out->pos);
    out->span = cull_arena_alloc(arena, n_prompt_spans + g->n, sizeof *out->span);
    out->h = cull_arena_alloc(arena, rows * D + 1, sizeof *out->h);
    if (!out->seq || !out->last || !out->ids || !out->pos || !out->span || !out->h)
        return cull_no_memory(g->run->ctx);
    if (g->forest.n_trees)
        (void)cull_forest_spans(&g->forest, 0, g->forest.n_trees, out->span);
    for (size_t s = 0; s < n_prompt_spans; s++) {
        out->span[s].row_first = out->span[s].n_rows = 0;
        out->span[s].slot = g->slot[s];
        own_span(g, v, out->span + s);
    }
    for (size_t i = 0; i < g->n; i++) {
        sequence *q = g->seq + v * g->n + i;
        if (goes_on(g, q, beyond))
            list_sequence(g, q, beyond, out);
    }
    return CULL_OK;
}

// The next ids of all lanes, from their newest rows.
static cull_status choose_all(const generating *g, size_t n, const step_lane *step)
{
    cull_arena *arena = g->run->worker[g->run->n_workers].arena;
    const size_t D = g->run->m->facts->D, most = g->n_variants * g->n;
    float *h = cull_arena_room(arena, most * D, sizeof *h);
    sequence **seq = cull_arena_alloc(arena, most, sizeof *seq);
    size_t rows = 0;

    if (!h || !seq)
        return cull_no_memory(g->run->ctx);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < step[i].n; k++) {
            memcpy(h + rows * D, step[i].h + step[i].last[k] * D, D * sizeof *h);
            seq[rows++] = step[i].seq[k];
        }
    return choose(g, rows, seq, h);
}

static cull_status run_step(generating *g, size_t n, step_lane *step, cull_arena *arena)
{
    cull_lane *lane = cull_arena_alloc(arena, n, sizeof *lane);
    cull_kv *kv = cull_arena_alloc(arena, n, sizeof *kv);

    if (!lane || !kv)
        return cull_no_memory(g->run->ctx);
    for (size_t i = 0; i < n; i++) {
        const size_t limit = g->run->m->facts->rope_switch, n_spans = g->forest.n_segments;
        step_lane *s = step + i;
        CULL_TRY(cull_embed_rows(g->run, s->n_rows, s->ids, s->h));
        kv[i] = (cull_kv){ n_spans + s->n, s->span, NULL, g->n_variants * g->store_rows, NULL };
        fill_lane(g, i, s->variant, s->n_rows, s->pos, kv + i,
                  limit && (size_t)s->pos[s->last[0]] + 1 > limit, s->h, lane);
    }
    CULL_TRY(through_layers(g, n, lane, kv));
    return choose_all(g, n, step);
}

static cull_status step_all(generating *g, bool *more)
{
    cull_arena *arena = g->run->worker[g->run->n_workers].arena;
    const cull_mark mark = cull_arena_mark(arena);
    step_lane *step = cull_arena_alloc(arena, 2 * g->n_variants, sizeof *step);
    size_t n = 0;

    if (!step)
        return cull_no_memory(g->run->ctx);
    for (size_t v = 0; v < g->n_variants; v++)
        for (int beyond = 0; beyond < 2; beyond++) {
            CULL_TRY(list_step(g, v, beyond, arena, step + n));
            n += step[n].n != 0;
        }
    *more = n != 0;
    if (n)
        CULL_TRY(run_step(g, n, step, arena));
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

// ---- a batch of requests ----

// A sequence stands behind its prompt's last segment, so that the last of those that share it goes
// on in its slot: there are as many slots as sequences.
static cull_status make_slots(generating *g)
{
    const size_t n_segments = g->forest.n_segments, n = n_segments + g->n;
    size_t *parent = cull_scratch(g->run->ctx, n, sizeof *parent);

    g->slot = cull_scratch(g->run->ctx, n, sizeof *g->slot);
    if (!parent || !g->slot)
        return CULL_ENOMEM;
    for (size_t s = 0; s < n; s++)
        parent[s] = s < n_segments ? g->forest.segment[s].parent : g->end[s - n_segments];
    return cull_scan_slots(g->run->ctx, cull_context_of(g->run->ctx)->scratch, n, parent, true,
                           g->slot, &g->n_slots);
}

static cull_status make_sequences(generating *g)
{
    cull_run *run = g->run;
    const size_t L = run->m->facts->L;
    const size_t limit = run->m->facts->rope_switch;
    size_t rows = g->forest.n_rows;

    for (size_t i = 0; i < g->n; i++) {
        const cull_request *r = g->request[g->which[i]];
        const bool crosses =
            limit && run->m->facts->anew_at_switch && r->n <= limit && r->n + r->max_new > limit;
        for (size_t v = 0; v < g->n_variants; v++) {
            sequence *s = g->seq + v * g->n + i;
            *s = (sequence){
                .parent = g->end[i], .n_prompt = r->n, .tail = rows, .crosses = crosses
            };
            s->ids = cull_take(run->ctx, r->max_new, sizeof *s->ids);
            if (!s->ids)
                return CULL_ENOMEM;
        }
        rows += r->max_new + (crosses ? r->n : 0);
    }
    g->store_rows = rows;
    CULL_TRY(make_slots(g));
    for (size_t l = 0; l < L; l++) {
        const cull_layer_facts *facts = cull_layer_of(run->m, l);
        const size_t n_states = g->n_variants * g->n_slots;
        g->store[l] = cull_alloc(g->n_variants * rows * facts->kv_width, sizeof(float));
        g->states[l] = cull_alloc(n_states * facts->state_width, sizeof(float));
        if (!g->store[l] || !g->states[l])
            return cull_no_memory(run->ctx);
    }
    return CULL_OK;
}

static size_t longest_answer(const generating *g)
{
    size_t most = 1;

    for (size_t i = 0; i < g->n; i++)
        if (g->request[g->which[i]]->max_new > most)
            most = g->request[g->which[i]]->max_new;
    return most;
}

static cull_status make_seen(generating *g)
{
    const cull_model_facts *facts = g->run->m->facts;

    if (facts->repetition_penalty == 0 || facts->repetition_penalty == 1)
        return CULL_OK;
    g->seen = cull_scratch(g->run->ctx, facts->V, sizeof *g->seen);
    return g->seen ? CULL_OK : CULL_ENOMEM;
}

static cull_status answer_batch(generating *g)
{
    cull_ctx *ctx = g->run->ctx;
    cull_ids *prompt = cull_scratch(ctx, g->n, sizeof *prompt);
    bool more = true;

    g->end = cull_scratch(ctx, g->n, sizeof *g->end);
    g->seq = cull_scratch(ctx, g->n_variants * g->n, sizeof *g->seq);
    g->window = cull_scratch(ctx, g->n, sizeof *g->window);
    if (!prompt || !g->end || !g->seq || !g->window)
        return CULL_ENOMEM;
    CULL_TRY(make_seen(g));
    for (size_t i = 0; i < g->n; i++) {
        prompt[i] = (cull_ids){ g->request[g->which[i]]->ids, g->request[g->which[i]]->n };
        CULL_TRY(measure_stops(g, i));
    }
    CULL_TRY(cull_forest_build(ctx, g->n, prompt, true, g->run->m->facts->rope_switch, &g->forest,
                               g->end));
    CULL_TRY(make_sequences(g));
    cull_pass_begin(g->run, "reading prompts:", g->forest.n_rows);
    CULL_TRY(prefill(g));
    cull_pass_end(g->run);
    cull_pass_begin(g->run, "generating", longest_answer(g));
    for (size_t step = 0; more; step++) {
        g->from = (double)step / (double)longest_answer(g);
        g->to = (double)(step + 1) / (double)longest_answer(g);
        CULL_TRY(step_all(g, &more));
    }
    cull_pass_end(g->run);
    for (size_t v = 0; v < g->n_variants; v++)
        for (size_t i = 0; i < g->n; i++)
            CULL_TRY(finish(g, v, i));
    return CULL_OK;
}

static cull_status run_batch(generating *g)
{
    const size_t L = g->run->m->facts->L;
    cull_status status;

    g->store = cull_alloc(2 * L + 1, sizeof *g->store);
    if (!g->store)
        return cull_no_memory(g->run->ctx);
    g->states = g->store + L;
    status = answer_batch(g);
    for (size_t s = 0; s < 2 * L; s++)
        cull_free(g->store[s]);
    cull_free(g->store);
    return status;
}

static cull_status check_generate(cull_ctx *ctx, const cull_request *r, size_t i)
{
    if (r->n == 0 || r->max_new == 0)
        return cull_fail(ctx, CULL_EPLUGIN, "request %zu generates %zu ids from %zu", i, r->max_new,
                         r->n);
    return CULL_OK;
}

// As many of the requests from *first on as fit half of the limit, at least one; *first is then
// the one after them.
static cull_status fill_batch(generating *g, size_t *which, size_t *first)
{
    const uint64_t variants = g->n_variants ? g->n_variants : 1;
    const uint64_t room = cull_memory_limit(g->run->m, g->options) / 2 / variants;
    const size_t twice = g->run->m->facts->anew_at_switch ? 2 : 1; // may a prompt be kept twice?
    size_t row_bytes, sequence_bytes;
    uint64_t bytes = 0;

    kept_bytes(g->run, &row_bytes, &sequence_bytes);
    for (; *first < g->n_all; ++*first) {
        const cull_request *r = g->request[*first];
        if (r->kind != CULL_GENERATE)
            continue;
        CULL_TRY(check_generate(g->run->ctx, r, *first));
        const uint64_t more = (twice * r->n + r->max_new) * row_bytes + sequence_bytes;
        if (g->n && bytes + more > room)
            break;
        bytes += more;
        which[g->n++] = *first;
    }
    return CULL_OK;
}

cull_status cull_generate(cull_run *run, const cull_engine_options *options, size_t n_variants,
                          const cull_cut *const *cuts, size_t n,
                          const cull_request *const *requests, cull_answer *answers)
{
    size_t *which = cull_scratch(run->ctx, n + 1, sizeof *which);
    cull_status status = which ? CULL_OK : CULL_ENOMEM;

    for (size_t first = 0; status == CULL_OK && first < n;) {
        generating g = { .run = run,
                         .options = options,
                         .n_variants = n_variants,
                         .n_all = n,
                         .cut = cuts,
                         .request = requests,
                         .which = which,
                         .answer = answers };
        status = fill_batch(&g, which, &first);
        if (status == CULL_OK && g.n)
            status = run_batch(&g);
    }
    return status;
}
