// The page's frame: head, styles, tables, escaped text.
#include "report/page/page.h"

#include <stdio.h>
#include <string.h>

extern const char cull_light_css[], cull_drawing_css[], cull_page_css[]; // the files of these names

static void put_markup(cull_buf *page, const char *text)
{
    static const struct {
        char sign;
        const char *entity;
    } signs[] = {
        { '<', "&lt;" }, { '>', "&gt;" }, { '&', "&amp;" }, { '"', "&quot;" }, { '\'', "&#39;" }
    };

    for (; *text; text++) {
        const char *entity = NULL;
        for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
            entity = signs[i].sign == *text ? signs[i].entity : entity;
        if (entity)
            cull_buf_puts(page, entity);
        else
            cull_buf_add(page, text, 1);
    }
}

// A page has no control characters, not even as entities.
void cull_page_text(cull_buf *page, const char *text)
{
    cull_buf visible = CULL_BUF_INIT;

    cull_buf_visible(&visible, text);
    page->failed |= visible.failed;
    put_markup(page, visible.s ? visible.s : "");
    cull_buf_release(&visible);
}

void cull_page_head(cull_buf *page, const char *title)
{
    cull_buf_puts(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                        "<meta name=\"color-scheme\" content=\"light dark\">\n"
                        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';"
                        "style-src 'unsafe-inline';script-src 'unsafe-inline'\">\n<title>");
    cull_page_text(page, title);
    cull_buf_puts(page, "</title>\n<style>\n");
    cull_buf_puts(page, cull_light_css);
    cull_buf_puts(page, cull_drawing_css);
    cull_buf_puts(page, cull_page_css);
    cull_buf_puts(page, "</style>\n</head>\n<body>\n");
}

void cull_page_tail(cull_buf *page)
{
    cull_buf_puts(page, "</body>\n</html>\n");
}

// ---- drawings ----

void cull_page_svg(cull_buf *page, double width, double height, const char *title)
{
    cull_buf_printf(page,
                    "<svg viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" role=\"img\" aria-label=\"",
                    width, height, width);
    cull_page_text(page, title);
    cull_buf_puts(page, "\">\n");
}

void cull_page_svg_file(cull_buf *file, const char *svg, size_t n)
{
    static const char open[] = "<svg ";
    const char *end = memchr(svg, '>', n);

    if (!end || n < sizeof open)
        return;
    cull_buf_puts(file, "<svg xmlns=\"http://www.w3.org/2000/svg\" ");
    cull_buf_add(file, svg + strlen(open), (size_t)(end + 1 - svg) - strlen(open));
    cull_buf_puts(file, "<style>");
    cull_buf_puts(file, cull_light_css);
    cull_buf_puts(file, cull_drawing_css);
    cull_buf_puts(file, "</style>\n");
    cull_buf_add(file, end + 1, n - (size_t)(end + 1 - svg));
}

void cull_page_number(cull_buf *page, double x)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%.4g", x);
    for (const char *c = text; *c; c++)
        cull_buf_puts(page, *c == '-' ? "−" : (char[]){ *c, '\0' });
}

// A text of numbers, whose hyphens before a digit are minus signs.
static void put_numbers(cull_buf *page, const char *text)
{
    cull_buf shown = CULL_BUF_INIT;

    for (const char *c = text; *c; c++) {
        const bool first = c == text || c[-1] == ' ' || c[-1] == '[';
        if (*c == '-' && first && c[1] >= '0' && c[1] <= '9')
            cull_buf_puts(&shown, "−");
        else
            cull_buf_add(&shown, c, 1);
    }
    page->failed |= shown.failed;
    cull_page_text(page, shown.s ? shown.s : "");
    cull_buf_release(&shown);
}

static void put_cell(cull_buf *page, const char *element, bool right, const cull_table_cell *cell)
{
    cull_buf_printf(page, "<%s class=\"%s%s\">", element, right ? "r" : "",
                    cell->best ? " best" : "");
    if (right)
        put_numbers(page, cell->text);
    else
        cull_page_text(page, cell->text);
    cull_buf_printf(page, "</%s>", element);
}

void cull_page_table(cull_buf *page, const cull_table *table)
{
    cull_buf_puts(page, "<div class=\"scroll\"><table><thead><tr>");
    for (size_t c = 0; c < table->n_columns; c++)
        put_cell(page, "th", table->column[c].right,
                 &(cull_table_cell){ table->column[c].name, false });
    cull_buf_puts(page, "</tr></thead>\n<tbody>\n");
    for (size_t r = 0; r < table->n_rows; r++) {
        cull_buf_puts(page, "<tr>");
        for (size_t c = 0; c < table->n_columns; c++)
            put_cell(page, "td", table->column[c].right, &table->cell[r * table->n_columns + c]);
        cull_buf_puts(page, "</tr>\n");
    }
    cull_buf_puts(page, "</tbody></table></div>\n");
}
