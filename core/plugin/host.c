// The host's services: what a plugin reaches through ctx->host.
#include "plugin/host.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cull/abi.h>
#include <cull/ext/safetensors.h>

#include "base/read_file.h"
#include "base/rng.h"
#include "base/safetensors.h"
#include "cut/cut.h"
#include "math/service.h"

static cull_rng *host_rng(cull_ctx *ctx, const char *stream)
{
    const cull_context *context = cull_context_of(ctx);
    cull_rng *rng = cull_scratch(ctx, 1, sizeof *rng);

    if (rng)
        cull_rng_init(rng, context->seed, context->owner, stream);
    return rng;
}

static void host_uniform(cull_rng *rng, double *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = cull_rng_uniform(rng);
}

static void host_log(cull_ctx *ctx, cull_level level, const char *fmt, ...)
{
    const cull_context *context = cull_context_of(ctx);
    char text[CULL_SENTENCE];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (context->owner)
        cull_log_line(context->log, level, "%s: %s", context->owner, text);
    else
        cull_log_line(context->log, level, "%s", text);
}

// The core's own phases have the bar; a plugin's progress is shown where there is none.
static bool host_progress(cull_ctx *ctx, double done, double total)
{
    cull_context *context = cull_context_of(ctx);

    if (!context->in_progress && !cull_progress_on(context->log)) {
        cull_progress_begin(context->log, context->owner ? context->owner : "plugin", "steps",
                            total);
        context->in_progress = true;
    }
    if (context->in_progress) {
        cull_progress_tell(context->log, done);
        if (done >= total) {
            cull_progress_end(context->log);
            context->in_progress = false;
        }
    }
    return !(context->stop && context->stop());
}

typedef struct plain_fn {
    cull_status (*fn)(void *arg, size_t i);
    void *arg;
} plain_fn;

static cull_status call_plain(void *arg, size_t i, size_t worker)
{
    const plain_fn *plain = arg;

    (void)worker;
    return plain->fn(plain->arg, i);
}

static cull_status host_parallel(cull_ctx *ctx, size_t n, cull_status (*fn)(void *arg, size_t i),
                                 void *arg)
{
    plain_fn plain = { fn, arg };

    return cull_pool_run(cull_context_of(ctx)->pool, n, call_plain, &plain);
}

static void *host_overlay(cull_ctx *ctx, struct cull_cut *cut, cull_matrix_id where, uint32_t kind,
                          size_t rows, size_t cols)
{
    return cull_cut_overlay(ctx, cut, where, kind, rows, cols);
}

static const void *host_extension(cull_ctx *ctx, const char *id)
{
    const cull_context *context = cull_context_of(ctx);

    if (strcmp(id, CULL_EXT_SAFETENSORS) == 0)
        return &cull_safetensors_service;
    if (strcmp(id, CULL_EXT_MATH) == 0)
        return &cull_math_service;
    return context->extension ? context->extension(ctx, id) : NULL;
}

static cull_scratch_mark host_mark(cull_ctx *ctx)
{
    const cull_mark mark = cull_arena_mark(cull_context_of(ctx)->scratch);

    return (cull_scratch_mark){ { mark.chunk, mark.used } };
}

static void host_rewind(cull_ctx *ctx, cull_scratch_mark mark)
{
    cull_arena_rewind(cull_context_of(ctx)->scratch, (cull_mark){ mark.at[0], mark.at[1] });
}

static const cull_host services = {
    .size = sizeof services,
    .abi = CULL_ABI,
    .alloc = cull_take,
    .scratch = cull_scratch,
    .rng = host_rng,
    .uniform = host_uniform,
    .below = cull_rng_below,
    .log = host_log,
    .fail = cull_fail,
    .progress = host_progress,
    .parallel = host_parallel,
    .read_file = cull_read_file,
    .overlay = host_overlay,
    .extension = host_extension,
    .mark = host_mark,
    .rewind = host_rewind,
};

cull_status cull_context_init(cull_context *context, cull_pool *pool, cull_log *log)
{
    *context = (cull_context){
        .ctx = { .size = sizeof(cull_ctx), .host = &services },
        .alloc = cull_arena_new(),
        .scratch = cull_arena_new(),
        .pool = pool,
        .log = log,
        .error_item = SIZE_MAX,
    };
    context->ctx.core = context;
    pthread_mutex_init(&context->lock, NULL);
    return context->alloc && context->scratch ? CULL_OK : cull_no_memory(&context->ctx);
}

void cull_context_release(cull_context *context)
{
    if (!context->ctx.host)
        return;
    cull_arena_free(context->alloc);
    cull_arena_free(context->scratch);
    pthread_mutex_destroy(&context->lock);
    *context = (cull_context){ 0 };
}
