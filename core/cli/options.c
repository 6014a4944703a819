// The options that all commands have.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "cli/cli.h"

enum {
    SET = 's',
    QUIET = 'q',
    VERBOSE = 'v',
    THREADS = 't',
    MEMORY = 'm',
    PRECISION = 0x100,
    PLUGIN,
    TRUST,
    UNSEALED
};

static const struct {
    unsigned takes; // of which a command must take one; 0: all commands have it
    struct argp_option option;
} common[] = {
    { 0, { NULL, 0, NULL, 0, "Common options:", 10 } },
    { CULL_TAKES_EXPERIMENT,
      { "set", SET, "KEY=VALUE", CULL_MAY_REPEAT,
        "change a value of the experiment; KEY+=VALUE appends to a list, ~KEY deletes", 10 } },
    { 0, { "threads", THREADS, "N", 0, "threads (default: one per usable CPU)", 10 } },
    { CULL_TAKES_MEMORY,
      { "memory", MEMORY, "BYTES", 0,
        "most memory to be resident, mapped weights included, as 8G (default: activations take "
        "half of what is free)",
        10 } },
    { CULL_TAKES_EXPERIMENT | CULL_TAKES_PRECISION,
      { "precision", PRECISION, "WORD", 0, "f32 (default), bf16, bf16x2 or auto", 10 } },
    { 0, { "plugin", PLUGIN, "FILE", CULL_MAY_REPEAT, "load a plugin", 10 } },
    { CULL_TAKES_EXPERIMENT,
      { "trust-plugins", TRUST, NULL, 0, "load the plugins that the experiment's file names",
        10 } },
    { CULL_TAKES_RESULTS,
      { "unsealed", UNSEALED, NULL, 0,
        "read results without a checksum, too, as other programs write them", 10 } },
    { 0, { "quiet", QUIET, NULL, 0, "only errors, and warnings that come before the work", 10 } },
    { 0, { "verbose", VERBOSE, NULL, 0, "also what helps to find faults", 10 } },
};
enum { N_COMMON = sizeof common / sizeof *common };

error_t cull_cli_append(const char ***list, size_t *n, const char *text)
{
    const char **more = cull_grow(*list, *n, *n + 1, sizeof *more);

    if (!more)
        return ENOMEM;
    more[(*n)++] = text;
    *list = more;
    return 0;
}

static void append(struct argp_state *state, const char ***list, size_t *n, const char *text)
{
    if (cull_cli_append(list, n, text))
        argp_failure(state, CULL_EXIT_ENVIRONMENT, 0, "out of memory");
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

static const cull_sets common_sets[] = {
    CULL_SET_FLAG(TRUST, cull_options, trust_plugins),
    CULL_SET_FLAG(UNSEALED, cull_options, unsealed),
    CULL_SET_FLAG(QUIET, cull_options, quiet),
    CULL_SET_FLAG(VERBOSE, cull_options, verbose),
    { 0 },
};

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
    cull_options *o = state->input;

    switch (key) {
    case SET:
        if (*arg == '~' ? !arg[1] : !strchr(arg, '=') || *arg == '=')
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
    case ARGP_KEY_END:
        if (o->quiet && o->verbose)
            argp_error(state, "--quiet and --verbose exclude each other");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

// ---- both tables ----

enum { MOST_OPTIONS = 48 };

typedef struct table { // of options, and who parses them
    const struct argp_option *options;
    const cull_sets *sets; // those that only set a field; or NULL
    argp_parser_t parse;   // all others
    void *input;
    const struct argp_option *seen[MOST_OPTIONS];
    size_t n_seen;
} table;

static const struct argp_option *row_of(const table *t, int key)
{
    for (const struct argp_option *o = t->options; o && (o->name || o->key || o->doc); o++)
        if (o->key == key)
            return o;
    return NULL;
}

// Of two values one would be dropped.
static void check_once(table *t, int key, struct argp_state *state)
{
    const struct argp_option *row = row_of(t, key);

    if (!row || !row->arg || (row->flags & CULL_MAY_REPEAT))
        return;
    for (size_t i = 0; i < t->n_seen; i++)
        if (t->seen[i] == row)
            argp_error(state, "--%s is given twice", row->name);
    if (t->n_seen < MOST_OPTIONS)
        t->seen[t->n_seen++] = row;
}

// false: the key does not only set a field.
static bool set_field(const table *t, int key, const char *arg, const struct argp_state *state)
{
    const cull_sets *s = t->sets;

    while (s && s->what && s->key != key)
        s++;
    if (!s || !s->what)
        return false;
    void *field = (char *)t->input + s->at;
    if (s->what == CULL_SETS_FLAG) {
        *(bool *)field = true;
        return true;
    }
    const char **text = field;
    if (key == ARGP_KEY_ARG && *text)
        argp_error(state, "\"%s\" is one argument too many", arg);
    *text = arg;
    return true;
}

static error_t parse_table(int key, char *arg, struct argp_state *state)
{
    table *t = state->input;

    if (t && key > 0 && key < ARGP_KEY_END)
        check_once(t, key, state);
    if (!t)
        return ARGP_ERR_UNKNOWN;
    if (set_field(t, key, arg, state))
        return 0;
    state->input = t->input;
    const error_t error = t->parse(key, arg, state);
    state->input = t;
    return error;
}

typedef struct inputs {
    table own, common;
} inputs;

static error_t hand_inputs(int key, char *arg, struct argp_state *state)
{
    inputs *in = state->input;

    (void)arg;
    if (key != ARGP_KEY_INIT)
        return ARGP_ERR_UNKNOWN;
    state->child_inputs[0] = &in->own;
    state->child_inputs[1] = &in->common;
    return 0;
}

static error_t no_arguments(int key, char *arg, struct argp_state *state)
{
    if (key == ARGP_KEY_ARG)
        argp_error(state, "\"%s\" is one argument too many", arg);
    return ARGP_ERR_UNKNOWN;
}

// The common options that a command takes.
static void choose(unsigned takes, struct argp_option out[N_COMMON + 1])
{
    size_t n = 0;

    for (size_t i = 0; i < N_COMMON; i++)
        if (!common[i].takes || (common[i].takes & takes))
            out[n++] = common[i].option;
    out[n] = (struct argp_option){ 0 };
}

void cull_cli_parse(cull_cli *cli, const cull_usage *usage, void *input, int argc, char **argv)
{
    struct argp_option shown[N_COMMON + 1];

    choose(usage->takes, shown);
    inputs in = {
        .own = { .options = usage->options,
                 .sets = usage->sets,
                 .parse = usage->parse ? usage->parse : no_arguments,
                 .input = input },
        .common = { .options = shown,
                    .sets = common_sets,
                    .parse = parse_common,
                    .input = &cli->options },
    };
    const struct argp own = { .options = usage->options, .parser = parse_table };
    const struct argp shared = { .options = shown, .parser = parse_table };
    const struct argp_child children[] = { { &own, 0, NULL, 0 }, { &shared, 0, NULL, 10 }, { 0 } };
    const struct argp argp = {
        .parser = hand_inputs, .args_doc = usage->arguments, .doc = usage->doc, .children = children
    };

    const error_t failed = argp_parse(&argp, argc, argv, 0, NULL, &in);
    if (failed) {
        fprintf(stderr, "error: %s\n", strerror(failed));
        exit(CULL_EXIT_ENVIRONMENT);
    }
}
