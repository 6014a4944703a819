// cull report DIR... -o report.html: everything that results say, on one page.
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "cli/commands.h"
#include "report/report.h"

typedef struct wanted {
    size_t n;
    const char **folders;
    size_t n_where;
    const char **where;
    const char *out;
} wanted;

enum { WHERE = 0x200 };

static const struct argp_option options[] = {
    { "output", 'o', "FILE", 0, "the page (default: report.html)", 0 },
    { "where", WHERE, "KEY=VALUE", 0,
      "only what meets this, as method=reap,wanda or length=1024 or task=arc_easy; may be repeated",
      0 },
    { 0 },
};

static error_t add(const char ***list, size_t *n, const char *text)
{
    const char **more = cull_grow(*list, *n, *n + 1, sizeof *more);
    if (!more)
        return ENOMEM;
    more[(*n)++] = text;
    *list = more;
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    wanted *w = state->input;

    switch (key) {
    case 'o':
        w->out = arg;
        return 0;
    case WHERE:
        return add(&w->where, &w->n_where, arg);
    case ARGP_KEY_ARG:
        return add(&w->folders, &w->n, arg);
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which folder of results?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cull_cmd_report(cull_cli *cli, int argc, char **argv)
{
    static const cull_usage usage = {
        "DIR...",
        "Write one self-contained HTML page of the results in one or more folders: tables with "
        "paired "
        "intervals, curves, experts, cost, flips, and where the numbers come from.",
        options, parse
    };
    wanted w = { .out = "report.html" };
    cull_frame frame;

    cull_cli_parse(cli, &usage, &w, argc, argv);
    cull_status status = cull_cli_begin(cli);
    cull_ctx *ctx = &cli->context.ctx;
    if (status == CULL_OK)
        status =
            cull_frame_load(ctx, w.n, w.folders, &(cull_conditions){ w.n_where, w.where }, &frame);
    if (status == CULL_OK)
        status = cull_frame_check(ctx, &frame);
    if (status == CULL_OK)
        status = cull_report_write(ctx, &frame, w.out);
    if (status == CULL_OK)
        printf("%s\n", w.out);
    cull_free(w.folders);
    cull_free(w.where);
    return status == CULL_OK ? CULL_EXIT_DONE : cull_cli_failed(cli);
}
