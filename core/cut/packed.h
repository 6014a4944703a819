// A mask, or a matrix of which much is zero, in the room that it needs.
//
// A packed matrix is bytes, in this order:
//
//   u64 rows, u64 cols, u64 m      little-endian
//   a zlib stream of m bytes       rows × ⌈cols/8⌉ bytes of bits, least significant first: of a
//                                  mask 1 is kept, of a matrix 1 is a number that is not zero
//   a zlib stream, to the end      of a matrix: its numbers that are not zero, row by row, first
//                                  the lowest byte of all of them, then the next, up to the highest
//
// Bytes that deflate makes little shorter (the low bytes of a float's fraction, a mask that keeps
// half) are in the stream as they are: level 0. −0 and NaN are numbers that are not zero.
#ifndef CULL_CUT_PACKED_H
#define CULL_CUT_PACKED_H

#include "base/context.h"

typedef struct cull_packed {
    size_t n;
    unsigned char *bytes; // (n) scratch arena
} cull_packed;

// bits: (rows, ⌈cols/8⌉). `pays` is false where packing saves less than an eighth; *out is then
// empty.
cull_status cull_pack_bits(cull_ctx *ctx, size_t rows, size_t cols, const void *bits,
                           cull_packed *out, bool *pays) CULL_MUST_CHECK;
// values: (rows, cols) numbers of `width` bytes, at most 8, little-endian.
cull_status cull_pack_matrix(cull_ctx *ctx, size_t rows, size_t cols, size_t width,
                             const void *values, cull_packed *out, bool *pays) CULL_MUST_CHECK;

// What a packed matrix says of itself; false: it is none.
bool cull_packed_shape(const void *bytes, size_t n, size_t *rows, size_t *cols);

// Into (rows, ⌈cols/8⌉) bytes of bits, or rows × cols numbers, of the shape that
// cull_packed_shape gave. CULL_EFORMAT, unsaid: the bytes are damaged. CULL_ENOMEM is reported.
cull_status cull_unpack_bits(cull_ctx *ctx, const void *bytes, size_t n,
                             void *bits) CULL_MUST_CHECK;
cull_status cull_unpack_matrix(cull_ctx *ctx, const void *bytes, size_t n, size_t width,
                               void *values) CULL_MUST_CHECK;

#endif
