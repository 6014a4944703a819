// The options that all commands have.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/cli.h"

enum {
    SET = 's',
    QUIET = 'q',
    VERBOSE = 'v',
    THREADS = 't',
    MEMORY = 'm',
    PRECISION = 0x100,
    PLUGIN,
    TRUST
};

static const struct argp_option common[] = {
    { NULL, 0, NULL, 0, "Common options:", 10 },
    { "set", SET, "KEY=VALUE", 0, "change a value of the experiment", 10 },
    { "threads", THREADS, "N", 0, "threads (default: one per usable CPU)", 10 },
    { "memory", MEMORY, "BYTES", 0,
      "most memory to be resident, mapped weights included, as 8G (default: activations take half "
      "of what is free)",
      10 },
    { "precision", PRECISION, "WORD", 0, "f32 (default), bf16, bf16x2 or auto", 10 },
    { "plugin", PLUGIN, "FILE", 0, "load a plugin", 10 },
    { "trust-plugins", TRUST, NULL, 0, "load the plugins that the experiment's file names", 10 },
    { "quiet", QUIET, NULL, 0, "only warnings and errors", 10 },
    { "verbose", VERBOSE, NULL, 0, "also what helps to find faults", 10 },
    { 0 },
};

bool cull_parse_bytes(const char *text, uint64_t *out)
{
    static const char units[] = "kmgtp";
    char *end;

    const size_t plain = strspn(text, "0123456789.");
    const double value = strtod(text, &end);
    if (end == text || end != text + plain)
        return false;
    double scale = 1;
    if (*end && *end != 'B') {
        const char lower = (char)(*end | 0x20);
        const char *unit = strchr(units, lower);
        if (!unit)
            return false;
        scale = ldexp(1, 10 * (int)(unit - units + 1));
        end++;
        if (*end == 'i' && end[1] == 'B')
            end++;
    }
    if (*end == 'B')
        end++;
    if (*end || value * scale >= 0x1p63)
        return false;
    *out = (uint64_t)(value * scale);
    return true;
}

static void append(struct argp_state *state, const char ***list, size_t *n, const char *text)
{
    const char **more = cull_grow(*list, *n, *n + 1, sizeof *more);

    if (!more)
        argp_failure(state, CULL_EXIT_ENVIRONMENT, 0, "out of memory");
    *list = more;
    (*list)[(*n)++] = text;
}

static void parse_threads(struct argp_state *state, const char *text, size_t *out)
{
    char *end;

    errno = 0;
    const unsigned long n = strtoul(text, &end, 10);
    if (end == text || *end || errno || n < 1 || n > 4096 || *text == '-')
        argp_error(state, "--threads: \"%s\" is not a number of threads", text);
    *out = n;
}

static void parse_precision(struct argp_state *state, const char *text, const char **out)
{
    static const char *const words[] = { "auto", "f32", "bf16", "bf16x2" };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i], text) == 0)
            *out = words[i];
    if (!*out || strcmp(*out, text) != 0)
        argp_error(state, "--precision: \"%s\" is none of auto, f32, bf16, bf16x2", text);
}

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
    cull_options *o = state->input;

    switch (key) {
    case SET:
        if (!strchr(arg, '=') || *arg == '=')
            argp_error(state, "--set: \"%s\" is not KEY=VALUE", arg);
        append(state, &o->set, &o->n_set, arg);
        return 0;
    case PLUGIN:
        append(state, &o->plugins, &o->n_plugins, arg);
        return 0;
    case THREADS:
        parse_threads(state, arg, &o->threads);
        return 0;
    case MEMORY:
        if (!cull_parse_bytes(arg, &o->memory) || !o->memory)
            argp_error(state, "--memory: \"%s\" is not a number of bytes, as 8G", arg);
        return 0;
    case PRECISION:
        parse_precision(state, arg, &o->precision);
        return 0;
    case TRUST:
        o->trust_plugins = true;
        return 0;
    case QUIET:
        o->quiet = true;
        return 0;
    case VERBOSE:
        o->verbose = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

typedef struct inputs {
    void *own, *common;
} inputs;

static error_t hand_inputs(int key, char *arg, struct argp_state *state)
{
    const inputs *in = state->input;

    (void)arg;
    if (key != ARGP_KEY_INIT)
        return ARGP_ERR_UNKNOWN;
    state->child_inputs[0] = in->own;
    state->child_inputs[1] = in->common;
    return 0;
}

static error_t no_arguments(int key, char *arg, struct argp_state *state)
{
    if (key == ARGP_KEY_ARG)
        argp_error(state, "\"%s\" is one argument too many", arg);
    return ARGP_ERR_UNKNOWN;
}

void cull_cli_parse(cull_cli *cli, const cull_usage *usage, void *input, int argc, char **argv)
{
    const struct argp own = { .options = usage->options,
                              .parser = usage->parse ? usage->parse : no_arguments };
    const struct argp shared = { .options = common, .parser = parse_common };
    const struct argp_child children[] = { { &own, 0, NULL, 0 }, { &shared, 0, NULL, 10 }, { 0 } };
    const struct argp argp = {
        .parser = hand_inputs, .args_doc = usage->arguments, .doc = usage->doc, .children = children
    };
    inputs in = { input, &cli->options };

    const error_t failed = argp_parse(&argp, argc, argv, 0, NULL, &in);
    if (failed) {
        fprintf(stderr, "error: %s\n", strerror(failed));
        exit(CULL_EXIT_ENVIRONMENT);
    }
}
