// What the names in an experiment stand for: tasks and groups of them.
//
// A name is that of a task's file, NAME.yaml, beside the plugin; or NAME_REST, where REST is a
// subject or a category of a family NAME.yaml. A user's own files come by path.
#ifndef TASKS_TASK_NAMES_H
#define TASKS_TASK_NAMES_H

#include <cull/param.h>

#include "task_spec.h"

typedef struct task_plan {
    size_t n, n_groups;
    const task_spec **task;       // (n) each once, in the order in which they are named
    const task_definition **from; // (n) their files
    task_group *group;            // (n_groups)
} task_plan;

// CULL_EINVAL: a name without a file, or two tasks of one name. In the context's alloc memory.
cull_status task_plan_make(cull_ctx *, cull_texts names, cull_texts files,
                           task_plan *out) CULL_MUST_CHECK;

#endif
