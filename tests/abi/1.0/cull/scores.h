// Scores: what a criterion yields. Lowest goes first, ties go to the lower index.
#ifndef CULL_SCORES_H
#define CULL_SCORES_H

#include <stddef.h>
#include <stdint.h>

#include <cull/host.h>

// Forms, as bits: a criterion yields one, a strategy accepts a set. X(name, bit, what it is)
#define CULL_FORMS(X)                                                                              \
    X(NONE, 1, "no scores")                                                                        \
    X(LAYER, 2, "one number per layer")                                                            \
    X(EXPERT, 4, "one number per expert")                                                          \
    X(PAIR, 8, "a distance for every two experts of a layer")                                      \
    X(WEIGHT, 16, "one number per weight")                                                         \
    X(SUBSET, 32, "a loss for any kept set of a layer's experts")                                  \
    X(CHANNEL, 64, "one number per channel")

enum cull_form {
#define CULL_FORM_ENUM(name, bit, text) CULL_FORM_##name = bit,
    CULL_FORMS(CULL_FORM_ENUM)
#undef CULL_FORM_ENUM
};

// Losses of kept sets of one layer (SUBSET). A set is a bit string of words 64-bit words, bit e: expert e
// is kept. loss[i] is that of sets[i * words …]. The callee may use host->parallel. [call] Fixed.
typedef struct cull_subset_loss {
    cull_status (*eval)(cull_ctx *, const void *self, size_t n, size_t words, const uint64_t *sets,
                        double *loss);
    const void *self;
} cull_subset_loss;

typedef struct cull_scores {
    uint32_t size;
    uint32_t form;
    size_t L;
    double *layer;           // LAYER (L)
    double *const *expert;   // EXPERT [l] → (E_l), NULL in a dense layer
    double *const *pair;     // PAIR [l] → (E_l, E_l), symmetric
    cull_subset_loss subset; // SUBSET: of the layer being decided
    double *const *channel;  // CHANNEL [l] → (E_l, F_l), NULL in a dense layer
    double *const *side;     // CHANNEL [l] → (side_F), NULL where no such part is asked for
} cull_scores;

#endif
