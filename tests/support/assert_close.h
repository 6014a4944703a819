// Arrays of numbers against a reference: |actual − expected| ≤ atol + rtol |expected| for every
// element, and NaN only where NaN is expected. A failure prints the worst index, both numbers and
// how many are off.
#ifndef CULL_TESTS_ASSERT_CLOSE_H
#define CULL_TESTS_ASSERT_CLOSE_H

#include <stddef.h>

#define assert_close(actual, expected, n, rtol, atol)                                              \
    assert_close_at(close_of(actual), (actual), close_of(expected), (expected), (n), (rtol),       \
                    (atol), #actual, __FILE__, __LINE__)

typedef double (*close_get)(const void *array, size_t i);
double close_f32(const void *array, size_t i);
double close_f64(const void *array, size_t i);

#define close_of(array)                                                                            \
    _Generic((array),                                                                              \
        float *: close_f32,                                                                        \
        const float *: close_f32,                                                                  \
        double *: close_f64,                                                                       \
        const double *: close_f64)

void assert_close_at(close_get get_actual, const void *actual, close_get get_expected,
                     const void *expected, size_t n, double rtol, double atol, const char *what,
                     const char *file, int line);

#endif
