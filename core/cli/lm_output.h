// A trial in lm-evaluation-harness's forms, for the commands that write them.
#ifndef CULL_CLI_LM_OUTPUT_H
#define CULL_CLI_LM_OUTPUT_H

#include "cli/cli.h"
#include "results/frame.h"

typedef struct cull_lm_output {
    const char *json;  // its results; NULL: none
    bool samples;      // and beside them samples_TASK_NAME.jsonl of json's results_NAME.json
    const char *cache; // P of `lm_eval --use_cache P`; NULL: none
} cull_lm_output;

enum { CULL_LM_JSON = 0x500, CULL_LM_SAMPLES, CULL_LM_CACHE };

// Entries of a command's options.
#define CULL_LM_OPTIONS                                                                            \
    { "lm-eval", CULL_LM_JSON, "FILE.json", 0, "write the results as lm-eval's results JSON", 0 }, \
        { "log-samples",                                                                           \
          CULL_LM_SAMPLES,                                                                         \
          NULL,                                                                                    \
          0,                                                                                       \
          "and what was asked and answered beside it, as lm-eval's samples_TASK_FILE.jsonl",       \
          0 },                                                                                     \
    {                                                                                              \
        "cache", CULL_LM_CACHE, "P", 0,                                                            \
            "write the answers into P_rank0.db, which lm_eval --use_cache P reads", 0              \
    }

// What a command's parser does not know itself.
error_t cull_lm_parse(int key, char *arg, struct argp_state *state, cull_lm_output *out);

// The trial's files. Its documents are asked for again: model and datasets must still be there.
cull_status cull_lm_write(cull_cli *cli, const cull_frame *frame, size_t trial,
                          const cull_lm_output *out) CULL_MUST_CHECK;

#endif
