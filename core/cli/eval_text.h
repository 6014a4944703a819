// The experiment that `cull eval` stands for, as text.
#ifndef CULL_CLI_EVAL_TEXT_H
#define CULL_CLI_EVAL_TEXT_H

#include "base/context.h"
#include "base/text.h"
#include "spec/spec.h"

typedef struct cull_eval_wanted {
    const char *model; // folder or id
    const char *tasks; // names and request files, by commas; NULL: none
    const char *data;  // folders, files or globs of the datasets, by commas; NULL: none
    const char *shots, *shot_seed, *limit, *protocol, *bos,
        *length; // as given; NULL: the metric's default
    size_t n_metrics;
    const char **metrics; // further metrics, as an experiment writes them
} cull_eval_wanted;

// One model under its own name, no method, the metric `tasks` and the further ones. The text is the
// context's alloc memory.
cull_status cull_eval_text(cull_ctx *ctx, const cull_eval_wanted *wanted, const char **text,
                           const char **name) CULL_MUST_CHECK;
// What the user wrote for each line of that text.
cull_status cull_eval_cite(cull_ctx *ctx, const cull_eval_wanted *wanted,
                           cull_spec_source *source) CULL_MUST_CHECK;

#endif
