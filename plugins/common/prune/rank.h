// Ranking numbers without sorting them.
#ifndef COMMON_RANK_H
#define COMMON_RANK_H

#include <stddef.h>

// rank_kth(a, n, k): the number that would stand at place k (from 0) if a, of n > k numbers without
// NaN, were sorted; a is permuted. Hoare's selection as Wirth gives it, for float and double.
#define rank_kth(a, n, k)                                                                          \
    _Generic((a), float * : rank_kth_f32, double * : rank_kth_f64)((a), (n), (k))

#define RANK_MEDIAN3(x, y, z)                                                                      \
    ((x) < (y) ? ((y) < (z)   ? (y)                                                                \
                  : (x) < (z) ? (z)                                                                \
                              : (x))                                                               \
               : ((x) < (z)   ? (x)                                                                \
                  : (y) < (z) ? (z)                                                                \
                              : (y)))

#define RANK_DEFINE(name, T)                                                                       \
    static inline T name(T *a, size_t n, size_t k)                                                 \
    {                                                                                              \
        const ptrdiff_t at = (ptrdiff_t)k;                                                         \
        ptrdiff_t lo = 0;                                                                          \
        ptrdiff_t hi = (ptrdiff_t)n - 1;                                                           \
        while (lo < hi) {                                                                          \
            const ptrdiff_t mid = lo + (hi - lo) / 2;                                              \
            const T pivot = RANK_MEDIAN3(a[lo], a[mid], a[hi]);                                    \
            ptrdiff_t i = lo;                                                                      \
            ptrdiff_t j = hi;                                                                      \
            do {                                                                                   \
                while (a[i] < pivot)                                                               \
                    i++;                                                                           \
                while (pivot < a[j])                                                               \
                    j--;                                                                           \
                if (i <= j) {                                                                      \
                    const T swapped = a[i];                                                        \
                    a[i++] = a[j];                                                                 \
                    a[j--] = swapped;                                                              \
                }                                                                                  \
            } while (i <= j);                                                                      \
            if (j < at)                                                                            \
                lo = i;                                                                            \
            if (at < i)                                                                            \
                hi = j;                                                                            \
        }                                                                                          \
        return a[k];                                                                               \
    }

RANK_DEFINE(rank_kth_f32, float)
RANK_DEFINE(rank_kth_f64, double)

#endif
