// What all commands share: options, a context, exit statuses, how an error is told.
#include "cli/cli.h"

#include <stdio.h>

#include "base/memory.h"
#include "plugin/host.h"

cull_status cull_cli_begin(cull_cli *cli)
{
    const cull_options *o = &cli->options;
    cull_ctx *ctx = &cli->context.ctx;

    cli->log = cull_log_new(o->quiet ? CULL_WARN : o->verbose ? CULL_DEBUG : CULL_INFO);
    cli->pool = cull_pool_new(o->threads);
    CULL_TRY(cull_context_init(&cli->context, cli->pool, cli->log));
    cli->context.stop = cull_interrupted;
    if (!cli->log)
        return cull_no_memory(ctx);
    if (!cli->pool)
        return cull_fail(ctx, CULL_EENV, "no threads could be started");
    cli->registry = cull_registry_new(ctx);
    if (!cli->registry)
        return cli->context.error.status;
    for (size_t i = 0; i < o->n_plugins; i++)
        CULL_TRY(cull_registry_add(ctx, cli->registry, o->plugins[i]));
    return CULL_OK;
}

void cull_cli_end(cull_cli *cli)
{
    cull_registry_free(cli->registry);
    cull_context_release(&cli->context);
    cull_pool_free(cli->pool);
    cull_log_free(cli->log);
    cull_free(cli->options.set);
    cull_free(cli->options.plugins);
}

int cull_exit_of(cull_status status)
{
    switch (status) {
    case CULL_OK:
        return CULL_EXIT_DONE;
    case CULL_EUSAGE:
    case CULL_EINVAL:
        return CULL_EXIT_USAGE;
    case CULL_ENUMERIC:
    case CULL_EBUDGET:
        return CULL_EXIT_SOME_FAILED;
    case CULL_ECANCELED:
        return CULL_EXIT_INTERRUPTED;
    case CULL_ENOMEM:
    case CULL_EIO:
    case CULL_EFORMAT:
    case CULL_ENOTSUP:
    case CULL_EPLUGIN:
    case CULL_EENV:
        break;
    }
    return CULL_EXIT_ENVIRONMENT;
}

int cull_cli_failed(cull_cli *cli)
{
    char text[CULL_SENTENCE + CULL_FRAMES * (CULL_FRAME + 16)];
    const cull_error *error = &cli->context.error;

    cull_error_text(error, text, sizeof text);
    if (cli->log)
        cull_log_line(cli->log, CULL_ERROR, "%s", text);
    else
        fprintf(stderr, "error: %s\n", text);
    return cull_exit_of(error->status);
}
