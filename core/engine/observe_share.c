// A layer's sums as one array of doubles, for processes that own slices of the same sequences.
#include "base/memory.h"
#include "engine/deal.h"
#include "engine/observe_sums.h"

// A walk over sums that writes them (out), adds what others wrote (in), or counts; or empties them.
typedef struct walk {
    double *out;
    const double *in;
    size_t n; // doubles so far
    bool emptying, failed;
} walk;

static void step(walk *w, cull_slice_sum *s)
{
    if (w->emptying) {
        s->held = s->first = 0;
        s->end = CULL_SLICES;
    } else if (w->in) {
        const size_t n = w->failed ? 0 : cull_slice_sum_take(s, w->in + w->n);
        w->failed = w->failed || n == 0;
        w->n += n;
    } else {
        w->n += cull_slice_sum_put(s, w->out ? w->out + w->n : NULL);
    }
}

static void step_columns(walk *w, cull_column_sums *sums)
{
    for (size_t i = 0; i < sums->n_chunks; i++)
        step(w, sums->chunk + i);
}

static void take_ratios(walk *w, cull_stats_pass *g)
{
    const size_t n = (size_t)w->in[w->n++];

    w->failed = w->failed || cull_ratios_reserve(g, n) != CULL_OK;
    for (size_t i = 0; i < n && !w->failed; i++)
        g->ratio[g->n_ratios++] = (float)w->in[w->n + i];
    w->n += n;
}

// Tokens, those of the subsample, and the ratios of gates.
static void step_rows(walk *w, cull_stats_pass *g)
{
    if (w->emptying) {
        g->n_tokens = g->n_dense = g->n_ratios = 0;
    } else if (w->in && !w->failed) {
        g->n_tokens += (uint64_t)w->in[w->n++];
        g->n_dense += (uint64_t)w->in[w->n++];
        take_ratios(w, g);
    } else if (!w->in) {
        if (w->out) {
            w->out[w->n] = (double)g->n_tokens;
            w->out[w->n + 1] = (double)g->n_dense;
            w->out[w->n + 2] = (double)g->n_ratios;
            for (size_t i = 0; i < g->n_ratios; i++)
                w->out[w->n + 3 + i] = (double)g->ratio[i];
        }
        w->n += 3 + g->n_ratios;
    }
}

static void step_layer(walk *w, cull_stats_pass *g)
{
    for (size_t p = 0; p < CULL_N_PARTS; p++)
        step_columns(w, &g->part[p]);
    for (size_t i = 0; i < CULL_N_SIDE_SUMS; i++)
        step_columns(w, &g->side[i]);
    for (size_t e = 0; g->expert && e < g->E; e++) {
        step(w, &g->expert[e].head);
        for (size_t c = 0; c < CULL_N_EXPERT_COLUMNS; c++)
            step_columns(w, &g->expert[e].column[c]);
    }
    for (size_t i = 0; i < g->n_chunks; i++)
        step(w, g->chunk + i);
    for (size_t e = 0; g->dense_mean && e < g->E; e++)
        step_columns(w, g->dense_mean + e);
    for (size_t e = 0; g->dense_gated && e < g->E; e++)
        step_columns(w, g->dense_gated + e);
    step(w, &g->tokens);
    step(w, &g->turn);
    step_rows(w, g);
}

static void step_pairs(walk *w, cull_stats_pass *g)
{
    step(w, &g->pairs);
}

static cull_status exchange(cull_stats_pass *g, void (*each)(walk *, cull_stats_pass *), size_t n,
                            const double *own)
{
    const cull_calibration *cal = g->cal;
    const double *const *part;
    size_t n_parts;

    CULL_TRY(cal->share(cal->share_arg, g->run->ctx, 0, n, own, &n_parts, &part));
    for (size_t i = 0; i < n_parts; i++) {
        walk in = { .in = part[i] };
        each(&in, g);
        if (in.failed)
            return cull_no_memory(g->run->ctx);
    }
    return CULL_OK;
}

static cull_status share(cull_stats_pass *g, void (*each)(walk *, cull_stats_pass *))
{
    walk count = { 0 }, empty = { .emptying = true };

    if (!g->cal->share)
        return CULL_OK;
    each(&count, g);
    walk out = { .out = cull_alloc(count.n, sizeof *out.out) };
    if (!out.out)
        return cull_no_memory(g->run->ctx);
    each(&out, g);
    each(&empty, g);
    const cull_status status = exchange(g, each, out.n, out.out);
    cull_free(out.out);
    return status;
}

