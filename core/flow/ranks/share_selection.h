// Decisions that are shared out, by experts of a layer or by layers.
//
// A strategy that goes by experts (CULL_BY_EXPERT) is asked on every rank, in a child of its own,
// about the experts that are that rank's (engine/deal.h), whose Hessians it has summed. One whose
// layers stand apart (CULL_LAYERS_APART) is asked when each rank has a layer of its own, with its
// dense sample: a round, the last of which may be shorter. What the ranks decided meets on rank 0
// in the order of experts or layers, so that the cut is the one that a single rank would have made;
// what their children had to say is said there, too.
#ifndef CULL_FLOW_RANKS_SHARE_SELECTION_H
#define CULL_FLOW_RANKS_SHARE_SELECTION_H

#include "flow/sandbox/stage.h"
#include "plan/inputs.h"
#include "ranks/ranks.h"

// What rank 0 keeps of a step whose layers are decided about together.
typedef struct cull_shared_step {
    size_t step;     // of the plan
    bool is, rounds; // shared out at all; by layers, not by experts
    bool told;       // its budget, the layers' sparsities and the cut before it
} cull_shared_step;

// On rank 0, while it decides about a layer: as cull_stage_visit, with all ranks; by layers, about
// those of the round, when it ends. sparsity: (L). A failure of one rank is the call's; of several,
// the one of the lowest experts or layer.
cull_status cull_select_shared(cull_ctx *ctx, cull_shared_step *shared, const cull_stage_job *job,
                               size_t layer, const double *sparsity,
                               cull_stage_result *result) CULL_MUST_CHECK;
// On rank 0: no more of this layer.
cull_status cull_select_no_more(cull_ctx *ctx) CULL_MUST_CHECK;

// The other ranks: what they keep of the steps of a pass.
typedef struct cull_selecting {
    const cull_plan *plan;
    const cull_prepared_model *prepared;
    const char *folder; // for files without a name
    struct told_step *step;
    cull_layer_facts *layers;
} cull_selecting;

// Their part in a layer whose statistics they have, until rank 0 wants no more of it.
cull_status cull_serve_selections(cull_ctx *ctx, cull_selecting *s,
                                  const cull_stats *stats) CULL_MUST_CHECK;
void cull_selecting_release(cull_selecting *s);

#endif
