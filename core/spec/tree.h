// A YAML file as a tree of nodes, each with its place.
//
// Invariants: scalars stay text, so that `no` is not false by accident: types are the reader's
// affair. Keys are scalars and differ within their map. The tree has no cycles; a node may be
// reached along two ways, through an anchor, and what it expands to is bounded. Nodes live in the
// context's alloc arena.
//
// Refused, each with its place: syntax errors, a second document, duplicate keys, merge keys (<<),
// keys that are not scalars, tags, an anchor within itself, nesting deeper than CULL_TREE_DEPTH.
#ifndef CULL_SPEC_TREE_H
#define CULL_SPEC_TREE_H

#include "spec/problems.h"

enum { CULL_TREE_DEPTH = 32, CULL_TREE_NODES = 200000 };

typedef enum cull_node_kind { CULL_SCALAR, CULL_LIST, CULL_MAP } cull_node_kind;

typedef struct cull_node cull_node;
struct cull_node {
    cull_node_kind kind;
    cull_place place;
    const char *text; // SCALAR
    bool plain;       // SCALAR: without quotes
    size_t n;         // LIST, MAP: elements
    cull_node **item; // LIST, MAP (n)
    cull_node **key;  // MAP (n)
};

// `text` (n bytes) as it stands in `file`. NULL: problems were added.
cull_node *cull_tree_parse(cull_problems *problems, const char *file, const char *text, size_t n);

// The tree with an override applied. KEY.PATH is a path of keys and list positions (from 0)
// separated by dots; VALUE is YAML. "KEY.PATH=VALUE" replaces, "KEY.PATH+=VALUE" appends to a list
// (a list all its elements), "~KEY.PATH" deletes. What the path lacks is made, but for deleting.
// NULL: a problem was added.
cull_node *cull_tree_set(cull_problems *problems, cull_node *root, const char *override);

// An experiment's tree on that of its base: maps are merged key by key, anything else replaces what
// stands there, and what is nothing deletes it. Nodes keep their places. A plugin replaces another
// one with its settings. NULL: no memory, noted in problems.
cull_node *cull_tree_merge(cull_problems *problems, const cull_node *base, const cull_node *own);

const cull_node *cull_node_get(const cull_node *map, const char *key); // the value, or NULL
const cull_node *cull_node_key(const cull_node *map,
                               const char *key); // the key's own node, or NULL

// A plain scalar that is empty, `~` or `null`.
bool cull_node_is_null(const cull_node *node);

const char *cull_node_kind_name(const cull_node *node); // "a word", "a list", "a map", "nothing"

#endif
