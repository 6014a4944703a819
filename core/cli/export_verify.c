// export --verify: what was written is asked what the trial was asked.
#include "cli/export_verify.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ask_again.h"
#include "cli/folders.h"
#include "flow/evaluate.h"
#include "plan/cost/cost.h"

static const double close_enough = 1e-4; // of a value
static const uint32_t beside_dense = CULL_WANT_KL | CULL_WANT_TOP1 | CULL_WANT_OVERLAP;

typedef struct verifying {
    cull_cli *cli;
    const cull_frame *frame;
    const cull_row **first; // (n) a row of each evaluation
    size_t n, values;       // values: compared
    double worst;
} verifying;

static cull_status list_evaluations(verifying *v)
{
    const cull_frame *f = v->frame;

    v->first = cull_take(&v->cli->context.ctx, f->n_rows + 1, sizeof *v->first);
    for (size_t r = 0; v->first && r < f->n_rows; r++) {
        bool known = false;
        for (size_t i = 0; i < v->n && !known; i++)
            known = strcmp(v->first[i]->evaluation, f->row[r].evaluation) == 0;
        if (!known)
            v->first[v->n++] = &f->row[r];
    }
    return v->first ? CULL_OK : CULL_ENOMEM;
}

static const cull_value *value_of(const cull_collector *found, const cull_row *row)
{
    for (size_t i = 0; i < found->n_values; i++) {
        const cull_value *value = &found->values[i];
        if (strcmp(value->task, row->task) == 0 && strcmp(value->metric, row->metric) == 0 &&
            strcmp(value->filter, row->filter) == 0)
            return value;
    }
    return NULL;
}

// The values of one evaluation beside those that were recorded.
static cull_status compare(verifying *v, const cull_row *evaluation, const cull_collector *found)
{
    for (size_t r = 0; r < v->frame->n_rows; r++) {
        const cull_row *row = &v->frame->row[r];
        const cull_value *value = value_of(found, row);
        if (strcmp(row->evaluation, evaluation->evaluation) != 0 || !value)
            continue;
        const double difference = fabs(value->value - row->value),
                     share = difference > 0 ? difference / fabs(row->value) : 0;
        if (!(share <= close_enough))
            return cull_fail(&v->cli->context.ctx, CULL_ENUMERIC,
                             "it is written, but it is not what was recorded: %s of %s is %.7g, "
                             "where the trial has %.7g",
                             row->metric, row->task, value->value, row->value);
        v->worst = share > v->worst ? share : v->worst;
        v->values++;
    }
    return CULL_OK;
}

static bool is_beside_dense(const cull_requests *requests)
{
    return requests->n > 0 && (requests->at[0].wants & beside_dense);
}

// Those of the metrics that a checkpoint can be asked by itself: their places in `metric`.
static size_t choose(verifying *v, const cull_experiment *e, size_t *metric)
{
    size_t n = 0;

    for (size_t i = 0; i < v->n; i++)
        if (is_beside_dense(&e->inputs.at[0].asked[i].requests))
            cull_log_line(v->cli->log, CULL_INFO,
                          "%s compares with the dense model: it is not verified",
                          v->first[i]->plugin);
        else
            metric[n++] = i;
    return n;
}

static cull_status evaluate(verifying *v, const cull_experiment *e)
{
    cull_ctx *ctx = &v->cli->context.ctx;
    cull_engine_options engine = { .memory = v->cli->options.memory };
    size_t *metric = cull_take(ctx, v->n + 1, sizeof *metric);
    const cull_cut *dense = NULL;
    cull_evaluated found = { 0 };
    cull_cost_seen cost = { 0 };

    if (!metric)
        return CULL_ENOMEM;
    (void)cull_precision_of(v->frame->trial[0].precision, &engine.precision);
    const cull_evaluate_job job = { .prepared = &e->inputs.at[0],
                                    .n_variants = 1,
                                    .cuts = &dense,
                                    .n = choose(v, e, metric),
                                    .metric = metric,
                                    .spec = &e->spec,
                                    .engine = &engine };
    cull_status status = job.n ? cull_evaluate(ctx, &job, &found, &cost) : CULL_OK;
    if (status == CULL_OK && found.status != CULL_OK)
        status = cull_fail(ctx, found.status, "%s", found.error.sentence);
    for (size_t i = 0; status == CULL_OK && i < job.n; i++)
        status = compare(v, v->first[metric[i]], &found.found[i]);
    if (job.n)
        cull_evaluated_release(job.n, &found);
    return status;
}

