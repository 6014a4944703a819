// The JSON header of a safetensors file: names, types, shapes, places.
#include "base/safetensors_header.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/memory.h"

const char *cull_dtype_word(cull_dtype dtype)
{
    static const char *const words[] = {
#define WORD(name, bits, word) word,
        CULL_DTYPES(WORD)
#undef WORD
    };

    return words[dtype];
}

size_t cull_dtype_bits(cull_dtype dtype)
{
    static const unsigned char bits_of[] = {
#define BITS(name, bits, word) bits,
        CULL_DTYPES(BITS)
#undef BITS
    };

    return bits_of[dtype];
}

bool cull_dtype_of_word(const char *word, cull_dtype *out)
{
    for (int i = 0; i < CULL_N_DTYPES; i++)
        if (strcmp(word, cull_dtype_word((cull_dtype)i)) == 0) {
            *out = (cull_dtype)i;
            return true;
        }
    return false;
}

// Every step is checked, also those before a dimension of 0 makes the product 0.
bool cull_tensor_bytes(cull_dtype dtype, size_t rank, const size_t *shape, size_t *bytes)
{
    size_t bits = cull_dtype_bits(dtype), elements = 1;

    for (size_t i = 0; i < rank; i++)
        if (__builtin_mul_overflow(elements, shape[i], &elements))
            return false;
    if (__builtin_mul_overflow(bits, elements, &bits) || bits % 8)
        return false;
    *bytes = bits / 8;
    return true;
}

// Where we are, for messages.
typedef struct place {
    cull_ctx *ctx;
    const char *path, *tensor;
} place;

#define REFUSE(at, fmt, ...)                                                                       \
    cull_fail((at)->ctx, CULL_EFORMAT, "%s: tensor \"%s\": " fmt, (at)->path, (at)->tensor,        \
              __VA_ARGS__)

// A list of non-negative integers, at most `room`.
static cull_status read_sizes(const place *at, const char *key, const json_t *list, size_t room,
                              size_t *out, size_t *n)
{
    if (!json_is_array(list))
        return REFUSE(at, "%s is %s", key, list ? "not a list" : "missing");
    *n = json_array_size(list);
    if (*n > room)
        return REFUSE(at, "%s has %zu entries, more than %zu", key, *n, room);
    for (size_t i = 0; i < *n; i++) {
        const json_t *value = json_array_get(list, i);
        if (!json_is_integer(value) || json_integer_value(value) < 0)
            return REFUSE(at, "entry %zu of %s is not a non-negative integer", i, key);
        out[i] = (size_t)json_integer_value(value);
    }
    return CULL_OK;
}

static cull_status read_entry(const place *at, const json_t *value, size_t data_bytes,
                              cull_header_entry *out)
{
    size_t range[2], n_range, wanted;
    cull_tensor *t = &out->tensor;

    if (!json_is_object(value))
        return REFUSE(at, "its entry is not an object%s", "");
    const char *word = json_string_value(json_object_get(value, "dtype"));
    if (!word)
        return REFUSE(at, "%s is missing or not a text", "dtype");
    if (!cull_dtype_of_word(word, &t->dtype))
        return REFUSE(at, "unknown dtype \"%s\"", word);
    CULL_TRY(read_sizes(at, "shape", json_object_get(value, "shape"), CULL_MAX_RANK, t->shape,
                        &t->rank));
    CULL_TRY(
        read_sizes(at, "data_offsets", json_object_get(value, "data_offsets"), 2, range, &n_range));
    if (n_range != 2)
        return REFUSE(at, "data_offsets has %zu entries instead of 2", n_range);
    if (range[1] < range[0] || range[1] > data_bytes)
        return REFUSE(at, "its data at [%zu, %zu) is not within the file's %zu bytes of data",
                      range[0], range[1], data_bytes);
    if (!cull_tensor_bytes(t->dtype, t->rank, t->shape, &wanted))
        return REFUSE(at, "its shape does not make a whole number of bytes that fits %zu bits",
                      8 * sizeof(size_t));
    if (wanted != range[1] - range[0])
        return REFUSE(at, "its dtype and shape need %zu bytes, but its data_offsets span %zu",
                      wanted, range[1] - range[0]);
    out->begin = range[0];
    t->bytes = wanted;
    return CULL_OK;
}

