// The top-level keys of an experiment, one function each.
#include <math.h>
#include <string.h>

#include <cull/cull.h>

#include "plugin/settings.h"
#include "spec/reader.h"

static void read_question(cull_reader *r, const cull_node *node)
{
    if (node->kind == CULL_SCALAR)
        r->spec->question = node->text;
    else
        cull_problem_add(r->problems, node->place, "question is a text, not %s",
                         cull_node_kind_name(node));
}

static void read_baseline(cull_reader *r, const cull_node *node)
{
    r->spec->baseline_place = node->place;
    if (node->kind == CULL_SCALAR && !cull_node_is_null(node))
        r->spec->baseline = node->text;
    else
        cull_problem_add(
            r->problems, node->place,
            "baseline is a method's name, dense, or a value like allocation=layer, not %s",
            cull_node_kind_name(node));
}

static void read_models(cull_reader *r, const cull_node *node)
{
    cull_spec *spec = r->spec;

    if (node->kind != CULL_MAP || node->n == 0) {
        cull_problem_add(r->problems, node->place, "models is a map of names to backends, not %s",
                         node->kind == CULL_MAP ? "an empty one" : cull_node_kind_name(node));
        return;
    }
    spec->models = cull_take(r->ctx, node->n, sizeof *spec->models);
    if (!spec->models) {
        r->problems->lost = true;
        return;
    }
    for (size_t i = 0; i < node->n; i++) {
        cull_model_spec *model = &spec->models[spec->n_models++];
        *model = (cull_model_spec){ .place = node->key[i]->place, .name = node->key[i]->text };
        cull_check_name(r, "a model", node, i);
        cull_problems_while(r->problems, "reading model \"%s\"", model->name);
        cull_read_use(r, CULL_BACKEND, node->item[i], NULL, &model->backend, NULL);
    }
    cull_problems_while(r->problems, NULL);
}

static bool same_settings(cull_reader *r, const cull_use *a, const cull_use *b)
{
    cull_buf one = CULL_BUF_INIT, other = CULL_BUF_INIT;

    cull_settings_json(a->plugin, a->settings, &one);
    cull_settings_json(b->plugin, b->settings, &other);
    const bool same = one.s && other.s && strcmp(one.s, other.s) == 0;
    r->problems->lost |= one.failed || other.failed;
    cull_buf_release(&one);
    cull_buf_release(&other);
    return same;
}

struct calibrate_owned {
    int64_t dense_rows;
};

static const cull_param calibrate_params[] = {
    CULL_P_INT(struct calibrate_owned, dense_rows, 0, 1, 1e9,
               "rows of the subsample on which all experts are run"),
};

static const cull_plugin calibrate_table = {
    .size = sizeof calibrate_table,
    .name = "calibrate",
    CULL_SETTINGS(calibrate_params, struct calibrate_owned),
};

static bool is_mix(const cull_node *node)
{
    return node->kind == CULL_MAP && cull_node_get(node, "mix");
}

static void read_calibration(cull_reader *r, const cull_node *node, cull_calibration_spec *out)
{
    const cull_node *settings = node;
    struct calibrate_owned owned = { 0 };
    bool given[1] = { false };

    if (is_mix(node) ? !cull_read_mix(r, node, &out->data)
                     : !cull_read_use(r, CULL_DATA, node, &calibrate_table, &out->data, &settings))
        return;
    if (cull_bind_owned(&r->binder, &calibrate_table, out->data.plugin->name, settings, &owned,
                        given))
        out->dense_rows = owned.dense_rows;
}

// A reader of data: its word, or a map with one key, its word; or a mix of some.
static bool is_reader(cull_reader *r, const cull_node *node)
{
    if (is_mix(node))
        return true;
    const cull_node *word = node->kind == CULL_MAP && node->n == 1 ? node->key[0] : node;
    return word->kind == CULL_SCALAR && cull_registry_find(r->registry, CULL_DATA, word->text);
}

