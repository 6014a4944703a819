// The JSON header of a safetensors file, checked against the size of its data.
#ifndef CULL_BASE_SAFETENSORS_HEADER_H
#define CULL_BASE_SAFETENSORS_HEADER_H

#include "base/safetensors.h"

typedef struct cull_header_entry {
    const char *name;
    size_t begin;       // of its bytes, from the start of the data
    cull_tensor tensor; // without data
} cull_header_entry;

typedef struct cull_header {
    size_t n, n_pairs;
    cull_header_entry *entry; // (n) sorted by name
    cull_pair *pair;          // (n_pairs) sorted by key
} cull_header;

// Parse `text` (n bytes) of a file with `data_bytes` bytes behind the header. Everything lives in
// `arena`.
cull_status cull_header_parse(cull_ctx *ctx, cull_arena *arena, const char *path, const char *text,
                              size_t n, size_t data_bytes, cull_header *out) CULL_MUST_CHECK;

#endif
