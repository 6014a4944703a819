// How far a pass is, in the tokens that it takes through the layers, and whether it is to stop.
//
// A pass begins, says which part of itself each step is (span) and what the step consists of
// (visits); the visits move it while they are under way. Only the coordinator's thread shows it,
// and that ten times a second at most: what moves is one counter.
#ifndef CULL_ENGINE_PROGRESS_H
#define CULL_ENGINE_PROGRESS_H

#include "engine/run.h"

void cull_pass_begin(cull_run *run, const char *phase, size_t tokens);
void cull_pass_end(cull_run *run);

// What follows takes the pass from one part of it to another (0 … 1): a layer, or a share of one.
void cull_pass_span(cull_run *run, double from, double to);
// It consists of visits to layer l by so many rows, those of all lanes.
void cull_pass_visits(cull_run *run, size_t l, double rows);

// n rows have met so many parameters each. [any worker, its own index]
void cull_pass_moved(cull_run *run, size_t worker, size_t n, uint64_t params);

// Shows how far the pass is, `part` of it. CULL_ECANCELED when the user wants to stop; so does
// goes_on, which shows nothing.
cull_status cull_pass_tell(cull_run *run, double part) CULL_MUST_CHECK;
cull_status cull_pass_goes_on(const cull_run *run) CULL_MUST_CHECK;

#endif
