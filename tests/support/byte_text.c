// A tokenizer whose ids are bytes.
#include "support/byte_text.h"

#include <string.h>

enum { BOS, EOS, FIRST };

static cull_status encode(cull_ctx *ctx, const cull_text *text, const char *s, size_t len,
                          uint32_t flags, int32_t **ids, size_t *n)
{
    const bool bos = (flags & CULL_SPECIAL) != 0;

    (void)text;
    *ids = ctx->host->alloc(ctx, len + 1, sizeof **ids);
    if (!*ids)
        return CULL_ENOMEM;
    for (size_t i = 0; i < len; i++)
        (*ids)[i + bos] = FIRST + (unsigned char)s[i];
    *n = len + bos;
    return CULL_OK;
}

static cull_status decode(cull_ctx *ctx, const cull_text *text, const int32_t *ids, size_t n,
                          uint32_t flags, char **s, size_t *len)
{
    static const char *const special[] = { "<s>", "</s>" };

    (void)text;
    *s = ctx->host->alloc(ctx, 4 * n + 1, 1);
    if (!*s)
        return CULL_ENOMEM;
    *len = 0;
    for (size_t i = 0; i < n; i++)
        if (ids[i] >= FIRST)
            (*s)[(*len)++] = (char)(ids[i] - FIRST);
        else if (flags & CULL_SPECIAL) {
            const char *name = special[ids[i]];
            memcpy(*s + *len, name, strlen(name));
            *len += strlen(name);
        }
    return CULL_OK;
}

cull_text byte_text(size_t max_positions)
{
    return (cull_text){ .size = sizeof(cull_text),
                        .bos = BOS,
                        .eos = EOS,
                        .adds_bos = true,
                        .max_positions = max_positions,
                        .encode = encode,
                        .decode = decode };
}
