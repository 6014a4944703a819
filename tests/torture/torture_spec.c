// An experiment is read: every allocation fails once. (libyaml's own are not counted.)
#include "plugin/host.h"
#include "spec/spec.h"
#include "torture/torture.h"

static cull_registry *registry;

static cull_status read_spec(cull_ctx *ctx)
{
    static const char *const overrides[] = { "seeds=[4, 5]" };
    const cull_spec_source source = { .file = CULL_SOURCE_DIR "/experiments/quickstart.yaml",
                                      .n_overrides = 1,
                                      .overrides = overrides };
    cull_problems problems;
    cull_spec spec;

    cull_problems_init(&problems, ctx);
    return cull_spec_read(ctx, &source, registry, &problems, &spec);
}

int main(void)
{
    static const torture all[] = { { "read an experiment", read_spec, false } };
    cull_context context;
    size_t bad = 0;

    if (cull_context_init(&context, NULL, NULL) != CULL_OK)
        return 1;
    registry = cull_registry_new(&context.ctx);
    const int failed = !registry ||
                       cull_registry_load_all(&context.ctx, registry, &bad) != CULL_OK || bad ||
                       torture_run(1, all);
    cull_registry_free(registry);
    cull_context_release(&context);
    return failed;
}
