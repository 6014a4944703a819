// A search over counts per layer, as an experiment asks for it.
//
//   allocations: [ { search: { fitness: overlap, on: { divergence: { files: …, length: 256 } } } }
//   ] allocations: [ { like: METHOD, search: { … } } ]
#ifndef CULL_SPEC_SEARCH_H
#define CULL_SPEC_SEARCH_H

#include "spec/spec.h"

enum { CULL_SEARCH_EVOLUTION, CULL_SEARCH_GREEDY, CULL_SEARCH_SENSITIVITY };

typedef struct cull_search_settings {
    int64_t by; // CULL_SEARCH_*
    int64_t population, generations, survivors, moves, experts;
    const char *fitness; // the value of the metric that is to be best
    const char *name;    // in the allocation's label; NULL: none
} cull_search_settings;

struct cull_search {
    cull_place place;
    const cull_search_settings *settings;
    cull_use metric; // what fitness is measured with, on data of its own
    size_t at;       // where the metric stands in spec->metrics: beyond n_metrics
};

// Does it draw random numbers?
static inline bool cull_search_draws(const cull_search *search)
{
    return search->settings->by != CULL_SEARCH_SENSITIVITY;
}

// The settings' table, for keys.
extern const cull_plugin cull_search_table;

// {"by":…,…,"on":{METRIC:{…}}}, defaults included.
void cull_search_json(const cull_search *search, cull_buf *out);

#endif
