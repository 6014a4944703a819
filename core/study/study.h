// An experiment under way: what of its plan is already there, is wanted, was made, or failed.
#ifndef CULL_STUDY_STUDY_H
#define CULL_STUDY_STUDY_H

#include <time.h>

#include "flow/apply.h"
#include "flow/budget.h"
#include "flow/calibrate.h"
#include "flow/sandbox/stage_result.h"
#include "record/folder/claims.h"
#include "record/step_file.h"
#include "record/trial_file.h"

typedef struct cull_flow_options {
    cull_engine_options engine;
    double plugin_seconds; // limit of one call of score or select; 0: none
    const char *folder;    // of the results
    const char *shared;    // where calibrations, steps and cuts are kept: a cache, or `folder`
    size_t argc;
    const char *const *argv;
} cull_flow_options;

typedef enum cull_state { CULL_IDLE, CULL_WANTED, CULL_DONE, CULL_FAILED } cull_state;

typedef struct cull_step_state { // of a step
    cull_state state;
    cull_stage_result result;
    cull_variant variant;
    cull_cut_name cut;   // its file in cuts/; "" where it has none yet
    cull_phase searched; // of a search: what its generations took
    cull_phase counted;  // of a router that skips: what counting what it runs took
    const struct cull_decision *uncounted; // WANTED: decided, but that is still to come
    const char *reason;                    // FAILED: one sentence, and frames
} cull_step_state;

typedef struct cull_cell_state { // of a cell
    cull_state state;
    bool mine;       // WANTED, and claimed by this run
    bool of_others;  // DONE since this run began, by another
    bool recorded;   // its trial file is there; what is wanted is added
    const char *cut; // recorded: the file of its cut, below the folder; NULL: none
    bool cut_lost;   // that is not there
    bool *missing;   // (n_metrics) evaluations that are wanted
    bool *claimed;   // (n_metrics) and are claimed in a cache
    cull_key *keys;  // (n_metrics) of the evaluations
} cull_cell_state;

typedef struct cull_study {
    cull_ctx *ctx;
    const cull_registry *registry;
    const cull_flow_options *options;
    const cull_spec *spec;
    const cull_plan *plan;
    cull_inputs *inputs;
    cull_claims *claims;         // on trials, in the folder
    cull_cache_folder cache;     // of calibrations, steps and cuts
    cull_claims *cache_claims;   // on those and evaluations, in a cache; NULL: there is none
    cull_layer_facts **layers;   // [model] → (L), as views want them
    cull_step_state *made;       // (n_steps)
    cull_statistics *statistics; // (n_sets)
    size_t *sharers;             // (n_sets) wanted cells that see it
    cull_cell_state *cell;       // (n_cells)
    double *dense_flops;         // [model] of one dense evaluation
    double *dense_seconds;       // [model] and how long it takes, about
    struct timespec looked, looked_at_cache; // when a folder's trials had last changed
    size_t rests;                            // in a row, while others computed
    double equivalents;                      // of dense evaluations, computed so far
    cull_provenance provenance;              // what is the same for all trials
} cull_study;

// Axes of a cell, as tables show them.
cull_trial_axes cull_axes_of(const cull_study *study, const cull_cell *cell);

// Make the cuts of all steps of a model that this run's cells want: calibrate, score, select,
// apply, in the order in which they rest on each other. A step that fails by its plugin's fault is
// FAILED, with those that rest on it; other failures are the call's.
cull_status cull_make_cuts(cull_study *study, size_t model) CULL_MUST_CHECK;

// Evaluate this run's wanted cells of a model whose cuts are made, and record each.
cull_status cull_evaluate_cells(cull_study *study, size_t model) CULL_MUST_CHECK;

// The searches of a cell's stages, with their histories, and what they took, for its trial.
cull_status cull_searches_of(cull_study *study, const cull_cell *cell,
                             cull_trial *trial) CULL_MUST_CHECK;
// What step i's search took, this cell's share; false: it had none, or found it there.
bool cull_search_phase(const cull_study *study, size_t i, cull_phase *out);

// Write the trial, or what was added to it.
typedef struct cull_finding {
    const cull_cell *cell;
    size_t n;             // metrics evaluated
    const size_t *metric; // (n)
    const cull_collector *found;
    const cull_phase *evaluate;
    double started;
} cull_finding;

cull_status cull_record_cell(cull_study *study, const cull_finding *finding) CULL_MUST_CHECK;
// The recipe of a recorded cell again, from its variant, where its trial says that it is.
cull_status cull_restore_cut(cull_study *study, const cull_cell *cell) CULL_MUST_CHECK;

// A cell as a folder's trials leave it: recorded or not, what it lacks, WANTED or DONE.
cull_status cull_look_at_cell(cull_study *study, size_t cell,
                              const cull_stored_trials *stored) CULL_MUST_CHECK;
// The trial that is this cell's under other names: one that has an evaluation which the cell wants,
// for names are no part of what an evaluation rests on. NULL: none.
bool cull_is_twin(const cull_study *study, size_t cell, const cull_stored_trial *trial);
const cull_stored_trial *cull_find_twin(const cull_study *study, size_t cell,
                                        const cull_stored_trials *stored);
// Is there a cache beside the folder that takes trials?
bool cull_shares_trials(const cull_study *study);
// Where there is one (cache.c): its trials; the one from which a cell that
// lacks something can take, NULL: none, with the keys (n) of what it lacks, `whole`: one whose cut
// has been read and is as it was written; all of that brought into the folder, *n: for how many
// cells; what a cell found brought into the cache. What cannot be had of it or put into it is a
// warning, the first time, and no failure.
cull_status cull_find_cached_trials(cull_study *study, cull_stored_trials *out) CULL_MUST_CHECK;
cull_status cull_find_cached(cull_study *study, size_t cell, const cull_stored_trials *cached,
                             bool whole, const cull_stored_trial **out, size_t *n,
                             const char ***key) CULL_MUST_CHECK;
cull_status cull_take_cached(cull_study *study, size_t *n) CULL_MUST_CHECK;
cull_status cull_put_cached(cull_study *study, const cull_finding *finding) CULL_MUST_CHECK;

// What this run asks for of a model's cells and can have, as far as it is its share where several
// runs are at work: those become its own. *any is false when nothing is wanted any more; otherwise
// it waits until there is something, or another run has finished something.
cull_status cull_claim_cells(cull_study *study, size_t model, bool *any) CULL_MUST_CHECK;
// Let go of a cell that is no longer wanted.
void cull_release_cell(cull_study *study, size_t cell);
// A moment's rest while others compute, longer each time in a row (`rests`: begin anew), up to a
// second; CULL_ECANCELED when the user asks to stop.
cull_status cull_wait_for_others(cull_study *study) CULL_MUST_CHECK;

// Of the folder's cuts those go that `keep` does not name: with `cuts` those on which only later
// stages rest, with `scores` all of this experiment's. What a cache holds stays.
cull_status cull_keep_only(cull_study *study) CULL_MUST_CHECK;

#endif
