// YAML as nodes that know their places.
#include "spec/tree.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { FRESH, OPEN, DONE }; // OPEN: being made, so that meeting it again is a cycle

typedef struct made {
    cull_node *node; // DONE; NULL: there was a problem
    int state;
    uint64_t expands; // to how many nodes, through anchors
    size_t height;    // levels below it
} made;

typedef struct builder {
    cull_problems *problems;
    const char *file;
    yaml_document_t *doc;
    made *made; // by libyaml's number, from 1
} builder;

static cull_place place_of(const char *file, yaml_mark_t mark)
{
    return (cull_place){ file, mark.line + 1, mark.column + 1 };
}

static cull_node *make(builder *b, int id, size_t depth);

static bool plain_tag(const yaml_node_t *node)
{
    const char *tag = (const char *)node->tag;

    return !tag || strcmp(tag, YAML_STR_TAG) == 0 || strcmp(tag, YAML_SEQ_TAG) == 0 ||
           strcmp(tag, YAML_MAP_TAG) == 0;
}

static cull_node *make_scalar(builder *b, const yaml_node_t *from, cull_node *node)
{
    const char *text = (const char *)from->data.scalar.value;
    const size_t n = from->data.scalar.length;

    if (memchr(text, '\0', n)) {
        cull_problem_add(b->problems, node->place, "a text with a NUL character");
        return NULL;
    }
    node->kind = CULL_SCALAR;
    node->plain = from->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = cull_arena_copy(cull_context_of(b->problems->ctx)->alloc, text, n);
    return node->text ? node : NULL;
}

static void add_child(const builder *b, made *parent, int child)
{
    const made *m = &b->made[child];

    parent->expands += m->expands;
    if (m->height + 1 > parent->height)
        parent->height = m->height + 1;
}

static cull_node *make_list(builder *b, const yaml_node_t *from, cull_node *node, size_t depth,
                            made *self)
{
    const yaml_node_item_t *first = from->data.sequence.items.start;

    node->kind = CULL_LIST;
    node->n = (size_t)(from->data.sequence.items.top - first);
    node->item = cull_take(b->problems->ctx, node->n + 1, sizeof *node->item);
    bool good = node->item;
    for (size_t i = 0; node->item && i < node->n; i++) {
        node->item[i] = make(b, first[i], depth + 1);
        good = good && node->item[i];
        add_child(b, self, first[i]);
    }
    return good ? node : NULL;
}

// A merge key would pass libyaml silently.
static bool good_key(builder *b, const cull_node *key)
{
    if (!key)
        return false;
    if (key->kind != CULL_SCALAR) {
        cull_problem_add(b->problems, key->place, "a key must be a word, this is %s",
                         cull_node_kind_name(key));
        return false;
    }
    if (!*key->text) {
        cull_problem_add(b->problems, key->place, "a key without a name");
        return false;
    }
    if (key->plain && strcmp(key->text, "<<") == 0) {
        cull_problem_add(b->problems, key->place, "merge keys (<<) are not supported");
        return false;
    }
    return true;
}

static int by_text_then_place(const void *a, const void *b)
{
    const cull_node *x = *(const cull_node *const *)a, *y = *(const cull_node *const *)b;
    const int order = strcmp(x->text, y->text);

    if (order != 0)
        return order;
    return x->place.line != y->place.line
               ? (x->place.line > y->place.line ? 1 : -1)
               : (x->place.column > y->place.column) - (x->place.column < y->place.column);
}

// And so would a key that is there already.
static bool keys_differ(builder *b, const cull_node *map)
{
    const cull_node **key = cull_scratch(b->problems->ctx, map->n + 1, sizeof *key);
    size_t n = 0;
    bool differ = key;

    for (size_t i = 0; key && i < map->n; i++)
        if (map->key[i] && map->key[i]->kind == CULL_SCALAR)
            key[n++] = map->key[i];
    if (n > 0)
        qsort(key, n, sizeof *key, by_text_then_place);
    for (size_t i = 1, first = 0; i < n; i++) {
        if (strcmp(key[first]->text, key[i]->text) != 0) {
            first = i;
            continue;
        }
        cull_problem_add(b->problems, key[i]->place,
                         "the key \"%s\" is here twice, first in line %zu", key[i]->text,
                         key[first]->place.line);
        differ = false;
    }
    return differ;
}

