// Numbers in the types in which they are stored, rounded as cull/number.h says.
#ifndef CULL_BASE_NARROW_H
#define CULL_BASE_NARROW_H

#include <stdbool.h>
#include <stddef.h>

#include <cull/tensor.h>

size_t cull_store_size(cull_dtype store); // of a number: F32, BF16, F16; 0: not a type for storing
// n numbers to and from the stored type; unaligned stored data is fine. false: a finite number
// became infinite.
bool cull_narrow(cull_dtype store, size_t n, const float *from, void *to);
void cull_widen(cull_dtype store, size_t n, const void *from, float *to);

#endif
