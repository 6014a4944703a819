// Attention of a pass's rows over their spans' paths.
//
// One item is (span, query head, block of its rows). Pass 1: scores against each ancestor's and the
// span's own keys, one GEMM a span. Pass 2: the softmax of each row over the positions that it may
// see (causal, window, chunk, sinks), in float32 as the reference computes it. Pass 3: weighted
// values, one GEMM a span.
#include <math.h>
#include <string.h>

#include "engine/kv.h"
#include "engine/run.h"
#include "math/gemm.h"
#include "math/rows.h"
#include <cull/kernel.h>

enum { QUERY_BLOCK = 64 };

typedef struct rows_of { // one item's worth
    size_t span, head, first, n;
} rows_of;

typedef struct attention {
    cull_run *run;
    const cull_attention *a;
    const cull_kv *kv;
    const float *q, *k, *v;
    float *out;
    const rows_of *item;
} attention;

// The path of a span from its root, and where each span's columns begin among the scores.
typedef struct path {
    size_t n, total;
    size_t *span, *column;
} path;

static cull_status find_path(const attention *t, cull_arena *arena, size_t span, path *p)
{
    size_t column = 0;

    *p = (path){ 0 };
    for (size_t s = span; s != CULL_ROOT; s = t->kv->span[s].parent)
        p->n++;
    p->span = cull_arena_alloc(arena, p->n, sizeof *p->span);
    p->column = cull_arena_alloc(arena, p->n, sizeof *p->column);
    if (!p->span || !p->column)
        return cull_no_memory(t->run->ctx);
    for (size_t s = span, i = p->n; s != CULL_ROOT; s = t->kv->span[s].parent)
        p->span[--i] = s;
    for (size_t i = 0; i < p->n; i++) {
        p->column[i] = column;
        column += t->kv->span[p->span[i]].n_kv;
    }
    p->total = column;
    return CULL_OK;
}

// Softmax of scores[lo, hi) in place with the sink's extra logit; the rest of (n) becomes 0.
static void softmax_range(float *s, size_t n, size_t lo, size_t hi, float scale, const float *sink)
{
    cull_row_scale(hi - lo, s + lo, scale);
    float top = cull_row_max(hi - lo, s + lo);
    if (sink && *sink > top)
        top = *sink;
    double sum = cull_row_exp(hi - lo, s + lo, top);
    if (sink)
        sum += (double)cull_exp(*sink - top);
    cull_row_scale(hi - lo, s + lo, (float)(1.0 / sum));
    memset(s, 0, lo * sizeof *s);
    memset(s + hi, 0, (n - hi) * sizeof *s);
}

// The columns that the row at position `pos` sees; columns run with positions from the root's.
static void visible(const cull_attention *a, size_t pos, size_t root, size_t *lo, size_t *hi)
{
    size_t from = 0;

    if (a->window && pos + 1 > a->window)
        from = pos + 1 - a->window;
    if (a->chunk && pos / a->chunk * a->chunk > from)
        from = pos / a->chunk * a->chunk;
    *lo = from > root ? from - root : 0;
    *hi = pos + 1 - root;
}

