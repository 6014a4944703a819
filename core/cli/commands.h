// The commands: a line here, and a cmd_NAME.c with
//     int cull_cmd_NAME(cull_cli *cli, int argc, char **argv);   → exit status; argv[0] is "cull
//     NAME"
#ifndef CULL_CLI_COMMANDS_H
#define CULL_CLI_COMMANDS_H

#include "cli/cli.h"

// X(name, what it does)
#define CULL_COMMANDS(X)                                                                           \
    X(list, "list the plugins")                                                                    \
    X(describe, "what a plugin does, and its settings")                                            \
    X(compare, "results side by side")

typedef struct cull_command {
    const char *name, *brief;
    int (*run)(cull_cli *cli, int argc, char **argv);
} cull_command;

#define CULL_COMMAND_DECLARE(name, brief) int cull_cmd_##name(cull_cli *cli, int argc, char **argv);
CULL_COMMANDS(CULL_COMMAND_DECLARE)
#undef CULL_COMMAND_DECLARE

#endif
