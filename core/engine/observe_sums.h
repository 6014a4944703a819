// The two halves of observe.c: what is seen of each expert's rows, and of each token's.
#ifndef CULL_ENGINE_OBSERVE_SUMS_H
#define CULL_ENGINE_OBSERVE_SUMS_H

#include "engine/observe.h"

// ---- observe_experts.c: what is summed over an expert's rows ----

cull_status cull_experts_begin(cull_stats_pass *g, cull_layer_hooks *hooks) CULL_MUST_CHECK;
void cull_experts_finish(cull_stats_pass *g);
void cull_experts_leave(cull_stats_pass *g);
// Where the i-th of the layer's Hessians, (E, 2), is summed.
static inline double *cull_hessian_sums(const cull_stats_pass *g, size_t i)
{
    const size_t e = i / 2;

    return i % 2 ? g->u_hessian + e * g->F * g->F : g->x_hessian + e * g->D * g->D;
}

// ---- observe_rows.c: what is summed over all tokens ----

cull_status cull_rows_begin(cull_stats_pass *g, cull_layer_hooks *hooks) CULL_MUST_CHECK;
void cull_rows_finish(cull_stats_pass *g);
// Room for n more ratios.
cull_status cull_ratios_reserve(cull_stats_pass *g, size_t n) CULL_MUST_CHECK;
void cull_rows_leave(cull_stats_pass *g);

// ---- observers.c: the plugins' observers, whose accumulators stand one after the other ----

size_t cull_observers_doubles(const cull_stats_pass *g);
// acc: of observer i, among those that begin at `all`.
double *cull_observer_at(const cull_stats_pass *g, size_t i, double *all);
void cull_observers_merge(const cull_stats_pass *g, double *to, const double *from);
void cull_observers_total(const cull_stats_pass *g, const double *from);

#endif
