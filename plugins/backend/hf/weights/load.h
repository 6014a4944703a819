// Loading tensors: by name, with the shape and type they must have. What is loaded is counted, and
// remembers what it is to the model.
#ifndef HF_LOAD_H
#define HF_LOAD_H

#include "model.h"

typedef struct hf_loader {
    cull_ctx *ctx;
    cull_model *m;
    char prefix[48]; // "model.layers.3.", or ""
    uint64_t params; // numbers loaded since it was last zeroed
    uint64_t bytes;  // as stored
} hf_loader;

// What a tensor must be.
typedef struct hf_wanted {
    enum hf_role role;
    cull_matrix_id where;
    const cull_dtype *types; // (n_types)
    size_t n_types, rank;
    const size_t *shape; // (rank)
} hf_wanted;

extern const cull_dtype hf_plain_types[3]; // F32, BF16, F16

// prefix + name with '*' replaced by the expert's number; of names "a|b", the first there is, else
// the first.
const char *hf_loader_name(hf_loader *, const char *names, size_t expert, const char *suffix);

// The tensor, or a report: missing, another shape, another type.
cull_status hf_load_tensor(hf_loader *, const char *name, const hf_wanted *, const hf_tensor **out);
// Numbers of a tensor of F32, BF16 or F16 as float32, in the context's alloc memory.
cull_status hf_load_vector(hf_loader *, const char *name, enum hf_role role, size_t rank,
                           const size_t *shape, const float **out);
// The vector is replaced by itself + 1.
cull_status hf_add_one(hf_loader *, size_t n, const float **vector);
// Two matrices (F, D) in one tensor (2F, D): the rows of part `first`, then those of the next.
cull_status hf_load_pair(hf_loader *, size_t l, cull_part first, const char *name, size_t F,
                         size_t D);
// The weight (rows, cols) of matrix `where`, plain or FP8 with its scales, and the bias if there
// must be one, into the model.
cull_status hf_load_matrix(hf_loader *, cull_matrix_id where, const char *names, size_t rows,
                           size_t cols, bool bias);
// The same of a plain matrix that is stored as (cols, rows), with an entry an expert in each of its
// rows.
cull_status hf_load_turned(hf_loader *, cull_matrix_id where, const char *name, size_t rows,
                           size_t cols);
// A bias for a matrix, under its own name.
cull_status hf_load_bias(hf_loader *, cull_matrix_id where, const char *name, cull_matrix *matrix);

// The scales of a stack in FP8, (n, ⌈rows / block⌉, ⌈cols / block⌉), under its name + "_scale_inv".
cull_status hf_load_stack_scales(hf_loader *, const char *stack, cull_matrix_id where,
                                 const hf_tensor *of, const hf_tensor **out);

// The filters (channels, 1, taps) of a convolution, and their bias, as a matrix (channels, taps).
cull_status hf_load_filter(hf_loader *, cull_matrix_id where, const char *names, size_t channels,
                           size_t taps, bool bias);

cull_status hf_load_experts(hf_loader *, size_t l); // experts.c
cull_status hf_load_mixer(hf_loader *, size_t l);   // mixers.c

// n numbers of type F32, BF16 or F16 as float32; `from` may be unaligned.
void hf_widen(cull_dtype type, const void *from, size_t n, float *out);
// n scales from the `first` on; they may be E8M0, powers of two, as well.
void hf_widen_scales(cull_dtype type, const void *from, size_t first, size_t n, float *out);

#endif
