// cull compare DIR...: results side by side.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/folders.h"
#include "report/baseline.h"
#include "report/tables/views.h"

enum {
    FORMAT = 'f',
    BY_TASK = 'b',
    PAIRS = 'p',
    SORT = 0x200,
    METRIC,
    WIDTH,
    BASELINE,
    EACH_OTHER,
    RECOVERY
};

typedef struct wanted {
    cull_folders folders;
    const char *format, *sort, *metric, *baseline;
    size_t width;
    bool by_task, pairs, each_other, recovery;
} wanted;

static const struct argp_option options[] = {
    { "format", FORMAT, "WORD", 0,
      "md or latex: the table; csv or json: tidy, a row for every value (of every trial, or of "
      "every pair); lm-eval: as its tables",
      0 },
    { "by-task", BY_TASK, NULL, 0, "every task instead of means over tasks", 0 },
    { "pairs", PAIRS, NULL, 0,
      "every task and pair: both values, the difference, p and flips (as checkpoints are shown)",
      0 },
    { "baseline", BASELINE, "METHOD", 0,
      "what the others are compared to: this method at the same sparsity and allocation, or the "
      "same method with this value, as allocation=layer or calibration=wiki (default: dense)",
      0 },
    { "each-other", EACH_OTHER, NULL, 0,
      "every two methods at the same sparsity and allocation, as --pairs", 0 },
    { "recovery", RECOVERY, NULL, 0,
      "percent of dense that is left, for each task and on average, with 95 % intervals", 0 },
    { "metric", METRIC, "WORD", 0, "this metric only, as acc_norm", 0 },
    CULL_FOLDERS_OPTION,
    { "sort", SORT, "WORD", 0, "sparsity (default), method, or a metric: best first", 0 },
    { "width", WIDTH, "N", 0, "columns of the screen (default: the terminal's)", 0 },
    { 0 },
};

static bool is(const wanted *w, const char *format)
{
    return w->format && strcmp(w->format, format) == 0;
}

static bool is_tidy(const wanted *w)
{
    return is(w, "csv") || is(w, "json") || is(w, "lm-eval");
}

static void parse_format(struct argp_state *state, const char *word, wanted *w)
{
    static const char *const words[] = { "csv", "json", "md", "latex", "lm-eval" };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i], word) == 0)
            w->format = words[i];
    if (!w->format)
        argp_error(state, "--format: \"%s\" is none of csv, json, md, latex, lm-eval", word);
}

// Two words of which one would have no effect.
static void check_together(struct argp_state *state, const wanted *w)
{
    const bool pairs = w->pairs || w->each_other, tidy = is_tidy(w);

    const struct {
        bool given;
        const char *one, *other;
    } clash[] = {
        { w->recovery && pairs, "--recovery", w->pairs ? "--pairs" : "--each-other" },
        { w->recovery && w->by_task, "--recovery", "--by-task, as it shows every task" },
        { w->recovery && w->baseline, "--recovery", "--baseline: it is of dense" },
        { w->recovery && w->sort, "--recovery", "--sort" },
        { pairs && w->by_task, "--by-task", "pairs, which are of every task" },
        { pairs && w->sort, "--sort", "pairs" },
        { w->each_other && w->baseline, "--each-other", "--baseline" },
        { w->by_task && w->baseline, "--by-task, which shows no differences,", "--baseline" },
        { tidy && w->by_task, "--by-task", "this format, which has every task" },
        { tidy && w->sort, "--sort", "this format" },
        { is(w, "lm-eval") && (pairs || w->recovery || w->baseline), "--format lm-eval",
          "comparisons: it has values alone" },
        { w->format && w->width, "--width", "--format" },
    };

    for (size_t i = 0; i < sizeof clash / sizeof clash[0]; i++)
        if (clash[i].given)
            argp_error(state, "%s does not go with %s", clash[i].one, clash[i].other);
}

