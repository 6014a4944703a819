// Where a generated answer ends: as transformers' generate() with lm-eval's stopping criteria has
// it.
#ifndef CULL_ENGINE_STOP_RULES_H
#define CULL_ENGINE_STOP_RULES_H

#include <cull/cull.h>

#include "base/context.h"
#include "plugin/open_model.h"

bool cull_id_ends(const cull_model_facts *facts, int32_t id);

// Where `stop` first stands in text; SIZE_MAX: nowhere, or it is empty.
size_t cull_find_stop(const char *text, size_t len, const char *stop);

// window: (n_until) how many ids at an answer's end each stop string is looked for in.
cull_status cull_stop_windows(cull_ctx *, const cull_open_model *, const cull_request *,
                              size_t *window) CULL_MUST_CHECK;

#endif
