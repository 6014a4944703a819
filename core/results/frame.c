// Cells, columns and conditions of what was loaded.
#include "results/frame.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "results/load.h"

static bool same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

const char *cull_condition(const char *conditions, const char *key, size_t *n)
{
    const size_t k = strlen(key);
    while (*conditions) {
        *n = strcspn(conditions, "\n");
        if (strncmp(conditions, key, k) == 0 && conditions[k] == '=')
            return conditions;
        conditions += *n + 1;
    }
    return NULL;
}

bool cull_averages(const char *conditions, const char *task)
{
    size_t n = 0;
    const char *line = cull_condition(conditions, "tasks", &n);
    const size_t length = strlen(task);

    for (size_t at = strlen("tasks="); line && at + length <= n; at++)
        if ((line[at - 1] == '=' || line[at - 1] == ' ') && memcmp(line + at, task, length) == 0 &&
            (at + length == n || line[at + length] == ' '))
            return true;
    return false;
}

// ---- growing ----

cull_status loading_add_trial(loading *in, const cull_frame_trial *trial)
{
    cull_frame *f = in->frame;

    if (f->n_trials == in->room_trials) {
        in->room_trials = in->room_trials ? 2 * in->room_trials : 64;
        cull_frame_trial *more = cull_take(in->ctx, in->room_trials, sizeof *more);
        if (!more)
            return CULL_ENOMEM;
        if (f->n_trials)
            memcpy(more, f->trial, f->n_trials * sizeof *more);
        f->trial = more;
    }
    f->trial[f->n_trials++] = *trial;
    return CULL_OK;
}

cull_status loading_add_row(loading *in, const cull_row *row)
{
    cull_frame *f = in->frame;

    if (f->n_rows == in->room_rows) {
        in->room_rows = in->room_rows ? 2 * in->room_rows : 256;
        cull_row *more = cull_take(in->ctx, in->room_rows, sizeof *more);
        if (!more)
            return CULL_ENOMEM;
        if (f->n_rows)
            memcpy(more, f->row, f->n_rows * sizeof *more);
        f->row = more;
    }
    f->row[f->n_rows++] = *row;
    return CULL_OK;
}

// ---- trials of one name ----

// Does the trial have a row of this task, metric and filter?
static bool has_row(const cull_frame *f, size_t trial, const cull_row *row)
{
    for (size_t i = 0; i < f->n_rows; i++)
        if (f->row[i].trial == trial && cull_same_column(&f->row[i], row))
            return true;
    return false;
}

// Leave out the trials that have an heir. Rows of a dense trial that its heir lacks pass to the
// heir, if it is of the same weights.
static cull_status leave_out(cull_ctx *ctx, cull_frame *f, const size_t *heir)
{
    size_t *number = cull_scratch(ctx, f->n_trials, sizeof *number), n = 0, rows = 0;

    if (!number)
        return CULL_ENOMEM;
    for (size_t i = 0; i < f->n_rows; i++) {
        cull_row *row = &f->row[i];
        const size_t to = heir[row->trial];
        if (to != SIZE_MAX && f->trial[to].dense && !has_row(f, to, row) &&
            same(f->trial[to].fingerprint, f->trial[row->trial].fingerprint))
            row->trial = to;
    }
    for (size_t i = 0; i < f->n_trials; i++) // numbers first: rows still know the old ones
        number[i] = heir[i] == SIZE_MAX ? n++ : SIZE_MAX;
    for (size_t i = 0; i < f->n_rows; i++)
        if (number[f->row[i].trial] != SIZE_MAX) {
            f->row[rows] = f->row[i];
            f->row[rows++].trial = number[f->row[i].trial];
        }
    for (size_t i = 0; i < f->n_trials; i++)
        if (number[i] != SIZE_MAX)
            f->trial[number[i]] = f->trial[i];
    f->n_trials = n;
    f->n_rows = rows;
    return CULL_OK;
}

// Does trial j stand in the way of trial i? Of one name, or of one cell and another recipe, in the
// same folder: an experiment that was changed and run again. Dense trials of the same weights do
// wherever they are.
static bool is_rival(const cull_frame *f, size_t i, size_t j)
{
    const cull_frame_trial *a = &f->trial[i], *b = &f->trial[j];
    const bool here = same(a->folder, b->folder);

    if (cull_same_name(f, a, b))
        return here || (a->dense && same(a->fingerprint, b->fingerprint));
    return here && !a->dense && cull_same_cell(f, a, b) && !same(a->recipe, b->recipe);
}

