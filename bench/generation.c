// Time greedy generation: one line of JSON on stdout.
//
//     bench/generation MODEL PROMPTS LENGTH NEW THREADS RUNS [VARIANTS]
//
// PROMPTS prompts of LENGTH random tokens, NEW further ones each, by the whole model or by that
// many random half cuts at once. bench/peers.py has transformers' generate with the same arguments.
// Prints seconds of each run by the clock and of all threads, and the tokens that all variants
// made.
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "bench.h"
#include "bench_cut.h"
#include "engine/engine.h"
#include "support/fake_host.h"
#include "support/model.h"
#include "support/test.h"

typedef struct bench {
    fake_host *host;
    test_model model;
    size_t n, length, new_tokens, variants;
    const cull_request **request; // (n)
    const cull_cut **cut;         // (variants) NULL: the whole model
} bench;

static void make_requests(bench *b)
{
    int32_t *ids = cull_take(fake_ctx(b->host), b->n * b->length, sizeof *ids);
    cull_request *request = cull_take(fake_ctx(b->host), b->n, sizeof *request);
    cull_rng rng;

    b->request = cull_take(fake_ctx(b->host), b->n, sizeof *b->request);
    assert_true(ids && request && b->request);
    cull_rng_init(&rng, 1, "bench", "generation");
    for (size_t i = 0; i < b->n * b->length; i++)
        ids[i] = (int32_t)cull_rng_below(&rng, b->model.opened.facts->V);
    for (size_t i = 0; i < b->n; i++) {
        request[i] = (cull_request){ .kind = CULL_GENERATE,
                                     .ids = ids + i * b->length,
                                     .n = b->length,
                                     .max_new = b->new_tokens };
        b->request[i] = request + i;
    }
}

static void make_cuts(bench *b)
{
    cull_rng rng;

    b->cut = cull_take(fake_ctx(b->host), b->variants, sizeof *b->cut);
    assert_non_null(b->cut);
    cull_rng_init(&rng, 2, "bench", "generation");
    for (size_t v = 0; b->variants > 1 && v < b->variants; v++)
        b->cut[v] = bench_cut(b->host, &b->model.opened, &rng);
}

int main(int argc, char **argv)
{
    if (argc != 7 && argc != 8) {
        (void)fprintf(stderr,
                      "usage: generation MODEL PROMPTS LENGTH NEW THREADS RUNS [VARIANTS]\n");
        return 2;
    }
    bench b = { .host = fake_host_new(strtoul(argv[5], NULL, 10)),
                .n = strtoul(argv[2], NULL, 10),
                .length = strtoul(argv[3], NULL, 10),
                .new_tokens = strtoul(argv[4], NULL, 10),
                .variants = argc == 8 ? strtoul(argv[7], NULL, 10) : 1 };
    const size_t runs = strtoul(argv[6], NULL, 10);
    size_t made = 0;

    test_model_open(b.host, argv[1], CULL_OPEN_WEIGHTS | CULL_OPEN_TOKENIZER, &b.model);
    make_requests(&b);
    make_cuts(&b);
    cull_answer *answer = cull_take(fake_ctx(b.host), b.n * b.variants, sizeof *answer);
    double *cpu = cull_take(fake_ctx(b.host), runs, sizeof *cpu);
    assert_true(answer && cpu);
    (void)printf("{\"seconds\": [");
    for (size_t r = 0; r < runs; r++) {
        cull_cost_seen cost = { 0 };
        const double start = bench_now(), begun = bench_cpu();
        assert_ok(b.host, cull_evaluate_pass(fake_ctx(b.host), &b.model.opened, NULL, b.variants,
                                             b.cut, b.n, b.request, answer, &cost));
        (void)printf("%s%.4f", r ? ", " : "", bench_now() - start);
        cpu[r] = bench_cpu() - begun;
    }
    for (size_t i = 0; i < b.n * b.variants; i++)
        made += answer[i].n;
    (void)printf("], \"cpu_seconds\": [");
    for (size_t r = 0; r < runs; r++)
        (void)printf("%s%.4f", r ? ", " : "", cpu[r]);
    (void)printf("], \"new_tokens\": %zu}\n", made);
    test_model_close(&b.model);
    fake_host_free(b.host);
    return 0;
}
