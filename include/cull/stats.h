// Calibration statistics of one model on one set of tokens (reference: methods, section 1).
//
// Letters name the groups in which they are gathered; a criterion declares the groups it needs and finds
// only those filled, the rest NULL. All sums are float64 over fixed row blocks in a fixed order, so they
// do not depend on the number of threads. Notation: token t, input x of the MoE sub-layer, router logits z,
// probability p, the chosen set S, the coefficient g that an expert's output y is really multiplied by.
#ifndef CULL_STATS_H
#define CULL_STATS_H

#include <stddef.h>
#include <stdint.h>

#include <cull/model.h>

// X(letter, what it holds)
#define CULL_STAT_GROUPS(X)                                                                        \
    X(A, "tokens per expert; sums of gates and probabilities")                                     \
    X(B, "co-activation counts")                                                                   \
    X(C, "norms and extremes of expert outputs")                                                   \
    X(D, "mean and variance of expert outputs, gate-weighted mean")                                \
    X(F, "EASY-EP's token-weighted contribution")                                                  \
    X(G, "Gram matrices of router logits")                                                         \
    X(H, "mean squares of every matrix's inputs")                                                  \
    X(I, "Hessians of the experts' inputs, one layer at a time")                                   \
    X(J, "dense outputs on a subsample of tokens, one layer at a time")                            \
    X(K, "cosines between the layers' hidden states")                                              \
    X(M, "J's mean output of every expert over all tokens")                                        \
    X(R, "quantiles of the ratio of second to first gate")                                         \
    X(CHANNEL_MOMENTS, "mean and variance of every channel")                                       \
    X(GATED_SQUARES, "squares of experts' inputs and channels, times the gate")                    \
    X(GATED_PEAKS, "the largest of a channel's squares, times the gate")

enum cull_stat {
#define CULL_STAT_BIT(letter, text) CULL_STAT_BIT_##letter,
    CULL_STAT_GROUPS(CULL_STAT_BIT)
#undef CULL_STAT_BIT
        CULL_N_STAT_GROUPS,
#define CULL_STAT_MASK(letter, text) CULL_STAT_##letter = 1 << CULL_STAT_BIT_##letter,
    CULL_STAT_GROUPS(CULL_STAT_MASK)
#undef CULL_STAT_MASK
};

// J: what the subset search needs of N' tokens (`sample` of the calibration's rows, in order).
typedef struct cull_dense_sample {
    size_t N;              // tokens of the subsample
    const float *logits;   // (N, E) router logits
    const float *gram;     // (N, E, E) inner products of the E expert outputs of a token, symmetric
    const float *gate;     // (N, E) the dense coefficients, 0 where not chosen
    const double *weight;  // (N) 1 / squared norm of the residual stream after the layer
    const uint32_t *group; // (N) ordinal of the row (sequence) a token comes from, ascending
    // Where earlier layers are already cut (inputs: progressive): r = the layer's routed output on the inputs
    // that it then sees, minus the one in the model as it was before this stage. Else NULL.
    const float *cross;   // (N, E) inner products of the expert outputs with r
    const double *offset; // (N) squared norm of r
} cull_dense_sample;

typedef struct cull_layer_stats {
    size_t E, D, F;
    uint64_t tokens; // N
    // A, each (E)
    const double *count;    // n_e: tokens whose S holds e
    const double *gate_sum; // over routed tokens
    const double *gate_sq;  // sum of g^2
    const double *prob_sum; // sum of p over all tokens
    // B (E, E): tokens whose S holds both, zero diagonal
    const double *coact;
    // C, each (E), N = ‖y‖ over routed tokens, 0 for an expert without any
    const double *norm_sum, *norm_sq, *gate_norm, *norm_max, *max_signed, *max_abs;
    // D, each (E, D) over routed tokens, 0 for an expert without any
    const double *mean;      // of y: the novice
    const double *var;       // per channel, divisor n_e − 1; 0 where n_e < 2
    const double *mean_gate; // Σ g² y / Σ g²: the novice that minimises Σ ‖g (y − v)‖²
    // F (E): Σ s g ‖y‖ over routed tokens, s = max(0, 1 − cos(r, r + moe)), r the residual entering
    const double *easy_ep;
    // G (E, E): Σ z zᵀ and Σ σ(z) σ(z)ᵀ over all tokens
    const double *logit_gram, *sigmoid_gram;
    // H: Σ of squared inputs per channel
    const double *x_sq;      // (E, D) routed: input of gate and up
    const double *u_sq;      // (E, F) routed: input of down
    const double *part_sq[CULL_N_PARTS]; // other parts, over all tokens; length: the part's input width
    // I, only while this layer is decided: Σ x xᵀ and Σ u uᵀ over routed tokens
    const double *x_hessian; // (E, D, D)
    const double *u_hessian; // (E, F, F)
    // J, only while this layer is decided
    const cull_dense_sample *dense;
    // M (E, D): mean of y_e over all tokens, routed or not
    const double *dense_mean;
    // K: Σ over all tokens of cos(r, r + moe)
    double moe_cos;
    // R: median over tokens of g₂/g₁, the second to the first gate
    double ratio_median;
    // Of the channels u, the inputs of down, over routed tokens; 0 for an expert without any. Where the gate
    // multiplies an expert's input, x and u hold it already and are not multiplied again.
    const double *u_mean, *u_var; // CHANNEL_MOMENTS, each (E, F); var: divisor n_e − 1, 0 where n_e < 2
    const double *gx_sq;          // GATED_SQUARES (E, D): Σ (g x)²
    const double *gu_sq;          // GATED_SQUARES (E, F): Σ (g u)²
    const double *gu_peak;        // GATED_PEAKS (E, F): max (g u)²
    // The same of the shared or dense part's channels, each (side_F), over all tokens; g: the shared expert's own
    // gate, 1 where it has none. NULL where there is no such part.
    size_t side_F;
    const double *side_mean, *side_var, *side_gu_sq, *side_gu_peak;
} cull_layer_stats;

typedef struct cull_stats {
    uint32_t size;
    uint32_t groups; // CULL_STAT_* that are filled
    size_t L;
    uint64_t tokens;
    const cull_layer_stats *layer; // (L)
    // K, (L + 1, L + 1): entry (i, j), i < j: Σ over tokens of cos(h_i, h_j), and of arccos(cos)/π;
    // h_0 the embeddings, h_i the residual stream after layer i − 1
    const double *cos_sum, *angle_sum;
} cull_stats;

#endif
