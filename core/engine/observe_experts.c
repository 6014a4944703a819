// What calibration sees of each expert's rows: a wave of them at a time, in their order.
#include <math.h>
#include <string.h>

#include "base/call.h"
#include "base/memory.h"
#include "engine/deal.h"
#include "engine/observe_sums.h"
#include "math/rows.h"
#include <cull/kernel.h>

// The head of an expert's sums; the observers' accumulators follow.
typedef struct head {
    double count, gate, gate_sq, norm, norm_sq, gate_norm, norm_max, max_signed, max_abs;
} head;

enum { HEAD = sizeof(head) / sizeof(double), MEASURE_ROWS = 64 };

// The rows of a wave, those of one expert after those of the other.
typedef struct wave_rows {
    cull_stats_pass *g;
    size_t n_experts, n;
    const cull_expert_wave *wave; // (n_experts)
    size_t *first;                // (n_experts) of its rows
    const float **x, **y, **u;    // (n)
    uint8_t *slice;               // (n)
    double *norm, *top, *widest;  // (n) ‖y‖, the largest y and |y|
} wave_rows;

// An expert's inputs where gates act on them, as it meets them.
static cull_status scale_inputs(const cull_stats_pass *g, cull_arena *arena,
                                const cull_expert_wave *wave, const float **x)
{
    float *scaled = wave->scale ? cull_arena_room(arena, wave->n * g->D, sizeof *scaled) : NULL;

    if (!wave->scale)
        return CULL_OK;
    if (!scaled)
        return cull_no_memory(g->run->ctx);
    for (size_t r = 0; r < wave->n; r++) {
        memcpy(scaled + r * g->D, x[r], g->D * sizeof *scaled);
        cull_row_scale(g->D, scaled + r * g->D, wave->scale[r]);
        x[r] = scaled + r * g->D;
    }
    return CULL_OK;
}

static cull_status flatten(cull_stats_pass *g, const cull_lane *lane, size_t n_experts,
                           const cull_expert_wave *wave, wave_rows *out)
{
    cull_arena *arena = g->run->worker[g->run->n_workers].arena;
    size_t n = 0;

    for (size_t i = 0; i < n_experts; i++)
        n += wave[i].n;
    *out = (wave_rows){ .g = g, .n_experts = n_experts, .n = n, .wave = wave };
    out->first = cull_arena_alloc(arena, n_experts + 1, sizeof *out->first);
    out->x = cull_arena_alloc(arena, n + 1, sizeof *out->x);
    out->y = cull_arena_alloc(arena, n + 1, sizeof *out->y);
    out->u = cull_arena_alloc(arena, n + 1, sizeof *out->u);
    out->slice = cull_arena_alloc(arena, n + 1, 1);
    out->norm = cull_arena_alloc(arena, n + 1, sizeof *out->norm);
    out->top = cull_arena_alloc(arena, n + 1, sizeof *out->top);
    out->widest = cull_arena_alloc(arena, n + 1, sizeof *out->widest);
    if (!out->first || !out->x || !out->y || !out->u || !out->slice || !out->norm || !out->top ||
        !out->widest)
        return cull_no_memory(g->run->ctx);
    for (size_t i = 0, at = 0; i < n_experts; i++) {
        out->first[i] = at;
        for (size_t r = 0; r < wave[i].n; r++, at++) {
            const size_t row = wave[i].slot[r] / g->K;
            out->x[at] = lane->z + row * g->D;
            out->y[at] = wave[i].y + r * g->D;
            out->u[at] = wave[i].u ? wave[i].u + r * g->F : NULL;
            out->slice[at] = g->slice[lane->first_row + row];
        }
        CULL_TRY(scale_inputs(g, arena, wave + i, out->x + out->first[i]));
    }
    return CULL_OK;
}

