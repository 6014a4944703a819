// One evaluation pass: all requests of all variants, in one visit of each layer.
#include <stdlib.h>

#include "base/memory.h"
#include "engine/generate.h"
#include "engine/head.h"
#include "engine/progress.h"
#include "engine/streams.h"

typedef struct evaluating {
    cull_run run;
    const cull_engine_options *options;
    cull_streams streams;
    size_t n_variants; // the caller's
    size_t dense;      // index of the dense variant among the streams', SIZE_MAX: not asked for
    size_t n;          // requests
    const cull_request *const *request;
    cull_answer *answer; // (n_variants, n)
    cull_forest forest;
    size_t *end; // (SCORE requests) segment, by `scored`
    size_t n_scored;
    uint32_t *scored; // (n_scored) which requests
    size_t n_queries;
    cull_query *query;
} evaluating;

// ---- requests become a forest and queries ----

static cull_status check_request(cull_ctx *ctx, const cull_request *r, size_t i)
{
    if (r->scored == 0 || r->scored >= r->n)
        return cull_fail(ctx, CULL_EPLUGIN,
                         "request %zu scores %zu of %zu ids; the first has no context", i,
                         r->scored, r->n);
    return CULL_OK;
}

static cull_status build_forest(evaluating *t)
{
    cull_ctx *ctx = t->run.ctx;
    cull_ids *seq = cull_scratch(ctx, t->n + 1, sizeof *seq);

    t->scored = cull_scratch(ctx, t->n + 1, sizeof *t->scored);
    t->end = cull_scratch(ctx, t->n + 1, sizeof *t->end);
    if (!seq || !t->scored || !t->end)
        return CULL_ENOMEM;
    for (size_t i = 0; i < t->n; i++) {
        if (t->request[i]->kind != CULL_SCORE)
            continue;
        CULL_TRY(check_request(ctx, t->request[i], i));
        seq[t->n_scored] = (cull_ids){ t->request[i]->ids, t->request[i]->n - 1 };
        t->scored[t->n_scored++] = (uint32_t)i;
        t->n_queries += t->request[i]->scored;
    }
    return cull_forest_build(ctx, t->n_scored, seq, true, t->run.m->facts->rope_switch, &t->forest,
                             t->end);
}

