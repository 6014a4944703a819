// Orders of numbers, for sorting.
#include "base/order.h"

int cull_by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}
