// Whole numbers out of shares of something.
#ifndef CULL_BASE_WHOLE_H
#define CULL_BASE_WHOLE_H

#include <math.h>
#include <stddef.h>

// floor(x), forgiving what binary fractions lose: 0.29 of 100 is 29.
static inline double cull_whole(double x)
{
    return floor(x + 1e-9);
}

static inline size_t cull_whole_share(double share, size_t n)
{
    return (size_t)cull_whole(share * (double)n);
}

#endif
