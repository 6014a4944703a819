// cull check PLUGIN.so: a plugin against its contract, in a child that may crash.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crash.h"
#include "check/conform.h"
#include "cli/commands.h"

enum { TIME_LIMIT = 120 }; // seconds that a plugin's tests may take

typedef struct tally {
    FILE *out;
    size_t faults, untested;
} tally;

static void say(void *arg, cull_verdict verdict, const char *text)
{
    static const char *const words[] = { "ok", "FAULT", "untested" };
    tally *t = arg;

    t->faults += verdict == CULL_FAULT;
    t->untested += verdict == CULL_UNTESTED;
    fprintf(t->out, "  %-8s  %s\n", words[verdict], text);
    fflush(t->out);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    const char **file = state->input;

    if (key == ARGP_KEY_ARG && *file)
        argp_error(state, "\"%s\" is one argument too many", arg);
    if (key == ARGP_KEY_ARG) {
        *file = arg;
        return 0;
    }
    if (key == ARGP_KEY_END && !*file)
        argp_error(state, "a plugin's file is wanted");
    return key == ARGP_KEY_END ? 0 : ARGP_ERR_UNKNOWN;
}

// What the plugin's code does, found out in a child. The child's exit status says whether it had
// faults.
static void run_in_child(tally *t, const cull_plugin *plugin)
{
    int how = 0;
    char text[160];

    fflush(t->out);
    const pid_t child = fork();
    if (child == 0) {
        tally own = { .out = t->out };
        cull_crash_forget();
        alarm(TIME_LIMIT);
        cull_conform_runs(&(cull_examiner){ say, &own }, plugin);
        fflush(t->out);
        _exit((own.faults ? 1 : 0) | (own.untested ? 2 : 0));
    }
    if (child < 0 || waitpid(child, &how, 0) != child) {
        say(t, CULL_FAULT, "no process could be started for its code");
        return;
    }
    if (WIFEXITED(how)) {
        t->faults += WEXITSTATUS(how) & 1;
        t->untested += (WEXITSTATUS(how) & 2) != 0;
        return;
    }
    const int number = WTERMSIG(how);
    if (number == SIGALRM)
        snprintf(text, sizeof text, "it did not end within %d seconds", TIME_LIMIT);
    else
        snprintf(text, sizeof text, "it crashed (%s) on a made-up model with what it says it needs",
                 strsignal(number));
    say(t, CULL_FAULT, text);
}

int cull_cmd_check(cull_cli *cli, int argc, char **argv)
{
    static const cull_usage usage = {
        .arguments = "PLUGIN.so",
        .doc = "Test a plugin against its contract: its texts and settings and, for criteria and "
               "strategies, what it does to a small made-up model.",
        .parse = parse,
    };
    const char *file = NULL;
    cull_loaded *loaded = NULL;
    tally t = { 0 };

    cull_cli_parse(cli, &usage, &file, argc, argv);
    cull_status status = cull_cli_begin(cli);
    if (status == CULL_OK)
        status = cull_module_load(&cli->context.ctx, file, false, &loaded);
    if (status != CULL_OK)
        return cull_cli_failed(cli, status);
    t.out = cull_cli_stream(cli);
    if (!t.out)
        return cull_cli_failed(cli, CULL_EIO);
    for (size_t i = 0; i < loaded->n; i++) {
        const cull_plugin *plugin = loaded->plugin[i];
        fprintf(t.out, "%s %s %s\n", cull_kind_name(plugin->kind), plugin->name, plugin->version);
        cull_conform_texts(&(cull_examiner){ say, &t }, plugin);
        run_in_child(&t, plugin);
    }
    fputs(t.faults     ? "It has faults.\n"
          : t.untested ? "No faults; not everything was tested.\n"
                       : "No faults.\n",
          t.out);
    status = cull_cli_close(cli, t.out);
    if (status != CULL_OK)
        return cull_cli_failed(cli, status);
    return t.faults ? CULL_EXIT_SOME_FAILED : CULL_EXIT_DONE;
}
