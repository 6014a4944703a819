// JSON in lines of text, and where a line ends to be JSON; JSON as text, let go.
#ifndef CULL_BASE_JSON_H
#define CULL_BASE_JSON_H

#include <jansson.h>

#include "base/context.h"

// Parse line `number` (from 1) of `name`, n bytes; flags: jansson's. CULL_EFORMAT as
// "NAME:LINE:COLUMN: …". *out is json_decref'ed by the caller; NULL on failure.
cull_status cull_json_line(cull_ctx *ctx, const char *name, size_t number, const char *text,
                           size_t n, size_t flags, json_t **out) CULL_MUST_CHECK;

// A regular file of JSON; NULL: it is none, or cannot be read.
json_t *cull_json_of_file(const char *path, size_t flags);

// A text of json_dumps, let go; NULL is fine. It is not free's: jansson may take from elsewhere
// (base/memory.h), where it is counted.
void cull_json_free_dumped(char *text);

#endif
