// Time the engine's forward pass over random tokens: one line of JSON on stdout.
//
//     bench/forward MODEL SEQUENCES LENGTH VARIANTS THREADS RUNS [PRECISION]
//
// VARIANTS > 1 evaluates that many random half cuts at once. PRECISION: f32, if none is said.
// Prints seconds of each run by the clock and of all threads, tokens, weight bytes touched, and the
// peak of memory.
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/rng.h"
#include "bench.h"
#include "bench_cut.h"
#include "engine/engine.h"
#include "support/fake_host.h"
#include "support/opened.h"
#include "support/test.h"

typedef struct bench {
    fake_host *host;
    cull_open_model m;
    size_t n, length, variants;
    cull_precision precision;
    const cull_request **request; // (n) one continuation of a token after `length` tokens
    const cull_cut **cut;         // (variants) NULL: the whole model
} bench;

static void make_requests(bench *b, cull_rng *rng)
{
    int32_t *ids = cull_take(fake_ctx(b->host), b->n * (b->length + 1), sizeof *ids);
    cull_request *request = cull_take(fake_ctx(b->host), b->n, sizeof *request);

    b->request = cull_take(fake_ctx(b->host), b->n, sizeof *b->request);
    assert_true(ids && request && b->request);
    for (size_t i = 0; i < b->n * (b->length + 1); i++)
        ids[i] = (int32_t)cull_rng_below(rng, b->m.facts->V);
    for (size_t i = 0; i < b->n; i++) {
        request[i] = (cull_request){ .size = sizeof(cull_request),
                                     .ids = ids + i * (b->length + 1),
                                     .n = b->length + 1,
                                     .scored = 1 };
        b->request[i] = request + i;
    }
}

static void make_cuts(bench *b, cull_rng *rng)
{
    b->cut = cull_take(fake_ctx(b->host), b->variants, sizeof *b->cut);
    assert_non_null(b->cut);
    for (size_t v = 0; b->variants > 1 && v < b->variants; v++)
        b->cut[v] = bench_cut(b->host, &b->m, rng);
}

static void time_passes(bench *b, size_t runs)
{
    cull_answer *answer = cull_take(fake_ctx(b->host), b->n * b->variants, sizeof *answer);
    const cull_engine_options options = { .precision = b->precision };
    cull_cost_seen cost = { 0 };
    double *cpu = cull_take(fake_ctx(b->host), runs, sizeof *cpu);

    assert_true(answer && cpu);
    (void)printf("{\"tokens\": %zu, \"variants\": %zu, \"seconds\": [", b->n * b->length,
                 b->variants);
    for (size_t r = 0; r < runs; r++) {
        const double start = bench_now(), begun = bench_cpu();
        assert_ok(b->host, cull_evaluate_pass(fake_ctx(b->host), &b->m, &options, b->variants,
                                              b->cut, b->n, b->request, answer, &cost));
        (void)printf("%s%.4f", r ? ", " : "", bench_now() - start);
        cpu[r] = bench_cpu() - begun;
    }
    (void)printf("], \"cpu_seconds\": [");
    for (size_t r = 0; r < runs; r++)
        (void)printf("%s%.4f", r ? ", " : "", cpu[r]);
    (void)printf("], \"weight_bytes\": %llu, \"gflop\": %.1f, \"peak_mib\": %llu}\n",
                 (unsigned long long)(cost.weight_bytes / runs),
                 (double)cost.flops / 1e9 / (double)runs,
                 (unsigned long long)(cull_peak_memory() >> 20));
}

int main(int argc, char **argv)
{
    cull_precision precision = CULL_F32;

    if (argc < 7 || argc > 8 || (argc == 8 && !cull_precision_of(argv[7], &precision))) {
        (void)fprintf(stderr,
                      "usage: forward MODEL SEQUENCES LENGTH VARIANTS THREADS RUNS [PRECISION]\n");
        return 2;
    }
    bench b = { .host = fake_host_new(strtoul(argv[5], NULL, 10)),
                .n = strtoul(argv[2], NULL, 10),
                .length = strtoul(argv[3], NULL, 10),
                .variants = strtoul(argv[4], NULL, 10),
                .precision = precision };
    cull_rng rng;

    b.m = opened_at(b.host, argv[1]);
    cull_rng_init(&rng, 1, "bench", "forward");
    make_requests(&b, &rng);
    make_cuts(&b, &rng);
    time_passes(&b, strtoul(argv[6], NULL, 10));
    opened_close(&b.m);
    fake_host_free(b.host);
    return 0;
}
