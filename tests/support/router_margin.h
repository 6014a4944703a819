// How near a variant's routers come to choosing other experts: where a comparison may be excused.
#ifndef CULL_TESTS_ROUTER_MARGIN_H
#define CULL_TESTS_ROUTER_MARGIN_H

#include "engine/engine.h"
#include "support/fake_host.h"

typedef struct router_margin {
    double margin; // between the last expert chosen and the first one not, of the logits' spread
    size_t layer, token, chosen, other;
} router_margin;

// The least one of n ids under a cut (NULL: dense). Routers that choose by their logits alone;
// dropped experts are none.
router_margin least_router_margin(fake_host *host, const cull_open_model *m, const cull_cut *cut,
                                  size_t n, const int32_t *ids);

#endif