static cull_status measure_rows(void *arg, size_t block, size_t worker)
{
    const wave_rows *w = arg;
    const size_t first = block * MEASURE_ROWS;
    const size_t end = first + MEASURE_ROWS < w->n ? first + MEASURE_ROWS : w->n;

    (void)worker;
    for (size_t i = first; i < end; i++) {
        double sum = 0.0, top = -INFINITY, low = INFINITY;
        for (size_t d = 0; d < w->g->D; d++) {
            const double y = w->y[i][d];
            sum += y * y;
            top = y > top ? y : top;
            low = y < low ? y : low;
        }
        w->norm[i] = sqrt(sum);
        w->top[i] = top;
        w->widest[i] = top > -low ? top : -low;
    }
    return CULL_OK;
}

static void raise_to(double *to, double value, bool first)
{
    if (first || value > *to)
        *to = value;
}

// routed: the router's own gate; gate: what multiplies the output, another one where that acts on
// the input.
static void add_row(head *h, double routed, double gate, double norm, double top, double widest)
{
    const bool first = h->count == 0.0;

    h->count += 1.0;
    h->gate += routed;
    h->gate_sq += gate * gate;
    h->norm += norm;
    h->norm_sq += norm * norm;
    h->gate_norm += gate * norm;
    raise_to(&h->norm_max, norm, first);
    raise_to(&h->max_signed, top, first);
    raise_to(&h->max_abs, widest, first);
}

// Observers see one row at a time, so that no grouping shows in what they sum.
static void observe_row(const wave_rows *w, size_t expert, size_t i, float gate, double *acc)
{
    const cull_stats_pass *g = w->g;
    const cull_expert_rows row = {
        sizeof(cull_expert_rows), g->l, w->wave[expert].e, 1, g->D, w->x[i], &gate, w->y[i]
    };

    for (size_t o = 0; o < g->cal->n_observers; o++) {
        const cull_observer_use *use = g->cal->observers + o;
        if (!use->observer->add_expert)
            continue;
        cull_call_enter(use->plugin, "add_expert", g->l);
        use->observer->add_expert(use->settings, &row, cull_observer_at(g, o, acc));
        cull_call_leave();
    }
}

static cull_status add_heads(void *arg, size_t expert, size_t worker)
{
    const wave_rows *w = arg;
    const cull_expert_wave *wave = w->wave + expert;

    (void)worker;
    for (size_t r = 0; r < wave->n; r++) {
        const size_t i = w->first[expert] + r;
        double *acc = cull_slice_sum_at(&w->g->expert[wave->e].head, w->slice[i]);
        if (!acc)
            return cull_no_memory(w->g->run->ctx);
        add_row((head *)(void *)acc, (double)(wave->scale ? wave->scale[r] : wave->gate[r]),
                (double)wave->gate[r], w->norm[i], w->top[i], w->widest[i]);
        observe_row(w, expert, i, wave->gate[r], acc + HEAD);
    }
    return CULL_OK;
}

static void merge_heads(const cull_slice_sum *s, double *to, const double *from)
{
    head *a = (head *)(void *)to;
    const head *b = (const head *)(const void *)from;
    const bool first = a->count == 0.0;

    a->count += b->count;
    a->gate += b->gate;
    a->gate_sq += b->gate_sq;
    a->norm += b->norm;
    a->norm_sq += b->norm_sq;
    a->gate_norm += b->gate_norm;
    raise_to(&a->norm_max, b->norm_max, first);
    raise_to(&a->max_signed, b->max_signed, first);
    raise_to(&a->max_abs, b->max_abs, first);
    cull_observers_merge(s->arg, to + HEAD, from + HEAD);
}

