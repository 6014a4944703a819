// Memory that need not stay: in files without a name, of which only the pages in hand are resident.
//
// Invariants: every piece is zeroed and begins a page; pieces never move; they go all together. A
// forked child takes no pieces of its parent's, since both would be given the same ones: it makes
// its own. One thread at a time, but for cull_pages_leave.
#ifndef CULL_BASE_PAGES_H
#define CULL_BASE_PAGES_H

#include "base/context.h"

typedef struct cull_pages cull_pages;

// The files' folder must outlive it. NULL: no memory.
cull_pages *cull_pages_new(const char *folder);
void cull_pages_free(cull_pages *pages); // NULL is fine

// Room on the disk is taken at once, since a full one would show later as a bus error. NULL,
// reported, when there is none; what: what does not fit, for the sentence.
void *cull_pages_take(cull_ctx *ctx, cull_pages *pages, size_t bytes, const char *what);

// These bytes of a piece are not needed for a while: they are the file's, and come back when they
// are touched. [any]
void cull_pages_leave(const void *at, size_t bytes);

// One such file, whole, for munmap.
cull_status cull_map_nameless(cull_ctx *ctx, const char *folder, size_t bytes, const char *what,
                              void **at) CULL_MUST_CHECK;

#endif
