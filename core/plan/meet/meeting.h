// A step and the budget in another unit that it is to meet: what meet.c and active.c share.
#ifndef CULL_PLAN_MEETING_H
#define CULL_PLAN_MEETING_H

#include "plan/inputs.h"

typedef struct cull_meeting {
    cull_plan *plan;
    const cull_prepared_model *s;
    cull_problems *problems;
    const cull_step *step;
} cull_meeting;

// A problem at the budget's place.
void cull_meeting_refuse(const cull_meeting *m, const char *why);

bool cull_meeting_is_free(const cull_meeting *m, size_t l); // may layer l be cut?
bool cull_meeting_all_free(const cull_meeting *m);          // and all that have experts?

// The value of a setting of the strategy's own, or NULL.
const void *cull_meeting_setting(const cull_step *step, const char *name, cull_type type);

// Do all experts stay equally wide, so that what goes is neither stored nor run?
bool cull_meeting_narrows(const cull_step *step);

// Do as many experts stay in each of a router's groups?
bool cull_meeting_levels(const cull_step *step);

// The units of which whole ones go, in the layer that has most, or in all layers together.
double cull_meeting_units(const cull_meeting *m);

// What is saved at a sparsity: bytes, or parameters that run. arg: the caller's own.
typedef double cull_saving(const cull_meeting *m, const void *arg, double sparsity);

// The smallest of the sparsities at which another unit goes that saves `need`; NAN: none.
double cull_least_sparsity(const cull_meeting *m, const void *arg, cull_saving *saved, double need);

// The sparsity of the whole method at which no more than the budget's fraction of all that runs
// goes on running; for a step that takes experts from tokens also what later ones stop beside it
// (cull_step.spared). A problem, and NAN, where there is none.
cull_status cull_meet_active(const cull_meeting *m, double *sparsity,
                             double *spared) CULL_MUST_CHECK;

#endif
