// cull trace MODEL --ids FILE.jsonl -o OUT.h5: everything the layers compute, of a model or one of
// its variants, for comparison with others.
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/read_file.h"
#include "cli/commands.h"
#include "cli/model.h"
#include "math/rows.h"
#include "plan/cost/memory.h"
#include "record/trace_file.h"

typedef struct request {
    const char *model, *ids, *out, *cut;
} request;

enum { IDS = 0x200, CUT };

static const struct argp_option options[] = {
    { "ids", IDS, "FILE.jsonl", 0, "one JSON array of token ids a line, all equally long", 0 },
    { "output", 'o', "OUT.h5", 0, "the file to write", 0 },
    { "cut", CUT, "TRIAL", 0, "a trial's .h5 file or a cut's .safetensors file: trace that variant",
      0 },
    { 0 },
};

static const cull_sets sets[] = {
    CULL_SET_TEXT(ARGP_KEY_ARG, request, model),
    CULL_SET_TEXT(IDS, request, ids),
    CULL_SET_TEXT('o', request, out),
    CULL_SET_TEXT(CUT, request, cut),
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    const request *r = state->input;

    (void)arg;
    if (key != ARGP_KEY_END)
        return ARGP_ERR_UNKNOWN;
    if (!r->model || !r->ids || !r->out)
        argp_error(state, "three things are needed: cull trace MODEL --ids FILE.jsonl -o OUT.h5");
    return 0;
}

// ---- token ids ----

typedef struct sequences {
    size_t n, len, room;
    int32_t *ids; // (n, len)
} sequences;

static cull_status add_sequence(cull_ctx *ctx, const cull_model_facts *facts, const json_t *array,
                                sequences *s)
{
    const size_t len = json_array_size(array);

    if (!json_is_array(array) || len == 0)
        return cull_fail(ctx, CULL_EFORMAT, "not an array of token ids");
    if (s->n > 0 && len != s->len)
        return cull_fail(ctx, CULL_EFORMAT, "%zu token ids, but the lines before have %zu", len,
                         s->len);
    if (len > facts->max_positions)
        return cull_fail(ctx, CULL_EFORMAT, "%zu token ids, but the model has %zu positions", len,
                         facts->max_positions);
    if (s->n == s->room) {
        const size_t room = s->room ? 2 * s->room : 8;
        int32_t *more = cull_take(ctx, room * len, sizeof *more);
        if (!more)
            return CULL_ENOMEM;
        if (s->n > 0)
            memcpy(more, s->ids, s->n * len * sizeof *more);
        s->ids = more;
        s->room = room;
    }
    for (size_t i = 0; i < len; i++) {
        const json_t *id = json_array_get(array, i);
        const json_int_t number = json_integer_value(id);
        if (!json_is_integer(id) || number < 0 || (size_t)number >= facts->V)
            return cull_fail(ctx, CULL_EFORMAT, "entry %zu is no token id below %zu", i + 1,
                             facts->V);
        s->ids[s->n * len + i] = (int32_t)number;
    }
    s->len = len;
    s->n++;
    return CULL_OK;
}

static cull_status read_sequences(cull_ctx *ctx, const char *path, const cull_model_facts *facts,
                                  sequences *s)
{
    const char *bytes;
    size_t n, number = 0;

    *s = (sequences){ 0 };
    CULL_TRY(cull_read_file(ctx, path, &bytes, &n));
    for (const char *line = bytes, *end = bytes + n; line < end; number++) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        const size_t length = (size_t)((stop ? stop : end) - line);
        if (strspn(line, " \t\r") < length) {
            json_t *array;
            CULL_TRY(cull_json_line(ctx, path, number + 1, line, length, 0, &array));
            const cull_status status = add_sequence(ctx, facts, array, s);
            json_decref(array);
            CULL_TRY(cull_while(ctx, status, "reading line %zu of %s", number + 1, path));
        }
        line += length + 1;
    }
    return s->n ? CULL_OK : cull_fail(ctx, CULL_EFORMAT, "%s: no token ids in it", path);
}

// ---- the trace ----

// Everything that is traced is kept until it is written.
static cull_status check_memory(cull_ctx *ctx, const cull_prepared_model *prepared,
                                const sequences *s, const cull_cut *cut, uint64_t memory)
{
    const cull_model_facts *facts = prepared->opened.facts;
    const double N = (double)(s->n * s->len);
    double numbers = (double)facts->V + (double)(facts->L + 1) * (double)facts->D;

    for (size_t l = 0; l < facts->L; l++)
        numbers += (double)(prepared->layer[l]->E + 2 * prepared->layer[l]->K);
    const double kept = N * numbers * sizeof(float) + cull_cut_bytes(ctx, cut);
    const cull_memory_need need = cull_need_of_rows(prepared, N, (double)s->len, kept);
    return cull_memory_suffices(ctx, facts->source, &need, memory);
}

