// The core's context: the services behind a cull_ctx, and the place where a failure is explained.
//
// Every function of the core that can fail takes a cull_ctx first and returns a cull_status; the
// sentence that explains a failure is kept here by value, so that running out of memory can be
// reported. A context belongs to one thread; only fail, log and extension may be called from
// others.
#ifndef CULL_BASE_CONTEXT_H
#define CULL_BASE_CONTEXT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cull/host.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/pool.h"

enum { CULL_SENTENCE = 1024, CULL_FRAMES = 6, CULL_FRAME = 200 };

typedef struct cull_error {
    cull_status status;
    char sentence[CULL_SENTENCE];
    size_t n_frames;
    char frame[CULL_FRAMES]
              [CULL_FRAME]; // "while reading stage 1 of method "stun"", innermost first
} cull_error;

typedef struct cull_file_seen { // a file that a plugin read
    const char *path;
    cull_key key;
    uint64_t bytes;
} cull_file_seen;

typedef struct cull_context {
    cull_ctx ctx; // first: a cull_ctx * is a cull_context *
    cull_arena *alloc, *scratch;
    cull_pool *pool;          // not owned; may be NULL: everything runs in place
    cull_log *log;            // not owned; may be NULL: silence
    struct cull_pages *pages; // of large pieces of cuts, not owned; NULL: they are in `alloc`
    cull_error error;
    size_t error_item; // the item of a parallel run that reported it; SIZE_MAX: none
    pthread_mutex_t lock;
    uint64_t seed;
    const char *owner;  // names the plugin in random streams and log lines; may be NULL
    bool (*stop)(void); // has the user asked to stop? may be NULL
    size_t n_files;
    cull_file_seen *files;                                // in the alloc arena
    bool in_progress;                                     // a plugin shows its own progress
    const void *(*extension)(cull_ctx *, const char *id); // may be NULL
    bool unsealed;            // may files of results be read that have no checksum?
    struct cull_ranks *ranks; // of a run of several processes (ranks/ranks.h); NULL: alone
    void *data;               // for whoever made the context
} cull_context;

static inline cull_context *cull_context_of(cull_ctx *ctx)
{
    return (cull_context *)ctx;
}

// The first report since the last clear is kept (under parallel: the lowest index's); returns
// `status`.
cull_status cull_fail(cull_ctx *ctx, cull_status status, const char *fmt, ...) CULL_PRINTF(3, 4);
cull_status cull_no_memory(cull_ctx *ctx); // the commonest failure, CULL_ENOMEM
// Add a "while …" frame on the way up; returns `status`, and does nothing when that is CULL_OK.
cull_status cull_while(cull_ctx *ctx, cull_status status, const char *fmt, ...) CULL_PRINTF(3, 4);
void cull_error_clear(cull_ctx *ctx);
void cull_error_copy(cull_ctx *to, const cull_ctx *from);
// "sentence\n   while …" into buf, always ended by a NUL.
void cull_error_text(const cull_error *error, char *buf, size_t size);

// Short hands over the context's arenas; NULL and a report when there is no memory.
void *cull_take(cull_ctx *ctx, size_t n, size_t size);    // alloc
void *cull_scratch(cull_ctx *ctx, size_t n, size_t size); // scratch

const char *cull_status_name(cull_status status);
const char *cull_status_text(cull_status status);
// Does the failure concern only what was tried, a plugin or a file? Interruptions and a lack of
// memory concern everything.
bool cull_own_failure(cull_status status);

#endif
