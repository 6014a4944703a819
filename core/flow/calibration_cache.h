// What calibration has found, kept between runs.
//
// Statistics are in <folder>/calibration/<key>.<letters>.safetensors, the letters naming the groups
// in the file, and a criterion's own in <key of its own>.observer.safetensors.
#ifndef CULL_FLOW_CALIBRATION_CACHE_H
#define CULL_FLOW_CALIBRATION_CACHE_H

#include "flow/calibrate.h"

// Adds those of the wanted groups that files of the set hold. A damaged file is said, and its
// groups are gathered anew.
cull_status cull_cache_read(cull_ctx *ctx, const cull_calibrate_job *job, uint32_t wanted,
                            cull_stats_store *store) CULL_MUST_CHECK;
// Which groups the files of a set in folder/calibration hold, by their names.
cull_status cull_cache_groups(cull_ctx *ctx, const char *folder, const char *key,
                              uint32_t *groups) CULL_MUST_CHECK;
bool cull_cache_has_observer(cull_ctx *ctx, const char *folder, const char *key);
cull_status cull_cache_write(cull_ctx *ctx, const cull_calibrate_job *job, uint32_t groups,
                             const cull_stats_store *store) CULL_MUST_CHECK;

// The statistic of the set's observer i: acc[l] of as many doubles as it has in layer l.
cull_status cull_cache_read_observer(cull_ctx *ctx, const cull_calibrate_job *job, size_t i,
                                     double **acc, bool *found) CULL_MUST_CHECK;
cull_status cull_cache_write_observer(cull_ctx *ctx, const cull_calibrate_job *job, size_t i,
                                      double *const *acc) CULL_MUST_CHECK;

#endif
