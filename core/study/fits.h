// What strategies refuse before anything is computed: a cut file that is missing or of another
// model, more experts per token than the model has.
#ifndef CULL_STUDY_FITS_H
#define CULL_STUDY_FITS_H

#include "plan/inputs.h"

// Asks every stage's strategy (strategy.h, `fits`) on every model; what it refuses is a problem at
// the strategy's place. The inputs' models are open.
cull_status cull_fit_cuts(cull_ctx *ctx, const cull_spec *spec, const cull_inputs *inputs,
                          cull_problems *problems) CULL_MUST_CHECK;

#endif