static const cull_sets sets[] = {
    CULL_SET_FLAG(BY_TASK, wanted, by_task),       CULL_SET_FLAG(PAIRS, wanted, pairs),
    CULL_SET_FLAG(EACH_OTHER, wanted, each_other), CULL_SET_FLAG(RECOVERY, wanted, recovery),
    CULL_SET_TEXT(BASELINE, wanted, baseline),     CULL_SET_TEXT(SORT, wanted, sort),
    CULL_SET_TEXT(METRIC, wanted, metric),         { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    wanted *w = state->input;

    switch (key) {
    case FORMAT:
        parse_format(state, arg, w);
        return 0;
    case ARGP_KEY_END:
        check_together(state, w);
        return 0;
    case WIDTH:
        w->width = strtoul(arg, NULL, 10);
        if (w->width < 20 || w->width > 10000)
            argp_error(state, "--width: \"%s\" is not a width", arg);
        return 0;
    default:
        return cull_folders_parse(key, arg, state, &w->folders);
    }
}

// ---- what is shown ----

static cull_status check_sort(cull_ctx *ctx, const cull_metric_views *shown, const char *word)
{
    if (!word || strcmp(word, "sparsity") == 0 || strcmp(word, "method") == 0)
        return CULL_OK;
    for (size_t i = 0; i < shown->n; i++)
        if (strcmp(shown->at[i].label, word) == 0)
            return CULL_OK;
    return cull_fail(ctx, CULL_EUSAGE, "--sort: there is no metric \"%s\"", word);
}

// How a table of these metric views is sorted: by sparsity where the metric asked for is another's.
static cull_view_options how_shown(const cull_metric_views *metric_views, const wanted *w)
{
    cull_view_options out = { .plain = w->by_task, .baseline = w->baseline };

    if (w->sort && strcmp(w->sort, "method") == 0)
        out.sort = CULL_SORT_METHOD;
    for (size_t i = 0; w->sort && i < metric_views->n; i++)
        if (strcmp(metric_views->at[i].label, w->sort) == 0) {
            out.sort = CULL_SORT_METRIC;
            out.metric_view = w->sort;
        }
    return out;
}

static size_t trials_of(const cull_frame *f, const char *model)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n_trials; i++)
        n += strcmp(f->trial[i].model, model) == 0;
    return n;
}

// The value of an axis that all cells of the model share, or NULL.
static const char *shared_value(const cull_frame *f, const char *model, size_t axis)
{
    if (cull_axis_varies(f, model, axis, 2))
        return NULL;
    for (size_t c = 0; c < f->n_cells; c++)
        if (strcmp(f->cell[c].model, model) == 0 && *f->cell[c].axis[axis])
            return f->cell[c].axis[axis];
    return NULL;
}

// "mixtral, 17 trials, f32, allocation layer", of the model of a cell.
static void heading(const cull_frame *f, size_t cell, cull_buf *out)
{
    const char *model = f->cell[cell].model;
    const size_t trials = trials_of(f, model);

    cull_buf_printf(out, "%s, %zu trial%s, %s", model, trials, trials == 1 ? "" : "s",
                    f->trial[f->order[f->cell[cell].first]].precision);
    for (size_t i = 0; i < f->n_axes; i++) {
        const char *value = shared_value(f, model, i);
        if (value)
            cull_buf_printf(out, ", %s %s", f->axis[i], value);
    }
}

static bool first_of_label(const cull_metric_views *all, size_t metric_view)
{
    for (size_t i = 0; i < metric_view; i++)
        if (strcmp(all->at[i].label, all->at[metric_view].label) == 0)
            return false;
    return true;
}

// What the others are compared to, in the legend's words.
static const char *beside(const cull_frame *f, const wanted *w)
{
    return !w->baseline ? " (of checkpoints: to the first one)"
           : cull_baseline_axis(f, w->baseline) != SIZE_MAX
               ? " to the same method with it"
               : " to it at the same sparsity and allocation";
}

static void print_legend(const cull_frame *f, const wanted *w, const cull_metric_views *all,
                         const cull_metric_views *shown)
{
    bool geometric = false, plain = false;

    for (size_t i = 0; i < shown->n; i++) {
        geometric |= !shown->at[i].task && shown->at[i].law == CULL_LAW_EXP;
        plain |= !shown->at[i].task && shown->at[i].law != CULL_LAW_EXP;
    }
    printf("\n± standard error over items; removed: share of routed-expert parameters.");
    if (!w->by_task)
        printf(" to %s: paired difference\nwith its 95 %% interval%s.%s%s%s",
               w->baseline ? w->baseline : "dense", beside(f, w),
               w->baseline ? " Holm: its p, adjusted over the table." : "",
               plain ? " Metrics of several tasks: their mean" : "",
               geometric ? plain ? ", perplexities their geometric mean."
                                 : " Perplexities of several tasks: their geometric mean."
               : plain   ? "."
                         : "");
    printf("\n* best of its sparsity, and separable from the runner-up (p ≤ 0.05, Holm over the "
           "table).\n");
    for (size_t i = 0; !w->metric && i < all->n; i++)
        if (cull_is_variant(all, &all->at[i]) && first_of_label(all, i))
            printf("%s is in the results too: --metric %s\n", all->at[i].label, all->at[i].label);
}

static void print_legend_of_pairs(void)
{
    printf("\n± standard error over items; difference: paired, with its 95 %% interval, of "
           "perplexities their ratio.\np: exact McNemar where answers are right or wrong, else "
           "paired t, or studentised paired\nbootstrap for perplexities; Holm: p adjusted over the "
           "table. to wrong, to right: answers\nthat change. * the better one of two that are "
           "separable (p ≤ 0.05, Holm over the table).\n");
}

