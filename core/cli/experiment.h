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

typedef struct cull_opening {
    const char *folder; // where results go (-o) or NULL; it may know what `precision: auto` is
    uint32_t what;      // 0, or CULL_OPEN_SHAPES where nothing will run: weights may be missing
    uint64_t memory;    // --memory, as cull_inputs_load takes it
} cull_opening;

// Where an experiment comes from, with what the command line changes in it.
cull_status cull_experiment_source(cull_ctx *ctx, const cull_options *options, const char *file,
                                   cull_spec_source *out) CULL_MUST_CHECK;

// Reads FILE and does all that comes before computing: models are opened, rows and requests loaded,
// keys made. The problems of the file are printed to stderr. Close in any case.
cull_status cull_experiment_open(cull_ctx *ctx, cull_registry *registry,
                                 const cull_spec_source *source, const cull_opening *how,
                                 cull_experiment *out) CULL_MUST_CHECK;
// Where an experiment's results go: `given` (-o), or what it says, or results/<name>. NULL: no
// memory, reported.
const char *cull_experiment_folder(cull_ctx *ctx, const cull_spec *spec, const char *given);
// Where an experiment's calibrations and cuts are kept: its `cache`, that of the environment
// (CULL_CACHE), or the folder of its results.
const char *cull_experiment_cache(const cull_spec *spec, const char *folder);
void cull_experiment_close(cull_experiment *experiment);

// An entry of a command's options: a part of the experiment's trials.
enum { CULL_ONLY = 0x480 };
#define CULL_ONLY_OPTION                                                                           \
    {                                                                                              \
        "only", CULL_ONLY, "KEY=VALUE", CULL_MAY_REPEAT,                                           \
            "only the trials that meet this (and dense), as method=stun,wanda or "                 \
            "sparsity=0.5..0.7 or allocation!=global or criterion=wan*; may be repeated",          \
            0                                                                                      \
    }
typedef struct cull_only {
    size_t n;
    const char **at;
} cull_only;
// What a command's parser does with the option.
error_t cull_only_parse(char *arg, cull_only *only);
// Leaves the other trials out of the plan.
cull_status cull_experiment_only(cull_ctx *ctx, const cull_only *only,
                                 cull_experiment *experiment) CULL_MUST_CHECK;
void cull_only_release(cull_only *only);

// Says what is left to be said (where the problems of a file were, they are all), and the exit
// status.
int cull_experiment_failed(cull_cli *cli, const cull_experiment *e, cull_status status);

#endif
