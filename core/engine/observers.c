// The accumulators of plugins' observers: where they stand, and how they are merged.
#include "base/call.h"
#include "engine/observe_sums.h"

static size_t observer_doubles(const cull_stats_pass *g, size_t i)
{
    const cull_observer_use *use = g->cal->observers + i;

    return use->n[g->l];
}

size_t cull_observers_doubles(const cull_stats_pass *g)
{
    size_t n = 0;

    for (size_t i = 0; i < g->cal->n_observers; i++)
        n += observer_doubles(g, i);
    return n;
}

double *cull_observer_at(const cull_stats_pass *g, size_t i, double *all)
{
    for (size_t j = 0; j < i; j++)
        all += observer_doubles(g, j);
    return all;
}

static void merge_observer(const cull_stats_pass *g, size_t i, double *to, const double *from)
{
    const cull_observer_use *use = g->cal->observers + i;
    const size_t n = observer_doubles(g, i);

    if (use->observer->merge) {
        cull_call_enter(use->plugin, "merge", g->l);
        use->observer->merge(use->settings, cull_layer_of(g->run->m, g->l), to, from);
        cull_call_leave();
        return;
    }
    for (size_t j = 0; j < n; j++)
        to[j] += from[j];
}

void cull_observers_merge(const cull_stats_pass *g, double *to, const double *from)
{
    for (size_t i = 0; i < g->cal->n_observers; i++) {
        const size_t n = observer_doubles(g, i);
        merge_observer(g, i, to, from);
        to += n;
        from += n;
    }
}

void cull_observers_total(const cull_stats_pass *g, const double *from)
{
    for (size_t i = 0; i < g->cal->n_observers; i++) {
        merge_observer(g, i, g->cal->observers[i].acc[g->l], from);
        from += observer_doubles(g, i);
    }
}
