// What a metric asks, checked before anything rests on it.
#ifndef CULL_PLUGIN_BORDER_REQUEST_H
#define CULL_PLUGIN_BORDER_REQUEST_H

#include <cull/cull.h>

// What is wrong with a metric's request, whatever the model, as the end of "it prepares …"; NULL:
// nothing.
const char *cull_request_fault(const cull_request *request);

#endif
