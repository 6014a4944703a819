// JSON from lines and files, and into texts.
#include "base/json.h"

#include <unistd.h>

#include "base/memory.h"
#include "base/read_file.h"

cull_status cull_json_line(cull_ctx *ctx, const char *name, size_t number, const char *text,
                           size_t n, size_t flags, json_t **out)
{
    json_error_t why = { 0 }; // jansson leaves no text where it got no memory

    *out = json_loadb(text, n, flags, &why);
    if (*out)
        return CULL_OK;
    if (cull_json_memory_lacked() || !why.text[0])
        return cull_no_memory(ctx);
    return cull_fail(ctx, CULL_EFORMAT, "%s:%zu:%d: this is not JSON: %s", name, number,
                     why.column > 0 ? why.column : 1, why.text);
}

cull_status cull_json_stored(cull_ctx *ctx, const char *text, json_t **out)
{
    (void)cull_json_memory_lacked(); // of before
    *out = json_loads(text, JSON_ALLOW_NUL, NULL);
    if (!cull_json_memory_lacked())
        return CULL_OK;
    json_decref(*out); // a character of its texts may be lost
    *out = NULL;
    return cull_no_memory(ctx);
}

json_t *cull_json_of_file(const char *path, size_t flags)
{
    const int fd = cull_regular_fd(path);
    json_t *json = fd >= 0 ? json_loadfd(fd, flags, NULL) : NULL;

    if (fd >= 0)
        close(fd);
    return json;
}

static int add(const char *text, size_t n, void *out)
{
    cull_buf_add(out, text, n);
    return ((const cull_buf *)out)->failed ? -1 : 0;
}

void cull_json_put(cull_buf *out, const json_t *value, size_t flags)
{
    out->failed |= json_dump_callback(value, add, out, flags) != 0;
}

cull_status cull_json_print(cull_ctx *ctx, json_t *value, size_t flags)
{
    const bool failed =
        !value || cull_json_memory_lacked() || json_dumpf(value, stdout, flags) != 0;

    json_decref(value);
    putchar('\n');
    return failed ? cull_no_memory(ctx) : CULL_OK;
}