bool cull_stats_pass_completes(const cull_stats_pass *g)
{
    return !g->cal->share || g->first_slice == 0;
}

// ---- rows of Hessians ----

enum { AT_ONCE = 16 }; // Hessians whose rows are handed over together

static cull_status add_part(cull_stats_pass *g, size_t first, size_t n, const double *in)
{
    cull_arena *arena = g->run->worker[g->run->n_workers].arena;
    const cull_mark mark = cull_arena_mark(arena);
    cull_hessian_rows *part = cull_arena_alloc(arena, n, sizeof *part);

    if (!part)
        return cull_no_memory(g->run->ctx);
    for (size_t i = 0; i < n; i++) {
        const float **row;
        cull_hessian *to = g->hessian + first + i;
        in += cull_hessian_listed(in, to->cols, arena, &part[i].n, &row);
        if (!row)
            return cull_no_memory(g->run->ctx);
        part[i].to = to;
        part[i].row = row;
    }
    const cull_status status = cull_hessians_add(g->run, n, part);
    cull_arena_rewind(arena, mark);
    return status;
}

// Rows that were kept are handed over now, to this process, where sums begin, or to another.
static void begin_sums(cull_stats_pass *g, bool here, size_t first, size_t n)
{
    for (size_t i = first; i < first + n; i++)
        if (!g->hessian[i].h)
            cull_hessian_begin(&g->hessian[i], here ? cull_hessian_sums(g, i) : NULL);
}

// In ascending order of slices: those that process `to` summed itself as they came are the first.
static cull_status share_hessians(cull_stats_pass *g, size_t to, size_t first, size_t n)
{
    const cull_calibration *cal = g->cal;
    const double *const *part;
    size_t n_parts, words = 0;

    for (size_t i = 0; i < n; i++)
        words += cull_hessian_put(g->hessian + first + i, NULL);
    double *own = cull_alloc(words, sizeof *own);
    if (!own)
        return cull_no_memory(g->run->ctx);
    words = 0;
    for (size_t i = 0; i < n; i++)
        words += cull_hessian_put(g->hessian + first + i, own + words);
    cull_status status = cal->share(cal->share_arg, g->run->ctx, to, words, own, &n_parts, &part);
    if (status == CULL_OK)
        begin_sums(g, n_parts > 0, first, n);
    for (size_t i = 0; status == CULL_OK && i < n_parts; i++)
        status = add_part(g, first, n, part[i]);
    cull_free(own);
    return status;
}

cull_status cull_stats_pass_share(cull_stats_pass *g)
{
    const size_t n_hands = g->cal->n_deciders ? g->cal->n_deciders : 1;

    CULL_TRY(share(g, step_layer));
    for (size_t to = 0; g->cal->share && g->hessian && to < n_hands; to++) {
        const size_t end = 2 * cull_experts_end(g->E, n_hands, to);
        for (size_t i = 2 * cull_experts_first(g->E, n_hands, to), n; i < end; i += n) {
            n = end - i < AT_ONCE ? end - i : AT_ONCE;
            CULL_TRY(share_hessians(g, to, i, n));
        }
    }
    return CULL_OK;
}

// ---- what all that decide are to know ----

cull_status cull_stats_pass_tell(cull_stats_pass *g)
{
    const cull_calibration *cal = g->cal;
    cull_stats *stats = cull_stats_store_edit(g->store);

    if (!cal->n_deciders)
        return CULL_OK;
    const size_t n = 2 + cull_stats_store_put(g->store, g->l, cal->told, NULL);
    double *told = cull_alloc(n, sizeof *told);
    if (!told)
        return cull_no_memory(g->run->ctx);
    told[0] = (double)stats->tokens;
    told[1] = (double)g->stats->tokens;
    (void)cull_stats_store_put(g->store, g->l, cal->told, told + 2);
    const cull_status status = cal->tell(cal->share_arg, g->run->ctx, n * sizeof *told, told);
    if (status == CULL_OK) {
        stats->tokens = (uint64_t)told[0];
        g->stats->tokens = (uint64_t)told[1];
        cull_stats_store_take(g->store, g->l, cal->told, told + 2);
    }
    cull_free(told);
    return status;
}

cull_status cull_stats_pass_share_pairs(cull_stats_pass *g)
{
    return share(g, step_pairs);
}
