// The page's frame: head, styles, tables, escaped text.
#include "report/page/page.h"

#include <string.h>

// Colours of series on white paper, told apart by those who see two of the three colours, too; and
// how lines of a drawing look.
#define LIGHT_SERIES                                                                               \
    "--s0:#2f6fb3;--s1:#c8502b;--s2:#2c8a57;--s3:#8b57a8;--s4:#b8860b;--s5:#167d8a;--s6:#b83c6e;"  \
    "--s7:#5b6470"
#define SVG_RULES                                                                                  \
    "svg .title{font-weight:600;fill:var(--ink);font-size:12px}svg .grid{stroke:var(--faint)}"     \
    "svg .axis{stroke:var(--soft)}svg .ref{stroke:var(--ink);stroke-dasharray:5 4}"

static const char style[] =
    ":root{--paper:#fff;--ink:#1c2024;--soft:#59636e;--faint:#e4e7eb;--panel:#f6f7f9;" LIGHT_SERIES
    ";--bad:#b3261e;--good:#1e7b45}\n"
    "@media (prefers-color-scheme:dark){:root{--paper:#14171a;--ink:#e4e7ea;--soft:#9aa4ae;"
    "--faint:#2d3339;--panel:#1c2024;--s0:#6ea8e6;--s1:#f08a63;--s2:#62c38d;--s3:#c094db;"
    "--s4:#ddb14a;--s5:#57bcc8;--s6:#ea7fa8;--s7:#a3adb8;--bad:#ff8a80;--good:#6fd39b}}\n"
    "*{box-sizing:border-box}html{-webkit-text-size-adjust:100%}\n"
    "body{margin:0 auto;max-width:82rem;padding:1.5rem 1.25rem 4rem;background:var(--paper);"
    "color:var(--ink);font:16px/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,\"DejaVu Sans\","
    "sans-serif}\n"
    "h1{font-size:1.6rem;line-height:1.25;margin:.2rem 0 .4rem}"
    "h2{font-size:1.2rem;margin:2.6rem 0 .4rem;padding-top:.6rem;border-top:1px solid var(--faint)}"
    "h3{font-size:1rem;margin:1.4rem 0 .3rem}\n"
    "p{margin:.4rem 0 .8rem;max-width:46rem}p.note,figcaption,.note{color:var(--soft);"
    "font-size:.875rem}a{color:var(--s0)}\n"
    "nav{display:flex;flex-wrap:wrap;gap:.2rem 1rem;margin:.8rem 0 0;font-size:.9rem}\n"
    ".scroll{overflow-x:auto;-webkit-overflow-scrolling:touch;margin:.4rem 0 1rem}\n"
    "table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.22rem .42rem;text-align:left;white-space:nowrap}"
    "th{font-weight:600;border-bottom:1.5px solid var(--soft);vertical-align:bottom}"
    "td{border-bottom:1px solid var(--faint)}th.r,td.r{text-align:right}"
    "td.wrap{white-space:normal;min-width:14rem;overflow-wrap:anywhere}"
    "tr.group td{border-top:1.5px solid var(--faint)}\n"
    "td.best{font-weight:700}td "
    ".ci{color:var(--soft)}.worse{color:var(--bad)}.better{color:var(--good)}"
    ".soft{color:var(--soft)}\n"
    ".pair{display:flex;flex-wrap:wrap;gap:.4rem 1.6rem;align-items:flex-start}.pair>*{min-width:0}"
    ".key svg{display:inline;vertical-align:-.1em}"
    ".grids{display:flex;flex-wrap:wrap;gap:.3rem 1.6rem}.grids figure{margin:.2rem "
    "0}h4{font-size:.9rem;margin:.6rem 0 .2rem}\n"
    "figure{margin:.4rem 0 1rem}figcaption{margin-top:.2rem}svg{display:block;max-width:100%;"
    "height:auto}svg text{font:11px system-ui,\"DejaVu "
    "Sans\",sans-serif;fill:var(--soft)}" SVG_RULES "\n"
    ".small{display:grid;grid-template-columns:repeat(auto-fill,minmax(15.5rem,1fr));gap:.6rem "
    "1.2rem}"
    ".small figure{margin:0}\n"
    ".legend{display:flex;flex-wrap:wrap;gap:.15rem 1.1rem;font-size:.875rem;margin:.3rem 0 .6rem}"
    ".legend span{white-space:nowrap}.legend svg{display:inline;vertical-align:-.1em}\n"
    "details{margin:.3rem 0}summary{cursor:pointer;color:var(--s0);font-size:.9rem}"
    "pre{background:var(--panel);padding:.7rem .9rem;overflow-x:auto;font:12.5px/1.45 ui-monospace,"
    "\"DejaVu Sans "
    "Mono\",monospace;border-radius:4px;white-space:pre-wrap;overflow-wrap:anywhere}\n"
    ".warn{border-left:3px solid var(--bad);padding:.1rem .8rem;margin:.6rem 0}\n"
    "select{font:inherit;max-width:100%;padding:.15rem "
    ".3rem;background:var(--panel);color:var(--ink);"
    "border:1px solid var(--faint)}\n"
    "@media (max-width:40rem){body{padding:1rem .8rem 3rem;font-size:15px}h1{font-size:1.3rem}"
    "table{font-size:.8rem}th,td{padding:.18rem .35rem}}\n"
    // While the numbers scroll, sparsity and method stay.
    "#verdict tr:first-child th:nth-child(-n+2),#verdict td:nth-child(-n+2),"
    "#flips td:nth-child(2){position:sticky;left:0;background:var(--paper)}"
    "#verdict tr:first-child th:first-child,#verdict td:first-child{min-width:4.6rem}"
    "#verdict tr:first-child th:nth-child(2),#verdict td:nth-child(2){left:4.6rem}\n"
    // Last, so that it wins over what is above.
    "@media print{:root{--paper:#fff;--ink:#000;--soft:#444;--faint:#ccc;--panel:#fff;" LIGHT_SERIES
    ";--bad:#b3261e;--good:#1e7b45}@page{size:landscape;margin:12mm}"
    "body{padding:0}nav,.noprint{display:none}.scroll{overflow:visible}table{font-size:.7rem}"
    "th,td{padding:.1rem "
    ".25rem;position:static!important}section{break-inside:auto}figure,tr{break-inside:avoid}}\n"
    "@media print{details::details-content{content-visibility:visible;height:auto}}\n";

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
    cull_buf_puts(page, style);
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
    static const char look[] =
        "<style>svg{--paper:#fff;--ink:#1c2024;--soft:#59636e;--faint:#e4e7eb;" LIGHT_SERIES
        "}svg text{font:11px system-ui,\"DejaVu Sans\",sans-serif;fill:var(--soft)}" SVG_RULES
        "</style>\n";
    const char *end = memchr(svg, '>', n);
    if (!end || n < sizeof open)
        return;
    cull_buf_puts(file, "<svg xmlns=\"http://www.w3.org/2000/svg\" ");
    cull_buf_add(file, svg + strlen(open), (size_t)(end + 1 - svg) - strlen(open));
    cull_buf_puts(file, look);
    cull_buf_add(file, end + 1, n - (size_t)(end + 1 - svg));
}

static void put_cell(cull_buf *page, const char *element, bool right, const cull_table_cell *cell)
{
    cull_buf_printf(page, "<%s class=\"%s%s\">", element, right ? "r" : "",
                    cell->best ? " best" : "");
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
