#include "cut/variant.h"

#include <math.h>
#include <string.h>

#include "cut/cut.h"
#include "cut/overlay.h"
#include "cut/unpack.h"

static bool changed(const cull_cut *cut, cull_matrix_id where)
{
    return cull_cut_first(cut, where) != SIZE_MAX;
}

static void apply_mask(const cull_overlay *mask, size_t first, size_t n, float *out)
{
    const size_t row_bytes = (mask->cols + 7) / 8;

    for (size_t r = 0; r < n; r++) {
        const unsigned char *bits = (const unsigned char *)mask->data + (first + r) * row_bytes;
        for (size_t c = 0; c < mask->cols; c++)
            if (!(bits[c / 8] >> c % 8 & 1))
                out[r * mask->cols + c] = 0;
    }
}

static void rows(const cull_cut *cut, cull_matrix_id where, const cull_matrix *m, size_t first,
                 size_t n, float *out)
{
    const cull_overlaid over = cull_overlay_of(cut, where);

    if (over.matrix)
        memcpy(out, over.matrix + first * m->cols, n * m->cols * sizeof *out);
    else
        cull_unpack_rows(m, first, n, out);
    for (size_t i = over.first; i != SIZE_MAX; i = cull_cut_next(cut, i))
        if (cut->overlay[i].kind == CULL_MASK)
            apply_mask(&cut->overlay[i], first, n, out);
}

static bool narrow(cull_dtype type, size_t n, const float *from, void *to)
{
    const bool bf16 = type == CULL_DT_BF16;
    bool fits = true;

    if (type == CULL_DT_F32) {
        memcpy(to, from, n * sizeof *from);
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        const uint16_t half = bf16 ? cull_f32_to_bf16(from[i]) : cull_f32_to_f16(from[i]);
        fits &= (half & 0x7fff) < (bf16 ? 0x7f80 : 0x7c00) || !isfinite(from[i]);
        memcpy((unsigned char *)to + 2 * i, &half, sizeof half);
    }
    return fits;
}

const cull_variant_ext cull_variant_service = {
    .size = sizeof cull_variant_service,
    .changed = changed,
    .rows = rows,
    .narrow = narrow,
};
