// What a results folder was last asked, beside its trials: experiment.json.
//
// A trial's file is never changed, but the question and the baseline of an experiment may be edited
// when all is computed, and a trial asked for again after another of its name was made. Each run
// writes them anew; what reads results looks here first. What `precision: auto` came to stays as
// the first run that asked for it found it, lest a folder that moves to another processor mixes
// precisions.
#ifndef CULL_RECORD_FOLDER_FOLDER_NOTE_H
#define CULL_RECORD_FOLDER_FOLDER_NOTE_H

#include "base/context.h"

typedef struct cull_folder_note {
    const char *question;  // "" where there is none
    const char *baseline;  // NULL: dense
    const char *automatic; // the precision that `auto` has come to here; NULL: nobody has asked yet
    size_t n_trials;
    const char *const *trial; // (n_trials) ids of those that the last run asked for, ascending
} cull_folder_note;

cull_status cull_folder_note_write(cull_ctx *ctx, const char *folder,
                                   const cull_folder_note *note) CULL_MUST_CHECK;

// Of a folder that has none, or one that cannot be read: no question, NULL. Texts live in the alloc
// arena.
cull_folder_note cull_folder_note_read(cull_ctx *ctx, const char *folder);

#endif
