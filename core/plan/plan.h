// The plan: what an experiment amounts to, before anything is computed.
//
// A cell is one trial of the grid: a model, a method, a sparsity, an allocation, a calibration, the
// layers that may be cut, a seed. A step is one stage of one or more cells: cells whose methods
// begin alike share their first steps, as STUN at three sparsities does its first stage. A
// calibration set is one set of statistics: one variant of one model on one set of rows; steps that
// need the same share it. Steps stand after the steps
// they rest on, sets after the step they are gathered on, so that walking the arrays in order meets
// nothing too early.
//
// Cells that differ in nothing that matters to them are one cell; `notes` says so. The dense model
// is always a cell, the first of its model's. Everything lives in the context's alloc arena.
#ifndef CULL_PLAN_PLAN_H
#define CULL_PLAN_PLAN_H

#include <cull/cull.h>

#include "spec/spec.h"

#define CULL_NOT SIZE_MAX // no index: "dense", "none"

// What a stage's budget counts.
typedef enum cull_unit {
    CULL_UNIT_NONE,    // it takes none: a runtime rule, or a cut that is given whole
    CULL_UNIT_EXPERT,  // routed experts
    CULL_UNIT_CHANNEL, // hidden units of experts, and of shared and dense parts
    CULL_UNIT_LAYER,   // layers, or MoE sub-layers
    CULL_UNIT_WEIGHT,  // weights of the matrices that stay
    CULL_UNIT_PICK,    // experts that serve a token: none goes, fewer run
} cull_unit;

typedef struct cull_step {
    size_t model, method, stage, allocation; // of the first cell that has it
    const cull_stage *spec;
    size_t before; // the step whose cut it goes on from; CULL_NOT: the dense model
    size_t donor;  // the step whose counts it takes, arrived at or searched for; CULL_NOT: none
    size_t set;    // the statistics it sees, or its rows alone; CULL_NOT: it needs none
    size_t rows;   // the set whose rows it, or the last before it that has one, meets; CULL_NOT
    size_t layers; // which of the experiment's `layers` say what may be cut
    enum cull_allocation_kind scope; // EXPERT, CHANNEL: how the budget is spread over layers
    const cull_search *search;       // scope SEARCH: the counts are what it finds; else NULL
    cull_unit unit;
    uint32_t needs, emits;
    double sparsity;             // of the whole method; NAN where it does not matter
    double later;                // 1 - share, of the stages behind it that have one: their product
    const cull_sparsity *budget; // that sparsity is to meet (meet.h), 0 till then; NULL: none
    double spared;               // of active parameters, what stops with experts of later stages
    bool visit;                  // decided layer by layer, inside the visit
    bool counted;                // on its rows: what the rules of it and those before leave running
    bool seeded;                 // its result depends on the seed
    uint64_t seed;
    cull_key sketch; // what it is, before models and data are known
    cull_key key;    // what it is (cull_plan_keys)
} cull_step;

typedef struct cull_calibration_set {
    size_t model;
    size_t on;          // the step whose cut is calibrated; CULL_NOT: the dense model
    size_t calibration; // of the experiment
    uint64_t seed;      // of the rows
    uint32_t groups;    // CULL_STAT_*, the union of what its steps need; 0: its rows are all
    size_t n_observers;
    const cull_use **observers; // criteria with a statistic of their own
    cull_key key;               // (cull_plan_keys)
} cull_calibration_set;

typedef struct cull_cell {
    size_t model, method;        // method CULL_NOT: dense
    size_t step;                 // the last one of its method; CULL_NOT: dense
    double sparsity;             // requested; NAN: none
    const cull_sparsity *budget; // that it is to meet; NULL: it was given itself
    const char *allocation;      // label; NULL: none
    size_t calibration;          // of the experiment; CULL_NOT: it makes no difference
    size_t layers;               // of the experiment; CULL_NOT: dense
    bool seeded;
    uint64_t seed;
    bool own;      // its cut masks or rewrites experts, which its rows meet alone
    bool left_out; // not asked for (plan/only.h)
    cull_key id;   // (cull_plan_keys)
} cull_cell;

typedef struct cull_plan {
    const cull_spec *spec;
    size_t n_cells, n_steps, n_sets, n_notes;
    cull_cell *cell;
    cull_step *step;
    cull_calibration_set *set;
    const char **note; // what was collapsed or is to be known, in sentences
    size_t n_warnings;
    const char **warning; // what can hardly be meant (remarks.h)
    size_t grid;          // cells before collapsing, without dense
} cull_plan;

// Checks what can be known without a model (fit.h) and makes the plan. CULL_EUSAGE: there are
// problems.
cull_status cull_plan_make(cull_ctx *ctx, const cull_spec *spec, cull_problems *problems,
                           cull_plan *out) CULL_MUST_CHECK;

// What a stage amounts to.
cull_unit cull_stage_unit(const cull_stage *stage);
uint32_t cull_stage_needs(const cull_stage *stage); // statistics of criterion and strategy
uint32_t cull_stage_emits(const cull_stage *stage);
enum { // of what is emitted
    CULL_TAKES_EXPERTS = 1u << CULL_ACTION_DROP | 1u << CULL_ACTION_ZERO |
                         1u << CULL_ACTION_NOVICE | 1u << CULL_ACTION_ALIAS
};
uint32_t cull_stage_form(const cull_stage *stage); // of its criterion's scores, CULL_FORM_*
bool cull_stage_observes(const cull_stage *stage); // its criterion has a statistic of its own
bool cull_step_sees(const cull_step *step);        // any statistics at all
size_t cull_step_seen(const cull_step *step);      // the set whose statistics; CULL_NOT: none
bool cull_step_by_size(const cull_step *step);     // counts go by the sizes of its units
bool cull_stage_draws(const cull_stage *stage);    // random numbers
bool cull_stage_counted(const cull_stage *stage);  // what its rule leaves running is counted
// Can several ranks decide about a layer together, each about some of its experts?
bool cull_stage_by_experts(const cull_stage *stage);
// Or each about a layer of its own?
bool cull_stage_by_layers(const cull_stage *stage);
bool cull_rows_random(const cull_calibration_spec *calibration); // are its rows drawn?
bool cull_stage_visits(const cull_stage *stage);                 // decided inside the layers' visit

// The names of a cell's calibration and layers; NULL: none, or they make no difference.
const char *cull_calibration_name(const cull_spec *spec, const cull_cell *cell);
const char *cull_layers_name(const cull_spec *spec, const cull_cell *cell);

bool cull_unit_spreads(cull_unit unit); // is its budget spread over layers by the allocation?
bool cull_unit_removes(cull_unit unit); // does it take parameters?
uint64_t
cull_stage_sides(const cull_stage *stage); // parts beside the experts that are in its budget

// The search whose counts a step takes; NULL: none.
const cull_search *cull_search_of(const cull_plan *plan, size_t step);

// The first stage of a method whose budget an allocation spreads, or CULL_NOT.
size_t cull_spread_stage(const cull_method *method);

// Adds the experts that a stage leaves alone, where it names any, to its identity.
void cull_keep_hash(const cull_keep *keep, cull_hash *hash);

// The fraction that the stages with a share of their own take together.
double cull_method_shares(const cull_method *method);

#endif
