// What calibration sees of each token: how it was routed, and how far the layer turned it.
//
// What one row gives is computed by the pool; then sums are made row by row, by the pool again over
// chunks of experts.
#include <math.h>
#include <stdlib.h>

#include "base/call.h"
#include "base/memory.h"
#include "engine/observe_sums.h"

// Rows whose values are held at once, rows of an item, experts of a chunk of sums.
enum { AT_ONCE = 2048, ITEM_ROWS = 64, CHUNK = 16 };

typedef struct token_rows { // some rows of a lane
    cull_stats_pass *g;
    const cull_lane *lane;
    const float *norm;
    size_t first, n;
    double *turn;    // (n) EASY_EP: s = max(0, 1 − cos(r, r + moe))
    double *sigmoid; // (n, E) LOGIT_GRAM
} token_rows;

double cull_cosine(const float *a, const float *b, size_t n)
{
    double ab = 0.0, aa = 0.0, bb = 0.0;

    for (size_t i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return aa > 0.0 && bb > 0.0 ? ab / sqrt(aa * bb) : 0.0;
}

static double cosine_of_sum(const float *r, const float *o, size_t n)
{
    double ab = 0.0, aa = 0.0, bb = 0.0;

    for (size_t i = 0; i < n; i++) {
        const double b = (double)r[i] + (double)o[i];
        ab += (double)r[i] * b;
        aa += (double)r[i] * (double)r[i];
        bb += b * b;
    }
    return aa > 0.0 && bb > 0.0 ? ab / sqrt(aa * bb) : 0.0;
}

static size_t slice_of(const cull_stats_pass *g, const cull_lane *lane, size_t row)
{
    return g->slice[lane->first_row + row];
}

// ---- of one row ----

static cull_status weigh_rows(void *arg, size_t item, size_t worker)
{
    const token_rows *t = arg;
    const cull_stats_pass *g = t->g;
    const size_t from = item * ITEM_ROWS;
    const size_t end = from + ITEM_ROWS < t->n ? from + ITEM_ROWS : t->n;

    (void)worker;
    for (size_t i = from; i < end; i++) {
        const size_t row = t->first + i;
        if (g->groups & CULL_STAT_EASY_EP) {
            const double c =
                cosine_of_sum(t->lane->r + row * g->D, t->lane->h_out + row * g->D, g->D);
            t->turn[i] = c < 1.0 ? 1.0 - c : 0.0;
        }
        const float *z = t->lane->routed.logits + row * g->E;
        for (size_t e = 0; (g->groups & CULL_STAT_LOGIT_GRAM) && e < g->E; e++)
            t->sigmoid[i * g->E + e] = 1.0 / (1.0 + exp(-(double)z[e]));
    }
    return CULL_OK;
}

static float gate_ratio(const cull_stats_pass *g, const cull_lane *lane, size_t i)
{
    const float *gate = lane->routed.gate + i * g->K;

    return g->K > 1 && lane->routed.index[i * g->K + 1] >= 0 && gate[0] > 0.0f ? gate[1] / gate[0]
                                                                               : 0.0f;
}

cull_status cull_ratios_reserve(cull_stats_pass *g, size_t n)
{
    const size_t room = 2 * g->ratio_room + n;

    if (g->n_ratios + n <= g->ratio_room)
        return CULL_OK;
    float *more = cull_grow(g->ratio, g->ratio_room, room, sizeof *more);
    if (!more)
        return cull_no_memory(g->run->ctx);
    g->ratio = more;
    g->ratio_room = room;
    return CULL_OK;
}

static cull_status keep_ratios(cull_stats_pass *g, const cull_lane *lane)
{
    CULL_TRY(cull_ratios_reserve(g, lane->n));
    for (size_t i = 0; i < lane->n; i++)
        g->ratio[g->n_ratios++] = gate_ratio(g, lane, i);
    return CULL_OK;
}

// ---- sums by chunks of experts: prob (w), then logit and sigmoid Gram rows (w, E) each ----

static size_t chunk_width(const cull_stats_pass *g, size_t chunk)
{
    const size_t left = g->E - chunk * CHUNK;

    return left < CHUNK ? left : CHUNK;
}

static void add_chunk_row(const token_rows *t, size_t i, size_t first, size_t width, double *prob)
{
    const cull_stats_pass *g = t->g;
    const float *p = t->lane->routed.p + (t->first + i) * g->E;
    const float *z = t->lane->routed.logits + (t->first + i) * g->E;
    const double *sigmoid = t->sigmoid + i * g->E;
    double *zz = prob + width, *ss = zz + width * g->E;

    for (size_t a = 0; a < width; a++)
        prob[a] += (double)p[first + a];
    for (size_t a = 0; (g->groups & CULL_STAT_LOGIT_GRAM) && a < width; a++, zz += g->E, ss += g->E)
        for (size_t b = 0; b <= first + a; b++) {
            zz[b] += (double)z[first + a] * (double)z[b];
            ss[b] += sigmoid[first + a] * sigmoid[b];
        }
}

static cull_status add_chunk(const token_rows *t, size_t chunk)
{
    const size_t width = chunk_width(t->g, chunk);

    for (size_t i = 0; i < t->n; i++) {
        double *acc = cull_slice_sum_at(t->g->chunk + chunk, slice_of(t->g, t->lane, t->first + i));
        if (!acc)
            return cull_no_memory(t->g->run->ctx);
        add_chunk_row(t, i, chunk * CHUNK, width, acc);
    }
    return CULL_OK;
}

// ---- sums by tokens: co-activation (E, E), EASY-EP (E), p ‖p y‖ (E), then the observers' ----

static void add_coactivation(const cull_stats_pass *g, const uint32_t *slot, double *coact)
{
    for (size_t a = 0; a < g->K && slot[a] != CULL_NONE; a++)
        for (size_t b = 0; b < g->K && slot[b] != CULL_NONE; b++)
            if (a != b)
                coact[slot[a] * g->E + slot[b]] += 1.0;
}

// Each chosen expert gets s · g · ‖y‖.
static void add_easy_ep(const token_rows *t, size_t i, double *easy)
{
    const cull_lane *lane = t->lane;
    const size_t first = (t->first + i) * t->g->K;

    for (size_t k = first; k < first + t->g->K && lane->slot[k] != CULL_NONE; k++)
        easy[lane->slot[k]] += t->turn[i] * (double)lane->slot_gate[k] * (double)t->norm[k];
}

// Each chosen expert gets p ‖p y‖; where gates act on inputs, y holds p already.
static void add_prob_norm(const token_rows *t, size_t i, double *sum)
{
    const cull_lane *lane = t->lane;
    const size_t row = t->first + i, first = row * t->g->K;

    for (size_t k = first; k < first + t->g->K && lane->slot[k] != CULL_NONE; k++) {
        const double p = (double)lane->routed.p[row * t->g->E + lane->slot[k]];
        sum[lane->slot[k]] += p * (lane->slot_scale ? 1.0 : p) * (double)t->norm[k];
    }
}

static void observe_row(const token_rows *t, size_t row, double *acc)
{
    const cull_stats_pass *g = t->g;
    const cull_lane *lane = t->lane;
    const cull_routed_rows rows = { sizeof(cull_routed_rows),
                                    g->l,
                                    1,
                                    g->D,
                                    g->E,
                                    g->K,
                                    lane->x + row * g->D,
                                    lane->r + row * g->D,
                                    lane->h_out + row * g->D,
                                    lane->routed.logits + row * g->E,
                                    lane->routed.p + row * g->E,
                                    lane->routed.index + row * g->K,
                                    lane->routed.gate + row * g->K };

    for (size_t i = 0; i < g->cal->n_observers; i++) {
        const cull_observer_use *use = g->cal->observers + i;
        if (!use->observer->add_rows)
            continue;
        cull_call_enter(use->plugin, "add_rows", g->l);
        use->observer->add_rows(use->settings, &rows, cull_observer_at(g, i, acc));
        cull_call_leave();
    }
}

static cull_status add_tokens(const token_rows *t)
{
    const cull_stats_pass *g = t->g;
    const size_t EE = g->groups & CULL_STAT_COACTIVATION ? g->E * g->E : 0;
    const size_t easy = g->groups & CULL_STAT_EASY_EP ? g->E : 0;
    const size_t prob = g->groups & CULL_STAT_PROB_NORM ? g->E : 0;

    for (size_t i = 0; i < t->n; i++) {
        const size_t row = t->first + i;
        double *acc = cull_slice_sum_at(&t->g->tokens, slice_of(g, t->lane, row));
        if (!acc)
            return cull_no_memory(g->run->ctx);
        if (EE)
            add_coactivation(g, t->lane->slot + row * g->K, acc);
        if (easy)
            add_easy_ep(t, i, acc + EE);
        if (prob)
            add_prob_norm(t, i, acc + EE + easy);
        observe_row(t, row, acc + EE + easy + prob);
    }
    return CULL_OK;
}

static void merge_tokens(const cull_slice_sum *s, double *to, const double *from)
{
    const size_t own = s->n - cull_observers_doubles(s->arg);

    for (size_t i = 0; i < own; i++)
        to[i] += from[i];
    cull_observers_merge(s->arg, to + own, from + own);
}

// ---- a lane's rows ----

static cull_status add_item(void *arg, size_t item, size_t worker)
{
    const token_rows *t = arg;

    (void)worker;
    return item < t->g->n_chunks ? add_chunk(t, item) : add_tokens(t);
}

static cull_status see_rows(void *arg, cull_run *run, size_t l, const cull_lane *lane,
                            const float *norm)
{
    cull_stats_pass *g = arg;
    cull_arena *arena = run->worker[run->n_workers].arena;
    const cull_mark mark = cull_arena_mark(arena);
    token_rows t = { .g = g, .lane = lane, .norm = norm };

    (void)l;
    t.turn = cull_arena_room(arena, AT_ONCE, sizeof *t.turn);
    t.sigmoid = cull_arena_room(arena, AT_ONCE * g->E, sizeof *t.sigmoid);
    if (!t.turn || !t.sigmoid)
        return cull_no_memory(run->ctx);
    for (; t.first < lane->n; t.first += AT_ONCE) {
        t.n = lane->n - t.first < AT_ONCE ? lane->n - t.first : AT_ONCE;
        CULL_TRY(cull_run_each(run, (t.n + ITEM_ROWS - 1) / ITEM_ROWS, weigh_rows, &t));
        CULL_TRY(cull_run_each(run, g->n_chunks + (g->tokens.n > 0), add_item, &t));
    }
    if (g->groups & CULL_STAT_GATE_RATIO)
        CULL_TRY(keep_ratios(g, lane));
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

typedef struct cosines {
    const cull_lane *lane;
    size_t D;
    double *of; // (n)
} cosines;

static cull_status turn_rows(void *arg, size_t item, size_t worker)
{
    const cosines *c = arg;
    const size_t first = item * ITEM_ROWS;
    const size_t end = first + ITEM_ROWS < c->lane->n ? first + ITEM_ROWS : c->lane->n;

    (void)worker;
    for (size_t i = first; i < end; i++)
        c->of[i] = cull_cosine(c->lane->r + i * c->D, c->lane->h_out + i * c->D, c->D);
    return CULL_OK;
}

// LAYER_COSINES: how far the whole sub-layer turns its residual.
static cull_status see_turns(void *arg, cull_run *run, size_t l, const cull_lane *lane)
{
    cull_stats_pass *g = arg;
    cull_arena *arena = run->worker[run->n_workers].arena;
    const cull_mark mark = cull_arena_mark(arena);
    cosines c = { lane, g->D, cull_arena_room(arena, lane->n, sizeof(double)) };

    if (!c.of)
        return cull_no_memory(run->ctx);
    if (lane->r && !(lane->cut && lane->cut->layer[l].skip_layer)) {
        CULL_TRY(cull_run_each(run, (lane->n + ITEM_ROWS - 1) / ITEM_ROWS, turn_rows, &c));
        for (size_t i = 0; i < lane->n; i++) {
            double *acc = cull_slice_sum_at(&g->turn, slice_of(g, lane, i));
            if (!acc)
                return cull_no_memory(run->ctx);
            *acc += c.of[i];
        }
    }
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

// ---- a layer's sums ----

static cull_slice_sum sum_of(const cull_stats_pass *g, size_t n)
{
    return (cull_slice_sum){ .n = n, .first = g->first_slice, .end = g->end_slice };
}

cull_status cull_rows_begin(cull_stats_pass *g, cull_layer_hooks *hooks)
{
    if (g->groups & CULL_STAT_LAYER_COSINES) {
        g->turn = sum_of(g, 1);
        hooks->after = see_turns;
    }
    if (g->E == 0)
        return CULL_OK;
    g->tokens =
        sum_of(g, (g->groups & CULL_STAT_COACTIVATION ? g->E * g->E : 0) +
                      (g->groups & CULL_STAT_EASY_EP ? g->E : 0) +
                      (g->groups & CULL_STAT_PROB_NORM ? g->E : 0) + cull_observers_doubles(g));
    g->tokens.merge = merge_tokens;
    g->tokens.arg = g;
    g->n_chunks = (g->E + CHUNK - 1) / CHUNK;
    g->chunk = cull_alloc(g->n_chunks, sizeof *g->chunk);
    if (!g->chunk)
        return cull_no_memory(g->run->ctx);
    for (size_t i = 0; i < g->n_chunks; i++)
        g->chunk[i] =
            sum_of(g, chunk_width(g, i) * (g->groups & CULL_STAT_LOGIT_GRAM ? 1 + 2 * g->E : 1));
    hooks->want_p = true;
    hooks->moe = see_rows;
    return CULL_OK;
}

static void finish_chunk(cull_stats_pass *g, size_t chunk)
{
    const size_t first = chunk * CHUNK, width = chunk_width(g, chunk), E = g->E;
    const double *prob = cull_slice_sum_total(g->chunk + chunk);
    double *zz = (double *)g->stats->logit_gram, *ss = (double *)g->stats->sigmoid_gram;

    for (size_t a = 0; prob && a < width; a++) {
        ((double *)g->stats->prob_sum)[first + a] = prob[a];
        const double *z_row = prob + width + a * E, *s_row = z_row + width * E;
        for (size_t b = 0; (g->groups & CULL_STAT_LOGIT_GRAM) && b <= first + a; b++) {
            zz[(first + a) * E + b] = zz[b * E + first + a] = z_row[b];
            ss[(first + a) * E + b] = ss[b * E + first + a] = s_row[b];
        }
    }
}

static void finish_tokens(cull_stats_pass *g)
{
    const double *from = cull_slice_sum_total(&g->tokens);

    if (!from)
        return;
    for (size_t i = 0; (g->groups & CULL_STAT_COACTIVATION) && i < g->E * g->E; i++)
        ((double *)g->stats->coact)[i] = *from++;
    for (size_t e = 0; (g->groups & CULL_STAT_EASY_EP) && e < g->E; e++)
        ((double *)g->stats->easy_ep)[e] = *from++;
    for (size_t e = 0; (g->groups & CULL_STAT_PROB_NORM) && e < g->E; e++)
        ((double *)g->stats->prob_norm)[e] = *from++;
    cull_observers_total(g, from);
}

static int compare_floats(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static double median(size_t n, float *x)
{
    qsort(x, n, sizeof *x, compare_floats);
    return n % 2 ? (double)x[n / 2] : ((double)x[n / 2 - 1] + (double)x[n / 2]) / 2.0;
}

void cull_rows_finish(cull_stats_pass *g)
{
    const double *turn = cull_slice_sum_total(&g->turn);

    if (turn)
        g->stats->moe_cos = *turn;
    for (size_t i = 0; i < g->n_chunks; i++)
        finish_chunk(g, i);
    if (g->E)
        finish_tokens(g);
    if (g->n_ratios)
        g->stats->ratio_median = median(g->n_ratios, g->ratio);
}

void cull_rows_leave(cull_stats_pass *g)
{
    cull_slice_sum_release(&g->turn);
    cull_slice_sum_release(&g->tokens);
    for (size_t i = 0; i < g->n_chunks; i++)
        cull_slice_sum_release(&g->chunk[i]);
    cull_free(g->chunk);
    g->chunk = NULL;
    g->n_chunks = 0;
}
