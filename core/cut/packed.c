// Masks and sparse matrices, deflated where that pays.
#include "cut/packed.h"

#include <string.h>
#include <zlib.h>

enum { HEAD = 24, SAMPLE = 1 << 16, LEVEL = 6, MOST = 1 << 29 }; // MOST: bytes in a call of zlib

static void put_u64(unsigned char *to, uint64_t value)
{
    for (size_t i = 0; i < 8; i++)
        to[i] = (unsigned char)(value >> 8 * i);
}

static uint64_t get_u64(const unsigned char *from)
{
    uint64_t value = 0;

    for (size_t i = 0; i < 8; i++)
        value |= (uint64_t)from[i] << 8 * i;
    return value;
}

// ---- deflate ----

// Is less than seven eighths left of a sample from the middle?
static bool shrinks(cull_ctx *ctx, const unsigned char *bytes, size_t n)
{
    const size_t some = n < SAMPLE ? n : SAMPLE;
    const cull_mark mark = cull_arena_mark(cull_context_of(ctx)->scratch);
    uLongf left = compressBound((uLong)some);
    unsigned char *to = cull_arena_alloc(cull_context_of(ctx)->scratch, left, 1);
    const bool yes = to && compress2(to, &left, bytes + (n - some) / 2, (uLong)some, 1) == Z_OK &&
                     left < some - some / 8;

    cull_arena_rewind(cull_context_of(ctx)->scratch, mark);
    return yes;
}

// Feed n bytes to the stream, whose output has room for all.
static bool feed(z_stream *z, const unsigned char *bytes, size_t n, size_t *room, int flush)
{
    int done;
    size_t in;

    do {
        in = n < MOST ? n : MOST;
        const size_t out = *room < 2 * (size_t)MOST ? *room : 2 * (size_t)MOST;
        z->next_in = (unsigned char *)(uintptr_t)bytes; // zlib writes nothing there
        z->avail_in = (uInt)in;
        z->avail_out = (uInt)out;
        done = deflate(z, in == n ? flush : Z_NO_FLUSH);
        *room -= out - z->avail_out;
        if (z->avail_in > 0)
            return false;
        bytes += in;
        n -= in;
    } while (n > 0);
    return flush == Z_FINISH ? done == Z_STREAM_END : done == Z_OK || done == Z_BUF_ERROR;
}

static bool set_level(z_stream *z, int level, size_t *room)
{
    const uInt out = (uInt)(*room < MOST ? *room : MOST);

    z->avail_in = 0;
    z->avail_out = out;
    const bool ok = deflateParams(z, level, Z_DEFAULT_STRATEGY) == Z_OK;
    *room -= out - z->avail_out;
    return ok;
}

// planes: n_planes runs of n bytes, one behind the other, each at the level that it deserves.
// `to` has room for `room` bytes.
static bool deflate_planes(cull_ctx *ctx, size_t n_planes, size_t n, const unsigned char *planes,
                           unsigned char *to, size_t room, size_t *used)
{
    const size_t had = room;
    z_stream z = { .next_out = to };

    if (deflateInit(&z, 0) != Z_OK)
        return false;
    bool ok = true;
    for (size_t p = 0; ok && n > 0 && p < n_planes; p++) {
        const unsigned char *plane = planes + p * n;
        ok = set_level(&z, shrinks(ctx, plane, n) ? LEVEL : 0, &room) &&
             feed(&z, plane, n, &room, Z_BLOCK);
    }
    ok = ok && feed(&z, planes, 0, &room, Z_FINISH);
    (void)deflateEnd(&z);
    *used = had - room;
    return ok;
}

// Room that is enough for n bytes in any number of planes, deflated or not.
static size_t bound(size_t n_planes, size_t n)
{
    return n_planes * (n + n / 1000 + 1024) + 64;
}

// ---- inflate ----

// The stream's content is exactly n bytes.
static bool inflate_all(const unsigned char *from, size_t bytes, unsigned char *to, size_t n)
{
    z_stream z = { .next_out = to };
    int done = inflateInit(&z);

    if (done != Z_OK)
        return false;
    z.next_in = (unsigned char *)(uintptr_t)from; // read only
    while (done == Z_OK) {
        const size_t in = bytes < MOST ? bytes : MOST, out = n < MOST ? n : MOST;
        z.avail_in = (uInt)in;
        z.avail_out = (uInt)out;
        done = inflate(&z, Z_NO_FLUSH);
        bytes -= in - z.avail_in;
        n -= out - z.avail_out;
    }
    (void)inflateEnd(&z);
    return done == Z_STREAM_END && bytes == 0 && n == 0;
}

// ---- packing ----

static size_t row_bytes(size_t cols)
{
    return cols / 8 + (cols % 8 != 0);
}

// Room for the head and both streams, in scratch.
static unsigned char *begin(cull_ctx *ctx, size_t rows, size_t cols, size_t room)
{
    unsigned char *bytes = cull_scratch(ctx, HEAD + room, 1);

    if (!bytes)
        return NULL;
    put_u64(bytes, rows);
    put_u64(bytes + 8, cols);
    return bytes;
}

static bool worth_it(size_t packed, size_t plain)
{
    return packed < plain - plain / 8;
}

cull_status cull_pack_bits(cull_ctx *ctx, size_t rows, size_t cols, const void *bits,
                           cull_packed *out, bool *pays)
{
    const size_t n = rows * row_bytes(cols);

    *out = (cull_packed){ 0 };
    *pays = n > HEAD && shrinks(ctx, bits, n);
    if (!*pays)
        return CULL_OK;
    const size_t room = bound(1, n);
    unsigned char *bytes = begin(ctx, rows, cols, room);
    size_t used = 0;
    if (!bytes)
        return CULL_ENOMEM;
    if (!deflate_planes(ctx, 1, n, bits, bytes + HEAD, room, &used))
        return cull_no_memory(ctx);
    put_u64(bytes + 16, used);
    *pays = worth_it(HEAD + used, n);
    if (*pays)
        *out = (cull_packed){ HEAD + used, bytes };
    return CULL_OK;
}

