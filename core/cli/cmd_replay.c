// cull replay TRIAL: what a recorded trial was asked and answered, in lm-eval's forms.
#include <string.h>

#include "cli/commands.h"
#include "cli/folders.h"
#include "cli/lm_output.h"

typedef struct request {
    cull_folders trial; // one file
    cull_lm_output out;
} request;

static const struct argp_option options[] = { CULL_LM_OPTIONS, CULL_FOLDERS_OPTION, { 0 } };

static error_t parse(int key, char *arg, struct argp_state *state)
{
    request *r = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        if (r->trial.n == 1)
            argp_error(state, "\"%s\" is one argument too many", arg);
        return cull_folders_parse(key, arg, state, &r->trial);
    case CULL_FOLDERS_WHERE:
        return cull_folders_parse(key, arg, state, &r->trial);
    case ARGP_KEY_END:
        if (r->trial.n == 0 || (!r->out.json && !r->out.cache))
            argp_error(state, "a trial and a form are needed: cull replay TRIAL.h5 --lm-eval "
                              "FILE.json --log-samples, or --cache P");
        return 0;
    default:
        return cull_lm_parse(key, arg, state, &r->out);
    }
}

// The file of an evaluation that was added to a trial, "….eval-KEY.h5", stands for that one alone.
static cull_status only_named(cull_cli *cli, const char *path, cull_folders *folders)
{
    const char *slash = strrchr(path, '/'), *added = strstr(slash ? slash : path, ".eval-");

    if (!added)
        return CULL_OK;
    const char *key = added + strlen(".eval-"), *end = strchr(key, '.');
    const char *where = cull_arena_printf(cli->context.alloc, "evaluation=%.*s",
                                          (int)(end ? (size_t)(end - key) : strlen(key)), key);
    return where && cull_folders_where(folders, where) ? CULL_OK
                                                       : cull_no_memory(&cli->context.ctx);
}

static cull_status replay(cull_cli *cli, request *r)
{
    cull_ctx *ctx = &cli->context.ctx;
    cull_frame frame;

    CULL_TRY(only_named(cli, r->trial.at[0], &r->trial));
    CULL_TRY(cull_folders_load(ctx, &r->trial, &frame));
    if (frame.n_trials != 1)
        return cull_fail(ctx, CULL_EUSAGE, "%s: holds %zu trials; name the file of one",
                         r->trial.at[0], frame.n_trials);
    return cull_lm_write(cli, &frame, 0, &r->out);
}

int cull_cmd_replay(cull_cli *cli, int argc, char **argv)
{
    static const cull_usage usage = {
        .arguments = "TRIAL.h5",
        .doc = "Write what a recorded trial was asked and answered as lm-evaluation-harness does: "
               "its results JSON, its samples, and its response cache, from which lm-eval itself "
               "makes any metric. The prompts are made again: the model's folder and the datasets "
               "must be there.",
        .options = options,
        .parse = parse,
        .takes = CULL_TAKES_EXPERIMENT | CULL_TAKES_RESULTS,
    };
    request r = { 0 };

    cull_cli_parse(cli, &usage, &r, argc, argv);
    cull_status status = cull_cli_begin(cli);
    if (status == CULL_OK)
        status = replay(cli, &r);
    cull_folders_release(&r.trial);
    return status == CULL_OK ? CULL_EXIT_DONE : cull_cli_failed(cli, status);
}