// What each of an expert's column sums is of. Where the gate multiplies the input, x (the lane's)
// is without it, and u has it already.
static const struct {
    uint32_t group;
    cull_column_kind kind;
    enum { OF_Y, OF_X, OF_U } of;
} columns[CULL_N_EXPERT_COLUMNS] = {
    [CULL_Y_MOMENTS] = { CULL_STAT_OUTPUT_MOMENTS, CULL_COLUMN_MOMENTS, OF_Y },
    [CULL_X_SQUARES] = { CULL_STAT_INPUT_SQUARES, CULL_COLUMN_SQUARES, OF_X },
    [CULL_U_SQUARES] = { CULL_STAT_INPUT_SQUARES, CULL_COLUMN_SQUARES, OF_U },
    [CULL_U_SPREAD] = { CULL_STAT_CHANNEL_MOMENTS, CULL_COLUMN_SPREAD, OF_U },
    [CULL_X_GATED] = { CULL_STAT_GATED_SQUARES, CULL_COLUMN_GATED, OF_X },
    [CULL_U_GATED] = { CULL_STAT_GATED_SQUARES, CULL_COLUMN_GATED, OF_U },
    [CULL_U_PEAKS] = { CULL_STAT_GATED_PEAKS, CULL_COLUMN_PEAKS, OF_U },
};

static cull_column_kind kind_of(const cull_stats_pass *g, size_t column)
{
    const bool input = cull_layer_of(g->run->m, g->l)->gate_on_input;

    return column == CULL_X_SQUARES && input ? CULL_COLUMN_GATED : columns[column].kind;
}

static cull_sliced_rows rows_of(const wave_rows *w, size_t expert, size_t column)
{
    const bool input = cull_layer_of(w->g->run->m, w->g->l)->gate_on_input;
    const size_t at = w->first[expert];
    const float **const of[] = { [OF_Y] = w->y, [OF_X] = w->x, [OF_U] = w->u };
    const bool counted = input && columns[column].of == OF_U;

    return (cull_sliced_rows){ w->wave[expert].n, of[columns[column].of] + at,
                               counted ? NULL : w->wave[expert].gate, w->slice + at };
}

static cull_status add_columns(const wave_rows *w)
{
    cull_stats_pass *g = w->g;
    cull_arena *arena = g->run->worker[g->run->n_workers].arena;
    cull_column_work *work =
        cull_arena_alloc(arena, CULL_N_EXPERT_COLUMNS * w->n_experts + 1, sizeof *work);
    size_t n = 0;

    if (!work)
        return cull_no_memory(g->run->ctx);
    for (size_t i = 0; i < w->n_experts; i++)
        for (size_t c = 0; c < CULL_N_EXPERT_COLUMNS; c++)
            if (g->groups & columns[c].group)
                work[n++] =
                    (cull_column_work){ &g->expert[w->wave[i].e].column[c], rows_of(w, i, c) };
    return cull_column_sums_add(g->run, n, work);
}

static cull_status add_hessians(const wave_rows *w)
{
    cull_stats_pass *g = w->g;
    cull_arena *arena = g->run->worker[g->run->n_workers].arena;
    cull_hessian_rows *part = cull_arena_alloc(arena, 2 * w->n_experts + 1, sizeof *part);

    if (!part)
        return cull_no_memory(g->run->ctx);
    for (size_t i = 0; i < w->n_experts; i++) {
        cull_hessian *of = g->hessian + 2 * w->wave[i].e;
        part[2 * i] = (cull_hessian_rows){ of, w->wave[i].n, w->x + w->first[i] };
        part[2 * i + 1] = (cull_hessian_rows){ of + 1, w->wave[i].n, w->u + w->first[i] };
    }
    return cull_hessians_add(g->run, 2 * w->n_experts, part);
}

