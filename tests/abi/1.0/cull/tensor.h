// Views of numbers in memory: a dtype, a shape, a pointer. A view owns nothing.
#ifndef CULL_TENSOR_H
#define CULL_TENSOR_H

#include <stddef.h>
#include <stdint.h>

// X(name, bits, safetensors' word), in the order in which safetensors sorts them (smallest last).
#define CULL_DTYPES(X)                                                                             \
    X(U64, 64, "U64")                                                                              \
    X(I64, 64, "I64")                                                                              \
    X(F64, 64, "F64")                                                                              \
    X(C64, 64, "C64")                                                                              \
    X(F32, 32, "F32")                                                                              \
    X(U32, 32, "U32")                                                                              \
    X(I32, 32, "I32")                                                                              \
    X(BF16, 16, "BF16")                                                                            \
    X(F16, 16, "F16")                                                                              \
    X(U16, 16, "U16")                                                                              \
    X(I16, 16, "I16")                                                                              \
    X(F8_E5M2FNUZ, 8, "F8_E5M2FNUZ")                                                               \
    X(F8_E4M3FNUZ, 8, "F8_E4M3FNUZ")                                                               \
    X(F8_E8M0, 8, "F8_E8M0")                                                                       \
    X(F8_E4M3, 8, "F8_E4M3")                                                                       \
    X(F8_E5M2, 8, "F8_E5M2")                                                                       \
    X(I8, 8, "I8")                                                                                 \
    X(U8, 8, "U8")                                                                                 \
    X(F6_E3M2, 6, "F6_E3M2")                                                                       \
    X(F6_E2M3, 6, "F6_E2M3")                                                                       \
    X(F4, 4, "F4")                                                                                 \
    X(BOOL, 8, "BOOL")

typedef enum cull_dtype {
#define CULL_DTYPE_ENUM(name, bits, word) CULL_DT_##name,
    CULL_DTYPES(CULL_DTYPE_ENUM)
#undef CULL_DTYPE_ENUM
        CULL_N_DTYPES
} cull_dtype;

enum { CULL_MAX_RANK = 8 };

// A dense, row-major tensor; fixed. `data` may be unaligned: copy before a wider load.
typedef struct cull_tensor {
    const void *data;
    cull_dtype dtype;
    size_t rank;
    size_t shape[CULL_MAX_RANK];
    size_t bytes;
} cull_tensor;

// A matrix as it is stored: element (r, c), r the output, c the input channel. Plain types stand at
// data[r*row_stride + c*col_stride] (elements), which covers transposed and interleaved layouts.
// F8_E4M3 with `scale`: value = q * scale[r/block_rows, c/block_cols], scales row-major with
// scale_stride entries a row. F4 (MXFP4): row r begins at byte r*row_stride, two columns a byte, low
// nibble first; its E8M0 scales, one per 32 columns, at scale[r*scale_stride + c/32].
// F32, F16, BF16, F8_E4M3 and F4 occur. The bias, when there is one, has `rows` entries.
typedef struct cull_matrix {
    uint32_t size;
    size_t rows, cols;
    const void *data;
    cull_dtype dtype;
    ptrdiff_t row_stride, col_stride;
    const void *scale;
    cull_dtype scale_dtype; // F32 or F8_E8M0
    size_t block_rows, block_cols;
    ptrdiff_t scale_stride;
    const void *bias; // NULL: none
    cull_dtype bias_dtype;
    ptrdiff_t bias_stride; // elements
} cull_matrix;

#endif
