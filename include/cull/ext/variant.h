// Optional service "cull.variant/1": a variant's matrices as numbers, for whoever writes a
// checkpoint of it.
#ifndef CULL_EXT_VARIANT_H
#define CULL_EXT_VARIANT_H

#include <cull/cut.h>
#include <cull/tensor.h>

#define CULL_EXT_VARIANT "cull.variant/1"

typedef struct cull_variant_ext {
    uint32_t size;
    // [any] Does the cut mask or rewrite this matrix?
    bool (*changed)(const cull_cut *, cull_matrix_id);
    // [any] Rows [first, first + n) of the stored matrix m with the cut's overlays of `where`: out
    // (n, m->cols). Best in order: with its last row, what the cut has of a matrix in a file leaves
    // memory, and is read anew where it is asked for again.
    void (*rows)(const cull_cut *, cull_matrix_id, const cull_matrix *m, size_t first, size_t n,
                 float *out);
    // [any] n numbers as F32, BF16 or F16, rounded to nearest. false: a finite number became
    // infinite.
    bool (*narrow)(cull_dtype type, size_t n, const float *from, void *to);
    // [any] Does the cut change what is added to this matrix's rows (channels that are gone, output biases)? m: the
    // stored matrix.
    bool (*bias_changed)(const cull_cut *, cull_matrix_id, const cull_matrix *m);
    // [any] Entries [first, first + n) of what the variant adds; 0 where there is nothing.
    void (*bias)(const cull_cut *, cull_matrix_id, const cull_matrix *m, size_t first, size_t n,
                 float *out);
    // [any] Does the cut keep this channel of the module that the matrix belongs to?
    bool (*keeps)(const cull_cut *, cull_matrix_id, size_t channel);
} cull_variant_ext;

#endif
