// Heads, rotated by their positions.
#include "rope.h"

#include <math.h>

void hf_rope_table(const hf_rope *rope, bool beyond, size_t n, const int32_t *pos, float *out)
{
    const size_t half = rope->rot / 2;
    const float *freq = beyond && rope->switch_at ? rope->freq_beyond : rope->freq;
    const float scale = beyond && rope->switch_at ? rope->scale_beyond : rope->scale;

    for (size_t i = 0; i < n; i++, out += rope->rot)
        for (size_t j = 0; j < half; j++) {
            const float angle = (float)pos[i] * freq[j];
            out[j] = cosf(angle) * scale;
            out[half + j] = sinf(angle) * scale;
        }
}

void hf_rope_rotate(const hf_rope *rope, const float *row, float *x)
{
    const size_t half = rope->rot / 2;
    const size_t step = rope->interleaved ? 2 : 1, other = rope->interleaved ? 1 : half;

    x += rope->first;
    for (size_t j = 0; j < half; j++) {
        float *a = x + step * j, *b = a + other;
        const float c = row[j], s = row[half + j], a0 = *a;
        *a = a0 * c - *b * s;
        *b = *b * c + a0 * s;
    }
}
