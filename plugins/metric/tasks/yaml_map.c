// YAML to jansson: libyaml's nodes are checked and turned into values one by one.
#include "yaml_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

typedef struct reading {
    cull_ctx *ctx;
    const char *path;
    yaml_document_t *doc;
    bool *seen; // by libyaml's number of a node, from 1
} reading;

static cull_status no_memory(const reading *r)
{
    return r->ctx->host->fail(r->ctx, CULL_ENOMEM, "out of memory");
}

static cull_status refuse(const reading *r, yaml_mark_t at, const char *why)
{
    return r->ctx->host->fail(r->ctx, CULL_EFORMAT, "%s:%zu:%zu: %s", r->path, at.line + 1,
                              at.column + 1, why);
}

// ---- values ----

static bool is(const char *text, size_t n, const char *word)
{
    return n == strlen(word) && memcmp(text, word, n) == 0;
}

static json_t *number(const char *text, size_t n)
{
    char *end;

    if (n == 0 || strspn(text, "-.0123456789eE+") != n || strpbrk(text, "0123456789") == NULL)
        return NULL;
    errno = 0;
    const long long whole = strtoll(text, &end, 10);
    if (end == text + n && errno == 0)
        return json_integer(whole);
    const double real = strtod(text, &end);
    return end == text + n ? json_real(real) : NULL;
}

static json_t *word(const char *text, size_t n)
{
    if (n == 0 || is(text, n, "~") || is(text, n, "null"))
        return json_null();
    if (is(text, n, "true") || is(text, n, "false"))
        return json_boolean(*text == 't');
    json_t *value = number(text, n);
    return value ? value : json_stringn(text, n);
}

static cull_status convert(const reading *r, int id, size_t depth, json_t **out);

static cull_status scalar(const reading *r, const yaml_node_t *node, json_t **out)
{
    const char *text = (const char *)node->data.scalar.value;
    const size_t n = node->data.scalar.length;

    if (memchr(text, '\0', n))
        return refuse(r, node->start_mark, "a text with a NUL character");
    *out =
        node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? word(text, n) : json_stringn(text, n);
    return *out ? CULL_OK : no_memory(r);
}

static cull_status list(const reading *r, const yaml_node_t *node, size_t depth, json_t **out)
{
    *out = json_array();
    if (!*out)
        return no_memory(r);
    const yaml_node_item_t *end = node->data.sequence.items.top;
    for (const yaml_node_item_t *item = node->data.sequence.items.start; item < end; item++) {
        json_t *value = NULL;
        const cull_status status = convert(r, *item, depth + 1, &value);
        if (status != CULL_OK) {
            json_decref(value);
            return status;
        }
        if (json_array_append_new(*out, value) != 0)
            return no_memory(r);
    }
    return CULL_OK;
}

static cull_status key_of(const reading *r, int id, const json_t *map, const char **out)
{
    const yaml_node_t *key = yaml_document_get_node(r->doc, id);

    *out = (const char *)key->data.scalar.value;
    if (key->type != YAML_SCALAR_NODE)
        return refuse(r, key->start_mark, "a key must be a word");
    if (strlen(*out) != key->data.scalar.length || is(*out, strlen(*out), "<<"))
        return refuse(r, key->start_mark, "this cannot be a key");
    return json_object_get(map, *out) ? refuse(r, key->start_mark, "this key is there already")
                                      : CULL_OK;
}

static cull_status map(const reading *r, const yaml_node_t *node, size_t depth, json_t **out)
{
    *out = json_object();
    if (!*out)
        return no_memory(r);
    const yaml_node_pair_t *end = node->data.mapping.pairs.top;
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < end; pair++) {
        json_t *value = NULL;
        const char *key;
        CULL_TRY(key_of(r, pair->key, *out, &key));
        const cull_status status = convert(r, pair->value, depth + 1, &value);
        if (status != CULL_OK) {
            json_decref(value);
            return status;
        }
        if (json_object_set_new(*out, key, value) != 0)
            return no_memory(r);
    }
    return CULL_OK;
}

