// JSON in a file's text, and where in the file it ends to be JSON.
#ifndef COMMON_JSON_AT_H
#define COMMON_JSON_AT_H

#include <cull/host.h>
#include <jansson.h>

// Parse the value that begins at byte `at` of a text of n bytes; flags: jansson's. *used (may be
// NULL): its bytes. CULL_EFORMAT as "PATH:LINE:COLUMN: …". *out is json_decref'ed by the caller.
static inline cull_status json_at(cull_ctx *ctx, const char *path, const char *text, size_t at,
                                  size_t n, size_t flags, size_t *used, json_t **out)
{
    json_error_t why = { 0 }; // jansson leaves no text where it got no memory

    *out = json_loadb(text + at, n - at, flags, &why);
    if (*out) {
        if (used)
            *used = (size_t)why.position;
        return CULL_OK;
    }
    if (!why.text[0] || json_error_code(&why) == json_error_out_of_memory)
        return ctx->host->fail(ctx, CULL_ENOMEM, "out of memory");
    size_t line = why.line > 0 ? (size_t)why.line : 1, before = 0; // on the line where it begins
    for (size_t i = 0; i < at; i++) {
        line += text[i] == '\n';
        before = text[i] == '\n' ? 0 : before + 1;
    }
    const size_t column = (why.column > 0 ? (size_t)why.column : 1) + (why.line > 1 ? 0 : before);
    return ctx->host->fail(ctx, CULL_EFORMAT, "%s:%zu:%zu: this is not JSON: %s", path, line,
                           column, why.text);
}

#endif
