// Results folders as one table in memory: trials, and a row for every value that a metric reported,
// with the outcomes per item behind it.
//
// What may be compared is decided here. Rows are of one column when task, metric and filter agree;
// all rows of a column must have been measured in one way: precision, protocol, length, request
// hashes and whatever else the metric noted (its conditions). Everything lives in the context's
// alloc arena.
#ifndef CULL_RESULTS_FRAME_H
#define CULL_RESULTS_FRAME_H

#include "base/context.h"
#include "base/text.h"
#include "plan/settings.h"
#include "record/h5/h5.h"
#include "statistics/stats.h"

// What sets trials of one method and sparsity apart besides their seeds: values, "" where a trial
// has none (dense, a rule at run time), a column of tables each.
enum { CULL_AXIS_ALLOCATION, CULL_AXIS_CALIBRATION, CULL_AXIS_LAYERS, CULL_AXES_NAMED };

typedef struct cull_frame_trial {
    const char *path, *folder, *id;
    const char *model, *method, *precision, *fingerprint, *finished;
    const char **axis;          // (n_axes)
    const char *recipe;         // what made its cut, whatever the seed
    cull_named_values settings; // the same, name by name
    const char *weights;        // the model that was run; `model` is whose table it is in
    double sparsity;            // NaN: none
    double achieved, achieved_all, active; // fractions of parameters removed; active: per token
    double seed;                           // NaN: none
    double finished_s;                     // seconds since 1970; NaN: from before it was recorded
    double numerics; // revision of the numbers; NaN: from before it was recorded
    double kept_all, kept_active, checkpoint_bytes, wall_s, calibrate_s, flops;
    bool asked; // for by the last run of its folder
    bool dense;
    bool checkpoint; // evaluated as it is, and set beside others: see cull_frame_load
    size_t cell;     // trials that differ only in their seed share a cell
} cull_frame_trial;

// How a row's value follows from its items: Σa/Σb, or a function of it.
enum cull_law {
    CULL_LAW_NONE, // the items are not there, or do not give the value
    CULL_LAW_MEAN, // Σa/n
    CULL_LAW_EXP,  // exp(Σa/Σb): perplexities
    CULL_LAW_RATE, // Σa/Σb: bits per byte
};

typedef struct cull_row {
    size_t trial;
    const char *task, *metric, *filter;
    double value, error; // error: as the metric reports it, NaN: none
    size_t n;
    bool higher_is_better;
    const char *plugin, *conditions; // conditions: "key=value\n…", sorted
    const char *settings;            // of the metric, as JSON
    cull_named_values how;           // the same, name by name
    const char *evaluation;          // key of what the metric was asked
    const char *file, *group;        // where the outcomes are
    enum cull_law law;
    bool group_of_tasks; // the items are those of other rows of its trial
    cull_items items;
    const char *const *hash; // (n) of the documents, or NULL
    size_t column;
} cull_row;

typedef struct cull_column_of { // a task and a metric of it
    const char *task, *metric, *filter;
    const char
        *label; // the metric's name; with what sets it apart where one trial has two of a name
    const char *plugin;
    bool higher_is_better;
    bool group_of_tasks;
    enum cull_law law;      // of its rows; NONE if any of them lacks its items
    const char *conditions; // of its first row
} cull_column_of;

typedef struct cull_frame_cell { // one method at one sparsity and one value of each axis
    const char *model, *method;
    const char *const *axis; // (n_axes)
    double sparsity;
    bool dense, checkpoint;
    size_t n_trials, first; // trials of the cell, by seed: order[first …]
} cull_frame_cell;

typedef struct cull_frame {
    size_t n_trials, n_rows, n_columns, n_cells, n_axes;
    const char **axis; // (n_axes) their names
    cull_frame_trial *trial;
    cull_row *row;
    cull_column_of *column;
    cull_frame_cell *cell;
    size_t *order;       // trials, by cell and seed
    const cull_row **at; // (n_trials, n_columns), NULL where a trial has no such value
    cull_draws *draws;   // what bootstraps over its items share, or NULL
} cull_frame;

// Which trials and values to load: all of n conditions (base/filter.h) hold. A key is a column
// (model, method, sparsity, allocation, calibration, layers, seed, folder, trial; task, metric,
// filter; evaluation), a condition of measurement (precision, protocol, length, …), or a setting
// (criterion, strategy, lowest.action, rows_per_file, …) of the trial or else of the metric. Dense
// trials need none of what makes a cut; what has no value of a column or condition is kept, what
// lacks a setting is not.
typedef struct cull_conditions {
    size_t n;
    const char *const *at;
} cull_conditions;

// Load the trials of the folders (results folders, their trials/, or a trial's file). A trial that
// is met twice counts once, with what either folder measured; of several with the same model,
// method, sparsity, axes and seed in one folder the last is taken, and of those that differ in more
// than their seed those of the last one's recipe, with a warning; across folders what differs, or
// else the folder, becomes an axis.
//
// What a trial is compared to is its model's dense trial. A checkpoint that a folder evaluates as
// it is (`cull eval`) is no variant that Cull made: it becomes a row of the first model's table,
// under its own name, and so does the dense trial of that model where all are such. Models of one
// name and different weights get the folders' names.
//
// CULL_EUSAGE: a folder without trials, a key or a value that nothing has, nothing left. where:
// NULL: all.
cull_status cull_frame_load(cull_ctx *ctx, size_t n, const char *const *folders,
                            const cull_conditions *where, cull_frame *out) CULL_MUST_CHECK;

// Read of a trial's file what loading it reads, and forget it (record/folder/index.h).
cull_status cull_frame_read_file(cull_ctx *ctx, cull_h5_in *file) CULL_MUST_CHECK;

// Check that every column was measured in one way: CULL_EUSAGE, naming what differs and where.
cull_status cull_frame_check(cull_ctx *ctx, const cull_frame *frame) CULL_MUST_CHECK;

// The line "key=…" of a row's conditions, its length in *n; NULL: none.
const char *cull_condition(const char *conditions, const char *key, size_t *n);
// Does the line "tasks=…", names with a blank between, of a sum over tasks name this one?
bool cull_averages(const char *conditions, const char *task);

// Of one task, metric and filter?
bool cull_same_column(const cull_row *a, const cull_row *b);

// Do the cells of a model (NULL: of all) have several values of the axis, or, at_least 1, any?
bool cull_axis_varies(const cull_frame *frame, const char *model, size_t axis, size_t at_least);
// The mean over a cell's seeds of a number of its trials.
double cull_cell_mean(const cull_frame *frame, const cull_frame_cell *cell,
                      double (*of)(const cull_frame_trial *));
// Are two trials' axes the same; and which comes first, as strcmp says it?
bool cull_same_axes(const cull_frame *frame, const char *const *a, const char *const *b);
int cull_axes_order(const cull_frame *frame, const char *const *a, const char *const *b);

// ", global, wiki, rows_per_file=4": a cell's values of the axes that vary in the frame.
void cull_put_axes(const cull_frame *frame, size_t cell, cull_buf *out);

// The row of a trial and column, or NULL.
static inline const cull_row *cull_frame_row(const cull_frame *frame, size_t trial, size_t column)
{
    return frame->at[trial * frame->n_columns + column];
}
// Is the cell the first one of its model? Cells of a model need not follow each other.
bool cull_first_of_model(const cull_frame *frame, size_t cell);
// The dense cell of a model, SIZE_MAX: none.
size_t cull_frame_dense(const cull_frame *frame, const char *model);

#endif
