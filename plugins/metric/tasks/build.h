// A task's documents from its dataset.
#ifndef TASKS_BUILD_H
#define TASKS_BUILD_H

#include <cull/param.h>

#include "task_spec.h"

typedef struct building {
    cull_texts data; // files: NAME.jsonl, NAME.train.jsonl, .gz too
    int64_t shots;   // −1: the task's own
    uint32_t shot_seed;
    size_t limit, max_new;
    bool resample; // see shots.h
} building;

cull_status task_build(cull_ctx *, const task_spec *, const building *, task *out);

#endif