// What the trial was asked, asked of the model in `folder`; close it in any case.
static cull_status ask(verifying *v, const char *folder, cull_experiment *e)
{
    char path[PATH_MAX]; // settings are relative to the trial's file

    if (!realpath(folder, path))
        return cull_fail(&v->cli->context.ctx, CULL_EIO, "%s: no such folder", folder);
    return cull_ask_again(v->cli, v->frame, 0, path, v->n, v->first, e);
}

static cull_status verify(verifying *v, const char *folder)
{
    cull_experiment e = { 0 };

    cull_cli_aside(v->cli);
    cull_status status = ask(v, folder, &e);
    if (status == CULL_OK)
        status =
            cull_check_memory(&v->cli->context.ctx, &e.plan, &e.inputs, 1, v->cli->options.memory);
    if (status == CULL_OK)
        status = evaluate(v, &e);
    cull_cli_results(v->cli);
    cull_experiment_close(&e);
    return status;
}

// n: 0 where nothing was measured.
static cull_status begin(cull_cli *cli, const char *trial, cull_frame *frame, verifying *out)
{
    const cull_folders one = { .n = 1, .at = &trial };

    *out = (verifying){ .cli = cli, .frame = frame };
    CULL_TRY(cull_folders_load(&cli->context.ctx, &one, frame));
    return frame->n_trials == 1 ? list_evaluations(out) : CULL_OK;
}

cull_status cull_verify_metrics(cull_cli *cli, const char *trial, const char *folder)
{
    cull_ctx *ctx = &cli->context.ctx;
    cull_frame frame;
    verifying v;

    CULL_TRY(begin(cli, trial, &frame, &v));
    if (v.n == 0)
        return CULL_OK;
    CULL_TRY(cull_while(ctx, verify(&v, folder), "verifying %s", folder));
    cull_log_line(cli->log, CULL_INFO,
                  "verified: %zu values of %zu metrics differ by %.2g of the record at most",
                  v.values, v.n, v.worst);
    return CULL_OK;
}

// ---- whether there is memory for it ----

// Of two things that are done one after the other.
static cull_status larger_need(cull_ctx *ctx, const cull_memory_need *need, uint64_t memory,
                               double *bytes)
{
    const cull_memory_need *const *two = need->arg;
    double other;

    CULL_TRY(two[0]->bytes(ctx, two[0], memory, bytes));
    CULL_TRY(two[1]->bytes(ctx, two[1], memory, &other));
    *bytes = fmax(*bytes, other);
    return CULL_OK;
}

cull_status cull_verify_fits(cull_cli *cli, const char *trial, const char *folder,
                             const cull_memory_need *writing)
{
    cull_ctx *ctx = &cli->context.ctx;
    const uint64_t memory = cli->options.memory;
    cull_frame frame;
    verifying v;
    cull_experiment e = { 0 };

    if (memory == 0)
        return CULL_OK;
    CULL_TRY(begin(cli, trial, &frame, &v));
    if (v.n == 0)
        return cull_memory_suffices(ctx, folder, writing, memory);
    cull_cli_aside(cli);
    cull_status status = ask(&v, folder, &e);
    if (status == CULL_OK) {
        const cull_planned_model planned = { &e.plan, &e.inputs, 0 };
        const cull_memory_need measuring = cull_need_of_model(&planned);
        const cull_memory_need *const two[] = { writing, &measuring };
        const cull_memory_need both = { .bytes = larger_need, .arg = two };
        status = cull_memory_suffices(ctx, folder, &both, memory);
    }
    cull_cli_results(cli);
    cull_experiment_close(&e);
    return status;
}