static bool plain_tag(const yaml_node_t *node)
{
    static const char *const plain[] = { YAML_STR_TAG, YAML_SEQ_TAG, YAML_MAP_TAG };
    const char *tag = (const char *)node->tag;

    for (size_t i = 0; tag && i < sizeof plain / sizeof *plain; i++)
        if (strcmp(tag, plain[i]) == 0)
            return true;
    return !tag;
}

// On failure *out may hold what has been made until then.
static cull_status convert(const reading *r, int id, size_t depth, json_t **out)
{
    const yaml_node_t *node = yaml_document_get_node(r->doc, id);

    if (r->seen[id])
        return refuse(r, node->start_mark, "an anchor is used again, which task files do not do");
    r->seen[id] = true;
    if (!plain_tag(node))
        return refuse(r, node->start_mark, "tags (!…) are not understood");
    if (depth > YAML_DEPTH)
        return refuse(r, node->start_mark, "this is nested too deeply");
    switch (node->type) {
    case YAML_SCALAR_NODE:
        return scalar(r, node, out);
    case YAML_SEQUENCE_NODE:
        return list(r, node, depth, out);
    default:
        return map(r, node, depth, out);
    }
}

// ---- the file ----

static cull_status note_places(const reading *r, const yaml_node_t *root, json_t **out)
{
    *out = json_object();
    const yaml_node_pair_t *end = root->data.mapping.pairs.top;
    for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start; *out && pair < end;
         pair++) {
        const yaml_node_t *key = yaml_document_get_node(r->doc, pair->key);
        json_t *place = json_sprintf("%s:%zu:%zu", r->path, key->start_mark.line + 1,
                                     key->start_mark.column + 1);
        if (json_object_set_new(*out, (const char *)key->data.scalar.value, place) != 0)
            return no_memory(r);
    }
    return *out ? CULL_OK : no_memory(r);
}

static cull_status take_document(reading *r, yaml_map *out)
{
    const yaml_node_t *root = yaml_document_get_root_node(r->doc);

    if (!root || root->type != YAML_MAPPING_NODE)
        return refuse(r, root ? root->start_mark : (yaml_mark_t){ 0 }, "this is not a map of keys");
    const size_t n = (size_t)(r->doc->nodes.top - r->doc->nodes.start);
    r->seen = r->ctx->host->scratch(r->ctx, n + 1, sizeof *r->seen);
    if (!r->seen)
        return CULL_ENOMEM;
    CULL_TRY(convert(r, (int)(root - r->doc->nodes.start) + 1, 0, &out->value));
    return note_places(r, root, &out->place);
}

static cull_status load(const reading *r, yaml_parser_t *parser)
{
    if (yaml_parser_load(parser, r->doc))
        return CULL_OK;
    return parser->error == YAML_MEMORY_ERROR
               ? no_memory(r)
               : refuse(r, parser->problem_mark, parser->problem ? parser->problem : "no YAML");
}

static cull_status parse(reading *r, yaml_parser_t *parser, yaml_map *out)
{
    yaml_document_t doc, second;

    r->doc = &doc;
    CULL_TRY(load(r, parser));
    cull_status status = take_document(r, out);
    yaml_document_delete(&doc);
    if (status != CULL_OK)
        return status;
    r->doc = &second;
    CULL_TRY(load(r, parser));
    const yaml_node_t *root = yaml_document_get_root_node(&second);
    status = root ? refuse(r, root->start_mark, "a second document") : CULL_OK;
    yaml_document_delete(&second);
    return status;
}

cull_status yaml_read(cull_ctx *ctx, const char *path, yaml_map *out)
{
    reading r = { .ctx = ctx, .path = path };
    yaml_parser_t parser;
    const char *bytes;
    size_t n;

    *out = (yaml_map){ 0 };
    CULL_TRY(ctx->host->read_file(ctx, path, &bytes, &n));
    if (!yaml_parser_initialize(&parser))
        return no_memory(&r);
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, n);
    const cull_status status = parse(&r, &parser, out);
    yaml_parser_delete(&parser);
    return status;
}

void yaml_free(yaml_map *file)
{
    json_decref(file->value);
    json_decref(file->place);
    *file = (yaml_map){ 0 };
}

const char *yaml_place(const yaml_map *file, const char *key)
{
    return json_string_value(json_object_get(file->place, key));
}
