// What scoring_prepare leaves for scoring_report, and the scorers of the three kinds of task.
#ifndef COMMON_SCORING_STATE_H
#define COMMON_SCORING_STATE_H

#include "common/lm_eval/scoring.h"
#include "common/lm_eval/summary.h"

typedef struct scored_task {
    task task;
    const size_t *first;      // (n + 1) document d has the requests first[d] … first[d + 1] − 1
    const uint8_t *truncated; // (n) 1: a context lost ids
    char hash[65], scoring[65]; // SHA-256 of what is asked, and of what is made of the answers
} scored_task;

typedef struct scoring {
    size_t n, n_groups;
    scored_task *task;
    const task_group *group;
    enum lm_version version;
    enum lm_bos bos;
    size_t length;
} scoring;

// SHA-256 over all that scoring_report goes by, 64 hex digits in alloc memory.
cull_status scoring_key(cull_ctx *, const task_list *, const char **out);
void scoring_task_key(const task *, char out[65]); // … of one task

// The means of a task over its documents, of which means over tasks are made.
typedef struct task_mean {
    const char *metric, *filter;
    summary of;
    int higher_is_better;
} task_mean;

typedef struct task_means {
    size_t n;
    task_mean *at; // room for one a metric and filter
} task_means;

// A warning, where what is deleted before answers are compared is all of a right one.
cull_status scoring_warn_of_emptied(cull_ctx *, const task *);

// Stands beside every exact_match, which it may explain.
#define SCORING_LENGTH_CUT "length_cut"

enum { TASK_MOST_METRICS = 3 }; // of a task, with the same filter

// Each reports its task; `answers` and `requests` are those of all tasks.
typedef cull_status task_scorer(cull_ctx *, const scored_task *, const cull_requests *requests,
                                const cull_answer *answers, cull_report *out, task_means *means);
task_scorer score_choice, score_rolling, score_generated;

// ---- short hands for reports ----

cull_status scoring_value(cull_ctx *, cull_report *, const char *name, const char *metric,
                          const char *filter, summary of, int higher_is_better);
// … a mean over documents, which means over tasks are made of.
cull_status scoring_mean_value(cull_ctx *, cull_report *, const char *name, task_mean,
                               task_means *means);

// Columns over the documents of a task: one number (or text) each, or `width` of them along `dim`.
typedef struct scoring_column {
    const char *name, *unit, *doc, *dim; // dim NULL: one each
    size_t width;
    char type;
    const void *data;
} scoring_column;

cull_status scoring_columns(cull_ctx *, cull_report *, const task *, size_t n,
                            const scoring_column *columns);
// prompt_hash and truncated; doc_hash and cluster where any document has one.
cull_status scoring_identity(cull_ctx *, cull_report *, const scored_task *);

#endif
