// calibrate: rows and a model, perhaps cut already → statistics.
//
// What the cache has (calibration_cache.h) is read; what it has not is gathered in one pass over
// the weights, for all variants and rows together, and added.
#ifndef CULL_FLOW_CALIBRATE_H
#define CULL_FLOW_CALIBRATE_H

#include "plan/inputs.h"
#include "record/cache_folder.h"

typedef struct cull_statistics {
    cull_stats_store *store; // what the set's steps see
    size_t n_observers;
    cull_observer_use *observer; // as the set's observers
    cull_cost_seen cost;         // of the passes that were made
    double wall_s, cpu_s;
} cull_statistics;

// Layers are decided in the pass: groups besides what the cache holds are gathered anew, and I and
// J while a layer is visited. See cull_decide_fn.
typedef struct cull_visit {
    uint32_t groups;
    cull_decide_fn decide;
    void *arg;
    cull_cut *deciding; // `propagate`: what the pass itself goes on with
    bool propagate;
    uint32_t told; // groups of the layer in hand that all ranks know when they decide together; 0:
                   // rank 0 decides alone
    bool rounds;   // they decide about whole layers in turn
} cull_visit;

typedef struct cull_calibrate_job {
    const cull_prepared_model *prepared;
    const cull_calibration_set *set;
    const cull_key *observer_keys; // (set->n_observers)
    const cull_cut *on;            // NULL: the dense model
    const cull_visit *visit;       // NULL: the set's groups and observers are wanted
    bool count; // instead of these, tokens per expert of `on`, not cached: what a router that skips
                // really runs
    cull_cache_folder *cache;
    const cull_engine_options *engine;
    cull_statistics *out; // kept between calls: what it has is not read again
} cull_calibrate_job;

// The statistics of n jobs on one model, each from the cache, or all together from one pass over
// the weights.
cull_status cull_calibrate(cull_ctx *ctx, size_t n, const cull_calibrate_job *job) CULL_MUST_CHECK;

void cull_statistics_release(cull_statistics *statistics);

#endif
