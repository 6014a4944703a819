// tokenizer_config.json, special_tokens_map.json and added_tokens.json, as transformers 5 reads
// them beside a tokenizer.json.
//
// Tokens that they name and the tokenizer lacks are added to it. add_bos_token and add_eos_token
// have no effect there: the post-processor of tokenizer.json is used as it is (transformers 5.23,
// PreTrainedTokenizerBase._from_pretrained drops both).
#include "parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
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
    CULL_TRY(ctx->host->read_file(ctx, file->name, &bytes, &n));
    if (n > TK_MOST_BYTES)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: %zu bytes are too many for such a file",
                               file->name, n);
    return tk_parse(file, bytes, n, flags, root);
}

typedef struct tk_found { // what the files say, in the order of reading
    cull_ctx *ctx;
    tk_config *config;
    size_t room;
} tk_found;

static bool is_token(const tk_node *node)
{
    return json_is_string(node->json) || json_is_string(json_object_get(node->json, "content"));
}

// A token: "text", or {"content": "text", …} with options.
static cull_status read_token(const tk_node *node, tk_added *token)
{
    *token = (tk_added){ .special = true };
    if (json_is_string(node->json))
        return tk_get_string(node, &token->content);
    const tk_node content = tk_field(node, "content"), special = tk_field(node, "special");
    CULL_TRY(tk_get_string(&content, &token->content));
    CULL_TRY(tk_get_bool(&special, false, &token->special));
    return tk_added_options(node, !token->special, token);
}

static cull_status add(tk_found *found, const tk_added *token)
{
    tk_config *config = found->config;

    if (config->n_tokens == found->room) {
        const size_t room = 2 * found->room + 32;
        tk_added *tokens = found->ctx->host->alloc(found->ctx, room, sizeof *tokens);
        if (!tokens)
            return CULL_ENOMEM;
        if (config->n_tokens > 0)
            memcpy(tokens, config->tokens, config->n_tokens * sizeof *tokens);
        config->tokens = tokens;
        found->room = room;
    }
    config->tokens[config->n_tokens++] = *token;
    return CULL_OK;
}

