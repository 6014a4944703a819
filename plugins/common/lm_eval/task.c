// What a task may be called, and the filters of answers.
#include <stdlib.h>
#include <string.h>

#include "common/lm_eval/task_file.h"

cull_status task_name_check(cull_ctx *ctx, const char *place, const char *name)
{
    static const char *const ours[] = { "pooled", "macro" };
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strpbrk(name, "/\n"))
        return ctx->host->fail(ctx, CULL_EFORMAT,
                               "%s: \"%s\" cannot be the name of a task: results are kept under it",
                               place, name);
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strcmp(name, ours[i]) == 0)
            return ctx->host->fail(ctx, CULL_EFORMAT,
                                   "%s: \"%s\" cannot be the name of a task: it is that of a mean "
                                   "over all of them",
                                   place, name);
    return CULL_OK;
}

cull_status answer_filter_parse(cull_ctx *ctx, const char *text, answer_filter *out)
{
    const char *equals = strchr(text, '=');
    const char *bracket = equals ? memchr(text, '[', (size_t)(equals - text)) : NULL;
    const char *end = bracket ? bracket : equals;
    char *close = NULL;
    span name;
    if (!equals || end == text)
        return ctx->host->fail(ctx, CULL_EINVAL, "filter \"%s\" is not NAME=PATTERN", text);
    *out = (answer_filter){ .pattern = equals + 1, .fallback = "[invalid]" };
    if (bracket) {
        out->select = strtol(bracket + 1, &close, 10);
        if (close == bracket + 1 || close[0] != ']' || close + 1 != equals)
            return ctx->host->fail(ctx, CULL_EINVAL, "filter \"%s\" is not NAME[NUMBER]=PATTERN",
                                   text);
    }
    const cull_status status = span_copy(ctx, (span){ text, (size_t)(end - text) }, &name);
    out->name = name.s;
    return status;
}
