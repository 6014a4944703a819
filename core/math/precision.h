// Precision names numerics, not kernels: what linear() multiplies.
//
//   f32     float32 times float32
//   bf16    both rounded to bf16 (to nearest even), products exact
//   bf16x2  the activation as two terms of bf16 (error at most 2⁻¹⁷ of it), weights exact in bf16;
//           weights that are not exact multiply as in f32
//
// Sums are float32 in all. `auto` is bf16x2 where the processor multiplies tiles of bf16 (AMX), and
// f32 elsewhere: it looks at the processor's features alone, never at a clock.
#ifndef CULL_MATH_PRECISION_H
#define CULL_MATH_PRECISION_H

#include <stdbool.h>

typedef enum cull_precision { CULL_F32, CULL_BF16, CULL_BF16X2 } cull_precision;

// "f32", "bf16", "bf16x2", or what "auto" is here; false: another word.
bool cull_precision_of(const char *word, cull_precision *out);
const char *cull_precision_word(cull_precision);

#endif
