// Steps of loading a frame; for results/ alone.
#ifndef CULL_RESULTS_LOAD_H
#define CULL_RESULTS_LOAD_H

#include "record/h5/h5.h"
#include "results/frame.h"

typedef struct shared_texts { // a column that the trials of a folder link to, read once
    const char *file, *object;
    size_t n;
    const char *const *text; // (n) NULL: it cannot be read
    struct shared_texts *next;
} shared_texts;

typedef struct loading {
    cull_ctx *ctx;
    cull_frame *frame;
    size_t room_trials, room_rows;
    shared_texts *shared; // alloc arena
    bool own_alone;       // what is in other files is left out
} loading;

cull_status loading_add_trial(loading *in, const cull_frame_trial *trial) CULL_MUST_CHECK;
cull_status loading_add_row(loading *in, const cull_row *row) CULL_MUST_CHECK;

// What made the trial's cut, whatever its seed, into its recipe and settings.
cull_status cull_read_recipe(cull_ctx *ctx, cull_h5_in *file,
                             cull_frame_trial *trial) CULL_MUST_CHECK;

// A name of others' making, as pages, tables and terminals may show it: the text itself where it
// has no control characters; NULL: no memory, reported.
const char *cull_visible_name(cull_ctx *ctx, const char *text) CULL_MUST_CHECK;

// The rows of a file's /metrics, with their items.
cull_status cull_load_rows(loading *in, cull_h5_in *file, const char *path,
                           size_t trial) CULL_MUST_CHECK;

// Give the rows of groups, from `first` on all of one file, the items of their tasks.
cull_status cull_load_groups(loading *in, size_t first) CULL_MUST_CHECK;
// Do the items give the value that the metric reported?
bool cull_items_agree(const cull_row *row);

// Leave out what does not meet the conditions.
cull_status cull_frame_filter(cull_ctx *ctx, const cull_conditions *where,
                              cull_frame *frame) CULL_MUST_CHECK;

// Of one method, sparsity and value of each axis; and of one seed and precision, too.
bool cull_same_cell(const cull_frame *f, const cull_frame_trial *a, const cull_frame_trial *b);
bool cull_same_name(const cull_frame *f, const cull_frame_trial *a, const cull_frame_trial *b);

// The folder of a trial as tables name it: its last part, or all of it where two end alike.
const char *cull_folder_shown(const cull_frame *f, size_t trial);

// Tell folders apart, and let checkpoints that were evaluated as they are be rows of one table.
cull_status cull_frame_name(cull_ctx *ctx, cull_frame *frame) CULL_MUST_CHECK;

// Drop superseded trials, tell folders apart, and find columns and cells.
cull_status cull_frame_arrange(cull_ctx *ctx, cull_frame *frame) CULL_MUST_CHECK;

#endif
