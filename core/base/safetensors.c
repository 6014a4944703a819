// A safetensors file, mapped: its tensors as views.
#include "base/safetensors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/read_file.h"
#include "base/safetensors_header.h"
#include "base/sigbus.h"

enum { LENGTH = 8, MAX_HEADER = 100000000, PAGE = 4096, SAMPLES = 1024, MAPPED = 64 };

// bytes: length (8), header, data. The header's index is in the arena.
struct cull_safetensors {
    const unsigned char *bytes;
    size_t n, data; // data: where the data begins
    char *path;     // of a mapping; NULL: the bytes are the caller's
    cull_arena *arena;
    cull_header header;
};

static cull_status check_length(cull_ctx *ctx, const char *path, const unsigned char *bytes,
                                size_t n, size_t *header)
{
    uint64_t length = 0;

    if (n < LENGTH)
        return cull_fail(ctx, CULL_EFORMAT, "%s: not a safetensors file: it has only %zu bytes",
                         path, n);
    for (size_t i = 0; i < LENGTH; i++)
        length |= (uint64_t)bytes[i] << 8 * i;
    if (length > MAX_HEADER)
        return cull_fail(ctx, CULL_EFORMAT,
                         "%s: not a safetensors file: a header of %llu bytes, more than %d", path,
                         (unsigned long long)length, MAX_HEADER);
    if (length > n - LENGTH)
        return cull_fail(ctx, CULL_EFORMAT,
                         "%s: cut short, or not a safetensors file: a header of %llu bytes in a "
                         "file of %zu",
                         path, (unsigned long long)length, n);
    *header = (size_t)length;
    return CULL_OK;
}

cull_status cull_safetensors_view(cull_ctx *ctx, const char *path, const void *bytes, size_t n,
                                  cull_safetensors **out)
{
    size_t header = 0;

    *out = NULL;
    CULL_TRY(cull_no_pointer(ctx, path, bytes, n));
    CULL_TRY(check_length(ctx, path, bytes, n, &header));
    cull_safetensors *file = cull_alloc(1, sizeof *file);
    cull_arena *arena = file ? cull_arena_new() : NULL;
    if (!arena) {
        cull_free(file);
        return cull_no_memory(ctx);
    }

    *file = (cull_safetensors){ .bytes = bytes, .n = n, .data = LENGTH + header, .arena = arena };
    const char *text = (const char *)file->bytes + LENGTH;
    const cull_status status =
        cull_header_parse(ctx, arena, path, text, header, n - file->data, &file->header);
    if (status != CULL_OK)
        cull_safetensors_close(file);
    else
        *out = file;
    return status;
}

static cull_status map_file(cull_ctx *ctx, const char *path, void **bytes, size_t *n)
{
    int fd;

    CULL_TRY(cull_open_regular(ctx, path, &fd, n));
    *bytes = *n ? mmap(NULL, *n, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    const int error = errno;
    close(fd);
    if (!*bytes)
        return cull_fail(ctx, CULL_EFORMAT, "%s: not a safetensors file: it is empty", path);
    if (*bytes == MAP_FAILED)
        return cull_fail(ctx, CULL_EIO, "%s: cannot be mapped: %s", path, strerror(error));
    return CULL_OK;
}

cull_status cull_safetensors_open(cull_ctx *ctx, const char *path, cull_safetensors **out)
{
    void *bytes = NULL;
    size_t n = 0;

    *out = NULL;
    CULL_TRY(map_file(ctx, path, &bytes, &n));
    char *name = cull_strdup(path);
    if (!name) {
        munmap(bytes, n);
        return cull_no_memory(ctx);
    }
    cull_sigbus_watch(bytes, n, name);
    const cull_status status = cull_safetensors_view(ctx, path, bytes, n, out);
    if (status != CULL_OK) {
        cull_sigbus_forget(bytes);
        munmap(bytes, n);
        cull_free(name);
        return status;
    }
    (*out)->path = name;
    return CULL_OK;
}

enum { SEAL = LENGTH + sizeof CULL_SEALED - 1 }; // where its digits are

// Bytes from `from` on, of which no more than a piece is resident at once.
static void hash_rest(cull_hash *hash, const cull_safetensors *file, size_t from)
{
    enum { PIECE = 4 << 20 };

    while (from < file->n) {
        const size_t n = file->n - from < PIECE ? file->n - from : PIECE;
        cull_hash_bytes(hash, file->bytes + from, n);
        cull_safetensors_release(file, file->bytes + from, n);
        from += n;
    }
}

// Are the bytes those that were sealed?
static cull_status check_seal(cull_ctx *ctx, const cull_safetensors *file)
{
    static const char zeros[] = "00000000000000000000000000000000";
    const unsigned char *bytes = file->bytes;

    if (file->data < SEAL + CULL_SEAL_DIGITS ||
        memcmp(bytes + LENGTH, CULL_SEALED, sizeof CULL_SEALED - 1) != 0)
        return CULL_EFORMAT;
    cull_hash *hash = cull_hash_new();
    if (!hash)
        return cull_no_memory(ctx);
    cull_hash_bytes(hash, bytes, SEAL);
    cull_hash_bytes(hash, zeros, CULL_SEAL_DIGITS);
    hash_rest(hash, file, SEAL + CULL_SEAL_DIGITS);
    const cull_key key = cull_hash_key(hash);
    cull_hash_free(hash);
    return memcmp(bytes + SEAL, key.hex, CULL_SEAL_DIGITS) == 0 ? CULL_OK : CULL_EFORMAT;
}

cull_status cull_safetensors_open_sealed(cull_ctx *ctx, const char *path, cull_safetensors **out)
{
    CULL_TRY(cull_safetensors_open(ctx, path, out));
    // either word is enough, so that damage to the one is found by the other
    if (!cull_safetensors_metadata(*out, "sealed") && !cull_safetensors_metadata(*out, "seal")) {
        if (!cull_context_of(ctx)->unsealed)
            cull_log_line(
                cull_context_of(ctx)->log, CULL_WARN,
                "%s: has no checksum, as earlier versions left it; it is believed as it is", path);
        return CULL_OK;
    }
    cull_status status = check_seal(ctx, *out);
    if (status == CULL_EFORMAT)
        status = cull_fail(ctx, CULL_EFORMAT, "%s: is damaged: its checksum does not match", path);
    if (status != CULL_OK) {
        cull_safetensors_close(*out);
        *out = NULL;
    }
    return status;
}

void cull_safetensors_close(cull_safetensors *file)
{
    if (!file)
        return;
    if (file->path) {
        cull_sigbus_forget(file->bytes);
        munmap((void *)file->bytes, file->n);
        cull_free(file->path);
    }
    cull_arena_free(file->arena);
    cull_free(file);
}

size_t cull_safetensors_count(const cull_safetensors *file)
{
    return file->header.n;
}

const char *cull_safetensors_at(const cull_safetensors *file, size_t i, cull_tensor *out)
{
    const cull_header_entry *entry = &file->header.entry[i];

    *out = entry->tensor;
    out->data = file->bytes + file->data + entry->begin;
    return entry->name;
}

static int compare_name(const void *name, const void *entry)
{
    return strcmp(name, ((const cull_header_entry *)entry)->name);
}

static int compare_key(const void *key, const void *pair)
{
    return strcmp(key, ((const cull_pair *)pair)->key);
}

bool cull_safetensors_find(const cull_safetensors *file, const char *name, cull_tensor *out)
{
    const cull_header *h = &file->header;
    const cull_header_entry *found =
        h->n ? bsearch(name, h->entry, h->n, sizeof *h->entry, compare_name) : NULL;

    if (found)
        cull_safetensors_at(file, (size_t)(found - h->entry), out);
    return found != NULL;
}

const char *cull_safetensors_metadata(const cull_safetensors *file, const char *key)
{
    const cull_header *h = &file->header;
    const cull_pair *found =
        h->n_pairs ? bsearch(key, h->pair, h->n_pairs, sizeof *h->pair, compare_key) : NULL;

    return found ? found->value : NULL;
}

// madvise over the whole pages that a range touches; it only ever helps, so failures are ignored.
static void advise(const cull_safetensors *file, const void *data, size_t bytes, int advice)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t from = (size_t)((const unsigned char *)data - file->bytes);

    if (!file->path || !bytes || from > file->n || bytes > file->n - from)
        return;
    const size_t start = from / page * page;
    (void)madvise((void *)(file->bytes + start), from + bytes - start, advice);
}

