// A table of texts, and the forms in which it is shown.
//
// A table is made column by column header, then row by row; texts are copied into its context's
// alloc arena. The first `fixed` columns are repeated where a table is too wide for the terminal
// and is shown in parts.
#ifndef CULL_REPORT_TABLES_TABLE_H
#define CULL_REPORT_TABLES_TABLE_H

#include <stdio.h>

#include "base/context.h"

typedef struct cull_table_column {
    const char *name;
    bool right;  // aligned to the right
    bool joined; // is shown beside the column before it
    bool number; // JSON shows its cells as numbers, an empty one as null
} cull_table_column;

typedef struct cull_table_cell {
    const char *text;
    bool best; // set apart: bold, or *
} cull_table_cell;

typedef struct cull_table {
    cull_ctx *ctx;
    size_t n_columns, fixed, n_rows, room;
    cull_table_column *column;
    cull_table_cell *cell; // (n_rows, n_columns)
    cull_status status;    // the first failure; adding does nothing after it
    const char *title;     // stands above each part on a terminal; NULL: none
} cull_table;

cull_table cull_table_new(cull_ctx *ctx, size_t n_columns, size_t fixed,
                          const cull_table_column *columns);
void cull_table_row(cull_table *table); // begin a row of empty cells
void cull_table_set(cull_table *table, size_t column, const char *text); // of the last row
void cull_table_printf(cull_table *table, size_t column, const char *fmt, ...) CULL_PRINTF(3, 4);
// A number that reads back as itself; nothing for NaN.
void cull_table_real(cull_table *table, size_t column, double x);
void cull_table_best(cull_table *table, size_t column);

// Aligned for reading; width 0: the terminal's, or no limit elsewhere. Bold is used on terminals
// only, an asterisk always.
cull_status cull_table_show(const cull_table *table, FILE *out, size_t width) CULL_MUST_CHECK;

// A list of objects. CULL_ENOMEM: nothing is written.
cull_status cull_table_json(const cull_table *table, FILE *out) CULL_MUST_CHECK;
void cull_table_csv(const cull_table *table, FILE *out);      // RFC 4180
void cull_table_markdown(const cull_table *table, FILE *out); // pipes, padded
// For booktabs: a table with a caption and the label tab:<label>; NULL: the tabular alone.
void cull_table_latex(const cull_table *table, const char *caption, const char *label, FILE *out);

#endif