static cull_node *make_map(builder *b, const yaml_node_t *from, cull_node *node, size_t depth,
                           made *self)
{
    const yaml_node_pair_t *first = from->data.mapping.pairs.start;

    node->kind = CULL_MAP;
    node->n = (size_t)(from->data.mapping.pairs.top - first);
    node->item = cull_take(b->problems->ctx, node->n + 1, sizeof *node->item);
    node->key = cull_take(b->problems->ctx, node->n + 1, sizeof *node->key);
    bool good = node->item && node->key;
    for (size_t i = 0; node->item && node->key && i < node->n; i++) {
        node->key[i] = make(b, first[i].key, depth + 1);
        good = good_key(b, node->key[i]) && good;
        node->item[i] = make(b, first[i].value, depth + 1);
        good = good && node->item[i];
        add_child(b, self, first[i].key);
        add_child(b, self, first[i].value);
    }
    return keys_differ(b, node) && good ? node : NULL;
}

static cull_node *make_kind(builder *b, const yaml_node_t *from, cull_node *node, size_t depth,
                            made *self)
{
    if (!plain_tag(from)) {
        cull_problem_add(b->problems, node->place, "tags are not supported: %s",
                         (const char *)from->tag);
        return NULL;
    }
    switch (from->type) {
    case YAML_SCALAR_NODE:
        return make_scalar(b, from, node);
    case YAML_SEQUENCE_NODE:
        return make_list(b, from, node, depth, self);
    case YAML_MAPPING_NODE:
        return make_map(b, from, node, depth, self);
    case YAML_NO_NODE:
        break;
    }
    cull_problem_add(b->problems, node->place, "an empty node");
    return NULL;
}

static cull_node *make(builder *b, int id, size_t depth)
{
    const yaml_node_t *from = yaml_document_get_node(b->doc, id);
    const cull_place place = place_of(b->file, from->start_mark);
    made *self = &b->made[id];

    if (self->state == OPEN)
        cull_problem_add(b->problems, place, "an anchor that contains itself");
    if (depth + self->height > CULL_TREE_DEPTH) {
        cull_problem_add(b->problems, place, "nested deeper than %d levels", CULL_TREE_DEPTH);
        return NULL;
    }
    if (self->state != FRESH)
        return self->node;
    cull_node *node = cull_take(b->problems->ctx, 1, sizeof *node);
    if (!node)
        return NULL;
    node->place = place;
    self->state = OPEN;
    self->expands = 1;
    self->node = NULL;
    node = make_kind(b, from, node, depth, self);
    self->state = DONE;
    if (self->expands > CULL_TREE_NODES) {
        cull_problem_add(b->problems, place, "anchors that expand to more than %d nodes",
                         CULL_TREE_NODES);
        node = NULL;
        self->expands = 1; // once said is enough
    }
    return self->node = node;
}

static cull_node *make_tree(cull_problems *problems, const char *file, yaml_document_t *doc)
{
    if (!yaml_document_get_root_node(doc)) {
        cull_problem_add(problems, (cull_place){ file, 1, 1 }, "there is nothing in it");
        return NULL;
    }
    const size_t nodes = (size_t)(doc->nodes.top - doc->nodes.start) + 1;
    builder b = { .problems = problems, .file = file, .doc = doc };
    b.made = cull_scratch(problems->ctx, nodes, sizeof *b.made);
    const size_t before = problems->said;
    cull_node *root = b.made ? make(&b, 1, 0) : NULL;
    if (!root && problems->said == before)
        problems->lost = true;
    return root;
}

