// A fuzz target is a fuzz_NAME.c with this function. With CULL_FUZZ it becomes a libFuzzer program
// fuzz-NAME; always, a test replays tests/fuzz/corpus/NAME through it.
#ifndef CULL_TESTS_FUZZ_H
#define CULL_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n); // always 0; a crash is the finding

#endif
