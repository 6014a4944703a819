// A table of texts in memory, and aligned on a terminal.
#include "report/tables/table.h"

#include <libsmartcols.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/text.h"
#include "results/load.h"

// ---- making ----

cull_table cull_table_new(cull_ctx *ctx, size_t n_columns, size_t fixed,
                          const cull_table_column *columns)
{
    cull_table table = { .ctx = ctx, .n_columns = n_columns, .fixed = fixed };

    table.column = cull_take(ctx, n_columns ? n_columns : 1, sizeof *table.column);
    if (!table.column)
        table.status = CULL_ENOMEM;
    else if (n_columns)
        memcpy(table.column, columns, n_columns * sizeof *columns);
    return table;
}

static cull_table_cell *cell_at(const cull_table *t, size_t row, size_t column)
{
    return &t->cell[row * t->n_columns + column];
}

void cull_table_row(cull_table *t)
{
    if (t->status != CULL_OK)
        return;
    if (t->n_rows == t->room) {
        t->room = t->room ? 2 * t->room : 32;
        cull_table_cell *more = cull_take(t->ctx, t->room * t->n_columns, sizeof *more);
        if (!more) {
            t->status = CULL_ENOMEM;
            return;
        }
        if (t->n_rows)
            memcpy(more, t->cell, t->n_rows * t->n_columns * sizeof *more);
        t->cell = more;
    }
    for (size_t c = 0; c < t->n_columns; c++)
        *cell_at(t, t->n_rows, c) = (cull_table_cell){ .text = "" };
    t->n_rows++;
}

void cull_table_set(cull_table *t, size_t column, const char *text)
{
    if (t->status != CULL_OK)
        return;
    const char *copy = cull_arena_copy(cull_context_of(t->ctx)->alloc, text, strlen(text));
    if (copy)
        cell_at(t, t->n_rows - 1, column)->text = copy;
    else
        t->status = cull_no_memory(t->ctx);
}

void cull_table_printf(cull_table *t, size_t column, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    cull_table_set(t, column, text);
}

void cull_table_real(cull_table *t, size_t column, double x)
{
    char text[32];

    if (isnan(x))
        return;
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    cull_table_set(t, column, text);
}

void cull_table_best(cull_table *t, size_t column)
{
    if (t->status == CULL_OK)
        cell_at(t, t->n_rows - 1, column)->best = true;
}

// ---- on a terminal ----

static size_t width_of(const char *text)
{
    return cull_utf8_length(text, strlen(text));
}

static bool has_best(const cull_table *t, size_t c)
{
    bool best = false;

    for (size_t r = 0; r < t->n_rows; r++)
        best |= cell_at(t, r, c)->best;
    return best;
}

enum { HEADING = 256 };

// A column's name, with that of the one it belongs to where a part begins without that one.
static void heading(const cull_table *t, size_t c, bool leads, char text[HEADING])
{
    size_t head = c;

    while (leads && head > 0 && t->column[head].joined)
        head--;
    snprintf(text, HEADING, "%s%s%s", head == c ? "" : t->column[head].name, head == c ? "" : ": ",
             t->column[c].name);
}

static size_t column_width(const cull_table *t, size_t c, bool leads)
{
    char name[HEADING];

    heading(t, c, leads, name);
    size_t most = width_of(name);
    const size_t star = has_best(t, c);
    for (size_t r = 0; r < t->n_rows; r++) {
        const size_t n = width_of(cell_at(t, r, c)->text) + star;
        most = n > most ? n : most;
    }
    return most;
}

