// Lists of experts in JSON.
#include "lists.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/text/json_at.h"

static cull_status read_layer(cull_ctx *ctx, const cull_view *view, const char *path,
                              const char *key, const json_t *list, struct lists *out)
{
    char *end;

    errno = 0;
    const unsigned long l = strtoul(key, &end, 10);

    if (key[0] < '0' || key[0] > '9' || *end || errno || l >= view->model->L)
        return ctx->host->fail(ctx, CULL_EINVAL, "%s: \"%s\" is not one of the model's %zu layers",
                               path, key, view->model->L);
    if (out->named[l])
        return ctx->host->fail(ctx, CULL_EINVAL, "%s: layer %lu is listed twice", path, l);
    if (!json_is_array(list))
        return ctx->host->fail(ctx, CULL_EINVAL, "%s: layer %lu: expected a list of experts", path,
                               l);

    out->named[l] = true;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const json_int_t e = json_integer_value(item);

        if (!json_is_integer(item) || e < 0 || (size_t)e >= cull_view_layer(view, l)->E)
            return ctx->host->fail(ctx, CULL_EINVAL,
                                   "%s: layer %lu, entry %zu is not one of its %zu experts", path,
                                   l, i + 1, cull_view_layer(view, l)->E);
        if (out->listed[l][e])
            return ctx->host->fail(ctx, CULL_EINVAL, "%s: layer %lu lists expert %lld twice", path,
                                   l, (long long)e);
        out->listed[l][e] = 1;
    }
    return CULL_OK;
}

static cull_status read_object(cull_ctx *ctx, const cull_view *view, const char *path,
                               json_t *object, struct lists *out)
{
    const char *key;
    json_t *list;

    if (!json_is_object(object))
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: expected {\"LAYER\": [EXPERT, …], …}", path);
    json_object_foreach(object, key, list)
    {
        const cull_status status = read_layer(ctx, view, path, key, list, out);
        if (status != CULL_OK)
            return status;
    }
    return CULL_OK;
}

static size_t blank(const char *text, size_t n, size_t at)
{
    while (at < n && strchr(" \t\r\n", text[at]) && text[at])
        at++;
    return at;
}

cull_status read_lists(cull_ctx *ctx, const cull_view *view, const char *path, struct lists *out)
{
    const size_t L = view->model->L;
    const char *text;
    size_t n, at;
    cull_status status = ctx->host->read_file(ctx, path, &text, &n);

    if (status != CULL_OK)
        return status;
    out->named = (bool *)ctx->host->scratch(ctx, L, sizeof *out->named);
    out->listed = (uint8_t **)ctx->host->scratch(ctx, L, sizeof *out->listed);
    if (!out->named || !out->listed)
        return CULL_ENOMEM;
    for (size_t l = 0; l < L; l++)
        if (!(out->listed[l] =
                  (uint8_t *)ctx->host->scratch(ctx, cull_view_layer(view, l)->E + 1, 1)))
            return CULL_ENOMEM;

    at = blank(text, n, 0);
    if (at == n)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: holds no lists", path);
    while (at < n && status == CULL_OK) {
        size_t used = 0;
        json_t *object;
        CULL_TRY(json_at(ctx, path, text, at, n, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK,
                         &used, &object));
        status = read_object(ctx, view, path, object, out);
        at = blank(text, n, at + used);
        json_decref(object);
    }
    return status;
}
