// Orders and cuts on their way from rank 0 to the others.
#include "flow/ranks/order.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/new_file.h"

cull_status cull_order_give(cull_ctx *ctx, cull_order *order)
{
    return cull_ranks_copy(ctx, sizeof *order, order);
}

// ---- files, in pieces: nobody holds more of one ----

enum { PIECE = 4 << 20 };

static size_t piece_at(size_t at, size_t n)
{
    return n - at < PIECE ? n - at : PIECE;
}

static cull_status begin_reading(cull_ctx *ctx, FILE *file, size_t *n)
{
    struct stat st;

    if (fflush(file) != 0 || fstat(fileno(file), &st) != 0)
        return cull_fail(ctx, CULL_EIO, "a cut cannot be written: %s", strerror(errno));
    rewind(file);
    *n = (size_t)st.st_size;
    return CULL_OK;
}

static cull_status read_piece(cull_ctx *ctx, FILE *file, size_t n, void *piece)
{
    return fread(piece, 1, n, file) == n
               ? CULL_OK
               : cull_fail(ctx, CULL_EIO, "a cut cannot be read: %s", strerror(errno));
}

static cull_status write_piece(cull_ctx *ctx, FILE *file, size_t n, const void *piece)
{
    return fwrite(piece, 1, n, file) == n && fflush(file) == 0
               ? CULL_OK
               : cull_fail(ctx, CULL_EIO, "a cut cannot be written: %s", strerror(errno));
}

// Rank 0's file becomes everybody's.
static cull_status tell_file(cull_ctx *ctx, bool gives, FILE *file)
{
    size_t n = 0;

    if (gives)
        CULL_TRY(begin_reading(ctx, file, &n));
    CULL_TRY(cull_ranks_copy(ctx, sizeof n, &n));
    void *piece = cull_alloc(PIECE, 1);
    cull_status status = piece ? CULL_OK : cull_no_memory(ctx);
    for (size_t at = 0; at < n && status == CULL_OK; at += PIECE) {
        const size_t k = piece_at(at, n);
        if (gives)
            status = read_piece(ctx, file, k, piece);
        if (status == CULL_OK)
            status = cull_ranks_copy(ctx, k, piece);
        if (status == CULL_OK && !gives)
            status = write_piece(ctx, file, k, piece);
    }
    cull_free(piece);
    return status;
}

// The next n bytes of rank `from`'s file, into rank 0's *out while nothing has failed there.
static cull_status hand_piece(cull_ctx *ctx, size_t from, size_t n, FILE *file, void *piece,
                              FILE *out, cull_status *failed)
{
    cull_parts parts;

    if (piece)
        CULL_TRY(read_piece(ctx, file, n, piece));
    const cull_status status = cull_ranks_gather(ctx, piece ? n : 0, piece, &parts);
    if (status == CULL_OK && *failed == CULL_OK && from < parts.n)
        *failed = write_piece(ctx, out, n, parts.part[from]);
    cull_parts_release(&parts);
    return status;
}

cull_status cull_order_file(cull_ctx *ctx, const char *folder, size_t from, FILE *file, FILE **out,
                            cull_status *failed)
{
    const cull_ranks *ranks = cull_context_of(ctx)->ranks;
    const bool gives = cull_ranks_rank(ranks) == from && file;
    size_t n = 0;

    *out = NULL;
    if (gives)
        CULL_TRY(begin_reading(ctx, file, &n));
    double bytes = (double)n;
    CULL_TRY(cull_ranks_sum(ctx, 1, &bytes));
    n = (size_t)bytes;
    if (n > 0 && cull_ranks_rank(ranks) == 0 && *failed == CULL_OK)
        *failed = cull_nameless_stream(ctx, folder, out);
    void *piece = gives ? cull_alloc(PIECE, 1) : NULL;
    cull_status status = gives && !piece ? cull_no_memory(ctx) : CULL_OK;
    for (size_t at = 0; at < n && status == CULL_OK; at += PIECE)
        status = hand_piece(ctx, from, piece_at(at, n), file, piece, *out, failed);
    cull_free(piece);
    return status;
}

cull_status cull_order_cut(cull_ctx *ctx, const char *folder, size_t first, size_t only,
                           cull_stage_result *result)
{
    const bool gives = cull_ranks_rank(cull_context_of(ctx)->ranks) == 0;
    const cull_stage_result what = { .cut = result->cut };
    FILE *file;

    CULL_TRY(cull_nameless_stream(ctx, folder, &file));
    cull_status status = gives ? cull_stage_result_write(ctx, file, &what, first) : CULL_OK;
    if (status == CULL_OK)
        status = tell_file(ctx, gives, file);
    if (status == CULL_OK && !gives)
        status = cull_stage_result_read(ctx, file, only, result);
    (void)fclose(file);
    return status;
}
