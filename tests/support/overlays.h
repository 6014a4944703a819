// Looking into the overlays of a cut.
#ifndef CULL_TESTS_OVERLAYS_H
#define CULL_TESTS_OVERLAYS_H

#include "cut/cut.h"

// The last overlay of that kind on a matrix; NULL: none.
static inline const cull_overlay *overlay_last(const cull_cut *cut, cull_matrix_id where,
                                               uint32_t kind)
{
    const cull_overlay *found = NULL;
    for (size_t i = cull_cut_first(cut, where); i != SIZE_MAX; i = cull_cut_next(cut, i))
        if (cut->overlay[i].kind == kind)
            found = &cut->overlay[i];
    return found;
}

static inline bool overlay_keeps(const cull_overlay *mask, size_t r, size_t c)
{
    return ((const uint8_t *)mask->data)[r * ((mask->cols + 7) / 8) + c / 8] >> (c % 8) & 1;
}

static inline size_t overlay_kept_in_row(const cull_overlay *mask, size_t r)
{
    size_t n = 0;
    for (size_t c = 0; c < mask->cols; c++)
        n += overlay_keeps(mask, r, c);
    return n;
}

static inline size_t overlay_kept(const cull_overlay *mask)
{
    size_t n = 0;
    for (size_t r = 0; r < mask->rows; r++)
        n += overlay_kept_in_row(mask, r);
    return n;
}

// Entries in which a mask is not `want` (rows, cols), 1 = kept.
static inline size_t overlay_differs(const cull_overlay *mask, const uint8_t *want)
{
    size_t n = 0;
    for (size_t r = 0; r < mask->rows; r++)
        for (size_t c = 0; c < mask->cols; c++)
            n += overlay_keeps(mask, r, c) != (want[r * mask->cols + c] != 0);
    return n;
}

#endif
