// What the files of this strategy share.
#ifndef UNSTRUCTURED_H
#define UNSTRUCTURED_H

#include <cull/cull.h>

#include "common/prune/choose.h"

enum spread { SPREAD_UNIFORM, SPREAD_OWL };

struct settings {
    int64_t group; // enum group
    int64_t m;
    int64_t layers; // enum spread
    double lambda, outlier;
    bool attention, shared, dense;
    int64_t propagate;
};

// One matrix of a layer with the scores of its weights, both (rows, cols).
typedef struct scored {
    cull_matrix_id where;
    size_t rows, cols;
    const float *w;
    float *score;
} scored;

// fn for every matrix of layer l that the settings offer for pruning, in a fixed order; experts
// that earlier stages removed are passed over, and with `routed` those without tokens. One matrix
// is held at a time.
cull_status each_matrix(cull_ctx *ctx, const struct settings *set, const cull_view *view, size_t l,
                        bool routed, cull_status (*fn)(void *arg, cull_ctx *, const scored *),
                        void *arg);

// D of OWL: the percentage of the layer's scores above `outlier` times their mean; experts without
// tokens take no part.
cull_status outlier_percent(cull_ctx *ctx, const struct settings *set, const cull_view *view,
                            size_t l, double *percent);

// The sparsity of each layer (L) by the outliers of its scores.
cull_status owl(cull_ctx *ctx, const struct settings *set, const cull_view *view,
                const cull_budget *budget, double *sparsity);

#endif
