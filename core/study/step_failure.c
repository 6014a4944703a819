// A step that fails by its plugin's fault, and what its trials say of it.
#include <string.h>

#include "study/steps.h"

static const cull_method *method_of(const cull_study *s, const cull_step *step)
{
    return &s->spec->methods[step->method];
}

// The failure in the context becomes the step's own.
cull_status cull_fail_step(cull_study *s, size_t i, cull_status status)
{
    const cull_step *step = &s->plan->step[i];
    char text[CULL_SENTENCE + CULL_FRAMES * CULL_FRAME];

    if (!cull_own_failure(status))
        return status;
    cull_while(s->ctx, status, "making stage %zu of method \"%s\"", step->stage + 1,
               method_of(s, step)->name);
    cull_error_text(&cull_context_of(s->ctx)->error, text, sizeof text);
    cull_error_clear(s->ctx);
    s->made[i].state = CULL_FAILED;
    s->made[i].reason = cull_arena_copy(cull_context_of(s->ctx)->alloc, text, strlen(text));
    return s->made[i].reason ? CULL_OK : cull_no_memory(s->ctx);
}
