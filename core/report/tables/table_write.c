// A table as csv, JSON, Markdown and LaTeX.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "base/text.h"
#include "report/tables/table.h"

static const cull_table_cell *cell_at(const cull_table *t, size_t row, size_t column)
{
    return &t->cell[row * t->n_columns + column];
}

// ---- csv ----

// A spreadsheet takes a cell that begins so for a formula, which may run programs.
static bool is_formula(const char *text)
{
    char *end;

    if (!*text || !strchr("=+-@\t\r", *text))
        return false;
    (void)strtod(text, &end);
    return (*end || end == text) && text[1];
}

static void csv_text(const char *text, bool number, FILE *out)
{
    const bool formula = !number && is_formula(text);

    if (!formula && !strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    fputs(formula ? "\"'" : "\"", out);
    for (const char *c = text; *c; c++) {
        if (*c == '"')
            fputc('"', out);
        fputc(*c, out);
    }
    fputc('"', out);
}

void cull_table_csv(const cull_table *t, FILE *out)
{
    for (size_t c = 0; c < t->n_columns; c++) {
        fputs(c ? "," : "", out);
        csv_text(t->column[c].name, false, out);
    }
    fputc('\n', out);
    for (size_t r = 0; r < t->n_rows; r++) {
        for (size_t c = 0; c < t->n_columns; c++) {
            fputs(c ? "," : "", out);
            csv_text(cell_at(t, r, c)->text, t->column[c].number, out);
        }
        fputc('\n', out);
    }
}

// ---- json ----

static void json_cell(const cull_table *t, size_t row, size_t column, cull_buf *out)
{
    const char *text = cell_at(t, row, column)->text;
    const bool number = *text && strspn(text, "+-.0123456789eE") == strlen(text);

    if (!t->column[column].number)
        cull_buf_json(out, text, strlen(text));
    else
        cull_buf_puts(out, number ? text : "null"); // inf and nan are no JSON
}

cull_status cull_table_json(const cull_table *t, FILE *out)
{
    cull_buf buf = CULL_BUF_INIT;

    for (size_t r = 0; r < t->n_rows; r++) {
        cull_buf_puts(&buf, r ? ",\n {" : "\n {");
        for (size_t c = 0; c < t->n_columns; c++) {
            cull_buf_puts(&buf, c ? ", " : "");
            cull_buf_json(&buf, t->column[c].name, strlen(t->column[c].name));
            cull_buf_puts(&buf, ": ");
            json_cell(t, r, c, &buf);
        }
        cull_buf_puts(&buf, "}");
    }
    const bool failed = buf.failed;
    if (!failed)
        fprintf(out, "[%s\n]\n", t->n_rows ? buf.s : "");
    cull_buf_release(&buf);
    return failed ? cull_no_memory(t->ctx) : CULL_OK;
}

// ---- markdown ----

static size_t width_of(const char *text)
{
    size_t n = cull_utf8_length(text, strlen(text));

    for (const char *c = text; *c; c++)
        n += *c == '|' || *c == '<'; // are escaped
    return n;
}

static size_t column_width(const cull_table *t, size_t c)
{
    size_t most = width_of(t->column[c].name);

    for (size_t r = 0; r < t->n_rows; r++) {
        const size_t n = width_of(cell_at(t, r, c)->text) + (cell_at(t, r, c)->best ? 4 : 0);
        most = n > most ? n : most;
    }
    return most > 3 ? most : 3; // as many dashes as Markdown wants
}

static void pad(FILE *out, size_t n, char with)
{
    while (n--)
        fputc(with, out);
}

static void markdown_cell(const char *text, bool bold, bool right, size_t width, FILE *out)
{
    const size_t n = width_of(text) + (bold ? 4 : 0);

    if (right)
        pad(out, width - n, ' ');
    fputs(bold ? "**" : "", out);
    for (const char *c = text; *c; c++) {
        if (*c == '|' || *c == '<')
            fputc('\\', out);
        fputc(*c, out);
    }
    fputs(bold ? "**" : "", out);
    if (!right)
        pad(out, width - n, ' ');
    fputc('|', out);
}

void cull_table_markdown(const cull_table *t, FILE *out)
{
    fputc('|', out);
    for (size_t c = 0; c < t->n_columns; c++)
        markdown_cell(t->column[c].name, false, false, column_width(t, c), out);
    fputs("\n|", out);
    for (size_t c = 0; c < t->n_columns; c++) {
        pad(out, column_width(t, c) - t->column[c].right, '-');
        fputs(t->column[c].right ? ":|" : "|", out);
    }
    fputc('\n', out);
    for (size_t r = 0; r < t->n_rows; r++) {
        fputc('|', out);
        for (size_t c = 0; c < t->n_columns; c++)
            markdown_cell(cell_at(t, r, c)->text, cell_at(t, r, c)->best, t->column[c].right,
                          column_width(t, c), out);
        fputc('\n', out);
    }
}

// ---- latex ----

// Signs that print as themselves in LaTeX's default encoding, OT1, where "<" is "¡" and "|" a dash.
static void latex_text(const char *text, FILE *out)
{
    static const struct {
        const char *from, *to;
    } signs[] = {
        { "±", "$\\pm$" },
        { "−", "$-$" },
        { "↑", "$\\uparrow$" },
        { "↓", "$\\downarrow$" },
        { "×", "$\\times$" },
        { "–", "--" },
        { "\\", "\\textbackslash{}" },
        { "~", "\\textasciitilde{}" },
        { "^", "\\textasciicircum{}" },
        { "<", "$<$" },
        { ">", "$>$" },
        { "|", "\\textbar{}" },
        { "\"", "\\texttt{\\char34}" }, // OT1 has it among the typewriter's alone
    };

    for (char before = ' '; *text;) {
        size_t n = 0;
        if (*text == '-' && isdigit((unsigned char)text[1]) && strchr(" [(", before)) {
            fputs("$-$", out); // a minus, not a hyphen
            n = 1;
        }
        for (size_t i = 0; n == 0 && i < sizeof signs / sizeof signs[0]; i++)
            if (strncmp(text, signs[i].from, strlen(signs[i].from)) == 0) {
                fputs(signs[i].to, out);
                n = strlen(signs[i].from);
            }
        if (n == 0) {
            fprintf(out, strchr("#$%&_{}", *text) ? "\\%c" : "%c", *text);
            if (*text == '-' && text[1] == '-') // would become a dash
                fputs("{}", out);
            n = 1;
        }
        before = text[n - 1];
        text += n;
    }
}

// Letters, digits and dashes of a label: others would end it.
static void latex_label(const char *text, FILE *out)
{
    for (; *text; text++)
        fputc(isalnum((unsigned char)*text) ? *text : '-', out);
}

static void latex_head(const char *caption, const char *label, FILE *out)
{
    fputs("\\begin{table}\n\\centering\n\\caption{", out);
    latex_text(caption, out);
    fputs("}\n\\label{tab:", out);
    latex_label(label, out);
    fputs("}\n", out);
}

void cull_table_latex(const cull_table *t, const char *caption, const char *label, FILE *out)
{
    if (caption)
        latex_head(caption, label, out);
    fputs("\\begin{tabular}{", out);
    for (size_t c = 0; c < t->n_columns; c++)
        fputc(t->column[c].right ? 'r' : 'l', out);
    fputs("}\n\\toprule\n", out);
    for (size_t c = 0; c < t->n_columns; c++) {
        fputs(c ? " & " : "", out);
        latex_text(t->column[c].name, out);
    }
    fputs(" \\\\\n\\midrule\n", out);
    for (size_t r = 0; r < t->n_rows; r++) {
        for (size_t c = 0; c < t->n_columns; c++) {
            const cull_table_cell *cell = cell_at(t, r, c);
            fputs(c ? " & " : "", out);
            if (c == 0 && (*cell->text == '[' || *cell->text == '*'))
                fputs("{}", out); // else an argument of the \\ above it
            fputs(cell->best ? "\\textbf{" : "", out);
            latex_text(cell->text, out);
            fputs(cell->best ? "}" : "", out);
        }
        fputs(" \\\\\n", out);
    }
    fputs("\\bottomrule\n\\end{tabular}\n", out);
    if (caption)
        fputs("\\end{table}\n", out);
}
