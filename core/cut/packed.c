// Masks and sparse matrices, deflated where that pays.
#include "cut/packed.h"

#include <string.h>
#include <zlib.h>

enum {
    HEAD = 24,
    SAMPLE = 1 << 14, // bytes by which a plane is judged
    PIECE = 1 << 18,  // bytes that one thread deflates
    MOST = 1 << 29,   // bytes in a call of inflate
};

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

// What is done to a run of bytes. Numbers without repetitions, such as the exponents of weights,
// get as short by their frequencies alone as by a search for what stands twice, in a tenth of the
// time.
typedef struct effort {
    int level, strategy;
} effort;

static const effort none = { 0, Z_DEFAULT_STRATEGY }, frequencies = { 1, Z_HUFFMAN_ONLY },
                    all = { 6, Z_DEFAULT_STRATEGY };

// A part of a zlib stream, made by itself: it ends on a byte, and nothing in it reaches back.
typedef struct piece {
    effort effort;
    const unsigned char *from;
    size_t n;
    unsigned char *to;
    size_t room, used; // bytes at `to`; used 0: it could not be made
    uLong sum;         // Adler-32 of `from`
} piece;

// The bytes that come of n, n <= PIECE; 0: no memory, or `room` is too little.
static size_t deflate_bytes(effort e, const unsigned char *from, size_t n, unsigned char *to,
                            size_t room)
{
    z_stream z = { .next_in = (unsigned char *)(uintptr_t)from, // zlib writes nothing there
                   .avail_in = (uInt)n,
                   .next_out = to,
                   .avail_out = (uInt)room };

    if (deflateInit2(&z, e.level, Z_DEFLATED, -MAX_WBITS, 8, e.strategy) != Z_OK)
        return 0;
    const bool ok = deflate(&z, Z_FULL_FLUSH) == Z_OK && z.avail_in == 0 && z.avail_out > 0;
    (void)deflateEnd(&z);
    return ok ? room - z.avail_out : 0;
}

// What n bytes deserve, by a sample from their middle: less than seven eighths must be left of it.
static effort deserved(const unsigned char *bytes, size_t n)
{
    unsigned char to[SAMPLE + SAMPLE / 8];
    const size_t some = n < SAMPLE ? n : SAMPLE, little = some - some / 8;
    const unsigned char *sample = bytes + (n - some) / 2;
    const size_t searched = deflate_bytes(all, sample, some, to, sizeof to),
                 counted = deflate_bytes(frequencies, sample, some, to, sizeof to);

    if (counted > 0 && counted < little && counted - counted / 32 <= searched)
        return frequencies;
    return searched > 0 && searched < little ? all : none;
}

static cull_status deflate_piece(void *arg, size_t i, size_t worker)
{
    piece *p = (piece *)arg + i;

    (void)worker;
    p->sum = adler32(1, p->from, (uInt)p->n);
    p->used = deflate_bytes(p->effort, p->from, p->n, p->to, p->room);
    return p->used > 0 ? CULL_OK : CULL_ENOMEM;
}

static size_t piece_bound(size_t n)
{
    return n + n / 1000 + 64;
}

static size_t pieces_of(size_t n)
{
    return n / PIECE + (n % PIECE != 0);
}

// Room that is enough for n bytes in any number of planes, deflated or not.
static size_t bound(size_t n_planes, size_t n)
{
    return n_planes * (n + n / 1000 + 64 * pieces_of(n)) + 64;
}

// The pieces behind one another, as one zlib stream at `to`, whose beginning they overlap.
static size_t join(size_t n, const piece *p, unsigned char *to)
{
    static const unsigned char begin[] = { 0x78, 0x01 }, end[] = { 0x03, 0x00 };
    uLong sum = 1;
    size_t used = sizeof begin;

    memcpy(to, begin, sizeof begin);
    for (size_t i = 0; i < n; i++) {
        memmove(to + used, p[i].to, p[i].used);
        used += p[i].used;
        sum = adler32_combine(sum, p[i].sum, (z_off_t)p[i].n);
    }
    memcpy(to + used, end, sizeof end);
    used += sizeof end;
    for (size_t i = 0; i < 4; i++)
        to[used++] = (unsigned char)(sum >> (24 - 8 * i));
    return used;
}

