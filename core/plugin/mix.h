// Rows of several readers, mixed by shares of their tokens: the core's own data reader, whose
// settings hold other readers.
#ifndef CULL_PLUGIN_MIX_H
#define CULL_PLUGIN_MIX_H

#include <cull/cull.h>

#include "base/context.h"

typedef struct cull_mix_part {
    const cull_plugin *plugin; // a data reader
    const void *settings;
    double share; // of the mix's tokens
} cull_mix_part;

typedef struct cull_mix { // the settings
    int64_t tokens;       // of the whole mix; 0: as many as the shares and what there is allow
    const char *of;       // the parts as JSON, for records and to tell mixes apart
    size_t n;
    const cull_mix_part *part; // (n)
} cull_mix;

extern const cull_plugin cull_mix_plugin; // "mix"

#endif
