// The five kinds of plugin: names, sizes of vtables, callbacks that must be there.
#include "plugin/kind.h"

#include <string.h>

#include <cull/cull.h>

typedef struct callback {
    const char *name;
    size_t offset;
} callback;

#define NEEDS(T, f)                                                                                \
    {                                                                                              \
#        f, offsetof(T, f)                                                                         \
    }
#define NO_MORE_CALLBACKS()                                                                        \
    {                                                                                              \
        NULL, 0                                                                                    \
    }

static const callback backend_needs[] = {
    NEEDS(cull_backend, open),        NEEDS(cull_backend, close),  NEEDS(cull_backend, facts),
    NEEDS(cull_backend, layer_facts), NEEDS(cull_backend, matrix), NEEDS(cull_backend, embed),
    NEEDS(cull_backend, attend),      NEEDS(cull_backend, route),  NEEDS(cull_backend, expert),
    NEEDS(cull_backend, after),       NEEDS(cull_backend, norm),   NEEDS(cull_backend, encode),
    NEEDS(cull_backend, decode),      NO_MORE_CALLBACKS(),
};
static const callback data_needs[] = { NEEDS(cull_data, load), NO_MORE_CALLBACKS() };
static const callback criterion_needs[] = { NEEDS(cull_criterion, score), NO_MORE_CALLBACKS() };
static const callback weight_needs[] = { NEEDS(cull_criterion, score_weights),
                                         NO_MORE_CALLBACKS() };
static const callback strategy_needs[] = { NEEDS(cull_strategy, select), NO_MORE_CALLBACKS() };
static const callback metric_needs[] = { NEEDS(cull_metric, prepare), NEEDS(cull_metric, score),
                                         NO_MORE_CALLBACKS() };

static const struct {
    size_t vtable_size;
    const callback *needs;
} kinds[CULL_N_KINDS] = {
    [CULL_BACKEND] = { sizeof(cull_backend), backend_needs },
    [CULL_DATA] = { sizeof(cull_data), data_needs },
    [CULL_CRITERION] = { sizeof(cull_criterion), criterion_needs },
    [CULL_STRATEGY] = { sizeof(cull_strategy), strategy_needs },
    [CULL_METRIC] = { sizeof(cull_metric), metric_needs },
};

bool cull_kind_of(const char *word, cull_kind *out)
{
    for (int i = 0; i < CULL_N_KINDS; i++)
        if (strcmp(word, cull_kind_name((cull_kind)i)) == 0) {
            *out = (cull_kind)i;
            return true;
        }
    return false;
}

size_t cull_kind_vtable_size(cull_kind kind)
{
    return kinds[kind].vtable_size;
}

const char *cull_kind_lacks(cull_kind kind, const void *vtable)
{
    const callback *needs = kinds[kind].needs;
    void (*const none)(void) = NULL;

    if (kind == CULL_CRITERION && ((const cull_criterion *)vtable)->form == CULL_FORM_WEIGHT)
        needs = weight_needs;
    for (; needs->name; needs++)
        if (memcmp((const char *)vtable + needs->offset, &none, sizeof none) == 0)
            return needs->name;
    return NULL;
}
