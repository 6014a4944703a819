// cull run EXPERIMENT.yaml [-o DIR]: compute what is missing of an experiment.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/experiment.h"
#include "cli/model.h"
#include "cli/ranks.h"
#include "flow/ranks/alike.h"
#include "flow/ranks/serve.h"
#include "plan/cost/cost.h"
#include "record/folder/folder.h"
#include "study/run.h"

static const double plugin_seconds = 3600, rank_seconds = 60;

typedef struct request {
    const char *file, *folder;
    double seconds; // --plugin-time
    cull_only only;
    cull_ranks_options ranks;
    bool mixed;
} request;

enum { PLUGIN_TIME = 0x200, RANKS, MIXED, RANK_TIMEOUT };

static const struct argp_option options[] = {
    { "output", 'o', "DIR", 0, "the folder of the results (default: results/<name>)", 0 },
    CULL_ONLY_OPTION,
    { "plugin-time", PLUGIN_TIME, "SECONDS", 0,
      "how long one call of a criterion or strategy may take (default: 3600)", 0 },
    { "ranks", RANKS, "WORD", 0,
      "auto (default: as mpirun or srun started it), mpi, or none: on its own", 0 },
    { "mixed", MIXED, NULL, 0,
      "ranks may have unlike processors; results may then differ in last bits", 0 },
    { "rank-timeout", RANK_TIMEOUT, "SECONDS", 0,
      "give up a rank that shows no sign of life for so long (default: 60)", 0 },
    { 0 },
};

static double parse_seconds(struct argp_state *state, const char *option, const char *text)
{
    char *end;
    const double seconds = strtod(text, &end);

    if (end == text || *end || !(seconds > 0))
        argp_error(state, "--%s: \"%s\" is not a number of seconds", option, text);
    return seconds;
}

