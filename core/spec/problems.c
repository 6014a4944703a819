// What is wrong with an experiment, collected and told in one go.
#include "spec/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cull_problems_init(cull_problems *problems, cull_ctx *ctx)
{
    *problems = (cull_problems){ .ctx = ctx };
}

static const char *keep_text(cull_problems *problems, const char *fmt, va_list args)
{
    char text[CULL_SENTENCE];

    vsnprintf(text, sizeof text, fmt, args);
    return cull_arena_copy(cull_context_of(problems->ctx)->alloc, text, strlen(text));
}

static bool make_room(cull_problems *problems)
{
    if (problems->n < problems->room)
        return true;
    const size_t room = problems->room ? 2 * problems->room : 8;
    cull_problem *at = cull_arena_alloc(cull_context_of(problems->ctx)->alloc, room, sizeof *at);
    if (!at)
        return false;
    if (problems->n > 0)
        memcpy(at, problems->at, problems->n * sizeof *at);
    problems->at = at;
    problems->room = room;
    return true;
}

static bool same_place(const cull_place *a, const cull_place *b)
{
    return a->line == b->line && a->column == b->column && strcmp(a->file, b->file) == 0;
}

// What is written once may be read many times, through an anchor: say it once.
static bool known(const cull_problems *problems, const cull_problem *new)
{
    for (size_t i = 0; i < problems->n; i++)
        if (same_place(&problems->at[i].place, &new->place) &&
            strcmp(problems->at[i].sentence, new->sentence) == 0)
            return true;
    return false;
}

void cull_problem_add(cull_problems *problems, cull_place place, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    const cull_problem new = {
        .place = place,
        .sentence = keep_text(problems, fmt, args),
        .frame = problems->frame,
    };
    va_end(args);
    problems->said++;
    if (problems->n == CULL_PROBLEMS)
        problems->more++;
    else if (!new.sentence || !make_room(problems))
        problems->lost = true;
    else if (!known(problems, &new))
        problems->at[problems->n++] = new;
}

void cull_problems_while(cull_problems *problems, const char *fmt, ...)
{
    problems->frame = NULL;
    if (!fmt)
        return;
    va_list args;
    va_start(args, fmt);
    problems->frame = keep_text(problems, fmt, args);
    va_end(args);
    if (!problems->frame)
        problems->lost = true;
}

bool cull_ends_all(cull_status status)
{
    return status == CULL_ENOMEM || status == CULL_ECANCELED || status == CULL_EPLUGIN;
}

cull_status cull_problem_of(cull_problems *problems, cull_place place, cull_status status)
{
    const cull_error *error = &cull_context_of(problems->ctx)->error;

    if (status == CULL_OK || cull_ends_all(status))
        return status;
    if (error->n_frames > 1)
        cull_problems_while(problems, "%s,\n   while %s", error->frame[0], error->frame[1]);
    else if (error->n_frames > 0)
        cull_problems_while(problems, "%s", error->frame[0]);
    cull_problem_add(problems, place, "%s", error->sentence);
    cull_problems_while(problems, NULL);
    cull_error_clear(problems->ctx);
    return status;
}

cull_status cull_problems_status(const cull_problems *problems)
{
    if (problems->lost)
        return cull_no_memory(problems->ctx);
    if (problems->n == 0)
        return CULL_OK;
    return cull_fail(problems->ctx, CULL_EUSAGE, "%s: %zu problem%s", problems->at[0].place.file,
                     problems->n, problems->n == 1 ? "" : "s");
}

static int by_place(const void *a, const void *b)
{
    const cull_problem *p = *(const cull_problem *const *)a, *q = *(const cull_problem *const *)b;
    const int files = strcmp(p->place.file, q->place.file);

    if (p->place.line > 0 && q->place.line > 0 && files != 0)
        return files;
    if (p->place.line != q->place.line)
        return p->place.line < q->place.line ? -1 : 1;
    if (p->place.column != q->place.column)
        return p->place.column < q->place.column ? -1 : 1;
    return p < q ? -1 : p > q;
}

void cull_problems_print(const cull_problems *problems, cull_buf *out)
{
    const cull_problem **order =
        cull_arena_alloc(cull_context_of(problems->ctx)->alloc, problems->n + 1, sizeof *order);

    if (!order) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < problems->n; i++)
        order[i] = &problems->at[i];
    qsort(order, problems->n, sizeof *order, by_place);
    for (size_t i = 0; i < problems->n; i++) {
        const cull_problem *p = order[i];
        cull_buf_visible(out, p->place.file);
        if (p->place.line > 0)
            cull_buf_printf(out, ":%zu:%zu", p->place.line, p->place.column);
        cull_buf_puts(out, ": error: ");
        cull_buf_visible(out, p->sentence);
        if (p->frame) {
            cull_buf_puts(out, "\n   while ");
            cull_buf_visible(out, p->frame);
        }
        cull_buf_puts(out, "\n");
    }
    if (problems->more > 0)
        cull_buf_printf(out, "… and %zu more\n", problems->more);
}
