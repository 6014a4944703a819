// What the strategies of these tests do wrong where they are told to.
#ifndef CULL_TESTS_RANKS_FAULT_H
#define CULL_TESTS_RANKS_FAULT_H

#include <string.h>

#include <cull/cull.h>

enum { NONE, FAILS, CRASHES, MEDDLES, NO_NUMBER };
static const char *const faults[] = { "none", "fails", "crashes", "meddles", "no-number", NULL };

// A rewritten matrix with this number in it. One that is none is refused by the process which reads
// the matrix, not by the one that makes it.
static inline cull_status rewrite(cull_ctx *ctx, const cull_view *view, cull_matrix_id where,
                                  float number, cull_cut *out)
{
    const float *w;
    size_t rows, cols;
    const cull_status status = view->weights(ctx, view, where, &w, &rows, &cols, NULL);

    if (status != CULL_OK)
        return status;
    float *matrix = (float *)ctx->host->overlay(ctx, out, where, CULL_MATRIX, rows, cols);
    if (!matrix)
        return CULL_ENOMEM;
    memcpy(matrix, w, rows * cols * sizeof *matrix);
    matrix[cols] = number;
    return CULL_OK;
}

#endif
