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
    size_t n;         // rows
    size_t first_row; // among the pass's
    const int32_t *pos;
    const cull_kv *kv;
    bool beyond;         // of the rope switch
    const cull_cut *cut; // NULL: dense
    const float *h_in;   // (n, D)
    float *h_out;        // (n, D); may be h_in
    size_t attended;     // the lane whose attend serves this one: itself, or an earlier one
    // made by the visit, in its arena
    float *r, *side, *x; // (n, D), shared with the attended lane; so is
    float *z;            // (n, D) the experts' input: x, or what enters their own space
    cull_routed routed;  // (n, K), (n, E)
    uint32_t *slot;      // (n, K) the expert that computes, ascending; CULL_NONE: none
    float *slot_gate;    // (n, K) what multiplies its output
    float *slot_scale;   // (n, K) what multiplies its input; NULL: nothing does
    float *sum;          // (n, D) Σ gate · y in the experts' space; h_out has it in the model's
    size_t *slot_row;    // (n, K) where its output stands in the wave's buffer
} cull_lane;

// The rows of a lane that one expert computed in a wave, ascending.
typedef struct cull_expert_wave {
    size_t e, n;
    const float *gate;  // (n)
    const float *scale; // (n) of the inputs; NULL: 1
    const size_t *slot; // (n) row · K + k
    const float *y;     // (n, D)
    const float *u;     // (n, F) inputs of down; NULL: not wanted
} cull_expert_wave;

// What looks on while a layer is visited (calibration, trace). All optional.
typedef struct cull_layer_hooks {
    void *arg;
    bool want_p;             // fill routed.p
    bool want_inner;         // and the waves' u
    cull_input_hooks inputs; // of attend and route; `slice` is of all rows of the pass
    // A wave of the only lane's experts, after their products, by the coordinator. It fills
    // norm[slot] for its rows.
    cull_status (*experts)(void *arg, cull_run *run, const cull_lane *lane, size_t n,
                           const cull_expert_wave *wave, float *norm);
    // A lane after its experts, before `after`: h_out holds the routed output. norm: (n, K) norms
    // of the experts' outputs, by slot.
    cull_status (*moe)(void *arg, cull_run *run, size_t l, const cull_lane *lane,
                       const float *norm);
    cull_status (*after)(void *arg, cull_run *run, size_t l, const cull_lane *lane);
} cull_layer_hooks;

cull_status cull_visit_layer(cull_run *run, size_t l, size_t n_lanes, cull_lane *lane,
                             const cull_layer_hooks *hooks) CULL_MUST_CHECK;

// dispatch.c: the lanes' routed experts; Σ gate · y is added to each lane's h_out, in order of
// experts. norm: (rows of lane 0, K), filled by a hooks that looks at experts.
cull_status cull_dispatch(cull_run *run, size_t l, size_t n_lanes, cull_lane *const *lane,
                          const cull_layer_hooks *hooks, float *norm) CULL_MUST_CHECK;

// Bytes of experts' overlays that a wave has resident at most, unless one alone has more.
size_t cull_wave_overlay_bytes(size_t n_workers);

#endif
