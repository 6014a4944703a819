// Masks as overlays hold them (cut.h): bits, row-major, least significant first, each row begins a
// new byte, 1 = kept.
#ifndef COMMON_MASKS_H
#define COMMON_MASKS_H

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

// What the masks of earlier stages keep of a matrix, all of them together; NULL: there are none.
// Lives as scratch.
static inline cull_status mask_before(cull_ctx *ctx, const cull_cut *cut, cull_matrix_id where,
                                      size_t rows, size_t cols, const uint8_t **out)
{
    const size_t bytes = rows * mask_stride(cols);
    uint8_t *all = NULL;
    for (size_t i = 0; cut && i < cut->n_overlays; i++) {
        const cull_overlay *o = &cut->overlay[i];
        if (o->kind != CULL_MASK || o->where.layer != where.layer || o->where.part != where.part ||
            o->where.expert != where.expert)
            continue;
        const uint8_t *mask = (const uint8_t *)o->data;
        const bool first = all == NULL;
        if (first && !(all = (uint8_t *)ctx->host->scratch(ctx, bytes, 1)))
            return CULL_ENOMEM;
        for (size_t b = 0; b < bytes; b++)
            all[b] = (uint8_t)(first ? mask[b] : all[b] & mask[b]);
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
