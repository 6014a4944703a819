// Any bytes as an experiment, its first line also as an override: read, or refused with a sentence.
#include <string.h>

#include "fuzz/fuzz.h"
#include "plugin/host.h"
#include "spec/spec.h"

// Plugins are loaded once: that is slow, and the same for every input.
static cull_registry *registry(void)
{
    static cull_context context;
    static cull_registry *shared;

    if (!shared && cull_context_init(&context, NULL, NULL) == CULL_OK)
        shared = cull_registry_new(&context.ctx);
    return shared;
}

static void read_spec(cull_ctx *ctx, const char *text, size_t n)
{
    const char *first = cull_arena_copy(cull_context_of(ctx)->alloc, text, strcspn(text, "\n"));
    const cull_spec_source source = { .file = CULL_SOURCE_DIR "/tests/fuzz/input.yaml",
                                      .text = text,
                                      .n_overrides = n % 2, // with and without
                                      .overrides = &first };
    cull_problems problems;
    cull_spec spec;
    cull_buf out = CULL_BUF_INIT;

    if (!first || !registry())
        return;
    cull_problems_init(&problems, ctx);
    const cull_status status = cull_spec_read(ctx, &source, registry(), &problems, &spec);
    cull_problems_print(&problems, &out);
    if (status != CULL_OK && !out.n && !cull_context_of(ctx)->error.sentence[0])
        __builtin_trap(); // refused without a reason
    cull_buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    cull_context context;

    if (cull_context_init(&context, NULL, NULL) == CULL_OK) {
        const char *text = cull_arena_copy(context.alloc, bytes, n);
        if (text)
            read_spec(&context.ctx, text, n);
    }
    cull_context_release(&context);
    return 0;
}
