// A grid of experts by layers as SVG.
#include <math.h>
#include <string.h>

#include "report/page/page.h"

// Viridis (Nathaniel Smith, Stéfan van der Walt; CC0) at twelve places.
static const char *const viridis[] = { "#440154", "#482173", "#433e85", "#38588c",
                                       "#2d708e", "#25858e", "#1e9b8a", "#2ab07f",
                                       "#52c569", "#86d549", "#c2df23", "#fde725" };
enum { SHADES = sizeof viridis / sizeof viridis[0], LABELS = 26, TITLE = 18, LETTER = 7 };

static size_t shade_of(double value)
{
    return (size_t)fmin(fmax(value * SHADES, 0), SHADES - 1);
}

// One path a shade: a large model has thousands of cells.
static void cells(cull_buf *page, const cull_grid *g, double cell)
{
    for (size_t shade = 0; shade < SHADES; shade++) {
        bool any = false;
        for (size_t i = 0; i < g->rows * g->columns; i++) {
            if (isnan(g->value[i]) || shade_of(g->value[i]) != shade)
                continue;
            cull_buf_puts(page, any ? "" : "<path d=\"");
            cull_buf_printf(
                page, "M%.4g %.4gh%.3gv%.3gh-%.3gz", LABELS + cell * (double)(i % g->columns),
                TITLE + cell * (double)(i / g->columns), cell - 0.6, cell - 0.6, cell - 0.6);
            any = true;
        }
        if (any)
            cull_buf_printf(page, "\" fill=\"%s\"/>", viridis[shade]);
    }
}

static void strikes(cull_buf *page, const cull_grid *g, double cell)
{
    bool any = false;

    for (size_t i = 0; i < g->rows * g->columns; i++) {
        if (!g->marked[i])
            continue;
        cull_buf_puts(page, any ? "" : "<path d=\"");
        cull_buf_printf(page, "M%.4g %.4gl%.3g %.3gm0 -%.3gl-%.3g %.3g",
                        LABELS + cell * (double)(i % g->columns) + 0.2 * cell,
                        TITLE + cell * (double)(i / g->columns) + 0.2 * cell, 0.55 * cell,
                        0.55 * cell, 0.55 * cell, 0.55 * cell, 0.55 * cell);
        any = true;
    }
    if (any)
        cull_buf_printf(page, "\" fill=\"none\" stroke=\"#fff\" stroke-width=\"%.2g\"/>",
                        cell > 9 ? 1.6 : 0.9);
}

void cull_page_grid(cull_buf *page, const cull_grid *g)
{
    const double cell = fmin(fmax(480 / (double)g->columns, 4), 16);
    const double title = LETTER * (double)strlen(g->title);
    const double width = fmax(LABELS + cell * (double)g->columns + 2, title);
    const double height = TITLE + cell * (double)g->rows + 4;
    const size_t every = cell >= 10 ? 1 : 4;

    cull_page_svg(page, width, height, g->title);
    cull_buf_puts(page, "<text class=\"title\" x=\"0\" y=\"11\">");
    cull_page_text(page, g->title);
    cull_buf_puts(page, "</text>\n");
    for (size_t r = 0; r < g->rows; r += every)
        cull_buf_printf(page, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%lld</text>",
                        LABELS - 5, TITLE + cell * ((double)r + 0.5) + 4, (long long)g->row[r]);
    cells(page, g, cell);
    strikes(page, g, cell);
    cull_buf_puts(page, "</svg>\n");
}

void cull_page_grid_key(cull_buf *page, const char *low, const char *high, const char *struck)
{
    enum { CELL = 12, BAR = SHADES * CELL };

    cull_buf_puts(page, "<p class=\"note key\">");
    cull_page_text(page, low);
    cull_buf_printf(page, " <svg viewBox=\"0 0 %d %d\" width=\"%d\" aria-hidden=\"true\">", BAR,
                    CELL, BAR);
    for (size_t i = 0; i < SHADES; i++)
        cull_buf_printf(page, "<rect x=\"%zu\" width=\"%d\" height=\"%d\" fill=\"%s\"/>", i * CELL,
                        CELL, CELL, viridis[i]);
    cull_buf_puts(page, "</svg> ");
    cull_page_text(page, high);
    cull_buf_printf(page,
                    " · <svg viewBox=\"0 0 %d %d\" width=\"%d\" aria-hidden=\"true\"><rect "
                    "width=\"%d\" height=\"%d\" fill=\"%s\"/><path d=\"M2 2l8 8m0-8l-8 8\" "
                    "stroke=\"#fff\" stroke-width=\"1.6\"/></svg> ",
                    CELL, CELL, CELL, CELL, CELL, viridis[2]);
    cull_page_text(page, struck);
    cull_buf_puts(page, "</p>\n");
}
