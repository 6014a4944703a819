// Whole files, unpacked where they are gzip, and what was read noted for the record.
#include "base/read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "base/memory.h"

// Bytes of a file, unpacked, while its length is not known: a buffer that doubles.
typedef struct slurp {
    char *bytes;
    size_t n, room;
} slurp;

static cull_status grow(cull_ctx *ctx, slurp *s)
{
    const size_t room = s->room < SIZE_MAX / 2 ? 2 * s->room : 0;
    char *grown = room ? cull_grow(s->bytes, s->n, room, 1) : NULL;

    if (!grown)
        return cull_no_memory(ctx);
    s->bytes = grown;
    s->room = room;
    return CULL_OK;
}

// zlib puts what it takes for the name of an open file before its reason: "<fd:3>: …".
static const char *reason(const char *text)
{
    const char *end = strncmp(text, "<fd:", 4) == 0 ? strstr(text, ">: ") : NULL;

    return end ? end + 3 : text;
}

static cull_status read_all(cull_ctx *ctx, gzFile file, const char *path, slurp *s)
{
    for (;;) {
        if (s->n == s->room)
            CULL_TRY(grow(ctx, s));
        const size_t left = s->room - s->n;
        const int got = gzread(file, s->bytes + s->n, left < 1 << 30 ? (unsigned)left : 1u << 30);
        if (got > 0) {
            s->n += (size_t)got;
            continue;
        }
        int error = Z_OK;
        const char *text = gzerror(file, &error);
        if (got == 0 && error == Z_OK)
            return CULL_OK;
        if (error == Z_ERRNO)
            return cull_fail(ctx, CULL_EIO, "%s: %s", path, strerror(errno));
        if (error == Z_MEM_ERROR)
            return cull_no_memory(ctx);
        if (error == Z_BUF_ERROR)
            return cull_fail(ctx, CULL_EFORMAT, "%s: the compressed file is cut short", path);
        return cull_fail(ctx, CULL_EFORMAT, "%s: cannot be unpacked: %s", path, reason(text));
    }
}

// Note the file once under each content it had.
static cull_status remember(cull_ctx *ctx, const char *path, const char *bytes, size_t n)
{
    cull_context *context = cull_context_of(ctx);
    const cull_key key = cull_key_of(bytes, n);
    const size_t files = context->n_files;

    for (size_t i = 0; i < files; i++)
        if (strcmp(context->files[i].path, path) == 0 &&
            strcmp(context->files[i].key.hex, key.hex) == 0)
            return CULL_OK;
    if ((files & (files - 1)) == 0) { // full at 0, 1, 2, 4, …
        cull_file_seen *more = cull_take(ctx, files ? 2 * files : 1, sizeof *more);
        if (!more)
            return CULL_ENOMEM;
        if (files)
            memcpy(more, context->files, files * sizeof *more);
        context->files = more;
    }
    const char *name = cull_arena_copy(context->alloc, path, strlen(path));
    if (!name)
        return cull_no_memory(ctx);
    context->files[context->n_files++] = (cull_file_seen){ name, key, n };
    return CULL_OK;
}

// Read through zlib, which passes what is not gzip as it is.
static cull_status read_open(cull_ctx *ctx, int fd, const char *path, size_t expected,
                             const char **bytes, size_t *n)
{
    slurp s = { .room = expected + 1 };

    s.bytes = cull_alloc(s.room, 1);
    gzFile file = s.bytes ? gzdopen(fd, "rb") : NULL;
    if (!file) {
        cull_free(s.bytes);
        close(fd);
        return cull_no_memory(ctx);
    }

    cull_status status = read_all(ctx, file, path, &s);
    gzclose_r(file);
    if (status == CULL_OK)
        status = cull_no_pointer(ctx, path, s.bytes, s.n);
    if (status == CULL_OK) {
        *n = s.n;
        *bytes = cull_arena_copy(cull_context_of(ctx)->alloc, s.bytes, s.n);
        status = *bytes ? remember(ctx, path, *bytes, s.n) : cull_no_memory(ctx);
    }
    cull_free(s.bytes);
    return status;
}

// Git LFS's specification: a pointer begins so, and has less than 1024 bytes.
cull_status cull_no_pointer(cull_ctx *ctx, const char *path, const void *bytes, size_t n)
{
    static const char begin[] = "version https://git-lfs.github.com/spec/";

    if (n >= 1024 || n < sizeof begin || memcmp(bytes, begin, sizeof begin - 1) != 0)
        return CULL_OK;
    return cull_fail(ctx, CULL_EFORMAT,
                     "%s: a pointer of Git LFS stands in the place of the file; `git lfs pull` "
                     "fetches it",
                     path);
}

int cull_regular_fd(const char *path)
{
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)))
        return fd;
    close(fd);
    errno = EINVAL;
    return -1;
}

FILE *cull_regular_stream(const char *path)
{
    const int fd = cull_regular_fd(path);
    FILE *stream = fd >= 0 ? fdopen(fd, "r") : NULL;

    if (!stream && fd >= 0)
        close(fd);
    return stream;
}

cull_status cull_open_regular(cull_ctx *ctx, const char *path, int *fd, size_t *n)
{
    struct stat st = { 0 };

    *fd = cull_regular_fd(path);
    if (*fd < 0)
        return cull_fail(ctx, CULL_EIO, "%s: %s", path,
                         errno == EINVAL ? "not a regular file" : strerror(errno));
    (void)fstat(*fd, &st); // it was possible just now
    *n = (size_t)st.st_size;
    return CULL_OK;
}

cull_status cull_read_file(cull_ctx *ctx, const char *path, const char **bytes, size_t *n)
{
    size_t length;
    int fd;

    CULL_TRY(cull_open_regular(ctx, path, &fd, &length));
    return read_open(ctx, fd, path, length, bytes, n);
}
