// base: an experiment written as what it changes in another one.
#include <stdint.h>
#include <string.h>

#include "spec/tree.h"

// May maps with one key each, at this path, be two plugins, of which the later one replaces the
// other? `above` are the keys that lead to them, from the root.
static bool holds_plugin(size_t depth, const char *const *above)
{
    if (depth == 0)
        return false;
    const char *key = above[depth - 1];
    return strcmp(key, "criterion") == 0 || strcmp(key, "strategy") == 0 ||
           strcmp(key, "metrics") == 0 || strcmp(above[0], "calibrate") == 0 ||
           (depth == 2 && strcmp(above[0], "models") == 0);
}

static bool is_other_plugin(size_t depth, const char *const *above, const cull_node *base,
                            const cull_node *own)
{
    return holds_plugin(depth, above) && base->n == 1 && own->n == 1 &&
           strcmp(base->key[0]->text, own->key[0]->text) != 0;
}

static size_t find(const cull_node *map, const char *key)
{
    for (size_t i = 0; i < map->n; i++)
        if (strcmp(map->key[i]->text, key) == 0)
            return i;
    return SIZE_MAX;
}

static cull_node *merge(cull_problems *problems, const cull_node *base, const cull_node *own,
                        size_t depth, const char **above)
{
    cull_node *out = (cull_node *)(uintptr_t)own;

    if (base->kind != CULL_MAP || own->kind != CULL_MAP ||
        is_other_plugin(depth, above, base, own) || depth == CULL_TREE_DEPTH)
        return out;
    out = cull_take(problems->ctx, 1, sizeof *out);
    cull_node **item = cull_take(problems->ctx, base->n + own->n + 1, sizeof *item);
    cull_node **key = cull_take(problems->ctx, base->n + own->n + 1, sizeof *key);
    if (!out || !item || !key) {
        problems->lost = true;
        return NULL;
    }
    *out = (cull_node){ .kind = CULL_MAP, .place = own->place, .item = item, .key = key };
    for (size_t i = 0; i < base->n; i++) {
        const size_t j = find(own, base->key[i]->text);
        above[depth] = base->key[i]->text;
        if (j != SIZE_MAX && cull_node_is_null(own->item[j]))
            continue;
        key[out->n] = j == SIZE_MAX ? base->key[i] : own->key[j];
        item[out->n] = j == SIZE_MAX
                           ? base->item[i]
                           : merge(problems, base->item[i], own->item[j], depth + 1, above);
        if (!item[out->n++])
            return NULL;
    }
    for (size_t j = 0; j < own->n; j++)
        if (find(base, own->key[j]->text) == SIZE_MAX) {
            key[out->n] = own->key[j];
            item[out->n++] = own->item[j];
        }
    return out;
}

cull_node *cull_tree_merge(cull_problems *problems, const cull_node *base, const cull_node *own)
{
    const char *above[CULL_TREE_DEPTH + 1];

    return merge(problems, base, own, 0, above);
}
