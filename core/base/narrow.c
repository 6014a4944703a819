// Rows of float32 to and from the types in which numbers are stored.
#include "base/narrow.h"

#include <math.h>
#include <string.h>

#include <cull/number.h>

size_t cull_store_size(cull_dtype store)
{
    switch (store) {
    case CULL_DT_F32:
        return 4;
    case CULL_DT_BF16:
    case CULL_DT_F16:
        return 2;
    default:
        return 0;
    }
}

bool cull_narrow(cull_dtype store, size_t n, const float *from, void *to)
{
    bool fits = true;

    if (store == CULL_DT_F32) {
        memcpy(to, from, n * sizeof *from);
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        const uint16_t half = store == CULL_DT_BF16 ? cull_bf16_of(from[i]) : cull_f16_of(from[i]);
        const uint16_t most = store == CULL_DT_BF16 ? 0x7f80 : 0x7c00;
        fits &= (half & 0x7fff) < most || !isfinite(from[i]);
        memcpy((unsigned char *)to + 2 * i, &half, sizeof half);
    }
    return fits;
}

void cull_widen(cull_dtype store, size_t n, const void *from, float *to)
{
    if (store == CULL_DT_F32) {
        memcpy(to, from, n * sizeof *to);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, (const unsigned char *)from + 2 * i, sizeof half);
        to[i] = store == CULL_DT_BF16 ? cull_of_bf16(half) : cull_of_f16(half);
    }
}
