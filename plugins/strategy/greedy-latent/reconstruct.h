// What stays of a cluster of experts: a representative, with its own or the cluster's mean weights.
#ifndef GREEDY_LATENT_RECONSTRUCT_H
#define GREEDY_LATENT_RECONSTRUCT_H

#include "common/prune/average.h"

// far[i]: how far, in l2, the flattened (gate, up, down) weights of the group's member i are from
// the group's mean.
cull_status distances_to_mean(cull_ctx *ctx, const cull_view *view, const struct group *group,
                              double *far);

// The member of the group whose flattened (gate, up, down) weights are nearest, in l2, to the
// group's mean; the first of equals.
cull_status find_representative(cull_ctx *ctx, const cull_view *view, const struct group *group,
                                size_t *out);

// Router rows of `n` groups of layer l: that of representative[i] becomes the mean of the group's
// rows.
cull_status overlay_mean_rows(cull_ctx *ctx, const cull_view *view, size_t l, size_t n,
                              const struct group *groups, const size_t *representative,
                              cull_cut *cut);

#endif
