// Files of one JSON value a line, and the fields of such a value.
//
// Every complaint names its place, "FILE:LINE", and is one sentence (CULL_EFORMAT). Texts come as
// spans in the context's alloc memory, so that a value may go as soon as it has been read.
#ifndef COMMON_JSONL_H
#define COMMON_JSONL_H

#include <jansson.h>

#include "common/python/python_text.h"

// The values of a file (.gz is unpacked), blank lines left out; at most `limit` of them, 0: all.
typedef struct jsonl {
    const char *path;
    size_t n;
    json_t **value;     // (n) owned
    const size_t *line; // (n) from 1
} jsonl;

cull_status jsonl_read(cull_ctx *, const char *path, size_t limit, jsonl *out);
void jsonl_free(jsonl *);
const char *jsonl_place(cull_ctx *, const jsonl *,
                        size_t i); // "FILE:LINE"; NULL: no memory, reported

// A file that is one JSON object. Release with json_decref.
cull_status json_read(cull_ctx *, const char *path, json_t **out);

// Fields of an object. A missing or wrongly typed one is refused.
cull_status json_get_text(cull_ctx *, const char *place, json_t *, const char *key, span *out);
cull_status json_get_int(cull_ctx *, const char *place, json_t *, const char *key, int64_t *out);
cull_status json_get_list(cull_ctx *, const char *place, json_t *, const char *key, json_t **out);
// A list of texts, not empty, or one text.
cull_status json_get_texts(cull_ctx *, const char *place, json_t *, const char *key, size_t *n,
                           const span **out);
cull_status json_get_strings(cull_ctx *, const char *place, json_t *, const char *key, size_t *n,
                             const char *const **out);
// Integers: a list of n, or none at all (*out NULL).
cull_status json_get_lengths(cull_ctx *, const char *place, json_t *, const char *key, size_t n,
                             const int64_t **out);
// A text or nothing (*out NULL), NUL-ended.
cull_status json_get_optional(cull_ctx *, const char *place, json_t *, const char *key,
                              const char **out);
// The text of a value that must be one; `what` names it.
cull_status json_text(cull_ctx *, const char *place, json_t *, const char *what, span *out);

// A value as text in alloc memory, NUL-ended; flags: jansson's.
cull_status json_keep(cull_ctx *, const json_t *, size_t flags, const char **out);

const char *json_kind(const json_t *); // "a number", "nothing", …

#endif
