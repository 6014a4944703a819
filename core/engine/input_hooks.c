// What statistics are shown where rows meet a matrix.
#include "engine/input_hooks.h"

#include <string.h>

#include "engine/column_sums.h"

// The coordinator's rows: all of a lane's.
static cull_status add_part(cull_piece *piece, cull_column_sums *sums, size_t n, const float *x,
                            size_t ldx)
{
    cull_arena *arena = cull_piece_arena(piece);
    const cull_mark mark = cull_arena_mark(arena);
    const float **row = cull_arena_alloc(arena, n, sizeof *row);

    if (!row)
        return cull_no_memory(piece->run->ctx);
    for (size_t i = 0; i < n; i++)
        row[i] = x + i * ldx;
    const cull_column_work work = { sums, { n, row, NULL, piece->inputs->slice } };
    CULL_TRY(cull_column_sums_add(piece->run, 1, &work));
    cull_arena_rewind(arena, mark);
    return CULL_OK;
}

cull_status cull_input_hooks_feed(cull_piece *piece, cull_matrix_id where, size_t cols, size_t n,
                                  const float *x, size_t ldx)
{
    const cull_input_hooks *inputs = piece->inputs;

    if (where.part == CULL_PART_DOWN && inputs->down)
        for (size_t i = 0; i < n; i++)
            memcpy(inputs->down + i * cols, x + i * ldx, cols * sizeof *x);
    if (piece->inside || where.part >= CULL_N_PARTS || !inputs->part[where.part])
        return CULL_OK;
    return add_part(piece, inputs->part[where.part], n, x, ldx);
}
