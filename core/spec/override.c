// --set KEY.PATH=VALUE, KEY.PATH+=VALUE, ~KEY.PATH: nodes on the path are copied, so that what an
// anchor shares stays as it is elsewhere.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "spec/tree.h"

enum change { REPLACE, APPEND, DELETE };

typedef struct override {
    cull_problems *problems;
    cull_place place; // "--set KEY.PATH"
    enum change change;
    cull_node *value; // DELETE: NULL
} override;

static cull_node *set(const override *o, const cull_node *node, const char *path);

static cull_node *copy_node(const override *o, const cull_node *node, size_t room)
{
    cull_ctx *ctx = o->problems->ctx;
    cull_node *copy = cull_take(ctx, 1, sizeof *copy);

    if (!copy)
        return NULL;
    *copy = *node;
    copy->item = cull_take(ctx, room + 1, sizeof *copy->item);
    copy->key = node->kind == CULL_MAP ? cull_take(ctx, room + 1, sizeof *copy->key) : NULL;
    if (!copy->item || (node->kind == CULL_MAP && !copy->key))
        return NULL;
    if (node->n > 0) {
        memcpy(copy->item, node->item, node->n * sizeof *copy->item);
        if (copy->key)
            memcpy(copy->key, node->key, node->n * sizeof *copy->key);
    }
    return copy;
}

// A key of the map that the path goes on with, the longest one: keys may hold dots themselves.
static size_t key_on_path(const cull_node *map, const char *path, size_t *length)
{
    size_t found = SIZE_MAX;

    *length = strcspn(path, ".");
    for (size_t i = 0; i < map->n; i++) {
        const size_t n = strlen(map->key[i]->text);
        if (n > 0 && strncmp(path, map->key[i]->text, n) == 0 && (path[n] == '.' || !path[n]) &&
            (found == SIZE_MAX || n > *length)) {
            found = i;
            *length = n;
        }
    }
    return found;
}

// Element i of the copy of a list or map goes.
static cull_node *without(cull_node *copy, size_t i)
{
    copy->n--;
    memmove(&copy->item[i], &copy->item[i + 1], (copy->n - i) * sizeof *copy->item);
    if (copy->key)
        memmove(&copy->key[i], &copy->key[i + 1], (copy->n - i) * sizeof *copy->key);
    return copy;
}

// What the end of the path becomes.
static cull_node *changed(const override *o, const cull_node *node)
{
    if (o->change == REPLACE)
        return o->value;
    const bool many = o->value->kind == CULL_LIST, list = node && node->kind == CULL_LIST;
    const size_t more = many ? o->value->n : 1;
    const cull_node none = { .kind = CULL_LIST, .place = o->place };
    cull_node *out = copy_node(o, list ? node : &none, (list ? node->n : 1) + more);
    if (!out)
        return NULL;
    if (!list && node && !cull_node_is_null(node)) // a list of one may be written as its element
        out->item[out->n++] = (cull_node *)(uintptr_t)node;
    for (size_t i = 0; i < more; i++)
        out->item[out->n++] = many ? o->value->item[i] : o->value;
    return out;
}

static cull_node *set_in_map(const override *o, const cull_node *map, const char *path)
{
    size_t length;
    size_t i = key_on_path(map, path, &length);
    cull_node *copy = copy_node(o, map, map->n + 1);

    if (!copy)
        return NULL;
    if (o->change == DELETE && i == SIZE_MAX) {
        cull_problem_add(o->problems, o->place, "there is no \"%.*s\" that could go", (int)length,
                         path);
        return NULL;
    }
    if (o->change == DELETE && !path[length])
        return without(copy, i);
    if (i == SIZE_MAX) {
        cull_node *key = cull_take(o->problems->ctx, 1, sizeof *key);
        if (!key)
            return NULL;
        *key = (cull_node){ .kind = CULL_SCALAR, .place = o->place };
        key->text = cull_arena_copy(cull_context_of(o->problems->ctx)->alloc, path, length);
        i = copy->n++;
        copy->key[i] = key;
    }
    const char *rest = path[length] == '.' ? path + length + 1 : "";
    copy->item[i] = set(o, copy->item[i], rest);
    return copy->item[i] && copy->key[i]->text ? copy : NULL;
}

