// Masks as overlays hold them (cut.h): bits, row-major, least significant first, each row begins a
// new byte, 1 = kept.
#ifndef COMMON_MASKS_H
#define COMMON_MASKS_H

#include <string.h>

#include <cull/cut.h>

// Bytes of a row.
static inline size_t mask_stride(size_t cols)
{
    return (cols + 7) / 8;
}

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

// Is `of` the matrix down of the module that `where` belongs to? Then *by_row says whether a
// channel is a row of `where`, or a column.
static inline bool mask_of_module(cull_matrix_id of, cull_matrix_id where, bool *by_row)
{
    const bool down = of.part == CULL_PART_DOWN || of.part == CULL_PART_SHARED_DOWN ||
                      of.part == CULL_PART_DENSE_DOWN;

    *by_row = where.part != of.part;
    return down && of.layer == where.layer && of.expert == where.expert && where.part <= of.part &&
           where.part + 2 >= of.part;
}

// all &= what an overlay keeps of matrix `where` (rows, cols).
static inline void mask_apply(const cull_overlay *o, cull_matrix_id where, size_t rows, size_t cols,
                              uint8_t *all)
{
    const size_t stride = mask_stride(cols);
    const uint8_t *bits = (const uint8_t *)o->data;
    bool by_row;

    for (size_t b = 0; o->kind == CULL_MASK && b < rows * stride; b++)
        all[b] = (uint8_t)(all[b] & bits[b]);
    if (o->kind != CULL_CHANNELS || !mask_of_module(o->where, where, &by_row))
        return;
    for (size_t r = 0; r < rows; r++)
        for (size_t b = 0; b < stride; b++)
            all[r * stride + b] = (uint8_t)(all[r * stride + b] &
                                            (by_row ? (mask_kept(bits, r) ? 0xff : 0) : bits[b]));
}

// What the masks of earlier stages, and the channels that they removed, leave of a matrix, all of
// them together; NULL: there are none. Lives as scratch.
static inline cull_status mask_before(cull_ctx *ctx, const cull_cut *cut, cull_matrix_id where,
                                      size_t rows, size_t cols, const uint8_t **out)
{
    const size_t bytes = rows * mask_stride(cols);
    uint8_t *all = NULL;
    bool by_row;

    for (size_t i = 0; cut && i < cut->n_overlays; i++) {
        const cull_overlay *o = cull_overlay_at(cut, i);
        const bool same = o->where.layer == where.layer && o->where.part == where.part &&
                          o->where.expert == where.expert;
        if (!(o->kind == CULL_MASK && same) &&
            !(o->kind == CULL_CHANNELS && mask_of_module(o->where, where, &by_row)))
            continue;
        if (!all) {
            all = (uint8_t *)ctx->host->scratch(ctx, bytes, 1);
            if (!all)
                return CULL_ENOMEM;
            memset(all, 0xff, bytes);
        }
        mask_apply(o, where, rows, cols, all);
    }
    *out = all;
    return CULL_OK;
}

// How many of n weights go at a sparsity: never more than asked for; a product that is an integer
// but for rounding counts as that integer.
static inline size_t mask_quota(size_t n, double sparsity)
{
    const double k = (double)n * sparsity + 1e-9;

    return k <= 0 ? 0 : k >= (double)n ? n : (size_t)k;
}

#endif
