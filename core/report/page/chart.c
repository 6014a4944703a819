// A chart as SVG: axes, ticks, lines, bands.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/page/page.h"

enum { LEFT = 52, RIGHT = 14, TOP = 24, BOTTOM = 38 };

// From data to the drawing: y grows downwards there.
typedef struct frame {
    const cull_chart *chart;
    double x0, x1, y0, y1; // data; y as logarithm where the axis is
} frame;

static double y_of(const cull_chart *c, double y)
{
    return c->log_y ? log(y) : y;
}

static double to_x(const frame *f, double x)
{
    return LEFT + (f->chart->width - LEFT - RIGHT) * (x - f->x0) / (f->x1 - f->x0);
}

static double to_y(const frame *f, double y)
{
    const double h = f->chart->height - TOP - BOTTOM;
    const double at = TOP + h * (f->y1 - y_of(f->chart, y)) / (f->y1 - f->y0);
    return fmin(fmax(at, TOP - 4), TOP + h + 4); // bands may be wider than the drawing
}

static void widen(double *low, double *high, double x)
{
    if (!isfinite(x))
        return;
    *low = fmin(*low, x);
    *high = fmax(*high, x);
}

// The range of the data, with some air; false: there is none. Bands count, but not beyond twice the
// points' own range: one wild interval must not flatten all lines.
static bool fit(const cull_chart *c, frame *f)
{
    double band_low = INFINITY, band_high = -INFINITY;
    *f = (frame){ c, INFINITY, -INFINITY, INFINITY, -INFINITY };
    for (size_t s = 0; s < c->n; s++)
        for (size_t i = 0; i < c->series[s].n; i++) {
            const cull_point *p = &c->series[s].point[i];
            if (!isfinite(p->x) || !isfinite(y_of(c, p->y)))
                continue;
            widen(&f->x0, &f->x1, p->x);
            widen(&f->y0, &f->y1, y_of(c, p->y));
            widen(&band_low, &band_high, y_of(c, p->low));
            widen(&band_low, &band_high, y_of(c, p->high));
        }
    if (f->x0 > f->x1)
        return false;
    widen(&f->y0, &f->y1, y_of(c, c->reference));
    const double range = f->y1 - f->y0;
    f->y0 = fmax(fmin(f->y0, band_low), f->y0 - 3 * range);
    f->y1 = fmin(fmax(f->y1, band_high), f->y1 + 3 * range);
    const double air_x = f->x1 > f->x0 ? 0.06 * (f->x1 - f->x0) : fmax(0.1 * fabs(f->x0), 0.05);
    const double air_y = f->y1 > f->y0 ? 0.07 * (f->y1 - f->y0) : fmax(0.1 * fabs(f->y0), 0.05);
    f->x0 -= air_x;
    f->x1 += air_x;
    f->y0 -= air_y;
    f->y1 += air_y;
    return true;
}

// ---- axes ----

static double nice_step(double range, size_t ticks) // 1, 2 or 5 times a power of ten
{
    const double raw = range / (double)ticks, power = pow(10, floor(log10(raw))),
                 first = raw / power;
    return power * (first < 1.5 ? 1 : first < 3.5 ? 2 : first < 7.5 ? 5 : 10);
}

static void y_tick(cull_buf *page, const frame *f, double y)
{
    const double at = to_y(f, y);
    cull_buf_printf(page,
                    "<line class=\"grid\" x1=\"%d\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>"
                    "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>",
                    LEFT, f->chart->width - RIGHT, at, at, LEFT - 6, at + 4,
                    fabs(y) < 1e-12 ? 0 : y);
}

static void linear_ticks(cull_buf *page, const frame *f)
{
    const double step = nice_step(f->y1 - f->y0, 5);
    for (double y = ceil(f->y0 / step) * step; y <= f->y1; y += step)
        y_tick(page, f, y);
}

// 1, 2, 5 times powers of ten, or even steps where the range is less than a doubling.
static void log_ticks(cull_buf *page, const frame *f)
{
    static const double firsts[] = { 1, 1.5, 2, 3, 5, 7 };
    if (f->y1 - f->y0 < log(2.2)) {
        const double low = exp(f->y0), high = exp(f->y1), step = nice_step(high - low, 4);
        for (double y = ceil(low / step) * step; y <= high; y += step)
            y_tick(page, f, y);
        return;
    }
    const double LINE = 13, decade = fabs(to_y(f, 10) - to_y(f, 1)); // in pixels
    size_t stride = f->y1 - f->y0 > log(50) ? 4 : f->y1 - f->y0 > log(8) ? 2 : 1;
    if (decade * log10(2) < LINE) // 5 and 10 would be one on the other
        stride = sizeof firsts / sizeof firsts[0];
    const int step = (int)ceil(LINE / decade);
    for (int e = step * (int)floor(f->y0 / log(10) / step); e <= (int)ceil(f->y1 / log(10));
         e += step)
        for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i += stride) {
            const double y = firsts[i] * pow(10, e);
            if (log(y) >= f->y0 && log(y) <= f->y1)
                y_tick(page, f, y);
        }
}

static void x_ticks(cull_buf *page, const frame *f)
{
    const cull_chart *c = f->chart;
    const double step = nice_step(f->x1 - f->x0, c->width < 320 ? 2 : 6);
    for (double x = ceil(f->x0 / step) * step; x <= f->x1; x += step) {
        const double at = to_x(f, x), shown = fabs(x) < 1e-12 ? 0 : x;
        cull_buf_printf(page, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", at,
                        c->height - BOTTOM + 15);
        cull_buf_printf(page, c->percent_x ? "%.4g %%</text>" : "%.4g</text>",
                        c->percent_x ? 100 * shown : shown);
    }
}

