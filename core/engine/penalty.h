// The repetition penalty of generation, as transformers has it (Keskar et al. 2019,
// arXiv:1909.05858, section 4.1).
#ifndef CULL_ENGINE_PENALTY_H
#define CULL_ENGINE_PENALTY_H

#include <stdbool.h>

#include "engine/forest.h"

// Of logits, those of the n lists' ids, each once however often it is there: divided by the penalty
// where positive, else multiplied. seen: (V) all false, and so again afterwards.
void cull_penalise(float penalty, size_t n, const cull_ids *list, bool *seen, float *logits);

#endif