// Names of readers, not a reader and its settings: some value is a reader, or no key is.
static bool names_readers(cull_reader *r, const cull_node *node)
{
    bool any_value = false, any_key = false;

    if (node->kind != CULL_MAP || is_mix(node) || (node->n == 1 && is_reader(r, node)))
        return false;
    for (size_t i = 0; i < node->n; i++) {
        any_value = any_value || is_reader(r, node->item[i]);
        any_key = any_key || is_reader(r, node->key[i]);
    }
    return any_value || (node->n > 1 && !any_key);
}

// Calibration i is read from what none before it is read from.
static void check_calibrations(cull_reader *r, size_t i)
{
    const cull_calibration_spec *own = &r->spec->calibrations[i];

    for (size_t j = 0; own->data.plugin && j < i; j++) {
        const cull_calibration_spec *other = &r->spec->calibrations[j];
        if (other->data.plugin == own->data.plugin && other->dense_rows == own->dense_rows &&
            same_settings(r, &other->data, &own->data)) {
            cull_problem_add(r->problems, own->place,
                             "calibrate: \"%s\" is \"%s\" once more: %s, with the same settings",
                             own->name, other->name, own->data.plugin->name);
            return;
        }
    }
}

static void read_calibrate(cull_reader *r, const cull_node *node)
{
    cull_spec *spec = r->spec;
    const bool named = names_readers(r, node);

    spec->calibrations = cull_take(r->ctx, named ? node->n : 1, sizeof *spec->calibrations);
    if (!spec->calibrations) {
        r->problems->lost = true;
        return;
    }
    for (size_t i = 0; i < (named ? node->n : 1); i++) {
        cull_calibration_spec *one = &spec->calibrations[spec->n_calibrations++];
        *one = (cull_calibration_spec){ .place = named ? node->key[i]->place : node->place,
                                        .name = named ? node->key[i]->text : NULL };
        if (named)
            cull_check_name(r, "a calibration", node, i);
        if (named)
            cull_problems_while(r->problems, "reading calibration \"%s\"", one->name);
        read_calibration(r, named ? node->item[i] : node, one);
        check_calibrations(r, i);
    }
    cull_problems_while(r->problems, NULL);
}

struct number {
    double real;
    int64_t integer;
};

static const cull_param sparsity_param =
    CULL_P_REAL(struct number, real, 0, 0.0, 1.0, "the fraction that goes");
struct budget {
    const char *bytes;
    double experts, active;
};

static const cull_param seed_param =
    CULL_P_INT(struct number, integer, 0, 0, CULL_ANY_HI, "drives sampling and chance");

// One number of a list that may not hold it twice.
static bool read_number(cull_reader *r, const char *who, const cull_param *param,
                        const cull_node *node, struct number *out)
{
    *out = (struct number){ 0 };
    return cull_bind_value(&r->binder, who, param, node, out);
}

static const cull_param bytes_param =
    CULL_P_TEXT(struct budget, bytes, NULL, 0, "most bytes of the weights that an export stores");
static const cull_param experts_param =
    CULL_P_REAL(struct budget, experts, 0, 1.0, 1e6, "experts that each layer keeps");
static const cull_param active_param = CULL_P_REAL(
    struct budget, active, 0, 0.0, 1.0, "the fraction of the parameters that run for a token");

// { bytes: 12G }, { experts: 48 } or { active: 0.8 }; false: there was a problem.
static bool read_budget(cull_reader *r, const cull_node *node, cull_sparsity *out)
{
    static const char *const words[] = { "bytes", "experts", "active", NULL };
    const cull_param *const params[] = { &bytes_param, &experts_param, &active_param };
    struct budget b = { 0 };
    uint64_t bytes = 0;
    size_t i = 0;

    while (node->n == 1 && words[i] && strcmp(words[i], node->key[0]->text) != 0)
        i++;
    if (node->n != 1 || !words[i]) {
        cull_problem_add(r->problems, node->place,
                         "sparsities: a budget is one of { bytes: SIZE }, { experts: N } and "
                         "{ active: FRACTION }");
        return false;
    }
    if (!cull_bind_value(&r->binder, "sparsities", params[i], node->item[0], &b))
        return false;
    if (i == 0 && !cull_parse_bytes(b.bytes, &bytes)) {
        cull_problem_add(r->problems, node->item[0]->place,
                         "sparsities.bytes: \"%s\" is no size; write 12G, or 500M", b.bytes);
        return false;
    }
    const double value[] = { (double)bytes, b.experts, b.active };
    *out = (cull_sparsity){ node->place, (cull_amount)(CULL_BYTES + i), value[i] };
    return true;
}

