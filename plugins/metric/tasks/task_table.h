// The tasks that are built from the hub's datasets, as data.
#ifndef TASKS_TASK_TABLE_H
#define TASKS_TASK_TABLE_H

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
    GOLD_NONE,
    GOLD_NUMBER, // `gold` is a field: a number, or a text of digits
    GOLD_COUNT,  // … that counts from 1
    GOLD_LABEL,  // `gold` is the field of a label, looked up in choices.label
};

// Templates: "{field}" and "{field.0}" are the document's texts, "{field|strip}" without white
// space around.
typedef struct task_spec {
    const char *name, *version;
    const char *file,
        *pool; // of documents and shots, "NAME" of NAME.jsonl; NULL: name, and file.train
    task_kind kind;
    // (optional) enters fields into a document, what lm-eval's process_docs and functions do
    cull_status (*derive)(cull_ctx *, const char *place, json_t *doc);
    bool hash_derived;   // doc_hash is of the document with these fields: process_docs made them
    const char *cluster; // field of a text that several documents may share; NULL: none
    const char *description; // template; NULL: none
    const char *question; // template of the context; ROLLING: of the text whose words are counted
    const char *contexts; // path of a list: one context a choice, `answer` the continuation of all
    const char *answer;   // template: GENERATE and ROLLING: the target; else only with `contexts`
    bool text_target;     // CHOICE: lm-eval logs the right choice's text, not its number
    const char *choices;  // path of a list; or templates, each ended by a '|'
    enum gold_rule gold_rule;
    const char *gold;
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

typedef struct task_family { // a name in an experiment that stands for several tasks
    const char *name;
    const char *category; // NULL: all of MMLU
} task_family;

// What a name means: a task, or a family of MMLU's.
bool task_find(cull_ctx *, const char *name, task_spec *out);
const task_family *task_family_find(const char *name);
// The names of all MMLU subjects ("mmlu_anatomy") with their categories; n of them.
size_t mmlu_subjects(const char *const **names, const char *const **categories);
const char *const *task_names(void); // single tasks and families, NULL-terminated, for error texts

cull_status derive_hellaswag(cull_ctx *, const char *place, json_t *doc);
cull_status derive_copa(cull_ctx *, const char *place, json_t *doc);
cull_status derive_winogrande(cull_ctx *, const char *place, json_t *doc);
cull_status derive_gsm8k_cot(cull_ctx *, const char *place, json_t *doc);
cull_status derive_wikitext(cull_ctx *, const char *place, json_t *doc);

#endif
