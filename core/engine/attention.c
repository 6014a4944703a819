// Attention of a pass's rows over their spans' paths, tile by tile with an online softmax.
//
// One item is (span, key head, some of the span's positions): the rows of all query heads that
// share the key head. Keys and values of the path come in tiles of KEY_TILE positions, whose origin
// is position 0, gathered from whatever spans hold them and made ready for products once: so a row
// meets the same tiles whether its prefix is shared, kept, or computed beside it. The last tile
// holds as many keys as there are, in steps that change no bit (tests/unit/math). Per tile of keys
// and tile of query rows: scores, one softmax step of each row over the positions that it may see
// (causal, window, chunk; a sink is what the softmax begins with), weighted values. A tile of which
// a row sees nothing leaves that row as it was, so what no row sees is left out.
#include <math.h>
#include <string.h>

#include "engine/kv.h"
#include "engine/run.h"
#include "math/gemm.h"
#include "math/rows.h"

enum { KEY_TILE = 128, KEY_STEP = 64, QUERY_TILE = 64, ROW_STEP = 8, ITEM_ROWS = 512 };

typedef struct rows_of { // positions [first, first + n) of a span's rows, for one key head
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

// The rows of an item: position by position, the group's heads of each.
typedef struct queries {
    const attention *t;
    const rows_of *item;
    size_t group;     // heads
    size_t root, end; // positions of the path
    size_t first_pos; // of the item
    size_t n;         // rows
    size_t *path;     // spans from the root
    size_t n_path;
    float *q, *acc;        // (padded n, qk_width), (padded n, v_width)
    float *top;            // (n)
    double *sum;           // (n)
    float *gathered;       // (KEY_TILE, wider of both)
    void *k_room, *v_room; // where tiles are made ready
    float *score;          // (QUERY_TILE, KEY_TILE)
    cull_gemm *gemm;
} queries;

typedef struct key_tile { // of a path's keys and values, ready for products
    size_t from, n;       // first position; KEY_STEP or KEY_TILE of them
    const void *k, *v;
} key_tile;

static cull_status find_path(queries *q, cull_arena *arena)
{
    const cull_kv *kv = q->t->kv;

    for (size_t s = q->item->span; s != CULL_ROOT; s = kv->span[s].parent)
        q->n_path++;
    q->path = cull_arena_alloc(arena, q->n_path, sizeof *q->path);
    if (!q->path)
        return cull_no_memory(q->t->run->ctx);
    for (size_t s = q->item->span, i = q->n_path; s != CULL_ROOT; s = kv->span[s].parent)
        q->path[--i] = s;
    const cull_span *own = kv->span + q->item->span;
    q->root = kv->span[q->path[0]].pos;
    q->end = own->pos + own->n_kv;
    q->first_pos = q->end - own->n_rows + q->item->first;
    return CULL_OK;
}

// The row at position `pos` sees the positions from here to its own.
static size_t first_visible(const queries *q, size_t pos)
{
    const cull_attention *a = q->t->a;
    size_t from = q->root;

    if (a->window && pos + 1 > a->window + from)
        from = pos + 1 - a->window;
    if (a->chunk && pos / a->chunk * a->chunk > from)
        from = pos / a->chunk * a->chunk;
    return from;
}

static size_t position(const queries *q, size_t row)
{
    return q->first_pos + row / q->group;
}

// ---- tiles ----

// A head's rows of n positions from `from` on of the path into `out`; zeros where there are none.
static void gather(const queries *q, size_t from, size_t n, const float *rows, size_t heads,
                   size_t width, float *out)
{
    const size_t before = q->root > from ? q->root - from : 0;
    const size_t held = q->end - from < n ? q->end - from : n;

    memset(out, 0, before * width * sizeof *out);
    memset(out + held * width, 0, (n - held) * width * sizeof *out);
    for (size_t i = 0; i < q->n_path; i++) {
        const cull_span *s = q->t->kv->span + q->path[i];
        const size_t first = s->pos > from ? s->pos : from;
        const size_t end = s->pos + s->n_kv < from + held ? s->pos + s->n_kv : from + held;
        for (size_t p = first; p < end; p++)
            memcpy(out + (p - from) * width,
                   rows + ((s->kv_first + p - s->pos) * heads + q->item->head) * width,
                   width * sizeof *out);
    }
}

// The tile at `from`, of what the rows up to position `last` may see of it.
static key_tile make_tile(const queries *q, size_t from, size_t last)
{
    const cull_attention *a = q->t->a;
    key_tile tile = { .from = from, .n = last - from < KEY_STEP ? KEY_STEP : KEY_TILE };

    gather(q, from, tile.n, q->t->k, a->KV, a->qk_width, q->gathered);
    tile.k = cull_gemm_tile(q->gemm, CULL_PRODUCT_F32, CULL_TILE_F32, tile.n, a->qk_width,
                            q->gathered, q->k_room);
    if (tile.k == q->gathered) // it is ready as it stands, and makes room
        tile.k = memcpy(q->k_room, q->gathered, tile.n * a->qk_width * sizeof *q->gathered);
    gather(q, from, tile.n, q->t->v, a->KV, a->v_width, q->gathered);
    tile.v = cull_gemm_tile_across(q->gemm, a->v_width, tile.n, q->gathered, a->v_width, q->v_room);
    return tile;
}

// A row's scores over a tile become weights, what it has so far is rescaled.
static void weigh(const queries *q, size_t row, const key_tile *tile, float *score)
{
    const cull_attention *a = q->t->a;
    const size_t pos = position(q, row), lo = first_visible(q, pos);
    const size_t first = lo > tile->from ? lo - tile->from : 0;
    const size_t end = pos + 1 < tile->from + tile->n ? pos + 1 - tile->from : tile->n;

    const float factor =
        cull_row_softmax(end - first, score + first, a->scale, q->top + row, q->sum + row);
    if (factor != 1.0f)
        cull_row_scale(a->v_width, q->acc + row * a->v_width, factor);
    memset(score, 0, first * sizeof *score);
    memset(score + end, 0, (tile->n - end) * sizeof *score);
}

static bool sees(const queries *q, size_t row, size_t from)
{
    const size_t pos = position(q, row);

    return pos >= from && first_visible(q, pos) < from + KEY_TILE;
}

// Rows of a product: those of zeros behind the last spare the kernel a case of its own.
static size_t padded(size_t n)
{
    return n < 3 ? n : (n + ROW_STEP - 1) / ROW_STEP * ROW_STEP;
}

// Query rows [first, first + n) meet a tile of keys. false: out of memory.
static bool attend_tile(const queries *q, size_t first, size_t n, const key_tile *tile)
{
    const cull_attention *a = q->t->a;
    const cull_rows_by_tile scores = { .m = padded(n),
                                       .n = tile->n,
                                       .K = a->qk_width,
                                       .ldx = a->qk_width,
                                       .ldy = tile->n,
                                       .x = q->q + first * a->qk_width,
                                       .tile = tile->k,
                                       .y = q->score };
    const cull_rows_by_tile values = { .add = true,
                                       .m = padded(n),
                                       .n = a->v_width,
                                       .K = tile->n,
                                       .ldx = tile->n,
                                       .ldy = a->v_width,
                                       .x = q->score,
                                       .tile = tile->v,
                                       .y = q->acc + first * a->v_width };

    if (position(q, first + n - 1) < tile->from ||
        first_visible(q, position(q, first)) >= tile->from + KEY_TILE)
        return true;
    if (!cull_gemm_rows(q->gemm, &scores))
        return false;
    for (size_t r = 0; r < n; r++) {
        float *score = q->score + r * tile->n;
        if (sees(q, first + r, tile->from))
            weigh(q, first + r, tile, score);
        else
            memset(score, 0, tile->n * sizeof *score);
    }
    return cull_gemm_rows(q->gemm, &values);
}

// ---- items ----

static cull_status make_room(queries *q, cull_arena *arena)
{
    const cull_attention *a = q->t->a;
    const size_t rows = padded(q->n), widest = a->qk_width > a->v_width ? a->qk_width : a->v_width;

    q->q = cull_arena_room(arena, rows * a->qk_width, sizeof *q->q);
    q->acc = cull_arena_alloc(arena, rows * a->v_width, sizeof *q->acc);
    q->top = cull_arena_room(arena, q->n, sizeof *q->top);
    q->sum = cull_arena_room(arena, q->n, sizeof *q->sum);
    q->gathered = cull_arena_room(arena, KEY_TILE * widest, sizeof *q->gathered);
    q->k_room = cull_arena_room(
        arena, cull_gemm_tile_bytes(q->gemm, CULL_PRODUCT_F32, KEY_TILE, a->qk_width), 1);
    q->v_room = cull_arena_room(
        arena, cull_gemm_tile_bytes(q->gemm, CULL_PRODUCT_F32, a->v_width, KEY_TILE), 1);
    q->score = cull_arena_room(arena, QUERY_TILE * KEY_TILE, sizeof *q->score);
    return q->q && q->acc && q->top && q->sum && q->gathered && q->k_room && q->v_room && q->score
               ? CULL_OK
               : cull_no_memory(q->t->run->ctx);
}

static void begin_rows(const queries *q)
{
    const cull_attention *a = q->t->a;
    const cull_span *span = q->t->kv->span + q->item->span;
    const size_t zeros = padded(q->n) - q->n;
    const size_t width = q->group * a->qk_width; // of the group's heads, side by side
    const float *from = q->t->q + (span->row_first + q->item->first) * a->H * a->qk_width;

    for (size_t i = 0; i < q->item->n; i++)
        memcpy(q->q + i * width, from + i * a->H * a->qk_width + q->item->head * width,
               width * sizeof *q->q);
    memset(q->q + q->n * a->qk_width, 0, zeros * a->qk_width * sizeof *q->q);
    for (size_t r = 0; r < q->n; r++) {
        q->top[r] = a->sinks ? a->sinks[q->item->head * q->group + r % q->group] : -INFINITY;
        q->sum[r] = a->sinks ? 1.0 : 0.0;
    }
}

static void end_rows(const queries *q)
{
    const cull_attention *a = q->t->a;
    const cull_span *span = q->t->kv->span + q->item->span;

    for (size_t r = 0; r < q->n; r++) {
        const size_t row = span->row_first + q->item->first + r / q->group;
        const size_t head = q->item->head * q->group + r % q->group;
        float *out = q->t->out + (row * a->H + head) * a->v_width;
        memset(out, 0, a->v_width * sizeof *out);
        cull_row_add(a->v_width, out, (float)(1.0 / q->sum[r]), q->acc + r * a->v_width);
    }
}

static cull_status attend_item(void *arg, size_t i, size_t worker)
{
    const attention *t = arg;
    const cull_attention *a = t->a;
    const rows_of *it = t->item + i;
    const size_t group = a->H / a->KV;
    cull_arena *arena = t->run->worker[worker].arena;
    const cull_mark mark = cull_arena_mark(arena);
    queries q = {
        .t = t, .item = it, .group = group, .n = it->n * group, .gemm = t->run->worker[worker].gemm
    };

    CULL_TRY(find_path(&q, arena));
    CULL_TRY(make_room(&q, arena));
    begin_rows(&q);
    const size_t last = q.first_pos + it->n - 1;
    for (size_t from = first_visible(&q, q.first_pos) / KEY_TILE * KEY_TILE; from <= last;
         from += KEY_TILE) {
        const key_tile tile = make_tile(&q, from, last);
        for (size_t first = 0; first < q.n; first += QUERY_TILE)
            if (!attend_tile(&q, first, q.n - first < QUERY_TILE ? q.n - first : QUERY_TILE, &tile))
                return cull_no_memory(t->run->ctx);
    }
    end_rows(&q);
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

// The longest, which are a span's last, first.
static size_t list_items(const cull_kv *kv, const cull_attention *a, rows_of *item)
{
    const size_t group = a->H / a->KV, most = ITEM_ROWS > group ? ITEM_ROWS / group : 1;
    size_t n = 0;

    for (size_t s = 0; s < kv->n_spans; s++)
        for (size_t left = kv->span[s].n_rows; left > 0;) {
            const size_t first = (left - 1) / most * most;
            for (size_t h = 0; h < a->KV; h++, n++)
                if (item)
                    item[n] = (rows_of){ s, h, first, left - first };
            left = first;
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
    const size_t n = list_items(kv, a, NULL);
    rows_of *item = cull_arena_room(arena, n, sizeof *item);
    if (!item)
        return cull_no_memory(run->ctx);
    (void)list_items(kv, a, item);
    t.item = item;
    CULL_TRY(cull_piece_each(piece, n, attend_item, &t));
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}
