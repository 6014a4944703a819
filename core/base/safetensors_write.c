// Writes a safetensors file: header first, tensors in order of their types and names.
#include "base/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/new_file.h"
#include "base/sized.h"
#include "base/text.h"

typedef struct slot { // of entry i: where its bytes go, and how many have come
    size_t begin, bytes, got;
} slot;

struct cull_safetensors_writer {
    cull_new_file file;
    bool sealed;
    uint64_t bytes; // of the whole file
    size_t n;
    slot *slot;        // (n)
    const char **name; // (n) for messages
    cull_arena *arena;
};

static int by_dtype_then_name(const void *a, const void *b)
{
    const cull_entry *x = *(const cull_entry *const *)a, *y = *(const cull_entry *const *)b;

    return x->dtype != y->dtype ? (x->dtype > y->dtype) - (x->dtype < y->dtype)
                                : strcmp(x->name, y->name);
}

static cull_status check_entries(cull_ctx *ctx, const char *path, size_t n,
                                 const cull_entry *const *sorted)
{
    for (size_t i = 0; i < n; i++) {
        const cull_entry *entry = sorted[i];
        size_t bytes;
        if (entry->rank > CULL_MAX_RANK ||
            !cull_tensor_bytes(entry->dtype, entry->rank, entry->shape, &bytes))
            return cull_fail(ctx, CULL_EINVAL, "%s: tensor \"%s\" has an impossible shape", path,
                             entry->name);
        if (strcmp(entry->name, "__metadata__") == 0 ||
            !cull_utf8_valid(entry->name, strlen(entry->name)))
            return cull_fail(ctx, CULL_EINVAL, "%s: \"%s\" cannot be a tensor's name", path,
                             entry->name);
    }
    return CULL_OK;
}

static void put_metadata(cull_buf *header, bool sealed, size_t n, const cull_pair *pairs)
{
    if (sealed)
        cull_buf_printf(header, CULL_SEALED "%0*d\"", CULL_SEAL_DIGITS, 0);
    else
        cull_buf_puts(header, "{\"__metadata__\":{\"format\":\"pt\"");
    for (size_t i = 0; i < n; i++) {
        cull_buf_puts(header, ",");
        cull_buf_json(header, pairs[i].key, strlen(pairs[i].key));
        cull_buf_puts(header, ":");
        cull_buf_json(header, pairs[i].value, strlen(pairs[i].value));
    }
    cull_buf_puts(header, "}");
}

static void put_entry(cull_buf *header, const cull_entry *entry, const slot *s)
{
    cull_buf_puts(header, ",");
    cull_buf_json(header, entry->name, strlen(entry->name));
    cull_buf_printf(header, ":{\"dtype\":\"%s\",\"shape\":[", cull_dtype_word(entry->dtype));
    for (size_t i = 0; i < entry->rank; i++)
        cull_buf_printf(header, "%s%zu", i ? "," : "", entry->shape[i]);
    cull_buf_printf(header, "],\"data_offsets\":[%zu,%zu]}", s->begin, s->begin + s->bytes);
}

// Lay out the tensors, and write the length and the header, padded so that the data is aligned
// to 8.
static cull_status write_header(cull_ctx *ctx, cull_safetensors_writer *w,
                                const cull_entry *entries, const cull_entry *const *sorted,
                                size_t n_pairs, const cull_pair *pairs)
{
    cull_buf header = CULL_BUF_INIT;
    unsigned char length[8];
    size_t end = 0;

    put_metadata(&header, w->sealed, n_pairs, pairs);
    for (size_t i = 0; i < w->n; i++) {
        slot *s = &w->slot[sorted[i] - entries];
        (void)cull_tensor_bytes(sorted[i]->dtype, sorted[i]->rank, sorted[i]->shape, &s->bytes);
        s->begin = end;
        end += s->bytes;
        put_entry(&header, sorted[i], s);
    }
    cull_buf_puts(&header, "}");
    while (header.n % 8 && !header.failed)
        cull_buf_puts(&header, " ");
    for (size_t i = 0; i < sizeof length; i++)
        length[i] = (unsigned char)((uint64_t)header.n >> 8 * i);
    for (size_t i = 0; i < w->n; i++)
        w->slot[i].begin += sizeof length + header.n;
    w->bytes = sizeof length + header.n + end;

    cull_status status = header.failed ? cull_no_memory(ctx) : CULL_OK;
    if (status == CULL_OK)
        status = cull_new_file_put(ctx, &w->file, 0, length, sizeof length);
    if (status == CULL_OK)
        status = cull_new_file_put(ctx, &w->file, sizeof length, header.s, header.n);
    cull_buf_release(&header);
    return status;
}

static cull_safetensors_writer *new_writer(size_t n, const cull_entry *entries)
{
    cull_safetensors_writer *w = cull_alloc(1, sizeof *w);

    if (!w)
        return NULL;

    w->n = n;
    w->file.fd = -1;
    w->arena = cull_arena_new();
    w->slot = w->arena ? cull_arena_alloc(w->arena, n, sizeof *w->slot) : NULL;
    w->name = w->slot ? cull_arena_alloc(w->arena, n, sizeof *w->name) : NULL;
    for (size_t i = 0; w->name && i < n; i++) {
        w->name[i] = cull_arena_copy(w->arena, entries[i].name, strlen(entries[i].name));
        if (!w->name[i])
            w->name = NULL;
    }
    if (w->name)
        return w;
    cull_safetensors_abandon(w);
    return NULL;
}

