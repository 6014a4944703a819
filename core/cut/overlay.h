// A cut's overlays on one matrix: what the variant multiplies by, and what it adds.
//
// Everything that reads a variant's weights goes through here: products, what plugins see, exports.
// Channels that a cut removed are overlays of a module's matrix down; they zero rows of its gate
// and up too.
#ifndef CULL_CUT_OVERLAY_H
#define CULL_CUT_OVERLAY_H

#include <stdbool.h>

#include <cull/cut.h>
#include <cull/tensor.h>

typedef struct cull_overlaid {
    const float *matrix; // (rows, cols) in place of the base's, the last MATRIX; or NULL
    const cull_cut *cut;
    size_t first; // overlay of the matrix, SIZE_MAX: none
    size_t
        channels; // first overlay of the module's down, where channels are gone; SIZE_MAX: none are
    bool masked;  // some MASK
    bool biased;  // some BIAS
    bool by_row;  // a channel is a row (gate, up), not a column (down)
} cull_overlaid;
cull_overlaid cull_overlay_of(const cull_cut *cut, cull_matrix_id where);

// Are the matrix's numbers other than the base's? Is its bias?
bool cull_overlaid_matrix(const cull_overlaid *over);
bool cull_overlaid_bias(const cull_overlaid *over, const cull_matrix *m);

// Rows [first, first + n) of the variant's matrix, of the stored one m: out (n, m->cols).
void cull_overlay_rows(const cull_overlaid *over, const cull_matrix *m, size_t first, size_t n,
                       float *out);
// Entries [first, first + n) of what the variant adds to the matrix's rows; 0 where there is
// nothing.
void cull_overlay_bias(const cull_overlaid *over, const cull_matrix *m, size_t first, size_t n,
                       float *out);

// Does every overlay that removes channels keep channel c?
bool cull_overlay_keeps(const cull_overlaid *over, size_t c);

// The matrix down of the module that a gate, up or down belongs to; a part of CULL_N_PARTS: no
// module's.
cull_matrix_id cull_module_down(cull_matrix_id where);

#endif
