// What lm-evaluation-harness asked and got (tests/golden/evaluation/README.md), held against ours.
#ifndef CULL_TESTS_LM_GOLDEN_H
#define CULL_TESTS_LM_GOLDEN_H

#include <jansson.h>

#include "support/fake_host.h"

json_t *lm_golden_lines(const char *path);               // a list, the caller's
double lm_number(const json_t *object, const char *key); // must be there
const char *lm_string(const json_t *object, const char *key);

// Each fails the test with `where` in front. q: a golden request or window; row: a line.
void lm_check_pair(const cull_request *r, const json_t *q, const char *where); // the ids
void lm_check_context(fake_host *host, const cull_text *text, const cull_request *r,
                      const json_t *row, const char *where);
void lm_check_ll(const cull_answer *a, const json_t *q, const char *where); // to 1e-4 relative
void lm_check_generated(const cull_answer *a, const json_t *row, const char *where);

// The golden answer, as the engine would give it; borrows from q.
cull_answer lm_golden_answer(const json_t *q);

#endif
