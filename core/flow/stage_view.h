// What a criterion and a strategy see of one stage: cull_view, and the services
// that belong to it (cull.observed/1, cull.weight-scores/1, cull.cut-file/1).
#ifndef CULL_FLOW_STAGE_VIEW_H
#define CULL_FLOW_STAGE_VIEW_H

#include "plan/inputs.h"

typedef struct cull_stage_view {
    const cull_step *step;
    const cull_prepared_model *prepared;
    cull_view view;
    double *const *observed; // [l] the criterion's own statistic, or NULL
    size_t reading;          // the layer whose weights were asked for last; SIZE_MAX: none yet
} cull_stage_view;

// The layers' facts (L), copied as views have them; NULL: no memory.
cull_layer_facts *cull_stage_view_layers(cull_ctx *ctx, const cull_prepared_model *prepared);

// `before`: the cut of the earlier stages, never NULL. `layers`: as above.
void cull_stage_view_init(cull_stage_view *stage_view, const cull_step *step,
                          const cull_prepared_model *prepared, const cull_layer_facts *layers,
                          const cull_stats *stats, const cull_cut *before, double *const *observed);

// The context becomes that of the stage's plugin `owner`: its random streams, its services.
void cull_stage_view_enter(cull_ctx *ctx, cull_stage_view *stage_view, const char *owner);

#endif
