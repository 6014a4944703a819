// cull describe KIND NAME: a plugin in prose, from its own tables.
#include <stdio.h>

#include "cli/commands.h"
#include "plugin/describe.h"

typedef struct request {
    int n;
    bool markdown;
    cull_kind kind;
    const char *name;
} request;

static const cull_sets sets[] = {
    CULL_SET_FLAG('M', request, markdown),
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    request *r = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        if (r->n == 2)
            argp_error(state, "\"%s\" is one argument too many", arg);
        if (r->n == 0 && !cull_kind_of(arg, &r->kind))
            argp_error(state, "\"%s\" is none of backend, data, criterion, strategy, metric", arg);
        r->name = arg;
        r->n++;
        return 0;
    case ARGP_KEY_END:
        if (r->n < 2)
            argp_error(state, "a kind and a name are wanted");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static cull_status missing(cull_cli *cli, const request *r)
{
    cull_ctx *ctx = &cli->context.ctx;
    const char *kind = cull_kind_name(r->kind);
    const char *trouble = cull_registry_trouble(cli->registry);

    if (trouble)
        return cull_fail(ctx, CULL_EPLUGIN, "%s", trouble);
    const char *nearest = cull_registry_nearest(cli->registry, r->kind, r->name);
    if (nearest)
        return cull_fail(ctx, CULL_EUSAGE, "there is no %s \"%s\"; did you mean \"%s\"?", kind,
                         r->name, nearest);
    return cull_fail(ctx, CULL_EUSAGE, "there is no %s \"%s\" (cull list %s)", kind, r->name, kind);
}

int cull_cmd_describe(cull_cli *cli, int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "markdown", 'M', NULL, 0, "as Markdown, for the documentation", 0 },
        { 0 },
    };
    static const cull_usage usage = {
        .arguments = "KIND NAME",
        .doc = "What a plugin does, what it costs, where it comes from, and its settings.",
        .options = options,
        .parse = parse,
        .sets = sets,
    };
    request r = { 0 };

    cull_cli_parse(cli, &usage, &r, argc, argv);
    cull_status status = cull_cli_begin(cli);
    if (status != CULL_OK)
        return cull_cli_failed(cli, status);
    const cull_plugin *plugin = cull_registry_find(cli->registry, r.kind, r.name);
    if (!plugin)
        return cull_cli_failed(cli, missing(cli, &r));

    cull_buf text = CULL_BUF_INIT;
    status = cull_describe(&cli->context.ctx, plugin, r.markdown, &text);
    cull_cli_results(cli);
    if (status == CULL_OK)
        fputs(text.s, stdout);
    cull_buf_release(&text);
    return status == CULL_OK ? CULL_EXIT_DONE : cull_cli_failed(cli, status);
}
