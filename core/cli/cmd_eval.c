// cull eval MODEL --tasks …: evaluate one checkpoint without an experiment file.
//
// It is an experiment of one model and no method, so that its results are trials like all others:
// what is there is not computed again, and `cull compare` takes the folder.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/commands.h"
#include "cli/eval_show.h"
#include "cli/eval_text.h"
#include "cli/experiment.h"
#include "plan/cost/cost.h"
#include "record/trial_file.h"
#include "study/run.h"

typedef struct request {
    cull_eval_wanted wanted;
    const char *folder;
    cull_lm_output out;
} request;

enum { TASKS = 0x200, DATA, SHOTS, SHOT_SEED, LIMIT, PROTOCOL, BOS, LENGTH, METRIC };

static const struct argp_option options[] = {
    { "tasks", TASKS, "LIST", 0,
      "names of published tasks (cull describe metric tasks), task files of your own (NAME.yaml) "
      "and request files, by commas",
      0 },
    { "data", DATA, "PATH", 0,
      "folder of the published tasks' datasets: NAME.jsonl, NAME.train.jsonl", 0 },
    { "shots", SHOTS, "N", 0, "examples in front of each question (default: the task's own)", 0 },
    { "shot-seed", SHOT_SEED, "N", 0, "seed that draws them (default: 1234)", 0 },
    { "limit", LIMIT, "N", 0, "documents of each task (default: all)", 0 },
    { "protocol", PROTOCOL, "WORD", 0, "lm-eval-0.4.13 (default), lm-eval-0.4.7 or lm-eval-0.4.0",
      0 },
    { "bos", BOS, "WORD", 0, "protocol (default), add or none", 0 },
    { "length", LENGTH, "N", 0, "longest input (default: the model's positions)", 0 },
    { "metric", METRIC, "YAML", CULL_MAY_REPEAT,
      "one more metric, as in an experiment: \"perplexity: {files: a.txt, seqlen: 256}\"", 0 },
    { "output", 'o', "DIR", 0, "the folder of the results (default: results/eval-NAME)", 0 },
    CULL_LM_OPTIONS,
    { 0 },
};

// What only the metric of --tasks has a use for.
static void check_together(struct argp_state *state, const cull_eval_wanted *w)
{
    const struct {
        const char *name, *value;
    } of_tasks[] = {
        { "data", w->data },        { "shots", w->shots }, { "shot-seed", w->shot_seed },
        { "limit", w->limit },      { "bos", w->bos },     { "length", w->length },
        { "protocol", w->protocol }
    };
    for (size_t i = 0; !w->tasks && i < sizeof of_tasks / sizeof *of_tasks; i++)
        if (of_tasks[i].value)
            argp_error(state, "--%s has no effect without --tasks", of_tasks[i].name);
}

static const cull_sets sets[] = {
    CULL_SET_TEXT(ARGP_KEY_ARG, request, wanted.model),
    CULL_SET_TEXT(TASKS, request, wanted.tasks),
    CULL_SET_TEXT(DATA, request, wanted.data),
    CULL_SET_TEXT(SHOTS, request, wanted.shots),
    CULL_SET_TEXT(SHOT_SEED, request, wanted.shot_seed),
    CULL_SET_TEXT(LIMIT, request, wanted.limit),
    CULL_SET_TEXT(PROTOCOL, request, wanted.protocol),
    CULL_SET_TEXT(BOS, request, wanted.bos),
    CULL_SET_TEXT(LENGTH, request, wanted.length),
    CULL_SET_TEXT('o', request, folder),
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    request *r = state->input;
    cull_eval_wanted *w = &r->wanted;

    switch (key) {
    case METRIC:
        return cull_cli_append(&w->metrics, &w->n_metrics, arg);
    case ARGP_KEY_END:
        if (!w->model || (!w->tasks && w->n_metrics == 0))
            argp_error(state, "a model and tasks are needed: cull eval MODEL --tasks LIST");
        check_together(state, w);
        return 0;
    default:
        return cull_lm_parse(key, arg, state, &r->out);
    }
}

