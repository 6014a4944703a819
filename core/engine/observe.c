#include "engine/observe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "engine/taps.h"
#include <cull/kernel.h>

// ---- one block of an expert's rows ----

// The head of an item's accumulator; mean (D), m2 (D), g2y (D), x_sq (D), u_sq (F) and the
// observers' follow.
typedef struct item_head {
    double count, gate, gate_sq, norm, norm_sq, gate_norm, norm_max, max_signed, max_abs;
} item_head;

enum { HEAD = sizeof(item_head) / sizeof(double) };

static double *mean_of(double *acc)
{
    return acc + HEAD;
}
static double *m2_of(const cull_gather *g, double *acc)
{
    return acc + HEAD + g->D;
}
static double *g2y_of(const cull_gather *g, double *acc)
{
    return acc + HEAD + 2 * g->D;
}
static double *x_sq_of(const cull_gather *g, double *acc)
{
    return acc + HEAD + 3 * g->D;
}
static double *u_sq_of(const cull_gather *g, double *acc)
{
    return acc + HEAD + 4 * g->D;
}

static double norm_of(const float *y, size_t D, item_head *h)
{
    double sum = 0.0;
    double top = -INFINITY, low = INFINITY;

    for (size_t d = 0; d < D; d++) {
        sum += (double)y[d] * (double)y[d];
        top = y[d] > top ? y[d] : top;
        low = y[d] < low ? y[d] : low;
    }
    const double widest = top > -low ? top : -low;
    h->max_signed = top > h->max_signed ? top : h->max_signed;
    h->max_abs = widest > h->max_abs ? widest : h->max_abs;
    return sqrt(sum);
}

static void add_norms(const cull_expert_rows *rows, item_head *h, float *norm)
{
    h->max_signed = -INFINITY;
    for (size_t i = 0; i < rows->n; i++) {
        const double gate = rows->gate[i];
        const double N = norm_of(rows->y + i * rows->D, rows->D, h);
        norm[i] = (float)N;
        h->gate += gate;
        h->gate_sq += gate * gate;
        h->norm += N;
        h->norm_sq += N * N;
        h->gate_norm += gate * N;
        h->norm_max = N > h->norm_max ? N : h->norm_max;
    }
    h->count = (double)rows->n;
}

// Two passes over the block: its mean, then squares about it.
CULL_CLONES
static void add_moments(const cull_gather *g, const cull_expert_rows *rows, double *acc)
{
    double *mean = mean_of(acc), *m2 = m2_of(g, acc), *g2y = g2y_of(g, acc);

    for (size_t i = 0; i < rows->n; i++) {
        const float *y = rows->y + i * g->D;
        const double gg = (double)rows->gate[i] * (double)rows->gate[i];
        for (size_t d = 0; d < g->D; d++) {
            mean[d] += y[d];
            g2y[d] += gg * y[d];
        }
    }
    for (size_t d = 0; d < g->D; d++)
        mean[d] /= (double)rows->n;
    for (size_t i = 0; i < rows->n; i++) {
        const float *y = rows->y + i * g->D;
        for (size_t d = 0; d < g->D; d++) {
            const double delta = y[d] - mean[d];
            m2[d] += delta * delta;
        }
    }
}

static void begin_item(void *arg, size_t e, double *acc, cull_taps *taps)
{
    const cull_gather *g = arg;

    if (g->groups & CULL_STAT_H)
        taps->down_sq = u_sq_of(g, acc);
    if (g->groups & CULL_STAT_I)
        taps->down_hessian = g->u_hessian + e * g->F * g->F;
}

static cull_status add_item(void *arg, const cull_expert_rows *rows, double *acc, float *norm)
{
    const cull_gather *g = arg;

    add_norms(rows, (item_head *)(void *)acc, norm);
    if (g->groups & CULL_STAT_D)
        add_moments(g, rows, acc);
    if (g->groups & CULL_STAT_H)
        cull_add_squares(rows->n, g->D, rows->x, g->D, x_sq_of(g, acc));
    for (size_t i = 0; i < g->cal->n_observers; i++) {
        const cull_observer_use *use = g->cal->observers + i;
        if (use->observer->add_expert)
            use->observer->add_expert(use->settings, rows, acc + g->observer_at[i]);
    }
    if (!(g->groups & CULL_STAT_I))
        return CULL_OK;
    cull_piece piece = cull_piece_outer(g->run); // items run one by one then, by the coordinator
    return cull_add_hessian(&piece, rows->n, g->D, rows->x, g->D,
                            g->x_hessian + rows->expert * g->D * g->D);
}

