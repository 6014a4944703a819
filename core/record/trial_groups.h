// The parts of a trial's file, one function a group; for record/trial_*.c alone.
#ifndef CULL_RECORD_TRIAL_GROUPS_H
#define CULL_RECORD_TRIAL_GROUPS_H

#include "record/h5/h5.h"
#include "record/questions.h"
#include "record/trial_file.h"

enum { CULL_TRIAL_SCHEMA = 1, CULL_TIME = 32 };

void cull_utc(double seconds, char text[CULL_TIME]); // "2026-11-22T16:00:00Z"; "" for 0

void cull_put_provenance(cull_h5 *file, const cull_provenance *provenance);
void cull_put_layers(cull_h5 *file, const cull_trial *trial);  // per layer
void cull_put_experts(cull_h5 *file, const cull_trial *trial); // per layer and expert
void cull_put_searches(cull_h5 *file, size_t n, const cull_search_found *searches);
void cull_put_evaluations(cull_h5 *file, size_t n, const cull_evaluation *evaluations,
                          const cull_question_sets *questions);

// A metric's column as an array.
cull_h5_array cull_column_array(const cull_column *column);
// The group of a task of evaluation i: "/eval/" and the task's name, with the metric's and a number
// behind it where the columns of an earlier evaluation are in the way. NULL: no memory.
const char *cull_evaluation_group(cull_arena *arena, const cull_evaluation *all, size_t i,
                                  const char *task);

// The file `from`, a trial or what was added to one, as dir/trials/<slug>-<id><ending> under these
// names. renamed_from: the file of this folder that it is a copy of, without ending; "": of none.
cull_status cull_trial_file_as(cull_ctx *ctx, const char *from, const char *dir, const char *ending,
                               const cull_trial_axes *axes, const char *id,
                               const char *renamed_from) CULL_MUST_CHECK;

#endif