static void read_fraction(cull_reader *r, const cull_node *node)
{
    cull_spec *spec = r->spec;
    struct number s;

    if (!read_number(r, "sparsities", &sparsity_param, node, &s))
        return;
    if (s.real >= 1)
        cull_problem_add(r->problems, node->place,
                         "sparsities: 1 would leave nothing of the experts");
    for (size_t j = 0; j < spec->n_sparsities; j++)
        if (spec->sparsities[j].kind == CULL_FRACTION && spec->sparsities[j].value == s.real)
            cull_problem_add(r->problems, node->place, "sparsities: %s is here twice", node->text);
    spec->sparsities[spec->n_sparsities++] = (cull_sparsity){ node->place, CULL_FRACTION, s.real };
}

static void read_sparsities(cull_reader *r, const cull_node *node)
{
    cull_spec *spec = r->spec;
    cull_elements list;
    // One budget is a map, and no list of its key
    const cull_node *const *at = &node;

    cull_elements_of(node, &list);
    const size_t n = node->kind == CULL_MAP ? 1 : list.n;
    at = node->kind == CULL_MAP ? at : list.at;
    spec->sparsities = cull_take(r->ctx, n + 1, sizeof *spec->sparsities);
    for (size_t i = 0; spec->sparsities && i < n; i++) {
        if (at[i]->kind != CULL_MAP)
            read_fraction(r, at[i]);
        else if (read_budget(r, at[i], &spec->sparsities[spec->n_sparsities]))
            spec->n_sparsities++;
    }
}

static void read_seeds(cull_reader *r, const cull_node *node)
{
    cull_spec *spec = r->spec;
    cull_elements list;

    cull_elements_of(node, &list);
    spec->seeds = cull_take(r->ctx, list.n + 1, sizeof *spec->seeds);
    for (size_t i = 0; spec->seeds && i < list.n; i++) {
        struct number s;
        if (!read_number(r, "seeds", &seed_param, list.at[i], &s))
            continue;
        for (size_t j = 0; j < spec->n_seeds; j++)
            if (spec->seeds[j].value == (uint64_t)s.integer)
                cull_problem_add(r->problems, list.at[i]->place, "seeds: %s is here twice",
                                 list.at[i]->text);
        spec->seeds[spec->n_seeds++] = (cull_seed){ list.at[i]->place, (uint64_t)s.integer };
    }
    if (list.n == 0)
        cull_problem_add(r->problems, node->place, "seeds: the list is empty");
}

// Metric i asks nothing that none before it asks.
static void check_twice(cull_reader *r, size_t i)
{
    const cull_use *use = &r->spec->metrics[i];

    for (size_t j = 0; use->plugin && j < i; j++)
        if (r->spec->metrics[j].plugin == use->plugin &&
            same_settings(r, &r->spec->metrics[j], use)) {
            cull_problem_add(r->problems, use->place,
                             "metric %zu is metric %zu once more: %s, with "
                             "the same settings",
                             i + 1, j + 1, use->plugin->name);
            return;
        }
}

static void read_metrics(cull_reader *r, const cull_node *node)
{
    cull_spec *spec = r->spec;
    cull_elements list;

    cull_elements_of(node, &list);
    spec->metrics = cull_take(r->ctx, list.n + 1, sizeof *spec->metrics);
    for (size_t i = 0; spec->metrics && i < list.n; i++) {
        cull_problems_while(r->problems, "reading metric %zu", i + 1);
        cull_read_metric(r, list.at[i], &spec->metrics[spec->n_metrics++]);
        check_twice(r, i);
    }
    cull_problems_while(r->problems, NULL);
    if (list.n == 0)
        cull_problem_add(r->problems, node->place, "metrics: the list is empty");
}

