// Samples in the form of lm-eval's samples files.
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/new_file.h"
#include "base/text.h"
#include "report/lm_eval/lm_answers.h"

// "-0.5" of a log-likelihood, ["-0.5", "False"] of a pair's.
static json_t *response(const cull_lm_answers *a, size_t i, size_t c)
{
    char text[CULL_LM_FLOAT];

    if (a->text)
        return json_string(a->text[i]);
    cull_lm_float(a->loglik[i * a->n_choices + c], text);
    if (!a->greedy)
        return json_string(text);
    return json_pack("[s, s]", text, a->greedy[i * a->n_choices + c] ? "True" : "False");
}

static json_t *outcome(const cull_lm_answers *a, const cull_row *row, size_t i)
{
    const int64_t *per = strcmp(row->metric, "word_perplexity") == 0 ? a->words : a->bytes;

    if (per)
        return json_pack("[f, I]", a->loglik[i], (json_int_t)per[i]);
    return json_real(row->law == CULL_LAW_MEAN ? row->items.a[i] : a->loglik[i * a->n_choices]);
}

// Does the row tell of what the task was asked?
static bool tells_of(const cull_row *row, const cull_lm_task *task)
{
    return row->trial == task->row->trial && strcmp(row->task, task->row->task) == 0 &&
           strcmp(row->evaluation, task->row->evaluation) == 0;
}

// What the metrics make of the document, under their names.
static void put_outcomes(const cull_lm_task *task, const cull_lm_answers *a, const char *filter,
                         size_t i, json_t *sample)
{
    json_t *names = json_array();

    json_object_set_new(sample, "metrics", names);
    for (size_t r = 0; r < task->frame->n_rows; r++) {
        const cull_row *row = &task->frame->row[r];
        if (!tells_of(row, task) || strcmp(row->filter, filter) != 0)
            continue;
        json_array_append_new(names, json_string(row->metric));
        json_object_set_new(sample, row->metric, outcome(a, row, i));
    }
}

static cull_status put_sample(cull_ctx *ctx, const cull_lm_task *task, const cull_lm_answers *a,
                              const char *filter, size_t f, size_t i, cull_buf *out)
{
    cull_document d;
    json_t *sample;

    CULL_TRY(cull_lm_document(ctx, task, a, i, &d));
    CULL_TRY(cull_json_stored(ctx, d.json, &sample));
    json_t *given = json_array(), *filtered = json_array();
    for (size_t c = 0; c < d.n; c++) {
        json_array_append_new(given, json_pack("[o]", response(a, i, c)));
        json_array_append_new(filtered, a->extracted
                                            ? json_string(a->extracted[i * a->n_filters + f])
                                            : response(a, i, c));
    }
    json_object_set_new(sample, "resps", given);
    json_object_set_new(sample, "filtered_resps", filtered);
    json_object_set_new(sample, "filter", json_string(filter));
    json_object_set_new(sample, "evaluator", json_string("cull " CULL_VERSION));
    put_outcomes(task, a, filter, i, sample);
    cull_json_put(out, sample, 0);
    cull_buf_puts(out, "\n");
    json_decref(sample);
    return out->failed || cull_json_memory_lacked() ? cull_no_memory(ctx) : CULL_OK;
}

// The task's filters, in the order of the axis `filter`: those of its rows of one metric.
static const char *filter_of(const cull_lm_task *task, size_t f)
{
    for (size_t r = 0; r < task->frame->n_rows; r++) {
        const cull_row *row = &task->frame->row[r];
        if (tells_of(row, task) && strcmp(row->metric, task->row->metric) == 0 && f-- == 0)
            return row->filter;
    }
    return NULL;
}

static cull_status put_all(cull_ctx *ctx, const cull_lm_task *task, cull_buf *out)
{
    cull_lm_answers a;
    const char *filter;

    CULL_TRY(cull_lm_answers_load(ctx, task, &a));
    for (size_t f = 0; (filter = filter_of(task, f)) != NULL; f++)
        for (size_t i = 0; i < a.n; i++) {
            cull_arena *passing = cull_context_of(task->ctx)->alloc;
            const cull_mark mark = cull_arena_mark(passing);
            CULL_TRY(put_sample(ctx, task, &a, filter, f, i, out));
            cull_arena_rewind(passing, mark);
        }
    return CULL_OK;
}

cull_status cull_lm_samples(cull_ctx *ctx, const cull_lm_task *task, const char *path)
{
    cull_buf out = CULL_BUF_INIT;
    cull_status status = put_all(ctx, task, &out);

    if (status == CULL_OK)
        status = cull_write_file(ctx, path, out.s ? out.s : "", out.n);
    cull_buf_release(&out);
    return status;
}
