// Timing: repeated runs, their median and range.
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdlib.h>
#include <time.h>

enum { BENCH_RUNS = 7 };

typedef struct bench_times {
    size_t n;
    double s[BENCH_RUNS];
} bench_times;

typedef struct bench_summary {
    double median, low, high;
} bench_summary;

static inline double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// Processor seconds of all threads so far: steadier than the clock where the machine is shared.
static inline double bench_cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline int bench_by_size(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline bench_summary bench_sum_up(bench_times t) // t.n > 0
{
    qsort(t.s, t.n, sizeof *t.s, bench_by_size);
    const double middle = (t.s[(t.n - 1) / 2] + t.s[t.n / 2]) / 2;
    return (bench_summary){ middle, t.s[0], t.s[t.n - 1] };
}

#endif