static void print_legend_of_recovery(void)
{
    printf("\nPercent of the dense model's value (of perplexities dense's by the variant's), with "
           "its paired 95 %%\ninterval over items and seeds; mean: over the tasks, of perplexities "
           "geometric. parameters,\nactive: what is left of all parameters, and of those that a "
           "token passes through.\n");
}

// ---- the tables, all made before the first is printed ----

typedef struct part {
    size_t cell;                    // the first one of the model
    const cull_metric_view *metric; // that is above the table, or NULL
    bool pairs;
    cull_table table;
} part;

typedef struct parts {
    size_t n;
    part *at;
} parts;

// Checkpoints are set side by side task by task, unless means are asked for by the way of sorting.
static bool by_pairs(const cull_frame *f, const char *model, const wanted *w)
{
    const size_t dense = cull_frame_dense(f, model);

    return w->pairs || w->each_other ||
           (!w->by_task && !w->sort && dense != SIZE_MAX && f->cell[dense].checkpoint);
}

// Every task: a table a metric.
static cull_status add_tasks(cull_ctx *ctx, const cull_frame *frame, size_t cell,
                             const cull_metric_views *shown, const wanted *w, parts *out)
{
    cull_metric_views each, of;

    CULL_TRY(cull_metric_views_each(ctx, frame, &each));
    for (size_t i = 0; i < shown->n; i++) {
        part *p = &out->at[out->n++];
        *p = (part){ .cell = cell, .metric = &shown->at[i] };
        CULL_TRY(cull_metric_views_of(ctx, &each, shown->at[i].label, &of));
        const cull_view_options view = how_shown(&of, w);
        CULL_TRY(cull_view_cells(ctx, frame, frame->cell[cell].model, &of, &view, &p->table));
        p->table.title = cull_arena_printf(cull_context_of(ctx)->alloc, "%s %s", p->metric->label,
                                           p->metric->higher_is_better ? "↑" : "↓");
        if (!p->table.title)
            return cull_no_memory(ctx);
    }
    return CULL_OK;
}

static cull_pairing pairing_of(const wanted *w)
{
    return (
        cull_pairing){ .metric = w->metric, .baseline = w->baseline, .each_other = w->each_other };
}

static cull_status add_parts(cull_ctx *ctx, const cull_frame *frame, size_t cell,
                             const cull_metric_views *shown, const wanted *w, parts *out)
{
    const char *model = frame->cell[cell].model;
    const bool pairs = !w->recovery && by_pairs(frame, model, w);

    if (!w->recovery && !pairs && w->by_task)
        return add_tasks(ctx, frame, cell, shown, w, out);
    part *p = &out->at[out->n++];
    *p = (part){ .cell = cell, .pairs = pairs };
    if (w->recovery)
        return cull_view_recovery(ctx, frame, model, w->metric, &p->table);
    const cull_pairing how = pairing_of(w);
    if (pairs)
        return cull_view_pairs(ctx, frame, model, &how, &p->table);
    const cull_view_options view = how_shown(shown, w);
    return cull_view_cells(ctx, frame, model, shown, &view, &p->table);
}

// What sets a table apart from the model's first one, for a label: "", "-recovery", "-to-reap".
static void put_form(const wanted *w, cull_buf *label)
{
    cull_buf_puts(label, w->recovery     ? "-recovery"
                         : w->each_other ? "-each-other"
                         : w->pairs      ? "-pairs"
                                         : "");
    if (w->baseline)
        cull_buf_printf(label, "-to-%s", w->baseline);
}

// In Markdown (below) and LaTeX a table's caption says what it is of; its label is the model's,
// with the table's form.
static void print_formatted(const cull_frame *f, const part *p, const wanted *w, cull_buf *caption)
{
    const char *of = p->metric ? p->metric->label : "";
    cull_buf label = CULL_BUF_INIT;

    heading(f, p->cell, caption);
    if (p->metric)
        cull_buf_printf(caption, ": %s %s", of, p->metric->higher_is_better ? "↑" : "↓");
    cull_buf_printf(&label, "%s%s%s", f->cell[p->cell].model, *of ? "-" : "", of);
    put_form(w, &label);
    if (is(w, "md")) {
        cull_table_markdown(&p->table, stdout);
        printf("\n%s\n\n", caption->failed ? "" : caption->s);
    } else {
        printf("%% %s%s%s\n", f->cell[p->cell].model, *of ? ": " : "", of);
        cull_table_latex(&p->table, caption->failed ? "" : caption->s, label.failed ? "" : label.s,
                         stdout);
    }
    cull_buf_release(&label);
}

