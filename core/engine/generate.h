// Greedy continuation, batched over prompts and variants.
#ifndef CULL_ENGINE_GENERATE_H
#define CULL_ENGINE_GENERATE_H

#include "engine/run.h"

// Answers of those requests that are CULL_GENERATE; the others are left alone.
cull_status cull_generate(cull_run *run, const cull_engine_options *options, size_t n_variants,
                          const cull_cut *const *cuts, size_t n,
                          const cull_request *const *requests,
                          cull_answer *answers) CULL_MUST_CHECK;

#endif
