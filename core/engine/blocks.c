// Blocks of whole trees, their rows at both ends of the model, and how far a pass is.
#include "engine/blocks.h"
#include "base/call.h"

#include "base/clock.h"
#include "engine/ahead.h"
#include "math/kernels.h"
#include "ranks/ranks.h"

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

enum { EMBED_ROWS = 4096, SLOW_PASS_SECONDS = 20 };

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

void cull_pass_begin(cull_run *run, const char *phase, size_t tokens)
{
    run->tokens = tokens;
    run->begun = cull_seconds();
    if (cull_context_of(run->ctx)->log)
        cull_progress_begin(cull_context_of(run->ctx)->log, phase, "tokens", (double)tokens);
}

cull_status cull_pass_tell(cull_run *run, double part)
{
    const cull_context *context = cull_context_of(run->ctx);

    part = cull_ranks_tell(context->ranks, part);
    if (context->log)
        cull_progress_tell(context->log, part * (double)run->tokens);
    if (context->stop && context->stop())
        return cull_fail(run->ctx, CULL_ECANCELED, "interrupted");
    return CULL_OK;
}

// A long pass says so when its products are much slower than the kernels are known to be here:
// because something else uses the processor, or because of its memory.
static void warn_if_slow(cull_run *run)
{
    double seconds = 0;

    for (size_t w = 0; run->worker && w <= run->n_workers; w++)
        seconds += run->worker[w].product_seconds;
    const double took = run->begun > 0 ? cull_seconds() - run->begun : 0;
    run->begun = 0;
    if (took < SLOW_PASS_SECONDS || seconds <= 0)
        return;
    const double rate = (double)cull_run_cost(run).flops / seconds;
    const double known = cull_measure_f32(0.1);
    if (rate < known / 3)
        run->ctx->host->log(run->ctx, CULL_WARN,
                            "the products of this pass ran at %.1f GF a thread, where this "
                            "processor just did %.1f (cull --version --verbose)",
                            rate / 1e9, known / 1e9);
}

void cull_pass_end(cull_run *run)
{
    warn_if_slow(run);
    if (cull_context_of(run->ctx)->log)
        cull_progress_end(cull_context_of(run->ctx)->log);
}
