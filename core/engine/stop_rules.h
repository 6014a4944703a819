// Where a generated answer ends: as transformers' generate() with lm-eval's stopping criteria has
// it.
#ifndef CULL_ENGINE_STOP_RULES_H
#define CULL_ENGINE_STOP_RULES_H

#include <cull/cull.h>

#include "base/context.h"
#include "plugin/open_model.h"

// window: (n_until) how many ids at an answer's end each stop string is looked for in.
cull_status cull_stop_windows(cull_ctx *, const cull_open_model *, const cull_request *,
                              size_t *window) CULL_MUST_CHECK;

// Do an answer's n ids end it, the last of which is new? ended: a CULL_ENDED_*, 0: it goes on.
cull_status cull_stop_at(cull_ctx *, const cull_open_model *, const cull_request *,
                         const size_t *window, size_t n, const int32_t *ids,
                         uint32_t *ended) CULL_MUST_CHECK;

// How long an answer's text of len bytes is when it is cut at each stop string in turn.
size_t cull_stop_cut(const cull_request *, const char *text, size_t len);

#endif