static void add_syntax(cull_problems *problems, const char *file, const yaml_parser_t *parser)
{
    // libyaml names no problem where some of its own structures found no memory.
    if (parser->error == YAML_MEMORY_ERROR || !parser->problem) {
        problems->lost = true;
        return;
    }
    cull_place place = place_of(file, parser->problem_mark);
    if (parser->error == YAML_READER_ERROR)
        place.line = 0;
    cull_problem_add(problems, place, "%s%s%s", parser->problem, parser->context ? ", " : "",
                     parser->context ? parser->context : "");
}

static cull_node *parse_one(cull_problems *problems, const char *file, yaml_parser_t *parser)
{
    yaml_document_t doc, next;

    if (!yaml_parser_load(parser, &doc)) {
        add_syntax(problems, file, parser);
        return NULL;
    }
    cull_node *root = make_tree(problems, file, &doc);
    yaml_document_delete(&doc);
    if (!root)
        return NULL;
    if (!yaml_parser_load(parser, &next)) {
        add_syntax(problems, file, parser);
        return NULL;
    }
    const yaml_node_t *more = yaml_document_get_root_node(&next);
    if (more) {
        cull_problem_add(problems, place_of(file, more->start_mark),
                         "a second document; an experiment is one");
        root = NULL;
    }
    yaml_document_delete(&next);
    return root;
}

// libyaml takes time with the square of the depth, so that a text is first walked event by event,
// as deep as a tree may be. A fault of syntax is left to the second reading, which says it.
static bool is_shallow(cull_problems *problems, const char *file, yaml_parser_t *parser)
{
    for (size_t depth = 0;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event))
            return true;
        const yaml_event_type_t type = event.type;
        const cull_place place = place_of(file, event.start_mark);
        yaml_event_delete(&event);
        if (type == YAML_STREAM_END_EVENT || type == YAML_NO_EVENT)
            return true;
        depth += type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT;
        depth -= type == YAML_SEQUENCE_END_EVENT || type == YAML_MAPPING_END_EVENT;
        if (depth <= CULL_TREE_DEPTH + 1)
            continue;
        cull_problem_add(problems, place, "nested deeper than %d levels", CULL_TREE_DEPTH);
        return false;
    }
}

cull_node *cull_tree_parse(cull_problems *problems, const char *file, const char *text, size_t n)
{
    cull_node *root = NULL;

    for (int reading = 0; reading < 2; reading++) {
        yaml_parser_t parser;
        if (!yaml_parser_initialize(&parser)) {
            problems->lost = true;
            return NULL;
        }
        yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
        const bool shallow = reading > 0 || is_shallow(problems, file, &parser);
        if (reading > 0)
            root = parse_one(problems, file, &parser);
        yaml_parser_delete(&parser);
        if (!shallow)
            return NULL;
    }
    return root;
}

static size_t find_key(const cull_node *map, const char *key)
{
    for (size_t i = 0; map && map->kind == CULL_MAP && i < map->n; i++)
        if (strcmp(map->key[i]->text, key) == 0)
            return i;
    return SIZE_MAX;
}

const cull_node *cull_node_get(const cull_node *map, const char *key)
{
    const size_t i = find_key(map, key);

    return i == SIZE_MAX ? NULL : map->item[i];
}

const cull_node *cull_node_key(const cull_node *map, const char *key)
{
    const size_t i = find_key(map, key);

    return i == SIZE_MAX ? NULL : map->key[i];
}

bool cull_node_is_null(const cull_node *node)
{
    return node->kind == CULL_SCALAR && node->plain &&
           (!*node->text || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

const char *cull_node_kind_name(const cull_node *node)
{
    if (cull_node_is_null(node))
        return "nothing";
    return node->kind == CULL_SCALAR ? "a word" : node->kind == CULL_LIST ? "a list" : "a map";
}
