// A model's matrices as a cut leaves them, row by row.
#include "cut/variant.h"

#include <math.h>
#include <string.h>

#include "cut/cut.h"
#include "cut/overlay.h"
#include "cut/unpack.h"

static bool changed(const cull_cut *cut, cull_matrix_id where)
{
    const cull_overlaid over = cull_overlay_of(cut, where);

    return cull_overlaid_matrix(&over);
}

static void rows(const cull_cut *cut, cull_matrix_id where, const cull_matrix *m, size_t first,
                 size_t n, float *out)
{
    const cull_overlaid over = cull_overlay_of(cut, where);

    cull_overlay_rows(&over, m, first, n, out);
}

static bool bias_changed(const cull_cut *cut, cull_matrix_id where, const cull_matrix *m)
{
    const cull_overlaid over = cull_overlay_of(cut, where);

    return cull_overlaid_bias(&over, m);
}

static void bias(const cull_cut *cut, cull_matrix_id where, const cull_matrix *m, size_t first,
                 size_t n, float *out)
{
    const cull_overlaid over = cull_overlay_of(cut, where);

    cull_overlay_bias(&over, m, first, n, out);
}

static bool keeps(const cull_cut *cut, cull_matrix_id where, size_t channel)
{
    const cull_overlaid over = cull_overlay_of(cut, where);

    return cull_overlay_keeps(&over, channel);
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
    .bias_changed = bias_changed,
    .bias = bias,
    .keeps = keeps,
};
