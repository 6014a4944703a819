#include "spec/spec.h"

#include <math.h>
#include <string.h>

#include "base/read_file.h"
#include "plugin/settings.h"
#include "spec/reader.h"

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
        if (!strcmp(known[i], key->text))
            return;
    const char *near = cull_nearest(key->text, known);
    if (near)
        cull_problem_add(r->problems, key->place, "%s has no key \"%s\"; did you mean \"%s\"?",
                         what, key->text, near);
    else
        cull_problem_add(r->problems, key->place, "%s has no key \"%s\"", what, key->text);
}

// ---- plugins and their settings ----

static const cull_plugin *find_plugin(cull_reader *r, cull_kind kind, const cull_node *word)
{
    const cull_plugin *plugin = cull_registry_find(r->registry, kind, word->text);
    if (plugin)
        return plugin;
    const char *trouble = cull_registry_trouble(r->registry);
    if (trouble) {
        cull_problem_add(r->problems, word->place, "%s", trouble);
        return NULL;
    }
    const char *near = cull_registry_nearest(r->registry, kind, word->text);
    if (near)
        cull_problem_add(r->problems, word->place, "there is no %s \"%s\"; did you mean \"%s\"?",
                         cull_kind_name(kind), word->text, near);
    else
        cull_problem_add(r->problems, word->place, "there is no %s \"%s\" (cull list %s)",
                         cull_kind_name(kind), word->text, cull_kind_name(kind));
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

// ---- the top-level keys ----

static void read_question(cull_reader *r, const cull_node *node)
{
    if (node->kind == CULL_SCALAR)
        r->spec->question = node->text;
    else
        cull_problem_add(r->problems, node->place, "question is a text, not %s",
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
        cull_problems_while(r->problems, "reading model \"%s\"", model->name);
        cull_read_use(r, CULL_BACKEND, node->item[i], NULL, &model->backend, NULL);
    }
    cull_problems_while(r->problems, NULL);
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

static void read_calibrate(cull_reader *r, const cull_node *node)
{
    const cull_node *settings;
    struct calibrate_owned owned = { 0 };
    bool given[1] = { false };
    if (!cull_read_use(r, CULL_DATA, node, &calibrate_table, &r->spec->calibrate, &settings))
        return;
    if (cull_bind_owned(&r->binder, &calibrate_table, r->spec->calibrate.plugin->name, settings,
                        &owned, given))
        r->spec->dense_rows = owned.dense_rows;
}

struct number {
    double real;
    int64_t integer;
};

static const cull_param sparsity_param =
    CULL_P_REAL(struct number, real, 0, 0.0, 1.0, "the fraction that goes");
static const cull_param seed_param =
    CULL_P_INT(struct number, integer, 0, 0, CULL_ANY_HI, "drives sampling and chance");

// One number of a list that may not hold it twice.
static bool read_number(cull_reader *r, const char *who, const cull_param *param,
                        const cull_node *node, struct number *out)
{
    *out = (struct number){ 0 };
    return cull_bind_value(&r->binder, who, param, node, out);
}

static void read_sparsities(cull_reader *r, const cull_node *node)
{
    cull_spec *spec = r->spec;
    cull_elements list;
    cull_elements_of(node, &list);
    spec->sparsities = cull_take(r->ctx, list.n + 1, sizeof *spec->sparsities);
    for (size_t i = 0; spec->sparsities && i < list.n; i++) {
        struct number s;
        if (!read_number(r, "sparsities", &sparsity_param, list.at[i], &s))
            continue;
        if (s.real >= 1)
            cull_problem_add(r->problems, list.at[i]->place,
                             "sparsities: 1 would leave nothing of the experts");
        for (size_t j = 0; j < spec->n_sparsities; j++)
            if (spec->sparsities[j].value == s.real)
                cull_problem_add(r->problems, list.at[i]->place, "sparsities: %s is here twice",
                                 list.at[i]->text);
        spec->sparsities[spec->n_sparsities++] = (cull_sparsity){ list.at[i]->place, s.real };
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

static void read_allocation(cull_reader *r, const cull_node *node, cull_allocation *out)
{
    static const char *const words[] = { "layer", "global", NULL };
    *out = (cull_allocation){ .place = node->place };
    if (node->kind == CULL_MAP && node->n == 1 && !strcmp(node->key[0]->text, "like") &&
        node->item[0]->kind == CULL_SCALAR) {
        out->kind = CULL_ALLOCATE_LIKE;
        out->place = node->item[0]->place;
        out->like = node->item[0]->text;
        out->label =
            cull_arena_printf(cull_context_of(r->ctx)->alloc, "like:%s", node->item[0]->text);
        if (!out->label)
            r->problems->lost = true;
        return;
    }
    for (size_t i = 0; node->kind == CULL_SCALAR && words[i]; i++)
        if (!strcmp(node->text, words[i])) {
            out->kind = (enum cull_allocation_kind)i;
            out->label = words[i];
            return;
        }
    const char *near = node->kind == CULL_SCALAR ? cull_nearest(node->text, words) : NULL;
    cull_problem_add(r->problems, node->place,
                     "an allocation is layer, global, or { like: METHOD }%s%s%s",
                     near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static void read_allocations(cull_reader *r, const cull_node *node)
{
    cull_spec *spec = r->spec;
    cull_elements list;
    cull_elements_of(node, &list);
    spec->allocations = cull_take(r->ctx, list.n + 1, sizeof *spec->allocations);
    for (size_t i = 0; spec->allocations && i < list.n; i++)
        read_allocation(r, list.at[i], &spec->allocations[spec->n_allocations++]);
    if (list.n == 0)
        cull_problem_add(r->problems, node->place, "allocations: the list is empty");
}

static void read_metrics(cull_reader *r, const cull_node *node)
{
    cull_spec *spec = r->spec;
    cull_elements list;
    cull_elements_of(node, &list);
    spec->metrics = cull_take(r->ctx, list.n + 1, sizeof *spec->metrics);
    for (size_t i = 0; spec->metrics && i < list.n; i++) {
        cull_problems_while(r->problems, "reading metric %zu", i + 1);
        cull_read_use(r, CULL_METRIC, list.at[i], NULL, &spec->metrics[spec->n_metrics++], NULL);
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

static void read_layers(cull_reader *r, const cull_node *node)
{
    const struct layers_owned *owned =
        cull_bind(&r->binder, &layers_table, node->place, node, NULL);
    if (!owned)
        return;
    r->spec->layers_place = node->place;
    r->spec->only = owned->only;
    r->spec->except = owned->except;
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
        const char *base = file->place.line > 0 ? r->binder.base : NULL;
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
        if (!strcmp(words[i], node->text))
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
        if (!strcmp(stores[i], owned->store))
            r->spec->store = stores[i];
    const cull_node *store = cull_node_get(node, "store");
    if (store && strcmp(r->spec->store, owned->store))
        cull_problem_add(r->problems, store->place,
                         "output.store: one of f32, bf16, f16, model is expected");
}

// Plugins come first, for the others may be theirs.
static const struct {
    const char *key;
    bool required;
    void (*read)(cull_reader *, const cull_node *);
} sections[] = {
    { "plugins", false, read_plugins },
    { "question", false, read_question },
    { "models", true, read_models },
    { "calibrate", false, read_calibrate },
    { "methods", false, cull_read_methods },
    { "sparsities", false, read_sparsities },
    { "allocations", false, read_allocations },
    { "seeds", false, read_seeds },
    { "metrics", true, read_metrics },
    { "layers", false, read_layers },
    { "precision", false, read_precision },
    { "output", false, read_output },
};
enum { N_SECTIONS = sizeof sections / sizeof *sections };

static void read_sections(cull_reader *r, const cull_node *root)
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

// ---- what holds between the keys ----

static void resolve_donors(cull_reader *r)
{
    cull_spec *spec = r->spec;
    for (size_t i = 0; i < spec->n_allocations; i++) {
        cull_allocation *a = &spec->allocations[i];
        if (a->kind != CULL_ALLOCATE_LIKE)
            continue;
        a->donor = SIZE_MAX;
        for (size_t m = 0; m < spec->n_methods; m++)
            if (!strcmp(spec->methods[m].name, a->like))
                a->donor = m;
        if (a->donor != SIZE_MAX)
            continue;
        const char **names = cull_scratch(r->ctx, spec->n_methods + 1, sizeof *names);
        for (size_t m = 0; names && m < spec->n_methods; m++)
            names[m] = spec->methods[m].name;
        const char *near = names ? cull_nearest(a->like, names) : NULL;
        cull_problem_add(r->problems, a->place, "like: there is no method \"%s\"%s%s%s", a->like,
                         near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
}

static void fill_defaults(cull_reader *r)
{
    static const cull_allocation by_layer = { .kind = CULL_ALLOCATE_LAYER, .label = "layer" };
    static const cull_seed first = { .value = 1 };
    cull_spec *spec = r->spec;
    if (spec->n_allocations == 0) {
        spec->allocations = cull_take(r->ctx, 1, sizeof by_layer);
        if (spec->allocations)
            spec->allocations[spec->n_allocations++] = by_layer;
    }
    if (spec->n_seeds == 0) {
        spec->seeds = cull_take(r->ctx, 1, sizeof first);
        if (spec->seeds)
            spec->seeds[spec->n_seeds++] = first;
    }
    if (!spec->precision)
        spec->precision = "auto";
    if (!spec->seeds || !spec->allocations)
        r->problems->lost = true;
}

// "results/stun" for experiments/stun.yaml; the folder of the file for its paths.
static bool name_parts(cull_reader *r, const char *file)
{
    cull_arena *arena = cull_context_of(r->ctx)->alloc;
    const char *slash = strrchr(file, '/');
    const char *own = slash ? slash + 1 : file;
    const char *dot = strrchr(own, '.');
    r->binder.base = slash ? cull_arena_copy(arena, file, (size_t)(slash - file) + 1) : ".";
    r->spec->name =
        cull_arena_copy(arena, own, dot && dot > own ? (size_t)(dot - own) : strlen(own));
    r->spec->file = file;
    return r->binder.base && r->spec->name;
}

static cull_node *read_tree(cull_reader *r)
{
    const cull_spec_source *source = r->source;
    cull_node *root = cull_tree_parse(r->problems, source->file, r->spec->text, r->spec->text_size);
    if (root && root->kind != CULL_MAP) {
        cull_problem_add(r->problems, root->place, "an experiment is a map of keys, not %s",
                         cull_node_kind_name(root));
        return NULL;
    }
    for (size_t i = 0; root && i < source->n_overrides; i++) {
        cull_node *next = cull_tree_set(r->problems, root, source->overrides[i]);
        root = next ? next : root;
    }
    return root;
}

cull_status cull_spec_read(cull_ctx *ctx, const cull_spec_source *source, cull_registry *registry,
                           cull_problems *problems, cull_spec *out)
{
    *out = (cull_spec){ .question = "", .store = "f32" };
    cull_reader r = {
        .ctx = ctx, .problems = problems, .registry = registry, .source = source, .spec = out
    };
    r.binder.problems = problems;
    if (source->text) {
        out->text = source->text;
        out->text_size = strlen(source->text);
    } else
        CULL_TRY(cull_read_file(ctx, source->file, &out->text, &out->text_size));
    if (!name_parts(&r, source->file))
        return cull_no_memory(ctx);
    const cull_node *root = read_tree(&r);
    if (root) {
        read_sections(&r, root);
        resolve_donors(&r);
        fill_defaults(&r);
    }
    return cull_problems_status(problems);
}
