// Ranking numbers without sorting them.
#ifndef COMMON_RANK_H
#define COMMON_RANK_H

#include <stddef.h>

static inline float rank_median3(float x, float y, float z)
{
    const float small = x < y ? x : y;
    const float large = x < y ? y : x;
    return z < small ? small : z > large ? large : z;
}

// The number that would stand at place k (from 0) if a, of n > k numbers without NaN, were sorted;
// a is permuted. Hoare's selection as Wirth gives it.
static inline float rank_kth(float *a, size_t n, size_t k)
{
    const ptrdiff_t at = (ptrdiff_t)k;
    ptrdiff_t lo = 0;
    ptrdiff_t hi = (ptrdiff_t)n - 1;
    while (lo < hi) {
        const float pivot = rank_median3(a[lo], a[lo + (hi - lo) / 2], a[hi]);
        ptrdiff_t i = lo;
        ptrdiff_t j = hi;
        do {
            while (a[i] < pivot)
                i++;
            while (pivot < a[j])
                j--;
            if (i <= j) {
                const float t = a[i];
                a[i++] = a[j];
                a[j--] = t;
            }
        } while (i <= j);
        if (j < at)
            lo = i;
        if (at < i)
            hi = j;
    }
    return a[k];
}

#endif
