// Sums that have a shape of their own.
//
// An experiment's sequences are cut into CULL_SLICES slices: runs of whole sequences with about as
// many tokens each. A statistic is summed in float64 over the rows of a slice, one by one in their
// order, and the slices' sums are merged in a fixed binary tree: whatever blocks the rows were
// computed in, by how many threads and by which process, the same additions are made.
//
// The tree: slices 2i and 2i + 1 make a node, two neighbouring nodes make one of the next level,
// and so on; a slice without rows of a sum is left out of it. A node is merged when the first slice
// behind it begins, so that a walk through all slices holds at most one sum a level.
#ifndef CULL_ENGINE_SLICES_H
#define CULL_ENGINE_SLICES_H

#include <stddef.h>
#include <stdint.h>

#include <cull/status.h>

enum { CULL_SLICES = 16 }; // a power of two; part of what CULL_NUMERICS_REVISION stands for

// The slice of each of n sequences of length[i] tokens, in their order: ascending, and with half of
// a sequence's tokens before its middle and half behind.
void cull_slices_assign(size_t n, const size_t *length, uint8_t *slice);

enum { CULL_SLICE_DEPTH = 10 }; // two sums a level, and the one in hand

// One sum of n doubles over the slices [first, end) that are summed here, the others elsewhere.
// Used by one thread at a time.
typedef struct cull_slice_sum {
    size_t n;
    void (*merge)(const struct cull_slice_sum *, double *to, const double *from); // NULL: added
    const void *arg;                                                              // merge's
    size_t first, end;
    size_t held; // sums in hand, ascending: neighbours wait for what is to come between or behind
    size_t slice[CULL_SLICE_DEPTH];
    double *sum[CULL_SLICE_DEPTH]; // those from `held` on are free for use
} cull_slice_sum;

// The sum of slice `slice`, zeros at first; slices come in ascending order. NULL: no memory.
double *cull_slice_sum_at(cull_slice_sum *s, size_t slice);

// The sum of everything that was added, or NULL where nothing was. Valid until the next call.
const double *cull_slice_sum_total(cull_slice_sum *s);

// Sums of parts of the slices, made in several processes, become one when a sum of all slices takes
// what they put, in ascending order of slices. Both return how many doubles they went over: put
// counts alone where `out` is NULL; take gives 0 where there is no memory.
size_t cull_slice_sum_put(cull_slice_sum *s, double *out);
size_t cull_slice_sum_take(cull_slice_sum *s, const double *in);

void cull_slice_sum_release(cull_slice_sum *s);

#endif
