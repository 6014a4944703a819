// The commands: a line here, and a cmd_NAME.c with
//     int cull_cmd_NAME(cull_cli *cli, int argc, char **argv);
// which returns the exit status; argv[0] is "cull NAME".
#ifndef CULL_CLI_COMMANDS_H
#define CULL_CLI_COMMANDS_H

#include "cli/cli.h"

// X(name, what it does)
#define CULL_COMMANDS(X)                                                                           \
    X(run, "compute what is missing of an experiment")                                             \
    X(plan, "check an experiment; show its trials and their cost")                                 \
    X(eval, "evaluate a checkpoint on tasks")                                                      \
    X(replay, "a trial's answers in lm-eval's forms")                                              \
    X(inspect, "what a checkpoint is, and whether it can be used")                                 \
    X(tokenize, "texts to token ids, and back")                                                    \
    X(trace, "write what every layer computes")                                                    \
    X(export, "a variant as a checkpoint, or as lists of what it keeps")                           \
    X(list, "list the plugins")                                                                    \
    X(describe, "what a plugin does, and its settings")                                            \
    X(check, "test a plugin of your own")                                                          \
    X(compare, "results side by side")                                                             \
    X(report, "everything that results say, as a page")                                            \
    X(ls, "what folders of results hold, and how large it is")                                     \
    X(rm, "remove trials, cuts or calibrations")                                                   \
    X(gc, "remove what nothing needs any more")

typedef struct cull_command {
    const char *name, *brief;
    int (*run)(cull_cli *cli, int argc, char **argv);
} cull_command;

#define CULL_COMMAND_DECLARE(name, brief) int cull_cmd_##name(cull_cli *cli, int argc, char **argv);
CULL_COMMANDS(CULL_COMMAND_DECLARE)
#undef CULL_COMMAND_DECLARE

#endif
