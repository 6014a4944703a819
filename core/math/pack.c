// Packing: blocks of 16 × 16 words, turned in registers.
//
// Four rounds of zipping row i with row i + 8 transpose a block: each round moves one bit of the
// row's number into the column's.
#include "math/pack.h"

#include <stdbool.h>
#include <string.h>

#include <cull/kernel.h>

#include "math/bf16.h"

enum { BLOCK = 16 };

typedef uint32_t words __attribute__((vector_size(4 * BLOCK)));
typedef int32_t lanes __attribute__((vector_size(4 * BLOCK)));

typedef enum source { FLOATS, WIDENED, PAIRS, NARROWED } source;

// Words [k, k + 16) of a row; those from `n_words` on are zeros.
static inline __attribute__((always_inline)) void load(source from, const void *row, size_t k,
                                                       size_t K, uint32_t *out)
{
    const size_t per_word = from == PAIRS || from == NARROWED ? 2 : 1;
    const size_t left = K - k * per_word;
    const size_t n = left < BLOCK * per_word ? left : BLOCK * per_word;

    if (n < BLOCK * per_word)
        memset(out, 0, BLOCK * sizeof *out);
    if (from == FLOATS) {
        memcpy(out, (const float *)row + k, n * sizeof(float));
    } else if (from == PAIRS) {
        memcpy(out, (const uint16_t *)row + 2 * k, n * sizeof(uint16_t));
    } else if (from == WIDENED) {
        const uint16_t *half = (const uint16_t *)row + k;
        if (n == BLOCK)
            for (size_t i = 0; i < BLOCK; i++)
                out[i] = (uint32_t)half[i] << 16;
        else
            for (size_t i = 0; i < n; i++)
                out[i] = (uint32_t)half[i] << 16;
    } else {
        uint16_t half[2 * BLOCK] = { 0 };
        for (size_t i = 0; i < n; i++)
            half[i] = cull_bf16_of(((const float *)row)[2 * k + i]);
        memcpy(out, half, sizeof half);
    }
}

#if defined(__clang__)
#    define ZIP(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#    define ZIP(a, b, ...) __builtin_shuffle(a, b, (lanes){ __VA_ARGS__ })
#endif

static inline __attribute__((always_inline)) void transpose(words *r)
{
    for (size_t round = 0; round < 4; round++) {
        words t[BLOCK];
        for (size_t i = 0; i < BLOCK / 2; i++) {
            const words a = r[i], b = r[i + BLOCK / 2];
            t[2 * i] = ZIP(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            t[2 * i + 1] = ZIP(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        }
        memcpy(r, t, sizeof t);
    }
}

// 16 rows of W into their columns of a panel. Rows from n on are zeros. Weights come from memory,
// 16 streams at once, which the processor does not foresee: the next 16 rows are fetched meanwhile.
static inline __attribute__((always_inline)) void pack_rows(source from, size_t n, size_t K,
                                                            size_t n_words, const char *w,
                                                            size_t row_bytes, uint32_t *out)
{
    const size_t bytes = from == WIDENED ? sizeof(uint16_t) : sizeof(uint32_t); // a word's, stored
    words block[BLOCK];

    for (size_t k = 0; k < n_words; k += BLOCK) {
        memset(block, 0, sizeof block);
        for (size_t r = 0; r < n; r++) {
            __builtin_prefetch(w + (r + BLOCK) * row_bytes + k * bytes, 0, 2);
            load(from, w + r * row_bytes, k, K, (uint32_t *)&block[r]);
        }
        transpose(block);
        for (size_t i = 0; i < BLOCK; i++)
            memcpy(out + (k + i) * CULL_PANEL, &block[i], sizeof block[i]);
    }
}

static size_t words_of(size_t K, bool pairs)
{
    const size_t n = pairs ? (K + 1) / 2 : K;

    return (n + BLOCK - 1) / BLOCK * BLOCK;
}

static inline __attribute__((always_inline)) void
pack(source from, size_t n, size_t K, const void *w, size_t row_bytes, uint32_t *out)
{
    const size_t n_words = words_of(K, from == PAIRS || from == NARROWED);

    for (size_t r = 0; r < (n + CULL_PANEL - 1) / CULL_PANEL * CULL_PANEL; r += BLOCK) {
        const size_t left = r < n ? n - r : 0;
        uint32_t *panel = out + r / CULL_PANEL * CULL_PANEL * n_words + r % CULL_PANEL;
        pack_rows(from, left < BLOCK ? left : BLOCK, K, n_words,
                  left ? (const char *)w + r * row_bytes : w, row_bytes, panel);
    }
}

size_t cull_pack_bytes(size_t n, size_t K, int bf16)
{
    return (n + CULL_PANEL - 1) / CULL_PANEL * CULL_PANEL * words_of(K, bf16) * sizeof(uint32_t);
}

CULL_CLONES
void cull_pack_f32(size_t n, size_t K, const float *w, size_t stride, float *out)
{
    pack(FLOATS, n, K, w, stride * sizeof *w, (uint32_t *)(void *)out);
}

void cull_pack_across(size_t n, size_t K, const float *w, size_t stride, float *out)
{
    const size_t n_words = words_of(K, false);

    for (size_t first = 0; first < n; first += CULL_PANEL, out += CULL_PANEL * n_words) {
        const size_t here = n - first < CULL_PANEL ? n - first : CULL_PANEL;
        for (size_t k = 0; k < n_words; k++) {
            float *to = out + k * CULL_PANEL;
            const size_t held = k < K ? here : 0;
            memcpy(to, w + (held ? k * stride + first : 0), held * sizeof *to);
            memset(to + held, 0, (CULL_PANEL - held) * sizeof *to);
        }
    }
}

CULL_CLONES
void cull_pack_widen(size_t n, size_t K, const uint16_t *w, size_t stride, float *out)
{
    pack(WIDENED, n, K, w, stride * sizeof *w, (uint32_t *)(void *)out);
}

CULL_CLONES
void cull_pack_bf16(size_t n, size_t K, const uint16_t *w, size_t stride, uint16_t *out)
{
    pack(PAIRS, n, K, w, stride * sizeof *w, (uint32_t *)(void *)out);
}

CULL_CLONES
void cull_pack_narrow(size_t n, size_t K, const float *w, size_t stride, uint16_t *out)
{
    pack(NARROWED, n, K, w, stride * sizeof *w, (uint32_t *)(void *)out);
}
