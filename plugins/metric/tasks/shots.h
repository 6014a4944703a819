// Few-shot examples in front of a question, drawn as lm-evaluation-harness draws them.
#ifndef TASKS_SHOTS_H
#define TASKS_SHOTS_H

#include "common/python/python_random.h"
#include "task_spec.h"

typedef struct shots {
    const task_spec *spec;
    size_t k;
    bool resample; // 0.4.13: when copies of the document leave fewer than k, draw anew without them
    jsonl pool;
    span *text; // (pool.n) each document as a shot
    size_t *drawn, *work, *others;
    py_random random;
    size_t own; // documents that have been among their own shots
} shots;

// k may be 0: no pool is read. Free in any case.
cull_status shots_init(cull_ctx *, const task_spec *, size_t k, const char *pool_path,
                       uint32_t seed, bool resample, shots *out);
void shots_free(shots *);
// The shots of the next document, joined; documents must come in order. `doc` as it was read.
cull_status shots_next(cull_ctx *, shots *, const char *place, const json_t *doc, span *out);

#endif
