// Variants as streams of rows that part where their cuts do.
#include "engine/streams.h"

#include <string.h>

#include "cut/cut.h"
#include "engine/progress.h"

// ---- keys of layer cuts ----

static bool layer_untouched(const cull_cut *cut, size_t l)
{
    const cull_layer_cut *c;

    if (!cut)
        return true;
    c = cut->layer + l;
    if (c->skip_layer || c->skip_moe || c->k || c->skip_ratio != 0.0 || c->top_p != 0.0)
        return false;
    for (size_t e = 0; e < c->E; e++)
        if (c->action[e] != CULL_ACTION_BASE)
            return false;
    for (size_t i = 0; i < cut->n_overlays; i++)
        if (cut->overlay[i].where.layer == l)
            return false;
    return true;
}

static void hash_layer(cull_hash *hash, const cull_cut *cut, size_t l)
{
    const cull_layer_cut *c = cut->layer + l;

    cull_hash_u64(hash, (uint64_t)c->skip_layer * 2 + c->skip_moe);
    cull_hash_u64(hash, c->k);
    cull_hash_f64(hash, c->skip_ratio);
    cull_hash_f64(hash, c->top_p);
    for (size_t e = 0; e < c->E; e++) {
        cull_hash_u64(hash, c->action[e]);
        if (c->action[e] == CULL_ACTION_ALIAS)
            cull_hash_u64(hash, c->target[e]);
        if (c->action[e] == CULL_ACTION_NOVICE)
            cull_hash_bytes(hash, c->constant + e * cut->D, cut->D * sizeof(float));
    }
    for (size_t i = 0; i < cut->n_overlays; i++) {
        const cull_overlay *o = cut->overlay + i;
        if (o->where.layer != l)
            continue;
        cull_hash_u64(hash, (uint64_t)o->where.part << 32 | o->where.expert);
        cull_hash_u64(hash, o->kind);
        cull_hash_bytes(hash, o->data, cull_overlay_bytes(o->kind, o->rows, o->cols));
    }
}

static cull_status make_keys(cull_ctx *ctx, cull_streams *s)
{
    for (size_t v = 0; v < s->n_variants; v++)
        for (size_t l = 0; l < s->L; l++) {
            if (layer_untouched(s->cut[v], l))
                continue; // the key of nothing: zeros
            cull_hash *hash = cull_hash_new();
            if (!hash)
                return cull_no_memory(ctx);
            hash_layer(hash, s->cut[v], l);
            s->key[v * s->L + l] = cull_hash_key(hash);
            cull_hash_free(hash);
            cull_cut_leave(s->cut[v], l);
        }
    return CULL_OK;
}

static bool same_from_start(const cull_streams *s, size_t a, size_t b, size_t layers)
{
    return memcmp(s->key + a * s->L, s->key + b * s->L, layers * sizeof *s->key) == 0;
}

cull_status cull_streams_init(cull_ctx *ctx, size_t L, size_t n_variants,
                              const cull_cut *const *cut, cull_streams *out)
{
    *out = (cull_streams){ .n_variants = n_variants, .L = L, .cut = cut };
    out->key = cull_scratch(ctx, n_variants * L, sizeof *out->key);
    out->stream = cull_scratch(ctx, n_variants, sizeof *out->stream);
    if (!out->key || !out->stream)
        return CULL_ENOMEM;
    CULL_TRY(make_keys(ctx, out));
    for (size_t v = 0; v < n_variants; v++) {
        bool seen = false;
        for (size_t u = 0; u < v && !seen; u++)
            seen = same_from_start(out, u, v, L);
        out->most += !seen;
    }
    return CULL_OK;
}

// ---- a block of rows through the layers ----

cull_status cull_streams_begin(cull_run *run, cull_streams *s, size_t n_rows)
{
    size_t *all = cull_scratch(run->ctx, s->n_variants, sizeof *all);

    if (!all)
        return CULL_ENOMEM;
    for (size_t v = 0; v < s->n_variants; v++)
        all[v] = v;
    s->n = 1;
    s->stream[0] = (cull_stream){ .n_variants = s->n_variants, .variant = all };
    return cull_states_new(run->ctx, n_rows, run->m->facts->D, s->spill, &s->stream[0].states);
}

void cull_streams_clear(cull_streams *s)
{
    for (size_t i = 0; i < s->n; i++)
        cull_states_free(&s->stream[i].states);
    s->n = 0;
}

size_t cull_stream_of(const cull_streams *s, size_t v)
{
    for (size_t i = 0; i < s->n; i++)
        for (size_t j = 0; j < s->stream[i].n_variants; j++)
            if (s->stream[i].variant[j] == v)
                return i;
    return 0;
}

// What becomes of a stream at a layer.
typedef struct branch {
    size_t from;     // the stream whose h it reads
    size_t to;       // the stream that it goes on as
    size_t attended; // the branch whose attend serves it
    const cull_cut *cut;
} branch;

static bool is_parted(const cull_streams *s, const cull_stream *of, size_t l, size_t j)
{
    for (size_t i = 0; i < j; i++)
        if (memcmp(s->key + of->variant[i] * s->L + l, s->key + of->variant[j] * s->L + l,
                   sizeof *s->key) == 0)
            return false;
    return true;
}

