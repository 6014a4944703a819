// Which experts of a layer become one: those that give up, and whom they join.
#ifndef MERGE_GROUPS_H
#define MERGE_GROUPS_H

#include "common/prune/clusters.h"
#include "common/prune/lowest.h"

// What groups are made of.
struct grouping {
    double **saliency;             // [l] → (E)
    const double *const *distance; // [l] → (E, E)
    size_t capacity;               // members of a group, its head included; 0: as many as join
    bool level;                    // as many stay in each of a router's groups
};

// The least salient experts of the allowance give up, and each joins one that stays, its head:
// label[l][e] names it. Without a capacity that is the nearest head; with one, heads by falling
// saliency each take the nearest that are left until their group is full. Ties: the lower index
// gives up, and is taken, first. EINVAL: the groups have no room for all.
cull_status join_heads(cull_ctx *ctx, const cull_view *view, const struct grouping *grouping,
                       struct allowance *left, size_t **label);

// EINVAL: groups of `capacity` round so many heads have no room for all experts of layer l.
cull_status room_for_all(cull_ctx *ctx, size_t l, size_t heads, size_t capacity, size_t experts);

#endif
