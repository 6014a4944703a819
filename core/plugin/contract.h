// What plugins hand over and the core relies on, checked at the border.
#ifndef CULL_PLUGIN_CONTRACT_H
#define CULL_PLUGIN_CONTRACT_H

#include <cull/cull.h>

// What is wrong with a metric's request, whatever the model, as the end of "it prepares …"; NULL:
// nothing.
const char *cull_request_fault(const cull_request *request);

#endif
