// What calibration sees of each token: how it was routed, and how far the layer turned it.
#include <math.h>

#include "base/memory.h"
#include "engine/observe_sums.h"

// A block's sums: prob (E), coact (E, E), easy (E), grams (E, E) twice, then the observers'.
typedef struct row_blocks {
    cull_stats_pass *g;
    const cull_lane *lane;
    const float *norm;
    size_t doubles; // of one block
    double *partial;
    float *ratio; // (n) or NULL
    size_t *at;   // observers' places
} row_blocks;

static void add_probabilities(const cull_stats_pass *g, const float *p, double *prob)
{
    for (size_t e = 0; e < g->E; e++)
        prob[e] += p[e];
}

static void add_coactivation(const cull_stats_pass *g, const uint32_t *slot, double *coact)
{
    for (size_t a = 0; a < g->K && slot[a] != CULL_NONE; a++)
        for (size_t b = 0; b < g->K && slot[b] != CULL_NONE; b++)
            if (a != b)
                coact[slot[a] * g->E + slot[b]] += 1.0;
}

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

// s = max(0, 1 − cos(r, r + moe)); each chosen expert gets s · g · ‖y‖.
static void add_easy_ep(const row_blocks *b, size_t i, double *easy)
{
    const cull_stats_pass *g = b->g;
    const cull_lane *lane = b->lane;
    const double c = cosine_of_sum(lane->r + i * g->D, lane->h_out + i * g->D, g->D);
    const double s = c < 1.0 ? 1.0 - c : 0.0;

    for (size_t k = i * g->K; k < (i + 1) * g->K && lane->slot[k] != CULL_NONE; k++)
        easy[lane->slot[k]] += s * (double)lane->slot_gate[k] * (double)b->norm[k];
}

static void add_grams(const cull_stats_pass *g, const float *z, double *sigmoid, double *zz,
                      double *ss)
{
    for (size_t e = 0; e < g->E; e++)
        sigmoid[e] = 1.0 / (1.0 + exp(-(double)z[e]));
    for (size_t a = 0; a < g->E; a++)
        for (size_t b = 0; b <= a; b++) {
            zz[a * g->E + b] += (double)z[a] * (double)z[b];
            ss[a * g->E + b] += sigmoid[a] * sigmoid[b];
        }
}

static float gate_ratio(const cull_stats_pass *g, const cull_lane *lane, size_t i)
{
    const float *gate = lane->routed.gate + i * g->K;
    return g->K > 1 && lane->routed.index[i * g->K + 1] >= 0 && gate[0] > 0.0f ? gate[1] / gate[0]
                                                                               : 0.0f;
}

static void observe_rows(const row_blocks *b, size_t first, size_t n, double *acc)
{
    const cull_stats_pass *g = b->g;
    const cull_lane *lane = b->lane;
    const cull_routed_rows rows = { g->l,
                                    n,
                                    g->D,
                                    g->E,
                                    g->K,
                                    lane->x + first * g->D,
                                    lane->r + first * g->D,
                                    lane->h_out + first * g->D,
                                    lane->routed.logits + first * g->E,
                                    lane->routed.p + first * g->E,
                                    lane->routed.index + first * g->K,
                                    lane->routed.gate + first * g->K };

    for (size_t i = 0; i < g->cal->n_observers; i++)
        if (g->cal->observers[i].observer->add_rows)
            g->cal->observers[i].observer->add_rows(g->cal->observers[i].settings, &rows,
                                                    acc + b->at[i]);
}

static cull_status add_row_block(void *arg, size_t block, size_t worker)
{
    const row_blocks *b = arg;
    const cull_stats_pass *g = b->g;
    const cull_lane *lane = b->lane;
    const size_t first = block * CULL_ROW_BLOCK;
    const size_t end = first + CULL_ROW_BLOCK < lane->n ? first + CULL_ROW_BLOCK : lane->n;
    const size_t EE = g->E * g->E;
    double *prob = b->partial + block * b->doubles;
    double *coact = prob + g->E, *easy = coact + EE, *zz = easy + g->E, *ss = zz + EE,
           *sigmoid = ss + EE;

    (void)worker;
    for (size_t i = first; i < end; i++) {
        if (g->groups & CULL_STAT_ROUTING)
            add_probabilities(g, lane->routed.p + i * g->E, prob);
        if (g->groups & CULL_STAT_COACTIVATION)
            add_coactivation(g, lane->slot + i * g->K, coact);
        if (g->groups & CULL_STAT_EASY_EP)
            add_easy_ep(b, i, easy);
        if (g->groups & CULL_STAT_LOGIT_GRAM)
            add_grams(g, lane->routed.logits + i * g->E, sigmoid, zz, ss);
        if (b->ratio)
            b->ratio[i] = gate_ratio(g, lane, i);
    }
    observe_rows(b, first, end - first, prob);
    return CULL_OK;
}

