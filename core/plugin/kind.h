// The kinds of plugins: their words, and what each one's vtable must hold.
#ifndef CULL_PLUGIN_KIND_H
#define CULL_PLUGIN_KIND_H

#include "base/call.h"

bool cull_kind_of(const char *word, cull_kind *out);

size_t cull_kind_vtable_size(cull_kind kind); // as this Cull knows it
// The name of a callback that the kind cannot do without and this vtable (of our size) lacks, or
// NULL.
const char *cull_kind_lacks(cull_kind kind, const void *vtable);

#endif
