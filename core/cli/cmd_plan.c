// cull plan EXPERIMENT.yaml: the matrix of trials, what they share, what they cost; nothing is
// computed.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/amount.h"
#include "cli/commands.h"
#include "cli/plan_state.h"
#include "plan/cost/time.h"
#include "plan/remarks.h"

typedef struct request {
    const char *file, *folder;
    cull_only only;
    cull_machines machines; // ranks 0: not asked for
    bool json;
} request;

enum { RANKS = 0x200, NETWORK, DISK, RATE, JSON };

static const double network = 1.25e9, disk = 2e9; // 10 GbE; a good disk, or a shared file system

static const struct argp_option options[] = {
    { "output", 'o', "DIR", 0, "the folder of the results (default: results/<name>)", 0 },
    { "json", JSON, NULL, 0, "all of it as one JSON object", 0 },
    CULL_ONLY_OPTION,
    { "ranks", RANKS, "N", 0, "also what it would take on so many ranks of mpirun or srun", 0 },
    { "network", NETWORK, "GB/S", 0, "what rank 0 can receive (default: 1.25)", 0 },
    { "disk", DISK, "GB/S", 0, "at which each rank reads weights (default: 2)", 0 },
    { "rate", RATE, "GF", 0, "at which each rank multiplies (default: as this machine)", 0 },
    { 0 },
};

static double parse_number(struct argp_state *state, const char *option, const char *text)
{
    char *end;
    const double number = strtod(text, &end);

    if (end == text || *end || !(number > 0) || isinf(number))
        argp_error(state, "--%s: \"%s\" is not a number above 0", option, text);
    return number;
}

static size_t parse_ranks(struct argp_state *state, const char *text)
{
    const double number = parse_number(state, "ranks", text);

    if (number != floor(number) || number > 65536)
        argp_error(state, "--ranks: \"%s\" is not a number of ranks", text);
    return (size_t)number;
}

