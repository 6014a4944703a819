// Agglomerative clustering of each layer's experts, and one cut through all layers' dendrograms.
//
// A cluster is named by its smallest member. A merge joins clusters a < b into a. Heights never
// fall within a layer, so the lowest merges of a layer are its first.
#ifndef COMMON_LINKAGE_H
#define COMMON_LINKAGE_H

#include <stdlib.h>

#include "common/prune/allowance.h"

enum linkage { LINKAGE_COMPLETE, LINKAGE_AVERAGE, LINKAGE_SINGLE };

struct merge {
    double height;
    size_t layer, order; // order: the how-manieth merge of its layer
    size_t a, b;         // a < b
};

// The distance of cluster a ∪ b to c from those of a and b (Lance and Williams, 1967).
static inline double joined_distance(enum linkage linkage, double ac, double bc, size_t na,
                                     size_t nb)
{
    switch (linkage) {
    case LINKAGE_AVERAGE:
        return ((double)na * ac + (double)nb * bc) / (double)(na + nb);
    case LINKAGE_SINGLE:
        return ac < bc ? ac : bc;
    default:
        return ac > bc ? ac : bc;
    }
}

// All merges of n points, the nearest two clusters first, ties to the smallest (a, b). d (n, n)
// holds their distances and is used up; size: n numbers of scratch. Returns their number, n − 1.
static inline size_t agglomerate(enum linkage linkage, size_t n, double *d, size_t *size,
                                 struct merge *out)
{
    double last = 0.0;

    for (size_t i = 0; i < n; i++)
        size[i] = 1;
    for (size_t m = 0; m + 1 < n; m++) {
        size_t a = SIZE_MAX, b = SIZE_MAX;

        for (size_t i = 0; i < n; i++)
            for (size_t j = i + 1; j < n && size[i]; j++)
                if (size[j] && (a == SIZE_MAX || d[i * n + j] < d[a * n + b]))
                    a = i, b = j;
        const double height = d[a * n + b];
        last = m == 0 || height > last ? height : last; // averages may fall by a rounding error
        out[m] = (struct merge){ .height = last, .order = m, .a = a, .b = b };

        for (size_t c = 0; c < n; c++)
            if (size[c] && c != a && c != b)
                d[a * n + c] = d[c * n + a] =
                    joined_distance(linkage, d[a * n + c], d[b * n + c], size[a], size[b]);
        size[a] += size[b];
        size[b] = 0;
    }
    return n > 0 ? n - 1 : 0;
}

static inline int by_height(const void *a, const void *b)
{
    const struct merge *x = (const struct merge *)a, *y = (const struct merge *)b;

    if (x->height != y->height)
        return x->height < y->height ? -1 : 1;
    if (x->layer != y->layer)
        return x->layer < y->layer ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

// Apply the lowest of n merges, by (height, layer, order), while the allowance lasts: label[l] (E)
// gets each expert's cluster; it comes as the experts themselves, or NULL in a layer without
// merges. `merges` is sorted.
static inline void cut_dendrograms(size_t n, struct merge *merges, const cull_view *view,
                                   struct allowance *left, size_t *const *label)
{
    qsort(merges, n, sizeof *merges, by_height);
    for (size_t i = 0; i < n; i++) {
        const struct merge *m = &merges[i];

        if (!allowance_take(left, m->layer))
            continue;
        for (size_t e = 0; e < cull_view_layer(view, m->layer)->E; e++)
            if (label[m->layer][e] == m->b)
                label[m->layer][e] = m->a;
    }
}

#endif
