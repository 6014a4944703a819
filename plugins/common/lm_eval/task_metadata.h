// What metadata.json beside request files says of their tasks (the format: task_file.h).
#ifndef COMMON_TASK_METADATA_H
#define COMMON_TASK_METADATA_H

#include "common/lm_eval/task_file.h"

// Apply the metadata.json of each file's folder, where there is one, to the tasks it names, and
// enter its groups of which at least one task is there.
cull_status task_metadata_apply(cull_ctx *, cull_texts files, task *tasks, task_list *list);

#endif
