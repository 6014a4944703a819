// cull gc DIR...: remove what nothing needs any more.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "cli/commands.h"
#include "cli/kept.h"
#include "record/trial_cache.h"

typedef struct request {
    size_t n;
    const char **at;
    bool dry, stages, calibrations;
    bool cache;  // is the folder one?
    double days; // < 0: not asked
} request;

enum { DRY = 0x200, STAGES, CALIBRATIONS, OLDER };

static const struct argp_option options[] = {
    { "dry-run", DRY, NULL, 0, "only say what would go", 0 },
    { "stages", STAGES, NULL, 0, "also what stages decided that no trial ends with", 0 },
    { "calibrations", CALIBRATIONS, NULL, 0, "also the statistics", 0 },
    { "older", OLDER, "DAYS", 0,
      "also stages and statistics that are older than this, and in a cache trials", 0 },
    { 0 },
};

static const cull_sets sets[] = {
    CULL_SET_FLAG(DRY, request, dry),
    CULL_SET_FLAG(STAGES, request, stages),
    CULL_SET_FLAG(CALIBRATIONS, request, calibrations),
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    request *r = state->input;
    char *end;

    switch (key) {
    case OLDER:
        r->days = strtod(arg, &end);
        if (end == arg || *end || !(r->days >= 0))
            argp_error(state, "--older: \"%s\" is not a number of days", arg);
        return 0;
    case ARGP_KEY_ARG:
        return cull_cli_append(&r->at, &r->n, arg);
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which folder of results?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool named_by_trial(const cull_inventory *v, const char *cut)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->at[i].kind == CULL_KEPT_TRIAL && !v->at[i].old_name && v->at[i].cut &&
            strcmp(v->at[i].cut, cut) == 0)
            return true;
    return false;
}

// What was changed this very second is as old as 0 days.
static bool is_old(const request *r, const cull_kept *k)
{
    return r->days >= 0 && (double)time(NULL) - k->changed >= r->days * 86400;
}

static bool goes(const request *r, const cull_inventory *v, const cull_kept *k)
{
    switch (k->kind) {
    case CULL_KEPT_TRIAL:
    case CULL_KEPT_EVALUATION:
        return k->old_name || k->damaged || (r->cache && is_old(r, k));
    case CULL_KEPT_STEP:
        return !k->used || is_old(r, k) || (r->stages && k->cut && !named_by_trial(v, k->cut));
    case CULL_KEPT_CALIBRATION:
        return r->calibrations || is_old(r, k);
    case CULL_KEPT_LEFT:
        return true;
    default: // cuts: by what is left of the others
        return false;
    }
}

// A cut goes that no trial names, and no stage that stays.
static bool cut_goes(const cull_inventory *v, const bool *marked, const cull_kept *cut)
{
    for (size_t i = 0; i < v->n; i++)
        if (!marked[i] && v->at[i].cut && strcmp(v->at[i].cut, cut->name) == 0)
            return false;
    return true;
}

static cull_status collect(cull_cli *cli, request *r, const char *folder)
{
    cull_inventory v;

    r->cache = cull_is_cache(&cli->context.ctx, folder);
    CULL_TRY(cull_inventory_make(&cli->context.ctx, folder, &v));
    bool *marked = cull_take(&cli->context.ctx, v.n + 1, sizeof *marked);
    if (!marked)
        return CULL_ENOMEM;
    for (size_t i = 0; i < v.n; i++)
        marked[i] = goes(r, &v, &v.at[i]);
    for (size_t i = 0; i < v.n; i++)
        if (v.at[i].kind == CULL_KEPT_CUT)
            marked[i] = cut_goes(&v, marked, &v.at[i]);
    cull_kept_mark_questions(&v, marked);
    return cull_kept_remove(cli, folder, &v, marked, r->dry);
}

int cull_cmd_gc(cull_cli *cli, int argc, char **argv)
{
    static const cull_usage usage = {
        .arguments = "DIR...",
        .doc = "Remove from folders of results, or caches, what nothing needs any more: trials "
               "under old names, damaged ones, cuts that no trial and no stage names, stages whose "
               "cut is gone, questions that no trial asks, and files that dead runs left.",
        .options = options,
        .parse = parse,
        .takes = CULL_TAKES_RESULTS,
        .sets = sets,
    };
    request r = { .days = -1 };

    cull_cli_parse(cli, &usage, &r, argc, argv);
    cull_status status = cull_cli_begin(cli);
    for (size_t i = 0; i < r.n && status == CULL_OK; i++)
        status = collect(cli, &r, r.at[i]);
    cull_free(r.at);
    return status == CULL_OK ? CULL_EXIT_DONE : cull_cli_failed(cli, status);
}
