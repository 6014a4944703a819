// The inputs of matrices, fed to the sums of the statistics that want them.
#include "engine/input_hooks.h"

#include <math.h>
#include <string.h>

#include "engine/column_sums.h"

// The coordinator's rows, all of a lane's, into those of n sums that are wanted.
static cull_status add_rows(cull_piece *piece, size_t n_sums, cull_column_sums *sums,
                            const float *gate, size_t n, const float *x, size_t ldx)
{
    cull_arena *arena = cull_piece_arena(piece);
    const cull_mark mark = cull_arena_mark(arena);
    const float **row = cull_arena_alloc(arena, n, sizeof *row);
    cull_column_work work[CULL_N_SIDE_SUMS];
    size_t wanted = 0;

    if (!row)
        return cull_no_memory(piece->run->ctx);
    for (size_t i = 0; i < n; i++)
        row[i] = x + i * ldx;
    for (size_t i = 0; i < n_sums; i++)
        if (sums[i].cols)
            work[wanted++] = (cull_column_work){ &sums[i], { n, row, gate, piece->inputs->slice } };
    CULL_TRY(cull_column_sums_add(piece->run, wanted, work));
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
    if (piece->inside || where.part >= CULL_N_PARTS)
        return CULL_OK;
    if (inputs->part[where.part])
        CULL_TRY(add_rows(piece, 1, inputs->part[where.part], NULL, n, x, ldx));
    if (inputs->side && (where.part == CULL_PART_SHARED_DOWN || where.part == CULL_PART_DENSE_DOWN))
        return add_rows(piece, CULL_N_SIDE_SUMS, inputs->side, inputs->side_gate, n, x, ldx);
    return CULL_OK;
}

cull_status cull_input_hooks_gate(cull_piece *piece, cull_matrix_id where, size_t n, const float *y,
                                  size_t ldy)
{
    if (where.part != CULL_PART_SHARED_ROUTER || piece->inside || !piece->inputs->side)
        return CULL_OK;
    float *gate = cull_arena_alloc(cull_piece_arena(piece), n, sizeof *gate);
    if (!gate)
        return cull_no_memory(piece->run->ctx);
    for (size_t i = 0; i < n; i++)
        gate[i] = 1 / (1 + expf(-y[i * ldy]));
    piece->inputs->side_gate = gate;
    return CULL_OK;
}
