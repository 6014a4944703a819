// Subsets of up to 64 experts, as one word each.
#ifndef CULL_TESTS_SUBSETS_H
#define CULL_TESTS_SUBSETS_H

#include "support/fake_host.h"

// All C(E, r) sets of r of E in lexicographic order of their members, the order of the golden
// losses; in the host's memory.
const uint64_t *subsets_all(fake_host *host, size_t E, size_t r, size_t *n);

// How many members a set has.
size_t subsets_count(uint64_t set);

#endif
