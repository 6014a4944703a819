// What tasks ask, once for all trials of a folder: hashes and lengths, which are the same whatever
// was cut, in questions/<content>.h5. A trial's group links to them, so that they are read as its
// own.
#ifndef CULL_RECORD_QUESTIONS_H
#define CULL_RECORD_QUESTIONS_H

#include "record/trial_file.h"

enum { CULL_QUESTION_COLUMNS = 7 };

typedef struct cull_question_set { // of one group of a trial's file
    const char *group;             // "/eval/facts"
    const char *link;              // "../questions/….h5"; NULL: small, and left to the trial
    size_t n;
    const cull_column *column[CULL_QUESTION_COLUMNS];
} cull_question_set;

typedef struct cull_question_sets {
    size_t n;
    cull_question_set *at; // scratch arena
} cull_question_sets;

// Write `dir`/questions/…h5 for whatever n evaluations ask, where they are not there yet.
cull_status cull_questions_write(cull_ctx *ctx, const char *dir, size_t n,
                                 const cull_evaluation *evaluations,
                                 cull_question_sets *out) CULL_MUST_CHECK;

// The file, as seen from a trial's, that has a column of the group; NULL: it stands in the trial.
const char *cull_questions_link(const cull_question_sets *sets, const char *group,
                                const cull_column *column);

#endif