static void add_to(double *to, size_t n, const double *from)
{
    for (size_t i = 0; i < n; i++)
        to[i] += from[i];
}

static void raise_to(double *to, double value, bool first)
{
    if (first || value > *to)
        *to = value;
}

// Chan et al.: (n, mean, M2) of two disjoint sets.
static void merge_moments(const cull_gather *g, size_t e, double before, double n,
                          const double *acc)
{
    double *mean = (double *)g->stats->mean + e * g->D;
    double *m2 = (double *)g->stats->var + e * g->D;
    const double *mean_b = mean_of((double *)(uintptr_t)acc);
    const double *m2_b = m2_of(g, (double *)(uintptr_t)acc);

    for (size_t d = 0; d < g->D; d++) {
        const double delta = mean_b[d] - mean[d];
        m2[d] += m2_b[d] + delta * delta * before * n / (before + n);
        mean[d] += delta * n / (before + n);
    }
    add_to((double *)g->stats->mean_gate + e * g->D, g->D, g2y_of(g, (double *)(uintptr_t)acc));
}

static void merge_observer(const cull_gather *g, size_t i, const double *acc)
{
    const cull_observer_use *use = g->cal->observers + i;
    const cull_layer_facts *facts = cull_layer_of(g->run->m, g->l);

    if (use->observer->merge)
        use->observer->merge(use->settings, facts, use->acc[g->l], acc);
    else
        add_to(use->acc[g->l], use->observer->doubles(use->settings, facts), acc);
}

static void merge_item(void *arg, size_t e, const double *acc)
{
    cull_gather *g = arg;
    cull_layer_stats *s = g->stats;
    const item_head *h = (const item_head *)(const void *)acc;
    double *count = (double *)s->count;
    const double before = count[e];

    count[e] += h->count;
    ((double *)s->gate_sum)[e] += h->gate;
    ((double *)s->gate_sq)[e] += h->gate_sq;
    if (g->groups & CULL_STAT_C) {
        ((double *)s->norm_sum)[e] += h->norm;
        ((double *)s->norm_sq)[e] += h->norm_sq;
        ((double *)s->gate_norm)[e] += h->gate_norm;
        raise_to((double *)s->norm_max + e, h->norm_max, before == 0.0);
        raise_to((double *)s->max_signed + e, h->max_signed, before == 0.0);
        raise_to((double *)s->max_abs + e, h->max_abs, before == 0.0);
    }
    if (g->groups & CULL_STAT_D)
        merge_moments(g, e, before, h->count, acc);
    if (g->groups & CULL_STAT_H) {
        add_to((double *)s->x_sq + e * g->D, g->D, x_sq_of(g, (double *)(uintptr_t)acc));
        add_to((double *)s->u_sq + e * g->F, g->F, u_sq_of(g, (double *)(uintptr_t)acc));
    }
    for (size_t i = 0; i < g->cal->n_observers; i++)
        if (g->cal->observers[i].observer->add_expert)
            merge_observer(g, i, acc + g->observer_at[i]);
}

// ---- rows ----

// A block's sums: prob (E), coact (E, E), easy (E), grams (E, E) twice, then the observers'.
typedef struct row_blocks {
    cull_gather *g;
    const cull_lane *lane;
    const float *norm;
    size_t doubles; // of one block
    double *partial;
    float *ratio; // (n) or NULL
    size_t *at;   // observers' places
} row_blocks;

static void add_probabilities(const cull_gather *g, const float *p, double *prob)
{
    for (size_t e = 0; e < g->E; e++)
        prob[e] += p[e];
}

static void add_coactivation(const cull_gather *g, const uint32_t *slot, double *coact)
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
    const cull_gather *g = b->g;
    const cull_lane *lane = b->lane;
    const double c = cosine_of_sum(lane->r + i * g->D, lane->h_out + i * g->D, g->D);
    const double s = c < 1.0 ? 1.0 - c : 0.0;

    for (size_t k = i * g->K; k < (i + 1) * g->K && lane->slot[k] != CULL_NONE; k++)
        easy[lane->slot[k]] += s * (double)lane->slot_gate[k] * (double)b->norm[k];
}

static void add_grams(const cull_gather *g, const float *z, double *sigmoid, double *zz, double *ss)
{
    for (size_t e = 0; e < g->E; e++)
        sigmoid[e] = 1.0 / (1.0 + exp(-(double)z[e]));
    for (size_t a = 0; a < g->E; a++)
        for (size_t b = 0; b <= a; b++) {
            zz[a * g->E + b] += (double)z[a] * (double)z[b];
            ss[a * g->E + b] += sigmoid[a] * sigmoid[b];
        }
}

