// What a finished trial leaves behind: one HDF5 file per trial (format: results/README.md).
//
// A results folder holds trials/<slug>-<id>.h5, cuts/<content>.safetensors, what leads to them
// (calibration/, steps/) and a derived index.h5. A final name means complete: files are written
// under .tmp.<host>.<pid>.…, synced and renamed, and never opened for writing again. A metric that
// is added later goes into a sibling <slug>-<id>.eval-<key>.h5.
//
// Strings are UTF-8; NULL is stored as "". Everything here is borrowed for the call. Any thread,
// but one at a time: HDF5 has one global lock.
#ifndef CULL_RECORD_TRIAL_FILE_H
#define CULL_RECORD_TRIAL_FILE_H

#include <cull/cull.h>

#include "base/context.h"
#include "plugin/border/collector.h"

// ---- a trial ----

typedef struct cull_trial_axes { // the cell of the grid; what tables are grouped by
    const char *model,
        *method; // their names in the experiment; the method of the base model is "dense"
    const char *allocation;           // NULL: none (dense, runtime rules)
    const char *calibration, *layers; // names of alternatives; NULL: there are none, or dense
    double sparsity;                  // requested; NaN: none
    bool seeded;                      // false: nothing in the trial depends on the seed
    uint64_t seed;
    const char *precision; // "f32", …
    unsigned numerics;     // revision of the engine's numbers
} cull_trial_axes;

typedef struct cull_plugin_used {
    const char *kind, *name, *version;
    const char *path, *hash; // of its shared object
    const char *settings;    // JSON, defaults included
    const char *cite;        // as the plugin gives it
} cull_plugin_used;

typedef struct cull_seed_used {
    const char *name; // of the stream
    uint64_t value;
} cull_seed_used;

typedef struct cull_name_key { // a file that was read
    const char *name, *key;
    uint64_t bytes;
} cull_name_key;

typedef struct cull_provenance {
    const char *config_yaml;     // the experiment, byte by byte
    const char *config_resolved; // JSON: this trial's settings, defaults included
    size_t argc;
    const char *const *argv;
    // the next ones are filled by cull_provenance_here
    const char *git_commit, *compiler, *flags, *binary_hash, *host, *cpu, *kernels;
    bool git_dirty;
    uint64_t ram_bytes;
    size_t threads;
    size_t n_plugins, n_seeds, n_files;
    const cull_plugin_used *plugins;
    const cull_seed_used *seeds;
    const cull_name_key *files; // data, requests: whatever plugins read
} cull_provenance;

typedef struct cull_expert_score { // one criterion's scores, one of the two arrays
    const char *criterion;         // label: its name; stages that share one say "wanda.2"
    const double *const *expert;   // [l] → (E_l), NULL in dense layers
    const double *layer;           // (L)
} cull_expert_score;

// Fractions of parameters that the cut removes or zeroes.
typedef struct cull_cut_summary {
    double requested;   // of routed-expert parameters; NaN: no sparsity axis
    double expert, all; // achieved: of routed-expert, of all parameters
    double active;      // achieved: of the parameters active per token
    uint64_t kept_expert, kept_all;
    double kept_active; // parameters active per token, mean over calibration tokens
    bool exportable;    // as a checkpoint of the same architecture
    uint64_t bytes;     // of the weights of an export; 0: it would be refused
    const char *file;   // of the cut, relative to the results folder; NULL: none
} cull_cut_summary;

typedef struct cull_phase { // a timed part of the work
    const char *name;       // "calibrate", "search", "score", "select", "count", "evaluate"
    double wall_s, cpu_s;   // this trial's share
    uint64_t peak_rss_bytes, tokens;
    double flops;          // multiply-adds × 2, this trial's share
    uint64_t weight_bytes; // stored weight bytes read, this trial's share
} cull_phase;

typedef struct cull_evaluation { // what one metric found
    const char *metric;          // the plugin's name
    const char *key;             // identity of the evaluation, 32 hex digits
    const char *settings;        // JSON
    const cull_collector *found;
} cull_evaluation;

typedef struct cull_search_found { // a search whose counts a stage took
    const char *settings;          // JSON, the metric's too
    const char *fitness;           // the value's name
    size_t n, L;                   // candidates in the order in which they were scored
    const size_t *gone;            // (n, L) experts that went of each layer
    const double *score;           // (n) the value, or minus it where less is better; NaN: none
    const size_t *generation;      // (n)
} cull_search_found;

