// The engine: runs a model layer by layer for many variants at once.
//
// Shapes: N rows of width D. All rows of a pass go through layer l before l + 1 is touched;
// variants that share a layer's weights share one gather and one GEMM per expert, and rows with the
// same history of cuts are computed once. Rows that do not fit the memory limit are processed in
// blocks of whole trees.
//
// Numbers: float32 rows, float64 statistics over fixed slices of the sequences (slices.h); the same
// results for any number of threads. An engine belongs to one thread; it uses the context's pool.
#ifndef CULL_ENGINE_ENGINE_H
#define CULL_ENGINE_ENGINE_H

#include <cull/cull.h>

#include "base/context.h"
#include "engine/stats_store.h"
#include "math/precision.h"
#include "plugin/open_model.h"

typedef struct cull_engine_options {
    cull_precision precision; // of all products in linear()
    uint64_t memory;   // bytes that this host's ranks may have resident; 0: half of what is free
    size_t neighbours; // ranks on this host that share these; 0: one
    const char *spill; // folder for hidden states that do not fit; NULL: rows are taken in parts
} cull_engine_options;

static inline cull_precision cull_precision_option(const cull_engine_options *options)
{
    return options ? options->precision : CULL_F32;
}

// What a pass has cost; passes add to it.
typedef struct cull_cost_seen {
    uint64_t passes;       // over the layers
    uint64_t rows;         // (token, variant) rows computed through a layer, summed over layers
    uint64_t weight_bytes; // stored weight bytes touched, once per layer visit
    uint64_t flops;        // multiply-adds × 2 in linear()
} cull_cost_seen;

void cull_cost_add(cull_cost_seen *to, const cull_cost_seen *pass);

// ---- calibration ----

typedef struct cull_observer_use { // a plugin's own statistic, see criterion.h
    const cull_plugin *plugin;     // the criterion's
    const cull_observer *observer;
    const void *settings;
    const size_t *n; // [l] → doubles(l)
    double **acc;    // [l] → (n[l]), zeroed by the caller, filled by the pass
} cull_observer_use;

// Called inside layer l's visit, after its routing and statistics are complete and before the
// experts' outputs go on, when the pass was asked to (see decide below). `stats` is complete for
// layers ≤ l, with Hessians and the dense sample of layer l. It may change cut->layer[l] and
// overlays of layer l; with `propagate` the layer is then run again from the kept input under the
// changed cut.
typedef cull_status (*cull_decide_fn)(void *arg, cull_ctx *ctx, size_t l, const cull_stats *stats,
                                      cull_cut *cut);

typedef struct cull_calibration {
    const cull_sequences *rows;
    uint32_t groups;     // CULL_STAT_* to gather
    size_t dense_rows;   // J: sequences of the subsample (0: all), evenly spread
    const cull_cut *cut; // the variant to calibrate on (earlier stages), or NULL: dense
    size_t n_observers;
    cull_observer_use *observers;
    cull_decide_fn decide; // or NULL
    void *decide_arg;
    cull_cut *deciding;    // what decide fills; starts as a copy of `cut`
    bool propagate;        // later layers see the pruned layer
    cull_stats_store *out; // filled; made with cull_stats_store_new(…)
    // Where this process owns slices [first_slice, end_slice) of an experiment's sequences, and
    // rows are theirs (none: both are CULL_SLICES): the slice of each sequence, its place among all
    // n_all, and what puts the owners' sums together. share is called a few times a layer with n
    // doubles; process `to`, 0 that of the first slice, gets everybody's, in ascending order of
    // slices, the others nothing. Statistics are complete at 0 alone. least makes x the least of
    // all owners'. All 0: the rows are all there are.
    size_t first_slice, end_slice, n_all;
    const uint8_t *slice;    // (rows)
    const uint32_t *ordinal; // (rows) ascending
    cull_status (*share)(void *arg, cull_ctx *, size_t to, size_t n, const double *own,
                         size_t *n_parts, const double *const **part);
    cull_status (*least)(void *arg, cull_ctx *, size_t *x);
    void *share_arg;
    // Where n_deciders of these processes, of which this is `decider`, decide each about some of a
    // layer's experts (deal.h): Hessians are summed by who decides about their expert, and of the
    // layer in hand those of the groups `told` become everybody's, by tell, which makes n bytes of
    // process 0 everybody's. n_deciders 0: who has complete statistics decides about all. With
    // `rounds` whole layers are decided about in turn: a layer's dense sample goes to the decider
    // whose layer it is, and stays there until a round of layers is over (deal.h).
    size_t n_deciders, decider;
    uint32_t told;
    bool rounds;
    cull_status (*tell)(void *arg, cull_ctx *, size_t n, void *x);
} cull_calibration;

// The slice of each of an experiment's sequences (slices.h); they ascend in the order in which a
// pass takes the sequences: those beyond the rope switch come last.
cull_status cull_calibration_slices(cull_ctx *, const cull_open_model *, const cull_sequences *rows,
                                    uint8_t *slice) CULL_MUST_CHECK;

// One pass over the weights for all n calibrations, each on its own rows and variant. Where their
// hidden states do not fit the memory limit together, a pass for each wave of them. cost: (n), what
// each added, with its share of the weights that were read; or NULL.
cull_status cull_calibrate_pass(cull_ctx *, const cull_open_model *, const cull_engine_options *,
                                size_t n, const cull_calibration *,
                                cull_cost_seen *cost) CULL_MUST_CHECK;

// ---- evaluation ----

// Answers of n_variants × n requests, answers[v * n + i]; cuts[v] NULL is dense. Arrays inside the
// answers live in the context's alloc arena. `done` (may be NULL) is told how far it is. Requests
// that want KL or TOP1 need the dense model: it is run along, whether or not it is among the
// variants.
cull_status cull_evaluate_pass(cull_ctx *, const cull_open_model *, const cull_engine_options *,
                               size_t n_variants, const cull_cut *const *cuts, size_t n,
                               const cull_request *const *requests, cull_answer *answers,
                               cull_cost_seen *cost) CULL_MUST_CHECK;

// ---- trace ----

// Everything a layer computed, for sequences of equal length; all arrays are the caller's, NULL:
// not wanted.
typedef struct cull_trace {
    size_t n_seq, len;      // N = n_seq × len
    const int32_t *ids;     // (N)
    float *logits;          // (N, V)
    float *hidden;          // (L + 1, N, D): each layer's input, the last one after the final norm
    float **router_logits;  // [l] → (N, E) or NULL in dense layers
    int32_t **router_index; // [l] → (N, K)
    float **router_gate;    // [l] → (N, K)
} cull_trace;

cull_status cull_trace_pass(cull_ctx *, const cull_open_model *, const cull_engine_options *,
                            const cull_cut *cut, cull_trace *trace) CULL_MUST_CHECK;

#endif
