// Which weights of one matrix go.
#ifndef COMMON_CHOOSE_H
#define COMMON_CHOOSE_H

#include <cull/cull.h>

// Among whom weights compete.
enum group {
    GROUP_ROW,    // the weights of an output row
    GROUP_TENSOR, // all weights of a matrix
    GROUP_SHARE, // all weights of a matrix, by the share of their row's score at or below their own
};

typedef struct choice {
    cull_matrix_id where;
    size_t rows, cols;
    float *score;          // (rows, cols), changed by GROUP_SHARE
    const uint8_t *before; // mask of earlier stages: what it dropped stays dropped; NULL: nothing
    double sparsity;       // of the weights that are left
    enum group group;
    size_t m; // with n:m: of every m consecutive inputs floor(m × sparsity) go; else 0
} choice;

// Fill `mask` (zeroed, see cut.h) with what is kept. Never more than floor(count × sparsity) of a
// group's weights go, smallest scores first, ties to the lower index (row-major). ENUMERIC: a score
// that is not finite.
cull_status choose(cull_ctx *ctx, const choice *c, uint8_t *mask);

#endif
