// Do the parts of an experiment fit each other? Asked before a model's weights are touched.
#ifndef CULL_PLAN_FIT_H
#define CULL_PLAN_FIT_H

#include "plan/plan.h"

// Forms of scores, statistics, allocations, shares: what the experiment alone tells.
void cull_fit_spec(const cull_spec *spec, cull_problems *problems);

// Layers, experts, experts per token: what a model's facts tell. frozen: (n_layers, L) the layers
// that may not be cut, by each choice of them.
void cull_fit_model(const cull_plan *plan, size_t model, const cull_model_facts *facts,
                    const cull_layer_facts *const *layer, const uint8_t *frozen,
                    cull_problems *problems);

// Why a layer may not be cut; anything but 0 says that it may not.
enum { CULL_EXCLUDED = 1, CULL_WITHOUT_EXPERTS = 2 };

// The layers of a model that may not be cut: the dense ones, and what `choice` says. false:
// problems.
bool cull_frozen_layers(const cull_layers_spec *choice, size_t L,
                        const cull_layer_facts *const *layer, uint8_t *frozen,
                        cull_problems *problems);

// The share of a stage where it is known before anything is computed; did a stage before it take
// experts?
double cull_nominal_share(const cull_plan *plan, const cull_step *step);
bool cull_experts_gone_before(const cull_plan *plan, const cull_step *step);

// Experts of layer l that a stage names as kept.
size_t cull_kept_of_layer(const cull_keep *keep, size_t l);

// The fewest experts that layer must keep so that every token still finds its K under `emits`.
size_t cull_least_experts(const cull_layer_facts *layer, uint32_t emits);

#endif
