// Allocations: how a budget is spread over layers, and searches for how it is best spread.
#include <string.h>

#include "plugin/settings.h"
#include "spec/reader.h"
#include "spec/search.h"

// ---- a search ----

static const char *const ways[] = { "evolution", "greedy", "sensitivity", NULL };

static const cull_param search_params[] = {
    CULL_P_CHOICE(cull_search_settings, by, CULL_SEARCH_EVOLUTION, ways,
                  "evolution: the best candidates are changed at random; greedy: the best one is "
                  "left for the best of its neighbours, until none is better; sensitivity: each "
                  "layer is cut alone, by one, two, …, and the counts are taken whose losses have "
                  "the least sum"),
    CULL_P_TEXT(cull_search_settings, fitness, "overlap", 0,
                "which value of the metric is to be best (pooled, or the mean over its tasks)"),
    CULL_P_INT(cull_search_settings, population, 32, 2, 4096, "candidates in a generation"),
    CULL_P_INT(cull_search_settings, generations, 50, 1, 1000000, "generations at most"),
    CULL_P_INT(cull_search_settings, survivors, 4, 1, 4095,
               "evolution: the best so far, which stay in the population and are changed"),
    CULL_P_INT(cull_search_settings, moves, 3, 1, 1000,
               "evolution: moves of a change, at most; drawn twice, and the smaller taken"),
    CULL_P_INT(cull_search_settings, experts, 4, 1, 1000,
               "experts that a move carries from one layer's count to another's, at most"),
    CULL_P_TEXT(cull_search_settings, name, NULL, CULL_NO_KEY,
                "what tables call it, where there are several"),
};

const cull_plugin cull_search_table = {
    .size = sizeof cull_search_table,
    .name = "search",
    CULL_SETTINGS(search_params, cull_search_settings),
};

// Its settings with the metric as one more.
void cull_search_json(const cull_search *search, cull_buf *out)
{
    cull_settings_json(&cull_search_table, search->settings, out);
    if (out->n > 0)
        cull_buf_cut(out, out->n - 1); // the brace
    cull_buf_puts(out, ",\"on\":{");
    cull_buf_json(out, search->metric.plugin->name, strlen(search->metric.plugin->name));
    cull_buf_puts(out, ":");
    cull_settings_json(search->metric.plugin, search->metric.settings, out);
    cull_buf_puts(out, "}}");
}

struct owned {
    const char *on;
};

static const cull_param owned_params[] = { CULL_P_TEXT(struct owned, on, NULL, 0, "the metric") };

static const cull_plugin owned_table = {
    .size = sizeof owned_table,
    .name = "search",
    CULL_SETTINGS(owned_params, struct owned),
};

static void check_survivors(cull_reader *r, const cull_search *search)
{
    if (search->settings->by == CULL_SEARCH_EVOLUTION &&
        search->settings->survivors >= search->settings->population)
        cull_problem_add(r->problems, search->place,
                         "search: with %lld survivors in a population of %lld nothing new is tried",
                         (long long)search->settings->survivors,
                         (long long)search->settings->population);
}

static bool bind_search(cull_reader *r, const cull_node *key, const cull_node *node,
                        cull_search *out)
{
    const cull_node *on = node->kind == CULL_MAP ? cull_node_get(node, "on") : NULL;

    out->place = key->place;
    out->settings = cull_bind(&r->binder, &cull_search_table, key->place, node, &owned_table);
    if (!on)
        cull_problem_add(r->problems, key->place,
                         "search: the setting \"on\" is required: a metric on data of its own, by "
                         "which candidates are told apart");
    if (!on || !cull_read_metric(r, on, &out->metric) || !out->settings)
        return false;
    check_survivors(r, out);
    return true;
}

static cull_search *read_search(cull_reader *r, const cull_node *key, const cull_node *node)
{
    cull_search *search = cull_take(r->ctx, 1, sizeof *search);

    if (!search) {
        r->problems->lost = true;
        return NULL;
    }
    cull_problems_while(r->problems, "reading the search of an allocation");
    const bool good = bind_search(r, key, node, search);
    cull_problems_while(r->problems, NULL);
    return good ? search : NULL;
}

