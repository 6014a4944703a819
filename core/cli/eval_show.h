// The results of `cull eval`, shown.
#ifndef CULL_CLI_EVAL_SHOW_H
#define CULL_CLI_EVAL_SHOW_H

#include "cli/experiment.h"
#include "cli/lm_output.h"

// Print what the experiment of one model and no method asked, from the folder of its results, as
// lm-eval's table to stdout, and write it in the forms asked for.
cull_status cull_eval_show(cull_cli *cli, const char *folder, const cull_experiment *e,
                           const cull_lm_output *out) CULL_MUST_CHECK;

#endif