static int by_id(const void *a, const void *b)
{
    const tk_added *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

// What has been read so far stands in the order of the ids.
static void explicit_end(tk_config *config)
{
    config->n_explicit = config->n_tokens;
    if (config->n_tokens > 0)
        qsort(config->tokens, config->n_tokens, sizeof *config->tokens, by_id);
}

// {"0": {"content": …}, …}
static cull_status read_decoder(const tk_node *node, tk_found *found)
{
    if (tk_absent(node))
        return CULL_OK;
    CULL_TRY(tk_get_object(node));
    for (void *i = json_object_iter(node->json); i; i = json_object_iter_next(node->json, i)) {
        const tk_node field = tk_field(node, json_object_iter_key(i));
        tk_added token;
        char *end;
        const long id = strtol(field.key, &end, 10);
        if (*end || id < 0 || id >= TK_MOST_IDS)
            return tk_wrong(&field, CULL_EFORMAT, "the key is not an id");
        if (!json_is_object(field.json))
            return tk_wrong(&field, CULL_EFORMAT, "not an object");
        CULL_TRY(read_token(&field, &token));
        token.id = (int32_t)id;
        CULL_TRY(add(found, &token));
    }
    explicit_end(found->config);
    return CULL_OK;
}

// {"text": 0, …} of added_tokens.json. Which of them are special, the other files say.
static cull_status read_added(const tk_node *node, tk_found *found)
{
    if (!node->json)
        return CULL_OK;
    CULL_TRY(tk_get_object(node));
    for (void *i = json_object_iter(node->json); i; i = json_object_iter_next(node->json, i)) {
        const tk_node field = tk_field(node, json_object_iter_key(i));
        const double id = json_number_value(field.json); // integers are read as reals
        if (!json_is_number(field.json) || !(id >= 0) || id >= TK_MOST_IDS || id != floor(id))
            return tk_wrong(&field, CULL_EFORMAT, "not an id");
        const size_t n = strlen(field.key);
        char *content = found->ctx->host->alloc(found->ctx, n + 1, 1);
        if (!content)
            return CULL_ENOMEM;
        memcpy(content, field.key, n);
        const tk_added token = { .content = { content, n }, .id = (int32_t)id, .normalized = true };
        CULL_TRY(add(found, &token));
    }
    explicit_end(found->config);
    found->config->by_file = true;
    return CULL_OK;
}

// Those of added_tokens.json that tokens from `first` on name too are found as they are.
static void mark_special(tk_config *config, size_t first)
{
    for (size_t i = 0; config->by_file && i < config->n_explicit; i++) {
        tk_added *token = &config->tokens[i];
        for (size_t j = first; j < config->n_tokens && !token->special; j++) {
            const tk_str other = config->tokens[j].content;
            token->special =
                other.n == token->content.n && memcmp(other.s, token->content.s, other.n) == 0;
        }
        token->normalized = !token->special;
    }
}

// The role's own word makes a token special; in a list of more tokens their options count.
static cull_status add_token(const tk_node *node, bool named, tk_found *found, tk_str *content)
{
    tk_added token;

    CULL_TRY(read_token(node, &token));
    token.special = token.special || named;
    if (content)
        *content = token.content;
    return add(found, &token);
}

static const char *const names[] = { "bos_token", "eos_token", "unk_token",  "sep_token",
                                     "pad_token", "cls_token", "mask_token", NULL };

// The seven tokens that have a role; what the map says counts.
static cull_status read_roles(const tk_node *config, const tk_node *map, tk_found *found)
{
    tk_str *contents[] = { &found->config->bos, &found->config->eos };

    for (size_t i = 0; names[i]; i++) {
        tk_node field = tk_field(map, names[i]);
        if (tk_absent(&field))
            field = tk_field(config, names[i]);
        if (tk_absent(&field))
            continue;
        if (!is_token(&field))
            return tk_wrong(&field, CULL_EFORMAT, "not a token");
        CULL_TRY(add_token(&field, true, found, i < 2 ? contents[i] : NULL));
    }
    return CULL_OK;
}

static bool has_role(const char *key)
{
    for (size_t i = 0; names[i]; i++) {
        if (strcmp(key, names[i]) == 0)
            return true;
    }
    return false;
}

// Other fields of an object that are tokens: all, or those whose key ends in _token.
static cull_status read_fields(const tk_node *node, bool all, tk_found *found)
{
    for (void *i = json_object_iter(node->json); i; i = json_object_iter_next(node->json, i)) {
        const tk_node field = tk_field(node, json_object_iter_key(i));
        const size_t n = strlen(field.key);
        const bool named =
            n > 6 && strcmp(field.key + n - 6, "_token") == 0 && !has_role(field.key);
        if ((named || all) && is_token(&field))
            CULL_TRY(add_token(&field, true, found, NULL));
    }
    return CULL_OK;
}

static tk_node more_tokens(const tk_node *root)
{
    const tk_node extra = tk_field(root, "extra_special_tokens");

    return tk_absent(&extra) ? tk_field(root, "additional_special_tokens") : extra;
}

static cull_status read_named(const tk_node *root, tk_found *found)
{
    const tk_node more = tk_field(root, "extra_special_tokens");

    CULL_TRY(read_fields(root, false, found));
    return read_fields(&more, true, found);
}

// The older name in the map comes too late to make tokens of added_tokens.json special.
static cull_status read_more(const tk_node *root, bool is_map, tk_found *found)
{
    const tk_node more = more_tokens(root);
    const size_t first = found->config->n_tokens;
    const bool late = is_map && strcmp(more.key, "additional_special_tokens") == 0;

    for (size_t i = 0; i < json_array_size(more.json); i++) {
        const tk_node item = tk_item(&more, i);
        if (is_token(&item))
            CULL_TRY(add_token(&item, false, found, NULL));
    }
    if (!late)
        mark_special(found->config, first);
    return CULL_OK;
}

static cull_status read_all(const tk_node *config, const tk_node *map, const tk_node *added,
                            tk_found *found)
{
    const tk_node decoder = tk_field(config, "added_tokens_decoder");
    const tk_node split = tk_field(config, "split_special_tokens");
    const tk_node none = { .file = map->file };
    bool splits;

    if (config->json)
        CULL_TRY(tk_get_object(config));
    if (map->json)
        CULL_TRY(tk_get_object(map));
    CULL_TRY(tk_get_bool(&split, false, &splits));
    if (splits)
        return tk_wrong(&split, CULL_ENOTSUP, "special tokens in the text are always found");
    CULL_TRY(read_decoder(&decoder, found));
    if (decoder.json) // then neither file is looked at
        map = &none;
    else
        CULL_TRY(read_added(added, found));
    CULL_TRY(read_roles(config, map, found));
    mark_special(found->config, found->config->n_explicit);
    CULL_TRY(read_named(config, found));
    CULL_TRY(read_named(map, found));
    found->config->n_named = found->config->n_tokens;
    CULL_TRY(read_more(config, false, found));
    CULL_TRY(read_more(map, true, found));
    return CULL_OK;
}

static cull_status open_one(cull_ctx *ctx, const char *folder, const char *name, char path[4096],
                            tk_file *file, json_t **json)
{
    if (snprintf(path, 4096, "%s/%s", folder, name) >= 4096)
        return ctx->host->fail(ctx, CULL_EIO, "%s: the name is too long", folder);
    *file = (tk_file){ ctx, path };
    return tk_read_file(file, JSON_DECODE_INT_AS_REAL, json);
}

cull_status tk_config_read(cull_ctx *ctx, const char *folder, tk_config *config)
{
    static const char *const files[] = { "tokenizer_config.json", "special_tokens_map.json",
                                         "added_tokens.json" };
    enum { N = sizeof files / sizeof *files };
    char path[N][4096];
    tk_file file[N];
    json_t *json[N] = { NULL };
    tk_found found = { ctx, config, 0 };
    cull_status status = CULL_OK;

    *config = (tk_config){ 0 };
    for (size_t i = 0; i < N && status == CULL_OK; i++)
        status = open_one(ctx, folder, files[i], path[i], &file[i], &json[i]);
    if (status == CULL_OK) {
        const tk_node root = tk_root(&file[0], json[0]), map = tk_root(&file[1], json[1]),
                      added = tk_root(&file[2], json[2]);
        status = read_all(&root, &map, &added, &found);
    }
    for (size_t i = 0; i < N; i++)
        json_decref(json[i]);
    return status;
}
