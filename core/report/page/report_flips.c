// Answers that change between the dense model and a cell.
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/read_file.h"
#include "record/h5/h5.h"
#include "report/page/sections.h"

enum { EXAMPLES = 6, TEXT = 220 };

typedef struct flips {
    size_t n, to_wrong, to_right;
} flips;

// 0/1 outcomes of a task's metric view "acc" or "exact_match" alone: variants of them and groups
// count the same documents again.
static bool counts(const report *r, const cull_metric_view *m)
{
    return !cull_is_sum(r->frame, m->column[0]) && m->law == CULL_LAW_MEAN && m->k == 1 &&
           (strcmp(m->label, "acc") == 0 || strncmp(m->label, "exact_match", 11) == 0);
}

static bool binary(const cull_items *items)
{
    for (size_t i = 0; i < items->n; i++)
        if (items->a[i] != 0 && items->a[i] != 1)
            return false;
    return !items->b && items->n > 0;
}

static const cull_row *row_of(const report *r, size_t cell, size_t seed, const cull_metric_view *m)
{
    return cull_frame_row(r->frame, r->frame->order[r->frame->cell[cell].first + seed],
                          m->column[0]);
}

// Add the flips of one task, summed over the cell's seeds.
static void add_task(const report *r, size_t dense, size_t cell, const cull_metric_view *m,
                     flips *sum)
{
    const cull_row *base = row_of(r, dense, 0, m);

    for (size_t s = 0; base && s < r->frame->cell[cell].n_trials; s++) {
        const cull_row *row = row_of(r, cell, s, m);
        if (!row || row->items.n != base->items.n || !binary(&base->items) || !binary(&row->items))
            continue;
        for (size_t i = 0; i < base->items.n; i++) {
            sum->to_wrong += base->items.a[i] > row->items.a[i];
            sum->to_right += base->items.a[i] < row->items.a[i];
        }
        sum->n += base->items.n;
    }
}

static flips all_tasks(const report *r, size_t dense, size_t cell)
{
    flips sum = { 0 };

    for (size_t j = 0; j < r->each.metric_views.n; j++)
        if (counts(r, &r->each.metric_views.at[j]))
            add_task(r, dense, cell, &r->each.metric_views.at[j], &sum);
    return sum;
}

// ---- examples ----

// The file of requests behind a task, where it still is as it was: …/<task>.jsonl. NULL: not to be
// had.
static const char *requests_file(const report *r, const cull_row *row)
{
    cull_h5_in *file;
    cull_h5_shape shape;
    const void *paths = NULL, *keys = NULL;
    const char *found = NULL;

    if (cull_h5_open(r->ctx, row->file, &file) != CULL_OK) {
        report_do_without(r);
        return NULL;
    }
    const bool have = cull_h5_has(file, "/provenance/files/path") &&
                      cull_h5_get(file, "/provenance/files/path", 's', &shape, &paths) == CULL_OK &&
                      cull_h5_get(file, "/provenance/files/xxh3", 's', &shape, &keys) == CULL_OK;
    const size_t n = strlen(row->task);
    for (size_t i = 0; have && !found && i < shape.n; i++) {
        const char *path = ((const char *const *)paths)[i], *slash = strrchr(path, '/');
        const char *base = slash ? slash + 1 : path;
        cull_key key;
        if (strncmp(base, row->task, n) == 0 && strcmp(base + n, ".jsonl") == 0 &&
            cull_key_of_file(path, &key) == 0 &&
            strcmp(key.hex, ((const char *const *)keys)[i]) == 0)
            found = path;
    }
    cull_h5_close(file);
    report_do_without(r);
    return found;
}

// Document i of a request file, NULL where there is none such.
static json_t *document(const report *r, const char *path, size_t i)
{
    FILE *file = cull_regular_stream(path);
    char line[65536];
    bool whole = true;
    json_t *doc = NULL;

    for (size_t at = 0; file && fgets(line, sizeof line, file);) {
        const bool starts = whole, blank = line[strspn(line, " \t\r\n")] == '\0';
        whole = strchr(line, '\n') != NULL;
        if (!starts || blank)
            continue;
        if (at++ == i) {
            if (cull_json_stored(r->ctx, line, &doc) != CULL_OK)
                report_do_without(r);
            break;
        }
    }
    if (file)
        (void)fclose(file);
    return doc;
}

// The last part of a text, which is where a prompt's question stands.
static void put_end(cull_buf *page, const char *text)
{
    size_t n = strlen(text);

    if (n > TEXT) {
        text += n - TEXT;
        while ((*text & 0xc0) == 0x80)
            text++;
        cull_buf_puts(page, "… ");
    }
    cull_page_text(page, text);
}

static void put_choice(cull_buf *page, const json_t *choices, double i)
{
    const char *text = i >= 0 ? json_string_value(json_array_get(choices, (size_t)i)) : NULL;

    cull_buf_puts(page, "<td>");
    if (text)
        cull_page_text(page, text + (*text == ' '));
    else if (i >= 0)
        cull_buf_printf(page, "no. %.0f", i);
    cull_buf_puts(page, "</td>");
}

// What a row's model chose: the column pred, NULL where there is none.
static const double *chosen(const report *r, const cull_row *row, const char *name)
{
    cull_h5_in *file;
    cull_h5_shape shape;
    const void *data = NULL;
    const char *path =
        cull_arena_printf(cull_context_of(r->ctx)->scratch, "%s/%s", row->group, name);

    if (!path || cull_h5_open(r->ctx, row->file, &file) != CULL_OK) {
        report_do_without(r);
        return NULL;
    }
    if (!cull_h5_has(file, path) || cull_h5_get(file, path, 'd', &shape, &data) != CULL_OK ||
        shape.n != row->n)
        data = NULL;
    cull_h5_close(file);
    report_do_without(r);
    return data;
}