// ---- an allocation ----

static const char *label_of(cull_reader *r, const cull_allocation *a)
{
    const char *name = a->search ? a->search->settings->name : NULL;
    const char *label =
        cull_arena_printf(cull_context_of(r->ctx)->alloc, "%s%s%s%s%s%s", a->like ? "like:" : "",
                          a->like ? a->like : "", a->like && a->search ? ":" : "",
                          a->search ? "search" : "", name ? ":" : "", name ? name : "");

    if (!label)
        r->problems->lost = true;
    return label;
}

// { like: METHOD }, { search: … }, or both. false: it is none of them.
static bool read_map(cull_reader *r, const cull_node *node, cull_allocation *out)
{
    const cull_node *like = cull_node_get(node, "like"), *search = cull_node_get(node, "search");
    const size_t known = (like ? 1u : 0u) + (search ? 1u : 0u);

    if (known == 0 || node->n != known || (like && like->kind != CULL_SCALAR))
        return false;
    out->kind = like ? CULL_ALLOCATE_LIKE : CULL_ALLOCATE_SEARCH;
    if (like) {
        out->place = like->place;
        out->like = like->text;
    }
    if (search) {
        out->search = read_search(r, cull_node_key(node, "search"), search);
        if (!out->search)
            out->kind = CULL_ALLOCATE_LAYER; // the problem is said
    }
    out->label = label_of(r, out);
    return true;
}

static void read_allocation(cull_reader *r, const cull_node *node, cull_allocation *out)
{
    static const char *const words[] = { "layer", "global", NULL };

    *out = (cull_allocation){ .place = node->place };
    if (node->kind == CULL_MAP && read_map(r, node, out))
        return;
    for (size_t i = 0; node->kind == CULL_SCALAR && words[i]; i++)
        if (strcmp(node->text, words[i]) == 0) {
            out->kind = (enum cull_allocation_kind)i;
            out->label = words[i];
            return;
        }
    const char *near = node->kind == CULL_SCALAR ? cull_nearest(node->text, words) : NULL;
    cull_problem_add(r->problems, node->place,
                     "an allocation is layer, global, { like: METHOD }, or { search: … }%s%s%s",
                     near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static void check_label(cull_reader *r, const cull_allocation *a)
{
    for (const cull_allocation *b = r->spec->allocations; b < a; b++)
        if (b->label && a->label && *a->label && strcmp(a->label, b->label) == 0)
            cull_problem_add(r->problems, a->place, "allocations: \"%s\" is here twice%s", a->label,
                             a->search ? "; searches are told apart by their name (name: …)" : "");
}

void cull_join_fitness(cull_reader *r)
{
    cull_spec *spec = r->spec;
    cull_use *all = cull_take(r->ctx, spec->n_metrics + spec->n_allocations + 1, sizeof *all);
    size_t n = spec->n_metrics;

    if (!all) {
        r->problems->lost = true;
        return;
    }
    if (n > 0)
        memcpy(all, spec->metrics, n * sizeof *all);
    for (size_t i = 0; i < spec->n_allocations; i++)
        if (spec->allocations[i].search) {
            spec->allocations[i].search->at = n;
            all[n++] = spec->allocations[i].search->metric;
        }
    spec->n_fitness = n - spec->n_metrics;
    spec->metrics = all;
}

void cull_read_allocations(cull_reader *r, const cull_node *node)
{
    cull_spec *spec = r->spec;
    cull_elements list;

    cull_elements_of(node, &list);
    spec->allocations = cull_take(r->ctx, list.n + 1, sizeof *spec->allocations);
    for (size_t i = 0; spec->allocations && i < list.n; i++) {
        read_allocation(r, list.at[i], &spec->allocations[spec->n_allocations++]);
        check_label(r, &spec->allocations[i]);
    }
    if (list.n == 0)
        cull_problem_add(r->problems, node->place, "allocations: the list is empty");
}