static float gate_ratio(const cull_gather *g, const cull_lane *lane, size_t i)
{
    const float *gate = lane->routed.gate + i * g->K;
    return g->K > 1 && lane->routed.index[i * g->K + 1] >= 0 && gate[0] > 0.0f ? gate[1] / gate[0]
                                                                               : 0.0f;
}

static void observe_rows(const row_blocks *b, size_t first, size_t n, double *acc)
{
    const cull_gather *g = b->g;
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
    const cull_gather *g = b->g;
    const cull_lane *lane = b->lane;
    const size_t first = block * CULL_ROW_BLOCK;
    const size_t end = first + CULL_ROW_BLOCK < lane->n ? first + CULL_ROW_BLOCK : lane->n;
    const size_t EE = g->E * g->E;
    double *prob = b->partial + block * b->doubles;
    double *coact = prob + g->E, *easy = coact + EE, *zz = easy + g->E, *ss = zz + EE,
           *sigmoid = ss + EE;

    (void)worker;
    for (size_t i = first; i < end; i++) {
        if (g->groups & CULL_STAT_A)
            add_probabilities(g, lane->routed.p + i * g->E, prob);
        if (g->groups & CULL_STAT_B)
            add_coactivation(g, lane->slot + i * g->K, coact);
        if (g->groups & CULL_STAT_F)
            add_easy_ep(b, i, easy);
        if (g->groups & CULL_STAT_G)
            add_grams(g, lane->routed.logits + i * g->E, sigmoid, zz, ss);
        if (b->ratio)
            b->ratio[i] = gate_ratio(g, lane, i);
    }
    observe_rows(b, first, end - first, prob);
    return CULL_OK;
}

static void merge_rows(row_blocks *b, size_t n_blocks)
{
    cull_gather *g = b->g;
    cull_layer_stats *s = g->stats;
    const size_t EE = g->E * g->E;

    for (size_t i = 0; i < n_blocks; i++) {
        const double *prob = b->partial + i * b->doubles;
        if (g->groups & CULL_STAT_A)
            add_to((double *)s->prob_sum, g->E, prob);
        if (g->groups & CULL_STAT_B)
            add_to((double *)s->coact, EE, prob + g->E);
        if (g->groups & CULL_STAT_F)
            add_to((double *)s->easy_ep, g->E, prob + g->E + EE);
        if (g->groups & CULL_STAT_G) {
            add_to((double *)s->logit_gram, EE, prob + 2 * g->E + EE);
            add_to((double *)s->sigmoid_gram, EE, prob + 2 * g->E + 2 * EE);
        }
        for (size_t o = 0; o < g->cal->n_observers; o++)
            if (g->cal->observers[o].observer->add_rows)
                merge_observer(g, o, prob + b->at[o]);
    }
}

static cull_status keep_ratios(cull_gather *g, size_t n, float **at)
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