static cull_status make_router_room(cull_ctx *ctx, const cull_prepared_model *prepared,
                                    cull_trace *t)
{
    const size_t L = prepared->opened.facts->L, N = t->n_seq * t->len;

    t->router_logits = cull_take(ctx, L, sizeof *t->router_logits);
    t->router_index = cull_take(ctx, L, sizeof *t->router_index);
    t->router_gate = cull_take(ctx, L, sizeof *t->router_gate);
    if (!t->router_logits || !t->router_index || !t->router_gate)
        return CULL_ENOMEM;
    for (size_t l = 0; l < L; l++) {
        const cull_layer_facts *layer = prepared->layer[l];
        if (layer->E == 0)
            continue;
        t->router_logits[l] = cull_take(ctx, N * layer->E, sizeof(float));
        t->router_index[l] = cull_take(ctx, N * layer->K, sizeof(int32_t));
        t->router_gate[l] = cull_take(ctx, N * layer->K, sizeof(float));
        if (!t->router_logits[l] || !t->router_index[l] || !t->router_gate[l])
            return CULL_ENOMEM;
    }
    return CULL_OK;
}

// The variant to trace; NULL: the model as it is.
static cull_status read_cut(cull_cli *cli, const request *r, const cull_prepared_model *prepared,
                            cull_cut **out)
{
    cull_recipe recipe;

    *out = NULL;
    if (!r->cut)
        return CULL_OK;
    CULL_TRY(cull_recipe_read(&cli->context.ctx, r->cut, &recipe));
    return cull_model_cut(cli, &recipe, prepared, r->out, out);
}

// Weights that are no numbers have been named when they were read; but numbers can overflow.
static cull_status check_logits(cull_ctx *ctx, const cull_trace *t, size_t V)
{
    for (size_t i = 0; i < t->n_seq * t->len; i++)
        if (!cull_row_is_finite(V, t->logits + i * V))
            return cull_fail(ctx, CULL_ENUMERIC,
                             "a logit of token %zu of sequence %zu is not a number: what the "
                             "weights yield does not fit float32",
                             i % t->len + 1, i / t->len + 1);
    return CULL_OK;
}

static cull_status trace(cull_cli *cli, const request *r, cull_prepared_model *prepared)
{
    cull_ctx *ctx = &cli->context.ctx;
    sequences s;
    cull_cut *cut;

    CULL_TRY(cull_model_open(cli, r->model, CULL_OPEN_WEIGHTS, prepared));
    const cull_model_facts *facts = prepared->opened.facts;
    CULL_TRY(read_sequences(ctx, r->ids, facts, &s));
    CULL_TRY(read_cut(cli, r, prepared, &cut));
    CULL_TRY(check_memory(ctx, prepared, &s, cut, cli->options.memory));
    const size_t N = s.n * s.len;
    cull_trace t = { .n_seq = s.n, .len = s.len, .ids = s.ids };
    t.logits = cull_take(ctx, N * facts->V, sizeof(float));
    t.hidden = cull_take(ctx, (facts->L + 1) * N * facts->D, sizeof(float));
    if (!t.logits || !t.hidden)
        return CULL_ENOMEM;
    CULL_TRY(make_router_room(ctx, prepared, &t));
    cull_engine_options engine = { .memory = cli->options.memory };
    if (cli->options.precision)
        (void)cull_precision_of(cli->options.precision, &engine.precision); // parsed already
    CULL_TRY(cull_trace_pass(ctx, &prepared->opened, &engine, cut, &t));
    CULL_TRY(check_logits(ctx, &t, facts->V));
    cull_cli_results(cli);
    return cull_trace_write(ctx, r->out, &prepared->opened, &t);
}

int cull_cmd_trace(cull_cli *cli, int argc, char **argv)
{
    static const cull_usage usage = {
        .arguments = "MODEL",
        .doc = "Write what every layer of a model computes for the given token ids to an HDF5 "
               "file: logits, hidden states, and what the routers see, choose and weigh.",
        .options = options,
        .parse = parse,
        .takes = CULL_TAKES_MEMORY | CULL_TAKES_RESULTS | CULL_TAKES_PRECISION,
        .sets = sets,
    };
    request r = { 0 };
    cull_prepared_model prepared = { 0 };

    cull_cli_parse(cli, &usage, &r, argc, argv);
    cull_status status = cull_cli_begin(cli);
    if (status == CULL_OK)
        status = trace(cli, &r, &prepared);
    cull_prepared_model_close(&prepared);
    return status == CULL_OK ? CULL_EXIT_DONE : cull_cli_failed(cli, status);
}
