// Which `keep` of n candidates to keep, so that a loss of the kept set is least.
#ifndef COMBINATORIAL_SEARCH_H
#define COMBINATORIAL_SEARCH_H

#include <cull/cull.h>

// Sets are bit strings over the E experts of a layer, `words` 64-bit words each.
typedef struct search {
    cull_ctx *ctx;
    const cull_subset_loss *loss;
    size_t words;
    size_t n;                // candidates
    const size_t *candidate; // (n) their experts, ascending
    const uint64_t *always;  // (words) what is kept in any case
    size_t keep;             // of the candidates
} search;

typedef struct found {
    uint64_t *set; // (words), the caller's
    double loss;
    double evaluated; // sets
} found;

// C(n, r) as a double: exact below 2^53.
double subsets_of(size_t n, size_t r);

// All C(n, keep) sets in lexicographic order of the kept; the first of the smallest losses wins.
cull_status search_exact(const search *s, found *out);

// From all candidates down to `keep`, one removal at a time: of the `width` best sets of a size all
// sets with one expert less, of which the `width` best go on; ties go to the better parent, then
// the lower index. Width 1 is greedy removal. Then up to `swaps` times the best exchange of a kept
// and a dropped candidate, while that helps.
cull_status search_beam(const search *s, size_t width, size_t swaps, found *out);

// ---- sets ----

static inline bool set_has(const uint64_t *set, size_t e)
{
    return (set[e / 64] >> (e % 64)) & 1;
}
static inline void set_add(uint64_t *set, size_t e)
{
    set[e / 64] |= (uint64_t)1 << (e % 64);
}
static inline void set_remove(uint64_t *set, size_t e)
{
    set[e / 64] &= ~((uint64_t)1 << (e % 64));
}
static inline void set_copy(const search *s, uint64_t *to, const uint64_t *from)
{
    for (size_t w = 0; w < s->words; w++)
        to[w] = from[w];
}

// Losses of n sets, checked. ENUMERIC: one is not finite. ECANCELED: the user wants to stop.
cull_status search_eval(const search *s, size_t n, const uint64_t *sets, double *loss);

#endif
