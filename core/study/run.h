// The order of things: an experiment, opened and planned, becomes trials on disk.
#ifndef CULL_STUDY_RUN_H
#define CULL_STUDY_RUN_H

#include "study/study.h"

typedef struct cull_tally { // of cells
    size_t there;           // complete before the run
    size_t done;            // completed by it
    size_t of_others;       // completed meanwhile by other runs in the folder
    size_t failed;
    double equivalents; // what was computed, in dense evaluations of its model on all metrics
} cull_tally;

// Runs what is missing. Other runs may be at work in the folder: each claims what it computes
// (record/folder/claims.h), and waits for what it needs of the others'. Temporary files of dead
// processes are removed. Cells that fail by a plugin's fault are logged and counted; finished ones
// are on disk whatever happens.
cull_status cull_run_trials(cull_ctx *ctx, cull_registry *registry, cull_plan *plan,
                            cull_inputs *inputs, const cull_flow_options *options,
                            cull_tally *out) CULL_MUST_CHECK;

#endif