// Documents of one task that dense answered rightly and the cell did not.
static size_t put_examples_of(const report *r, size_t dense, size_t cell, const cull_metric_view *m,
                              size_t most)
{
    const cull_row *base = row_of(r, dense, 0, m), *row = row_of(r, cell, 0, m);

    if (!base || !row || base->items.n != row->items.n || most == 0)
        return 0;
    const char *path = requests_file(r, row);
    const double *gold = chosen(r, base, "gold"), *pred = chosen(r, row, "pred");
    size_t shown = 0;
    for (size_t i = 0; path && gold && pred && i < row->items.n && shown < most; i++) {
        if (!(base->items.a[i] == 1 && row->items.a[i] == 0))
            continue;
        json_t *doc = document(r, path, i);
        const char *context = json_string_value(json_object_get(doc, "context"));
        if (context) {
            const json_t *choices = json_object_get(doc, "choices");
            cull_buf_puts(r->page, "<tr><td>");
            cull_page_text(r->page, row->task);
            cull_buf_printf(r->page, " %zu</td><td class=\"wrap\">", i);
            put_end(r->page, context);
            cull_buf_puts(r->page, "</td>");
            put_choice(r->page, choices, gold[i]);
            put_choice(r->page, choices, pred[i]);
            cull_buf_puts(r->page, "</tr>\n");
            shown++;
        }
        json_decref(doc);
    }
    return shown;
}

// A few from every task in turn.
static void put_examples(const report *r, size_t dense, size_t cell)
{
    size_t tasks = 0, shown = 0;
    const size_t before = r->page->n;

    for (size_t j = 0; j < r->each.metric_views.n; j++)
        tasks += counts(r, &r->each.metric_views.at[j]);
    const size_t each = tasks >= EXAMPLES ? 1 : tasks ? EXAMPLES / tasks : 0;

    cull_buf_puts(r->page, "<details><summary>");
    cull_page_text(r->page, report_method(r, cell));
    if (!isnan(r->frame->cell[cell].sparsity))
        cull_buf_printf(r->page, " at %g", r->frame->cell[cell].sparsity);
    cull_buf_puts(r->page,
                  "</summary><div class=\"scroll\"><table><thead><tr><th>document</th>"
                  "<th>context</th><th>right (dense)</th><th>now</th></tr></thead><tbody>\n");
    for (size_t j = 0; j < r->each.metric_views.n && shown < EXAMPLES; j++)
        if (counts(r, &r->each.metric_views.at[j]))
            shown += put_examples_of(r, dense, cell, &r->each.metric_views.at[j],
                                     each < EXAMPLES - shown ? each : EXAMPLES - shown);
    cull_buf_puts(r->page, "</tbody></table></div></details>\n");
    if (shown == 0) // nothing to be had: as if it had not been begun
        cull_buf_cut(r->page, before);
}

// ---- the table ----

// A row: nothing where no answers of the cell can be set beside the dense model's.
static void put_flips(const report *r, size_t dense, size_t cell)
{
    const flips f = all_tasks(r, dense, cell);
    const double of = (double)f.n, lost = (double)f.to_wrong, won = (double)f.to_right;

    if (f.n == 0)
        return;
    cull_buf_puts(r->page, "<tr><td class=\"r\">");
    if (!isnan(r->frame->cell[cell].sparsity))
        cull_buf_printf(r->page, "%g", r->frame->cell[cell].sparsity);
    cull_buf_puts(r->page, "</td><td>");
    cull_page_text(r->page, report_method(r, cell));
    cull_buf_printf(r->page,
                    "</td><td class=\"r\">%.1f %%</td><td class=\"r\">%.1f %%</td><td class=\"r\">"
                    "%.1f %%</td><td class=\"r\">",
                    100 * lost / of, 100 * won / of, 100 * (lost + won) / of);
    report_signed(r->page, 100 * (won - lost) / of, 1);
    cull_buf_puts(r->page, " %</td></tr>\n");
}

cull_status report_flips(const report *r, const char *model)
{
    size_t n;
    const size_t *cells = report_cells(r, model, &n), dense = cull_frame_dense(r->frame, model);
    bool any = false;

    if (!cells)
        return CULL_ENOMEM;
    for (size_t i = 0; dense != SIZE_MAX && i < n; i++)
        any |= all_tasks(r, dense, cells[i]).n > 0;
    if (!any)
        return CULL_OK;

    cull_buf_puts(r->page,
                  "<div class=\"scroll\"><table><thead><tr><th class=\"r\">sparsity</th>"
                  "<th>method</th><th class=\"r\">right → wrong</th><th class=\"r\">wrong → "
                  "right</th><th class=\"r\">changed</th><th class=\"r\">net</th></tr></thead>"
                  "\n<tbody>\n");
    for (size_t i = 0; i < n; i++)
        put_flips(r, dense, cells[i]);
    cull_buf_puts(r->page, "</tbody></table></div>\n");
    cull_buf_puts(r->page, "<details><summary>Examples of right → wrong</summary>\n");
    for (size_t i = 0; i < n; i++)
        put_examples(r, dense, cells[i]);
    cull_buf_puts(r->page, "</details>\n");
    return CULL_OK;
}
