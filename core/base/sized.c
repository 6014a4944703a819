// Structs across the border of the SDK, whose sizes may be of another version.
#include "base/sized.h"

#include <string.h>

enum { MOST = 1 << 12 };

static uint32_t size_of(const void *sized)
{
    uint32_t size;

    memcpy(&size, sized, sizeof size);
    return size;
}

// A size that some version may have had, or may have.
static cull_status check_size(cull_ctx *ctx, const char *what, size_t size, size_t least)
{
    if (size < least)
        return cull_fail(ctx, CULL_EPLUGIN, "%s of %zu bytes; it has %zu at least", what, size,
                         least);
    if (size > MOST)
        return cull_fail(ctx, CULL_EPLUGIN, "%s of %zu bytes; no version has more than %d", what,
                         size, MOST);
    return CULL_OK;
}

static void copy(const void *from, size_t ours, void *to)
{
    const uint32_t size = size_of(from), mine = (uint32_t)ours;

    memset(to, 0, ours);
    memcpy(to, from, size < ours ? size : ours);
    memcpy(to, &mine, sizeof mine);
}

cull_status cull_sized_copy(cull_ctx *ctx, const char *what, size_t least, const void *from,
                            size_t ours, void *to)
{
    CULL_TRY(check_size(ctx, what, size_of(from), least));
    copy(from, ours, to);
    return CULL_OK;
}

cull_status cull_sized_array(cull_ctx *ctx, const char *what, size_t least, size_t n,
                             const void *from, size_t ours, const void **out)
{
    const size_t stride = n ? size_of(from) : ours;

    *out = from;
    for (size_t i = 0; i < n; i++) {
        const size_t size = size_of((const char *)from + i * stride);
        CULL_TRY(check_size(ctx, what, size, least));
        if (size != stride)
            return cull_fail(ctx, CULL_EPLUGIN, "%s of %zu bytes among others of %zu", what, size,
                             stride);
    }
    if (stride == ours)
        return CULL_OK;
    char *copies = cull_take(ctx, n, ours);
    if (!copies)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++)
        copy((const char *)from + i * stride, ours, copies + i * ours);
    *out = copies;
    return CULL_OK;
}
