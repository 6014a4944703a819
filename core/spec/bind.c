// A node and a settings table into a settings struct.
#include "spec/bind.h"

#include <stdio.h>
#include <string.h>

#include "plugin/settings.h"

// The texts of a value: one for a word, its elements for a list of words.
static const char *const *texts_of(const cull_binder *b, const char *who, const cull_node *value,
                                   bool list, size_t *n)
{
    const cull_node *const *items = &value;

    *n = 1;
    if (value->kind == CULL_LIST && list) {
        items = (const cull_node *const *)value->item;
        *n = value->n;
    }
    const char **texts = cull_scratch(b->problems->ctx, *n + 1, sizeof *texts);
    for (size_t i = 0; texts && i < *n; i++) {
        if (items[i]->kind != CULL_SCALAR || cull_node_is_null(items[i])) {
            cull_problem_add(b->problems, items[i]->place, "%s: a value is expected, not %s", who,
                             cull_node_kind_name(items[i]));
            return NULL;
        }
        texts[i] = items[i]->text;
    }
    if (!texts)
        b->problems->lost = true;
    return texts;
}

const char *cull_base_of(const cull_binder *b, const cull_node *value)
{
    const char *slash = value->place.line > 0 ? strrchr(value->place.file, '/') : NULL;

    if (!slash)
        return value->place.line > 0 ? "." : NULL;
    const char *base = cull_arena_copy(cull_context_of(b->problems->ctx)->alloc, value->place.file,
                                       (size_t)(slash - value->place.file) + 1);
    b->problems->lost = b->problems->lost || !base;
    return base;
}

// A list is parsed as a whole; when that fails, the elements one by one tell which it is that
// fails.
static const cull_node *culprit(const cull_binder *b, const cull_param *param,
                                const cull_node *value, const char *const *texts, void *settings)
{
    char message[CULL_SENTENCE];

    for (size_t i = 0; value->kind == CULL_LIST && i < value->n; i++)
        if (cull_setting_parse(b->problems->ctx, param, 1, &texts[i], cull_base_of(b, value),
                               settings, message, sizeof message) != CULL_OK)
            return value->item[i];
    return value;
}

bool cull_bind_value(const cull_binder *b, const char *who, const cull_param *param,
                     const cull_node *value, void *settings)
{
    char message[CULL_SENTENCE];
    size_t n;
    const char *const *texts = texts_of(b, who, value, cull_setting_is_list(param), &n);

    if (!texts)
        return false;
    const cull_status status =
        cull_setting_parse(b->problems->ctx, param, n, texts, cull_base_of(b, value), settings,
                           message, sizeof message);
    if (status == CULL_ENOMEM)
        b->problems->lost = true;
    else if (status != CULL_OK)
        cull_problem_add(b->problems, culprit(b, param, value, texts, settings)->place, "%s: %s",
                         who, message);
    return status == CULL_OK;
}

static bool bind_pair(const cull_binder *b, const char *whose, const cull_param *param,
                      const cull_node *value, void *settings)
{
    char who[160];

    snprintf(who, sizeof who, "%s%s%s", whose, *whose ? "." : "", param->name);
    return cull_bind_value(b, who, param, value, settings);
}

static size_t row_of(const cull_plugin *plugin, const char *name)
{
    for (size_t i = 0; i < plugin->n_params; i++)
        if (strcmp(cull_setting_at(plugin, i)->name, name) == 0)
            return i;
    return SIZE_MAX;
}

static const char *nearest(const cull_plugin *plugin, const cull_plugin *owned, const char *word)
{
    const char *near = cull_setting_nearest(plugin, word);

    return near || !owned ? near : cull_setting_nearest(owned, word);
}

static void add_unknown(const cull_binder *b, const cull_plugin *plugin, const cull_plugin *owned,
                        const cull_node *key)
{
    const char *near = nearest(plugin, owned, key->text);

    if (near)
        cull_problem_add(b->problems, key->place, "%s has no setting \"%s\"; did you mean \"%s\"?",
                         plugin->name, key->text, near);
    else
        cull_problem_add(b->problems, key->place, "%s has no setting \"%s\"", plugin->name,
                         key->text);
}

// Two names of one setting: the later value would silently win.
static bool is_alone(const cull_binder *b, const cull_plugin *plugin, size_t row, const bool *given,
                     const cull_node *key)
{
    for (size_t i = 0; i < plugin->n_params; i++) {
        const cull_param *other = cull_setting_at(plugin, i);
        if (i == row || !given[i] || other->offset != cull_setting_at(plugin, row)->offset)
            continue;
        cull_problem_add(b->problems, key->place, "%s: \"%s\" and \"%s\" are one setting: give one",
                         plugin->name, other->name, key->text);
        return false;
    }
    return true;
}

static bool bind_map(const cull_binder *b, const cull_plugin *plugin, const cull_node *map,
                     const cull_plugin *owned, void *settings, bool *given)
{
    bool good = true;

    for (size_t i = 0; map && i < map->n; i++) {
        const size_t row = row_of(plugin, map->key[i]->text);
        if (row != SIZE_MAX) {
            given[row] = true;
            good = is_alone(b, plugin, row, given, map->key[i]) && good;
            good =
                bind_pair(b, plugin->name, cull_setting_at(plugin, row), map->item[i], settings) &&
                good;
        } else if (!owned || row_of(owned, map->key[i]->text) == SIZE_MAX) {
            add_unknown(b, plugin, owned, map->key[i]);
            good = false;
        }
    }
    return good;
}

void *cull_bind(const cull_binder *b, const cull_plugin *plugin, cull_place place,
                const cull_node *map, const cull_plugin *owned)
{
    void *settings;
    bool *given = cull_scratch(b->problems->ctx, plugin->n_params + 1, sizeof *given);

    if (!given || cull_settings_new(b->problems->ctx, plugin, &settings) != CULL_OK) {
        b->problems->lost = true;
        return NULL;
    }
    if (map && cull_node_is_null(map))
        map = NULL;
    if (map && map->kind != CULL_MAP) {
        cull_problem_add(b->problems, map->place, "%s: its settings are a map, not %s",
                         plugin->name, cull_node_kind_name(map));
        return NULL;
    }
    bool good = bind_map(b, plugin, map, owned, settings, given);
    const cull_param *missing = cull_settings_missing(plugin, given);
    if (missing) {
        cull_problem_add(b->problems, place, "%s: the setting \"%s\" is required", plugin->name,
                         missing->name);
        good = false;
    }
    return good ? settings : NULL;
}

bool cull_bind_owned(const cull_binder *b, const cull_plugin *owned, const char *whose,
                     const cull_node *map, void *settings, bool *given)
{
    bool good = true;

    for (size_t i = 0; map && map->kind == CULL_MAP && i < map->n; i++) {
        const size_t row = row_of(owned, map->key[i]->text);
        if (row == SIZE_MAX)
            continue;
        given[row] = true;
        good = bind_pair(b, whose, cull_setting_at(owned, row), map->item[i], settings) && good;
    }
    return good;
}
