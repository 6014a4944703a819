// What criteria and strategies refuse before anything is computed: a file of scores that is missing
// or of another shape, a cut of another model, more experts per token than the model has.
#ifndef CULL_STUDY_FITS_H
#define CULL_STUDY_FITS_H

#include "plan/inputs.h"

// Asks every stage's criterion and strategy (`fits`) on every model; what one refuses is a problem
// at its place. The inputs' models are open.
cull_status cull_fit_cuts(cull_ctx *ctx, const cull_spec *spec, const cull_inputs *inputs,
                          cull_problems *problems) CULL_MUST_CHECK;

#endif
