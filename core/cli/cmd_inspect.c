// cull inspect MODEL: what a checkpoint is, and whether it can be used.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "cli/commands.h"
#include "cli/model.h"
#include "plan/cost/memory.h"
#include "plan/cost/rates.h"

typedef struct request {
    const char *model;
} request;

static const cull_sets sets[] = {
    CULL_SET_TEXT(ARGP_KEY_ARG, request, model),
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    if (key == ARGP_KEY_NO_ARGS)
        argp_error(state, "a model is needed: cull inspect MODEL");
    return ARGP_ERR_UNKNOWN;
}

static const char *amount(double n, char *buf, size_t size)
{
    static const char *const units[] = { "", " k", " M", " G", " T" };
    size_t u = 0;

    for (; n >= 1000 && u < 4; u++)
        n /= 1000;
    snprintf(buf, size, u ? "%.2f%s" : "%.0f%s", n, units[u]);
    return buf;
}

// "16 experts, 2 per token" where all layers with experts agree, else the range.
static void print_range(const char *what, const cull_prepared_model *s,
                        size_t (*of)(const cull_layer_facts *))
{
    size_t lo = SIZE_MAX, hi = 0;

    for (size_t l = 0; l < s->opened.facts->L; l++) {
        const size_t n = of(s->layer[l]);
        if (s->layer[l]->E == 0)
            continue;
        lo = n < lo ? n : lo;
        hi = n > hi ? n : hi;
    }
    if (lo == hi)
        printf("%-16s %zu\n", what, lo);
    else if (hi > 0)
        printf("%-16s %zu to %zu\n", what, lo, hi);
}

static size_t experts(const cull_layer_facts *l)
{
    return l->E;
}
static size_t chosen(const cull_layer_facts *l)
{
    return l->K;
}
static size_t width(const cull_layer_facts *l)
{
    return l->F;
}

static void print_routing(const cull_prepared_model *s)
{
    size_t dense = 0;
    const cull_layer_facts *first = NULL;

    for (size_t l = 0; l < s->opened.facts->L; l++) {
        dense += s->layer[l]->E == 0;
        if (s->layer[l]->E > 0 && !first)
            first = s->layer[l];
    }
    printf("%-16s %zu%s", "layers", s->opened.facts->L, dense ? "" : "\n");
    if (dense)
        printf(", %zu of them dense\n", dense);
    print_range("experts", s, experts);
    print_range("per token", s, chosen);
    print_range("expert width", s, width);
    if (!first)
        return;
    if (first->n_group > 1)
        printf("%-16s %zu of %zu\n", "expert groups", first->topk_group, first->n_group);
    printf("%-16s %s%s%s\n", "routing",
           first->renormalise ? "gates renormalised" : "gates as they are",
           first->gate_on_input ? ", on the experts' input" : "",
           first->has_side ? ", with shared or parallel parts" : "");
}

static void print_count(const char *what, uint64_t n, uint64_t of)
{
    char a[32];

    printf("%-16s %s (%" PRIu64, what, amount((double)n, a, sizeof a), n);
    if (of)
        printf(", %.1f %%", 100 * (double)n / (double)of);
    puts(")");
}

static void print_params(const cull_model_facts *f)
{
    char a[32];

    print_count("parameters", f->params_total, 0);
    print_count("active", f->params_active, f->params_total);
    print_count("routed experts", f->params_expert, f->params_total);
    printf("%-16s %s, %sB\n", f->no_weights ? "would be stored" : "stored as", f->dtype,
           amount((double)f->bytes, a, sizeof a));
    if (f->no_weights)
        printf("%-16s %s\n", "weights", f->no_weights);
}

// Of a pass over some thousand tokens; with --memory, of one that keeps to it.
static cull_status print_memory(cull_cli *cli, const cull_prepared_model *s)
{
    static const double rows = 16384;
    const cull_model_facts *f = s->opened.facts;
    const uint64_t memory = cli->options.memory;
    const uint32_t groups = CULL_STAT_ROUTING | CULL_STAT_COACTIVATION | CULL_STAT_OUTPUT_NORM |
                            CULL_STAT_OUTPUT_MOMENTS | CULL_STAT_EASY_EP | CULL_STAT_LOGIT_GRAM |
                            CULL_STAT_INPUT_SQUARES | CULL_STAT_DENSE_MEAN | CULL_STAT_GATE_RATIO;
    char a[32], b[32];
    const double stats = (double)cull_stats_store_bytes(f, s->layer, groups);
    const double calibration = cull_rows_peak(s, rows, 0, stats, memory);

    printf("%-16s calibration about %sB, evaluation about %sB (16 k tokens at once)\n",
           "memory needed", amount(calibration, a, sizeof a),
           amount(cull_rows_peak(s, rows, 0, 0, memory), b, sizeof b));
    cull_rates rates;
    CULL_TRY(cull_rates_here(&cli->context.ctx, &rates));
    const double speed = cull_product_rate(&rates, rows, (double)f->D);
    printf("%-16s about %.0f s for a pass over them\n", "time needed",
           ceil(2 * rows * (double)f->params_active / speed));
    const cull_memory_need need = cull_need_of_rows(s, rows, 0, stats);
    return cull_memory_suffices(&cli->context.ctx, f->source, &need, memory);
}