static const cull_sets sets[] = {
    CULL_SET_TEXT(ARGP_KEY_ARG, request, file),
    CULL_SET_TEXT('o', request, folder),
    CULL_SET_FLAG(MIXED, request, mixed),
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    request *r = state->input;

    switch (key) {
    case CULL_ONLY:
        return cull_only_parse(arg, &r->only);
    case PLUGIN_TIME:
        r->seconds = parse_seconds(state, "plugin-time", arg);
        return 0;
    case RANKS:
        if (!cull_parse_ranks(arg, &r->ranks.wish))
            argp_error(state, "--ranks: \"%s\" is none of auto, mpi, none", arg);
        return 0;
    case RANK_TIMEOUT:
        r->ranks.patience = parse_seconds(state, "rank-timeout", arg);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "an experiment is needed: cull run EXPERIMENT.yaml");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
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

static cull_status open_experiment(cull_cli *cli, const request *r, cull_experiment *e)
{
    cull_ctx *ctx = &cli->context.ctx;
    cull_spec_source source;

    CULL_TRY(cull_experiment_source(ctx, &cli->options, r->file, &source));
    const size_t ranks = cull_ranks_here(cli->ranks);
    const cull_opening how = { .folder = r->folder, .memory = cli->options.memory / ranks };
    CULL_TRY(cull_experiment_open(ctx, cli->registry, &source, &how, e));
    CULL_TRY(cull_experiment_only(ctx, &r->only, e));
    return cull_check_memory(ctx, &e->plan, &e->inputs, ranks, cli->options.memory);
}

static void say_what_is_known(cull_cli *cli, const cull_experiment *e)
{
    // said when the models were opened, but not in the file
    for (size_t m = 0; m < e->inputs.n; m++)
        cull_prepared_model_warn(&e->inputs.at[m]);
    (void)cull_log_collect(cli->log);
    for (size_t i = 0; i < e->plan.n_notes; i++)
        cull_log_line(cli->log, CULL_INFO, "%s", e->plan.note[i]);
    for (size_t i = 0; i < e->plan.n_warnings; i++)
        cull_log_line(cli->log, CULL_WARN, "%s", e->plan.warning[i]);
}

static void say_what_ranks_spent(const cull_cli *cli)
{
    const cull_ranks_time spent = cull_ranks_spent(cli->ranks);

    if (cli->ranks)
        cull_log_line(cli->log, CULL_DEBUG,
                      "%zu ranks met %zu times: rank 0 waited %.2f s for others, and was handed or "
                      "handed over %.1f MB in %.2f s",
                      cull_ranks_size(cli->ranks), spent.meetings, spent.waiting,
                      1e-6 * (double)spent.bytes, spent.moving);
}

static cull_status run_trials(cull_cli *cli, cull_experiment *e, const cull_flow_options *how,
                              cull_tally *tally)
{
    cull_ctx *ctx = &cli->context.ctx;

    CULL_TRY(open_log(ctx, how->folder));
    say_what_is_known(cli, e);
    const cull_status status =
        cull_run_trials(ctx, cli->registry, &e->plan, &e->inputs, how, tally);
    char of_others[48] = "";
    if (tally->of_others > 0)
        snprintf(of_others, sizeof of_others, "%zu by other runs, ", tally->of_others);
    cull_log_line(cli->log, CULL_INFO,
                  "%zu trials: %zu were there, %zu done, %s%zu failed, %zu left; results in %s",
                  e->plan.n_cells, tally->there, tally->done, of_others, tally->failed,
                  e->plan.n_cells - tally->there - tally->done - tally->of_others - tally->failed,
                  how->folder);
    if (tally->equivalents > 0)
        cull_log_line(cli->log, CULL_INFO, "%.1f forward equivalents were computed",
                      tally->equivalents);
    say_what_ranks_spent(cli);
    cull_log_tell(cli->log);
    return status;
}

// Files of hidden states and cuts of a rank: on its own host, not where all of them would write.
static const char *spill_folder(const cull_cli *cli, const char *results)
{
    return cli->ranks ? cull_temporary_folder() : results;
}

static cull_status run(cull_cli *cli, const request *r, cull_experiment *e, size_t argc,
                       const char *const *argv, cull_tally *tally)
{
    cull_ctx *ctx = &cli->context.ctx;

    CULL_TRY(cull_ranks_agree(ctx, open_experiment(cli, r, e)));
    CULL_TRY(cull_ranks_alike(ctx, &e->plan, &e->inputs, r->mixed));
    const char *folder = cull_experiment_folder(ctx, &e->spec, r->folder);
    CULL_TRY(cull_ranks_agree(ctx, folder ? CULL_OK : CULL_ENOMEM));
    const cull_flow_options options_of = {
        .engine = { .precision = e->inputs.precision,
                    .memory = cli->options.memory,
                    .neighbours = cull_ranks_here(cli->ranks),
                    .spill = spill_folder(cli, folder) },
        .plugin_seconds = r->seconds,
        .folder = folder,
        .shared = cull_experiment_cache(&e->spec, folder),
        .argc = argc,
        .argv = argv,
    };
    if (cull_ranks_rank(cli->ranks) > 0)
        return cull_serve(ctx, &e->plan, &e->inputs, &options_of.engine);
    return cull_serve_no_more(ctx, run_trials(cli, e, &options_of, tally));
}

// As one rank, or alone; what is begun is ended by the caller.
static int run_ranks(cull_cli *cli, const request *r, int argc, char **argv)
{
    cull_experiment e = { 0 };
    cull_tally tally = { 0 };

    cull_status status = cull_cli_begin(cli);
    if (status == CULL_OK)
        status = run(cli, r, &e, (size_t)argc, (const char *const *)argv, &tally);
    else
        status = cull_ranks_agree(&cli->context.ctx, status);
    cull_experiment_close(&e);
    if (status != CULL_OK)
        return cull_experiment_failed(cli, &e, status);
    return tally.failed ? CULL_EXIT_SOME_FAILED : CULL_EXIT_DONE;
}

int cull_cmd_run(cull_cli *cli, int argc, char **argv)
{
    static const cull_usage usage = {
        .arguments = "EXPERIMENT.yaml",
        .doc = "Compute what is missing of an experiment: cuts, evaluations, one file per trial. "
               "What is there already is not computed again.",
        .options = options,
        .parse = parse,
        .takes = CULL_TAKES_EXPERIMENT | CULL_TAKES_MEMORY | CULL_TAKES_RESULTS,
        .sets = sets,
    };
    request r = { .seconds = plugin_seconds, .ranks = { CULL_RANKS_AUTO, rank_seconds } };

    r.ranks.voice = cull_cli_hush_ranks();
    cull_cli_parse(cli, &usage, &r, argc, argv);
    const cull_status begun = cull_cli_ranks(cli, &r.ranks);
    if (begun != CULL_OK)
        return cull_exit_of(begun);
    const int status = run_ranks(cli, &r, argc, argv);
    cull_only_release(&r.only);
    cull_ranks_end(cli->ranks);
    cli->ranks = NULL;
    return status;
}