// Which of two counts: one that the last run of its folder asked for, though it found it there;
// else the one that was finished later, by their seconds, and parts of them where both have them.
static int counts_more(const cull_frame_trial *a, const cull_frame_trial *b)
{
    const int order = a->asked != b->asked ? (a->asked ? 1 : -1) : strcmp(a->finished, b->finished);

    if (order != 0 || isnan(a->finished_s) || isnan(b->finished_s))
        return order;
    return (a->finished_s > b->finished_s) - (a->finished_s < b->finished_s);
}

// Of rivals one counts.
static cull_status drop_superseded(cull_ctx *ctx, cull_frame *f)
{
    size_t *heir = cull_scratch(ctx, f->n_trials, sizeof *heir), dropped = 0;

    if (!heir)
        return CULL_ENOMEM;
    for (size_t i = 0; i < f->n_trials; i++) {
        size_t last = i;
        for (size_t j = 0; j < f->n_trials; j++) {
            const int order = counts_more(&f->trial[j], &f->trial[last]);
            if (is_rival(f, i, j) && (order > 0 || (order == 0 && j > last)))
                last = j;
        }
        heir[i] = last == i ? SIZE_MAX : last;
        dropped += last != i && (!f->trial[i].dense ||
                                 !same(f->trial[i].fingerprint, f->trial[last].fingerprint));
    }
    if (dropped)
        ctx->host->log(
            ctx, CULL_WARN,
            "left out: %zu trial%s with the name of a later one of its folder, which was "
            "made otherwise, or asked for since",
            dropped, dropped == 1 ? "" : "s");
    return leave_out(ctx, f, heir);
}

// ---- columns ----

// Number the rows by column: `representative` gets the first row of each. Rows of a column that
// `split` marks must also have been measured in one way.
static size_t number_columns(cull_frame *f, const bool *split, const size_t *base,
                             const cull_row **representative)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n_rows; i++) {
        cull_row *row = &f->row[i];
        size_t c = 0;
        while (c < n && !(cull_same_column(representative[c], row) &&
                          (!split || !split[base[i]] ||
                           same(representative[c]->conditions, row->conditions))))
            c++;
        if (c == n)
            representative[n++] = row;
        row->column = c;
    }
    return n;
}

static bool has_line(const char *text, const char *line, size_t n)
{
    for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
        if (strncmp(text, line, n) == 0 && (text[n] == '\n' || !text[n]))
            return true;
    return false;
}

// The first line of `mine` that `other` lacks, without its end; one that is no hash, if there is
// one. NULL: none.
static const char *line_that_differs(cull_ctx *ctx, const char *mine, const char *other)
{
    const char *hash = NULL;
    while (*mine) {
        const size_t n = strcspn(mine, "\n");
        const char *key = memchr(mine, '=', n);
        const bool differs = !has_line(other, mine, n);
        const bool hashed = key && key - mine > 5 && memcmp(key - 5, "_hash", 5) == 0;
        if (differs && (!hashed || !hash)) {
            const char *line = cull_arena_copy(cull_context_of(ctx)->alloc, mine, n);
            if (!hashed)
                return line;
            hash = line;
        }
        mine += n + (mine[n] == '\n');
    }
    return hash;
}

// "length=256", "rows_per_file=4": in what a row was measured otherwise than another; NULL: in
// nothing that is known.
static const char *what_differs(cull_ctx *ctx, const cull_row *row, const cull_row *other)
{
    size_t n;
    const cull_named_value *setting = cull_settings_differ(&row->how, &other->how, &n);

    if (setting) {
        const char *dot = strrchr(setting->name, '.');
        return cull_arena_printf(cull_context_of(ctx)->alloc, "%s=%s",
                                 dot ? dot + 1 : setting->name, setting->value);
    }
    return line_that_differs(ctx, row->conditions, other->conditions);
}

// "acc", "exact_match (strict)", "perplexity [length=256]" where a trial has several of the name.
static const char *label(cull_ctx *ctx, const cull_row *row, const cull_row *twin)
{
    cull_arena *arena = cull_context_of(ctx)->alloc;
    const char *differs = twin ? what_differs(ctx, row, twin) : NULL;
    const char *filter = same(row->filter, "none") ? NULL : row->filter;

    return cull_arena_printf(arena, "%s%s%s%s%s%s%s", row->metric, filter ? " (" : "",
                             filter ? filter : "", filter ? ")" : "", differs ? " [" : "",
                             differs ? differs : "", differs ? "]" : "");
}

