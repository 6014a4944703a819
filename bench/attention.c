// Time attention alone over random rows: one line of JSON on stdout.
//
//     bench/attention SEQUENCES LENGTH HEADS KV_HEADS WIDTH WINDOW THREADS RUNS
//
// WINDOW 0: causal. Prints seconds of each run and the products' multiply-adds × 2 that causality
// and the window leave. bench/attention.py is its peer in torch.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/rng.h"
#include "bench.h"
#include "engine/kv.h"
#include "engine/run.h"
#include "support/fake_host.h"
#include "support/test.h"

typedef struct bench {
    cull_attention a;
    size_t sequences, length;
    cull_span *span;
    float *q, *k, *v, *out;
} bench;

static float *random_floats(cull_rng *rng, size_t n)
{
    float *x = cull_alloc(n, sizeof *x);

    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(2 * cull_rng_uniform(rng) - 1);
    return x;
}

static void make_rows(bench *b)
{
    const size_t n = b->sequences * b->length;
    cull_rng rng;

    cull_rng_init(&rng, 1, "bench", "attention");
    b->q = random_floats(&rng, n * b->a.H * b->a.qk_width);
    b->k = random_floats(&rng, n * b->a.KV * b->a.qk_width);
    b->v = random_floats(&rng, n * b->a.KV * b->a.v_width);
    b->out = cull_alloc(n * b->a.H * b->a.v_width, sizeof *b->out);
    b->span = cull_alloc(b->sequences, sizeof *b->span);
    assert_true(b->out && b->span);
    for (size_t i = 0; i < b->sequences; i++)
        b->span[i] = (cull_span){ .parent = CULL_ROOT,
                                  .kv_first = i * b->length,
                                  .n_kv = b->length,
                                  .row_first = i * b->length,
                                  .n_rows = b->length };
}

static double flops(const bench *b)
{
    double pairs = 0;

    for (size_t i = 0; i < b->length; i++)
        pairs += (double)(b->a.window && i + 1 > b->a.window ? b->a.window : i + 1);
    return 2 * pairs * (double)((b->a.qk_width + b->a.v_width) * b->a.H * b->sequences);
}

static void time_runs(const bench *b, size_t threads, size_t runs)
{
    const cull_kv kv = { .n_spans = b->sequences, .span = b->span };
    fake_host *host = fake_host_new(threads);
    cull_run run;

    assert_ok(host, cull_run_init(&run, fake_ctx(host), NULL, CULL_F32));
    cull_piece piece = cull_piece_outer(&run);
    piece.kv = &kv;
    piece.pass.core = &piece;
    (void)printf("{\"tokens\": %zu, \"gflop\": %.2f, \"seconds\": [", b->sequences * b->length,
                 flops(b) / 1e9);
    for (size_t r = 0; r < runs; r++) {
        const double start = bench_now();
        assert_ok(host, cull_attention_rows(&piece.pass, &b->a, b->q, b->k, b->v, b->out));
        (void)printf("%s%.4f", r ? ", " : "", bench_now() - start);
    }
    (void)printf("]}\n");
    cull_run_release(&run);
    fake_host_free(host);
}

int main(int argc, char **argv)
{
    size_t n[8];

    if (argc != 9) {
        (void)fprintf(stderr, "usage: attention SEQUENCES LENGTH HEADS KV_HEADS WIDTH WINDOW "
                              "THREADS RUNS\n");
        return 2;
    }
    for (size_t i = 0; i < 8; i++)
        n[i] = strtoul(argv[i + 1], NULL, 10);
    bench b = { .sequences = n[0], .length = n[1] };
    b.a = (cull_attention){ .H = n[2],
                            .KV = n[3],
                            .qk_width = n[4],
                            .v_width = n[4],
                            .scale = (float)(1 / sqrt((double)n[4])),
                            .window = n[5] };
    make_rows(&b);
    time_runs(&b, n[6], n[7]);
    cull_free(b.q);
    cull_free(b.k);
    cull_free(b.v);
    cull_free(b.out);
    cull_free(b.span);
    return 0;
}
