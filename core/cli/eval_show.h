// The results of `cull eval`, shown.
#ifndef CULL_CLI_EVAL_SHOW_H
#define CULL_CLI_EVAL_SHOW_H

#include "cli/lm_output.h"

// Print the folder's results as lm-eval's table to stdout; those of the model called `name` itself
// are also written in the forms asked for.
cull_status cull_eval_show(cull_cli *cli, const char *folder, const char *name,
                           const cull_lm_output *out) CULL_MUST_CHECK;

#endif