static bool is_zero(const unsigned char *value, size_t width)
{
    static const unsigned char zero[8] = { 0 };

    return memcmp(value, zero, width) == 0;
}

// Which numbers are not zero, and how many.
static size_t mark_numbers(size_t rows, size_t cols, size_t width, const unsigned char *values,
                           unsigned char *bits)
{
    size_t n = 0;

    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++) {
            if (is_zero(values + (r * cols + c) * width, width))
                continue;
            bits[r * row_bytes(cols) + c / 8] |= (unsigned char)(1u << c % 8);
            n++;
        }
    return n;
}

// The numbers that are not zero, byte by byte: (width, n).
static void gather_planes(size_t cells, size_t width, const unsigned char *values, size_t n,
                          unsigned char *planes)
{
    size_t k = 0;

    for (size_t i = 0; i < cells; i++) {
        if (is_zero(values + i * width, width))
            continue;
        for (size_t p = 0; p < width; p++)
            planes[p * n + k] = values[i * width + p];
        k++;
    }
}

cull_status cull_pack_matrix(cull_ctx *ctx, size_t rows, size_t cols, size_t width,
                             const void *values, cull_packed *out, bool *pays)
{
    const size_t n_bits = rows * row_bytes(cols);
    unsigned char *bits = cull_scratch(ctx, n_bits, 1);

    *out = (cull_packed){ 0 };
    *pays = false;
    if (!bits)
        return CULL_ENOMEM;
    const size_t n = mark_numbers(rows, cols, width, values, bits);
    unsigned char *planes = cull_scratch(ctx, n, width);
    const size_t room = bound(1, n_bits) + bound(width, n);
    unsigned char *bytes = begin(ctx, rows, cols, room);
    size_t used = 0, more = 0;
    if (!planes || !bytes)
        return CULL_ENOMEM;
    gather_planes(rows * cols, width, values, n, planes);
    if (!deflate_planes(ctx, 1, n_bits, bits, bytes + HEAD, room, &used) ||
        !deflate_planes(ctx, width, n, planes, bytes + HEAD + used, room - used, &more))
        return cull_no_memory(ctx);
    put_u64(bytes + 16, used);
    *pays = worth_it(HEAD + used + more, rows * cols * width);
    if (*pays)
        *out = (cull_packed){ HEAD + used + more, bytes };
    return CULL_OK;
}

// ---- unpacking ----

bool cull_packed_shape(const void *bytes, size_t n, size_t *rows, size_t *cols)
{
    if (n < HEAD)
        return false;
    const uint64_t r = get_u64(bytes), c = get_u64((const unsigned char *)bytes + 8),
                   m = get_u64((const unsigned char *)bytes + 16);
    if (r == 0 || c == 0 || r > UINT32_MAX || c > UINT32_MAX || r > SIZE_MAX / 16 / c ||
        m > n - HEAD)
        return false;
    *rows = (size_t)r;
    *cols = (size_t)c;
    return true;
}

cull_status cull_unpack_bits(cull_ctx *ctx, const void *bytes, size_t n, void *bits)
{
    size_t rows, cols;

    (void)ctx;
    if (!cull_packed_shape(bytes, n, &rows, &cols))
        return CULL_EFORMAT;
    const size_t used = (size_t)get_u64((const unsigned char *)bytes + 16);
    return used == n - HEAD && inflate_all((const unsigned char *)bytes + HEAD, used, bits,
                                           rows * row_bytes(cols))
               ? CULL_OK
               : CULL_EFORMAT;
}

static size_t count_bits(size_t rows, size_t cols, const unsigned char *bits)
{
    size_t n = 0;

    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            n += bits[r * row_bytes(cols) + c / 8] >> c % 8 & 1;
    return n;
}

static void scatter_planes(size_t rows, size_t cols, size_t width, const unsigned char *bits,
                           size_t n, const unsigned char *planes, unsigned char *values)
{
    size_t k = 0;

    memset(values, 0, rows * cols * width);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++) {
            if (!(bits[r * row_bytes(cols) + c / 8] >> c % 8 & 1))
                continue;
            for (size_t p = 0; p < width; p++)
                values[(r * cols + c) * width + p] = planes[p * n + k];
            k++;
        }
}

cull_status cull_unpack_matrix(cull_ctx *ctx, const void *bytes, size_t n, size_t width,
                               void *values)
{
    size_t rows, cols;

    if (!cull_packed_shape(bytes, n, &rows, &cols))
        return CULL_EFORMAT;
    const unsigned char *from = (const unsigned char *)bytes + HEAD;
    const size_t used = (size_t)get_u64(from - 8), n_bits = rows * row_bytes(cols);
    unsigned char *bits = cull_scratch(ctx, n_bits, 1);
    if (!bits)
        return CULL_ENOMEM;
    if (!inflate_all(from, used, bits, n_bits))
        return CULL_EFORMAT;
    const size_t numbers = count_bits(rows, cols, bits);
    unsigned char *planes = cull_scratch(ctx, numbers, width);
    if (!planes)
        return CULL_ENOMEM;
    if (!inflate_all(from + used, n - HEAD - used, planes, numbers * width))
        return CULL_EFORMAT;
    scatter_planes(rows, cols, width, bits, numbers, planes, values);
    return CULL_OK;
}
