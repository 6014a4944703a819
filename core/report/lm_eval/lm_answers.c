// The answers of a trial as lm-eval would have got them.
#include "report/lm_eval/lm_answers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/call.h"
#include "record/h5/h5.h"

// A column of the task's group, NULL where there is none; its shape in *shape.
static cull_status column(cull_ctx *ctx, cull_h5_in *file, const char *group, const char *name,
                          char type, cull_h5_shape *shape, const void **out)
{
    const char *path = cull_arena_printf(cull_context_of(ctx)->alloc, "%s/%s", group, name);

    *out = NULL;
    if (!path)
        return cull_no_memory(ctx);
    return cull_h5_has(file, path) ? cull_h5_get(file, path, type, shape, out) : CULL_OK;
}

static cull_status load(cull_ctx *ctx, cull_h5_in *file, const cull_lm_task *task,
                        cull_lm_answers *a)
{
    const void *data[7];
    cull_h5_shape shape[7] = { { 0 } };
    static const char *const names[] = { "loglik", "greedy",    "words",      "bytes",
                                         "text",   "extracted", "prompt_hash" };

    for (size_t i = 0; i < 7; i++)
        CULL_TRY(column(ctx, file, task->row->group, names[i], "dbiisss"[i], &shape[i], &data[i]));
    *a = (cull_lm_answers){ .n = task->row->n,
                            .n_choices = shape[0].rank == 2 ? shape[0].shape[1] : 1,
                            .n_filters = shape[5].rank == 2 ? shape[5].shape[1] : 0,
                            .loglik = data[0],
                            .greedy = data[1],
                            .words = data[2],
                            .bytes = data[3],
                            .text = data[4],
                            .extracted = data[5],
                            .prompt_hash = data[6] };
    for (size_t i = 0; i < 7; i++)
        if (data[i] && shape[i].shape[0] != a->n)
            return cull_fail(ctx, CULL_EFORMAT, "%s: %s/%s has %zu documents, not %zu",
                             task->row->file, task->row->group, names[i], shape[i].shape[0], a->n);
    return a->prompt_hash && (a->loglik || a->text)
               ? CULL_OK
               : cull_fail(ctx, CULL_EFORMAT, "%s: %s does not hold what was answered",
                           task->row->file, task->row->group);
}

cull_status cull_lm_answers_load(cull_ctx *ctx, const cull_lm_task *task, cull_lm_answers *out)
{
    cull_h5_in *file;

    CULL_TRY(cull_h5_open(ctx, task->row->file, &file));
    const cull_status status = load(ctx, file, task, out);
    return cull_h5_done(file, status);
}

cull_status cull_lm_document(cull_ctx *ctx, const cull_lm_task *task, const cull_lm_answers *of,
                             size_t i, cull_document *out)
{
    const cull_metric *metric = task->plugin->vtable;

    *out = (cull_document){ .size = sizeof *out };
    const cull_status status =
        CULL_CALL(task->ctx, task->plugin, SIZE_MAX, document,
                  metric->document(task->ctx, task->requests, task->row->task, i, out));
    if (status != CULL_OK) {
        cull_error_copy(ctx, task->ctx);
        return status;
    }
    const bool pairs = strcmp(out->method, "loglikelihood") == 0;
    if (!strstr(out->json, of->prompt_hash[i]) || (pairs && out->n > of->n_choices) ||
        (pairs ? !of->greedy : !of->text && !of->words))
        return cull_fail(ctx, CULL_EFORMAT,
                         "document %zu of task %s is another one than %s was asked; have its files "
                         "changed?",
                         i, task->row->task, task->row->file);
    return CULL_OK;
}

void cull_lm_float(double x, char out[CULL_LM_FLOAT])
{
    char text[CULL_LM_FLOAT];
    int digits = 6;

    do
        snprintf(text, sizeof text, "%.*g", digits, x);
    while (strtod(text, NULL) != x && ++digits <= 17);
    // "-12" Python would read as an int.
    memcpy(out, text, sizeof text);
    if (!strpbrk(text, ".en"))
        strcat(out, ".0");
}
