// Whether a row's items are those that its value was made of.
#include <math.h>

#include "results/load.h"

bool cull_items_agree(const cull_row *row)
{
    const double ratio = cull_ratio(&row->items);
    const double value = row->law == CULL_LAW_EXP ? exp(ratio) : ratio;

    return fabs(value - row->value) <= 1e-6 * fmax(1, fabs(row->value)) ||
           (isinf(value) && isinf(row->value));
}
