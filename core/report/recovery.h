// How much of the dense model's quality a cell has kept.
//
// Of a task, the ratio of the cell's value to dense's, or dense's to the cell's where lower is
// better; of several tasks their mean, of perplexities their geometric mean. Errors are of the
// ratio over the same items (linearised; perplexities as logarithms), and over seeds where the cell
// has several.
#ifndef CULL_REPORT_RECOVERY_H
#define CULL_REPORT_RECOVERY_H

#include "report/compare.h"

// value: 1 is all of it; low and high its 95 % interval; p is not given. NaN where either lacks the
// metric view, its items are not paired, or the ratio is of zeroes.
cull_status cull_recovery_of(cull_ctx *ctx, const cull_frame *frame, size_t dense, size_t cell,
                             const cull_metric_view *metric_view,
                             cull_difference *out) CULL_MUST_CHECK;

#endif
