// Failures explained in sentences, and the context's memory.
#include "base/context.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *cull_status_name(cull_status status)
{
    switch (status) {
#define CULL_STATUS_NAME(name, value, text)                                                        \
    case CULL_##name:                                                                              \
        return "CULL_" #name;
        CULL_STATUSES(CULL_STATUS_NAME)
#undef CULL_STATUS_NAME
    }
    return "an unknown status";
}

const char *cull_status_text(cull_status status)
{
    switch (status) {
#define CULL_STATUS_TEXT(name, value, text)                                                        \
    case CULL_##name:                                                                              \
        return text;
        CULL_STATUSES(CULL_STATUS_TEXT)
#undef CULL_STATUS_TEXT
    }
    return "an unknown status";
}

bool cull_own_failure(cull_status status)
{
    return status != CULL_OK && status != CULL_ECANCELED && status != CULL_ENOMEM;
}

// ---- failures ----

static void vfail(cull_ctx *ctx, cull_status status, const char *fmt, va_list args)
{
    cull_context *context = cull_context_of(ctx);
    const size_t item = cull_pool_item();

    pthread_mutex_lock(&context->lock);
    cull_error *error = &context->error;
    const bool first = error->status == CULL_OK || !error->sentence[0]; // empty: not said yet
    const bool lower = context->error_item != SIZE_MAX && item < context->error_item;
    if (first || lower) {
        error->status = status == CULL_OK ? CULL_EPLUGIN : status;
        error->n_frames = 0;
        context->error_item = item;
        vsnprintf(error->sentence, sizeof error->sentence, fmt ? fmt : "", args);
    }
    pthread_mutex_unlock(&context->lock);
}

cull_status cull_fail(cull_ctx *ctx, cull_status status, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vfail(ctx, status, fmt, args);
    va_end(args);
    return status;
}

cull_status cull_no_memory(cull_ctx *ctx)
{
    return cull_fail(ctx, CULL_ENOMEM, "%s", cull_status_text(CULL_ENOMEM));
}

cull_status cull_while(cull_ctx *ctx, cull_status status, const char *fmt, ...)
{
    cull_context *context = cull_context_of(ctx);

    if (status == CULL_OK || status == CULL_ECANCELED) // who was asked to stop blames no place
        return status;
    pthread_mutex_lock(&context->lock);
    cull_error *error = &context->error;
    const size_t item = cull_pool_item();
    const bool ours = item == SIZE_MAX || item == context->error_item;
    if (ours && error->n_frames < CULL_FRAMES) {
        va_list args;
        va_start(args, fmt);
        vsnprintf(error->frame[error->n_frames++], CULL_FRAME, fmt, args);
        va_end(args);
    }
    pthread_mutex_unlock(&context->lock);
    return status;
}

void cull_error_clear(cull_ctx *ctx)
{
    cull_context *context = cull_context_of(ctx);

    pthread_mutex_lock(&context->lock);
    context->error.status = CULL_OK;
    context->error.sentence[0] = '\0';
    context->error.n_frames = 0;
    context->error_item = SIZE_MAX;
    pthread_mutex_unlock(&context->lock);
}

void cull_error_copy(cull_ctx *to, const cull_ctx *from)
{
    cull_context *context = cull_context_of(to);

    pthread_mutex_lock(&context->lock);
    if (context->error.status == CULL_OK)
        context->error = ((const cull_context *)from)->error;
    pthread_mutex_unlock(&context->lock);
}

void cull_error_text(const cull_error *error, char *buf, size_t size)
{
    size_t n = 0;

    if (!size)
        return;
    buf[0] = '\0';
    for (size_t i = 0; i <= error->n_frames && n < size; i++) {
        const char *lead = i ? "\n   while " : "";
        const char *text = i                    ? error->frame[i - 1]
                           : error->sentence[0] ? error->sentence
                                                : cull_status_text(error->status);
        const int wrote = snprintf(buf + n, size - n, "%s%s", lead, text);
        n += wrote > 0 ? (size_t)wrote : 0;
    }
}

// ---- memory ----

void *cull_take(cull_ctx *ctx, size_t n, size_t size)
{
    void *p = cull_arena_alloc(cull_context_of(ctx)->alloc, n, size);

    if (!p)
        cull_no_memory(ctx);
    return p;
}

void *cull_scratch(cull_ctx *ctx, size_t n, size_t size)
{
    void *p = cull_arena_alloc(cull_context_of(ctx)->scratch, n, size);

    if (!p)
        cull_no_memory(ctx);
    return p;
}
