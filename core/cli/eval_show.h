// The results of `cull eval`, shown.
#ifndef CULL_CLI_EVAL_SHOW_H
#define CULL_CLI_EVAL_SHOW_H

#include "base/context.h"

// Print the folder's results as lm-eval's table to stdout; `json` (may be NULL): also write those
// of the model called `name` there, as lm-eval's results JSON.
cull_status cull_eval_show(cull_ctx *ctx, const char *folder, const char *name, const char *model,
                           const char *json) CULL_MUST_CHECK;

#endif