typedef struct cull_trial {
    const char *id;              // 32 hex digits: the cut on its model; names the file
    const char *calibration_key; // NULL: the trial needs none
    cull_trial_axes axes;
    cull_provenance provenance;

    size_t f32_matrices; // that bf16x2 multiplied as float32; 0 in other precisions
    const cull_model_facts *model;
    const cull_layer_facts *const *layer; // [l], l < model->L
    size_t n_notes;
    const char *const *notes; // what is left out of the checkpoint, a sentence each

    const char *calibration;                // JSON: the reader and its settings; NULL: none
    const cull_sequences *calibration_rows; // may be NULL
    const cull_stats *stats;                // may be NULL; of ROUTING to OUTPUT_MOMENTS
                                            // what is there is stored

    size_t n_scores;
    const cull_expert_score *scores;
    const cull_cut *cut; // NULL: dense
    cull_cut_summary summary;
    size_t n_searches;
    const cull_search_found *searches; // in the order of the stages

    size_t n_evaluations, n_phases;
    const cull_evaluation *evaluations;
    const cull_phase *phases;
    double started, finished; // seconds since 1970
} cull_trial;

// Compiler, flags, commit, host, CPU, memory, and the running program's hash; texts in the alloc
// arena.
cull_status cull_provenance_here(cull_ctx *, cull_provenance *out) CULL_MUST_CHECK;

// "<model>-<method>-s0.50-<allocation>-<calibration>-<layers>-seed1", lower case letters, digits,
// '.', '_' and '-' only, in the alloc arena; NULL: no memory, reported. Two trials with one slug
// differ in their id.
const char *cull_trial_slug(cull_ctx *, const cull_trial_axes *axes);

// "trials/<slug>-<first 16 digits of id>.h5", below the results folder.
const char *cull_trial_name(cull_ctx *, const cull_trial_axes *axes, const char *id);

// "trials/<slug>-<id>.eval-<first 16 digits of key>.h5", of an evaluation that was added.
const char *cull_trial_added_name(cull_ctx *, const cull_trial_axes *axes, const char *id,
                                  const char *key);

// Write `dir`/trials/…h5 (folders are made). Replaces a file of the same name as a whole.
cull_status cull_trial_write(cull_ctx *, const char *dir, const cull_trial *trial) CULL_MUST_CHECK;

// Write the evaluations that were added to a finished trial as its sibling(s), one file per
// evaluation. What does not concern evaluation (stats, scores, calibration rows, tensors) is left
// out.
cull_status cull_trial_write_added(cull_ctx *, const char *dir,
                                   const cull_trial *trial) CULL_MUST_CHECK;

// ---- what a folder holds ----

typedef struct cull_stored_trial { // one finished trial, its siblings taken together
    char id[33];
    const char *path;              // of its main file
    const char *cut;               // the file of its cut, below the folder; NULL: it has none
    const char *renamed_from;      // the file that it is a copy of, without ending; "": of none
    size_t n_own, n_evaluations;   // in the main file; and with those of siblings
    const char *const *evaluation; // (n_evaluations) keys that are present, the main file's first
    size_t n_questions;
    const char *const *question; // files of what they ask, below the folder
} cull_stored_trial;

typedef struct cull_stored_trials {
    size_t n;
    const cull_stored_trial *at; // by id; all in the alloc arena
} cull_stored_trials;

// The finished trials of a results folder; none where there is no folder. A damaged file is logged
// as a warning and counts as absent. So does a sibling without its trial.
cull_status cull_find_stored_trials(cull_ctx *, const char *dir,
                                    cull_stored_trials *out) CULL_MUST_CHECK;
const cull_stored_trial *cull_trial_exists(const cull_stored_trials *stored,
                                           const char *id); // NULL: no
bool cull_evaluation_exists(const cull_stored_trial *present, const char *key);

// The finished trial `trial` of folder `dir` also under other names, and the id that goes with
// them: a copy, with those that were added to it, and the attribute renamed_from.
cull_status cull_trial_rename(cull_ctx *, const char *dir, const cull_stored_trial *trial,
                              const cull_trial_axes *axes, const char *id) CULL_MUST_CHECK;

// Remove temporary files that a dead process of this host left in the folder and those in it.
cull_status cull_results_sweep(cull_ctx *, const char *dir, size_t *removed) CULL_MUST_CHECK;

#endif
