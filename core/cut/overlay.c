// What of a matrix a cut's overlays leave.
#include "cut/overlay.h"

#include <string.h>

#include <cull/kernel.h>

#include "cut/cut.h"
#include "cut/unpack.h"

cull_matrix_id cull_module_down(cull_matrix_id where)
{
    switch (where.part) {
    case CULL_PART_GATE:
    case CULL_PART_UP:
    case CULL_PART_DOWN:
        where.part = CULL_PART_DOWN;
        break;
    case CULL_PART_SHARED_GATE:
    case CULL_PART_SHARED_UP:
    case CULL_PART_SHARED_DOWN:
        where.part = CULL_PART_SHARED_DOWN;
        break;
    case CULL_PART_DENSE_GATE:
    case CULL_PART_DENSE_UP:
    case CULL_PART_DENSE_DOWN:
        where.part = CULL_PART_DENSE_DOWN;
        break;
    default:
        where.part = CULL_N_PARTS;
    }
    return where;
}

cull_overlaid cull_overlay_of(const cull_cut *cut, cull_matrix_id where)
{
    cull_overlaid found = { .cut = cut, .first = SIZE_MAX, .channels = SIZE_MAX };
    const cull_matrix_id down = cull_module_down(where);

    if (!cut)
        return found;
    found.first = cull_cut_first(cut, where);
    found.by_row = where.part != down.part;
    for (size_t i = found.first; i != SIZE_MAX; i = cull_cut_next(cut, i)) {
        const cull_overlay *o = &cut->overlay[i];
        found.masked |= o->kind == CULL_MASK;
        found.biased |= o->kind == CULL_BIAS;
        found.matrix = o->kind == CULL_MATRIX ? o->data : found.matrix;
    }
    size_t i = down.part < CULL_N_PARTS ? cull_cut_first(cut, down) : SIZE_MAX;
    while (i != SIZE_MAX && cut->overlay[i].kind != CULL_CHANNELS)
        i = cull_cut_next(cut, i);
    found.channels = i;
    return found;
}

bool cull_overlaid_matrix(const cull_overlaid *over)
{
    return over->matrix || over->masked || over->channels != SIZE_MAX;
}

bool cull_overlaid_bias(const cull_overlaid *over, const cull_matrix *m)
{
    return over->biased || (m->bias && over->by_row && over->channels != SIZE_MAX);
}

static bool bit(const cull_overlay *o, size_t c)
{
    return ((const uint8_t *)o->data)[c / 8] >> (c % 8) & 1;
}

bool cull_overlay_keeps(const cull_overlaid *over, size_t c)
{
    for (size_t i = over->channels; i != SIZE_MAX; i = cull_cut_next(over->cut, i))
        if (over->cut->overlay[i].kind == CULL_CHANNELS && !bit(&over->cut->overlay[i], c))
            return false;
    return true;
}

typedef uint32_t words __attribute__((vector_size(32)));

// Eight floats at a time meet the eight bits of a byte: what is not kept becomes +0.
CULL_CLONES
static void mask_row(const uint8_t *bits, size_t n, float *x)
{
    const words place = { 0, 1, 2, 3, 4, 5, 6, 7 };
    size_t c = 0;

    for (; c + 8 <= n; c += 8) {
        const words byte = (words){ 0 } + bits[c / 8];
        words w;
        memcpy(&w, x + c, sizeof w);
        w &= -(byte >> place & 1);
        memcpy(x + c, &w, sizeof w);
    }
    for (; c < n; c++)
        x[c] = bits[c / 8] >> c % 8 & 1 ? x[c] : 0.0f;
}

static void apply_mask(const cull_overlay *mask, size_t first, size_t n, float *out)
{
    const size_t stride = (mask->cols + 7) / 8;

    for (size_t r = 0; r < n; r++)
        mask_row((const uint8_t *)mask->data + (first + r) * stride, mask->cols,
                 out + r * mask->cols);
}

// Zeros in the rows or columns of channels that are gone.
static void apply_channels(const cull_overlaid *over, size_t first, size_t n, size_t cols,
                           float *out)
{
    for (size_t r = 0; over->by_row && r < n; r++)
        if (!cull_overlay_keeps(over, first + r))
            memset(out + r * cols, 0, cols * sizeof *out);
    for (size_t c = 0; !over->by_row && c < cols; c++) {
        const bool kept = cull_overlay_keeps(over, c);
        for (size_t r = 0; r < n && !kept; r++)
            out[r * cols + c] = 0;
    }
}

void cull_overlay_rows(const cull_overlaid *over, const cull_matrix *m, size_t first, size_t n,
                       float *out)
{
    if (over->matrix)
        memcpy(out, over->matrix + first * m->cols, n * m->cols * sizeof *out);
    else
        cull_unpack_rows(m, first, n, out);
    for (size_t i = over->masked ? over->first : SIZE_MAX; i != SIZE_MAX;
         i = cull_cut_next(over->cut, i))
        if (over->cut->overlay[i].kind == CULL_MASK)
            apply_mask(&over->cut->overlay[i], first, n, out);
    if (over->channels != SIZE_MAX)
        apply_channels(over, first, n, m->cols, out);
}

void cull_overlay_bias(const cull_overlaid *over, const cull_matrix *m, size_t first, size_t n,
                       float *out)
{
    if (m->bias)
        cull_unpack_bias(m, first, n, out);
    else
        memset(out, 0, n * sizeof *out);
    for (size_t r = 0; over->by_row && over->channels != SIZE_MAX && r < n; r++)
        if (!cull_overlay_keeps(over, first + r))
            out[r] = 0;
    for (size_t i = over->biased ? over->first : SIZE_MAX; i != SIZE_MAX;
         i = cull_cut_next(over->cut, i))
        for (size_t r = 0; over->cut->overlay[i].kind == CULL_BIAS && r < n; r++)
            out[r] += ((const float *)over->cut->overlay[i].data)[first + r];
}
