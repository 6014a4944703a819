// The engine's naive twin: one sequence, one thread, plain loops, one line per formula. It shares
// no code with core/engine, so that either can be held to the other and both to golden data.
#ifndef CULL_TESTS_NAIVE_ENGINE_H
#define CULL_TESTS_NAIVE_ENGINE_H

#include <cull/cull.h>

// What a forward computes; arrays are malloc'ed, naive_free gives them back.
typedef struct naive_forward {
    size_t n, L, D, V;
    float *logits;         // (n, V)
    float *hidden;         // (L + 1, n, D): each layer's input, the last one after the final norm
    float **router_logits; // [l] → (n, E), NULL in a dense layer
    float **p;             // [l] → (n, E)
    int32_t **index;       // [l] → (n, K)
    float **gate;          // [l] → (n, K)
} naive_forward;

// Run n tokens at positions 0 … n − 1. rule: [l], or NULL.
cull_status naive_run(cull_ctx *ctx, const cull_backend *backend, const cull_model *model, size_t n,
                      const int32_t *ids, const cull_rule *rule, naive_forward *out);
// Shown every product y = x Wᵀ + b: x (n, cols), y with the matrix's rows as columns.
typedef struct naive_watch {
    void *arg;
    void (*linear)(void *arg, cull_matrix_id where, size_t n, size_t cols, const float *x,
                   size_t ldx, const float *y, size_t ldy);
} naive_watch;
cull_status naive_run_watched(cull_ctx *ctx, const cull_backend *backend, const cull_model *model,
                              size_t n, const int32_t *ids, const cull_rule *rule,
                              const naive_watch *watch, naive_forward *out);
// Room for a forward of n rows, zeroed.
void naive_room(const cull_backend *backend, const cull_model *model, size_t n, naive_forward *f);
void naive_free(naive_forward *f);

// Element (r, c) of a stored matrix, and entry r of its bias.
float naive_element(const cull_matrix *m, size_t r, size_t c);
float naive_bias(const cull_matrix *m, size_t r);

#endif
