// Calibration statistics of one model on one set of tokens.
//
// They are gathered in groups; a criterion declares the groups it needs and finds only those filled, the
// rest NULL. All sums are float64 over fixed slices of the sequences, row by row, merged in a fixed tree:
// they depend on the sequences alone, not on threads, memory or processes. Notation: token t, input x of
// the MoE sub-layer, router logits z, probability p, the chosen set S, the coefficient g that an expert's
// output y is really multiplied by.
#ifndef CULL_STATS_H
#define CULL_STATS_H

#include <stddef.h>
#include <stdint.h>

#include <cull/model.h>

// X(NAME, the letter that stands for it in files, its word, what it holds)
// clang-format off
#define CULL_STAT_GROUPS(X)                                                                                  \
    X(ROUTING,         A, "routing",         "tokens per expert; sums of gates and probabilities")           \
    X(COACTIVATION,    B, "coactivation",    "co-activation counts")                                         \
    X(OUTPUT_NORM,     C, "output-norm",     "norms and extremes of expert outputs")                         \
    X(OUTPUT_MOMENTS,  D, "output-moments",  "mean and variance of expert outputs, gate-weighted mean")      \
    X(EASY_EP,         F, "easy-ep",         "EASY-EP's token-weighted contribution")                        \
    X(LOGIT_GRAM,      G, "logit-gram",      "Gram matrices of router logits")                               \
    X(INPUT_SQUARES,   H, "input-squares",   "mean squares of every matrix's inputs")                        \
    X(HESSIAN,         I, "hessian",         "Hessians of the experts' inputs, one layer at a time")         \
    X(DENSE_SAMPLE,    J, "dense-sample",    "dense outputs on a subsample of tokens, one layer at a time")  \
    X(LAYER_COSINES,   K, "layer-cosines",   "cosines between the layers' hidden states")                    \
    X(DENSE_MEAN,      M, "dense-mean",      "mean output of every expert over all tokens of the subsample") \
    X(GATE_RATIO,      R, "gate-ratio",      "quantiles of the ratio of second to first gate")               \
    X(CHANNEL_MOMENTS, N, "channel-moments", "mean and variance of every channel")                           \
    X(GATED_SQUARES,   P, "gated-squares",   "squares of experts' inputs and channels, times the gate")      \
    X(GATED_PEAKS,     Q, "gated-peaks",     "the largest of a channel's squares, times the gate")          \
    X(PROB_NORM,       S, "prob-norm",       "norms of expert outputs under squared probabilities")         \
    X(DENSE_GATED,     T, "dense-gated",     "mean over the subsample of every expert's output times p")    \
    X(DENSE_CHANNELS,  U, "dense-channels",  "every expert's channels on the subsample, one layer at a time")
// clang-format on

enum cull_stat {
#define CULL_STAT_BIT(name, letter, word, text) CULL_STAT_BIT_##name,
    CULL_STAT_GROUPS(CULL_STAT_BIT)
#undef CULL_STAT_BIT
        CULL_N_STAT_GROUPS,
#define CULL_STAT_MASK(name, letter, word, text) CULL_STAT_##name = 1 << CULL_STAT_BIT_##name,
    CULL_STAT_GROUPS(CULL_STAT_MASK)
#undef CULL_STAT_MASK
};

// DENSE_SAMPLE: what the subset search needs of N' tokens (`sample` of the calibration's rows, in order).
typedef struct cull_dense_sample {
    uint32_t size;
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
    // DENSE_CHANNELS, (N, E, F): the inputs of down of every expert, routed or not, 0 of one that is gone already.
    // Without DENSE_SAMPLE all other arrays are NULL.
    const float *channels;
} cull_dense_sample;

typedef struct cull_layer_stats {
    uint32_t size;
    size_t E, D, F;
    uint64_t tokens; // N
    // ROUTING, each (E)
    const double *count;    // n_e: tokens whose S holds e
    const double *gate_sum; // over routed tokens
    const double *gate_sq;  // sum of g^2
    const double *prob_sum; // sum of p over all tokens
    // COACTIVATION (E, E): tokens whose S holds both, zero diagonal
    const double *coact;
    // OUTPUT_NORM, each (E), N = ‖y‖ over routed tokens, 0 for an expert without any
    const double *norm_sum, *norm_sq, *gate_norm, *norm_max, *max_signed, *max_abs;
    // OUTPUT_MOMENTS, each (E, D) over routed tokens, 0 for an expert without any
    const double *mean;      // of y: the novice
    const double *var;       // per channel, divisor n_e − 1; 0 where n_e < 2
    const double *mean_gate; // Σ g² y / Σ g²: the novice that minimises Σ ‖g (y − v)‖²
    // EASY_EP (E): Σ s g ‖y‖ over routed tokens, s = max(0, 1 − cos(r, r + moe)), r the residual entering
    const double *easy_ep;
    // LOGIT_GRAM (E, E): Σ z zᵀ and Σ σ(z) σ(z)ᵀ over all tokens
    const double *logit_gram, *sigmoid_gram;
    // INPUT_SQUARES: Σ of squared inputs per channel
    const double *x_sq;      // (E, D) routed: input of gate and up
    const double *u_sq;      // (E, F) routed: input of down
    const double *part_sq[CULL_MOST_PARTS]; // other parts, over all tokens; length: the part's input width
    // HESSIAN, only while this layer is decided: Σ x xᵀ and Σ u uᵀ over routed tokens
    const double *x_hessian; // (E, D, D)
    const double *u_hessian; // (E, F, F)
    // DENSE_SAMPLE and DENSE_CHANNELS, only while this layer is decided
    const cull_dense_sample *dense;
    // DENSE_MEAN (E, D): mean of y_e over all tokens, routed or not
    const double *dense_mean;
    // LAYER_COSINES: Σ over all tokens of cos(r, r + moe)
    double moe_cos;
    // GATE_RATIO: median over tokens of g₂/g₁, the second to the first gate
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
    const double *prob_norm;   // PROB_NORM (E): Σ p ‖p y‖ over routed tokens
    const double *dense_gated; // DENSE_GATED (E, D): mean of p y over all tokens, routed or not
} cull_layer_stats;

typedef struct cull_stats {
    uint32_t size;
    uint32_t groups; // CULL_STAT_* that are filled
    size_t L;
    uint64_t tokens;
    const cull_layer_stats *layer; // (L), see cull_stats_layer
    // LAYER_COSINES, (L + 1, L + 1): entry (i, j), i < j: Σ over tokens of cos(h_i, h_j), and of arccos(cos)/π;
    // h_0 the embeddings, h_i the residual stream after layer i − 1
    const double *cos_sum, *angle_sum;
} cull_stats;

static inline const cull_layer_stats *cull_stats_layer(const cull_stats *stats, size_t l)
{
    const char *first = (const char *)stats->layer;

    return (const cull_layer_stats *)(first + l * stats->layer->size);
}

#endif
