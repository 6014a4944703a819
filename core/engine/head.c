// From the last hidden states to log-probabilities, arg-maxes and divergences.
#include "engine/head.h"

#include <math.h>
#include <string.h>

#include "base/call.h"
#include "math/rows.h"

enum { LOGIT_BYTES = 32 << 20, HEAD_ROWS_MOST = 256, BLOCKS_A_WORKER = 8 };

static size_t rows_at_once(const cull_run *run)
{
    const size_t fit = LOGIT_BYTES / (run->m->facts->V * sizeof(float));

    if (fit > HEAD_ROWS_MOST)
        return HEAD_ROWS_MOST;
    return fit ? fit : 1;
}

// Logits of n gathered rows: final norm, head, scale, cap. Outer or inner piece.
static cull_status logits_of(cull_piece *piece, size_t n, const float *h, float *hn, float *logits)
{
    cull_run *run = piece->run;
    const size_t D = run->m->facts->D, V = run->m->facts->V;
    const float scale = (float)run->m->facts->logit_scale;
    const float cap = (float)run->m->facts->logit_cap;

    piece->pass.core = piece;
    CULL_TRY(CULL_CALL(run->ctx, run->m->plugin, SIZE_MAX, norm,
                       run->m->backend->norm(&piece->pass, run->m->model, n, h, hn)));
    CULL_TRY(cull_linear(&piece->pass, (cull_matrix_id){ CULL_NONE, CULL_PART_HEAD, CULL_NONE }, n,
                         hn, D, logits, V));
    if (run->m->facts->logit_scale != 1.0)
        cull_row_scale(n * V, logits, scale);
    if (cap > 0)
        for (size_t i = 0; i < n * V; i++)
            logits[i] = cap * tanhf(logits[i] / cap);
    return CULL_OK;
}

// Dense logits a beside a variant's b.
static void compare(size_t V, const float *a, double lse_a, const float *b, double lse_b,
                    cull_logprob *out)
{
    double divergence, overlap;

    cull_row_compare(V, a, lse_a, b, lse_b, &divergence, &overlap);
    out->kl = divergence > 0.0 ? (float)divergence : 0.0f;
    out->overlap = overlap < 1.0 ? overlap : 1.0;
}

typedef struct scoring {
    cull_run *run;
    const cull_query *query;
    size_t n_streams, dense;
    const float *const *h;
    cull_logprob *const *score;
    const size_t *block; // first query of each block of distinct rows, and the end
} scoring;

typedef struct row_sum {
    double lse;
    size_t best;
} row_sum;

typedef struct head_scratch {
    size_t *row;           // distinct rows of the block
    size_t *of;            // (queries of the block) which of them
    float *x, *hn;         // (n, D)
    float *logits, *dense; // (n, V)
    row_sum *sum, *dense_sum;
    size_t n;
} head_scratch;

static void list_rows(const scoring *t, size_t block, head_scratch *s)
{
    const size_t first = t->block[block];

    s->n = 0;
    for (size_t q = first; q < t->block[block + 1]; q++) {
        if (s->n == 0 || s->row[s->n - 1] != t->query[q].row)
            s->row[s->n++] = t->query[q].row;
        s->of[q - first] = s->n - 1;
    }
}

static cull_status take_scratch(const scoring *t, cull_arena *arena, size_t room, size_t queries,
                                head_scratch *s)
{
    const size_t D = t->run->m->facts->D, V = t->run->m->facts->V;
    const bool dense = t->dense != SIZE_MAX;

    *s = (head_scratch){ 0 };
    s->row = cull_arena_alloc(arena, room, sizeof *s->row);
    s->of = cull_arena_alloc(arena, queries, sizeof *s->of);
    s->x = cull_arena_room(arena, room * D, sizeof *s->x);
    s->hn = cull_arena_room(arena, room * D, sizeof *s->hn);
    s->logits = cull_arena_room(arena, room * V, sizeof *s->logits);
    s->sum = cull_arena_alloc(arena, room, sizeof *s->sum);
    s->dense_sum = cull_arena_alloc(arena, room, sizeof *s->dense_sum);
    s->dense = dense ? cull_arena_room(arena, room * V, sizeof *s->dense) : NULL;
    if (!s->row || !s->of || !s->x || !s->hn || !s->logits || !s->sum || !s->dense_sum ||
        (dense && !s->dense))
        return cull_no_memory(t->run->ctx);
    return CULL_OK;
}

// One stream's rows of a block.
typedef struct stream_rows {
    const scoring *t;
    size_t block, stream;
    const head_scratch *scratch;
    float *logits;
    row_sum *sum;
} stream_rows;

static cull_status sum_row(void *arg, size_t i, size_t worker)
{
    const stream_rows *r = arg;
    const size_t V = r->t->run->m->facts->V;
    const float *z = r->logits + i * V;

    (void)worker;
    r->sum[i].best = cull_row_argmax(V, z);
    r->sum[i].lse = (double)z[r->sum[i].best] + log(cull_row_exp_sum(V, z, z[r->sum[i].best]));
    return CULL_OK;
}

