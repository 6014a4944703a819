// A task: documents, and what is asked of the model about each. Between the readers of documents
// (task_file.h, the builders of plugins/metric/tasks) and the questions to the model (scoring.h).
//
// All memory is the context's alloc memory; texts are valid UTF-8.
#ifndef COMMON_TASK_H
#define COMMON_TASK_H

#include "common/python/python_text.h"

typedef enum task_kind {
    TASK_CHOICE,   // which continuation is likeliest
    TASK_ROLLING,  // how likely is a text
    TASK_GENERATE, // what does the model write
} task_kind;

// What is reported of a choice task.
enum {
    TASK_ACC = 1u,
    TASK_ACC_NORM = 2u,  // by the choice's length in code points
    TASK_ACC_BYTES = 4u, // in bytes
    TASK_EXACT = 8u,     // one continuation: is it what greedy decoding writes?
    TASK_MATCH = 16u,    // GENERATE: exact_match
    TASK_SURPRISE = 32u, // one continuation: perplexity
};                       // none of them: the answers are for others to score

typedef struct document {
    const char *place; // "FILE:LINE"
    // CHOICE: n pairs. ROLLING: n = 1, continuation[0] is the text. GENERATE: n = 1, context[0].
    size_t n;
    const span *context, *continuation; // (n)
    size_t n_gold;
    const int64_t *gold;                  // CHOICE: the right ones, in [0, n)
    const int64_t *len_chars, *len_bytes; // (n) of the choices without delimiter, or NULL
    int64_t words, bytes;                 // ROLLING: of the text as it was before any detokeniser
    span target; // GENERATE; CHOICE: what lm-eval logs as the target; s NULL: the gold number
    size_t n_targets;
    const span *targets; // GENERATE: any of them is right; n_targets 0: the target alone
    size_t n_until;
    const char *const *until;
    size_t max_new;
    bool own_max;                   // its line says max_new
    const char *cluster, *doc_hash; // or NULL
    const char *prompt_hash;        // SHA-256 of the first context, or NULL
    const char *source;             // the document itself, as JSON
    const char *gen_kwargs; // GENERATE: lm-eval's, a JSON object; its until null: as above; or NULL
} document;

// What is made of a generated text before it is compared: re.findall(pattern)[select], stripped.
typedef struct answer_filter {
    const char *name;
    const char *pattern; // NULL: the whole text as it is
    int64_t select;
    const char *fallback; // where nothing matches
} answer_filter;

// What is done to answer and target alike, in this order.
typedef struct answer_cleaning {
    size_t n_ignore;
    const char *const *ignore; // patterns that are deleted
    bool ignore_case;
} answer_cleaning;

typedef struct task {
    const char *name, *version; // version may be NULL
    task_kind kind;
    size_t n_shot;
    uint32_t metrics; // TASK_*
    size_t n;
    const document *document; // (n)
    size_t n_filters;         // at least one; GENERATE alone makes use of them
    const answer_filter *filter;
    answer_cleaning cleaning;
} task;

// A set of tasks that are averaged ("mmlu_stem").
typedef struct task_group {
    const char *name;
    size_t n;
    const size_t *member; // (n) indices of tasks
    size_t n_values;
    const char *const
        *value;   // "METRIC,FILTER" that are averaged; n_values 0: all that the tasks have
    bool by_task; // every task counts alike; else every document
} task_group;

typedef struct task_list {
    size_t n, n_groups;
    const task *task;
    const task_group *group;
} task_list;

#endif
