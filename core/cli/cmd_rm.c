// cull rm DIR NAME...: remove trials, cuts or calibrations from a folder of results.
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "cli/commands.h"
#include "cli/kept.h"

typedef struct request {
    const char *folder;
    size_t n;
    const char **pattern;
    bool dry;
} request;

enum { DRY = 0x200 };

static const struct argp_option options[] = {
    { "dry-run", DRY, NULL, 0, "only say what would go", 0 },
    { 0 },
};

static const cull_sets sets[] = {
    CULL_SET_FLAG(DRY, request, dry),
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    request *r = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        if (!r->folder) {
            r->folder = arg;
            return 0;
        }
        return cull_cli_append(&r->pattern, &r->n, arg);
    case ARGP_KEY_END:
        if (r->n == 0)
            argp_error(state, "a folder and names are needed: cull rm DIR NAME...");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

// A pattern means the whole name, "trials/a.h5", or the file's own, with or without its ending.
static bool is_meant(cull_arena *arena, const cull_kept *k, const char *pattern)
{
    const char *slash = strchr(k->name, '/'), *file = slash ? slash + 1 : k->name;
    const char *dot = k->kind == CULL_KEPT_EVALUATION ? strstr(file, ".eval-") : strrchr(file, '.');
    const char *stem = dot ? cull_arena_copy(arena, file, (size_t)(dot - file)) : file;

    return fnmatch(pattern, k->name, 0) == 0 || fnmatch(pattern, file, 0) == 0 ||
           (stem && fnmatch(pattern, stem, 0) == 0);
}

static cull_status mark(cull_cli *cli, const request *r, const cull_inventory *v, bool *marked)
{
    for (size_t p = 0; p < r->n; p++) {
        bool any = false;
        for (size_t i = 0; i < v->n; i++)
            if (is_meant(cli->context.alloc, &v->at[i], r->pattern[p]))
                any = marked[i] = true;
        if (!any)
            return cull_fail(&cli->context.ctx, CULL_EUSAGE, "%s: holds nothing named %s",
                             r->folder, r->pattern[p]);
    }
    return CULL_OK;
}

static cull_status rm(cull_cli *cli, const request *r)
{
    cull_inventory v;

    CULL_TRY(cull_inventory_make(&cli->context.ctx, r->folder, &v));
    bool *marked = cull_take(&cli->context.ctx, v.n + 1, sizeof *marked);
    if (!marked)
        return CULL_ENOMEM;
    CULL_TRY(mark(cli, r, &v, marked));
    cull_kept_mark_cuts(&v, marked);
    cull_kept_mark_questions(&v, marked);
    return cull_kept_remove(cli, r->folder, &v, marked, r->dry);
}

int cull_cmd_rm(cull_cli *cli, int argc, char **argv)
{
    static const cull_usage usage = {
        .arguments = "DIR NAME...",
        .doc = "Remove trials from a folder of results, with the cuts that only they use; or cuts, "
               "stages and calibrations. A name may be a pattern ('*-wanda-*') and is a file's, "
               "with or without its ending. What is removed, the next run computes again.",
        .options = options,
        .parse = parse,
        .takes = CULL_TAKES_RESULTS,
        .sets = sets,
    };
    request r = { 0 };

    cull_cli_parse(cli, &usage, &r, argc, argv);
    cull_status status = cull_cli_begin(cli);
    if (status == CULL_OK)
        status = rm(cli, &r);
    cull_free(r.pattern);
    return status == CULL_OK ? CULL_EXIT_DONE : cull_cli_failed(cli, status);
}
