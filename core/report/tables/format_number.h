// Numbers as the tables of `cull compare` show them, written into `room` bytes.
#ifndef CULL_REPORT_TABLES_FORMAT_NUMBER_H
#define CULL_REPORT_TABLES_FORMAT_NUMBER_H

#include "report/compare.h"
#include "report/tables/table.h"

enum { CULL_SHOWN = 288 }; // room enough

// "+3.5", "-0.1", "0.0": a number that is rounded to zero has no sign, here and in what follows.
void cull_show_signed(char *to, size_t room, double x, int digits);

// "25.0 %" of 0.25; "" where it is not finite.
void cull_show_share(char *to, size_t room, double share);

void cull_show_number(char *to, size_t room, double x, enum cull_law law); // "–" for NaN
void cull_show_value(char *to, size_t room, const cull_estimate *e,
                     enum cull_law law); // "0.61 ±0.02"
void cull_show_sd(char *to, size_t room, const cull_estimate *e,
                  enum cull_law law); // "" for one seed
// "+3.5 % [+2.9, +4.1]" of perplexities, "−0.0105 [−0.0190, −0.0021]" of the rest.
void cull_show_difference(char *to, size_t room, const cull_difference *d, enum cull_law law);

void cull_show_p(char *to, size_t room, double p); // "0.0310", "<0.0001", "–" for NaN

// For other programs, from a column on: a difference, the ends of its interval, p; of perplexities
// the ratio − 1.
void cull_put_difference(cull_table *table, size_t column, const cull_difference *d,
                         enum cull_law law);

#endif