static cull_status print_part(const cull_frame *frame, const part *p, bool first, const wanted *w)
{
    cull_buf line = CULL_BUF_INIT;

    if (w->format) {
        print_formatted(frame, p, w, &line);
        cull_buf_release(&line);
        return p->table.status;
    }
    if (first) {
        heading(frame, p->cell, &line);
        printf("%s%s\n", p->cell ? "\n" : "", line.failed ? "" : line.s);
    }
    cull_buf_release(&line);
    if (p->metric && !first)
        putchar('\n');
    return cull_table_show(&p->table, stdout, w->width);
}

static cull_status print_parts(const cull_frame *frame, const parts *all, const wanted *w,
                               bool *pairs, bool *cells)
{
    for (size_t i = 0; i < all->n; i++) {
        const part *p = &all->at[i];
        CULL_TRY(print_part(frame, p, i == 0 || p[-1].cell != p->cell, w));
        *pairs |= p->pairs;
        *cells |= !p->pairs;
    }
    return CULL_OK;
}

static cull_status show(cull_ctx *ctx, const cull_frame *frame, const wanted *w)
{
    cull_metric_views all, shown;
    bool pairs = false, cells = false; // are there tables of the kind?

    CULL_TRY(cull_frame_check(ctx, frame));
    CULL_TRY(w->by_task ? cull_metric_views_each(ctx, frame, &all)
                        : cull_metric_views_macro(ctx, frame, &all));
    CULL_TRY(cull_metric_views_main(ctx, &all, w->metric, &shown));
    CULL_TRY(check_sort(ctx, &shown, w->sort));

    parts tables = { .at = cull_take(ctx, frame->n_cells * (shown.n + 1), sizeof *tables.at) };
    if (!tables.at)
        return CULL_ENOMEM;
    for (size_t c = 0; c < frame->n_cells; c++)
        if (cull_first_of_model(frame, c))
            CULL_TRY(add_parts(ctx, frame, c, &shown, w, &tables));
    CULL_TRY(print_parts(frame, &tables, w, &pairs, &cells));
    if (!w->format && pairs)
        print_legend_of_pairs();
    if (!w->format && cells && w->recovery)
        print_legend_of_recovery();
    else if (!w->format && cells)
        print_legend(frame, w, &all, &shown);
    return CULL_OK;
}

static cull_status list(cull_ctx *ctx, const cull_frame *frame, const wanted *w)
{
    const cull_pairing how = pairing_of(w);
    cull_table table;

    if (is(w, "lm-eval")) {
        CULL_TRY(cull_view_lm_eval(ctx, frame, w->metric, &table));
        cull_table_markdown(&table, stdout);
        return CULL_OK;
    }
    if (w->recovery)
        CULL_TRY(cull_view_recovery_tidy(ctx, frame, w->metric, &table));
    else if (w->pairs || w->each_other)
        CULL_TRY(cull_view_pairs_tidy(ctx, frame, &how, &table));
    else
        CULL_TRY(cull_view_tidy(ctx, frame, w->metric, w->baseline, &table));
    if (!is(w, "csv"))
        return cull_table_json(&table, stdout);
    cull_table_csv(&table, stdout);
    return CULL_OK;
}

int cull_cmd_compare(cull_cli *cli, int argc, char **argv)
{
    static const cull_usage usage = {
        .arguments = "DIR...",
        .doc = "Show the results of one or more folders: a row for each method and sparsity, the "
               "metrics with their errors, and the paired difference to the dense model. "
               "Checkpoints, as `cull eval` left them, are set beside the first one task by task.",
        .options = options,
        .parse = parse,
        .takes = CULL_TAKES_RESULTS,
        .sets = sets,
    };
    wanted w = { 0 };
    cull_frame frame;

    cull_cli_parse(cli, &usage, &w, argc, argv);
    cull_status status = cull_cli_begin(cli);
    cull_ctx *ctx = &cli->context.ctx;
    if (status == CULL_OK)
        status = cull_folders_load(ctx, &w.folders, &frame);
    if (status == CULL_OK)
        status = cull_baseline_check(ctx, &frame, w.baseline);
    if (status == CULL_OK && !w.baseline && !w.each_other && !w.by_task && !w.recovery)
        w.baseline = cull_noted_baseline(ctx, &frame);
    cull_cli_results(cli);
    if (status == CULL_OK)
        status = is_tidy(&w) ? list(ctx, &frame, &w) : show(ctx, &frame, &w);
    cull_folders_release(&w.folders);
    return status == CULL_OK ? CULL_EXIT_DONE : cull_cli_failed(cli, status);
}
