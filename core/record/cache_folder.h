// Where calibrations, steps and cuts are kept: in a cache beside several folders of results, or in
// the results at hand.
#ifndef CULL_RECORD_CACHE_FOLDER_H
#define CULL_RECORD_CACHE_FOLDER_H

#include "base/context.h"

typedef struct cull_cache_folder {
    const char *path; // a cache, or `own`, as it is once the cache has failed
    const char *own;  // the results'
    bool faulty;      // trouble with the cache has been said
} cull_cache_folder;

// Is there no cache, or no longer one?
bool cull_cache_is_own(const cull_cache_folder *cache);

// A cache costs what it would have saved, and nothing else: a failure of its own is said, the first
// time, and becomes CULL_OK. Interruptions and a lack of memory stay what they are.
cull_status cull_cache_excuse(cull_ctx *ctx, cull_cache_folder *cache,
                              cull_status status) CULL_MUST_CHECK;
// The same of a folder that cannot be read or written: `own` serves from then on, and what failed
// is to be tried again there. A failure of `own` stays what it is.
cull_status cull_cache_give_up(cull_ctx *ctx, cull_cache_folder *cache,
                               cull_status status) CULL_MUST_CHECK;

// `call`, which works in `cache`; where that fails it, once more in `own`. Returns from the calling
// function with any other failure.
#define CULL_TRY_CACHE(ctx, cache, call)                                                           \
    do {                                                                                           \
        const cull_status in_cache_ = (call);                                                      \
        if (in_cache_ != CULL_OK) {                                                                \
            CULL_TRY(cull_cache_give_up(ctx, cache, in_cache_));                                   \
            CULL_TRY(call);                                                                        \
        }                                                                                          \
    } while (0)

#endif
