// The settings of one cell of a plan, as its trial records them.
#ifndef CULL_PLAN_CELL_SETTINGS_H
#define CULL_PLAN_CELL_SETTINGS_H

#include "math/precision.h"
#include "plan/plan.h"

// One JSON object: question, model, calibrate, method, sparsity, allocation, seed, metrics, layers,
// precision, store, with all defaults.
void cull_put_settings(cull_buf *out, const cull_plan *plan, cull_precision precision,
                       const cull_cell *cell);

// What a cell is calibrated on; NULL: nothing, or whichever of several, which makes no difference.
const cull_calibration_spec *cull_calibration_of(const cull_spec *spec, const cull_cell *cell);

#endif
