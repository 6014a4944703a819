// `cull report`: one self-contained page of everything that the results say.
#ifndef CULL_REPORT_PAGE_REPORT_H
#define CULL_REPORT_PAGE_REPORT_H

#include "results/frame.h"

// Write the page, atomically. The frame must have passed cull_frame_check. baseline: what methods
// are set against (report/baseline.h); NULL: dense. figures: a folder that every drawing is written
// into as well, as SVG and its numbers as csv; NULL: none.
cull_status cull_report_write(cull_ctx *ctx, const cull_frame *frame, const char *baseline,
                              const char *figures, const char *path) CULL_MUST_CHECK;

#endif