struct layers_owned {
    cull_ints only, except;
};

static const cull_param layers_params[] = {
    CULL_P_INTS(struct layers_owned, only, 0, "layers that may be cut"),
    CULL_P_INTS(struct layers_owned, except, 0, "layers that may not"),
};

static const cull_plugin layers_table = {
    .size = sizeof layers_table,
    .name = "layers",
    CULL_SETTINGS(layers_params, struct layers_owned),
};

// A list that was given, of nothing.
static bool is_empty_list(const cull_node *map, const char *key)
{
    for (size_t i = 0; map->kind == CULL_MAP && i < map->n; i++)
        if (strcmp(map->key[i]->text, key) == 0)
            return map->item[i]->kind == CULL_LIST && map->item[i]->n == 0;
    return false;
}

static void read_layer_lists(cull_reader *r, const cull_node *node, cull_layers_spec *out)
{
    const struct layers_owned *owned =
        cull_bind(&r->binder, &layers_table, node->place, node, NULL);

    if (!owned)
        return;
    if (is_empty_list(node, "only")) // not the same as no limit
        cull_problem_add(r->problems, node->place, "layers.only: the list is empty");
    out->only = owned->only;
    out->except = owned->except;
}

// Names of maps, none of them a key of such a map.
static bool names_layers(const cull_node *node)
{
    if (node->kind != CULL_MAP || node->n == 0)
        return false;
    for (size_t i = 0; i < node->n; i++)
        if ((node->item[i]->kind != CULL_MAP && !cull_node_is_null(node->item[i])) ||
            strcmp(node->key[i]->text, "only") == 0 || strcmp(node->key[i]->text, "except") == 0)
            return false;
    return true;
}

static void read_layers(cull_reader *r, const cull_node *node)
{
    cull_spec *spec = r->spec;
    const bool named = names_layers(node);

    spec->layers = cull_take(r->ctx, named ? node->n : 1, sizeof *spec->layers);
    for (size_t i = 0; spec->layers && i < (named ? node->n : 1); i++) {
        cull_layers_spec *one = &spec->layers[spec->n_layers++];
        *one = (cull_layers_spec){ .place = named ? node->key[i]->place : node->place,
                                   .name = named ? node->key[i]->text : NULL };
        if (named)
            cull_check_name(r, "a choice of layers", node, i);
        if (named)
            cull_problems_while(r->problems, "reading layers \"%s\"", one->name);
        read_layer_lists(r, named ? node->item[i] : node, one);
    }
    cull_problems_while(r->problems, NULL);
}

// Plugins that the file names are code: the loader decides whether it may run.
static void read_plugins(cull_reader *r, const cull_node *node)
{
    cull_elements list;

    cull_elements_of(node, &list);
    for (size_t i = 0; i < list.n; i++) {
        const cull_node *file = list.at[i];
        if (file->kind != CULL_SCALAR || cull_node_is_null(file)) {
            cull_problem_add(r->problems, file->place, "plugins: a file is expected, not %s",
                             cull_node_kind_name(file));
            continue;
        }
        const char *base = cull_base_of(&r->binder, file);
        if (cull_registry_declare(r->ctx, r->registry, base, file->text,
                                  r->source->trust_plugins) != CULL_OK) {
            cull_problem_add(r->problems, file->place, "%s",
                             cull_context_of(r->ctx)->error.sentence);
            cull_error_clear(r->ctx);
        }
    }
}

static void read_precision(cull_reader *r, const cull_node *node)
{
    static const char *const words[] = { "auto", "f32", "bf16", "bf16x2", NULL };

    r->spec->precision_place = node->place;
    for (size_t i = 0; node->kind == CULL_SCALAR && words[i]; i++)
        if (strcmp(words[i], node->text) == 0)
            r->spec->precision = words[i];
    if (!r->spec->precision)
        cull_problem_add(r->problems, node->place,
                         "precision: one of auto, f32, bf16, bf16x2 is expected");
}