static size_t terminal_width(FILE *out)
{
    struct winsize size;
    const int fd = fileno(out);

    return fd >= 0 && isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

// The end of the columns that stay together with column c.
static size_t group_end(const cull_table *t, size_t c)
{
    do
        c++;
    while (c < t->n_columns && t->column[c].joined);
    return c;
}

static size_t widths(const cull_table *t, size_t first, size_t end) // with the blanks between
{
    size_t used = 0;

    for (size_t c = first; c < end; c++)
        used += column_width(t, c, c == first) + 1;
    return used;
}

// The columns of one part: the fixed ones, and from `first` on as many groups as fit. Of a group
// that is too wide by itself as many columns as fit; at least one.
static size_t part_end(const cull_table *t, size_t first, size_t width)
{
    const size_t fixed = widths(t, 0, t->fixed), room = width + 1;
    size_t end = group_end(t, first);

    if (width == 0)
        return t->n_columns;
    while (end > first + 1 && fixed + widths(t, first, end) > room)
        end--;
    while (end < t->n_columns && fixed + widths(t, first, group_end(t, end)) <= room)
        end = group_end(t, end);
    return end;
}

// libsmartcols shows bytes that are no UTF-8 by their numbers, and would do so with the "\" of what
// is shown by its number already.
static bool is_text(const cull_table *t)
{
    bool valid = true;

    for (size_t c = 0; valid && c < t->n_columns; c++)
        valid = cull_utf8_valid(t->column[c].name, strlen(t->column[c].name));
    for (size_t i = 0; valid && i < t->n_rows * t->n_columns; i++)
        valid = cull_utf8_valid(t->cell[i].text, strlen(t->cell[i].text));
    return valid;
}

// Where some cell of a column has its star, the others have a blank there. A text that is cut
// within a character would never be shown to its end.
static int add_cell(const cull_table *t, struct libscols_line *line, size_t at,
                    const cull_table_cell *cell, bool stars, bool colours)
{
    const char *shown = cull_visible_name(t->ctx, cell->text);
    cull_buf text = CULL_BUF_INIT;

    if (!shown)
        return -1;
    cull_buf_printf(&text, "%s%s", shown, cell->best ? "*" : stars ? " " : "");
    const bool set = !text.failed && scols_line_set_data(line, at, text.s) == 0;
    cull_buf_release(&text);
    if (!set)
        return -1;
    return cell->best && colours ? scols_cell_set_color(scols_line_get_cell(line, at), "\033[1m")
                                 : 0;
}

static int fill(struct libscols_table *lines, const cull_table *t, size_t first, size_t end,
                bool colours)
{
    for (size_t c = 0; c < end; c++) {
        if (c >= t->fixed && c < first)
            continue;
        char name[HEADING];
        heading(t, c, c == first, name);
        const char *shown = cull_visible_name(t->ctx, name);
        if (!shown ||
            !scols_table_new_column(lines, shown, 1, t->column[c].right ? SCOLS_FL_RIGHT : 0))
            return -1;
    }
    for (size_t r = 0; r < t->n_rows; r++) {
        struct libscols_line *line = scols_table_new_line(lines, NULL);
        size_t at = 0;
        for (size_t c = 0; line && c < end; c++)
            if (c < t->fixed || c >= first)
                if (add_cell(t, line, at++, cell_at(t, r, c), has_best(t, c), colours) != 0)
                    return -1;
        if (!line)
            return -1;
    }
    return 0;
}

static int show_part(const cull_table *t, FILE *out, size_t first, size_t end, size_t width)
{
    struct libscols_table *lines = scols_new_table();

    if (!lines)
        return -1;

    const bool colours = terminal_width(out) > 0;
    int failed = scols_table_set_stream(lines, out);
    if (!failed && width)
        failed = scols_table_set_termwidth(lines, width);
    if (!failed) // else it asks the terminal itself, and cuts
        failed = scols_table_set_termforce(lines, SCOLS_TERMFORCE_NEVER);
    if (!failed)
        failed = scols_table_enable_colors(lines, colours);
    if (!failed)
        failed = scols_table_enable_noencoding(lines, is_text(t));
    if (!failed)
        failed = fill(lines, t, first, end, colours);
    if (!failed)
        failed = scols_print_table(lines);
    scols_unref_table(lines);
    return failed;
}

static cull_status show_parts(const cull_table *t, FILE *out, size_t width)
{
    size_t first = t->fixed;

    do {
        const size_t end = part_end(t, first, width);
        if (first > t->fixed)
            fputc('\n', out);
        if (t->title)
            fprintf(out, "%s\n", t->title);
        if (show_part(t, out, first, end, width) != 0)
            return cull_no_memory(t->ctx);
        first = end;
    } while (first < t->n_columns);
    return CULL_OK;
}

cull_status cull_table_show(const cull_table *t, FILE *out, size_t width)
{
    if (t->status != CULL_OK)
        return t->status;
    if (width == 0)
        width = terminal_width(out);
    // libsmartcols measures texts in the locale of the thread
    const locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    const locale_t before = uselocale(utf8);
    const cull_status status = show_parts(t, out, width);
    uselocale(before);
    if (utf8)
        freelocale(utf8);
    return status;
}
