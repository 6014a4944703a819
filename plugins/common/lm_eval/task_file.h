// Tasks from request files: jsonl, one document a line, in one of these forms.
//
// clang-format off
//   {"context": T, "choices": [T, …], "gold": I}            each choice is a continuation
//   {"context": T, "until": [T, …], "target": T, "max": N}  a text is generated and compared; until
//                                                           []: EOS alone stops it
//   {"text": T}                                             a text whose likelihood is measured
//   {"requests": [{"ctx": T, "cont": T}, …], "gold": I | [I, …], "len_chars": […], "len_bytes": […]}
//   {"requests": [{"ctx": T, "until": [T, …], "max": N}], "target": T}
//   {"requests": [{"text": T}], "words": N, "bytes": N}
// clang-format on
//
// choices also with "target", a text, where sample files are to show it instead of the gold number;
// generated texts also with "targets", [T, …], any of which is right, and then "target" is for
// sample files alone. gold or target null: Cull does not say what is right, and the task has a row
// of what was answered (loglikelihood: the mean over the choices; answer_tokens), for others to
// score. All with "task", "cluster", "doc_hash" and "prompt_hash" (SHA-256 of the first context,
// which is checked) where they are known; keys of another form are refused, others are the
// document's own and are passed over. A file holds one task of one form. A file metadata.json
// beside it (tools/export_requests.py writes both) may say more:
//
// clang-format off
//   {"tasks": {NAME: {"version": T, "n_shot": N, "metrics": ["acc", …], "ignore": [PATTERN, …],
//                     "ignore_case": B,
//                     "filters": [{"name": T, "pattern": T, "select": I, "fallback": T}]}},
//    "groups": {NAME: [TASK, …] | {"tasks": [TASK, …], "values": ["acc,none", …], "by_task": B}}}
// clang-format on
//
// metrics that Cull does not know are left to others; none of them known: as with gold null. A
// group averages all documents alike or (by_task) all tasks, of the values named or of all.
#ifndef COMMON_TASK_FILE_H
#define COMMON_TASK_FILE_H

#include <cull/param.h>

#include "common/lm_eval/task.h"
#include "common/text/jsonl.h"

typedef struct task_reading {
    uint32_t kinds;        // 1 << TASK_*: files of other kinds are left out, and a log line says so
    size_t limit;          // documents of each task; 0: all
    const char *delimiter; // between context and choice
    size_t max_new;        // where a document gives none
    size_t n_filters;      // where metadata gives none
    const answer_filter *filter;
    answer_cleaning cleaning;
} task_reading;

// Refuses a bad line as FILE:LINE, two files of one task, and files of which none is of a kind
// wanted.
cull_status task_files_read(cull_ctx *, cull_texts files, const task_reading *, task_list *out);

// Can results be kept under the name? CULL_EFORMAT, at `place`, if not.
cull_status task_name_check(cull_ctx *, const char *place, const char *name);

// One filter "NAME=PATTERN" or "NAME[SELECT]=PATTERN", SELECT an index among the matches, −1 the
// last.
cull_status answer_filter_parse(cull_ctx *, const char *text, answer_filter *out);

// "filters": [{name, pattern, select, fallback}, …] and "ignore", "ignore_case" of an object, as
// metadata.json and a task's YAML file have them; `out` stays as it is where they are not there.
cull_status answer_filters_read(cull_ctx *, const char *place, json_t *from, size_t *n,
                                const answer_filter **out);
cull_status answer_cleaning_read(cull_ctx *, const char *place, json_t *from, answer_cleaning *out);

#endif
