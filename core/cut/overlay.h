// A cut's overlays on one matrix.
#ifndef CULL_CUT_OVERLAY_H
#define CULL_CUT_OVERLAY_H

#include <stdbool.h>

#include <cull/cut.h>

// The overlays of one matrix: the last MATRIX in place of the base's, and where its MASKs begin.
typedef struct cull_overlaid {
    const float *matrix; // (rows, cols), or NULL
    const cull_cut *cut;
    size_t first; // overlay of the matrix, SIZE_MAX: none
    bool masked;
} cull_overlaid;
cull_overlaid cull_overlay_of(const cull_cut *cut, cull_matrix_id where);

#endif
