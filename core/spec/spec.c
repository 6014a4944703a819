// An experiment file as a struct: sections read, names resolved, defaults filled.
#include "spec/spec.h"

#include <string.h>

#include "base/read_file.h"
#include "spec/reader.h"

// ---- what holds between the keys ----

// The index of a method, or a problem that names the key and the nearest method.
static size_t find_method(cull_reader *r, cull_place place, const char *key, const char *name)
{
    const cull_spec *spec = r->spec;

    for (size_t m = 0; m < spec->n_methods; m++)
        if (strcmp(spec->methods[m].name, name) == 0)
            return m;
    const char **names = cull_scratch(r->ctx, spec->n_methods + 1, sizeof *names);
    for (size_t m = 0; names && m < spec->n_methods; m++)
        names[m] = spec->methods[m].name;
    const char *near = names ? cull_nearest(name, names) : NULL;
    cull_problem_add(r->problems, place, "%s: there is no method \"%s\"%s%s%s", key, name,
                     near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return SIZE_MAX;
}

static const char *allocation_name(const cull_spec *spec, size_t i)
{
    return spec->allocations[i].label;
}

static const char *calibration_name(const cull_spec *spec, size_t i)
{
    return spec->calibrations[i].name;
}

static const char *layers_name(const cull_spec *spec, size_t i)
{
    return spec->layers[i].name;
}

// baseline: allocation=layer, calibration=wiki, layers=late. A value that there is not is a
// problem.
static bool is_value_of_axis(cull_reader *r)
{
    const cull_spec *spec = r->spec;

    const struct {
        const char *word;
        size_t n;
        const char *(*name)(const cull_spec *, size_t);
    } axes[] = { { "allocation=", spec->n_allocations, allocation_name },
                 { "calibration=", spec->n_calibrations, calibration_name },
                 { "layers=", spec->n_layers, layers_name } };
    for (size_t a = 0; a < sizeof axes / sizeof *axes; a++) {
        const size_t length = strlen(axes[a].word);
        if (strncmp(spec->baseline, axes[a].word, length) != 0)
            continue;
        for (size_t i = 0; i < axes[a].n; i++) {
            const char *name = axes[a].name(spec, i);
            if (name && strcmp(name, spec->baseline + length) == 0)
                return true;
        }
        cull_problem_add(r->problems, spec->baseline_place, "baseline: there is no %.*s \"%s\"",
                         (int)length - 1, axes[a].word, spec->baseline + length);
        return true;
    }
    return false;
}

static void resolve_methods(cull_reader *r)
{
    cull_spec *spec = r->spec;

    for (size_t i = 0; i < spec->n_allocations; i++) {
        cull_allocation *a = &spec->allocations[i];
        if (a->kind == CULL_ALLOCATE_LIKE)
            a->donor = find_method(r, a->place, "like", a->like);
    }
    if (spec->baseline && strcmp(spec->baseline, "dense") != 0 && !is_value_of_axis(r))
        (void)find_method(r, spec->baseline_place, "baseline", spec->baseline);
}

static void fill_defaults(cull_reader *r)
{
    static const cull_allocation by_layer = { .kind = CULL_ALLOCATE_LAYER, .label = "layer" };
    static const cull_seed first = { .value = 1 };
    static const cull_layers_spec all = { 0 };
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
    if (spec->n_layers == 0) {
        spec->layers = cull_take(r->ctx, 1, sizeof all);
        if (spec->layers)
            spec->layers[spec->n_layers++] = all;
    }
    if (!spec->precision)
        spec->precision = "f32";
    if (!spec->seeds || !spec->allocations || !spec->layers)
        r->problems->lost = true;
}

// "results/stun" for experiments/stun.yaml.
static bool name_parts(cull_reader *r, const char *file)
{
    cull_arena *arena = cull_context_of(r->ctx)->alloc;
    const char *slash = strrchr(file, '/');
    const char *own = slash ? slash + 1 : file;
    const char *dot = strrchr(own, '.');

    r->spec->name =
        cull_arena_copy(arena, own, dot && dot > own ? (size_t)(dot - own) : strlen(own));
    r->spec->file = file;
    return r->spec->name;
}

static cull_node *parse_map(cull_reader *r, const char *file, const char *text, size_t n)
{
    cull_node *root = cull_tree_parse(r->problems, file, text, n);

    if (!root || root->kind == CULL_MAP)
        return root;
    cull_problem_add(r->problems, root->place, "an experiment is a map of keys, not %s",
                     cull_node_kind_name(root));
    return NULL;
}

// A line that was made stands for what the user wrote.
static void cite(cull_node *node, const cull_spec_source *source)
{
    const size_t line = node->place.line;

    if (line == 0 || line > source->n_written) // or met before, through an anchor
        return;
    node->place = (cull_place){ source->written[line - 1], 0, 0 };
    for (size_t i = 0; i < node->n; i++) {
        if (node->key)
            cite(node->key[i], source);
        cite(node->item[i], source);
    }
}

// What is recorded as the experiment holds its base, too.
static void note_base(cull_reader *r, const char *path, const char *text)
{
    const char *both = cull_arena_printf(cull_context_of(r->ctx)->alloc, "%s\n--- # base: %s\n%s",
                                         r->spec->text, path, text);

    r->problems->lost = r->problems->lost || !both;
    if (!both)
        return;
    r->spec->text = both;
    r->spec->text_size = strlen(both);
}

// The experiment on what its base says; the experiment itself where there were problems.
static cull_node *on_base(cull_reader *r, cull_node *own)
{
    const cull_node *node = cull_node_get(own, "base");
    const char *text;
    size_t n;

    if (!node)
        return own;
    if (node->kind != CULL_SCALAR || cull_node_is_null(node)) {
        cull_problem_add(r->problems, node->place, "base is the file of an experiment, not %s",
                         cull_node_kind_name(node));
        return own;
    }
    const char *folder = cull_base_of(&r->binder, node);
    const bool plain = !folder || strcmp(folder, ".") == 0 || *node->text == '/';
    const char *path =
        cull_arena_printf(cull_context_of(r->ctx)->alloc, "%s%s", plain ? "" : folder, node->text);
    if (!path || cull_read_file(r->ctx, path, &text, &n) != CULL_OK) {
        cull_problem_add(r->problems, node->place, "base: %s",
                         cull_context_of(r->ctx)->error.sentence);
        cull_error_clear(r->ctx);
        return own;
    }
    const cull_node *base = parse_map(r, path, text, n);
    if (base && cull_node_get(base, "base")) {
        cull_problem_add(r->problems, cull_node_key(base, "base")->place,
                         "a base has no base of its own");
        return own;
    }
    cull_node *merged = base ? cull_tree_merge(r->problems, base, own) : NULL;
    note_base(r, path, text);
    return merged ? merged : own;
}

static cull_node *read_tree(cull_reader *r)
{
    const cull_spec_source *source = r->source;
    cull_node *root = parse_map(r, source->file, r->spec->text, r->spec->text_size);

    root = root ? on_base(r, root) : NULL;
    if (root)
        cite(root, source);
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
        cull_read_sections(&r, root);
        cull_join_fitness(&r);
        resolve_methods(&r);
        fill_defaults(&r);
    }
    return cull_problems_status(problems);
}
