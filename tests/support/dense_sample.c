// A plain twin of the dense sample.
#include "support/dense_sample.h"

#include <math.h>
#include <stdio.h>

#include "math/blas.h"
#include "support/test.h"

static void *take(tinyworld *world, size_t n, size_t size)
{
    void *p = cull_take(fake_ctx(world->host), n, size);

    assert_non_null(p);
    return p;
}

static double *matrix(tinyworld *world, cull_matrix_id where, size_t *rows, size_t *cols)
{
    const float *w = tinyworld_matrix(world, where, rows, cols);
    double *out = take(world, *rows * *cols, sizeof *out);

    for (size_t i = 0; i < *rows * *cols; i++)
        out[i] = (double)w[i];
    return out;
}

// y (N, rows) = x (N, cols) Wᵀ; y is a slice of wider rows of ldy numbers.
static void linear(tinyworld *world, cull_matrix_id where, size_t N, const double *x, double *y,
                   size_t ldy)
{
    size_t rows = 0;
    size_t cols = 0;
    const double *w = matrix(world, where, &rows, &cols);

    assert_true(cull_gemm_f64(false, true, N, rows, cols, 1, x, cols, w, cols, 0, y, ldy));
}

// One expert's outputs into y, (N, D) with rows of ldy.
static void run_expert(tinyworld *world, size_t l, size_t e, size_t N, const double *x, double *y,
                       size_t ldy)
{
    const size_t F = world->layer[l].F;
    double *a = take(world, N * F, sizeof *a);
    double *u = take(world, N * F, sizeof *u);

    linear(world, cull_at_expert(l, CULL_PART_GATE, e), N, x, a, F);
    linear(world, cull_at_expert(l, CULL_PART_UP, e), N, x, u, F);
    for (size_t i = 0; i < N * F; i++)
        u[i] *= a[i] / (1 + exp(-a[i]));
    linear(world, cull_at_expert(l, CULL_PART_DOWN, e), N, u, y, ldy);
}

// The model's gates of one token, 0 where an expert is not chosen.
static void route_token(const cull_layer_facts *layer, const double *z, float *gate)
{
    double p[64];
    bool chosen[64] = { false };
    double all = 0;
    double sum = 0;

    for (size_t e = 0; e < layer->E; e++)
        all += p[e] = exp(z[e]);
    for (size_t k = 0; k < layer->K; k++) {
        size_t best = layer->E;
        for (size_t e = 0; e < layer->E; e++)
            if (!chosen[e] && (best == layer->E || p[e] > p[best]))
                best = e;
        chosen[best] = true;
        sum += p[best];
    }
    for (size_t e = 0; e < layer->E; e++)
        gate[e] = chosen[e] ? (float)(p[e] / (layer->renormalise ? sum : all)) : 0.0F;
}

const cull_dense_sample *dense_sample_of(tinyworld *world, golden *subsets, size_t l)
{
    char name[64];
    const size_t E = world->layer[l].E;
    const size_t D = TINYWORLD_D;
    size_t n = 0;

    snprintf(name, sizeof name, "layer.%zu.moe_input", l);
    const double *x = golden_numbers(subsets, name, &n);
    const size_t N = n / D;
    snprintf(name, sizeof name, "layer.%zu.residual_norm2", l);
    const double *norm = golden_numbers(subsets, name, &n);

    double *z = take(world, N * E, sizeof *z);
    double *y = take(world, N * E * D, sizeof *y);
    double *gram = take(world, E * E, sizeof *gram);
    linear(world, cull_at(l, CULL_PART_ROUTER), N, x, z, E);
    for (size_t e = 0; e < E; e++)
        run_expert(world, l, e, N, x, y + e * D, E * D);

    float *logits = take(world, N * E, sizeof *logits);
    float *gate = take(world, N * E, sizeof *gate);
    float *grams = take(world, N * E * E, sizeof *grams);
    double *weight = take(world, N, sizeof *weight);
    uint32_t *group = take(world, N, sizeof *group);
    for (size_t t = 0; t < N; t++) {
        assert_true(cull_syrk_f64(false, E, D, y + t * E * D, D, 0, gram, E));
        for (size_t i = 0; i < E; i++)
            for (size_t j = 0; j < E; j++)
                grams[(t * E + i) * E + j] = (float)gram[i > j ? i * E + j : j * E + i];
        for (size_t e = 0; e < E; e++)
            logits[t * E + e] = (float)z[t * E + e];
        route_token(&world->layer[l], z + t * E, gate + t * E);
        weight[t] = 1 / norm[t];
        group[t] = (uint32_t)(t / 256);
    }
    cull_dense_sample *out = take(world, 1, sizeof *out);
    *out = (cull_dense_sample){ .size = sizeof(cull_dense_sample),
                                .N = N,
                                .logits = logits,
                                .gram = grams,
                                .gate = gate,
                                .weight = weight,
                                .group = group };
    return out;
}
