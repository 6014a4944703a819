// Which rows a pass takes at a time, where not all fit the memory limit.
#include "engine/blocks.h"

#include <math.h>
#include <stdio.h>

enum { BLOCK_ROWS_MOST = 1 << 14, BLOCK_ROWS_LEAST = 256 };

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

static uint64_t available(void)
{
    FILE *f = fopen("/proc/meminfo", "r");
    unsigned long long kib = 4ull << 20;
    char line[128];

    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
            break;
    if (f)
        (void)fclose(f);
    return (uint64_t)kib << 10;
}

// Where one number of the embedding's table is needed, the system maps pages around it.
static const double pages_around = 65536;

static double table_bytes(const cull_open_model *m, double rows)
{
    uint64_t ends = m->facts->bytes;

    for (size_t l = 0; l < m->facts->L; l++)
        ends -= cull_layer_of(m, l)->bytes;
    const double table = (double)m->facts->V * (double)m->facts->D * 2;
    return fmin(fmin((double)ends, table), rows * pages_around);
}

uint64_t cull_memory_fixed(const cull_open_model *m, double rows)
{
    static const uint64_t program = 80000000;
    uint64_t layer = 0;

    for (size_t l = 0; l < m->facts->L; l++)
        layer = cull_layer_of(m, l)->bytes > layer ? cull_layer_of(m, l)->bytes : layer;
    return program + layer + (uint64_t)table_bytes(m, rows);
}

uint64_t cull_memory_limit(const cull_open_model *m, const cull_engine_options *options)
{
    if (!options || !options->memory)
        return available() / 2;
    const uint64_t fixed = cull_memory_fixed(m, INFINITY);
    return options->memory > fixed ? options->memory - fixed : 0;
}

size_t cull_memory_wave(const cull_open_model *m, const cull_engine_options *options, size_t n,
                        const uint64_t *bytes)
{
    const uint64_t room = cull_memory_limit(m, options) / 2;
    uint64_t taken = 0;
    size_t fit = 0;

    while (fit < n && (taken += bytes[fit]) <= room)
        fit++;
    return fit ? fit : 1;
}

uint64_t cull_calibrating_bytes(const cull_open_model *m, uint64_t rows, uint32_t groups,
                                bool again)
{
    uint64_t states = 1; // in (rows, D)

    if (again)
        states += groups & CULL_STAT_DENSE_SAMPLE ? 2 : 1;
    if (groups & CULL_STAT_LAYER_COSINES)
        states += m->facts->L;
    return rows * states * m->facts->D * sizeof(float);
}

cull_keeping cull_keep_states(const cull_open_model *m, const cull_engine_options *options,
                              uint64_t bytes, bool whole)
{
    const uint64_t room = cull_memory_limit(m, options) / 2;
    const double parts = room ? ceil((double)bytes / (double)room) : INFINITY;
    const double again = (parts - 1) * (double)m->facts->bytes;
    const double file = 2.0 * (double)m->facts->L * (double)bytes;

    if (bytes <= room)
        return (cull_keeping){ 1, false };
    if (options && options->spill && (whole || file < again))
        return (cull_keeping){ 1, true };
    return (cull_keeping){ whole || parts > (double)SIZE_MAX ? 1 : (size_t)parts, false };
}

size_t cull_block_rows(const cull_open_model *m, const cull_engine_options *options, size_t n_lanes)
{
    size_t floats = 1;

    for (size_t l = 0; l < m->facts->L; l++) {
        const size_t here = cull_visit_floats(m, l);
        floats = here > floats ? here : floats;
    }
    const uint64_t rows =
        cull_memory_limit(m, options) / 4 / (floats * sizeof(float) * (n_lanes ? n_lanes : 1));
    if (rows > BLOCK_ROWS_MOST)
        return BLOCK_ROWS_MOST;
    return rows < BLOCK_ROWS_LEAST ? BLOCK_ROWS_LEAST : (size_t)rows;
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
        CULL_TRY(run->m->backend->embed(&piece.pass, run->m->model, count, ids + i,
                                        h + i * run->m->facts->D));
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
    return run->m->backend->norm(&piece.pass, run->m->model, n, h, hn);
}

void cull_layer_enter(cull_run *run, size_t l)
{
    const cull_backend *b = run->m->backend;

    if (b->prefetch && l + 1 < run->m->facts->L)
        b->prefetch(run->m->model, l + 1);
    run->cost.weight_bytes += cull_layer_of(run->m, l)->bytes;
}

void cull_layer_leave(cull_run *run, size_t l)
{
    if (run->m->backend->release)
        run->m->backend->release(run->m->model, l);
}

void cull_pass_begin(cull_run *run, const char *phase, size_t tokens)
{
    run->tokens = tokens;
    if (cull_context_of(run->ctx)->log)
        cull_progress_begin(cull_context_of(run->ctx)->log, phase, "tokens", (double)tokens);
}

cull_status cull_pass_tell(cull_run *run, double part)
{
    const cull_context *context = cull_context_of(run->ctx);

    if (context->log)
        cull_progress_tell(context->log, part * (double)run->tokens);
    if (context->stop && context->stop())
        return cull_fail(run->ctx, CULL_ECANCELED, "interrupted");
    return CULL_OK;
}

void cull_pass_end(cull_run *run)
{
    if (cull_context_of(run->ctx)->log)
        cull_progress_end(cull_context_of(run->ctx)->log);
}