static cull_status see_experts(void *arg, cull_run *run, const cull_lane *lane, size_t n,
                               const cull_expert_wave *wave, float *norm)
{
    cull_stats_pass *g = arg;
    cull_arena *arena = run->worker[run->n_workers].arena;
    const cull_mark mark = cull_arena_mark(arena);
    wave_rows w;

    CULL_TRY(flatten(g, lane, n, wave, &w));
    if (g->groups & (CULL_STAT_OUTPUT_NORM | CULL_STAT_EASY_EP | CULL_STAT_PROB_NORM))
        CULL_TRY(cull_run_each(run, (w.n + MEASURE_ROWS - 1) / MEASURE_ROWS, measure_rows, &w));
    for (size_t i = 0; i < n; i++)
        for (size_t r = 0; r < wave[i].n; r++)
            norm[wave[i].slot[r]] = (float)w.norm[w.first[i] + r];
    CULL_TRY(cull_run_each(run, n, add_heads, &w));
    CULL_TRY(add_columns(&w));
    if (g->groups & CULL_STAT_HESSIAN)
        CULL_TRY(add_hessians(&w));
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

// ---- a layer's sums ----

// Sums of this process's experts alone; pages of the others' are never touched. Only the owner of
// the first slice can sum rows as they come.
static cull_status begin_hessians(cull_stats_pass *g)
{
    const size_t n_hands = g->cal->n_deciders ? g->cal->n_deciders : 1;
    const bool first = cull_stats_pass_completes(g);

    g->hessian = cull_alloc(2 * g->E, sizeof *g->hessian);
    if (!g->hessian)
        return cull_no_memory(g->run->ctx);
    for (size_t i = 0; i < 2 * g->E; i++)
        g->hessian[i].cols = i % 2 ? g->F : g->D;
    if (!first && !g->cal->n_deciders)
        return CULL_OK;
    g->first_own = cull_experts_first(g->E, n_hands, g->cal->decider);
    g->end_own = cull_experts_end(g->E, n_hands, g->cal->decider);
    g->x_hessian = cull_alloc(g->E * g->D * g->D, sizeof(double));
    g->u_hessian = cull_alloc(g->E * g->F * g->F, sizeof(double));
    if (!g->x_hessian || !g->u_hessian)
        return cull_no_memory(g->run->ctx);
    for (size_t i = 2 * g->first_own; first && i < 2 * g->end_own; i++)
        cull_hessian_begin(&g->hessian[i], cull_hessian_sums(g, i));
    return CULL_OK;
}

static cull_status begin_expert(cull_stats_pass *g, cull_expert_sums *sums)
{
    cull_ctx *ctx = g->run->ctx;

    sums->head = (cull_slice_sum){ .n = HEAD + cull_observers_doubles(g),
                                   .merge = merge_heads,
                                   .arg = g,
                                   .first = g->first_slice,
                                   .end = g->end_slice };
    for (size_t c = 0; c < CULL_N_EXPERT_COLUMNS; c++)
        if (g->groups & columns[c].group)
            CULL_TRY(cull_column_sums_init(ctx, &sums->column[c], kind_of(g, c),
                                           columns[c].of == OF_U ? g->F : g->D, g->first_slice,
                                           g->end_slice));
    return CULL_OK;
}

cull_status cull_experts_begin(cull_stats_pass *g, cull_layer_hooks *hooks)
{
    g->expert = cull_alloc(g->E, sizeof *g->expert);
    if (!g->expert)
        return cull_no_memory(g->run->ctx);
    for (size_t e = 0; e < g->E; e++)
        CULL_TRY(begin_expert(g, g->expert + e));
    if (g->groups & CULL_STAT_HESSIAN)
        CULL_TRY(begin_hessians(g));
    hooks->experts = see_experts;
    hooks->want_inner = (g->groups & CULL_STAT_HESSIAN) != 0;
    for (size_t c = 0; c < CULL_N_EXPERT_COLUMNS; c++)
        hooks->want_inner |= columns[c].of == OF_U && (g->groups & columns[c].group);
    return CULL_OK;
}

static void finish_head(cull_stats_pass *g, size_t e)
{
    const cull_layer_stats *s = g->stats;
    const double *total = cull_slice_sum_total(&g->expert[e].head);
    const head *h = (const head *)(const void *)total;

    if (!h)
        return;
    ((double *)s->count)[e] = h->count;
    ((double *)s->gate_sum)[e] = h->gate;
    ((double *)s->gate_sq)[e] = h->gate_sq;
    cull_observers_total(g, total + HEAD);
    if (!(g->groups & CULL_STAT_OUTPUT_NORM))
        return;
    ((double *)s->norm_sum)[e] = h->norm;
    ((double *)s->norm_sq)[e] = h->norm_sq;
    ((double *)s->gate_norm)[e] = h->gate_norm;
    ((double *)s->norm_max)[e] = h->norm_max;
    ((double *)s->max_signed)[e] = h->max_signed;
    ((double *)s->max_abs)[e] = h->max_abs;
}

static void total(cull_stats_pass *g, size_t e, cull_expert_columns column, size_t q,
                  const double *field)
{
    cull_column_sums *sums = &g->expert[e].column[column];

    if (sums->cols)
        cull_column_sums_total(sums, q, (double *)(uintptr_t)field + e * sums->cols);
}

static void divide(double by, size_t n, double *sums)
{
    for (size_t i = 0; i < n; i++)
        sums[i] = by > 0.0 ? sums[i] / by : 0.0;
}

static void finish_columns(cull_stats_pass *g, size_t e)
{
    const cull_layer_stats *s = g->stats;

    total(g, e, CULL_Y_MOMENTS, 0, s->mean);
    total(g, e, CULL_Y_MOMENTS, 1, s->var);
    total(g, e, CULL_Y_MOMENTS, 2, s->mean_gate);
    total(g, e, CULL_X_SQUARES, 0, s->x_sq);
    total(g, e, CULL_U_SQUARES, 0, s->u_sq);
    total(g, e, CULL_U_SPREAD, 0, s->u_mean);
    total(g, e, CULL_U_SPREAD, 1, s->u_var);
    total(g, e, CULL_X_GATED, 0, s->gx_sq);
    total(g, e, CULL_U_GATED, 0, s->gu_sq);
    total(g, e, CULL_U_PEAKS, 0, s->gu_peak);
    if (g->groups & CULL_STAT_OUTPUT_MOMENTS) {
        divide(s->count[e] - 1.0, g->D, (double *)s->var + e * g->D);
        divide(s->gate_sq[e], g->D, (double *)s->mean_gate + e * g->D);
    }
    if (g->groups & CULL_STAT_CHANNEL_MOMENTS)
        divide(s->count[e] - 1.0, g->F, (double *)s->u_var + e * g->F);
}

void cull_experts_finish(cull_stats_pass *g)
{
    for (size_t e = 0; e < g->E; e++) {
        finish_head(g, e);
        finish_columns(g, e);
    }
}

cull_status cull_stats_pass_finish_hessians(cull_stats_pass *g)
{
    if (!g->x_hessian)
        return CULL_OK;
    g->stats->x_hessian = g->x_hessian;
    g->stats->u_hessian = g->u_hessian;
    return cull_hessians_finish(g->run, 2 * (g->end_own - g->first_own),
                                g->hessian + 2 * g->first_own);
}

void cull_experts_leave(cull_stats_pass *g)
{
    for (size_t e = 0; g->expert && e < g->E; e++) {
        cull_slice_sum_release(&g->expert[e].head);
        for (size_t c = 0; c < CULL_N_EXPERT_COLUMNS; c++)
            cull_column_sums_release(&g->expert[e].column[c]);
    }
    for (size_t i = 0; g->hessian && i < 2 * g->E; i++)
        cull_hessian_release(&g->hessian[i]);
    cull_free(g->expert);
    cull_free(g->hessian);
    cull_free(g->x_hessian);
    cull_free(g->u_hessian);
    g->expert = NULL;
    g->hessian = NULL;
    g->x_hessian = g->u_hessian = NULL;
    g->first_own = g->end_own = 0;
    g->stats->x_hessian = g->stats->u_hessian = NULL;
}
