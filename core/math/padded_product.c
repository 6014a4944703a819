// Products of rows that are padded to counts whose bits are known to be the same.
#include "math/padded_product.h"

#include "math/gemm.h"

size_t cull_padded_rows(size_t n)
{
    static const size_t counts[] = { 16, 24, 48, 64, CULL_PADDED_MOST };
    size_t i = 0;

    while (counts[i] < n)
        i++;
    return counts[i];
}

bool cull_padded_product(bool transposed, size_t rows, size_t cols, size_t k, const float *a,
                         const float *b, bool add, float *c)
{
    return cull_gemm_f32(false, transposed, rows, cols, k, 1.0f, a, k, b, transposed ? k : cols,
                         add ? 1.0f : 0.0f, c, cols);
}
