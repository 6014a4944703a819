// cull run EXPERIMENT.yaml [-o DIR]: compute what is missing of an experiment.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/experiment.h"
#include "plan/cost.h"
#include "record/folder.h"
#include "study/run.h"

static const double plugin_seconds = 3600;

typedef struct request {
    const char *file, *folder;
    double seconds; // --plugin-time
    cull_only only;
} request;

enum { PLUGIN_TIME = 0x200 };

static const struct argp_option options[] = {
    { "output", 'o', "DIR", 0, "the folder of the results (default: results/<name>)", 0 },
    CULL_ONLY_OPTION,
    { "plugin-time", PLUGIN_TIME, "SECONDS", 0,
      "how long one call of a criterion or strategy may take (default: 3600)", 0 },
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    request *r = state->input;
    char *end;
    switch (key) {
    case 'o':
        r->folder = arg;
        return 0;
    case CULL_ONLY:
        return cull_only_parse(arg, &r->only);
    case PLUGIN_TIME:
        r->seconds = strtod(arg, &end);
        if (end == arg || *end || !(r->seconds > 0))
            argp_error(state, "--plugin-time: \"%s\" is not a number of seconds", arg);
        return 0;
    case ARGP_KEY_ARG:
        if (r->file)
            argp_error(state, "\"%s\" is one argument too many", arg);
        r->file = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "an experiment is needed: cull run EXPERIMENT.yaml");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const char *folder_of(cull_ctx *ctx, const request *r, const cull_spec *spec)
{
    if (r->folder)
        return r->folder;
    if (spec->folder)
        return spec->folder;
    const char *folder = cull_arena_printf(cull_context_of(ctx)->alloc, "results/%s", spec->name);
    if (!folder)
        cull_no_memory(ctx);
    return folder;
}

// Everything of the log also goes, as JSON lines, into the folder of the results.
static cull_status open_log(cull_ctx *ctx, const char *folder)
{
    CULL_TRY(cull_make_folder(ctx, folder));
    const char *path = cull_arena_printf(cull_context_of(ctx)->alloc, "%s/log.jsonl", folder);
    if (!path)
        return cull_no_memory(ctx);
    if (!cull_log_file(cull_context_of(ctx)->log, path))
        return cull_fail(ctx, CULL_EIO, "%s: the log cannot be written", path);
    return CULL_OK;
}

static cull_status run(cull_cli *cli, const request *r, cull_experiment *e, size_t argc,
                       const char *const *argv, cull_tally *tally)
{
    cull_ctx *ctx = &cli->context.ctx;
    cull_spec_source source;
    CULL_TRY(cull_experiment_source(ctx, &cli->options, r->file, &source));
    CULL_TRY(cull_experiment_open(ctx, cli->registry, &source, 0, e));
    CULL_TRY(cull_experiment_only(ctx, &r->only, e));
    CULL_TRY(cull_check_memory(ctx, &e->plan, &e->inputs, cli->options.memory));
    const char *folder = folder_of(ctx, r, &e->spec);
    const cull_flow_options options_of = {
        .engine = { .precision = e->inputs.precision,
                    .memory = cli->options.memory,
                    .spill = folder },
        .plugin_seconds = r->seconds,
        .folder = folder,
        .argc = argc,
        .argv = argv,
    };
    if (!folder)
        return CULL_ENOMEM;
    CULL_TRY(open_log(ctx, folder));
    for (size_t m = 0; m < e->inputs.n;
         m++) // said when the models were opened, but not in the file
        cull_prepared_model_warn(&e->inputs.at[m]);
    for (size_t i = 0; i < e->plan.n_notes; i++)
        cull_log_line(cli->log, CULL_INFO, "%s", e->plan.note[i]);
    for (size_t i = 0; i < e->plan.n_warnings; i++)
        cull_log_line(cli->log, CULL_WARN, "%s", e->plan.warning[i]);
    const cull_status status =
        cull_run_trials(ctx, cli->registry, &e->plan, &e->inputs, &options_of, tally);
    cull_log_line(cli->log, CULL_INFO,
                  "%zu trials: %zu were there, %zu done, %zu failed, %zu left; results in %s",
                  e->plan.n_cells, tally->there, tally->done, tally->failed,
                  e->plan.n_cells - tally->there - tally->done - tally->failed, options_of.folder);
    if (tally->equivalents > 0)
        cull_log_line(cli->log, CULL_INFO, "%.1f forward equivalents were computed",
                      tally->equivalents);
    return status;
}

int cull_cmd_run(cull_cli *cli, int argc, char **argv)
{
    static const cull_usage usage = {
        "EXPERIMENT.yaml",
        "Compute what is missing of an experiment: cuts, evaluations, one file per trial. What is "
        "there already is not computed again.",
        options, parse, CULL_TAKES_EXPERIMENT | CULL_TAKES_MEMORY | CULL_TAKES_RESULTS
    };
    request r = { .seconds = plugin_seconds };
    cull_experiment e = { 0 };
    cull_tally tally = { 0 };
    cull_cli_parse(cli, &usage, &r, argc, argv);
    const cull_status begun = cull_cli_begin(cli);
    if (begun != CULL_OK)
        return cull_cli_failed(cli, begun);
    const cull_status status = run(cli, &r, &e, (size_t)argc, (const char *const *)argv, &tally);
    cull_experiment_close(&e);
    cull_only_release(&r.only);
    if (status != CULL_OK)
        return cull_experiment_failed(cli, &e, status);
    return tally.failed ? CULL_EXIT_SOME_FAILED : CULL_EXIT_DONE;
}