static cull_status create(cull_ctx *ctx, const char *path, bool sealed, size_t n,
                          const cull_entry *entries, size_t n_pairs, const cull_pair *pairs,
                          cull_safetensors_writer **out)
{
    const void *own;

    *out = NULL;
    CULL_TRY(cull_sized_array(ctx, "an entry", CULL_UP_TO(cull_entry, shape), n, entries,
                              sizeof *entries, &own));
    entries = own;
    cull_safetensors_writer *w = new_writer(n, entries);
    const cull_entry **sorted = w ? cull_arena_alloc(w->arena, n, sizeof *sorted) : NULL;
    if (!sorted) {
        cull_safetensors_abandon(w);
        return cull_no_memory(ctx);
    }

    w->sealed = sealed;
    for (size_t i = 0; i < n; i++)
        sorted[i] = &entries[i];
    if (n)
        qsort(sorted, n, sizeof *sorted, by_dtype_then_name);
    cull_status status = check_entries(ctx, path, n, sorted);
    if (status == CULL_OK)
        status = cull_new_file_begin(ctx, &w->file, path);
    if (status == CULL_OK)
        status = write_header(ctx, w, entries, sorted, n_pairs, pairs);
    if (status != CULL_OK)
        cull_safetensors_abandon(w);
    else
        *out = w;
    return status;
}

cull_status cull_safetensors_create(cull_ctx *ctx, const char *path, size_t n,
                                    const cull_entry *entries, size_t n_pairs,
                                    const cull_pair *pairs, cull_safetensors_writer **out)
{
    return create(ctx, path, false, n, entries, n_pairs, pairs, out);
}

cull_status cull_safetensors_create_sealed(cull_ctx *ctx, const char *path, size_t n,
                                           const cull_entry *entries, size_t n_pairs,
                                           const cull_pair *pairs, cull_safetensors_writer **out)
{
    return create(ctx, path, true, n, entries, n_pairs, pairs, out);
}

cull_status cull_safetensors_put(cull_ctx *ctx, cull_safetensors_writer *writer, size_t i,
                                 const void *data, size_t bytes)
{
    slot *s = &writer->slot[i];

    if (bytes > s->bytes - s->got)
        return cull_fail(ctx, CULL_EINVAL, "%s: tensor \"%s\" has %zu bytes, more were given",
                         writer->file.path, writer->name[i], s->bytes);
    CULL_TRY(cull_new_file_put(ctx, &writer->file, s->begin + s->got, data, bytes));
    s->got += bytes;
    return CULL_OK;
}

static cull_status seal(cull_ctx *ctx, cull_safetensors_writer *w, cull_key *key)
{
    const int error = cull_key_of_start(w->file.fd, w->bytes, key);

    if (error == ENOMEM)
        return cull_no_memory(ctx);
    if (error)
        return cull_fail(ctx, CULL_EIO, "%s: cannot be read back: %s", w->file.path,
                         strerror(error));
    return cull_new_file_put(ctx, &w->file, 8 + sizeof CULL_SEALED - 1, key->hex, CULL_SEAL_DIGITS);
}

static cull_status check_complete(cull_ctx *ctx, const cull_safetensors_writer *w)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->slot[i].got != w->slot[i].bytes)
            return cull_fail(ctx, CULL_EINVAL, "%s: tensor \"%s\" got %zu of its %zu bytes",
                             w->file.path, w->name[i], w->slot[i].got, w->slot[i].bytes);
    return CULL_OK;
}

cull_status cull_safetensors_finish(cull_ctx *ctx, cull_safetensors_writer *writer)
{
    cull_key key;
    cull_status status = check_complete(ctx, writer);

    if (status == CULL_OK && writer->sealed)
        status = seal(ctx, writer, &key);
    if (status == CULL_OK)
        status = cull_new_file_commit(ctx, &writer->file);
    cull_safetensors_abandon(writer);
    return status;
}

// The file's path is now that of its seal.
static cull_status name_by_seal(cull_ctx *ctx, cull_safetensors_writer *w, const cull_key *key,
                                const char *dir, char *name, size_t room)
{
    cull_buf path = CULL_BUF_INIT;

    snprintf(name, room, "%s.safetensors", key->hex);
    cull_buf_printf(&path, "%s/%s", dir, name);
    if (path.failed) {
        cull_buf_release(&path);
        return cull_no_memory(ctx);
    }
    cull_free(w->file.path);
    w->file.path = path.s;
    return CULL_OK;
}

cull_status cull_safetensors_finish_named(cull_ctx *ctx, cull_safetensors_writer *writer,
                                          const char *dir, char *name, size_t room)
{
    cull_key key;
    struct stat there;
    cull_status status = check_complete(ctx, writer);

    if (status == CULL_OK)
        status = seal(ctx, writer, &key);
    if (status == CULL_OK)
        status = name_by_seal(ctx, writer, &key, dir, name, room);
    if (status == CULL_OK &&
        (stat(writer->file.path, &there) != 0 || (uint64_t)there.st_size != writer->bytes))
        status = cull_new_file_commit(ctx, &writer->file);
    cull_safetensors_abandon(writer);
    return status;
}

void cull_safetensors_abandon(cull_safetensors_writer *writer)
{
    if (!writer)
        return;
    cull_new_file_abandon(&writer->file);
    cull_arena_free(writer->arena);
    cull_free(writer);
}
