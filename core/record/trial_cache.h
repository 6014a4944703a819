// A cache's trials: what one folder of results has computed serves the others.
//
// A cache is a folder of its own, marked by a CACHEDIR.TAG (bford.info/cachedir): trials/, cuts/,
// questions/ as in results, every file under the name that its content or its trial's id gives it.
// Files are the same ones as in the results where the file system has links, and copies elsewhere.
#ifndef CULL_RECORD_TRIAL_CACHE_H
#define CULL_RECORD_TRIAL_CACHE_H

#include "record/trial_file.h"

// Is the folder marked, and no experiment has its results in it?
bool cull_is_cache(cull_ctx *ctx, const char *folder);
// Mark it, unless it holds results.
cull_status cull_cache_mark(cull_ctx *ctx, const char *folder) CULL_MUST_CHECK;

// The trial that folder `from` has recorded, and those of n evaluations that were added to it, also
// in `to`, with its cut (a file below the folder; NULL: it has none) and with whatever the folder
// asks.
cull_status cull_trial_put(cull_ctx *ctx, const char *from, const char *to,
                           const cull_trial_axes *axes, const char *id, const char *cut, size_t n,
                           const char *const *evaluation) CULL_MUST_CHECK;

// Does a trial of the cache serve who wants these evaluations? Only where what they ask is there,
// and for who has none of it (not `recorded`) its main file holds nothing else, and its cut is
// there.
bool cull_trial_serves(cull_ctx *ctx, const char *cache, const cull_stored_trial *trial, size_t n,
                       const char *const *evaluation, bool recorded);
// Does it then give this one? recorded: only what was added to it can be had.
bool cull_trial_gives(const cull_stored_trial *trial, const char *evaluation, bool recorded);
// The other way round, under these names: of `trial` in `from` what `evaluation` names. recorded:
// `to` has the main file already, and what was added to it alone is wanted. *any: something came.
cull_status cull_trial_take(cull_ctx *ctx, const char *from, const char *to,
                            const cull_stored_trial *trial, const cull_trial_axes *axes,
                            const char *id, size_t n, const char *const *evaluation, bool recorded,
                            bool *any) CULL_MUST_CHECK;

#endif