struct output_owned {
    const char *folder, *store;
};

static const cull_param output_params[] = {
    CULL_P_TEXT(struct output_owned, folder, NULL, CULL_NO_KEY, "where results go"),
    CULL_P_TEXT(struct output_owned, store, "f32", 0, "type of novices and rewritten matrices"),
};

static const cull_plugin output_table = {
    .size = sizeof output_table,
    .name = "output",
    CULL_SETTINGS(output_params, struct output_owned),
};

static void read_output(cull_reader *r, const cull_node *node)
{
    static const char *const stores[] = { "f32", "bf16", "f16", "model", NULL };

    if (node->kind == CULL_SCALAR && !cull_node_is_null(node)) {
        r->spec->folder = node->text;
        return;
    }
    const struct output_owned *owned =
        cull_bind(&r->binder, &output_table, node->place, node, NULL);
    if (!owned)
        return;
    r->spec->folder = owned->folder;
    for (size_t i = 0; stores[i]; i++)
        if (strcmp(stores[i], owned->store) == 0)
            r->spec->store = stores[i];
    const cull_node *store = cull_node_get(node, "store");
    if (store && strcmp(r->spec->store, owned->store) != 0)
        cull_problem_add(r->problems, store->place,
                         "output.store: one of f32, bf16, f16, model is expected");
}

static void skip(cull_reader *r, const cull_node *node)
{
    (void)r;
    (void)node;
}

static void read_keep(cull_reader *r, const cull_node *node)
{
    static const char *const words[] = {
        [CULL_KEEP_ALL] = "all", [CULL_KEEP_CUTS] = "cuts", [CULL_KEEP_SCORES] = "scores", NULL
    };

    for (size_t i = 0; node->kind == CULL_SCALAR && words[i]; i++)
        if (strcmp(words[i], node->text) == 0) {
            r->spec->keep = (cull_lasting)i;
            return;
        }
    cull_problem_add(r->problems, node->place, "keep: one of scores, cuts, all is expected");
}

static void read_cache(cull_reader *r, const cull_node *node)
{
    if (node->kind == CULL_SCALAR && !cull_node_is_null(node) && *node->text)
        r->spec->cache = node->text;
    else
        cull_problem_add(r->problems, node->place, "cache is a folder, not %s",
                         cull_node_kind_name(node));
}

// Plugins come first, for the others may be theirs.
static const struct {
    const char *key;
    bool required;
    void (*read)(cull_reader *, const cull_node *);
} sections[] = {
    // clang-format off
    { "base", false, skip }, // read_tree has merged it
    { "plugins", false, read_plugins },
    { "question", false, read_question },
    { "baseline", false, read_baseline },
    { "models", true, read_models },
    { "calibrate", false, read_calibrate },
    { "methods", false, cull_read_methods },
    { "sparsities", false, read_sparsities },
    { "allocations", false, cull_read_allocations },
    { "seeds", false, read_seeds },
    { "metrics", true, read_metrics },
    { "layers", false, read_layers },
    { "precision", false, read_precision },
    { "output", false, read_output },
    { "keep", false, read_keep },
    { "cache", false, read_cache },
    // clang-format on
};
enum { N_SECTIONS = sizeof sections / sizeof *sections };

void cull_read_sections(cull_reader *r, const cull_node *root)
{
    const char *known[N_SECTIONS + 1] = { NULL };

    for (size_t i = 0; i < N_SECTIONS; i++)
        known[i] = sections[i].key;
    for (size_t i = 0; i < root->n; i++)
        cull_unknown_key(r, "an experiment", root->key[i], known);
    for (size_t i = 0; i < N_SECTIONS; i++) {
        const cull_node *value = cull_node_get(root, sections[i].key);
        if (value)
            sections[i].read(r, value);
        else if (sections[i].required)
            cull_problem_add(r->problems, root->place, "the key \"%s\" is missing",
                             sections[i].key);
    }
}
