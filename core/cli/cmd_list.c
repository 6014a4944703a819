// cull list [KIND]: the plugins that a run would find.
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"

typedef struct wanted {
    bool only;
    cull_kind kind;
} wanted;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    wanted *w = state->input;

    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    if (w->only)
        argp_error(state, "\"%s\" is one argument too many", arg);
    w->only = cull_kind_of(arg, &w->kind);
    if (!w->only)
        argp_error(state, "\"%s\" is none of backend, data, criterion, strategy, metric", arg);
    return 0;
}

static void print_entry(const cull_registered *entry)
{
    const cull_plugin *p = entry->plugin;

    printf("%-10s %-18s %s\n", cull_kind_name(p->kind), p->name, p->brief);
    if (!entry->shipped)
        printf("%-10s %-18s version %s, from %s\n", "", "", p->version, entry->from->path);
}

int cull_cmd_list(cull_cli *cli, int argc, char **argv)
{
    static const cull_usage usage = {
        .arguments = "[KIND]",
        .doc =
            "List the plugins, of all kinds or of one: backend, data, criterion, strategy, metric.",
        .parse = parse,
    };
    wanted w = { 0 };
    size_t bad = 0;

    cull_cli_parse(cli, &usage, &w, argc, argv);
    cull_status status = cull_cli_begin(cli);
    if (status == CULL_OK)
        status = cull_registry_load_all(&cli->context.ctx, cli->registry, &bad);
    if (status != CULL_OK)
        return cull_cli_failed(cli, status);
    cull_cli_results(cli);
    for (size_t i = 0; i < cull_registry_count(cli->registry); i++) {
        const cull_registered *entry = cull_registry_at(cli->registry, i);
        if (!w.only || entry->plugin->kind == w.kind)
            print_entry(entry);
    }
    return bad ? CULL_EXIT_ENVIRONMENT : CULL_EXIT_DONE;
}
