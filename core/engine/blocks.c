// Blocks of whole trees, and their rows at both ends of the model.
#include "engine/blocks.h"
#include "base/call.h"

#include "engine/ahead.h"

static cull_status finish_block(cull_ctx *ctx, cull_arena *arena, const cull_forest *f,
                                cull_block *b)
{
    size_t n = 0;

    for (size_t t = b->first_tree; t < b->first_tree + b->n_trees; t++)
        n += f->tree[t].n_segments;
    cull_span *span = cull_arena_alloc(arena, n, sizeof *span);
    if (!span)
        return cull_no_memory(ctx);
    b->kv =
        (cull_kv){ .n_spans = cull_forest_spans(f, b->first_tree, b->n_trees, span), .span = span };
    return CULL_OK;
}

cull_status cull_blocks_make(cull_ctx *ctx, cull_arena *arena, const cull_forest *f, size_t first,
                             size_t n, size_t most, size_t *n_blocks, cull_block **blocks)
{
    cull_block *b = cull_arena_alloc(arena, n ? n : 1, sizeof *b);
    size_t count = 0;

    if (!b)
        return cull_no_memory(ctx);
    for (size_t t = first; t < first + n; t++) {
        const cull_tree *tree = f->tree + t;
        cull_block *open = count ? b + count - 1 : NULL;
        if (!open || open->n_rows + tree->n_rows > most || open->beyond != tree->beyond) {
            open = b + count++;
            *open = (cull_block){ t, 0, tree->first_row, 0, tree->beyond, { 0 } };
        }
        open->n_trees++;
        open->n_rows += tree->n_rows;
    }
    for (size_t i = 0; i < count; i++)
        CULL_TRY(finish_block(ctx, arena, f, b + i));
    *n_blocks = count;
    *blocks = b;
    return CULL_OK;
}

enum { EMBED_ROWS = 4096 };

cull_status cull_embed_rows(cull_run *run, size_t n, const int32_t *ids, float *h)
{
    cull_piece piece = cull_piece_outer(run);

    piece.pass.core = &piece;
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= run->m->facts->V)
            return cull_fail(run->ctx, CULL_EINVAL,
                             "token id %d is not within the vocabulary of %zu", (int)ids[i],
                             run->m->facts->V);
    for (size_t i = 0; i < n; i += EMBED_ROWS) {
        const size_t count = n - i < EMBED_ROWS ? n - i : EMBED_ROWS;
        CULL_TRY(CULL_CALL(run->ctx, run->m->plugin, SIZE_MAX, embed,
                           run->m->backend->embed(&piece.pass, run->m->model, count, ids + i,
                                                  h + i * run->m->facts->D)));
    }
    return CULL_OK;
}

cull_status cull_embed_states(cull_run *run, size_t n, const int32_t *ids,
                              const cull_states *states)
{
    for (size_t i = 0; i < n; i += CULL_STATES_AT_ONCE) {
        const size_t count = n - i < CULL_STATES_AT_ONCE ? n - i : CULL_STATES_AT_ONCE;
        CULL_TRY(cull_embed_rows(run, count, ids + i, states->h + i * states->D));
        cull_states_leave(states, i, count);
    }
    return CULL_OK;
}

cull_status cull_norm_rows(cull_run *run, size_t n, const float *h, float *hn)
{
    cull_piece piece = cull_piece_outer(run);

    piece.pass.core = &piece;
    return CULL_CALL(run->ctx, run->m->plugin, SIZE_MAX, norm,
                     run->m->backend->norm(&piece.pass, run->m->model, n, h, hn));
}

void cull_layer_enter(cull_run *run, size_t l)
{
    const size_t next = l + 1, L = run->m->facts->L;

    cull_ahead_want(run->ahead, l ? next : 0, next < L ? next + 1 : L);
    run->cost.weight_bytes += cull_layer_of(run->m, l)->bytes;
}

void cull_layer_leave(cull_run *run, size_t l)
{
    cull_open_model_release(run->m, l);
}
