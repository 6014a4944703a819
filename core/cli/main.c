// cull: dispatches to the commands (commands.h).
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/memory.h"
#include "base/text.h"
#include "cli/commands.h"
#include "math/cpu.h"
#include "math/kernels.h"

static const cull_command commands[] = {
#define CULL_COMMAND_ROW(name, brief) { #name, brief, cull_cmd_##name },
    CULL_COMMANDS(CULL_COMMAND_ROW)
#undef CULL_COMMAND_ROW
};

static const double MEASURE_SECONDS = 0.1;

enum { N_COMMANDS = sizeof commands / sizeof *commands };

static const cull_command *find(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static void print_help(FILE *out)
{
    fputs("cull: which experts and weights of a mixture-of-experts model can go, chosen how, at "
          "what cost\n\n"
          "usage: cull COMMAND [ARGUMENT...] [OPTION...]\n\n",
          out);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].brief);
    fputs("\ncull COMMAND --help explains a command; cull --version says which Cull this is,\n"
          "with --verbose also how it multiplies here\n",
          out);
}

static int unknown(const char *word)
{
    const char *names[N_COMMANDS + 1] = { 0 };

    for (size_t i = 0; i < N_COMMANDS; i++)
        names[i] = commands[i].name;
    const char *nearest = cull_nearest(word, names);
    fprintf(stderr, "error: there is no command \"%s\"", word);
    fprintf(stderr, nearest ? "; did you mean \"%s\"?\n" : "; cull help lists them\n", nearest);
    return CULL_EXIT_USAGE;
}

static int run(const cull_command *command, int argc, char **argv)
{
    cull_cli cli = { .command = command->name, .results = -1 };
    char name[64];

    snprintf(name, sizeof name, "cull %s", command->name);
    argv[0] = name; // what argp calls the program
    const int status = command->run(&cli, argc, argv);
    cull_cli_end(&cli);
    cull_crash_end();
    return status;
}

static int too_many(const char *argument)
{
    fprintf(stderr, "error: \"%s\" is one argument too many\n", argument);
    return CULL_EXIT_USAGE;
}

static int help(int argc, char **argv)
{
    if (argc > 2)
        return too_many(argv[2]);
    if (argc < 2) {
        print_help(stdout);
        return CULL_EXIT_DONE;
    }

    const cull_command *command = find(argv[1]);
    char option[] = "--help", *arguments[] = { argv[0], option, NULL };
    return command ? run(command, 2, arguments) : unknown(argv[1]);
}

static void print_rate(const char *what, double rate)
{
    if (rate > 0)
        printf("%-34s %8.1f GF a thread\n", what, rate / 1e9);
    else
        printf("%-34s        -\n", what);
}

// Which Cull this is; with --verbose what it has found to multiply with, and how fast that is now.
static int version(int argc, char **argv)
{
    const cull_cpu cpu = cull_cpu_features();
    char words[64], kernels[CULL_KERNELS_TEXT];
    const bool verbose =
        argc > 0 && (strcmp(argv[0], "--verbose") == 0 || strcmp(argv[0], "-v") == 0);

    if (argc > verbose)
        return too_many(argv[verbose]);
    printf("cull %s (plugin ABI %u.%u)\n", CULL_VERSION, CULL_ABI_MAJOR, CULL_ABI_MINOR);
    if (!verbose)
        return CULL_EXIT_DONE;
    cull_cpu_words(&cpu, words, sizeof words);
    cull_kernels_text(kernels);
    printf("processor  %s\nfeatures   %s\nkernels    %s\n", cpu.name, words, kernels);
    print_rate("float32", cull_measure_f32(MEASURE_SECONDS));
    print_rate("bf16", cull_measure_bf16(MEASURE_SECONDS));
    print_rate("double precision", cull_measure_f64(MEASURE_SECONDS));
    return CULL_EXIT_DONE;
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return CULL_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        return version(argc - 2, argv + 2);
    }
    if (strcmp(argv[1], "help") == 0)
        return help(argc - 1, argv + 1);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "-?") == 0)
        return argc > 2 ? too_many(argv[2]) : help(1, argv);

    const cull_command *command = find(argv[1]);
    return command ? run(command, argc - 1, argv + 1) : unknown(argv[1]);
}

// Without what libraries and plugins do at the end: some of them wait for threads that were never
// started, where there was no memory for them. Sanitizers look for leaks there.
static int leave(int status)
{
#if !defined(CULL_SANITIZED)
    _exit(status);
#endif
    return status;
}

// Where one of them is closed, the next file that is opened would stand in its place, and have what
// is meant for people written into it. stdout stays one that cannot be written, which is told.
static void keep_standard_files(void)
{
    static const int how[] = { O_RDONLY, O_RDONLY, O_WRONLY };

    for (int file = 0; file <= STDERR_FILENO; file++)
        if (fcntl(file, F_GETFD) < 0 && errno == EBADF)
            (void)open("/dev/null", how[file]); // the least number that is free
}

int main(int argc, char **argv)
{
    keep_standard_files();
    cull_crash_install();
    cull_large_blocks_apart();
    cull_json_memory_install();
    cull_interrupt_install();
    argp_err_exit_status = CULL_EXIT_USAGE;

    const int status = dispatch(argc, argv);
    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "error: stdout cannot be written: %s\n", strerror(errno));
        return leave(CULL_EXIT_ENVIRONMENT);
    }
    return leave(status);
}
