// What a metric reports, kept for tests to look at.
#ifndef CULL_TESTS_REPORT_H
#define CULL_TESTS_REPORT_H

#include <cull/cull.h>

#include "support/fake_host.h"

enum { SEEN_MOST = 4096 };

typedef struct seen_report {
    cull_report report; // first: what score() is given
    size_t n_values, n_columns, n_attributes;
    cull_value value[SEEN_MOST];
    cull_column column[SEEN_MOST];
    struct {
        const char *task, *name, *text;
    } attribute[SEEN_MOST];
} seen_report;

seen_report *seen_new(fake_host *host); // in the host's memory; texts and data are borrowed

// What is not there fails the test with a sentence.
const cull_value *seen_value(const seen_report *, const char *task, const char *metric,
                             const char *filter);
bool seen_has_value(const seen_report *, const char *task, const char *metric, const char *filter);
const cull_column *seen_column(const seen_report *, const char *task, const char *name, char type);
bool seen_has_column(const seen_report *, const char *task, const char *name);
const char *seen_attribute(const seen_report *, const char *task, const char *name);

#endif