static cull_status attend_item(void *arg, size_t i, size_t worker)
{
    const attention *t = arg;
    const cull_attention *a = t->a;
    const rows_of *it = t->item + i;
    const cull_span *own = t->kv->span + it->span;
    const size_t ldq = a->H * a->qk_width, ldk = a->KV * a->qk_width;
    const size_t ldv = a->KV * a->v_width, ldo = a->H * a->v_width;
    const size_t group = it->head / (a->H / a->KV);
    cull_arena *arena = t->run->worker[worker].arena;
    const cull_mark mark = cull_arena_mark(arena);
    const float *q = t->q + (own->row_first + it->first) * ldq + it->head * a->qk_width;
    float *out = t->out + (own->row_first + it->first) * ldo + it->head * a->v_width;
    path p;

    CULL_TRY(find_path(t, arena, it->span, &p));
    const size_t first_pos = own->pos + own->n_kv - own->n_rows + it->first;
    const size_t root = t->kv->span[p.span[0]].pos;
    const size_t n_keys = first_pos + it->n - root; // up to the block's last row
    float *scores = cull_arena_room(arena, it->n * n_keys, sizeof *scores);
    if (!scores)
        return cull_no_memory(t->run->ctx);

    for (size_t s = 0; s < p.n; s++) {
        const cull_span *key = t->kv->span + p.span[s];
        const size_t left = n_keys - p.column[s];
        const size_t n = key->n_kv < left ? key->n_kv : left;
        if (!cull_gemm_f32(false, true, it->n, n, a->qk_width, 1.0f, q, ldq,
                           t->k + key->kv_first * ldk + group * a->qk_width, ldk, 0.0f,
                           scores + p.column[s], n_keys))
            return cull_no_memory(t->run->ctx);
    }
    for (size_t r = 0; r < it->n; r++) {
        size_t lo, hi;
        visible(a, first_pos + r, root, &lo, &hi);
        softmax_range(scores + r * n_keys, n_keys, lo, hi, a->scale,
                      a->sinks ? a->sinks + it->head : NULL);
    }
    for (size_t s = 0; s < p.n; s++) {
        const cull_span *key = t->kv->span + p.span[s];
        const size_t left = n_keys - p.column[s];
        const size_t n = key->n_kv < left ? key->n_kv : left;
        if (!cull_gemm_f32(false, false, it->n, a->v_width, n, 1.0f, scores + p.column[s], n_keys,
                           t->v + key->kv_first * ldv + group * a->v_width, ldv,
                           s == 0 ? 0.0f : 1.0f, out, ldo))
            return cull_no_memory(t->run->ctx);
    }
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

static size_t list_items(const cull_kv *kv, size_t H, rows_of *item)
{
    size_t n = 0;

    for (size_t s = 0; s < kv->n_spans; s++)
        for (size_t first = 0; first < kv->span[s].n_rows; first += QUERY_BLOCK)
            for (size_t h = 0; h < H; h++, n++) {
                const size_t left = kv->span[s].n_rows - first;
                if (item)
                    item[n] = (rows_of){ s, h, first, left < QUERY_BLOCK ? left : QUERY_BLOCK };
            }
    return n;
}

// Put the pass's keys and values where their spans keep them.
static void keep(const cull_kv *kv, const cull_attention *a, const float *k, const float *v)
{
    const size_t ldk = a->KV * a->qk_width, ldv = a->KV * a->v_width;

    for (size_t s = 0; s < kv->n_spans; s++) {
        const cull_span *sp = kv->span + s;
        const size_t to = sp->kv_first + sp->n_kv - sp->n_rows;
        memcpy(kv->store + to * ldk, k + sp->row_first * ldk, sp->n_rows * ldk * sizeof *k);
        memcpy(kv->store + kv->store_rows * ldk + to * ldv, v + sp->row_first * ldv,
               sp->n_rows * ldv * sizeof *v);
    }
}

cull_status cull_attention_rows(cull_pass *pass, const cull_attention *a, const float *q,
                                const float *k, const float *v, float *out)
{
    cull_piece *piece = pass->core;
    cull_run *run = piece->run;
    const cull_kv *kv = piece->kv;

    if (!kv || a->H == 0 || a->KV == 0 || a->H % a->KV != 0)
        return cull_fail(run->ctx, CULL_EPLUGIN,
                         "attention of layer %zu: %zu query heads for %zu "
                         "key heads",
                         piece->layer, a->H, a->KV);
    attention t = { run, a, kv, q, k, v, out, NULL };
    if (kv->store) {
        keep(kv, a, k, v);
        t.k = kv->store;
        t.v = kv->store + kv->store_rows * a->KV * a->qk_width;
    }
    cull_arena *arena = cull_piece_arena(piece);
    const cull_mark mark = cull_arena_mark(arena);
    const size_t n = list_items(kv, a->H, NULL);
    rows_of *item = cull_arena_room(arena, n, sizeof *item);
    if (!item)
        return cull_no_memory(run->ctx);
    (void)list_items(kv, a->H, item);
    t.item = item;
    CULL_TRY(cull_run_each(run, n, attend_item, &t));
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}