static cull_status describe_columns(cull_ctx *ctx, cull_frame *f, const cull_row *const *first)
{
    f->column = cull_take(ctx, f->n_columns ? f->n_columns : 1, sizeof *f->column);
    if (!f->column)
        return CULL_ENOMEM;
    for (size_t c = 0; c < f->n_columns; c++) {
        const cull_row *row = first[c], *twin = NULL;
        for (size_t d = 0; d < f->n_columns && !twin; d++)
            twin = d != c && cull_same_column(row, first[d]) ? first[d] : NULL;
        f->column[c] = (cull_column_of){ row->task,      row->metric,
                                         row->filter,    label(ctx, row, twin),
                                         row->plugin,    row->higher_is_better,
                                         false,          row->law,
                                         row->conditions };
        if (!f->column[c].label)
            return cull_no_memory(ctx);
    }
    for (size_t i = 0; i < f->n_rows; i++) {
        cull_column_of *column = &f->column[f->row[i].column];
        column->group_of_tasks |= f->row[i].group_of_tasks;
        if (f->row[i].law == CULL_LAW_NONE)
            column->law = CULL_LAW_NONE;
    }
    return CULL_OK;
}

// Mark the columns of which some trial has two rows.
static cull_status find_doubles(cull_ctx *ctx, const cull_frame *f, size_t n, bool *twice)
{
    uint8_t *seen = cull_scratch(ctx, f->n_trials * n, 1);

    if (!seen)
        return CULL_ENOMEM;
    for (size_t i = 0; i < f->n_rows; i++) {
        uint8_t *here = &seen[f->row[i].trial * n + f->row[i].column];
        twice[f->row[i].column] |= *here;
        *here = 1;
    }
    return CULL_OK;
}

static cull_status find_columns(cull_ctx *ctx, cull_frame *f)
{
    const size_t room = f->n_rows ? f->n_rows : 1;
    const cull_row **first = cull_scratch(ctx, room, sizeof *first);
    bool *twice = cull_scratch(ctx, room, sizeof *twice);
    size_t *base = cull_scratch(ctx, room, sizeof *base);

    if (!first || !twice || !base)
        return CULL_ENOMEM;

    const size_t n = number_columns(f, NULL, NULL, first);
    CULL_TRY(find_doubles(ctx, f, n ? n : 1, twice));
    for (size_t i = 0; i < f->n_rows; i++)
        base[i] = f->row[i].column;
    f->n_columns = number_columns(f, twice, base, first);
    CULL_TRY(describe_columns(ctx, f, first));

    f->at = cull_take(ctx, f->n_trials * (f->n_columns ? f->n_columns : 1), sizeof *f->at);
    if (!f->at)
        return CULL_ENOMEM;
    for (size_t i = 0; i < f->n_rows; i++)
        f->at[f->row[i].trial * f->n_columns + f->row[i].column] = &f->row[i];
    return CULL_OK;
}

// ---- cells ----

// The trials of a cell by their seeds; those without one, and of equal ones, as they were found.
static void sort_by_seed(const cull_frame *f, size_t n, size_t *order)
{
    for (size_t i = 1; i < n; i++) {
        const size_t trial = order[i];
        size_t j = i;
        for (; j > 0 && f->trial[order[j - 1]].seed > f->trial[trial].seed; j--)
            order[j] = order[j - 1];
        order[j] = trial;
    }
}

static cull_status find_cells(cull_ctx *ctx, cull_frame *f)
{
    f->cell = cull_take(ctx, f->n_trials, sizeof *f->cell);
    f->order = cull_take(ctx, f->n_trials, sizeof *f->order);
    if (!f->cell || !f->order)
        return CULL_ENOMEM;

    for (size_t i = 0; i < f->n_trials; i++) {
        cull_frame_trial *t = &f->trial[i];
        size_t c = 0, j = 0;
        while (j < i && !cull_same_cell(f, &f->trial[j], t))
            j++;
        c = j < i ? f->trial[j].cell : f->n_cells++;
        if (j == i)
            f->cell[c] = (cull_frame_cell){ .model = t->model,
                                            .method = t->method,
                                            .axis = t->axis,
                                            .sparsity = t->sparsity,
                                            .dense = t->dense,
                                            .checkpoint = t->checkpoint };
        f->cell[c].n_trials++;
        t->cell = c;
    }
    size_t n = 0;
    for (size_t c = 0; c < f->n_cells; c++) {
        f->cell[c].first = n;
        for (size_t i = 0; i < f->n_trials; i++)
            if (f->trial[i].cell == c)
                f->order[n++] = i;
        sort_by_seed(f, f->cell[c].n_trials, &f->order[f->cell[c].first]);
    }
    return CULL_OK;
}

