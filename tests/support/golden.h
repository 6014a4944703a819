// Golden numbers: safetensors files below tests/golden, read with the core's own reader.
//
//     golden *g = golden_open(host, CULL_SOURCE_DIR "/tests/golden/methods/reap.safetensors");
//     const float *want = golden_f32(g, "scores", 2, (size_t[]){ L, E });
//     golden_close(g);
//
// Whatever is missing, or of another dtype or shape, fails the test with a sentence.
#ifndef CULL_TESTS_GOLDEN_H
#define CULL_TESTS_GOLDEN_H

#include "base/safetensors.h"
#include "support/fake_host.h"

typedef struct golden golden;

golden *golden_open(fake_host *host, const char *path);
void golden_close(golden *g);
cull_tensor golden_tensor(const golden *g, const char *name);
bool golden_has(const golden *g, const char *name);

// Numbers of a tensor of that dtype, aligned, valid until golden_close. `shape` NULL: any shape of
// that rank; rank SIZE_MAX: any.
const float *golden_f32(golden *g, const char *name, size_t rank, const size_t *shape);
const double *golden_f64(golden *g, const char *name, size_t rank, const size_t *shape);
const int32_t *golden_i32(golden *g, const char *name, size_t rank, const size_t *shape);
const uint8_t *golden_u8(golden *g, const char *name, size_t rank, const size_t *shape); // or BOOL
// Any of F32, F64, F16, BF16, I32, I64, U8, BOOL as doubles.
const double *golden_numbers(golden *g, const char *name, size_t *n);

#endif