static cull_node *set_in_list(const override *o, const cull_node *list, const char *path)
{
    char *end;
    const size_t length = strcspn(path, ".");
    const unsigned long i = strtoul(path, &end, 10);

    if (length == 0 || end != path + length || *path == '-' || *path == '+' || i >= list->n) {
        cull_problem_add(o->problems, o->place,
                         "\"%.*s\" is not a position in the list here (0 to %zu)", (int)length,
                         path, list->n ? list->n - 1 : 0);
        return NULL;
    }
    cull_node *copy = copy_node(o, list, list->n);
    if (!copy)
        return NULL;
    if (o->change == DELETE && !path[length])
        return without(copy, i);
    copy->item[i] = set(o, copy->item[i], path[length] == '.' ? path + length + 1 : "");
    return copy->item[i] ? copy : NULL;
}

// node may be NULL or a word: then the map that the path asks for takes its place. A plugin named
// by a word keeps it when its settings are set.
static cull_node *set(const override *o, const cull_node *node, const char *path)
{
    if (!*path)
        return changed(o, node);
    if (node && node->kind == CULL_LIST)
        return set_in_list(o, node, path);
    if (node && node->kind == CULL_MAP)
        return set_in_map(o, node, path);
    if (node && !cull_node_is_null(node)) {
        const size_t n = strlen(node->text);
        if (strncmp(path, node->text, n) != 0 || path[n] != '.') {
            cull_problem_add(o->problems, o->place, "there is the word \"%s\", not a map",
                             node->text);
            return NULL;
        }
    }
    return set_in_map(o, &(cull_node){ .kind = CULL_MAP, .place = o->place }, path);
}

// A line of the command line is no line of a file.
static void drop_lines(cull_node *node)
{
    node->place.line = 0;
    for (size_t i = 0; i < node->n; i++) {
        if (node->key)
            node->key[i]->place.line = 0;
        drop_lines(node->item[i]);
    }
}

// The parts of an override: how it changes what is at which path, and what follows the "=".
static bool take_apart(cull_problems *problems, const char *text, override *o, const char **path,
                       const char **value)
{
    cull_arena *arena = cull_context_of(problems->ctx)->alloc;
    const char *equals = strchr(text, '=');
    const char *end = equals ? equals : text + strlen(text);

    o->change = *text == '~'                                   ? DELETE
                : equals && equals > text && equals[-1] == '+' ? APPEND
                                                               : REPLACE;
    const char *begin = text + (o->change == DELETE);
    end -= o->change == APPEND;
    if (end <= begin || (o->change == DELETE) != !equals) {
        cull_problem_add(problems, (cull_place){ "--set", 0, 0 },
                         "\"%s\" is not of the form key.path=value, key.path+=value or ~key.path",
                         text);
        return false;
    }
    *value = equals && equals[1] ? equals + 1 : "~";
    *path = cull_arena_copy(arena, begin, (size_t)(end - begin));
    o->place.file = *path ? cull_arena_printf(arena, "--set %s", *path) : NULL;
    problems->lost = problems->lost || !o->place.file;
    return o->place.file != NULL;
}

cull_node *cull_tree_set(cull_problems *problems, cull_node *root, const char *text)
{
    override o = { .problems = problems };
    const char *path, *value;

    if (!take_apart(problems, text, &o, &path, &value))
        return NULL;
    if (o.change == DELETE)
        return set(&o, root, path);
    const size_t before = problems->n;
    o.value = cull_tree_parse(problems, o.place.file, value, strlen(value));
    for (size_t i = before; i < problems->n; i++)
        problems->at[i].place.line = 0;
    if (o.value)
        drop_lines(o.value);
    return o.value ? set(&o, root, path) : NULL;
}
