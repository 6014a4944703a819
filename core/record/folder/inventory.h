// All that a results folder, or a cache, holds, file by file: what it is, how large, whether
// anything refers to it.
#ifndef CULL_RECORD_FOLDER_INVENTORY_H
#define CULL_RECORD_FOLDER_INVENTORY_H

#include "base/context.h"

typedef enum cull_kept_kind {
    CULL_KEPT_TRIAL,
    CULL_KEPT_EVALUATION, // that was added to a trial
    CULL_KEPT_CUT,
    CULL_KEPT_STEP,        // what a stage decided
    CULL_KEPT_CALIBRATION, // statistics
    CULL_KEPT_QUESTIONS,   // what tasks ask
    CULL_KEPT_LEFT,        // a temporary file of a dead process
    CULL_N_KEPT,
} cull_kept_kind;

typedef struct cull_kept {
    cull_kept_kind kind;
    const char *name; // below the folder: "trials/a.h5"
    uint64_t bytes;
    double changed; // seconds since 1970
    bool used; // a trial: always; a cut: a trial or a stage names it; a stage: its cut is there;
               // questions: a trial links to them
    bool old_name;        // a trial, and what was added to it: it is there under a later name too
    bool damaged;         // a trial that cannot be read
    const char *cut;      // of a trial or stage, below the folder; NULL: none
    size_t n_evaluations; // of a trial, with what was added
    size_t n_questions;
    const char *const *question; // (n_questions) of a trial, likewise, below the folder
} cull_kept;

typedef struct cull_inventory {
    size_t n;
    cull_kept *at; // by kind, then name; alloc arena
} cull_inventory;

// CULL_EUSAGE: it is neither a results folder nor a cache.
cull_status cull_inventory_make(cull_ctx *ctx, const char *folder,
                                cull_inventory *out) CULL_MUST_CHECK;

const char *cull_kept_word(cull_kept_kind kind); // "trial", …

// Remove the marked files, and write the index anew where trials go. *bytes: what is free again; a
// file that has other names frees nothing. dry: only count.
cull_status cull_inventory_remove(cull_ctx *ctx, const char *folder,
                                  const cull_inventory *inventory, const bool *marked, bool dry,
                                  double *bytes) CULL_MUST_CHECK;

#endif
