// Where calibration statistics live, and how they go to and come from a file.
//
// A store owns every array that a cull_stats view points to. It is filled by cull_calibrate_pass,
// or loaded.
#ifndef CULL_ENGINE_STATS_STORE_H
#define CULL_ENGINE_STATS_STORE_H

#include <cull/stats.h>

#include "base/context.h"

typedef struct cull_stats_store cull_stats_store;

// Groups that are there only while a layer is decided, and are never stored.
enum {
    CULL_STATS_IN_VISIT = CULL_STAT_HESSIAN | CULL_STAT_DENSE_SAMPLE | CULL_STAT_DENSE_CHANNELS
};
// Groups of a layer that cull_stats_store_put has all of; of Hessians those of the experts that are
// decided about are where they are decided about (engine.h).
enum {
    CULL_STATS_TOLD = CULL_STAT_ROUTING | CULL_STAT_COACTIVATION | CULL_STAT_OUTPUT_NORM |
                      CULL_STAT_OUTPUT_MOMENTS | CULL_STAT_EASY_EP | CULL_STAT_LOGIT_GRAM |
                      CULL_STAT_HESSIAN | CULL_STAT_DENSE_MEAN | CULL_STAT_CHANNEL_MOMENTS |
                      CULL_STAT_GATED_SQUARES | CULL_STAT_GATED_PEAKS | CULL_STAT_PROB_NORM |
                      CULL_STAT_DENSE_GATED
};
// Groups of the dense subsample.
enum {
    CULL_STATS_DENSE = CULL_STAT_DENSE_SAMPLE | CULL_STAT_DENSE_MEAN | CULL_STAT_DENSE_GATED |
                       CULL_STAT_DENSE_CHANNELS
};

// Arrays for `groups` of a model with these layers (facts[l]), all zero.
// NULL, reported: no memory.
cull_stats_store *cull_stats_store_new(cull_ctx *, const cull_model_facts *,
                                       const cull_layer_facts *const *facts, uint32_t groups);
void cull_stats_store_free(cull_stats_store *store);
const cull_stats *cull_stats_store_view(const cull_stats_store *store);
cull_layer_stats *cull_stats_store_layer(cull_stats_store *store,
                                         size_t l); // for those that fill it
cull_stats *cull_stats_store_edit(cull_stats_store *store);
// Arrays, all zero, for those of `groups` that the store does not have yet.
cull_status cull_stats_store_require(cull_stats_store *store, uint32_t groups) CULL_MUST_CHECK;
// H of another part: (width) doubles, made at the first call. NULL: no memory.
double *cull_stats_store_part(cull_stats_store *store, size_t l, cull_part part, size_t width);
// The arrays of `groups` of layer l, one after the other: copied to `out`, or from `in` into those
// of a store that has them. How many doubles; `out` NULL: counted alone. Not the parts' H.
size_t cull_stats_store_put(const cull_stats_store *store, size_t l, uint32_t groups, double *out);
void cull_stats_store_take(cull_stats_store *store, size_t l, uint32_t groups, const double *in);
uint64_t cull_stats_store_bytes(const cull_model_facts *, const cull_layer_facts *const *facts,
                                uint32_t groups);
// What a layer's sums take beside the store until it is complete; Hessians: the rows that wait.
uint64_t cull_layer_sums_bytes(size_t E, size_t D, size_t F, uint32_t groups);
// What gathering CULL_STATS_DENSE takes in a layer of E experts, for a subsample of N rows.
uint64_t cull_dense_sample_bytes(size_t E, size_t D, size_t F, size_t N, uint32_t groups);

// A safetensors file of f64 tensors "layer.L.NAME" named as the fields of cull_layer_stats; atomic
// (temporary name, fsync, rename). Load adds the file's groups to the store's.
cull_status cull_stats_store_save(cull_ctx *, const cull_stats_store *store,
                                  const char *path) CULL_MUST_CHECK;
cull_status cull_stats_store_load(cull_ctx *, cull_stats_store *store,
                                  const char *path) CULL_MUST_CHECK;

#endif
