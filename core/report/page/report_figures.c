// Drawings of the page, and each as files of its own: SVG, and its numbers as csv.
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/new_file.h"
#include "report/page/sections.h"

enum { NAME = 60 }; // bytes of a file's name, about

// "003-perplexity-of-9": the number of the figure, and what its title has of plain characters.
static const char *name_of(const report *r, const char *title)
{
    cull_buf name = CULL_BUF_INIT;
    bool gap = true;

    cull_buf_printf(&name, "%03zu", ++*r->n_figures);
    for (const char *c = title; *c && name.n < NAME; c++) {
        const bool plain = isalnum((unsigned char)*c) || *c == '.' || *c == '_';
        if (plain)
            cull_buf_printf(&name, "%s%c", gap ? "-" : "", *c);
        gap = !plain;
    }
    const char *copy =
        name.failed ? NULL : cull_arena_copy(cull_context_of(r->ctx)->alloc, name.s, name.n);
    cull_buf_release(&name);
    return copy;
}

static cull_status write_one(const report *r, const char *name, const char *ending,
                             const cull_buf *text)
{
    const char *path =
        cull_arena_printf(cull_context_of(r->ctx)->alloc, "%s/%s%s", r->figures, name, ending);

    if (!path || text->failed)
        return cull_no_memory(r->ctx);
    return cull_write_file(r->ctx, path, text->s ? text->s : "", text->n);
}

// The drawing that the page has from `from` on, and its numbers.
static cull_status write_figure(const report *r, const char *title, size_t from,
                                const cull_buf *csv)
{
    cull_buf svg = CULL_BUF_INIT;
    const char *name = name_of(r, title);

    if (!name)
        return cull_no_memory(r->ctx);
    cull_page_svg_file(&svg, r->page->s + from, r->page->n - from);
    cull_status status = write_one(r, name, ".svg", &svg);
    if (status == CULL_OK)
        status = write_one(r, name, ".csv", csv);
    cull_buf_release(&svg);
    return status;
}

static void put_text(cull_buf *out, const char *text)
{
    cull_buf_puts(out, "\"");
    for (; *text; text++)
        cull_buf_printf(out, *text == '"' ? "\"\"" : "%c", *text);
    cull_buf_puts(out, "\"");
}

static void put_number(cull_buf *out, double x)
{
    if (isfinite(x))
        cull_buf_printf(out, ",%.10g", x);
    else
        cull_buf_puts(out, ",");
}

cull_status report_chart(const report *r, const cull_chart *chart)
{
    cull_buf csv = CULL_BUF_INIT;
    cull_status status = CULL_OK;

    cull_buf_puts(r->page, "<figure>");
    const size_t from = r->page->n;
    const bool drawn = cull_page_chart(r->page, chart);
    cull_buf_puts(&csv, "series,x,y,low,high\n");
    for (size_t s = 0; s < chart->n; s++)
        for (size_t i = 0; i < chart->series[s].n; i++) {
            const cull_point *p = &chart->series[s].point[i];
            put_text(&csv, chart->series[s].name);
            put_number(&csv, p->x);
            put_number(&csv, p->y);
            put_number(&csv, p->low);
            put_number(&csv, p->high);
            cull_buf_puts(&csv, "\n");
        }
    if (r->figures && drawn && !r->page->failed)
        status = write_figure(r, chart->title, from, &csv);
    cull_buf_release(&csv);
    cull_buf_puts(r->page, "</figure>\n");
    return status;
}

cull_status report_grid(const report *r, const cull_grid *grid, const char *caption)
{
    cull_buf csv = CULL_BUF_INIT;
    cull_status status = CULL_OK;

    cull_buf_puts(r->page, "<figure>");
    const size_t from = r->page->n;
    cull_page_grid(r->page, grid);
    cull_buf_puts(&csv, "layer,expert,value,removed\n");
    for (size_t i = 0; i < grid->rows * grid->columns; i++) {
        if (isnan(grid->value[i]))
            continue;
        cull_buf_printf(&csv, "%lld,%zu", (long long)grid->row[i / grid->columns],
                        i % grid->columns);
        put_number(&csv, grid->value[i]);
        cull_buf_printf(&csv, ",%d\n", grid->marked[i]);
    }
    if (r->figures && !r->page->failed)
        status = write_figure(r, grid->title, from, &csv);
    cull_buf_release(&csv);
    cull_buf_puts(r->page, "<figcaption>");
    cull_page_text(r->page, caption);
    cull_buf_puts(r->page, "</figcaption></figure>\n");
    return status;
}
