// PAIR scores: a symmetric distance between the experts of a layer, zero on the diagonal.
#ifndef COMMON_PAIRS_H
#define COMMON_PAIRS_H

#include <cull/criterion.h>

// The distance of experts i and j.
typedef double (*pair_formula)(const void *arg, size_t i, size_t j);

// out: (E, E)
static inline void fill_pairs(size_t E, pair_formula distance, const void *arg, double *out)
{
    for (size_t i = 0; i < E; i++) {
        out[i * E + i] = 0.0;
        for (size_t j = i + 1; j < E; j++)
            out[i * E + j] = out[j * E + i] = distance(arg, i, j);
    }
}

#endif
