// Texts, and notes of what a model leaves out.
#include <stdarg.h>
#include <stdio.h>

#include "model.h"

enum { MOST_NOTES = 64 };

char *hf_text(cull_ctx *ctx, const char *fmt, ...)
{
    va_list args, again;

    va_start(args, fmt);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = n < 0 ? NULL : ctx->host->alloc(ctx, (size_t)n + 1, 1);
    if (text)
        (void)vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    return text;
}

void hf_note(cull_ctx *ctx, cull_model *m, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (!m->note)
        m->note = ctx->host->alloc(ctx, MOST_NOTES, sizeof *m->note);
    if (m->note && m->n_notes < MOST_NOTES && (m->note[m->n_notes] = hf_text(ctx, "%s", text)))
        m->n_notes++;
}
