// Strategies that change the router's rule and nothing else. What they decide rests on the model's
// facts alone, so that planning makes the whole of it.
#ifndef COMMON_RULE_H
#define COMMON_RULE_H

#include <cull/strategy.h>

// A cull_strategy `name` of make(ctx, settings, view, budget, out); `check` is asked while
// planning, `picks` whether a budget of active parameters decides (picks_for), or NULL; `counted`
// is CULL_COUNTED or 0.
#define RULE_STRATEGY(name, make, check, picks, counted)                                           \
    static cull_status name##_select(cull_ctx *ctx, const void *settings, const cull_view *view,   \
                                     const cull_scores *scores, const cull_budget *budget,         \
                                     size_t layer, cull_cut *out)                                  \
    {                                                                                              \
        (void)scores, (void)layer;                                                                 \
        return make(ctx, settings, view, budget, out);                                             \
    }                                                                                              \
    static const cull_strategy name = {                                                            \
        .size = sizeof name,                                                                       \
        .accepts = CULL_FORM_NONE,                                                                 \
        .emits = CULL_EMITS_RULE,                                                                  \
        .flags = CULL_NO_BUDGET | (counted),                                                       \
        .select = name##_select,                                                                   \
        .fits = check,                                                                             \
        .picks_for = picks,                                                                        \
    }

#endif
