// Work that may crash or loop, done in a forked child with a time limit.
//
// The child is a copy of the program with one thread: it sees everything, changes nothing, and gets
// a pool of its own. What it finds it writes to `out`, a file without a name; how it ended, the
// failure it reported and what it was doing when it died come back in the context.
#ifndef CULL_FLOW_SANDBOX_CHILD_H
#define CULL_FLOW_SANDBOX_CHILD_H

#include <stdio.h>

#include "base/context.h"

enum { CULL_DOING = 160 };

typedef struct cull_child_job {
    const char *folder; // where the nameless file is made
    double seconds;     // the limit; 0: none
    // `doing`: CULL_DOING bytes for what the child does now, "criterion reap", should it die there
    cull_status (*work)(cull_ctx *ctx, void *arg, FILE *out, char *doing);
    void *arg;
} cull_child_job;

// *out is positioned at its beginning, to be closed by the caller; NULL on failure. CULL_EPLUGIN:
// the child crashed or ran out of time, with a sentence that names what it was doing.
cull_status cull_child_run(cull_ctx *ctx, const cull_child_job *job, FILE **out) CULL_MUST_CHECK;

#endif
