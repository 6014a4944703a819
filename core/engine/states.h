// Hidden states that stay from layer to layer, (n, D): in memory, or, where they do not fit it, in
// a file without a name, of which only the rows in hand need be resident.
#ifndef CULL_ENGINE_STATES_H
#define CULL_ENGINE_STATES_H

#include "base/context.h"

typedef struct cull_states {
    float *h; // (n, D)
    size_t D;
    size_t mapped; // bytes of the file; 0: in memory
} cull_states;

// Zeros. spill: the folder for the file, or NULL: in memory. Free in any case.
cull_status cull_states_new(cull_ctx *ctx, size_t n, size_t D, const char *spill,
                            cull_states *out) CULL_MUST_CHECK;
void cull_states_free(cull_states *states);

// Rows [first, first + n) are not needed for a while.
void cull_states_leave(const cull_states *states, size_t first, size_t n);
// The first n rows of one into another.
void cull_states_copy(const cull_states *from, const cull_states *to, size_t n);

enum { CULL_STATES_AT_ONCE = 1 << 13 }; // rows, for walks over all of them

#endif
