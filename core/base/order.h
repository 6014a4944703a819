// Orders of numbers.
#ifndef CULL_BASE_ORDER_H
#define CULL_BASE_ORDER_H

// Of two doubles, for qsort: ascending.
int cull_by_value(const void *a, const void *b);

#endif
