// Tests of a plugin against its contract, without a checkpoint (`cull check`).
//
// The texts of every kind are checked. Criteria and strategies are also run, on a made-up model
// (synthetic.h): a criterion's scores must be finite, the same for the same seed, the same whatever
// the seed unless it says that it draws on it, and follow their experts when those stand in another
// order; a strategy's cut must be sound, leave frozen layers alone, stay within its budget and come
// near it, and let the lower index go first among equals; one that goes by experts must decide
// about some of them as it does about all.
#ifndef CULL_CHECK_CONFORM_H
#define CULL_CHECK_CONFORM_H

#include <cull/abi.h>

#include "base/context.h"

typedef enum cull_verdict { CULL_FINE, CULL_FAULT, CULL_UNTESTED } cull_verdict;

typedef struct cull_examiner { // who is told, one sentence a finding
    void (*say)(void *arg, cull_verdict verdict, const char *text);
    void *arg;
} cull_examiner;

void cull_conform_texts(const cull_examiner *examiner, const cull_plugin *plugin);

// Runs the plugin's code: call it in a process of its own.
void cull_conform_runs(const cull_examiner *examiner, const cull_plugin *plugin);

// Of conform_score.c, conform_cut.c and conform_reader.c. Settings are the defaults; files that
// metrics and data readers require are made up.
void cull_conform_criterion(const cull_examiner *examiner, const cull_plugin *plugin);
void cull_conform_strategy(const cull_examiner *examiner, const cull_plugin *plugin);
void cull_conform_reader(const cull_examiner *examiner, const cull_plugin *plugin);
void cull_verdict_say(const cull_examiner *examiner, cull_verdict verdict, const char *fmt, ...)
    CULL_PRINTF(3, 4);

#endif
