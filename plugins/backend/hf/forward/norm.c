// RMS and layer norms, sums in double.
#include <cull/kernel.h>

#include "pieces.h"

typedef struct norm_job {
    const hf_norm *norm;
    const float *x;
    float *y;
    size_t ldx, ldy;
} norm_job;

// Zhang and Sennrich 2019: x / √(mean x² + ε) · w
CULL_CLONES
static double sum_squares(size_t n, const float *x)
{
    double lane[8] = { 0 };
    double sum = 0;
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++)
            lane[j] += (double)x[i + j] * (double)x[i + j];
    for (; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    for (size_t j = 0; j < 8; j++)
        sum += lane[j];
    return sum;
}

CULL_CLONES
static void put_scaled(size_t n, const float *x, float scale, const float *w, float *y)
{
    for (size_t i = 0; w && i < n; i++)
        y[i] = w[i] * (x[i] * scale);
    for (size_t i = 0; !w && i < n; i++)
        y[i] = x[i] * scale;
}

static void rms_row(const hf_norm *norm, const float *x, float *y)
{
    const float mean = (float)(sum_squares(norm->n, x) / (double)norm->n);

    put_scaled(norm->n, x, 1 / sqrtf(mean + norm->eps), norm->w, y);
}

// Ba et al. 2016: (x − mean) / √(var + ε) · w + b
static void layer_row(const hf_norm *norm, const float *x, float *y)
{
    double sum = 0, square = 0;

    for (size_t i = 0; i < norm->n; i++)
        sum += x[i];
    const double mean = sum / (double)norm->n;
    for (size_t i = 0; i < norm->n; i++)
        square += (x[i] - mean) * (x[i] - mean);
    const double scale = 1 / sqrt(square / (double)norm->n + norm->eps);
    for (size_t i = 0; i < norm->n; i++)
        y[i] = (float)((x[i] - mean) * scale) * norm->w[i] + (norm->b ? norm->b[i] : 0);
}

void hf_norm_row(const hf_norm *norm, const float *x, float *y)
{
    (norm->centred ? layer_row : rms_row)(norm, x, y);
}

static void norm_block(void *arg, size_t first, size_t count)
{
    const norm_job *job = arg;

    for (size_t i = first; i < first + count; i++)
        hf_norm_row(job->norm, job->x + i * job->ldx, job->y + i * job->ldy);
}

void hf_norm_rows(cull_pass *pass, const hf_norm *norm, size_t n, const float *x, size_t ldx,
                  float *y, size_t ldy)
{
    norm_job job = { norm, x, y, ldx, ldy };

    pass->engine->rows(pass, n, norm_block, &job);
}

cull_status hf_last_norm(cull_pass *pass, const cull_model *m, size_t n, const float *h, float *hn)
{
    hf_norm_rows(pass, &m->final_norm, n, h, m->s.D, hn, m->s.D);
    return CULL_OK;
}
