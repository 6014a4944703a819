// JSON in lines of text, and where a line ends to be JSON; JSON as text.
#ifndef CULL_BASE_JSON_H
#define CULL_BASE_JSON_H

#include <jansson.h>

#include "base/context.h"
#include "base/text.h"

// Parse line `number` (from 1) of `name`, n bytes; flags: jansson's. CULL_EFORMAT as
// "NAME:LINE:COLUMN: …". *out is json_decref'ed by the caller; NULL on failure.
cull_status cull_json_line(cull_ctx *ctx, const char *name, size_t number, const char *text,
                           size_t n, size_t flags, json_t **out) CULL_MUST_CHECK;

// A text that a file of results holds. *out: json_decref'ed by the caller; NULL where it is no
// JSON. CULL_ENOMEM.
cull_status cull_json_stored(cull_ctx *ctx, const char *text, json_t **out) CULL_MUST_CHECK;

// A regular file of JSON; NULL: it is none, or cannot be read.
json_t *cull_json_of_file(const char *path, size_t flags);

// Add the value as jansson writes it; flags: jansson's. NULL, or what it refuses: out has failed.
// What json_dumps gives would have to go back to jansson's allocator (base/memory.h).
void cull_json_put(cull_buf *out, const json_t *value, size_t flags);
// A value that was made since cull_json_memory_lacked was asked last, as a line of standard output;
// it is let go of. CULL_ENOMEM: some of it, or of writing it, got no memory.
cull_status cull_json_print(cull_ctx *ctx, json_t *value, size_t flags) CULL_MUST_CHECK;

#endif
