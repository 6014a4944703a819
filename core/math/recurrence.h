// The recurrence of delta nets and of Mamba2 along one path, for some columns of one head's state.
//
// A head's state S (k_width, v_width) is 0 at the root; at each row
//
//   S ← diag(exp g) S;   S ← S + k (β (v − Sᵀk))ᵀ  (without β: S + k vᵀ);   out = Sᵀ q
//
// g is one number of the head (gated delta nets, Mamba2) or one a channel of k (KDA). A column of S
// sees no other column, so that columns are taken CULL_STATE_COLS at a time: such a block of a
// state stays in the first-level cache, and rows can be taken one by one, as the formula says.
// (Chunked forms, which turn rows into products, count as many operations at the usual widths of 64
// to 128, and need exponentials of differences of decays.) A row's bits follow from the rows before
// it on its path and from nothing else.
//
// Numbers: S is kept as diag(exp G) T with T in float32. G gathers the decays in float64 and is
// kept near 0 by moving powers of two into T, which is exact: however many rows decays run over,
// their product is rounded once. A state of thousands of rows is within 1e-6 of one computed in
// float64 throughout.
#ifndef CULL_MATH_RECURRENCE_H
#define CULL_MATH_RECURRENCE_H

#include <stddef.h>

#include <cull/backend.h>

// Rows of one head, and `cols` channels of its values. Rows follow each other at the strides.
typedef struct cull_state_rows {
    size_t n;
    size_t k_width, cols; // cols <= CULL_STATE_COLS
    size_t decays;        // numbers of g a row: 1, or k_width
    const float *q, *k;   // (n, k_width)
    const float *v;       // (n, cols)
    const float *g;       // (n, decays); at most 0
    const float *beta;    // (n), or NULL
    float *out;           // (n, cols)
    size_t ldk, ldv, ldg, ldb;
} cull_state_rows;

// Floats of scratch that a call needs.
size_t cull_state_scratch(size_t k_width);

// Take the state on by n rows. state: cull_state_floats(k_width, decays) floats, zeros at the root;
// it may stand anywhere. Any thread.
void cull_state_run(const cull_state_rows *rows, float *state, float *scratch);

#endif
