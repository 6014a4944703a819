// A document's texts by a task's templates.
#ifndef TASKS_RENDER_H
#define TASKS_RENDER_H

#include "task_spec.h"

// Has a template fields alone? CULL_EFORMAT at `place`.
cull_status template_check(cull_ctx *, const char *place, const char *template);
cull_status render(cull_ctx *, const char *place, const char *template, json_t *doc, span *out);
cull_status render_choices(cull_ctx *, const char *place, const task_spec *, json_t *doc, size_t *n,
                           const span **out);
// The list at a path.
cull_status render_list(cull_ctx *, const char *place, const char *path, json_t *doc, size_t *n,
                        const span **out);
cull_status find_gold(cull_ctx *, const char *place, const task_spec *, json_t *doc, size_t n,
                      int64_t *out);

// "question answer\n\n": a document as a shot.
cull_status render_shot(cull_ctx *, const char *place, const task_spec *, json_t *doc, span *out);

#endif
