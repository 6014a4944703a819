// How many variants are evaluated in one pass over the weights: a wave. The rest wait for the next.
#ifndef CULL_PLAN_COST_WAVES_H
#define CULL_PLAN_COST_WAVES_H

#include <stddef.h>
#include <stdint.h>

// requests: of one variant. seconds: that one dense evaluation takes, 0: not known. memory:
// --memory, 0: none. At least 1.
size_t cull_wave_variants(size_t requests, double seconds, uint64_t memory);

#endif
