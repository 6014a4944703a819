// Golden variants of an embedded model, from calibration rows to held-out perplexity, through the
// engine's own statistics (tests/golden/methods/*/README.md, file `eval`).
//
//     variants *v = variants_open("tinyworld-mixtral");
//     variants_calibrate(v, &(cull_calibration){ .groups = CULL_STAT_ROUTING }); //
//     world->view.stats variants_add(v, "drop-reap-12", cut, CULL_ACTION_DROP); variants_check(v);
//     variants_close(v);
#ifndef CULL_TESTS_VARIANTS_H
#define CULL_TESTS_VARIANTS_H

#include "support/methods.h"
#include "support/model.h"

enum { VARIANTS_MOST = 96, VARIANTS_PASSES = 16 };

typedef struct variant {
    char golden[64];
    const cull_cut *cut;
    bool kept; // its kept lists are golden too
    uint8_t action;
} variant;

typedef struct variants {
    fake_host *host;
    tinyworld *world;
    test_model model;
    golden *ids, *eval;
    size_t n_passes;
    cull_stats_store *store[VARIANTS_PASSES];
    size_t n;
    variant variant[VARIANTS_MOST];
} variants;

variants *variants_open(const char *model);
void variants_close(variants *v);

// A pass over the golden calibration rows; `how` says all but the rows. Its statistics become those
// of the world's view, and live until variants_close.
void variants_calibrate(variants *v, const cull_calibration *how);

// `action`: what experts that are not kept become.
void variants_add(variants *v, const char *golden, const cull_cut *cut, uint8_t action);

// Evaluates all variants in one pass: their kept lists are the golden ones, their perplexities on a
// held-out row of every third domain within 1e-3; if CULL_TEST_ALL is set, those of each domain and
// of all together, on all rows.
void variants_check(variants *v);

// What the experts that a golden list keeps leave of the dense model: "stun" of file stun, or a
// variant of the file that is open as `eval`.
cull_cut *variants_kept(variants *v, const char *of);

// A test program's main: for both embedded models the statistics of `groups` are gathered, `select`
// adds n variants from them, and all are checked against golden file `file`.
typedef struct variants_plan {
    const char *name, *file;
    uint32_t groups;
    void (*select)(variants *v);
    size_t n;
} variants_plan;
int variants_main(const variants_plan *plan);

#endif