static cull_status add_rows(void *arg, cull_run *run, size_t l, const cull_lane *lane,
                            const float *norm)
{
    cull_gather *g = arg;
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
    if (g->groups & CULL_STAT_R)
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
static cull_status add_cosines(void *arg, cull_run *run, size_t l, const cull_lane *lane)
{
    cull_gather *g = arg;
    cull_arena *arena = run->worker[run->n_workers].arena;
    const cull_mark mark = cull_arena_mark(arena);
    const size_t n_blocks = (lane->n + CULL_ROW_BLOCK - 1) / CULL_ROW_BLOCK;
    cosines c = { lane, g->D, cull_arena_alloc(arena, n_blocks, sizeof(double)) };

    if (!c.sum)
        return cull_no_memory(run->ctx);
    if ((g->groups & CULL_STAT_K) && lane->r && !(lane->cut && lane->cut->layer[l].skip_layer)) {
        CULL_TRY(cull_run_each(run, n_blocks, cosine_block, &c));
        for (size_t i = 0; i < n_blocks; i++)
            g->stats->moe_cos += c.sum[i];
    }
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

// ---- a layer's beginning and end ----

static cull_status part_taps(cull_gather *g, size_t l, cull_taps *taps)
{
    const cull_layer_facts *facts = cull_layer_of(g->run->m, l);

    for (uint32_t p = 0; p < CULL_N_PARTS; p++) {
        cull_matrix m = { .size = sizeof m };
        if (!(facts->parts >> p & 1u) || p == CULL_PART_GATE || p == CULL_PART_UP ||
            p == CULL_PART_DOWN)
            continue;
        CULL_TRY(g->run->m->backend->matrix(g->run->ctx, g->run->m->model, cull_at(l, (cull_part)p),
                                            &m));
        taps->part_sq[p] = cull_stats_store_part(g->store, l, (cull_part)p, m.cols);
        if (!taps->part_sq[p])
            return cull_no_memory(g->run->ctx);
    }
    return CULL_OK;
}

static cull_status begin_hessians(cull_gather *g)
{
    cull_free(g->x_hessian);
    cull_free(g->u_hessian);
    g->x_hessian = cull_alloc(g->E * g->D * g->D, sizeof(double));
    g->u_hessian = cull_alloc(g->E * g->F * g->F, sizeof(double));
    if (!g->x_hessian || !g->u_hessian)
        return cull_no_memory(g->run->ctx);
    g->stats->x_hessian = g->x_hessian;
    g->stats->u_hessian = g->u_hessian;
    return CULL_OK;
}

cull_status cull_gather_begin(cull_gather *g, size_t l, cull_watch *watch)
{
    const cull_layer_facts *facts = cull_layer_of(g->run->m, l);

    g->l = l;
    g->E = facts->E;
    g->K = facts->K;
    g->F = facts->F;
    g->D = g->run->m->facts->D;
    g->stats = cull_stats_store_layer(g->store, l);
    g->n_ratios = 0;
    *watch = (cull_watch){ .arg = g, .after = add_cosines };
    if (g->groups & CULL_STAT_H)
        CULL_TRY(part_taps(g, l, &watch->taps));
    if (g->E == 0)
        return CULL_OK;
    if (g->groups & CULL_STAT_I)
        CULL_TRY(begin_hessians(g));
    g->item_doubles = HEAD + 4 * g->D + g->F;
    cull_free(g->observer_at);
    g->observer_at = cull_alloc(g->cal->n_observers + 1, sizeof *g->observer_at);
    if (!g->observer_at)
        return cull_no_memory(g->run->ctx);
    for (size_t i = 0; i < g->cal->n_observers; i++) {
        g->observer_at[i] = g->item_doubles;
        g->item_doubles +=
            g->cal->observers[i].observer->doubles(g->cal->observers[i].settings, facts);
    }
    watch->want_p = true;
    watch->serial = (g->groups & CULL_STAT_I) != 0;
    watch->item_doubles = g->item_doubles;
    watch->begin_item = begin_item;
    watch->item = add_item;
    watch->merge_item = merge_item;
    watch->moe = add_rows;
    return CULL_OK;
}

static int compare_floats(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void mirror(double *m, size_t E)
{
    for (size_t a = 0; a < E; a++)
        for (size_t b = 0; b < a; b++)
            m[b * E + a] = m[a * E + b];
}

static void finish_moments(const cull_gather *g, size_t e)
{
    const double n = g->stats->count[e], g2 = g->stats->gate_sq[e];
    double *var = (double *)g->stats->var + e * g->D;
    double *mean_gate = (double *)g->stats->mean_gate + e * g->D;

    for (size_t d = 0; d < g->D; d++) {
        var[d] = n > 1.0 ? var[d] / (n - 1.0) : 0.0;
        mean_gate[d] = g2 > 0.0 ? mean_gate[d] / g2 : 0.0;
    }
}

cull_status cull_gather_finish(cull_gather *g, uint64_t tokens)
{
    cull_layer_stats *s = g->stats;

    s->tokens = tokens;
    if (g->E == 0)
        return CULL_OK;
    for (size_t e = 0; (g->groups & CULL_STAT_D) && e < g->E; e++)
        finish_moments(g, e);
    if (g->groups & CULL_STAT_G) {
        mirror((double *)s->logit_gram, g->E);
        mirror((double *)s->sigmoid_gram, g->E);
    }
    if ((g->groups & CULL_STAT_R) && g->n_ratios) {
        const size_t n = g->n_ratios;
        qsort(g->ratio, n, sizeof *g->ratio, compare_floats);
        s->ratio_median = n % 2 ? (double)g->ratio[n / 2]
                                : ((double)g->ratio[n / 2 - 1] + (double)g->ratio[n / 2]) / 2.0;
    }
    return CULL_OK;
}

void cull_gather_release(cull_gather *g)
{
    cull_free(g->x_hessian);
    cull_free(g->u_hessian);
    cull_free(g->ratio);
    cull_free(g->observer_at);
}