// A checkpoint without a tokenizer can still be traced and fed token ids: that is a remark, no
// failure.
static void print_tokenizer(cull_cli *cli, bool ok, const cull_prepared_model *text,
                            const cull_prepared_model *s)
{
    if (ok) {
        const cull_model_facts *f = text->opened.facts;
        printf("%-16s vocabulary %zu, BOS %d%s, EOS %d\n", "tokenizer", s->opened.facts->V, f->bos,
               f->adds_bos ? " (put in front)" : "", f->eos);
    } else {
        printf("%-16s cannot be used: %s\n", "tokenizer", cli->context.error.sentence);
        cull_error_clear(&cli->context.ctx);
    }
    printf("%-16s %zu\n", "positions", s->opened.facts->max_positions);
}

// What a cut may take, and what of it a checkpoint can say.
static void print_uses(const cull_prepared_model *s)
{
    const cull_model_facts *f = s->opened.facts;
    uint64_t whole = 0;
    size_t least = 0;

    for (size_t l = 0; l < f->L; l++) {
        least = s->layer[l]->K > least ? s->layer[l]->K : least;
        whole += (uint64_t)s->layer[l]->E * s->layer[l]->expert_params;
    }
    if (whole > f->params_expert)
        printf("%-16s no: there are constants in the place of experts\n", "can be pruned");
    else if (least)
        printf(
            "%-16s experts, to %zu a layer, or all to zeros or constants; weights of every part\n",
            "can be pruned", least);
    else
        printf("%-16s weights only: there are no experts\n", "can be pruned");
    if (f->exports)
        printf("%-16s %s\n", "can be exported", f->exports);
}

// How the checkpoint wants its answers, where that is not plain greedy decoding to one EOS.
static void print_answers(const cull_model_facts *f)
{
    if (f->no_answers)
        printf("%-16s cannot be generated: %s\n", "answers", f->no_answers);
    if (f->n_stop > 1)
        printf("%-16s end at any of %zu ids\n", "answers", f->n_stop);
    if (f->max_new)
        printf("%-16s take max_new_tokens, %zu, for the longest, whatever a task says\n", "answers",
               f->max_new);
    if (f->repetition_penalty != 0 && f->repetition_penalty != 1)
        printf("%-16s are generated with repetition_penalty %g\n", "answers",
               f->repetition_penalty);
}

// What every other command warns of.
static void print_notes(size_t n, const char *const *texts)
{
    for (size_t i = 0; i < n; i++)
        printf("%-16s %s\n", i ? "" : "notes", texts[i]);
}

// All that plugins say is asked before the first line is printed.
static cull_status show(cull_cli *cli, const char *model, const cull_prepared_model *s)
{
    const char *const *notes;
    const size_t n = cull_prepared_model_notes(s, &notes);
    cull_prepared_model text;
    const cull_status opened = cull_model_examine(cli, model, CULL_OPEN_TOKENIZER, &text);
    const bool ok = opened == CULL_OK;

    if (opened == CULL_ENOMEM) { // which says nothing of the tokenizer
        cull_prepared_model_close(&text);
        return opened;
    }
    cull_cli_results(cli);
    printf("%-16s %s\n", "model", s->opened.facts->source);
    printf("%-16s %s\n", "architecture", s->opened.facts->arch);
    printf("%-16s %s\n", "fingerprint", s->opened.facts->fingerprint);
    print_routing(s);
    print_params(s->opened.facts);
    print_tokenizer(cli, ok, &text, s);
    cull_prepared_model_close(&text);
    const cull_status status = print_memory(cli, s);
    print_uses(s);
    print_answers(s->opened.facts);
    print_notes(n, notes);
    return status;
}

int cull_cmd_inspect(cull_cli *cli, int argc, char **argv)
{
    static const cull_usage usage = {
        .arguments = "MODEL",
        .doc = "Show a model's architecture, size and tokenizer, and what memory it needs. Exit "
               "status 3 and the reason where the checkpoint cannot be used.",
        .parse = parse,
        .takes = CULL_TAKES_MEMORY,
        .sets = sets,
    };
    request r = { 0 };
    cull_prepared_model prepared = { 0 };

    cull_cli_parse(cli, &usage, &r, argc, argv);
    cull_status status = cull_cli_begin(cli);
    if (status == CULL_OK)
        status = cull_model_examine(cli, r.model, CULL_OPEN_WEIGHTS | CULL_OPEN_SHAPES, &prepared);
    if (status == CULL_OK)
        status = show(cli, r.model, &prepared);
    cull_prepared_model_close(&prepared);
    if (status == CULL_OK)
        return CULL_EXIT_DONE;
    cull_cli_failed(cli, status);
    return CULL_EXIT_ENVIRONMENT;
}
