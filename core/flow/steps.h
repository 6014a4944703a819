// How the steps of a study are made; private to flow/.
#ifndef CULL_FLOW_STEPS_H
#define CULL_FLOW_STEPS_H

#include "flow/study.h"

// The step and what it rests on become WANTED, or DONE where a stored cut serves.
cull_status cull_want_step(cull_study *s, size_t i) CULL_MUST_CHECK;

// Where the cut of a step on which others rest is kept; NULL: no memory.
const char *cull_step_file(cull_study *s, const cull_step *step);

// Statistics of gather g, from the cache or a pass.
cull_status cull_calibrate_gather(cull_study *s, size_t g) CULL_MUST_CHECK;

// Score, select, apply; for steps that see all layers at once. A failure is the call's:
// cull_fail_step makes it the step's own where it is the plugin's fault.
cull_status cull_decide_step(cull_study *s, size_t i) CULL_MUST_CHECK;
cull_status cull_fail_step(cull_study *s, size_t i, cull_status status) CULL_MUST_CHECK;

// The same for steps of gather g that decide layer by layer, inside the layers' visit. Those that
// only look share a pass; one that changes what later layers see has its own.
cull_status cull_decide_in_visit(cull_study *s, size_t g, size_t n,
                                 const size_t *steps) CULL_MUST_CHECK;

#endif
