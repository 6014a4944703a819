// Golden answers to GSM8K are test-only: they stay beside the folder that CULL_TEST_DATA names, and
// tests that want them are skipped without it.
#ifndef CULL_TESTS_TEST_DATA_H
#define CULL_TESTS_TEST_DATA_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/test.h"

static inline const char *test_data_gsm8k(const char *task, char *path, size_t room)
{
    const char *data = getenv("CULL_TEST_DATA");

    (void)snprintf(path, room, "%s/../golden/evaluation/mixtral/gsm8k/%s.jsonl", data ? data : "",
                   task);
    if (!data || access(path, R_OK) != 0)
        skip();
    return path;
}

#endif
