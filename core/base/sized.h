// Structs that a plugin fills, as this Cull knows them.
//
// They begin with their size (cull/abi.h). A plugin that was built earlier knows fewer fields, one
// that was built later more: what both know is copied, the rest is zero. Two statuses: CULL_EPLUGIN
// where a size is less than `least`, which no version ever had, or beyond all reason, and
// CULL_ENOMEM.
#ifndef CULL_BASE_SIZED_H
#define CULL_BASE_SIZED_H

#include <stddef.h>

#include "base/context.h"

// Bytes of T up to and with a field: what a version whose last field it was had.
#define CULL_UP_TO(T, field) (offsetof(T, field) + sizeof(((T *)0)->field))

// `from` into `to`, of `ours` bytes. what: for the sentence, "a model's facts".
cull_status cull_sized_copy(cull_ctx *ctx, const char *what, size_t least, const void *from,
                            size_t ours, void *to) CULL_MUST_CHECK;

// n structs, each of the first one's size, as an array of ours: `from` itself where the sizes
// agree, else a copy in the context's alloc arena.
cull_status cull_sized_array(cull_ctx *ctx, const char *what, size_t least, size_t n,
                             const void *from, size_t ours, const void **out) CULL_MUST_CHECK;

#endif
