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
        if (!strcmp(spec->methods[m].name, name))
            return m;
    const char **names = cull_scratch(r->ctx, spec->n_methods + 1, sizeof *names);
    for (size_t m = 0; names && m < spec->n_methods; m++)
        names[m] = spec->methods[m].name;
    const char *near = names ? cull_nearest(name, names) : NULL;
    cull_problem_add(r->problems, place, "%s: there is no method \"%s\"%s%s%s", key, name,
                     near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return SIZE_MAX;
}

static void resolve_methods(cull_reader *r)
{
    cull_spec *spec = r->spec;
    for (size_t i = 0; i < spec->n_allocations; i++) {
        cull_allocation *a = &spec->allocations[i];
        if (a->kind == CULL_ALLOCATE_LIKE)
            a->donor = find_method(r, a->place, "like", a->like);
    }
    if (spec->baseline && strcmp(spec->baseline, "dense") != 0)
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
        cull_read_sections(&r, root);
        resolve_methods(&r);
        fill_defaults(&r);
    }
    return cull_problems_status(problems);
}