static cull_status answer(void *arg, size_t k, size_t worker)
{
    const stream_rows *r = arg;
    const scoring *t = r->t;
    const head_scratch *s = r->scratch;
    const size_t V = t->run->m->facts->V, q = t->block[r->block] + k, i = s->of[k];
    const size_t target = (size_t)t->query[q].target;
    cull_logprob *out = t->score[r->stream] + q;

    (void)worker;
    out->ll = (float)((double)r->logits[i * V + target] - r->sum[i].lse);
    out->argmax = r->sum[i].best == target;
    if (t->dense == SIZE_MAX)
        return CULL_OK;
    out->top1 = r->sum[i].best == s->dense_sum[i].best;
    out->kl = 0.0f;
    out->overlap = 1.0;
    if (r->stream != t->dense)
        compare(V, s->dense + i * V, s->dense_sum[i].lse, r->logits + i * V, r->sum[i].lse, out);
    return CULL_OK;
}

static cull_status score_stream(cull_piece *piece, stream_rows *r)
{
    const scoring *t = r->t;
    const head_scratch *s = r->scratch;
    const size_t D = t->run->m->facts->D;

    for (size_t i = 0; i < s->n; i++)
        memcpy(s->x + i * D, t->h[r->stream] + s->row[i] * D, D * sizeof *s->x);
    CULL_TRY(logits_of(piece, s->n, s->x, s->hn, r->logits));
    CULL_TRY(cull_piece_each(piece, s->n, sum_row, r));
    return cull_piece_each(piece, t->block[r->block + 1] - t->block[r->block], answer, r);
}

static cull_status score_block(void *arg, size_t block, size_t worker)
{
    const scoring *t = arg;
    cull_piece piece = cull_piece_of(t->run, worker);
    cull_arena *arena = cull_piece_arena(&piece);
    const cull_mark mark = cull_arena_mark(arena);
    head_scratch s;

    CULL_TRY(
        take_scratch(t, arena, rows_at_once(t->run), t->block[block + 1] - t->block[block], &s));
    list_rows(t, block, &s);
    if (t->dense != SIZE_MAX) {
        stream_rows dense = { t, block, t->dense, &s, s.dense, s.dense_sum };
        CULL_TRY(score_stream(&piece, &dense));
    }
    for (size_t i = 0; i < t->n_streams; i++) {
        stream_rows r = { t, block, i, &s, s.logits, s.sum };
        if (i != t->dense)
            CULL_TRY(score_stream(&piece, &r));
    }
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

// At the end of blocks that are shared out threads wait for half a block of all streams: few blocks
// go one by one, and threads share a block's tiles and rows.
static bool few_blocks(const cull_run *run, size_t n)
{
    return n < BLOCKS_A_WORKER * run->n_workers;
}

cull_status cull_head_scores(cull_run *run, size_t n, const cull_query *query, size_t n_streams,
                             const float *const *h, size_t dense, cull_logprob *const *score)
{
    cull_arena *arena = run->worker[run->n_workers].arena;
    const cull_mark mark = cull_arena_mark(arena);
    const size_t most = rows_at_once(run);
    size_t *block = cull_arena_alloc(arena, n + 1, sizeof *block);
    size_t n_blocks = 0, rows = 0;

    if (!block)
        return cull_no_memory(run->ctx);
    for (size_t q = 0; q < n; q++) {
        const bool fresh = q == 0 || query[q].row != query[q - 1].row;
        if (query[q].target < 0 || (size_t)query[q].target >= run->m->facts->V)
            return cull_fail(run->ctx, CULL_EINVAL,
                             "token id %d is not within the vocabulary of %zu",
                             (int)query[q].target, run->m->facts->V);
        if (fresh && rows % most == 0)
            block[n_blocks++] = q;
        rows += fresh;
    }
    block[n_blocks] = n;
    scoring t = { run, query, n_streams, dense, h, score, block };
    CULL_TRY((few_blocks(run, n_blocks) ? cull_run_in_turn : cull_run_each)(run, n_blocks,
                                                                            score_block, &t));
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

cull_status cull_head_logits(cull_run *run, size_t n, const float *h, float *logits)
{
    cull_arena *arena = run->worker[run->n_workers].arena;
    const size_t D = run->m->facts->D, V = run->m->facts->V;
    const size_t most = rows_at_once(run);

    for (size_t i = 0; i < n; i += most) {
        const cull_mark mark = cull_arena_mark(arena);
        const size_t count = n - i < most ? n - i : most;
        cull_piece piece = cull_piece_outer(run);
        float *hn = cull_arena_room(arena, count * D, sizeof *hn);
        if (!hn)
            return cull_no_memory(run->ctx);
        CULL_TRY(logits_of(&piece, count, h + i * D, hn, logits + i * V));
        cull_arena_rewind(arena, mark);
    }
    return CULL_OK;
}

cull_status cull_head_argmax(cull_run *run, size_t n, const float *h,
                             void (*bend)(void *arg, size_t row, float *logits), void *arg,
                             int32_t *best)
{
    cull_arena *arena = run->worker[run->n_workers].arena;
    const size_t D = run->m->facts->D, V = run->m->facts->V;
    const size_t most = rows_at_once(run);
    const cull_mark mark = cull_arena_mark(arena);
    float *logits = cull_arena_room(arena, (n < most ? n : most) * V, sizeof *logits);

    if (!logits)
        return cull_no_memory(run->ctx);
    for (size_t i = 0; i < n; i += most) {
        const size_t count = n - i < most ? n - i : most;
        CULL_TRY(cull_head_logits(run, count, h + i * D, logits));
        for (size_t r = 0; r < count; r++) {
            if (bend)
                bend(arg, i + r, logits + r * V);
            const bool finite = cull_row_is_finite(V, logits + r * V);
            best[i + r] = finite ? (int32_t)cull_row_argmax(V, logits + r * V) : -1;
        }
    }
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}
