// The settings that made a trial, which its file has as JSON, as the names and values that
// conditions and tables know them by.
#ifndef CULL_PLAN_SETTINGS_H
#define CULL_PLAN_SETTINGS_H

#include "base/filter.h"

typedef struct cull_named_value {
    const char *name;  // "criterion", "lowest.action", "calibrate.rows_per_file", "layers.only"
    const char *value; // as an experiment writes it; files without their folders
} cull_named_value;

// A name may be there several times: each stage has a criterion.
typedef struct cull_named_values {
    size_t n;
    const cull_named_value *at;
} cull_named_values;

// Of a trial's resolved settings (JSON), without those of a calibration that it has no use for;
// none of what is no such text. Alloc arena.
cull_status cull_settings_of(cull_ctx *ctx, const char *config, bool calibrated,
                             cull_named_values *out) CULL_MUST_CHECK;
// Of a metric's own settings (JSON): "perplexity.length".
cull_status cull_settings_of_metric(cull_ctx *ctx, const char *metric, const char *settings,
                                    cull_named_values *out) CULL_MUST_CHECK;

// The value of the n-th (from 0) of a name, NULL: none.
const char *cull_setting_value(const cull_named_values *settings, const char *name, size_t n);
// Does the filter keep what has these settings? always: it is only noted what they meet.
bool cull_settings_kept(cull_filter *filter, const cull_named_values *settings, bool always);
// The first that `other` has, too, with another value; which of its name in *n. NULL: none.
const cull_named_value *cull_settings_differ(const cull_named_values *settings,
                                             const cull_named_values *other, size_t *n);

#endif
