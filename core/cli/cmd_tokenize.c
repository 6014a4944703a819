// cull tokenize MODEL: {"text": …} to {"ids": […]}, line by line; --decode the other way round.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/model.h"

typedef struct request {
    const char *model;
    bool no_special, decode;
} request;

enum { NO_SPECIAL = 0x200, DECODE };

static const struct argp_option options[] = {
    { "no-special", NO_SPECIAL, NULL, 0, "without what the post-processor adds", 0 },
    { "decode", DECODE, NULL, 0, "from {\"ids\": […]} to {\"text\": …}, without special tokens",
      0 },
    { 0 },
};

static const cull_sets sets[] = {
    CULL_SET_TEXT(ARGP_KEY_ARG, request, model),
    CULL_SET_FLAG(NO_SPECIAL, request, no_special),
    CULL_SET_FLAG(DECODE, request, decode),
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    const request *r = state->input;

    (void)arg;
    if (key == ARGP_KEY_NO_ARGS)
        argp_error(state, "a model is needed: cull tokenize MODEL");
    if (key == ARGP_KEY_END && r->decode && r->no_special)
        argp_error(state, "--no-special has no effect with --decode, which leaves them out");
    return key == ARGP_KEY_NO_ARGS || key == ARGP_KEY_END ? 0 : ARGP_ERR_UNKNOWN;
}

static cull_status put(cull_ctx *ctx, const cull_buf *out, FILE *to)
{
    if (out->failed)
        return cull_no_memory(ctx);
    if (fwrite(out->s, 1, out->n, to) != out->n)
        return cull_fail(ctx, CULL_EIO, "the results cannot be written to stdout");
    return CULL_OK;
}

static cull_status encode(cull_ctx *ctx, const cull_text *text, uint32_t flags, const json_t *value,
                          cull_buf *out)
{
    int32_t *ids;
    size_t n;

    if (!json_is_string(value))
        return cull_fail(ctx, CULL_EFORMAT, "there is no \"text\"");
    CULL_TRY(text->encode(ctx, text, json_string_value(value), json_string_length(value), flags,
                          &ids, &n));
    cull_buf_puts(out, "{\"ids\": [");
    for (size_t i = 0; i < n; i++)
        cull_buf_printf(out, "%s%d", i ? ", " : "", ids[i]);
    cull_buf_puts(out, "]}\n");
    return CULL_OK;
}

static cull_status decode(cull_ctx *ctx, const cull_text *text, const json_t *value, cull_buf *out)
{
    const size_t n = json_array_size(value);
    int32_t *ids = cull_take(ctx, n + 1, sizeof *ids);
    char *s;
    size_t len;

    if (!ids)
        return CULL_ENOMEM;
    if (!json_is_array(value))
        return cull_fail(ctx, CULL_EFORMAT, "there is no \"ids\"");
    for (size_t i = 0; i < n; i++) {
        const json_t *id = json_array_get(value, i);
        const json_int_t number = json_integer_value(id);
        if (!json_is_integer(id) || number < 0 || number > INT32_MAX)
            return cull_fail(ctx, CULL_EFORMAT, "\"ids\" holds what is no token id");
        ids[i] = (int32_t)number;
    }
    CULL_TRY(text->decode(ctx, text, ids, n, CULL_KNOWN, &s, &len));
    cull_buf_puts(out, "{\"text\": ");
    cull_buf_json(out, s, len);
    cull_buf_puts(out, "}\n");
    return CULL_OK;
}

static cull_status convert_line(cull_ctx *ctx, const cull_text *text, const request *r,
                                size_t number, const char *line, size_t n, cull_buf *out)
{
    json_t *root;

    CULL_TRY(cull_json_line(ctx, "stdin", number, line, n, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES,
                            &root));
    const uint32_t flags = r->no_special ? 0 : CULL_SPECIAL;
    const cull_status status = r->decode
                                   ? decode(ctx, text, json_object_get(root, "ids"), out)
                                   : encode(ctx, text, flags, json_object_get(root, "text"), out);
    json_decref(root);
    return status;
}

static cull_status convert_all(cull_cli *cli, cull_prepared_model *prepared, const request *r,
                               FILE *to)
{
    cull_ctx *ctx = &prepared->context.ctx;
    cull_buf out = CULL_BUF_INIT;
    char *line = NULL;
    size_t room = 0, number = 0;
    ssize_t n;
    cull_status status = CULL_OK;

    while (status == CULL_OK && (n = getline(&line, &room, stdin)) >= 0) {
        const cull_mark mark = cull_arena_mark(prepared->context.alloc);
        number++;
        cull_buf_clear(&out);
        if (strspn(line, " \t\r\n") < (size_t)n)
            status = convert_line(ctx, &prepared->text, r, number, line, (size_t)n, &out);
        if (status == CULL_OK && out.n > 0)
            status = put(ctx, &out, to);
        cull_arena_rewind(prepared->context.alloc, mark);
        cull_arena_clear(prepared->context.scratch);
    }
    if (status == CULL_OK && ferror(stdin))
        status = cull_fail(ctx, CULL_EIO, "stdin cannot be read");
    free(line); // getline's
    cull_buf_release(&out);
    if (status != CULL_OK)
        cull_error_copy(&cli->context.ctx, ctx);
    return cull_while(&cli->context.ctx, status, "reading line %zu", number);
}

int cull_cmd_tokenize(cull_cli *cli, int argc, char **argv)
{
    static const cull_usage usage = {
        .arguments = "MODEL",
        .doc = "Turn lines {\"text\": …} of stdin into lines {\"ids\": […]}. MODEL is a folder, "
               "which need only hold tokenizer.json, or the id of a model in the local Hub cache.",
        .options = options,
        .parse = parse,
        .sets = sets,
    };
    request r = { 0 };
    cull_prepared_model prepared = { 0 };

    cull_cli_parse(cli, &usage, &r, argc, argv);
    cull_status status = cull_cli_begin(cli);
    if (status == CULL_OK)
        status = cull_model_open(cli, r.model, CULL_OPEN_TOKENIZER, &prepared);
    FILE *out = status == CULL_OK ? cull_cli_stream(cli) : NULL;
    if (status == CULL_OK)
        status = out ? convert_all(cli, &prepared, &r, out) : CULL_EIO;
    if (out) {
        const cull_status closed = cull_cli_close(cli, out);
        status = status == CULL_OK ? closed : status;
    }
    cull_prepared_model_close(&prepared);
    return status == CULL_OK ? CULL_EXIT_DONE : cull_cli_failed(cli, status);
}
