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
    // (n, m->cols).
    void (*rows)(const cull_cut *, cull_matrix_id, const cull_matrix *m, size_t first, size_t n,
                 float *out);
    // [any] n numbers as F32, BF16 or F16, rounded to nearest. false: a finite number became
    // infinite.
    bool (*narrow)(cull_dtype type, size_t n, const float *from, void *to);
} cull_variant_ext;

#endif