static int by_row(const void *a, const void *b)
{
    const cull_query *x = a, *y = b;

    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    if (x->request != y->request)
        return x->request < y->request ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static cull_status build_queries(evaluating *t)
{
    size_t longest = 1, q = 0;

    for (size_t i = 0; i < t->n_scored; i++)
        if (t->request[t->scored[i]]->n > longest)
            longest = t->request[t->scored[i]]->n;
    size_t *row = cull_scratch(t->run.ctx, longest, sizeof *row);
    t->query = cull_scratch(t->run.ctx, t->n_queries + 1, sizeof *t->query);
    if (!row || !t->query)
        return CULL_ENOMEM;
    for (size_t i = 0; i < t->n_scored; i++) {
        const cull_request *r = t->request[t->scored[i]];
        cull_forest_path(&t->forest, t->end[i], row);
        for (size_t j = 0; j < r->scored; j++) {
            const size_t target = r->n - r->scored + j;
            t->query[q++] =
                (cull_query){ row[target - 1], r->ids[target], t->scored[i], (uint32_t)j };
        }
    }
    qsort(t->query, t->n_queries, sizeof *t->query, by_row);
    return CULL_OK;
}

// ---- answers ----

static cull_status begin_answers(evaluating *t)
{
    for (size_t v = 0; v < t->n_variants; v++)
        for (size_t i = 0; i < t->n; i++) {
            cull_answer *a = t->answer + v * t->n + i;
            *a = (cull_answer){ .size = sizeof(cull_answer), .greedy = true };
            if (t->request[i]->kind != CULL_SCORE || !(t->request[i]->wants & CULL_WANT_TOKENS))
                continue;
            a->token_ll = cull_take(t->run.ctx, t->request[i]->scored, sizeof *a->token_ll);
            if (!a->token_ll)
                return CULL_ENOMEM;
        }
    return CULL_OK;
}

static void add_scores(evaluating *t, size_t v, const cull_query *query, size_t n,
                       const cull_logprob *score)
{
    for (size_t q = 0; q < n; q++) {
        cull_answer *a = t->answer + v * t->n + query[q].request;
        a->ll += (double)score[q].ll;
        a->greedy = a->greedy && score[q].argmax;
        a->kl += (double)score[q].kl;
        a->top1 += score[q].top1;
        a->overlap += score[q].overlap;
        if (a->token_ll)
            ((float *)(uintptr_t)a->token_ll)[query[q].at] = score[q].ll;
    }
}

// The queries whose rows lie in [row0, end).
static const cull_query *queries_in(const evaluating *t, size_t row0, size_t end, size_t *n)
{
    size_t first = 0, last;

    while (first < t->n_queries && t->query[first].row < row0)
        first++;
    for (last = first; last < t->n_queries && t->query[last].row < end;)
        last++;
    *n = last - first;
    return t->query + first;
}

// Rows [row0, end) of the streams, which stand from row `from` on.
static cull_status score_rows(evaluating *t, size_t from, size_t row0, size_t end)
{
    cull_streams *s = &t->streams;
    size_t n;
    const cull_query *in = queries_in(t, row0, end, &n);
    cull_query *query = cull_alloc(n + 1, sizeof *query);
    cull_logprob *all = cull_alloc(s->n * n + 1, sizeof *all);
    cull_logprob **score = cull_alloc(s->n, sizeof *score);
    const float **h = cull_alloc(s->n, sizeof *h);
    const size_t dense = t->dense == SIZE_MAX ? SIZE_MAX : cull_stream_of(s, t->dense);
    cull_status status = query && all && score && h ? CULL_OK : cull_no_memory(t->run.ctx);

    if (status == CULL_OK) {
        for (size_t q = 0; q < n; q++) {
            query[q] = in[q];
            query[q].row -= from;
        }
        for (size_t i = 0; i < s->n; i++) {
            h[i] = s->stream[i].states.h;
            score[i] = all + i * n;
        }
        status = cull_head_scores(&t->run, n, query, s->n, h, dense, score);
    }
    for (size_t i = 0; status == CULL_OK && i < s->n; i++)
        for (size_t j = 0; j < s->stream[i].n_variants; j++)
            if (s->stream[i].variant[j] < t->n_variants)
                add_scores(t, s->stream[i].variant[j], in, n, score[i]);
    cull_free(query);
    cull_free(all);
    cull_free(score);
    cull_free(h);
    return status;
}

// Where states are in a file, so many rows at once as may be resident.
static cull_status answer_rows(evaluating *t, size_t row0, size_t end)
{
    const cull_streams *s = &t->streams;
    const size_t most = s->spill ? cull_block_rows(t->run.m, t->options, s->n) : end - row0;

    for (size_t first = row0; first < end; first += most) {
        const size_t n = end - first < most ? end - first : most;
        CULL_TRY(score_rows(t, row0, first, first + n));
        for (size_t i = 0; i < s->n; i++)
            cull_states_leave(&s->stream[i].states, first - row0, n);
    }
    return CULL_OK;
}

// ---- the pass ----

// Trees whose hidden states, of all histories, fit half of the limit; all, where they need not.
static size_t outer_trees(const evaluating *t, size_t first)
{
    const cull_forest *f = &t->forest;
    const uint64_t row_bytes = (uint64_t)t->streams.most * t->run.m->facts->D * sizeof(float);
    const uint64_t most =
        t->streams.spill ? UINT64_MAX : cull_memory_limit(t->run.m, t->options) / 2 / row_bytes;
    size_t n = 0, rows = 0;

    while (first + n < f->n_trees && (n == 0 || rows + f->tree[first + n].n_rows <= most))
        rows += f->tree[first + n++].n_rows;
    return n;
}

static cull_status run_trees(evaluating *t, size_t first, size_t n)
{
    const cull_tree *last = t->forest.tree + first + n - 1;
    const size_t row0 = t->forest.tree[first].first_row, end = last->first_row + last->n_rows;
    const size_t L = t->run.m->facts->L, steps = L + 1; // the head's is the last
    const double all = (double)t->forest.n_rows * (double)steps;
    double done = (double)row0 * (double)steps;
    cull_status status = cull_streams_begin(&t->run, &t->streams, end - row0);

    if (status == CULL_OK)
        status = cull_embed_states(&t->run, end - row0, t->forest.ids + row0,
                                   &t->streams.stream[0].states);
    for (size_t l = 0; status == CULL_OK && l < L; l++) {
        const double before = done;
        done += (double)(end - row0);
        cull_pass_span(&t->run, before / all, done / all);
        status = cull_streams_layer(&t->run, &t->streams, l, &t->forest, first, n, t->options);
        if (status == CULL_OK)
            status = cull_pass_tell(&t->run, done / all);
    }
    if (status == CULL_OK)
        status = answer_rows(t, row0, end);
    cull_open_model_release_all(t->run.m);
    if (status == CULL_OK)
        status = cull_pass_tell(&t->run, (double)end / (double)t->forest.n_rows);
    cull_streams_clear(&t->streams);
    return status;
}

static bool wants_dense(const evaluating *t)
{
    const uint32_t beside_dense = CULL_WANT_KL | CULL_WANT_TOP1 | CULL_WANT_OVERLAP;

    for (size_t i = 0; i < t->n; i++)
        if (t->request[i]->kind == CULL_SCORE && (t->request[i]->wants & beside_dense))
            return true;
    return false;
}

static cull_keeping keeping(const evaluating *t)
{
    const size_t n = t->forest.n_rows * t->streams.most * t->run.m->facts->D;

    return cull_keep_states(t->run.m, t->options, n * sizeof(float), false);
}

static cull_status run_pass(evaluating *t, const cull_cut *const *cuts)
{
    cull_ctx *ctx = t->run.ctx;
    const cull_cut **cut = cull_scratch(ctx, t->n_variants + 1, sizeof *cut);

    if (!cut)
        return CULL_ENOMEM;
    for (size_t v = 0; v < t->n_variants; v++)
        cut[v] = cuts[v];
    t->dense = wants_dense(t) ? t->n_variants : SIZE_MAX;
    CULL_TRY(cull_streams_init(ctx, t->run.m->facts->L, t->n_variants + wants_dense(t), cut,
                               &t->streams));
    CULL_TRY(begin_answers(t));
    CULL_TRY(build_forest(t));
    CULL_TRY(build_queries(t));
    if (keeping(t).spilled)
        t->streams.spill = t->options->spill;
    cull_pass_begin(&t->run, "evaluating", t->forest.n_rows);
    for (size_t first = 0; first < t->forest.n_trees;) {
        const size_t n = outer_trees(t, first);
        CULL_TRY(run_trees(t, first, n));
        t->run.cost.passes++;
        first += n;
    }
    const cull_status status =
        cull_generate(&t->run, t->options, t->n_variants, cuts, t->n, t->request, t->answer);
    cull_open_model_release_all(t->run.m);
    return status;
}

cull_status cull_evaluate_pass(cull_ctx *ctx, const cull_open_model *m,
                               const cull_engine_options *options, size_t n_variants,
                               const cull_cut *const *cuts, size_t n,
                               const cull_request *const *requests, cull_answer *answers,
                               cull_cost_seen *cost)
{
    evaluating t = {
        .options = options, .n_variants = n_variants, .n = n, .request = requests, .answer = answers
    };
    cull_status status = cull_run_init(&t.run, ctx, m, cull_precision_option(options));

    if (status == CULL_OK)
        status = run_pass(&t, cuts);
    const cull_cost_seen seen = cull_run_cost(&t.run);
    if (cost)
        cull_cost_add(cost, &seen);
    cull_pass_end(&t.run);
    cull_run_release(&t.run);
    return status;
}
