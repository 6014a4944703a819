// A chart as SVG: axes, ticks, lines, bands.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/page/page.h"

enum { LEFT = 52, RIGHT = 14, NAME = 42, TOP = 24, BOTTOM = 38 };

// From data to the drawing: y grows downwards there.
typedef struct frame {
    const cull_chart *chart;
    bool log_y;
    double x0, x1, y0, y1; // data; y as logarithm where the axis is
} frame;

static double y_of(const frame *f, double y)
{
    return f->log_y ? log(y) : y;
}

// From here on a logarithmic axis shows more than an even one.
static const double worth_a_logarithm = 8;

// A band this much wider than the points' own range is cut off: it must not flatten all lines.
static const double band_room = 0.25;

// Room at the right: the reference has its name there, where no series can be in its way.
static double right_of(const cull_chart *c)
{
    return c->reference_name && *c->reference_name ? NAME : RIGHT;
}

static double to_x(const frame *f, double x)
{
    return LEFT + (f->chart->width - LEFT - right_of(f->chart)) * (x - f->x0) / (f->x1 - f->x0);
}

static double to_y(const frame *f, double y)
{
    const double h = f->chart->height - TOP - BOTTOM;
    const double at = TOP + h * (f->y1 - y_of(f, y)) / (f->y1 - f->y0);

    return fmin(fmax(at, TOP), TOP + h); // bands may be wider than the drawing
}

static void widen(double *low, double *high, double x)
{
    if (!isfinite(x))
        return;
    *low = fmin(*low, x);
    *high = fmax(*high, x);
}

// What the axes have room for.
static size_t scale_of(const cull_chart *c, const cull_series **series)
{
    *series = c->n_scale ? c->scale : c->series;
    return c->n_scale ? c->n_scale : c->n;
}

static bool helps_logarithm(const cull_chart *c)
{
    double low = INFINITY, high = -INFINITY;
    const cull_series *series;
    const size_t n = scale_of(c, &series);

    for (size_t s = 0; s < n; s++)
        for (size_t i = 0; i < series[s].n; i++)
            widen(&low, &high, series[s].point[i].y);
    return low > 0 && high > worth_a_logarithm * low;
}

// The range of the points, with some air, and of their bands as far as there is room; false: there
// is none.
static bool fit(const cull_chart *c, frame *f)
{
    double band_low = INFINITY, band_high = -INFINITY;
    const cull_series *series;
    const size_t n = scale_of(c, &series);

    *f = (frame){ c, c->log_y && helps_logarithm(c), INFINITY, -INFINITY, INFINITY, -INFINITY };
    for (size_t s = 0; s < n; s++)
        for (size_t i = 0; i < series[s].n; i++) {
            const cull_point *p = &series[s].point[i];
            if (!isfinite(p->x) || !isfinite(y_of(f, p->y)))
                continue;
            widen(&f->x0, &f->x1, p->x);
            widen(&f->y0, &f->y1, y_of(f, p->y));
            widen(&band_low, &band_high, y_of(f, p->low));
            widen(&band_low, &band_high, y_of(f, p->high));
        }
    if (f->x0 > f->x1)
        return false;
    widen(&f->y0, &f->y1, y_of(f, c->reference));
    const double range = f->y1 - f->y0, room = range > 0 ? band_room * range : INFINITY;
    f->y0 = fmax(fmin(f->y0, band_low), f->y0 - room);
    f->y1 = fmin(fmax(f->y1, band_high), f->y1 + room);
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
                    "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">",
                    LEFT, f->chart->width - right_of(f->chart), at, at, LEFT - 6, at + 4);
    cull_page_number(page, fabs(y) < 1e-12 ? 0 : y);
    cull_buf_puts(page, "</text>");
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
        cull_page_number(page, c->percent_x ? 100 * shown : shown);
        cull_buf_puts(page, c->percent_x ? " %</text>" : "</text>");
    }
}

static void axes(cull_buf *page, const frame *f)
{
    const cull_chart *c = f->chart;

    if (f->log_y)
        log_ticks(page, f);
    else
        linear_ticks(page, f);
    x_ticks(page, f);
    cull_buf_printf(page, "<line class=\"axis\" x1=\"%d\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>",
                    LEFT, c->width - right_of(c), c->height - BOTTOM, c->height - BOTTOM);
    cull_buf_printf(page, "<text class=\"title\" x=\"%d\" y=\"14\">", 4);
    cull_page_text(page, c->title);
    cull_buf_printf(page, "</text><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">",
                    c->width - right_of(c), c->height - 6);
    cull_page_text(page, c->x_label);
    cull_buf_puts(page, "</text>\n");
    if (isnan(c->reference))
        return;
    const double at = to_y(f, c->reference), end = c->width - right_of(c);
    cull_buf_printf(page, "<line class=\"ref\" x1=\"%d\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>",
                    LEFT, end, at, at);
    cull_buf_printf(page, "<text class=\"name\" x=\"%.1f\" y=\"%.1f\">", end + 4, at + 4);
    cull_page_text(page, c->reference_name ? c->reference_name : "");
    cull_buf_puts(page, "</text>\n");
}

// ---- data ----

static bool drawn(const frame *f, const cull_point *p)
{
    return isfinite(p->x) && isfinite(y_of(f, p->y));
}

static bool has_band(const frame *f, const cull_point *p)
{
    return drawn(f, p) && isfinite(y_of(f, p->low)) && isfinite(y_of(f, p->high));
}

// Few series have the edges of their bands drawn; of more, each point has a whisker.
enum { EDGED = 4 };

