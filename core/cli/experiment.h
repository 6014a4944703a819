// An experiment as the commands run and plan meet it: read, planned, fitted, opened; problems told.
#ifndef CULL_CLI_EXPERIMENT_H
#define CULL_CLI_EXPERIMENT_H

#include "cli/cli.h"
#include "plan/inputs.h"

typedef struct cull_experiment {
    cull_spec spec;
    cull_plan plan;
    cull_inputs inputs;
    bool said; // the problems of the file were printed
} cull_experiment;

// Where an experiment comes from, with what the command line changes in it.
cull_status cull_experiment_source(cull_ctx *ctx, const cull_options *options, const char *file,
                                   cull_spec_source *out) CULL_MUST_CHECK;

// Reads FILE and does all that comes before computing: models are opened, rows and requests loaded,
// keys made. The problems of the file are printed to stderr. Close in any case. what: 0, or
// CULL_OPEN_SHAPES where nothing will run, so that weights may be missing.
cull_status cull_experiment_open(cull_ctx *ctx, cull_registry *registry,
                                 const cull_spec_source *source, uint32_t what,
                                 cull_experiment *out) CULL_MUST_CHECK;
void cull_experiment_close(cull_experiment *experiment);

// Says what is left to be said (where the problems of a file were, they are all), and the exit
// status.
int cull_experiment_failed(cull_cli *cli, const cull_experiment *e, cull_status status);

#endif