static void merge_rows(row_blocks *b, size_t n_blocks)
{
    cull_stats_pass *g = b->g;
    cull_layer_stats *s = g->stats;
    const size_t EE = g->E * g->E;

    for (size_t i = 0; i < n_blocks; i++) {
        const double *prob = b->partial + i * b->doubles;
        if (g->groups & CULL_STAT_ROUTING)
            cull_sums_add((double *)s->prob_sum, g->E, prob);
        if (g->groups & CULL_STAT_COACTIVATION)
            cull_sums_add((double *)s->coact, EE, prob + g->E);
        if (g->groups & CULL_STAT_EASY_EP)
            cull_sums_add((double *)s->easy_ep, g->E, prob + g->E + EE);
        if (g->groups & CULL_STAT_LOGIT_GRAM) {
            cull_sums_add((double *)s->logit_gram, EE, prob + 2 * g->E + EE);
            cull_sums_add((double *)s->sigmoid_gram, EE, prob + 2 * g->E + 2 * EE);
        }
        for (size_t o = 0; o < g->cal->n_observers; o++)
            if (g->cal->observers[o].observer->add_rows)
                cull_merge_observer(g, o, prob + b->at[o]);
    }
}

static cull_status keep_ratios(cull_stats_pass *g, size_t n, float **at)
{
    float *more = cull_grow(g->ratio, g->ratio_room, g->n_ratios + n, sizeof *more);

    if (!more)
        return cull_no_memory(g->run->ctx);
    g->ratio = more;
    g->ratio_room = g->n_ratios + n;
    *at = g->ratio + g->n_ratios;
    g->n_ratios += n;
    return CULL_OK;
}

cull_status cull_hook_rows(void *arg, cull_run *run, size_t l, const cull_lane *lane,
                           const float *norm)
{
    cull_stats_pass *g = arg;
    cull_arena *arena = run->worker[run->n_workers].arena;
    const cull_mark mark = cull_arena_mark(arena);
    const size_t n_blocks = (lane->n + CULL_ROW_BLOCK - 1) / CULL_ROW_BLOCK;
    row_blocks b = { .g = g, .lane = lane, .norm = norm };

    b.doubles = 3 * g->E + 3 * g->E * g->E;
    b.at = cull_arena_alloc(arena, g->cal->n_observers + 1, sizeof *b.at);
    if (!b.at)
        return cull_no_memory(run->ctx);
    for (size_t i = 0; i < g->cal->n_observers; i++) {
        const cull_observer_use *use = g->cal->observers + i;
        b.at[i] = b.doubles;
        b.doubles += use->observer->doubles(use->settings, cull_layer_of(run->m, l));
    }
    b.partial = cull_arena_alloc(arena, n_blocks * b.doubles, sizeof *b.partial);
    if (!b.partial)
        return cull_no_memory(run->ctx);
    if (g->groups & CULL_STAT_GATE_RATIO)
        CULL_TRY(keep_ratios(g, lane->n, &b.ratio));
    CULL_TRY(cull_run_each(run, n_blocks, add_row_block, &b));
    merge_rows(&b, n_blocks);
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

typedef struct cosines {
    const cull_lane *lane;
    size_t D;
    double *sum; // one a block
} cosines;

static cull_status cosine_block(void *arg, size_t block, size_t worker)
{
    const cosines *c = arg;
    const size_t first = block * CULL_ROW_BLOCK;
    const size_t end = first + CULL_ROW_BLOCK < c->lane->n ? first + CULL_ROW_BLOCK : c->lane->n;

    (void)worker;
    for (size_t i = first; i < end; i++)
        c->sum[block] += cull_cosine(c->lane->r + i * c->D, c->lane->h_out + i * c->D, c->D);
    return CULL_OK;
}

// K: how far the whole sub-layer turns its residual.
cull_status cull_hook_cosines(void *arg, cull_run *run, size_t l, const cull_lane *lane)
{
    cull_stats_pass *g = arg;
    cull_arena *arena = run->worker[run->n_workers].arena;
    const cull_mark mark = cull_arena_mark(arena);
    const size_t n_blocks = (lane->n + CULL_ROW_BLOCK - 1) / CULL_ROW_BLOCK;
    cosines c = { lane, g->D, cull_arena_alloc(arena, n_blocks, sizeof(double)) };

    if (!c.sum)
        return cull_no_memory(run->ctx);
    if ((g->groups & CULL_STAT_LAYER_COSINES) && lane->r &&
        !(lane->cut && lane->cut->layer[l].skip_layer)) {
        CULL_TRY(cull_run_each(run, n_blocks, cosine_block, &c));
        for (size_t i = 0; i < n_blocks; i++)
            g->stats->moe_cos += c.sum[i];
    }
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}
