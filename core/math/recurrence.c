// The recurrence of a block of a state's columns, row by row.
#include "math/recurrence.h"

#include <stdint.h>
#include <string.h>

#include <cull/kernel.h>

enum { COLS = CULL_STATE_COLS };

// One row's factors: T ← r T; then k reads with `k_read`, writes with `k_write`, q reads with
// `q_read`.
typedef struct factors {
    double *decay;                        // (decays) G
    float *r, *k_read, *k_write, *q_read; // (k_width)
    float *share, *inverse;               // (decays) exp G, exp −G
} factors;

size_t cull_state_scratch(size_t k_width)
{
    return 8 * k_width; // G is of doubles
}

static factors place_factors(size_t n, float *scratch)
{
    return (factors){ (double *)(void *)scratch, scratch + 2 * n, scratch + 3 * n, scratch + 4 * n,
                      scratch + 5 * n,           scratch + 6 * n, scratch + 7 * n };
}

// G ← G + g; of its exponential a power of two goes into r, so that G stays within ±ln 2 / 2.
CULL_CLONES
static void decay(size_t n, const float *restrict g, double *restrict G, float *restrict r,
                  float *restrict share, float *restrict inverse)
{
    const double magic = 6755399441055744.0; // 1.5 · 2^52: adding it rounds to an integer

    for (size_t i = 0; i < n; i++) {
        const double step = g[i] < -700.0f ? -700.0 : (double)g[i];
        const double total = G[i] + step;
        const double shifted = total * 1.4426950408889634 + magic;
        const double twos = shifted - magic;
        const double x =
            (total - twos * 0.693147180369123816490) - twos * 1.90821492927058770002e-10;
        const double e =
            1 +
            x * (1 + x * (1.0 / 2 +
                          x * (1.0 / 6 +
                               x * (1.0 / 24 +
                                    x * (1.0 / 120 + x * (1.0 / 720 + x * (1.0 / 5040 +
                                                                           x * (1.0 / 40320))))))));
        uint64_t bits;
        double power;

        memcpy(&bits, &shifted, sizeof bits);
        bits = (bits + 1023u) << 52; // the low bits of `shifted` hold the integer
        memcpy(&power, &bits, sizeof power);
        G[i] = x;
        r[i] = (float)power;
        share[i] = (float)e;
        inverse[i] = (float)(1 / e);
    }
}

CULL_CLONES
static void factor_rows(size_t n, const float *restrict q, const float *restrict k,
                        const float *restrict share, const float *restrict inverse,
                        float *restrict k_read, float *restrict k_write, float *restrict q_read)
{
    for (size_t i = 0; i < n; i++) {
        k_read[i] = k[i] * share[i];
        k_write[i] = k[i] * inverse[i];
        q_read[i] = q[i] * share[i];
    }
}

static void fill(size_t n, float *x)
{
    for (size_t i = 1; i < n; i++)
        x[i] = x[0];
}

static void row_factors(const cull_state_rows *rows, size_t i, const factors *f)
{
    const size_t n = rows->k_width;

    decay(rows->decays, rows->g + i * rows->ldg, f->decay, f->r, f->share, f->inverse);
    if (rows->decays == 1) {
        fill(n, f->r);
        fill(n, f->share);
        fill(n, f->inverse);
    }
    factor_rows(n, rows->q + i * rows->ldk, rows->k + i * rows->ldk, f->share, f->inverse,
                f->k_read, f->k_write, f->q_read);
}

// T ← r T; seen = Tᵀ k
CULL_CLONES
static void shrink(size_t n, const float *restrict r, const float *restrict k, float *restrict T,
                   float *restrict seen)
{
    float sum[COLS] = { 0 };

    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < COLS; c++) {
            const float t = T[i * COLS + c] * r[i];
            T[i * COLS + c] = t;
            sum[c] += k[i] * t;
        }
    memcpy(seen, sum, sizeof sum);
}

// T ← T + k wᵀ; out = Tᵀ q
CULL_CLONES
static void write(size_t n, const float *restrict k, const float *restrict q,
                  const float *restrict w, float *restrict T, float *restrict out)
{
    float sum[COLS] = { 0 };

    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < COLS; c++) {
            const float t = T[i * COLS + c] + k[i] * w[c];
            T[i * COLS + c] = t;
            sum[c] += q[i] * t;
        }
    memcpy(out, sum, sizeof sum);
}

void cull_state_run(const cull_state_rows *rows, float *state, float *scratch)
{
    const factors f = place_factors(rows->k_width, scratch);
    float *decays = state + rows->k_width * COLS;
    float seen[COLS], w[COLS] = { 0 }, out[COLS];

    memcpy(f.decay, decays, rows->decays * sizeof(double));
    for (size_t i = 0; i < rows->n; i++) {
        const float *v = rows->v + i * rows->ldv;
        row_factors(rows, i, &f);
        shrink(rows->k_width, f.r, f.k_read, state, seen);
        for (size_t c = 0; c < rows->cols; c++)
            w[c] = rows->beta ? rows->beta[i * rows->ldb] * (v[c] - seen[c]) : v[c];
        write(rows->k_width, f.k_write, f.q_read, w, state, out);
        memcpy(rows->out + i * rows->ldv, out, rows->cols * sizeof *out);
    }
    memcpy(decays, f.decay, rows->decays * sizeof(double));
}
