// Any bytes as a config.json, or after a first byte '#' as a model.safetensors.index.json, beside
// weights that are sound: the checkpoint is opened and runs two tokens, or is refused with a
// sentence.
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "fuzz/fuzz.h"
#include "plugin/host.h"
#include "support/naive_engine.h"

#define GOLDEN CULL_SOURCE_DIR "/tests/golden/architectures/"

extern const cull_module cull_module_v1;

static const char *const words[] = {
    "olmoe",  "qwen2_moe", "qwen3_moe",    "deepseek_v2", "deepseek_v3", "phimoe",
    "arctic", "gpt_oss",   "ernie4_5_moe", "minimax_m2",  "granitemoe",  "glm4_moe",
};

typedef struct input {
    cull_host host; // the core's, but for what it reads
    const cull_host *core;
    const char *file;  // the name that stands for the bytes
    const char *bytes; // (n), ended by a NUL
    size_t n;
} input;

// The weights that go with a config: those of the first architecture it names.
static const char *folder_for(const char *text, char buf[256])
{
    const char *best = "mixtral";

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(text, words[i]))
            best = words[i];
    if (strstr(text, "\"fp8\""))
        best = "deepseek_v3-fp8";
    if (strstr(text, "\"mxfp4\""))
        best = "gpt_oss-mxfp4";
    (void)strcpy(buf, GOLDEN);
    return strcat(buf, best);
}

static cull_status read_input(cull_ctx *ctx, const char *path, const char **bytes, size_t *n)
{
    const cull_context *context = cull_context_of(ctx);
    const input *in = context->data;

    if (!strstr(path, in->file))
        return in->core->read_file(ctx, path, bytes, n);
    *bytes = in->bytes;
    *n = in->n;
    return CULL_OK;
}

static void open_and_run(cull_ctx *ctx, const char *folder)
{
    const cull_backend *hf = cull_module_v1.plugins[0]->vtable;

    const struct {
        const char *path;
    } settings = { folder };
    const int32_t ids[] = { 5, 3 };
    cull_model *model = NULL;
    naive_forward f;

    const cull_status status = hf->open(ctx, &settings, CULL_OPEN_WEIGHTS, &model);
    if (status != CULL_OK) {
        if (cull_context_of(ctx)->error.status != status)
            abort(); // refused without a sentence
        return;
    }
    (void)naive_run(ctx, hf, model, 2, ids, NULL, &f);
    naive_free(&f);
    hf->close(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const bool index = n > 0 && bytes[0] == '#';
    char *text = calloc(n + 1, 1), folder[256];
    cull_context context;

    if (!text || cull_context_init(&context, NULL, NULL) != CULL_OK) {
        free(text);
        return 0;
    }
    memcpy(text, bytes + index, n - index);
    input in = { .host = *context.ctx.host,
                 .core = context.ctx.host,
                 .file = index ? "index.json" : "config.json",
                 .bytes = text,
                 .n = n - index };
    in.host.read_file = read_input;
    context.ctx.host = &in.host;
    context.data = &in;
    open_and_run(&context.ctx, index ? GOLDEN "qwen3_moe" : folder_for(text, folder));
    cull_context_release(&context);
    free(text);
    return 0;
}
