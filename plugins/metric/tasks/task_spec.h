// A task that is built from a dataset, as its file NAME.yaml describes it (the keys: task_yaml.c;
// docs/evaluation.md says how to write one).
#ifndef TASKS_TASK_SPEC_H
#define TASKS_TASK_SPEC_H

#include "common/lm_eval/task.h"
#include "common/text/jsonl.h"

// Which documents of the pool become shots (lm_eval/api/samplers.py).
enum shots_rule {
    SHOTS_DRAWN,          // random.Random(seed).sample(pool, k), one generator a task
    SHOTS_DRAWN_BUT_SELF, // sample(pool, k + 1) without the document itself: no test split of its
                          // own
    SHOTS_FIRST,          // the first k
};

// Where the right answer stands.
enum gold_rule {
    GOLD_NUMBER, // `gold` is a field: a number, or a text of digits
    GOLD_COUNT,  // … that counts from 1
    GOLD_LABEL,  // `gold` is the field of a label, looked up in the list `labels`
};

// Templates: "{{field}}" and "{{field.0}}" are the document's texts, "{{field|trim}}" without white
// space around. A path is what may stand within the braces, without a filter.
typedef struct task_spec {
    const char *name, *version;
    const char *file, *pool; // of documents and shots, "NAME" of NAME.jsonl; pool NULL: file.train
    task_kind kind;
    // (optional) enters fields into a document, what lm-eval's process_docs and functions do
    cull_status (*derive)(cull_ctx *, const char *place, json_t *doc);
    bool hash_derived;   // doc_hash is of the document with these fields: process_docs made them
    const char *cluster; // field of a text that several documents may share; NULL: none
    const char *description; // in front of all; NULL: none
    const char *question; // template of the context; ROLLING: of the text whose words are counted
    const char *contexts; // path of a list: one context a choice, `answer` the continuation of all
    const char *answer;   // template: GENERATE and ROLLING: the target; else only with `contexts`
    bool text_target;     // CHOICE: lm-eval logs the right choice's text, not its number
    const char *choices;  // path of a list; NULL: the templates
    size_t n_choices;
    const char *const *choice; // (n_choices) templates
    enum gold_rule gold_rule;
    const char *gold, *labels;
    enum shots_rule shots_rule;
    size_t shots; // unless asked otherwise
    uint32_t metrics;
    size_t n_until;
    const char *const *until;
    const char *gen_kwargs; // of lm-eval's task, with null for until
    size_t n_filters;
    const answer_filter *filter;
    answer_cleaning cleaning;
} task_spec;

// A file. With subjects it stands for a family: NAME_SUBJECT are its tasks, NAME and NAME_CATEGORY
// their groups.
typedef struct task_definition {
    const char *path, *name;
    task_spec spec; // of a family: what its tasks have in common, "{{subject}}" in the description
    size_t n_subjects, n_categories;
    const char *const *subject, *const *category; // (n_subjects) each with its category
    const char *const *categories;                // (n_categories) in the order of the groups
} task_definition;

// `path` names the task, "…/NAME.yaml". CULL_EFORMAT, with the place.
cull_status task_yaml_read(cull_ctx *, const char *path, task_definition *out) CULL_MUST_CHECK;
// The task of a family's subject.
cull_status task_of_subject(cull_ctx *, const task_definition *, size_t subject,
                            task_spec *out) CULL_MUST_CHECK;

cull_status derive_hellaswag(cull_ctx *, const char *place, json_t *doc);
cull_status derive_copa(cull_ctx *, const char *place, json_t *doc);
cull_status derive_winogrande(cull_ctx *, const char *place, json_t *doc);
cull_status derive_gsm8k_cot(cull_ctx *, const char *place, json_t *doc);
cull_status derive_wikitext(cull_ctx *, const char *place, json_t *doc);

#endif
