// A checkpoint for tests: the backend hf, opened, and its tokenizer as plugins see it.
#ifndef CULL_TESTS_MODEL_H
#define CULL_TESTS_MODEL_H

#include <cull/cull.h>

#include "engine/engine.h"
#include "support/fake_host.h"

typedef struct test_model {
    cull_text text; // first: encode and decode find the rest by it
    cull_open_model opened;
} test_model;

// `what`: CULL_OPEN_*. Whatever goes wrong fails the test with a sentence.
void test_model_open(fake_host *host, const char *path, uint32_t what, test_model *out);
void test_model_close(test_model *model);

#endif
