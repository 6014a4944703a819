// A shim over oneDNN's C interface, which version 3 changed: matrix products alone.
//
// Only gemm.c includes this. Nothing here is shared: an engine belongs to one thread, its products
// run in the calling thread, and oneDNN's own cache keeps what it has compiled for all of them.
#ifndef CULL_MATH_ONEDNN_H
#define CULL_MATH_ONEDNN_H

#include <stdbool.h>
#include <stddef.h>

#include <dnnl.h>

// y (m, n) = x (m, K) Wᵀ, all dense, y in float32. W stands in panels of 64 columns (pack.h), or in
// rows of its own where oneDNN has no kernel for panels.
typedef struct cull_onednn_product {
    dnnl_primitive_t primitive;
    dnnl_memory_t x, w, y, scratch;
} cull_onednn_product;

typedef struct cull_onednn_shape {
    size_t m, n, K;
    bool bf16; // x and W
    bool add;  // y += x Wᵀ
} cull_onednn_shape;

// Is there a kernel that takes panels of the type, on this processor?
bool cull_onednn_has_panels(dnnl_engine_t engine, bool bf16);

// scratch: bytes that execute needs. false: none is to be had.
bool cull_onednn_product_init(dnnl_engine_t engine, cull_onednn_shape shape,
                              cull_onednn_product *out, size_t *scratch);
void cull_onednn_product_release(cull_onednn_product *p);
bool cull_onednn_execute(dnnl_stream_t stream, const cull_onednn_product *p, const void *x,
                         const void *w, float *y, void *scratch);

#endif