// In pieces: the system reads no more at a time than a device's read-ahead, whatever it is asked.
void cull_safetensors_prefetch(const cull_safetensors *file, const void *data, size_t bytes)
{
    enum { PIECE = 128 << 10 };

    for (size_t at = 0; at < bytes; at += PIECE)
        advise(file, (const char *)data + at, bytes - at < PIECE ? bytes - at : PIECE,
               MADV_WILLNEED);
}

void cull_safetensors_release(const cull_safetensors *file, const void *data, size_t bytes)
{
    advise(file, data, bytes, MADV_DONTNEED);
}

// Size, header, and up to SAMPLES pages of the data at equal distances, the last one among them.
void cull_safetensors_fingerprint(const cull_safetensors *file, char out[33])
{
    cull_key part[SAMPLES + 2];
    const size_t data = file->n - file->data, pages = (data + PAGE - 1) / PAGE;
    const size_t samples = pages < SAMPLES ? pages : SAMPLES;
    const uint64_t n = file->n;
    size_t parts = 0;

    advise(file, file->bytes, file->n, MADV_RANDOM); // or each sample would map its neighbourhood
    memset(part, 0, sizeof part);
    part[parts++] = cull_key_of(file->bytes, file->data);
    part[parts++] = cull_key_of(&n, sizeof n);
    for (size_t i = 0; i < samples; i++) {
        const size_t page = samples > 1 ? i * (pages - 1) / (samples - 1) : 0;
        const size_t from = page * PAGE, left = data - from;
        part[parts++] = cull_key_of(file->bytes + file->data + from, left < PAGE ? left : PAGE);
        // What is in the page cache is mapped around each all the same.
        if (i % MAPPED == MAPPED - 1)
            advise(file, file->bytes, file->n, MADV_DONTNEED);
    }
    advise(file, file->bytes, file->n, MADV_NORMAL);
    advise(file, file->bytes, file->n, MADV_DONTNEED);
    const cull_key all = cull_key_of(part, parts * sizeof *part);
    memcpy(out, all.hex, sizeof all.hex);
}

const cull_safetensors_ext cull_safetensors_service = {
    .size = sizeof cull_safetensors_service,
    .open = cull_safetensors_open,
    .close = cull_safetensors_close,
    .count = cull_safetensors_count,
    .at = cull_safetensors_at,
    .find = cull_safetensors_find,
    .metadata = cull_safetensors_metadata,
    .prefetch = cull_safetensors_prefetch,
    .release = cull_safetensors_release,
    .fingerprint = cull_safetensors_fingerprint,
    .create = cull_safetensors_create,
    .put = cull_safetensors_put,
    .finish = cull_safetensors_finish,
    .abandon = cull_safetensors_abandon,
};
