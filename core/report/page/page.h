// A self-contained HTML page: text that is escaped, inline SVG charts, no network.
//
// Numbers in SVG are user units; a chart scales with the width of the page. Colours are the page's
// own properties (--s0 … --s7 for series, --ink, --faint, --paper), so that it follows the reader's
// light or dark mode, and prints on white.
#ifndef CULL_REPORT_PAGE_PAGE_H
#define CULL_REPORT_PAGE_PAGE_H

#include "base/text.h"
#include "report/tables/table.h"

enum { CULL_SERIES_COLOURS = 8 };

void cull_page_head(cull_buf *page, const char *title);
void cull_page_tail(cull_buf *page);
void cull_page_text(cull_buf *page, const char *text); // escaped
void cull_page_number(cull_buf *page, double x);       // four digits, with a minus sign

void cull_page_table(cull_buf *page, const cull_table *table); // wide ones scroll

// Opens a drawing; "</svg>" ends it.
void cull_page_svg(cull_buf *page, double width, double height, const char *title);
// A drawing of the page, from its "<svg" on, as a file of its own, in light colours.
void cull_page_svg_file(cull_buf *file, const char *svg, size_t n);

// ---- charts ----

typedef struct cull_point {
    double x, y;
    double low, high; // a band or whisker around y; NaN: none
    const char *note; // shown when pointed at; NULL: none
} cull_point;

typedef struct cull_series {
    const char *name;
    size_t colour; // and mark, modulo CULL_SERIES_COLOURS: no chart has more series
    size_t n;
    const cull_point *point; // ascending in x where lines are drawn
} cull_series;

typedef struct cull_chart {
    const char *title, *x_label, *y_label;
    double width, height;
    bool log_y; // may be, where that helps
    bool percent_x;
    bool lines;                 // with bands; else points with whiskers, thinly joined
    double reference;           // a horizontal line, NaN: none
    const char *reference_name; // its name
    size_t n;
    const cull_series *series;
    size_t n_scale; // series that the axes have room for, drawn or not: those of all drawings that
    const cull_series *scale; // stand beside this one; 0: its own
} cull_chart;

// Nothing is drawn, false, where no point is finite.
bool cull_page_chart(cull_buf *page, const cull_chart *chart);

// The mark of a series, an open <path> for its <title>.
void cull_page_mark(cull_buf *page, size_t colour, double x, double y);
// Names of series with their colours and marks.
void cull_page_legend(cull_buf *page, size_t n, const cull_series *series);

// A grid of values in [0, 1] (NaN: no cell), dark to bright; `marked` cells are struck out. Rows
// are labelled.
typedef struct cull_grid {
    const char *title;
    size_t rows, columns;
    const double *value;   // (rows, columns)
    const uint8_t *marked; // (rows, columns)
    const int64_t *row;    // (rows) labels
} cull_grid;

void cull_page_grid(cull_buf *page, const cull_grid *grid);
// What the shades and strikes mean: a bar from `low` to `high`, and a struck cell, `struck`.
void cull_page_grid_key(cull_buf *page, const char *low, const char *high, const char *struck);

#endif
