// What every command shares: the common options, the services made from them, and how to end.
//
//     int cull_cmd_inspect(cull_cli *cli, int argc, char **argv)
//     {
//         request r = { 0 };                              // the command's own, set by options
//         static const cull_usage usage = { .arguments = "MODEL", .doc = "Show …", … };
//
//         cull_cli_parse(cli, &usage, &r, argc, argv);    // exits with status 2 when it cannot
//         if (cull_cli_begin(cli) != CULL_OK)
//             return cull_cli_failed(cli);
//         …                                               // cli->context, cli->registry
//     }
//
// Results go to stdout; progress, logs and errors to stderr.
#ifndef CULL_CLI_CLI_H
#define CULL_CLI_CLI_H

#include <argp.h>
#include <stdio.h>

#include <cull/param.h>

#include "base/context.h"
#include "plugin/registry.h"

enum cull_exit {
    CULL_EXIT_DONE = 0,
    CULL_EXIT_SOME_FAILED = 1, // some trials failed, a check found faults
    CULL_EXIT_USAGE = 2,       // a wrong command line or experiment
    CULL_EXIT_ENVIRONMENT = 3, // the environment, or an input file that cannot be used
    CULL_EXIT_INTERRUPTED = 130,
};

typedef struct cull_options {
    size_t n_set, n_plugins;
    const char **set;      // --set key=value
    const char **plugins;  // --plugin FILE
    size_t threads;        // 0: one per usable CPU
    uint64_t memory;       // bytes; 0: half of what is free
    const char *precision; // NULL: as the experiment says
    bool trust_plugins, quiet, verbose;
    bool unsealed; // results without a checksum are read
} cull_options;

typedef struct cull_cli {
    const char *command; // its word
    cull_options options;
    cull_context context; // once begun, as the rest
    cull_log *log;
    cull_pool *pool;
    cull_registry *registry;
    int results;              // where stdout led; −1: it does now
    struct cull_ranks *ranks; // begun before (cli/ranks.h); NULL: alone
} cull_cli;

// Common options that not every command can do something with.
enum cull_takes {
    CULL_TAKES_EXPERIMENT = 1, // --set, --precision, --trust-plugins
    CULL_TAKES_MEMORY = 2,     // --memory
    CULL_TAKES_RESULTS = 4,    // --unsealed
    CULL_TAKES_PRECISION = 8,  // --precision alone
};

// A flag of an option that may be given more than once.
enum { CULL_MAY_REPEAT = 0x100 };

// What an option does that needs no code: it sets a field of a command's struct. Tables of these
// end with { 0 }.
typedef struct cull_sets {
    enum { CULL_SETS_NOTHING, CULL_SETS_TEXT, CULL_SETS_FLAG } what;
    int key;   // of the option; ARGP_KEY_ARG: of the one argument that the command has
    size_t at; // of the field, a const char * or a bool
} cull_sets;
#define CULL_SET_TEXT(key, S, f)                                                                   \
    {                                                                                              \
        CULL_SETS_TEXT, (key), CULL_FIELD(S, f, const char *)                                      \
    }
#define CULL_SET_FLAG(key, S, f)                                                                   \
    {                                                                                              \
        CULL_SETS_FLAG, (key), CULL_FIELD(S, f, bool)                                              \
    }

// A command's own arguments, as argp takes them; `parse` gets those that `sets` does not have,
// ARGP_KEY_ARG too, and `input` as state->input.
typedef struct cull_usage {
    const char *arguments, *doc;
    const struct argp_option *options; // or NULL
    argp_parser_t parse;               // or NULL
    unsigned takes;                    // CULL_TAKES_*
    const cull_sets *sets;             // or NULL
} cull_usage;

// One more text of a list that arguments make, borrowed; free the list with cull_free. ENOMEM: as
// it was.
error_t cull_cli_append(const char ***list, size_t *n, const char *text);

// Parse the common and the command's options. --help and wrong usage end the program; an option
// with a value that is given twice is wrong usage, too, and so is a second argument where there is
// one.
void cull_cli_parse(cull_cli *cli, const cull_usage *usage, void *input, int argc, char **argv);

// Log, pool, context and registry from the options, with the plugins given by --plugin. On failure
// the reason is in the context. From here on stdout leads to stderr, so that what plugins print is
// no result.
cull_status cull_cli_begin(cull_cli *cli) CULL_MUST_CHECK;
void cull_cli_end(cull_cli *cli); // main does it

// What is printed to stdout from here on are results; or, again, is none.
void cull_cli_results(cull_cli *cli);
void cull_cli_aside(cull_cli *cli);
// For commands whose results and calls into plugins take turns: a stream to where results go, which
// the caller closes with cull_cli_close; NULL: no memory, reported.
FILE *cull_cli_stream(cull_cli *cli);
cull_status cull_cli_close(cull_cli *cli, FILE *stream) CULL_MUST_CHECK;

// Print the context's error, or that there is none; the exit status, never 0, that goes with it.
int cull_cli_failed(cull_cli *cli, cull_status status);
int cull_exit_of(cull_status status);

// Ctrl-C or a request to terminate: the first asks the work to stop, the second ends the program.
void cull_interrupt_install(void);
bool cull_interrupted(void); // the context's `stop`

#endif