// Part stream i by its variants' cuts of layer l: the first group stays, the others become new
// streams.
static cull_status part(cull_run *run, cull_streams *s, size_t i, size_t l, size_t n_rows,
                        size_t *n_branches, branch *out)
{
    const cull_stream whole = s->stream[i];
    const size_t first_branch = *n_branches;
    size_t plain = SIZE_MAX; // the first branch that is as the base up to the router

    for (size_t j = 0; j < whole.n_variants; j++) {
        if (!is_parted(s, &whole, l, j))
            continue;
        size_t *variant = cull_scratch(run->ctx, whole.n_variants, sizeof *variant);
        size_t n = 0;
        if (!variant)
            return CULL_ENOMEM;
        for (size_t k = j; k < whole.n_variants; k++)
            if (memcmp(s->key + whole.variant[j] * s->L + l, s->key + whole.variant[k] * s->L + l,
                       sizeof *s->key) == 0)
                variant[n++] = whole.variant[k];
        const bool stays = *n_branches == first_branch;
        const size_t to = stays ? i : s->n;
        s->stream[to] = (cull_stream){ whole.states, n, variant };
        s->n += !stays;
        if (!stays)
            CULL_TRY(
                cull_states_new(run->ctx, n_rows, whole.states.D, s->spill, &s->stream[to].states));
        const cull_cut *cut = s->cut[whole.variant[j]];
        const bool own = cull_cut_before_router(cut, l);
        if (!own && plain == SIZE_MAX)
            plain = *n_branches;
        out[*n_branches] = (branch){ i, to, own ? *n_branches : plain, cut };
        ++*n_branches;
    }
    return CULL_OK;
}

// The branch among [first, i] whose attend serves branch i.
static size_t attended_from(const branch *br, size_t first, size_t i)
{
    size_t j = first;

    while (br[j].attended != br[i].attended)
        j++;
    return j;
}

// Branches [first, end) of a block.
static cull_status visit_branches(cull_run *run, cull_streams *s, size_t l, const cull_forest *f,
                                  const cull_block *b, size_t row0, size_t first, size_t end,
                                  const branch *br)
{
    cull_arena *arena = run->worker[run->n_workers].arena;
    const cull_mark mark = cull_arena_mark(arena);
    const size_t D = run->m->facts->D;
    cull_lane *lane = cull_arena_alloc(arena, end - first, sizeof *lane);

    if (!lane)
        return cull_no_memory(run->ctx);
    for (size_t i = first; i < end; i++)
        lane[i - first] =
            (cull_lane){ .n = b->n_rows,
                         .pos = f->pos + b->first_row,
                         .kv = &b->kv,
                         .beyond = b->beyond,
                         .cut = br[i].cut,
                         .h_in = s->stream[br[i].from].states.h + (b->first_row - row0) * D,
                         .h_out = s->stream[br[i].to].states.h + (b->first_row - row0) * D,
                         .attended = attended_from(br, first, i) - first };
    CULL_TRY(cull_visit_layer(run, l, end - first, lane, NULL));
    for (size_t i = first; i < end; i++) {
        cull_states_leave(&s->stream[br[i].from].states, b->first_row - row0, b->n_rows);
        cull_states_leave(&s->stream[br[i].to].states, b->first_row - row0, b->n_rows);
    }
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

// As many branches at once as fit, the last ones first: a stream's first branch takes its place,
// which the others still read.
static cull_status visit_block(cull_run *run, cull_streams *s, size_t l, const cull_forest *f,
                               const cull_block *b, size_t row0, size_t n, const branch *br,
                               const cull_engine_options *options)
{
    const size_t most = cull_lanes_at_once(run->m, options, b->n_rows, n);

    for (size_t end = n, first; end > 0; end = first) {
        first = end > most ? end - most : 0;
        CULL_TRY(visit_branches(run, s, l, f, b, row0, first, end, br));
    }
    return CULL_OK;
}

cull_status cull_streams_layer(cull_run *run, cull_streams *s, size_t l, const cull_forest *f,
                               size_t first_tree, size_t n_trees,
                               const cull_engine_options *options)
{
    cull_arena *arena = run->worker[run->n_workers].arena;
    const cull_mark mark = cull_arena_mark(arena);
    const cull_tree *last = f->tree + first_tree + n_trees - 1;
    const size_t row0 = f->tree[first_tree].first_row;
    const size_t n_rows = last->first_row + last->n_rows - row0;
    branch *br = cull_arena_alloc(arena, s->n_variants, sizeof *br);
    const size_t n_streams = s->n;
    size_t n = 0, n_blocks;
    cull_block *block;

    if (!br)
        return cull_no_memory(run->ctx);
    for (size_t i = 0; i < n_streams; i++)
        CULL_TRY(part(run, s, i, l, n_rows, &n, br));
    CULL_TRY(cull_blocks_make(run->ctx, arena, f, first_tree, n_trees,
                              cull_block_rows(run->m, options, n), &n_blocks, &block));
    cull_pass_visits(run, l, (double)n * (double)n_rows);
    cull_layer_enter(run, l);
    for (size_t i = 0; i < n_blocks; i++)
        CULL_TRY(visit_block(run, s, l, f, block + i, row0, n, br, options));
    cull_layer_leave(run, l);
    for (size_t i = 0; i < n; i++)
        cull_cut_leave(br[i].cut, l);
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}
