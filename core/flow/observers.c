// The accumulators of criteria with a statistic of their own.
#include "flow/observers.h"

#include "base/call.h"

static cull_status make_observer(cull_ctx *ctx, const cull_prepared_model *s, cull_observer_use *o)
{
    const size_t L = s->opened.facts->L;
    size_t *n = cull_take(ctx, L, sizeof *n);

    o->acc = cull_take(ctx, L, sizeof *o->acc);
    o->n = n;
    if (!n || !o->acc)
        return CULL_ENOMEM;
    for (size_t l = 0; l < L; l++) {
        cull_call_enter(o->plugin, "doubles", l);
        n[l] = o->observer->doubles(o->settings, s->layer[l]);
        cull_call_leave();
        if (n[l] < SIZE_MAX / sizeof(double) / 2)
            o->acc[l] = cull_arena_alloc(cull_context_of(ctx)->alloc, n[l] + 1, sizeof **o->acc);
        if (!o->acc[l])
            return cull_fail(ctx, CULL_ENOMEM,
                             "out of memory: criterion %s wants %zu numbers for its own statistic "
                             "of layer %zu",
                             o->plugin->name, n[l], l);
    }
    return CULL_OK;
}

cull_status cull_observers_make(cull_ctx *ctx, const cull_prepared_model *prepared,
                                const cull_calibration_set *set, size_t *n,
                                cull_observer_use **observers)
{
    *n = set->n_observers;
    *observers = cull_take(ctx, *n + 1, sizeof **observers);
    for (size_t i = 0; *observers && i < *n; i++) {
        const cull_use *use = set->observers[i];
        (*observers)[i] = (cull_observer_use){
            .plugin = use->plugin,
            .observer = ((const cull_criterion *)use->plugin->vtable)->observer,
            .settings = use->settings,
        };
        CULL_TRY(make_observer(ctx, prepared, &(*observers)[i]));
    }
    return *observers ? CULL_OK : CULL_ENOMEM;
}
