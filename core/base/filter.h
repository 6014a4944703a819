// Conditions that users state: KEY=VALUE[,VALUE…], KEY!=VALUE[,…], several of them with a comma
// between, or a text each.
//
// A value is a word, a number (equal as numbers are), a pattern with *, ? and […], or a range A..B
// of numbers, ends included, of which one may be missing. Of a hash the beginning is enough. A key
// is a name, or the last parts of a name with dots: rows_per_file is calibrate.rows_per_file. All
// conditions hold together; the values of one are alternatives. Whoever applies them says what has
// which key, and asks at the end whether every key and value was something.
#ifndef CULL_BASE_FILTER_H
#define CULL_BASE_FILTER_H

#include "base/context.h"

typedef struct cull_filter_value {
    const char *text;
    bool met;         // something has it
    const char *near; // while it is not met: the nearest text that something has, or NULL
} cull_filter_value;

typedef struct cull_filter {
    const char *key;
    bool none; // KEY!=…: none of the values
    size_t n;
    cull_filter_value *value; // (n)
    bool known;               // something has the key
} cull_filter;

typedef struct cull_filters {
    const char *option; // that they were given with, as "--where"
    size_t n;
    cull_filter *at;
} cull_filters;

// Is the text of n bytes, which stands before a "=", a key, or a part of a value?
typedef bool (*cull_is_key_fn)(const void *arg, const char *text, size_t n);

// Read n texts. CULL_EUSAGE: one is no condition. In the context's scratch arena.
cull_status cull_filters_read(cull_ctx *ctx, const char *option, size_t n, const char *const *texts,
                              cull_is_key_fn is_key, const void *arg,
                              cull_filters *out) CULL_MUST_CHECK;

// Is `name` what the key means? Noted if so.
bool cull_filter_knows(cull_filter *filter, const char *name);
// The same of a key that is no filter's yet.
bool cull_is_key_of(const char *key, size_t n, const char *name);
// Is `text`, which stays where it is, or the number, among the values? Noted if so. Whether that
// keeps what has it is another matter: see cull_filter_keeps.
bool cull_filter_meets(cull_filter *filter, const char *text);
bool cull_filter_meets_number(cull_filter *filter, double x);
// Given whether any of the key's values was met.
bool cull_filter_keeps(const cull_filter *filter, bool met);

typedef struct cull_filter_column { // what something has under a name
    const char *name, *text;
    double number; // where text is NULL; NaN: none
    bool dense;    // dense models have it, too
} cull_filter_column;

// Does the filter keep what has these columns? What has none of the key's name, or no value there
// (a dense model: none of what makes a cut), is kept.
bool cull_filter_keeps_columns(cull_filter *filter, size_t n, const cull_filter_column *columns,
                               bool dense);

// CULL_EUSAGE where a key or a value was nothing's; names (NULL-terminated) are keys that there
// are, for a suggestion; place: "the results", …
cull_status cull_filters_check(cull_ctx *ctx, const cull_filters *filters, const char *place,
                               const char *const *names) CULL_MUST_CHECK;

#endif
