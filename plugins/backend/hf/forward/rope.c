// Heads, rotated by their positions.
#include "rope.h"

#include <math.h>

#include <cull/kernel.h>

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

CULL_CLONES
static void rotate_halves(size_t half, const float *row, float *x)
{
    for (size_t j = 0; j < half; j++) {
        const float c = row[j], s = row[half + j], a = x[j], b = x[half + j];
        x[j] = a * c - b * s;
        x[half + j] = b * c + a * s;
    }
}

static void rotate_pairs(size_t half, const float *row, float *x)
{
    for (size_t j = 0; j < half; j++) {
        const float c = row[j], s = row[half + j], a = x[2 * j], b = x[2 * j + 1];
        x[2 * j] = a * c - b * s;
        x[2 * j + 1] = b * c + a * s;
    }
}

void hf_rope_rotate(const hf_rope *rope, const float *row, float *x)
{
    (rope->interleaved ? rotate_pairs : rotate_halves)(rope->rot / 2, row, x + rope->first);
}
