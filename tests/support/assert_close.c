// Numbers compared within a tolerance; the worst one is told.
#include "support/assert_close.h"

#include <math.h>

#include "support/test.h"

double close_f32(const void *array, size_t i)
{
    return (double)((const float *)array)[i];
}

double close_f64(const void *array, size_t i)
{
    return ((const double *)array)[i];
}

// How far off an element is, in units of what is allowed: fine up to 1.
static double excess(double actual, double expected, double rtol, double atol)
{
    if (isnan(expected) || isinf(expected) || isnan(actual))
        return actual == expected || (isnan(actual) && isnan(expected)) ? 0 : INFINITY;

    const double off = fabs(actual - expected), allowed = atol + rtol * fabs(expected);
    return off == 0 ? 0 : allowed > 0 ? off / allowed : INFINITY;
}

void assert_close_at(close_get get_actual, const void *actual, close_get get_expected,
                     const void *expected, size_t n, double rtol, double atol, const char *what,
                     const char *file, int line)
{
    size_t worst = 0, wrong = 0;
    double most = -1;

    for (size_t i = 0; i < n; i++) {
        const double e = excess(get_actual(actual, i), get_expected(expected, i), rtol, atol);
        wrong += e > 1;
        if (e > most) {
            most = e;
            worst = i;
        }
    }
    if (!wrong)
        return;
    print_error("%s: %zu of %zu are off by more than %g relative + %g; worst is [%zu]: %.17g "
                "instead of %.17g\n",
                what, wrong, n, rtol, atol, worst, get_actual(actual, worst),
                get_expected(expected, worst));
    _fail(file, line);
}
