// Masks as overlays hold them (cut.h): bits, row-major, least significant first, each row begins a
// new byte, 1 = kept.
#ifndef COMMON_MASKS_H
#define COMMON_MASKS_H

#include <cull/cut.h>

static inline size_t mask_stride(size_t cols)
{
    return (cols + 7) / 8;
} // bytes of a row

static inline bool mask_kept(const uint8_t *row, size_t c)
{
    return (row[c / 8] >> (c % 8)) & 1;
}

static inline void mask_keep(uint8_t *row, size_t c)
{
    row[c / 8] = (uint8_t)(row[c / 8] | 1u << (c % 8));
}

static inline void mask_drop(uint8_t *row, size_t c)
{
    row[c / 8] = (uint8_t)(row[c / 8] & ~(1u << (c % 8)));
}

// The mask that earlier stages left on a matrix; NULL: none, all is kept.
static inline const uint8_t *mask_before(const cull_cut *cut, cull_where where)
{
    for (size_t i = cut ? cut->n_overlays : 0; i-- > 0;) {
        const cull_overlay *o = &cut->overlay[i];
        if (o->kind == CULL_MASK && o->where.layer == where.layer && o->where.part == where.part &&
            o->where.expert == where.expert)
            return (const uint8_t *)o->data;
    }
    return NULL;
}

// How many of n weights go at a sparsity: never more than asked for; a product that is an integer
// but for rounding counts as that integer.
static inline size_t mask_quota(size_t n, double sparsity)
{
    const double k = (double)n * sparsity + 1e-9;
    return k <= 0 ? 0 : k >= (double)n ? n : (size_t)k;
}

#endif
