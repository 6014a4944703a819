// What all commands share: options, a context, exit statuses, how an error is told.
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/memory.h"
#include "base/pages.h"
#include "plugin/host.h"

cull_status cull_cli_begin(cull_cli *cli)
{
    const cull_options *o = &cli->options;
    cull_ctx *ctx = &cli->context.ctx;

    cull_cli_aside(cli);
    cull_crash_begin();
    cli->log = cull_log_new(o->quiet ? CULL_WARN : o->verbose ? CULL_DEBUG : CULL_INFO);
    cli->pool = cull_pool_new(o->threads);
    CULL_TRY(cull_context_init(&cli->context, cli->pool, cli->log));
    cli->context.stop = cull_interrupted;
    cli->context.unsealed = o->unsealed;
    cli->context.ranks = cli->ranks;
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

void cull_cli_aside(cull_cli *cli)
{
    (void)fflush(stdout);
    if (cli->results >= 0)
        return;
    cli->results = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (cli->results >= 0)
        (void)dup2(STDERR_FILENO, STDOUT_FILENO);
}

void cull_cli_results(cull_cli *cli)
{
    (void)fflush(stdout); // what plugins printed goes where it belongs
    if (cli->results < 0)
        return;
    (void)dup2(cli->results, STDOUT_FILENO);
    (void)close(cli->results);
    cli->results = -1;
}

FILE *cull_cli_stream(cull_cli *cli)
{
    const int from = cli->results >= 0 ? cli->results : STDOUT_FILENO;
    const int fd = fcntl(from, F_DUPFD_CLOEXEC, 3);
    FILE *stream = fd >= 0 ? fdopen(fd, "w") : NULL;

    if (stream)
        return stream;
    (void)cull_fail(&cli->context.ctx, CULL_EIO, "stdout cannot be written: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return NULL;
}

cull_status cull_cli_close(cull_cli *cli, FILE *stream)
{
    const bool failed = ferror(stream);

    if (fclose(stream) == 0 && !failed)
        return CULL_OK;
    return cull_fail(&cli->context.ctx, CULL_EIO, "stdout cannot be written: %s", strerror(errno));
}

void cull_cli_end(cull_cli *cli)
{
    if (cli->results >= 0)
        close(cli->results);
    cull_registry_free(cli->registry);
    cull_pages_free(cli->context.pages);
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

int cull_cli_failed(cull_cli *cli, cull_status status)
{
    char text[CULL_SENTENCE + CULL_FRAMES * (CULL_FRAME + 16)];
    const cull_error *error = &cli->context.error;

    if (error->status != CULL_OK)
        cull_error_text(error, text, sizeof text);
    else
        snprintf(text, sizeof text, "cull %s failed without saying why (%s): a fault of Cull's own",
                 cli->command, cull_status_text(status));
    if (cli->log)
        cull_log_line(cli->log, CULL_ERROR, "%s", text);
    else
        fprintf(stderr, "error: %s\n", text);
    return status == CULL_OK ? CULL_EXIT_ENVIRONMENT : cull_exit_of(status);
}
