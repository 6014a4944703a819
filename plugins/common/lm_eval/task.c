// What a task may be called, and the filters of answers.
#include <stdlib.h>
#include <string.h>

#include "common/lm_eval/task_file.h"
#include "common/python/regex.h"

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

static cull_status read_filter(cull_ctx *ctx, const char *place, json_t *from, answer_filter *out)
{
    span name;
    const char *fallback;

    *out = (answer_filter){ .fallback = "[invalid]" };
    CULL_TRY(json_get_text(ctx, place, from, "name", &name));
    CULL_TRY(json_get_optional(ctx, place, from, "pattern", &out->pattern));
    CULL_TRY(json_get_optional(ctx, place, from, "fallback", &fallback));
    if (json_object_get(from, "select"))
        CULL_TRY(json_get_int(ctx, place, from, "select", &out->select));
    if (out->pattern)
        CULL_TRY(regex_check(ctx, place, out->pattern));
    out->name = name.s;
    if (fallback)
        out->fallback = fallback;
    return CULL_OK;
}

cull_status answer_filters_read(cull_ctx *ctx, const char *place, json_t *from, size_t *n,
                                const answer_filter **out)
{
    const json_t *list = json_object_get(from, "filters");
    const size_t size = json_array_size(list);

    if (size == 0)
        return CULL_OK;
    answer_filter *filter = ctx->host->alloc(ctx, size, sizeof *filter);
    if (!filter)
        return CULL_ENOMEM;
    for (size_t i = 0; i < size; i++)
        CULL_TRY(read_filter(ctx, place, json_array_get(list, i), &filter[i]));
    *n = size;
    *out = filter;
    return CULL_OK;
}

cull_status answer_cleaning_read(cull_ctx *ctx, const char *place, json_t *from,
                                 answer_cleaning *out)
{
    out->ignore_case = json_is_true(json_object_get(from, "ignore_case"));
    if (json_array_size(json_object_get(from, "ignore")) == 0)
        return CULL_OK;
    CULL_TRY(json_get_strings(ctx, place, from, "ignore", &out->n_ignore, &out->ignore));
    for (size_t i = 0; i < out->n_ignore; i++)
        CULL_TRY(regex_check(ctx, place, out->ignore[i]));
    return CULL_OK;
}
