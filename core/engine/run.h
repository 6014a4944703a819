// The machinery of one pass: workers' scratch, and the circumstances in which a piece is called.
//
// A backend's piece gets a cull_pass; behind it stands a cull_piece, which says whose rows these
// are (the overlays of their cut), where attention finds its keys, and what linear() feeds to the
// statistics.
#ifndef CULL_ENGINE_RUN_H
#define CULL_ENGINE_RUN_H

#include <stdatomic.h>

#include <cull/cull.h>

#include "base/context.h"
#include "cut/overlay.h"
#include "engine/engine.h"
#include "math/gemm.h"

typedef struct cull_worker { // one thread's scratch; the last one is the coordinator's
    cull_arena *arena;
    float *tile;  // rows of W unpacked, CULL_TILE_FLOATS
    void *panels; // the same made ready for products, CULL_TILE_BYTES
    cull_gemm *gemm;
    uint64_t flops;         // multiply-adds × 2 of its products
    double product_seconds; // that they took
} cull_worker;

typedef struct cull_run {
    cull_ctx *ctx;
    const cull_open_model *m;
    cull_pool *pool; // NULL: in place
    size_t n_workers;
    cull_precision precision;
    cull_worker *worker;       // (n_workers + 1)
    struct cull_ahead *ahead;  // reads the next layer; NULL: nobody does
    cull_cost_seen cost;       // but for flops, which the workers have
    struct cull_run_progress { // progress.h
        size_t tokens;         // of the pass
        size_t begins, phase;  // how often the run began one; its number among all ranks'
        double begun, told;    // by the clock: the pass; when it was last shown within a step
        double from, to;       // the parts of the pass at which the step begins and ends
        double work;           // of the step: multiply-adds, as its layer's parameters have them
        _Atomic uint64_t done; // of them
    } progress;
} cull_run;

cull_status cull_run_init(cull_run *run, cull_ctx *ctx, const cull_open_model *m,
                          cull_precision precision) CULL_MUST_CHECK;
void cull_run_release(cull_run *run);

// What the run has cost so far, all workers together. [between two runs on the pool]
cull_cost_seen cull_run_cost(const cull_run *run);

// fn(arg, i, worker) for i in [0, n) on the pool, or in place as the coordinator.
cull_status cull_run_each(cull_run *run, size_t n,
                          cull_status (*fn)(void *arg, size_t i, size_t worker), void *arg);
// One after the other, as the coordinator: what an item shares out goes to all workers. For few and
// large items, at whose end workers would wait for each other.
cull_status cull_run_in_turn(cull_run *run, size_t n,
                             cull_status (*fn)(void *arg, size_t i, size_t worker), void *arg);

// What linear() shows while calibrating, NULL where it is not wanted: inputs of the coordinator's
// products with all rows of a lane, summed; an expert's inputs of `down`, copied.
struct cull_column_sums;
enum { CULL_SIDE_SPREAD, CULL_SIDE_GATED, CULL_SIDE_PEAKS, CULL_N_SIDE_SUMS };
typedef struct cull_input_hooks {
    struct cull_column_sums *part[CULL_N_PARTS];
    struct cull_column_sums *side; // (CULL_N_SIDE_SUMS) of the shared or dense part's channels
    const float *side_gate; // (rows of the lane) the shared expert's; NULL: 1, or not computed yet
    const uint8_t *slice;   // (rows of the lane) each row's
    float *down;            // (rows of the call, F)
} cull_input_hooks;

struct cull_kv;

typedef struct cull_piece {
    cull_pass pass; // first
    cull_run *run;
    size_t worker;            // whose scratch
    bool inside;              // called from a worker: linear runs in place
    const cull_cut *cut;      // whose overlays apply, NULL: none
    cull_input_hooks *inputs; // or NULL
    const struct cull_kv *kv; // attention's paths; attend only
    size_t layer;
} cull_piece;

extern const cull_engine cull_engine_services;

// A piece of the coordinator's, or of worker w (inside a cull_run_each).
cull_piece cull_piece_outer(cull_run *run);
cull_piece cull_piece_inner(cull_run *run, size_t worker);
// Whosever an item of cull_run_each or cull_run_in_turn is.
cull_piece cull_piece_of(cull_run *run, size_t worker);

// cull_run_each for what a piece shares out: in place, with its worker's scratch, where it is
// inside.
cull_status cull_piece_each(cull_piece *piece, size_t n,
                            cull_status (*fn)(void *arg, size_t i, size_t worker), void *arg);

// Scratch of a piece: take a mark before the call, rewind after it.
cull_arena *cull_piece_arena(cull_piece *piece);

// y = x Wᵀ + b; see cull_engine.linear.
cull_status cull_linear(cull_pass *pass, cull_matrix_id where, size_t n, const float *x, size_t ldx,
                        float *y, size_t ldy) CULL_MUST_CHECK;
cull_status cull_attention_rows(cull_pass *pass, const cull_attention *a, const float *q,
                                const float *k, const float *v, float *out) CULL_MUST_CHECK;

#endif