// A value that some seeds of a cell lack is left blank in tables over seeds: say so, once.
static void tell_gaps(cull_ctx *ctx, const cull_frame *f)
{
    size_t gaps = 0, cell = 0, column = 0, seeds = 0;

    for (size_t c = 0; c < f->n_cells; c++)
        for (size_t j = 0; j < f->n_columns; j++) {
            size_t have = 0;
            for (size_t s = 0; s < f->cell[c].n_trials; s++)
                have += cull_frame_row(f, f->order[f->cell[c].first + s], j) != NULL;
            if (have == 0 || have == f->cell[c].n_trials)
                continue;
            if (gaps++ == 0) {
                cell = c;
                column = j;
                seeds = have;
            }
        }
    if (gaps)
        ctx->host->log(ctx, CULL_WARN,
                       "left blank over seeds: %s of task \"%s\" of %s %g, which %zu of %zu seeds "
                       "have%s",
                       f->column[column].label, f->column[column].task, f->cell[cell].method,
                       f->cell[cell].sparsity, seeds, f->cell[cell].n_trials,
                       gaps > 1 ? ", and others like it" : "");
}

cull_status cull_frame_arrange(cull_ctx *ctx, cull_frame *frame)
{
    CULL_TRY(drop_superseded(ctx, frame));
    CULL_TRY(cull_frame_name(ctx, frame));
    CULL_TRY(find_columns(ctx, frame));
    CULL_TRY(find_cells(ctx, frame));
    tell_gaps(ctx, frame);
    return CULL_OK;
}

size_t cull_frame_dense(const cull_frame *frame, const char *model)
{
    for (size_t c = 0; c < frame->n_cells; c++)
        if (frame->cell[c].dense && same(frame->cell[c].model, model))
            return c;
    return SIZE_MAX;
}

// ---- may it be compared? ----

static cull_status check_row(cull_ctx *ctx, const cull_frame *f, const cull_row *first,
                             const cull_row *row)
{
    if (same(first->conditions, row->conditions))
        return CULL_OK;
    const char *there = what_differs(ctx, first, row);
    const char *here = what_differs(ctx, row, first);
    return cull_fail(
        ctx, CULL_EUSAGE,
        "%s of task \"%s\" was measured in two ways, which no table may mix: %s in %s, "
        "but %s in %s (--where KEY=VALUE takes one of them)",
        row->metric, row->task, there ? there : "less is known", f->trial[first->trial].path,
        here ? here : "less is known", f->trial[row->trial].path);
}

cull_status cull_frame_check(cull_ctx *ctx, const cull_frame *f)
{
    for (size_t i = 0; i < f->n_trials; i++)
        for (size_t j = 0; j < i; j++)
            if (same(f->trial[i].model, f->trial[j].model) &&
                same(f->trial[i].weights, f->trial[j].weights) &&
                !same(f->trial[i].fingerprint, f->trial[j].fingerprint))
                return cull_fail(
                    ctx, CULL_EUSAGE,
                    "\"%s\" names two different models: %s has fingerprint %.8s, %s %.8s",
                    f->trial[i].model, f->trial[i].path, f->trial[i].fingerprint, f->trial[j].path,
                    f->trial[j].fingerprint);
    for (size_t c = 0; c < f->n_columns; c++) {
        const cull_row *first = NULL;
        for (size_t i = 0; i < f->n_trials; i++) {
            const cull_row *row = cull_frame_row(f, i, c);
            if (row && first)
                CULL_TRY(check_row(ctx, f, first, row));
            else if (row)
                first = row;
        }
    }
    return CULL_OK;
}

bool cull_first_of_model(const cull_frame *f, size_t cell)
{
    for (size_t c = 0; c < cell; c++)
        if (strcmp(f->cell[c].model, f->cell[cell].model) == 0)
            return false;
    return true;
}
