// Reading JSON with its place: every value knows the path to itself, so that a failure can say
// "tokenizer.json: model.merges[17]: …".
//
// A node is a value and the node above it, all on the caller's stack; json is NULL where a field is
// absent. Strings may hold NULs and are copied into the context's alloc memory.
#ifndef HF_TOKENIZER_JSON_H
#define HF_TOKENIZER_JSON_H

#include <cull/host.h>
#include <jansson.h>

#include "text.h"

typedef struct tk_file {
    cull_ctx *ctx;
    const char *name; // for messages
} tk_file;

typedef struct tk_node {
    const tk_file *file;
    const struct tk_node *up;
    const char *key; // of an object's field; NULL: the index'th item, or the root
    size_t index;
    json_t *json;
} tk_node;

enum { TK_MOST_BYTES = 1 << 28 }; // of a file

// Parse a file's bytes; duplicate keys are refused. *root is json_decref'ed by the caller.
cull_status tk_parse(const tk_file *file, const char *bytes, size_t n, size_t flags, json_t **root);

tk_node tk_root(const tk_file *file, json_t *json);
tk_node tk_field(const tk_node *up, const char *key);
tk_node tk_item(const tk_node *up, size_t index);
static inline bool tk_absent(const tk_node *node)
{
    return !node->json || json_is_null(node->json);
}

// Report what is wrong with a node: "FILE: PATH: sentence"; returns `status`.
cull_status tk_wrong(const tk_node *node, cull_status status, const char *fmt, ...)
    CULL_PRINTF(3, 4);

// What a node holds, or a report. The forms with a default take absent and null for it.
cull_status tk_get_string(const tk_node *node, tk_str *out);
cull_status tk_get_char(const tk_node *node, tk_str *out); // a string of one character
cull_status tk_get_bool(const tk_node *node, bool otherwise, bool *out);
cull_status tk_get_count(const tk_node *node, size_t most, size_t *out);
cull_status tk_get_array(const tk_node *node, size_t *n);
cull_status tk_get_object(const tk_node *node);
// One of the words (NULL-terminated), as its index.
cull_status tk_get_word(const tk_node *node, const char *const *words, size_t *out);
// A component: {"type": word, …}. The rows of a table of what is known begin with a tk_kind; found
// is the index of the one that has the word, and its options are all that the component has.
typedef struct tk_kind {
    const char *type;
    const char *options; // separated by blanks
} tk_kind;
cull_status tk_get_kind(const tk_node *node, const void *rows, size_t n, size_t row_size,
                        size_t *found);
// Refuse fields of an object that are not among `known` (separated by blanks).
cull_status tk_only(const tk_node *node, const char *known);

cull_status tk_no_memory(cull_ctx *ctx);

#endif
