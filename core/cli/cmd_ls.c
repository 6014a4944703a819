// cull ls DIR...: what folders of results hold, and how large it is.
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/amount.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/commands.h"
#include "cli/kept.h"

typedef struct request {
    size_t n;
    const char **at;
    bool json, all;
} request;

enum { JSON = 0x200 };

static const struct argp_option options[] = {
    { "all", 'a', NULL, 0, "also cuts, stages and calibrations, a line each", 0 },
    { "json", JSON, NULL, 0, "one JSON object a folder, a line each", 0 },
    { 0 },
};

static const cull_sets sets[] = {
    CULL_SET_FLAG('a', request, all),
    CULL_SET_FLAG(JSON, request, json),
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    request *r = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        return cull_cli_append(&r->at, &r->n, arg);
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which folder of results?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const char *state_of(const cull_kept *k)
{
    if (k->damaged)
        return "damaged";
    if (k->old_name)
        return "old name";
    return k->used ? "" : "unused";
}

static void print_kept(const cull_kept *k)
{
    char size[32];

    printf("%10s  %-11s %s", cull_bytes_text((double)k->bytes, size, sizeof size),
           cull_kept_word(k->kind), k->name);
    if (k->kind == CULL_KEPT_TRIAL)
        printf("  %zu evaluation%s", k->n_evaluations, k->n_evaluations == 1 ? "" : "s");
    if (*state_of(k))
        printf("  (%s)", state_of(k));
    putchar('\n');
}

static void print_folder(const request *r, const char *folder, const cull_inventory *v)
{
    const char *between = ": ";
    double all = 0;
    char size[32];

    for (size_t i = 0; i < v->n; i++)
        if (r->all || v->at[i].kind <= CULL_KEPT_EVALUATION)
            print_kept(&v->at[i]);
    printf("%s", folder);
    for (size_t k = 0; k < CULL_N_KEPT; k++) {
        size_t n;
        const double bytes = cull_kept_sum(v, (cull_kept_kind)k, &n);
        if (n > 0)
            printf("%s%zu %s%s, %s", between, n, cull_kept_word((cull_kept_kind)k),
                   n == 1 || k == CULL_KEPT_LEFT ? "" : "s",
                   cull_bytes_text(bytes, size, sizeof size));
        if (n > 0)
            between = "; ";
        all += bytes;
    }
    printf("; together %s\n", cull_bytes_text(all, size, sizeof size));
}

static json_t *kept_json(const cull_kept *k)
{
    return json_pack("{s:s, s:s, s:I, s:f, s:s?, s:I, s:b, s:b, s:b}", "kind",
                     cull_kept_word(k->kind), "name", k->name, "bytes", (json_int_t)k->bytes,
                     "changed", k->changed, "cut", k->cut, "evaluations",
                     (json_int_t)k->n_evaluations, "used", (int)k->used, "old_name",
                     (int)k->old_name, "damaged", (int)k->damaged);
}

static cull_status print_json(cull_ctx *ctx, const char *folder, const cull_inventory *v)
{
    (void)cull_json_memory_lacked(); // of before
    json_t *files = json_array();

    for (size_t i = 0; i < v->n; i++)
        json_array_append_new(files, kept_json(&v->at[i]));
    return cull_json_print(ctx, json_pack("{s:s, s:o}", "folder", folder, "files", files),
                           JSON_COMPACT);
}

static cull_status list(cull_cli *cli, const request *r)
{
    cull_ctx *ctx = &cli->context.ctx;

    for (size_t i = 0; i < r->n; i++) {
        cull_inventory v;
        CULL_TRY(cull_inventory_make(ctx, r->at[i], &v));
        cull_cli_results(cli);
        if (r->json)
            CULL_TRY(print_json(ctx, r->at[i], &v));
        else
            print_folder(r, r->at[i], &v);
    }
    return CULL_OK;
}

int cull_cmd_ls(cull_cli *cli, int argc, char **argv)
{
    static const cull_usage usage = {
        .arguments = "DIR...",
        .doc = "List what folders of results, or caches, hold: trials with their sizes, and what "
               "cuts, stages and calibrations take. A trial with an old name is there under a "
               "later one too.",
        .options = options,
        .parse = parse,
        .takes = CULL_TAKES_RESULTS,
        .sets = sets,
    };
    request r = { 0 };

    cull_cli_parse(cli, &usage, &r, argc, argv);
    cull_status status = cull_cli_begin(cli);
    if (status == CULL_OK)
        status = list(cli, &r);
    cull_free(r.at);
    return status == CULL_OK ? CULL_EXIT_DONE : cull_cli_failed(cli, status);
}