// One edge of a band, thin: filled bands of several series hide each other.
static void edge(cull_buf *page, const frame *f, const cull_series *s, bool high)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        n += has_band(f, &s->point[i]);
    if (n < 2)
        return;
    cull_buf_puts(page, "<path d=\"");
    for (size_t i = 0, k = 0; i < s->n; i++) {
        const cull_point *p = &s->point[i];
        if (has_band(f, p))
            cull_buf_printf(page, "%c%.1f %.1f", k++ ? 'L' : 'M', to_x(f, p->x),
                            to_y(f, high ? p->high : p->low));
    }
    cull_buf_printf(page,
                    "\" fill=\"none\" stroke=\"var(--s%zu)\" stroke-width=\"0.7\" "
                    "stroke-opacity=\"0.6\" stroke-dasharray=\"2 2\"/>",
                    s->colour % CULL_SERIES_COLOURS);
}

static void line(cull_buf *page, const frame *f, const cull_series *s)
{
    cull_buf_puts(page, "<path d=\"");
    for (size_t i = 0, k = 0; i < s->n; i++)
        if (drawn(f, &s->point[i]))
            cull_buf_printf(page, "%c%.1f %.1f", k++ ? 'L' : 'M', to_x(f, s->point[i].x),
                            to_y(f, s->point[i].y));
    cull_buf_printf(page, "\" fill=\"none\" stroke=\"var(--s%zu)\" stroke-width=\"%s\"/>",
                    s->colour % CULL_SERIES_COLOURS, f->chart->lines ? "1.6" : "0.7");
}

void cull_page_mark(cull_buf *page, size_t series, double x, double y)
{
    // Round (x, y), of some 7 units; hollow ones are filled with the paper.
    static const char *const shapes[CULL_SERIES_COLOURS] = {
        "m-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0-6.4 0z", // disc
        "m-2.9-2.9h5.8v5.8h-5.8z",                          // square
        "m0-3.8l3.6 6.2h-7.2z",                             // triangle
        "m0-4l4 4l-4 4l-4-4z",                              // diamond
        "m-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0-6.4 0z", // ring
        "m-2.9-2.9h5.8v5.8h-5.8z",                          // frame
        "m0 3.8l3.6-6.2h-7.2z",                             // triangle on its tip, hollow
        "m-3.2-3.2l6.4 6.4m0-6.4l-6.4 6.4",                 // cross
    };
    const size_t colour = series % CULL_SERIES_COLOURS;
    const bool hollow = colour >= CULL_SERIES_COLOURS / 2;

    cull_buf_printf(page, "<path d=\"M%.1f %.1f%s\" stroke=\"var(--s%zu)\" stroke-width=\"%s\" ", x,
                    y, shapes[colour], colour, hollow ? "1.5" : "0.8");
    if (hollow)
        cull_buf_puts(page, "fill=\"var(--paper)\">");
    else
        cull_buf_printf(page, "fill=\"var(--s%zu)\">", colour);
}

static void dot(cull_buf *page, const frame *f, const cull_series *s, const cull_point *p)
{
    const double x = to_x(f, p->x);
    const bool whisker = !f->chart->lines || f->chart->n > EDGED;

    if (whisker && has_band(f, p) && p->high > p->low)
        cull_buf_printf(
            page,
            "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"var(--s%zu)\" "
            "stroke-opacity=\"0.5\"/>",
            x, x, to_y(f, p->low), to_y(f, p->high), s->colour % CULL_SERIES_COLOURS);
    cull_page_mark(page, s->colour, x, to_y(f, p->y));
    cull_buf_puts(page, "<title>");
    cull_page_text(page, s->name);
    cull_buf_puts(page, " at ");
    cull_page_number(page, f->chart->percent_x ? 100 * p->x : p->x);
    cull_buf_puts(page, f->chart->percent_x ? " %: " : ": ");
    cull_page_number(page, p->y);
    if (isfinite(p->low)) {
        cull_buf_puts(page, " [");
        cull_page_number(page, p->low);
        cull_buf_puts(page, ", ");
        cull_page_number(page, p->high);
        cull_buf_puts(page, "]");
    }
    if (p->note) {
        cull_buf_puts(page, ", ");
        cull_page_text(page, p->note);
    }
    cull_buf_puts(page, "</title></path>\n");
}

bool cull_page_chart(cull_buf *page, const cull_chart *c)
{
    frame f;

    if (!fit(c, &f))
        return false;
    cull_page_svg(page, c->width, c->height, c->title);
    axes(page, &f);
    for (size_t s = 0; s < c->n && c->lines && c->n <= EDGED; s++) {
        edge(page, &f, &c->series[s], false);
        edge(page, &f, &c->series[s], true);
    }
    for (size_t s = 0; s < c->n; s++) {
        line(page, &f, &c->series[s]);
        for (size_t i = 0; i < c->series[s].n; i++)
            if (drawn(&f, &c->series[s].point[i]))
                dot(page, &f, &c->series[s], &c->series[s].point[i]);
    }
    cull_buf_puts(page, "</svg>\n");
    return true;
}

void cull_page_legend(cull_buf *page, size_t n, const cull_series *series)
{
    cull_buf_puts(page, "<div class=\"legend\">");
    for (size_t i = 0; i < n; i++) {
        cull_buf_puts(page, "<span><svg viewBox=\"0 0 26 12\" width=\"26\" height=\"12\" "
                            "aria-hidden=\"true\">");
        cull_buf_printf(page, "<path d=\"M0 6H26\" stroke=\"var(--s%zu)\" stroke-width=\"1.6\"/>",
                        series[i].colour % CULL_SERIES_COLOURS);
        cull_page_mark(page, series[i].colour, 13, 6);
        cull_buf_puts(page, "</path></svg> ");
        cull_page_text(page, series[i].name);
        cull_buf_puts(page, "</span>");
    }
    cull_buf_puts(page, "</div>\n");
}
