// Rows of W in the panels that oneDNN's products read: 64 rows of W side by side, by input channel.
//
// A panel is made of words of 32 bits, (K′, 64), K′ rounded up to 16 words: a word is a float32, or
// a pair of neighbouring bf16 channels. Rows and channels that W lacks are zeros.
#ifndef CULL_MATH_PACK_H
#define CULL_MATH_PACK_H

#include <stddef.h>
#include <stdint.h>

enum { CULL_PANEL = 64 };

// Bytes of n rows of K channels in panels.
size_t cull_pack_bytes(size_t n, size_t K, int bf16);

// w: n rows of K, `stride` elements apart. out: aligned to 64 bytes.
void cull_pack_f32(size_t n, size_t K, const float *w, size_t stride, float *out);
void cull_pack_widen(size_t n, size_t K, const uint16_t *w, size_t stride, float *out);
void cull_pack_bf16(size_t n, size_t K, const uint16_t *w, size_t stride, uint16_t *out);
// W as its transpose: K rows of n.
void cull_pack_across(size_t n, size_t K, const float *w, size_t stride, float *out);
// float32 rows rounded to bf16, to nearest even.
void cull_pack_narrow(size_t n, size_t K, const float *w, size_t stride, uint16_t *out);

#endif
