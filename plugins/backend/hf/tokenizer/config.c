#include "parts.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

cull_status tk_read_file(const tk_file *file, size_t flags, json_t **root)
{
    struct stat info;
    *root = NULL;
    if (stat(file->name, &info) != 0)
        return CULL_OK;
    cull_ctx *ctx = file->ctx;
    if (info.st_size > TK_MOST_BYTES)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: %lld bytes are too many for such a file",
                               file->name, (long long)info.st_size);
    const char *bytes;
    size_t n;
    TK_TRY(ctx->host->read_file(ctx, file->name, &bytes, &n));
    return tk_parse(file, bytes, n, flags, root);
}

// A special token: "text", {"content": "text", …} or null.
static cull_status get_token(const tk_node *node, tk_str *out)
{
    if (tk_absent(node))
        return CULL_OK;
    if (!json_is_object(node->json))
        return tk_get_string(node, out);
    const tk_node content = tk_field(node, "content");
    return tk_get_string(&content, out);
}

static cull_status read_config(const tk_node *root, tk_config *config)
{
    const tk_node bos = tk_field(root, "bos_token"), eos = tk_field(root, "eos_token");
    const tk_node add_bos = tk_field(root, "add_bos_token"),
                  add_eos = tk_field(root, "add_eos_token");
    TK_TRY(tk_get_object(root));
    TK_TRY(get_token(&bos, &config->bos));
    TK_TRY(get_token(&eos, &config->eos));
    config->rebuild = add_bos.json || add_eos.json;
    TK_TRY(tk_get_bool(&add_bos, false, &config->add_bos));
    return tk_get_bool(&add_eos, false, &config->add_eos);
}

static cull_status read_one(cull_ctx *ctx, const char *folder, const char *name,
                            cull_status (*read)(const tk_node *, tk_config *), tk_config *config)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return ctx->host->fail(ctx, CULL_EIO, "%s: the name is too long", folder);
    const tk_file file = { ctx, path };
    json_t *json;
    TK_TRY(tk_read_file(&file, JSON_DECODE_INT_AS_REAL, &json));
    if (!json)
        return CULL_OK;
    const tk_node root = tk_root(&file, json);
    const cull_status status = read(&root, config);
    json_decref(json);
    return status;
}

cull_status tk_config_read(cull_ctx *ctx, const char *folder, tk_config *config)
{
    *config = (tk_config){ 0 };
    return read_one(ctx, folder, "tokenizer_config.json", read_config, config);
}
