// An experiment: one YAML file as a struct (the format: docs/experiment-format.md).
//
//   question:    text                            baseline:    METHOD | dense
//   models:      { NAME: backend, … }
//   calibrate:   a data reader, or { NAME: data reader, … }   (what `needs` are gathered from)
//   methods:     { NAME: stage or [ stage, … ] }
//                stage: { criterion: …, strategy: …, recalibrate: true, propagate: pruned,
//                         keep: super | [[layer, expert], …] | FILE of such a list }
//   sparsities:  [ number in [0, 1) | { bytes: SIZE } | { experts: N } | { active: FRACTION }, … ]
//   allocations: [ layer | global | { like: METHOD } | { search: … } | { like: …, search: … }, … ]
//   seeds:       [ integer, … ]
//   metrics:     [ metric, … ]
//   layers:      { only: [ … ], except: [ … ] }, or { NAME: { only: … }, … }
//   precision:   auto | f32 | bf16 | bf16x2       output: folder, or { folder: …, store: … }
//   plugins:     [ file, … ]                      base: the file of another experiment
//
// A plugin is a word, or a map with one key, its word, to its settings. A list of one element may
// be written as the element. Besides a strategy's own settings its map may hold `experts` (the
// share of the routed experts' parameters that this stage carries), `propagate` and `inputs`; a
// data reader's map, `dense_rows`. Everything lives in the context's alloc arena.
#ifndef CULL_SPEC_SPEC_H
#define CULL_SPEC_SPEC_H

#include "plugin/registry.h"
#include "spec/bind.h"

typedef struct cull_use { // a plugin, as an experiment uses it
    cull_place place;
    const cull_plugin *plugin; // NULL: none
    const void *settings;
} cull_use;

typedef struct cull_model_spec {
    cull_place place;
    const char *name;
    cull_use backend;
} cull_model_spec;

typedef struct cull_keep { // experts that a stage leaves as they are
    cull_place place;      // file NULL: none are named
    bool super;            // those that REAP's rule finds
    size_t n;
    const size_t (*at)[2]; // (n) layer, expert
} cull_keep;

typedef struct cull_stage {
    cull_place place;
    cull_use criterion; // plugin NULL: none
    cull_use strategy;
    bool recalibrate; // scored on statistics of what the earlier stages left
    bool propagate;   // each layer is decided on what the cuts of the layers before it let through
    double share;     // `experts`; NAN: what the other stages leave over
    cull_place share_place;
    cull_keep keep;
} cull_stage;

typedef struct cull_method {
    cull_place place;
    const char *name;
    size_t n;
    cull_stage *stage;
} cull_method;

enum cull_allocation_kind {
    CULL_ALLOCATE_LAYER,
    CULL_ALLOCATE_GLOBAL,
    CULL_ALLOCATE_LIKE,
    CULL_ALLOCATE_SEARCH, // counts that a search finds best for the method itself
};

typedef struct cull_search cull_search; // spec/search.h

typedef struct cull_allocation {
    cull_place place;
    enum cull_allocation_kind kind;
    const char *like;    // LIKE: the method whose counts are taken
    size_t donor;        // LIKE: its index
    cull_search *search; // SEARCH, and LIKE where the donor's counts are searched for; else NULL
    const char *label;   // "layer", "global", "like:stun", "search", "like:stun:search"
} cull_allocation;

// What of a sparsity is given: the fraction that goes, or what stays.
typedef enum cull_amount {
    CULL_FRACTION, // of the experts' parameters goes
    CULL_BYTES,    // of weights as an export stores them
    CULL_EXPERTS,  // in each layer, or as many parameters
    CULL_ACTIVE,   // fraction of the parameters that run for a token
} cull_amount;

typedef struct cull_sparsity {
    cull_place place;
    cull_amount kind;
    double value;
} cull_sparsity;

typedef struct cull_seed {
    cull_place place;
    uint64_t value;
} cull_seed;

typedef struct cull_calibration_spec {
    cull_place place;
    const char *name; // NULL: it is the only one, and has none
    cull_use data;
    int64_t dense_rows; // rows of the dense subsample; 0: as many as hold CULL_DENSE_TOKENS
} cull_calibration_spec;

typedef struct cull_layers_spec { // which layers may be cut
    cull_place place;             // file NULL: all, by default
    const char *name;             // NULL: it is the only one, and has none
    cull_ints only, except;
} cull_layers_spec;

// What of the cuts stays on disk: none, those of trials, those of earlier stages too.
typedef enum cull_lasting { CULL_KEEP_ALL, CULL_KEEP_CUTS, CULL_KEEP_SCORES } cull_lasting;

typedef struct cull_spec {
    const char *file; // as the user wrote it
    const char *name; // the file's own name, without extension
    const char *text; // byte by byte, text_size bytes
    size_t text_size;
    const char *question; // "" where there is none
    const char *baseline; // the method that tables compare to; NULL: dense
    cull_place baseline_place;
    size_t n_models, n_methods, n_sparsities, n_allocations, n_seeds, n_metrics;
    cull_model_spec *models;
    cull_method *methods;
    cull_sparsity *sparsities;
    cull_allocation *allocations;
    cull_seed *seeds;
    cull_use *metrics; // (n_metrics), and behind them n_fitness more: those of searches
    size_t n_fitness;
    size_t n_calibrations; // 0: there is none
    cull_calibration_spec *calibrations;
    size_t n_layers; // at least one
    cull_layers_spec *layers;
    cull_place precision_place;
    const char *precision, *store;
    const char *automatic; // what `auto` has come to in the folder of results; NULL: nothing yet
    const char *folder;    // NULL: results/<name>
    const char *cache;     // for calibrations and cuts, beside several folders; NULL: none
    cull_lasting keep;
} cull_spec;

enum { CULL_DENSE_TOKENS = 8192 };

typedef struct cull_spec_source {
    const char *file;
    const char *text; // what stands in it, NUL-ended; NULL: the file is read
    size_t n_written; // of a text that was made: what each line of it was made of, for problems
    const char *const *written;
    size_t n_overrides;
    const char *const *overrides; // --set
    bool trust_plugins;           // may the file name shared objects?
} cull_spec_source;

// Reads the file, loads the plugins that it declares into the registry, and binds all settings.
// Every problem is added to `problems`; CULL_EUSAGE when there is one. A file that cannot be read
// is CULL_EIO.
cull_status cull_spec_read(cull_ctx *ctx, const cull_spec_source *source, cull_registry *registry,
                           cull_problems *problems, cull_spec *out) CULL_MUST_CHECK;

#endif
