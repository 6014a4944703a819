// What the processor and the operating system both offer.
#ifndef CULL_MATH_CPU_H
#define CULL_MATH_CPU_H

#include <stdbool.h>
#include <stddef.h>

typedef struct cull_cpu {
    char name[64];                                      // the processor's own, or ""
    bool avx, avx2, fma, avx512, avx512_bf16, amx_bf16; // avx512: F, BW, CD, DQ and VL
} cull_cpu;

cull_cpu cull_cpu_features(void);

// "avx2 fma avx512 …" into text, or "none beyond the baseline".
void cull_cpu_words(const cull_cpu *, char *text, size_t size);

#endif