static void axes(cull_buf *page, const frame *f)
{
    const cull_chart *c = f->chart;
    if (c->log_y)
        log_ticks(page, f);
    else
        linear_ticks(page, f);
    x_ticks(page, f);
    cull_buf_printf(page, "<line class=\"axis\" x1=\"%d\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>",
                    LEFT, c->width - RIGHT, c->height - BOTTOM, c->height - BOTTOM);
    cull_buf_printf(page, "<text class=\"title\" x=\"%d\" y=\"14\">", 4);
    cull_page_text(page, c->title);
    cull_buf_printf(page, "</text><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">",
                    c->width - RIGHT, c->height - 6);
    cull_page_text(page, c->x_label);
    cull_buf_puts(page, "</text>\n");
    if (isnan(c->reference))
        return;
    const double at = to_y(f, c->reference);
    cull_buf_printf(page,
                    "<line class=\"ref\" x1=\"%d\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>"
                    "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">",
                    LEFT, c->width - RIGHT, at, at, c->width - RIGHT, at - 4);
    cull_page_text(page, c->reference_name ? c->reference_name : "");
    cull_buf_puts(page, "</text>\n");
}

// ---- data ----

static bool drawn(const cull_chart *c, const cull_point *p)
{
    return isfinite(p->x) && isfinite(y_of(c, p->y));
}

static void band(cull_buf *page, const frame *f, const cull_series *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        n += drawn(f->chart, &s->point[i]) && isfinite(y_of(f->chart, s->point[i].low));
    if (n < 2)
        return;
    cull_buf_puts(page, "<path d=\"");
    for (size_t i = 0, k = 0; i < s->n; i++)
        if (drawn(f->chart, &s->point[i]) && isfinite(y_of(f->chart, s->point[i].low)))
            cull_buf_printf(page, "%c%.1f %.1f", k++ ? 'L' : 'M', to_x(f, s->point[i].x),
                            to_y(f, s->point[i].high));
    for (size_t i = s->n; i-- > 0;)
        if (drawn(f->chart, &s->point[i]) && isfinite(y_of(f->chart, s->point[i].low)))
            cull_buf_printf(page, "L%.1f %.1f", to_x(f, s->point[i].x), to_y(f, s->point[i].low));
    cull_buf_printf(page, "Z\" fill=\"var(--s%zu)\" fill-opacity=\"0.14\"/>",
                    s->colour % CULL_SERIES_COLOURS);
}

static void line(cull_buf *page, const frame *f, const cull_series *s)
{
    cull_buf_puts(page, "<path d=\"");
    for (size_t i = 0, k = 0; i < s->n; i++)
        if (drawn(f->chart, &s->point[i]))
            cull_buf_printf(page, "%c%.1f %.1f", k++ ? 'L' : 'M', to_x(f, s->point[i].x),
                            to_y(f, s->point[i].y));
    cull_buf_printf(page, "\" fill=\"none\" stroke=\"var(--s%zu)\" stroke-width=\"%s\"%s/>",
                    s->colour % CULL_SERIES_COLOURS, f->chart->lines ? "2" : "0.7",
                    s->colour < CULL_SERIES_COLOURS ? "" : " stroke-dasharray=\"4 3\"");
}

static void dot(cull_buf *page, const frame *f, const cull_series *s, const cull_point *p)
{
    const size_t colour = s->colour % CULL_SERIES_COLOURS;
    const double x = to_x(f, p->x);

    if (isfinite(y_of(f->chart, p->low)) && !f->chart->lines)
        cull_buf_printf(
            page,
            "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"var(--s%zu)\" "
            "stroke-opacity=\"0.5\"/>",
            x, x, to_y(f, p->low), to_y(f, p->high), colour);
    cull_buf_printf(page, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.2\" fill=\"var(--s%zu)\">", x,
                    to_y(f, p->y), colour);
    cull_buf_puts(page, "<title>");
    cull_page_text(page, s->name);
    cull_buf_printf(page, f->chart->percent_x ? " at %.4g %%: %.4g" : " at %.4g: %.4g",
                    f->chart->percent_x ? 100 * p->x : p->x, p->y);
    if (isfinite(p->low))
        cull_buf_printf(page, " [%.4g, %.4g]", p->low, p->high);
    if (p->note) {
        cull_buf_puts(page, ", ");
        cull_page_text(page, p->note);
    }
    cull_buf_puts(page, "</title></circle>\n");
}

void cull_page_chart(cull_buf *page, const cull_chart *c)
{
    frame f;
    if (!fit(c, &f))
        return;
    cull_buf_printf(page,
                    "<svg viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" role=\"img\" aria-label=\"",
                    c->width, c->height, c->width);
    cull_page_text(page, c->title);
    cull_buf_puts(page, "\">\n");
    axes(page, &f);
    for (size_t s = 0; s < c->n && c->lines; s++)
        band(page, &f, &c->series[s]);
    for (size_t s = 0; s < c->n; s++) {
        line(page, &f, &c->series[s]);
        for (size_t i = 0; i < c->series[s].n; i++)
            if (drawn(c, &c->series[s].point[i]))
                dot(page, &f, &c->series[s], &c->series[s].point[i]);
    }
    cull_buf_puts(page, "</svg>\n");
}
