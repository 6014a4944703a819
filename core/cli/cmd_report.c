// cull report DIR... -o report.html: everything that results say, on one page.
#include <stdio.h>

#include "base/new_file.h"
#include "cli/commands.h"
#include "cli/folders.h"
#include "report/baseline.h"
#include "report/page/report.h"

typedef struct wanted {
    cull_folders folders;
    const char *out, *baseline, *figures;
} wanted;

enum { BASELINE = 0x200, FIGURES };

static const struct argp_option options[] = {
    { "output", 'o', "FILE", 0, "the page (default: report.html)", 0 },
    { "baseline", BASELINE, "METHOD", 0,
      "a method that the others are set against, or a value, as allocation=layer (default: the "
      "experiment's own, or dense)",
      0 },
    { "figures", FIGURES, "DIR", 0,
      "a folder for every drawing, too, as SVG and its numbers as csv", 0 },
    CULL_FOLDERS_OPTION,
    { 0 },
};

static const cull_sets sets[] = {
    CULL_SET_TEXT('o', wanted, out),
    CULL_SET_TEXT(FIGURES, wanted, figures),
    CULL_SET_TEXT(BASELINE, wanted, baseline),
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    wanted *w = state->input;

    return cull_folders_parse(key, arg, state, &w->folders);
}

int cull_cmd_report(cull_cli *cli, int argc, char **argv)
{
    static const cull_usage usage = {
        .arguments = "DIR...",
        .doc =
            "Write one self-contained HTML page of the results in one or more folders: tables with "
            "paired intervals, curves, experts, cost, flips, and where the numbers come from.",
        .options = options,
        .parse = parse,
        .takes = CULL_TAKES_RESULTS,
        .sets = sets,
    };
    wanted w = { .out = "report.html" };
    cull_frame frame;

    cull_cli_parse(cli, &usage, &w, argc, argv);
    cull_status status = cull_cli_begin(cli);
    cull_ctx *ctx = &cli->context.ctx;
    if (status == CULL_OK)
        status = cull_folders_load(ctx, &w.folders, &frame);
    if (status == CULL_OK)
        status = cull_frame_check(ctx, &frame);
    cull_cli_results(cli);
    if (status == CULL_OK)
        status = cull_baseline_check(ctx, &frame, w.baseline);
    if (status == CULL_OK)
        status = cull_report_write(ctx, &frame,
                                   w.baseline ? w.baseline : cull_noted_baseline(ctx, &frame),
                                   w.figures, w.out);
    if (status == CULL_OK && !cull_is_stream(w.out))
        printf("%s\n", w.out);
    cull_folders_release(&w.folders);
    return status == CULL_OK ? CULL_EXIT_DONE : cull_cli_failed(cli, status);
}