static cull_status compute(cull_cli *cli, const cull_eval_wanted *wanted, const char *text,
                           const char *folder, cull_experiment *e, size_t argc,
                           const char *const *argv, cull_tally *tally)
{
    cull_ctx *ctx = &cli->context.ctx;
    cull_spec_source source;

    CULL_TRY(cull_experiment_source(ctx, &cli->options, "eval", &source));
    source.text = text;
    CULL_TRY(cull_eval_cite(ctx, wanted, &source));
    const cull_opening how = { .folder = folder, .memory = cli->options.memory };
    CULL_TRY(cull_experiment_open(ctx, cli->registry, &source, &how, e));
    CULL_TRY(cull_check_memory(ctx, &e->plan, &e->inputs, 1, cli->options.memory));
    const cull_flow_options flow = { .engine = { .precision = e->inputs.precision,
                                                 .memory = cli->options.memory,
                                                 .spill = folder },
                                     .folder = folder,
                                     .shared = folder,
                                     .argc = argc,
                                     .argv = argv };
    return cull_run_trials(ctx, cli->registry, &e->plan, &e->inputs, &flow, tally);
}

// A folder that is named after the model's alone may hold another model of that name.
static cull_status warn_of_others(cull_ctx *ctx, const char *folder, const cull_experiment *e)
{
    cull_stored_trials stored;
    size_t others = 0;

    CULL_TRY(cull_find_stored_trials(ctx, folder, &stored));
    for (size_t i = 0; i < stored.n; i++)
        others += strcmp(stored.at[i].id, e->plan.cell[0].id.hex) != 0;
    if (others)
        ctx->host->log(ctx, CULL_WARN,
                       "%s also holds %zu trial%s of another model of this name, or of another "
                       "precision, and cull compare takes the last one: -o names a folder apart",
                       folder, others, others == 1 ? "" : "s");
    return CULL_OK;
}

static cull_status evaluate(cull_cli *cli, const request *r, cull_experiment *e, size_t argc,
                            const char *const *argv, cull_tally *tally)
{
    cull_ctx *ctx = &cli->context.ctx;
    const char *text, *name;

    CULL_TRY(cull_eval_text(ctx, &r->wanted, &text, &name));
    const char *folder =
        r->folder ? r->folder
                  : cull_arena_printf(cull_context_of(ctx)->alloc, "results/eval-%s", name);
    if (!folder)
        return cull_no_memory(ctx);
    CULL_TRY(compute(cli, &r->wanted, text, folder, e, argc, argv, tally));
    if (!r->folder)
        CULL_TRY(warn_of_others(ctx, folder, e));
    return tally->failed ? CULL_OK : cull_eval_show(cli, folder, e, &r->out);
}

int cull_cmd_eval(cull_cli *cli, int argc, char **argv)
{
    static const cull_usage usage = {
        .arguments = "MODEL",
        .doc = "Evaluate a checkpoint on published tasks, request files or any metric, and show "
               "the table that lm-evaluation-harness shows. What is in the folder of the results "
               "is not computed again.",
        .options = options,
        .parse = parse,
        .takes = CULL_TAKES_EXPERIMENT | CULL_TAKES_MEMORY | CULL_TAKES_RESULTS,
        .sets = sets,
    };
    request r = { 0 };
    cull_experiment e = { 0 };
    cull_tally tally = { 0 };

    cull_cli_parse(cli, &usage, &r, argc, argv);
    const cull_status begun = cull_cli_begin(cli);
    if (begun != CULL_OK)
        return cull_cli_failed(cli, begun);
    const cull_status status =
        evaluate(cli, &r, &e, (size_t)argc, (const char *const *)argv, &tally);
    cull_experiment_close(&e);
    cull_free(r.wanted.metrics);
    if (status != CULL_OK)
        return cull_experiment_failed(cli, &e, status);
    return tally.failed ? CULL_EXIT_SOME_FAILED : CULL_EXIT_DONE;
}