static int by_range(const void *a, const void *b)
{
    const cull_header_entry *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->tensor.bytes > y->tensor.bytes) - (x->tensor.bytes < y->tensor.bytes);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const cull_header_entry *)a)->name, ((const cull_header_entry *)b)->name);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const cull_pair *)a)->key, ((const cull_pair *)b)->key);
}

// In the order of their offsets, tensors cover the data without holes or overlaps.
static cull_status check_tiling(cull_ctx *ctx, const char *path, cull_header *header,
                                size_t data_bytes)
{
    size_t end = 0;

    if (header->n)
        qsort(header->entry, header->n, sizeof *header->entry, by_range);
    for (size_t i = 0; i < header->n; i++) {
        const place at = { ctx, path, header->entry[i].name };
        if (header->entry[i].begin != end)
            return REFUSE(&at, "its data begins at %zu, %s the end of the one before it at %zu",
                          header->entry[i].begin, header->entry[i].begin < end ? "before" : "after",
                          end);
        end += header->entry[i].tensor.bytes;
    }
    if (end != data_bytes)
        return cull_fail(ctx, CULL_EFORMAT,
                         "%s: the tensors cover %zu bytes, but the file has %zu bytes of data",
                         path, end, data_bytes);
    if (header->n)
        qsort(header->entry, header->n, sizeof *header->entry, by_name);
    return CULL_OK;
}

static cull_status read_metadata(cull_ctx *ctx, cull_arena *arena, const char *path, json_t *meta,
                                 cull_header *out)
{
    const char *key;
    json_t *value;

    if (!meta || json_is_null(meta))
        return CULL_OK;
    if (!json_is_object(meta))
        return cull_fail(ctx, CULL_EFORMAT, "%s: __metadata__ is not an object", path);
    out->pair = cull_arena_alloc(arena, json_object_size(meta), sizeof *out->pair);
    if (!out->pair)
        return cull_no_memory(ctx);
    json_object_foreach(meta, key, value)
    {
        if (!json_is_string(value))
            return cull_fail(ctx, CULL_EFORMAT, "%s: \"%s\" of __metadata__ is not a text", path,
                             key);
        cull_pair *pair = &out->pair[out->n_pairs++];
        pair->key = cull_arena_copy(arena, key, strlen(key));
        pair->value = cull_arena_copy(arena, json_string_value(value), json_string_length(value));
        if (!pair->key || !pair->value)
            return cull_no_memory(ctx);
    }
    if (out->n_pairs)
        qsort(out->pair, out->n_pairs, sizeof *out->pair, by_key);
    return CULL_OK;
}

static cull_status read_header(cull_ctx *ctx, cull_arena *arena, const char *path, json_t *root,
                               size_t data_bytes, cull_header *out)
{
    const char *key;
    json_t *value;

    if (!json_is_object(root))
        return cull_fail(ctx, CULL_EFORMAT, "%s: its header is not an object", path);
    CULL_TRY(read_metadata(ctx, arena, path, json_object_get(root, "__metadata__"), out));
    out->entry = cull_arena_alloc(arena, json_object_size(root), sizeof *out->entry);
    if (!out->entry)
        return cull_no_memory(ctx);
    json_object_foreach(root, key, value)
    {
        if (strcmp(key, "__metadata__") == 0)
            continue;
        cull_header_entry *entry = &out->entry[out->n++];
        entry->name = cull_arena_copy(arena, key, strlen(key));
        if (!entry->name)
            return cull_no_memory(ctx);
        CULL_TRY(read_entry(&(place){ ctx, path, entry->name }, value, data_bytes, entry));
    }
    return check_tiling(ctx, path, out, data_bytes);
}

cull_status cull_header_parse(cull_ctx *ctx, cull_arena *arena, const char *path, const char *text,
                              size_t n, size_t data_bytes, cull_header *out)
{
    json_error_t error;

    *out = (cull_header){ 0 };
    if (!n || text[0] != '{')
        return cull_fail(ctx, CULL_EFORMAT, "%s: not a safetensors file: its header is no object",
                         path);
    json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    const bool lacked = cull_json_memory_lacked();
    if (!root && (lacked || !error.text[0])) // jansson leaves no text where it got none
        return cull_no_memory(ctx);
    if (!root)
        return cull_fail(ctx, CULL_EFORMAT, "%s: its header at byte %d: %s", path, error.position,
                         error.text);
    const cull_status status = read_header(ctx, arena, path, root, data_bytes, out);
    json_decref(root);
    return status;
}