static const cull_sets sets[] = {
    CULL_SET_TEXT(ARGP_KEY_ARG, request, file),
    CULL_SET_TEXT('o', request, folder),
    CULL_SET_FLAG(JSON, request, json),
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    request *r = state->input;

    switch (key) {
    case CULL_ONLY:
        return cull_only_parse(arg, &r->only);
    case RANKS:
        r->machines.ranks = parse_ranks(state, arg);
        return 0;
    case NETWORK:
        r->machines.network = 1e9 * parse_number(state, "network", arg);
        return 0;
    case DISK:
        r->machines.disk = 1e9 * parse_number(state, "disk", arg);
        return 0;
    case RATE:
        r->machines.rate = 1e9 * parse_number(state, "rate", arg);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "an experiment is needed: cull plan EXPERIMENT.yaml");
        return 0;
    case ARGP_KEY_END:
        if (r->machines.ranks == 0 &&
            (r->machines.network != network || r->machines.disk != disk || r->machines.rate > 0))
            argp_error(state, "--network, --disk and --rate are of --ranks");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

// May some model's layers not all be cut? Then sparsity is of those that may.
static bool is_restricted(const cull_experiment *e)
{
    for (size_t m = 0; m < e->inputs.n; m++)
        for (size_t layers = 0; layers < e->spec.n_layers; layers++)
            if (cull_allowed_share(&e->inputs.at[m], layers) < 1)
                return true;
    return false;
}

// How wide the columns of names are, so that none runs into the next; 0: it is not there.
typedef struct columns {
    bool of_all;
    int model, method, allocation, calibration, layers;
} columns;

static void widen(int *column, int least, const char *name)
{
    const int length = name ? (int)strlen(name) : 0;

    if (*column < least)
        *column = least;
    if (*column < length)
        *column = length;
}

static const char *method_of(const cull_spec *spec, const cull_cell *c)
{
    return c->method == CULL_NOT ? "dense" : spec->methods[c->method].name;
}

static columns columns_of(const cull_experiment *e)
{
    columns wide = { .of_all = is_restricted(e) };

    for (size_t i = 0; i < e->plan.n_cells; i++) {
        const cull_cell *c = &e->plan.cell[i];
        const char *calibration = cull_calibration_name(&e->spec, c);
        const char *layers = cull_layers_name(&e->spec, c);
        widen(&wide.model, 12, e->spec.models[c->model].name);
        widen(&wide.method, 20, method_of(&e->spec, c));
        widen(&wide.allocation, 14, c->allocation);
        if (calibration)
            widen(&wide.calibration, 14, calibration);
        if (layers)
            widen(&wide.layers, 14, layers);
    }
    return wide;
}

static void print_heading(const columns *wide)
{
    printf("%-*s %-*s %8s  %s%-*s ", wide->model, "model", wide->method, "method", "sparsity",
           wide->of_all ? "of all    " : "", wide->allocation, "allocation");
    if (wide->calibration)
        printf("%-*s ", wide->calibration, "calibration");
    if (wide->layers)
        printf("%-*s ", wide->layers, "layers");
    printf("%6s\n", "seed");
}

static void print_cell(const cull_experiment *e, const cull_cell *c, const columns *wide)
{
    const cull_spec *spec = &e->spec;
    const char *calibration = cull_calibration_name(spec, c), *layers = cull_layers_name(spec, c);
    char sparsity[24] = "-", of_all[24] = "", seed[24] = "-";

    if (!isnan(c->sparsity))
        snprintf(sparsity, sizeof sparsity, "%g", c->sparsity);
    if (wide->of_all && isnan(c->sparsity))
        snprintf(of_all, sizeof of_all, "%6s    ", "-");
    else if (wide->of_all)
        snprintf(of_all, sizeof of_all, "%6.4g    ",
                 c->sparsity * cull_allowed_share(&e->inputs.at[c->model], c->layers));
    if (c->seeded)
        snprintf(seed, sizeof seed, "%llu", (unsigned long long)c->seed);
    printf("%-*s %-*s %8s  %s%-*s ", wide->model, spec->models[c->model].name, wide->method,
           method_of(spec, c), sparsity, of_all, wide->allocation,
           c->allocation ? c->allocation : "-");
    if (wide->calibration)
        printf("%-*s ", wide->calibration, calibration ? calibration : "-");
    if (wide->layers)
        printf("%-*s ", wide->layers, layers ? layers : "-");
    printf("%6s\n", seed);
}

static void print_cells(const cull_experiment *e)
{
    const columns wide = columns_of(e);

    print_heading(&wide);
    for (size_t i = 0; i < e->plan.n_cells; i++)
        if (!e->plan.cell[i].left_out)
            print_cell(e, &e->plan.cell[i], &wide);
}

static void print_groups(uint32_t groups)
{
    static const char *const words[] = {
#define WORD(name, letter, word, text) word,
        CULL_STAT_GROUPS(WORD)
#undef WORD
    };
    const char *between = "";

    for (size_t i = 0; i < CULL_N_STAT_GROUPS; i++) {
        if (!(groups & 1u << i))
            continue;
        printf("%s%s", between, words[i]);
        between = " ";
    }
}

static void print_statistics(const cull_experiment *e, const cull_calibration_set *set,
                             size_t steps)
{
    printf(", statistics ");
    print_groups(set->groups);
    if (set->on != CULL_NOT)
        printf(", on what stage %zu of %s leaves", e->plan.step[set->on].stage + 1,
               e->spec.methods[e->plan.step[set->on].method].name);
    printf(", serves %zu cut%s", steps, steps == 1 ? "" : "s");
}

// What the trials share: each set of statistics, how many steps use it, and what is counted on its
// rows.
static void print_shared(const cull_experiment *e)
{
    const cull_plan *plan = &e->plan;

    for (size_t g = 0; g < plan->n_sets; g++) {
        const cull_calibration_set *set = &plan->set[g];
        size_t steps = 0, visits = 0, counts = 0;
        for (size_t i = 0; i < plan->n_steps; i++) {
            const bool sees = cull_step_seen(&plan->step[i]) == g;
            steps += sees;
            visits += sees && plan->step[i].visit;
            counts += plan->step[i].counted && plan->step[i].rows == g;
        }
        const char *name = e->spec.calibrations[set->calibration].name;
        printf("calibration %zu: %s%smodel %s", g + 1, name ? name : "", name ? ", " : "",
               e->spec.models[set->model].name);
        if (steps > 0)
            print_statistics(e, set, steps);
        if (visits > 0)
            printf(", %zu of them decided layer by layer", visits);
        if (counts > 0)
            printf(", what runs under %zu cut%s is counted", counts, counts == 1 ? "" : "s");
        putchar('\n');
    }
    for (size_t i = 0; i < plan->n_notes; i++)
        printf("%s\n", plan->note[i]);
    for (size_t i = 0; i < plan->n_warnings; i++)
        printf("warning: %s\n", plan->warning[i]);
}

static void print_cost(const char *what, const cull_cost *c, double seconds)
{
    char tokens[32], flops[32], bytes[32], memory[32], spilled[32];

    printf("  %-10s %zu pass%s, %s tokens, %sFLOP (%.1f forward equivalents), %sB of weights read, "
           "peak %sB, about %.0f s",
           what, c->passes, c->passes == 1 ? "" : "es",
           cull_amount_text(c->tokens, tokens, sizeof tokens),
           cull_amount_text(c->flops, flops, sizeof flops), c->forward_equivalents,
           cull_amount_text(c->bytes, bytes, sizeof bytes),
           cull_amount_text(c->peak_bytes, memory, sizeof memory), ceil(seconds));
    if (c->spilled_bytes > 0)
        printf(", %sB of hidden states kept in a file",
               cull_amount_text(c->spilled_bytes, spilled, sizeof spilled));
    putchar('\n');
}

static void print_deciding(const cull_model_costs *of)
{
    const cull_work *work = &of->deciding.all;
    const double flops = work->products + work->alone;
    char text[32];

    printf("  %-10s %zu cut%s, ", "decide", of->deciding.cuts, of->deciding.cuts == 1 ? "" : "s");
    if (flops > 0)
        printf("%sFLOP in float64, ", cull_amount_text(flops, text, sizeof text));
    printf("%ssteps, about %.0f s\n", cull_amount_text(work->steps, text, sizeof text),
           ceil(of->seconds.decide));
}

static void print_model(const char *name, const cull_model_facts *f)
{
    char total[32], active[32], routed[32];

    printf("model %s: %s parameters, %s active, %s routed%s%s\n", name,
           cull_amount_text((double)f->params_total, total, sizeof total),
           cull_amount_text((double)f->params_active, active, sizeof active),
           cull_amount_text((double)f->params_expert, routed, sizeof routed),
           f->no_weights ? "; " : "", f->no_weights ? f->no_weights : "");
}

static size_t asked_for(const cull_plan *plan)
{
    size_t n = 0;

    for (size_t i = 0; i < plan->n_cells; i++)
        n += !plan->cell[i].left_out;
    return n;
}

// Of what is new.
static cull_status estimate(cull_cli *cli, const cull_experiment *e, const cull_plan *rest,
                            cull_model_costs **out)
{
    cull_ctx *ctx = &cli->context.ctx;
    cull_model_costs *of = *out = cull_take(ctx, e->inputs.n, sizeof *of);
    bool *any = cull_take(ctx, e->inputs.n, sizeof *any);
    const uint64_t memory = cli->options.memory;
    cull_rates rates;

    if (!of || !any)
        return CULL_ENOMEM;
    if (rest->n_cells > 0)
        CULL_TRY(cull_rates_here(ctx, &rates));
    for (size_t c = 0; c < rest->n_cells; c++)
        any[rest->cell[c].model] = true;
    for (size_t m = 0; m < e->inputs.n; m++) {
        if (!any[m])
            continue;
        double dense;
        CULL_TRY(cull_dense_seconds(ctx, &e->inputs, m, &rates, &dense));
        CULL_TRY(cull_estimate_cost(ctx, rest, &e->inputs, m, memory, dense, &of[m].of));
        of[m].deciding = cull_count_deciding(rest, &e->inputs.at[m], m);
        CULL_TRY(cull_estimate_seconds(ctx, rest, &e->inputs, m, memory, &rates, &of[m].deciding,
                                       &of[m].seconds));
    }
    return CULL_OK;
}

static void print_costs(const cull_experiment *e, const cull_model_costs *of)
{
    for (size_t m = 0; m < e->inputs.n; m++) {
        print_model(e->spec.models[m].name, e->inputs.at[m].opened.facts);
        if (of[m].of.calibrate.passes > 0)
            print_cost("calibrate", &of[m].of.calibrate, of[m].seconds.calibrate);
        if (of[m].of.search.passes > 0)
            print_cost("search", &of[m].of.search, of[m].seconds.search);
        if (of[m].seconds.decide > 0)
            print_deciding(&of[m]);
        if (of[m].of.evaluate.passes > 0)
            print_cost("evaluate", &of[m].of.evaluate, of[m].seconds.evaluate);
    }
}

static void print_plan(const cull_experiment *e, const char *folder, const cull_survey *survey,
                       const cull_model_costs *of)
{
    if (*e->spec.question)
        printf("%s\n\n", e->spec.question);

    print_cells(e);
    printf("\n%zu trials (of a grid of %zu, and %zu dense)\n", e->plan.n_cells, e->plan.grid,
           e->spec.n_models);
    if (asked_for(&e->plan) < e->plan.n_cells)
        printf("%zu of them are asked for\n", asked_for(&e->plan));
    print_shared(e);
    print_costs(e, of);
    cull_plan_state_print(e, folder, survey, of);
}

static cull_status plan(cull_cli *cli, const request *r, cull_experiment *e)
{
    cull_ctx *ctx = &cli->context.ctx;
    cull_spec_source source;
    cull_survey survey;
    cull_model_costs *of;

    CULL_TRY(cull_experiment_source(ctx, &cli->options, r->file, &source));
    const cull_opening how = { r->folder, CULL_OPEN_SHAPES, cli->options.memory };
    CULL_TRY(cull_experiment_open(ctx, cli->registry, &source, &how, e));
    CULL_TRY(cull_experiment_only(ctx, &r->only, e));
    const char *folder = cull_experiment_folder(ctx, &e->spec, r->folder);
    if (!folder)
        return CULL_ENOMEM;
    const cull_flow_options where = { .folder = folder,
                                      .shared = cull_experiment_cache(&e->spec, folder) };
    CULL_TRY(cull_survey_make(ctx, cli->registry, &e->plan, &e->inputs, &where, &survey));
    CULL_TRY(estimate(cli, e, &survey.rest, &of));
    cull_cli_results(cli);
    if (r->json)
        CULL_TRY(cull_plan_state_json(ctx, e, folder, &survey, of));
    else
        print_plan(e, folder, &survey, of);
    if (survey.rest.n_cells == 0)
        return CULL_OK;
    if (r->machines.ranks > 0 && !r->json)
        CULL_TRY(cull_print_ranks(ctx, e, &survey.rest, of, &r->machines));
    return cull_check_memory(ctx, &survey.rest, &e->inputs, 1, cli->options.memory);
}

int cull_cmd_plan(cull_cli *cli, int argc, char **argv)
{
    static const cull_usage usage = {
        .arguments = "EXPERIMENT.yaml",
        .doc =
            "Check an experiment and show its trials, what they share, what of it is there and "
            "what is new, and what that will cost in time, memory and disk. Nothing is computed.",
        .options = options,
        .parse = parse,
        .takes = CULL_TAKES_EXPERIMENT | CULL_TAKES_MEMORY | CULL_TAKES_RESULTS,
        .sets = sets,
    };
    request r = { .machines = { .network = network, .disk = disk } };
    cull_experiment e = { 0 };

    cull_cli_parse(cli, &usage, &r, argc, argv);
    cull_status status = cull_cli_begin(cli);
    if (status == CULL_OK)
        status = plan(cli, &r, &e);
    cull_experiment_close(&e);
    cull_only_release(&r.only);
    return status == CULL_OK ? CULL_EXIT_DONE : cull_experiment_failed(cli, &e, status);
}