// planes: n_planes runs of n bytes, one behind the other, each with the effort that it deserves.
// `to` has room for bound(n_planes, n) bytes; the result does not depend on the number of threads.
static cull_status deflate_planes(cull_ctx *ctx, size_t n_planes, size_t n,
                                  const unsigned char *planes, unsigned char *to, size_t *used)
{
    piece *p = cull_scratch(ctx, n_planes * pieces_of(n) + 1, sizeof *p);
    unsigned char *at = to + 2;
    size_t n_pieces = 0;

    if (!p)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n_planes; i++, planes += n) {
        const effort e = deserved(planes, n);
        for (size_t begin = 0; begin < n; begin += PIECE) {
            const size_t some = n - begin < PIECE ? n - begin : PIECE;
            p[n_pieces++] = (piece){ e, planes + begin, some, at, piece_bound(some), 0, 0 };
            at += piece_bound(some);
        }
    }
    if (cull_pool_run(cull_context_of(ctx)->pool, n_pieces, deflate_piece, p) != CULL_OK)
        return cull_no_memory(ctx);
    *used = join(n_pieces, p, to);
    return CULL_OK;
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
    *pays = n > HEAD && deserved(bits, n).level > 0;
    if (!*pays)
        return CULL_OK;
    const size_t room = bound(1, n);
    unsigned char *bytes = begin(ctx, rows, cols, room);
    size_t used = 0;
    if (!bytes)
        return CULL_ENOMEM;
    CULL_TRY(deflate_planes(ctx, 1, n, bits, bytes + HEAD, &used));
    put_u64(bytes + 16, used);
    *pays = worth_it(HEAD + used, n);
    if (*pays)
        *out = (cull_packed){ HEAD + used, bytes };
    return CULL_OK;
}

// The bits of a number: a loop over numbers of a width known to the compiler reads them whole.
static inline uint64_t number(const unsigned char *at, size_t width)
{
    uint64_t value = 0;

    memcpy(&value, at, width);
    return value;
}

// Which numbers are not zero, and how many.
static inline size_t mark(size_t rows, size_t cols, size_t width, const unsigned char *values,
                          unsigned char *bits)
{
    size_t n = 0;

    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++) {
            const bool is = number(values + (r * cols + c) * width, width) != 0;
            bits[r * row_bytes(cols) + c / 8] |= (unsigned char)(is << c % 8);
            n += is;
        }
    return n;
}

static size_t mark_numbers(size_t rows, size_t cols, size_t width, const unsigned char *values,
                           unsigned char *bits)
{
    return width == 2   ? mark(rows, cols, 2, values, bits)
           : width == 4 ? mark(rows, cols, 4, values, bits)
                        : mark(rows, cols, width, values, bits);
}

// The numbers that are not zero, byte by byte: (width, n).
static inline void gather(size_t cells, size_t width, const unsigned char *values, size_t n,
                          unsigned char *planes)
{
    size_t k = 0;

    for (size_t i = 0; i < cells; i++) {
        if (number(values + i * width, width) == 0)
            continue;
        for (size_t p = 0; p < width; p++)
            planes[p * n + k] = values[i * width + p];
        k++;
    }
}

static void gather_planes(size_t cells, size_t width, const unsigned char *values, size_t n,
                          unsigned char *planes)
{
    if (width == 2)
        gather(cells, 2, values, n, planes);
    else if (width == 4)
        gather(cells, 4, values, n, planes);
    else
        gather(cells, width, values, n, planes);
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
    CULL_TRY(deflate_planes(ctx, 1, n_bits, bits, bytes + HEAD, &used));
    CULL_TRY(deflate_planes(ctx, width, n, planes, bytes + HEAD + used, &more));
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
