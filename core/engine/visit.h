// A layer visit: attend, route, experts, after, for the lanes of one block of rows.
//
// A lane is a history of cuts together with this layer's cut, for the rows of a block. Lanes that
// come from the same history and do not differ before the router share one attend; all lanes share
// each expert's gather and GEMM unless their cut overlays that expert.
#ifndef CULL_ENGINE_VISIT_H
#define CULL_ENGINE_VISIT_H

#include "engine/kv.h"
#include "engine/run.h"

typedef struct cull_lane {
    // given by the caller
    size_t n; // rows
    const int32_t *pos;
    const cull_kv *kv;
    bool beyond;         // of the rope switch
    const cull_cut *cut; // NULL: dense
    const float *h_in;   // (n, D)
    float *h_out;        // (n, D); may be h_in
    size_t attended;     // the lane whose attend serves this one: itself, or an earlier one
    // made by the visit, in its arena
    float *r, *side, *x; // (n, D), shared with the attended lane
    cull_routed routed;  // (n, K), (n, E)
    uint32_t *slot;      // (n, K) the expert that computes, ascending; CULL_NONE: none
    float *slot_gate;    // (n, K)
    size_t *slot_row;    // (n, K) where its output stands in the wave's buffer
} cull_lane;

// What looks on while a layer is visited (calibration, trace). All optional.
typedef struct cull_layer_hooks {
    void *arg;
    bool want_p;             // fill routed.p
    bool serial;             // experts one block after the other, by the coordinator (Hessians)
    cull_input_hooks inputs; // of attend and route
    // One block of an expert's rows, in any thread: x, gate, y as in cull_expert_rows; `acc` is the
    // block's own, item_doubles(e) zeroed doubles. `inputs` may be set for the call to expert().
    size_t item_doubles;
    void (*begin_item)(void *arg, size_t e, double *acc, cull_input_hooks *inputs);
    cull_status (*item)(void *arg, const cull_expert_rows *rows, double *acc, float *norm);
    // The blocks' accumulators, in order, by the coordinator.
    void (*merge_item)(void *arg, size_t e, const double *acc);
    // A lane after its experts, before `after`: h_out holds the routed output. norm: (n, K) norms
    // of the experts' outputs, by slot.
    cull_status (*moe)(void *arg, cull_run *run, size_t l, const cull_lane *lane,
                       const float *norm);
    cull_status (*after)(void *arg, cull_run *run, size_t l, const cull_lane *lane);
} cull_layer_hooks;

cull_status cull_visit_layer(cull_run *run, size_t l, size_t n_lanes, cull_lane *lane,
                             const cull_layer_hooks *hooks) CULL_MUST_CHECK;

// dispatch.c: the lanes' routed experts; Σ gate · y is added to each lane's h_out, in order of
// experts. norm: (rows of lane 0, K) or NULL, filled when there are hooks and one lane.
cull_status cull_dispatch(cull_run *run, size_t l, size_t n_lanes, cull_lane *const *lane,
                          const cull_layer_hooks *hooks, float *norm) CULL_MUST_CHECK;

// Does the cut change anything of layer l before the router (attention, shared or dense parts)?
bool cull_cut_before_router(const cull_cut *cut, size_t l);

// Floats of scratch that a row of a lane needs in a visit of layer l, for planning blocks.
size_t cull_visit_floats(const cull_open_model *m, size_t l);

#endif
