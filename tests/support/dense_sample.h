// The dense sample of an embedded model: all expert outputs of a layer on the rows of the golden
// subset search (tests/golden/methods/<name>/subsets.safetensors), computed here in float64 from
// the model's weights.
#ifndef CULL_TESTS_DENSE_SAMPLE_H
#define CULL_TESTS_DENSE_SAMPLE_H

#include "support/tinyworld.h"

// Lives as the host's alloc memory.
const cull_dense_sample *dense_sample_of(tinyworld *world, golden *subsets, size_t l);

#endif
