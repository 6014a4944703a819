// May a search's fitness be measured on these requests?
#ifndef CULL_PLAN_SEARCH_DATA_H
#define CULL_PLAN_SEARCH_DATA_H

#include "plan/inputs.h"

// Token ids in a row that two texts do not share by chance.
enum { CULL_SHARED_RUN = 64 };

// CULL_EUSAGE, with its place: a request of a search's fitness and one of the experiment's metrics
// share CULL_SHARED_RUN successive ids, or are one and the same. What is found best on the data
// that then measures it looks better than it is.
cull_status cull_check_search_data(cull_ctx *ctx, const cull_spec *spec,
                                   const cull_prepared_model *prepared) CULL_MUST_CHECK;

#endif
