// Taking tensors: by name, with the shape and type they must have. What is taken is marked as used
// and counted.
#ifndef HF_TAKE_H
#define HF_TAKE_H

#include "model.h"

typedef struct hf_taker {
    cull_ctx *ctx;
    cull_model *m;
    char prefix[48]; // "model.layers.3.", or ""
    uint64_t params; // numbers taken since it was last zeroed
    uint64_t bytes;  // as stored
} hf_taker;

// prefix + name with '*' replaced by the expert's number; of names "a|b", the first there is, else
// the first.
const char *hf_taker_name(hf_taker *, const char *names, size_t expert, const char *suffix);

// The tensor, or a report: missing, another shape, or a type that is not among `types` (NULL-ended
// words).
cull_status hf_take(hf_taker *, const char *name, size_t rank, const size_t *shape,
                    const cull_dtype *types, size_t n_types, const hf_tensor **out);
// Numbers of a tensor of F32, BF16 or F16 as float32, in the context's alloc memory.
cull_status hf_take_vector(hf_taker *, const char *name, size_t rank, const size_t *shape,
                           const float **out);
// The weight (rows, cols), plain or FP8 with its scales, and the bias if there must be one.
cull_status hf_take_matrix(hf_taker *, const char *names, size_t expert, size_t rows, size_t cols,
                           bool bias, cull_matrix *out);
// A bias of `rows` entries for a matrix, under its own name.
cull_status hf_take_bias(hf_taker *, const char *name, cull_matrix *matrix);

cull_status hf_take_experts(hf_taker *, hf_layer *); // experts.c

// n numbers of type F32, BF16 or F16 as float32; `from` may be unaligned.
void hf_widen(cull_dtype type, const void *from, size_t n, float *out);

#endif
