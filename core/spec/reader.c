// What the sections of an experiment have in common: lists, unknown keys, plugins with settings.
#include "spec/reader.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include <cull/cull.h>

#include "base/call.h"

void cull_elements_of(const cull_node *node, cull_elements *out)
{
    if (node->kind == CULL_LIST) {
        *out = (cull_elements){ .n = node->n, .at = (const cull_node *const *)node->item };
        return;
    }
    *out = (cull_elements){ .n = 1, .self = node };
    out->at = &out->self;
}

void cull_unknown_key(cull_reader *r, const char *what, const cull_node *key,
                      const char *const *known)
{
    for (size_t i = 0; known[i]; i++)
        if (strcmp(known[i], key->text) == 0)
            return;
    const char *near = cull_nearest(key->text, known);
    if (near)
        cull_problem_add(r->problems, key->place, "%s has no key \"%s\"; did you mean \"%s\"?",
                         what, key->text, near);
    else
        cull_problem_add(r->problems, key->place, "%s has no key \"%s\"", what, key->text);
}

static bool same_words(const char *a, const char *b)
{
    static const char blanks[] = " \t\n";

    for (;;) {
        a += strspn(a, blanks);
        b += strspn(b, blanks);
        const size_t n = strcspn(a, blanks);
        if (n != strcspn(b, blanks) || memcmp(a, b, n) != 0)
            return false;
        if (n == 0)
            return true;
        a += n;
        b += n;
    }
}

// Do two texts differ only in what is not seen: composed or not, one blank or dash or another, what
// has no width?
static bool look_alike(const char *a, const char *b)
{
    static const utf8proc_option_t how =
        UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_IGNORE | UTF8PROC_LUMP;
    utf8proc_uint8_t *x = NULL, *y = NULL;
    const bool read = utf8proc_map((const utf8proc_uint8_t *)a, 0, &x, how) >= 0 &&
                      utf8proc_map((const utf8proc_uint8_t *)b, 0, &y, how) >= 0;
    const bool alike = read && same_words((const char *)x, (const char *)y);

    free(x);
    free(y);
    return alike;
}

void cull_check_name(cull_reader *r, const char *what, const cull_node *map, size_t i)
{
    const cull_node *key = map->key[i];

    cull_problems_while(r->problems, NULL);
    if (key->text[strspn(key->text, " \t\n")] == '\0')
        cull_problem_add(r->problems, key->place, "%s has no name but \"%s\"", what, key->text);
    for (size_t j = 0; j < i; j++)
        if (strcmp(map->key[j]->text, key->text) != 0 && look_alike(map->key[j]->text, key->text)) {
            cull_problem_add(r->problems, key->place,
                             "%s is named \"%s\", which looks like \"%s\" but is written otherwise",
                             what, key->text, map->key[j]->text);
            return;
        }
}

// ---- plugins and their settings ----

// The word is a plugin of another kind, or nearly one; a problem that says so.
static bool is_of_other_kind(cull_reader *r, cull_kind kind, const cull_node *word, bool nearly)
{
    for (cull_kind other = 0; other < CULL_N_KINDS; other++) {
        const char *near = nearly ? cull_registry_nearest(r->registry, other, word->text) : NULL;
        if (other == kind || (!near && !cull_registry_find(r->registry, other, word->text)))
            continue;
        if (near)
            cull_problem_add(r->problems, word->place,
                             "there is no %s \"%s\"; there is a %s \"%s\"", cull_kind_name(kind),
                             word->text, cull_kind_name(other), near);
        else
            cull_problem_add(r->problems, word->place, "there is no %s \"%s\": that is a %s",
                             cull_kind_name(kind), word->text, cull_kind_name(other));
        return true;
    }
    return false;
}

static void add_unknown(cull_reader *r, cull_kind kind, const cull_node *word)
{
    if (is_of_other_kind(r, kind, word, false))
        return;
    const char *near = cull_registry_nearest(r->registry, kind, word->text);
    if (kind == CULL_BACKEND && strchr(word->text, '/'))
        cull_problem_add(
            r->problems, word->place,
            "there is no backend \"%s\"; a model's folder is written { hf: { path: %s } }",
            word->text, word->text);
    else if (near)
        cull_problem_add(r->problems, word->place, "there is no %s \"%s\"; did you mean \"%s\"?",
                         cull_kind_name(kind), word->text, near);
    else if (!is_of_other_kind(r, kind, word, true))
        cull_problem_add(r->problems, word->place, "there is no %s \"%s\" (cull list %s)",
                         cull_kind_name(kind), word->text, cull_kind_name(kind));
}

static const cull_plugin *find_plugin(cull_reader *r, cull_kind kind, const cull_node *word)
{
    const cull_plugin *plugin = cull_registry_find(r->registry, kind, word->text);

    if (plugin)
        return plugin;
    const char *trouble = cull_registry_trouble(r->registry);
    if (cull_registry_status(r->registry) == CULL_ENOMEM)
        r->problems->lost = true;
    else if (trouble)
        cull_problem_add(r->problems, word->place, "%s", trouble);
    else
        add_unknown(r, kind, word);
    return NULL;
}

bool cull_read_use(cull_reader *r, cull_kind kind, const cull_node *node, const cull_plugin *owned,
                   cull_use *out, const cull_node **settings)
{
    const bool map = node->kind == CULL_MAP && node->n == 1;

    *out = (cull_use){ .place = node->place };
    if (settings)
        *settings = NULL;
    if (!map && (node->kind != CULL_SCALAR || cull_node_is_null(node))) {
        cull_problem_add(
            r->problems, node->place,
            "a %s is a word, or a map with one key to its settings, not %s", cull_kind_name(kind),
            node->kind == CULL_MAP ? "a map with other than one" : cull_node_kind_name(node));
        return false;
    }
    const cull_node *word = map ? node->key[0] : node;
    const cull_plugin *plugin = find_plugin(r, kind, word);
    if (!plugin)
        return false;
    out->place = word->place;
    out->settings = cull_bind(&r->binder, plugin, word->place, map ? node->item[0] : NULL, owned);
    if (!out->settings)
        return false;
    out->plugin = plugin;
    if (settings && map && node->item[0]->kind == CULL_MAP)
        *settings = node->item[0];
    return true;
}

// ---- metrics ----

// What the metric itself has against its settings.
static void check_metric(cull_reader *r, const cull_use *use)
{
    const cull_metric *metric = use->plugin ? use->plugin->vtable : NULL;

    if (!metric || !metric->check ||
        CULL_CALL(r->ctx, use->plugin, SIZE_MAX, check, metric->check(r->ctx, use->settings)) ==
            CULL_OK)
        return;
    cull_problem_add(r->problems, use->place, "%s: %s", use->plugin->name,
                     cull_context_of(r->ctx)->error.sentence);
    cull_error_clear(r->ctx);
}

bool cull_read_metric(cull_reader *r, const cull_node *node, cull_use *out)
{
    const size_t before = r->problems->said;

    cull_read_use(r, CULL_METRIC, node, NULL, out, NULL);
    if (r->problems->said == before)
        check_metric(r, out);
    return r->problems->said == before;
}
