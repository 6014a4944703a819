// What calibration gathered of one layer.
#ifndef COMMON_STATS_H
#define COMMON_STATS_H

#include <cull/view.h>

// NULL: nothing, because the stage needs nothing.
static inline const cull_layer_stats *stats_of_layer(const cull_view *view, size_t l)
{
    const cull_stats *s = view->stats;

    return s && s->layer && l < s->L ? cull_stats_layer(s, l) : NULL;
}

#endif
