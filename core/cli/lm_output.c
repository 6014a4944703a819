// The options under which results leave in lm-eval's forms.
#include "cli/lm_output.h"

#include <string.h>

#include "cli/ask_again.h"
#include "record/h5/h5.h"
#include "report/lm_eval/lm_eval.h"
#include "report/lm_eval/lm_samples.h"

error_t cull_lm_parse(int key, char *arg, struct argp_state *state, cull_lm_output *out)
{
    switch (key) {
    case CULL_LM_JSON:
        out->json = arg;
        return 0;
    case CULL_LM_SAMPLES:
        out->samples = true;
        return 0;
    case CULL_LM_CACHE:
        out->cache = arg;
        return 0;
    case ARGP_KEY_SUCCESS:
        if (out->samples && !out->json)
            argp_error(state,
                       "--log-samples stand beside a results JSON: give --lm-eval FILE.json");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

// ---- the metrics that were asked, prepared again ----

static bool keeps_documents(const cull_cli *cli, const cull_row *row)
{
    const cull_plugin *plugin = cull_registry_find(cli->registry, CULL_METRIC, row->plugin);

    return plugin && ((const cull_metric *)plugin->vtable)->document;
}

static bool same_evaluation(const cull_row *a, const cull_row *b)
{
    return strcmp(a->evaluation, b->evaluation) == 0;
}

// The trial's evaluations whose documents can be asked for, by their first rows; *n of them.
static const cull_row **evaluations(cull_cli *cli, const cull_frame *f, size_t trial, size_t *n)
{
    const cull_row **first = cull_take(&cli->context.ctx, f->n_rows + 1, sizeof *first);

    *n = 0;
    for (size_t r = 0; first && r < f->n_rows; r++) {
        const cull_row *row = &f->row[r];
        bool known = row->trial != trial || !keeps_documents(cli, row);
        for (size_t i = 0; i < *n && !known; i++)
            known = same_evaluation(first[i], row);
        if (!known)
            first[(*n)++] = row;
    }
    return first;
}

// Where the trial's model was opened.
static cull_status source_of(cull_ctx *ctx, const char *path, const char **source)
{
    cull_h5_in *file;

    *source = "";
    CULL_TRY(cull_h5_open(ctx, path, &file));
    const cull_status status = cull_h5_get_text(file, "/model", "source", source);
    return cull_h5_done(file, status);
}

// ---- their tasks ----

// "dir/results_NAME.json" or "dir/NAME.json" → "dir/samples_TASK_NAME.jsonl"
static const char *samples_path(cull_cli *cli, const char *json, const char *task)
{
    const char *slash = strrchr(json, '/'), *name = slash ? slash + 1 : json;
    const int folder = (int)(name - json);

    name += strncmp(name, "results_", 8) == 0 ? 8 : 0;
    size_t n = strlen(name);
    if (n > 5 && strcmp(name + n - 5, ".json") == 0)
        n -= 5;
    return cull_arena_printf(cli->context.alloc, "%.*ssamples_%s_%.*s.jsonl", folder, json, task,
                             (int)n, name);
}

// Is the row the first one of a task that has documents of its own?
static bool leads(const cull_frame *f, size_t row)
{
    const cull_row *own = &f->row[row];

    for (size_t r = 0; r < row; r++)
        if (f->row[r].trial == own->trial && strcmp(f->row[r].task, own->task) == 0 &&
            same_evaluation(&f->row[r], own))
            return false;
    return own->items.a && !own->group_of_tasks;
}

static cull_status write_tasks(cull_cli *cli, const cull_lm_task *of, const cull_row *evaluation,
                               const cull_lm_output *out, cull_lm_cache *cache, size_t *answers)
{
    cull_ctx *ctx = &cli->context.ctx;
    cull_lm_task task = *of;

    for (size_t r = 0; r < of->frame->n_rows; r++) {
        task.row = &of->frame->row[r];
        if (task.row->trial != evaluation->trial || !same_evaluation(task.row, evaluation) ||
            !leads(of->frame, r))
            continue;
        if (out->samples) {
            const char *path = samples_path(cli, out->json, task.row->task);
            if (!path)
                return cull_no_memory(ctx);
            CULL_TRY(cull_lm_samples(ctx, &task, path));
        }
        if (cache)
            CULL_TRY(cull_lm_cache_add(ctx, cache, &task, answers));
    }
    return CULL_OK;
}

static cull_status write_answers(cull_cli *cli, const cull_frame *frame, cull_experiment *e,
                                 size_t n, const cull_row *const *first, const cull_lm_output *out)
{
    cull_ctx *ctx = &cli->context.ctx;
    cull_lm_cache *cache = NULL;
    size_t answers = 0;
    cull_status status = out->cache ? cull_lm_cache_open(ctx, out->cache, &cache) : CULL_OK;

    for (size_t i = 0; status == CULL_OK && i < n; i++) {
        cull_prepared_model *prepared = &e->inputs.at[0];
        const cull_lm_task task = { .ctx = &prepared->context.ctx,
                                    .plugin = e->spec.metrics[i].plugin,
                                    .requests = &prepared->asked[i].requests,
                                    .frame = frame };
        status = write_tasks(cli, &task, first[i], out, cache, &answers);
    }
    if (status == CULL_OK && cache)
        status = cull_lm_cache_commit(ctx, cache);
    cull_lm_cache_close(cache);
    if (status == CULL_OK && out->cache)
        ctx->host->log(ctx, CULL_INFO, "%zu documents in %s_rank0.db", answers, out->cache);
    return status;
}

// lm-eval's forms know a task once.
static cull_status check_once(cull_ctx *ctx, const cull_frame *f, size_t trial)
{
    for (size_t i = 0; i < f->n_rows; i++)
        for (size_t j = 0; j < i; j++) {
            const cull_row *a = &f->row[j], *b = &f->row[i];
            if (a->trial != trial || b->trial != trial || !cull_same_column(a, b))
                continue;
            return cull_fail(ctx, CULL_EUSAGE,
                             "%s: task \"%s\" was evaluated in two ways; choose one: --where "
                             "evaluation=%.16s, or %.16s",
                             f->trial[trial].path, a->task, a->evaluation, b->evaluation);
        }
    return CULL_OK;
}

cull_status cull_lm_write(cull_cli *cli, const cull_frame *frame, size_t trial,
                          const cull_lm_output *out)
{
    cull_ctx *ctx = &cli->context.ctx;
    cull_experiment e = { 0 };
    const char *source;
    size_t n;

    if (out->json || out->cache)
        CULL_TRY(check_once(ctx, frame, trial));
    if (out->json) {
        CULL_TRY(source_of(ctx, frame->trial[trial].path, &source));
        CULL_TRY(cull_lm_eval_results(ctx, frame, trial, source, out->json));
    }
    if (!out->samples && !out->cache)
        return CULL_OK;
    const cull_row **first = evaluations(cli, frame, trial, &n);
    if (!first)
        return CULL_ENOMEM;
    if (n == 0)
        return cull_fail(ctx, CULL_EUSAGE, "%s: none of its metrics has documents to log",
                         frame->trial[trial].path);
    cull_cli_aside(cli);
    CULL_TRY(source_of(ctx, frame->trial[trial].path, &source));
    cull_status status = cull_ask_again(cli, frame, trial, source, n, first, &e);
    cull_cli_results(cli);
    if (status == CULL_OK)
        status = write_answers(cli, frame, &e, n, first, out);
    cull_experiment_close(&e);
    return status;
}
