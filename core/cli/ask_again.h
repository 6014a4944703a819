// What a recorded trial was asked, once more.
#ifndef CULL_CLI_ASK_AGAIN_H
#define CULL_CLI_ASK_AGAIN_H

#include "cli/experiment.h"
#include "results/frame.h"

// An experiment that asks the model in folder `model` what a trial of the frame was asked in n
// evaluations, each by one of its rows. Its datasets must be there. Close it in any case.
cull_status cull_ask_again(cull_cli *cli, const cull_frame *f, size_t trial, const char *model,
                           size_t n, const cull_row *const *first,
                           cull_experiment *e) CULL_MUST_CHECK;

#endif
