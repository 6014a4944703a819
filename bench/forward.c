// Time the engine's forward pass over random tokens: one line of JSON on stdout.
//
//     bench-forward MODEL SEQUENCES LENGTH VARIANTS THREADS RUNS
//
// VARIANTS > 1 evaluates that many random half cuts at once. Prints seconds of each run, tokens, weight bytes
// touched, and the peak of memory.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "base/rng.h"
#include "engine/engine.h"
#include "support/fake_host.h"
#include "support/test.h"

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static cull_opened open_model(fake_host *host, const char *path)
{
    const cull_plugin *hf = fake_plugin(host, "backend", "hf");
    void *settings = fake_settings(host, hf);
    cull_opened m = { .backend = hf->vtable };

    fake_set(host, hf, settings, "path", path);
    assert_ok(host, m.backend->open(fake_ctx(host), settings, CULL_OPEN_WEIGHTS, &m.model));
    m.facts = m.backend->facts(m.model);
    return m;
}

// Half of each layer's experts, at random.
static cull_cut *random_cut(fake_host *host, const cull_opened *m, cull_rng *rng)
{
    size_t E[256];

    for (size_t l = 0; l < m->facts->L; l++)
        E[l] = cull_layer_of(m, l)->E;
    cull_cut *cut = cull_cut_new(fake_ctx(host), m->facts->L, m->facts->D, E);
    assert_non_null(cut);
    for (size_t l = 0; l < m->facts->L; l++)
        for (size_t left = E[l] / 2; left;) {
            const size_t e = (size_t)cull_rng_below(rng, E[l]);
            left -= cut->layer[l].action[e] == CULL_ACTION_BASE;
            cut->layer[l].action[e] = CULL_ACTION_DROP;
        }
    return cut;
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        (void)fprintf(stderr, "usage: bench-forward MODEL SEQUENCES LENGTH VARIANTS THREADS RUNS\n");
        return 2;
    }
    const size_t n = strtoul(argv[2], NULL, 10), len = strtoul(argv[3], NULL, 10);
    const size_t variants = strtoul(argv[4], NULL, 10), runs = strtoul(argv[6], NULL, 10);
    fake_host *host = fake_host_new(strtoul(argv[5], NULL, 10));
    const cull_opened m = open_model(host, argv[1]);
    int32_t *ids = cull_take(fake_ctx(host), n * (len + 1), sizeof *ids);
    cull_request *request = cull_take(fake_ctx(host), n, sizeof *request);
    const cull_request **list = cull_take(fake_ctx(host), n, sizeof *list);
    const cull_cut **cut = cull_take(fake_ctx(host), variants, sizeof *cut);
    cull_answer *answer = cull_take(fake_ctx(host), n * variants, sizeof *answer);
    cull_rng rng;

    assert_true(ids && request && list && cut && answer);
    cull_rng_init(&rng, 1, "bench", "forward");
    for (size_t i = 0; i < n * (len + 1); i++)
        ids[i] = (int32_t)cull_rng_below(&rng, m.facts->V);
    for (size_t i = 0; i < n; i++) {
        request[i] = (cull_request){ .ids = ids + i * (len + 1), .n = len + 1, .scored = 1 };
        list[i] = request + i;
    }
    for (size_t v = 0; variants > 1 && v < variants; v++)
        cut[v] = random_cut(host, &m, &rng);

    cull_cost_seen cost = { 0 };
    (void)printf("{\"tokens\": %zu, \"variants\": %zu, \"seconds\": [", n * len, variants);
    for (size_t r = 0; r < runs; r++) {
        const double t0 = now();
        assert_ok(host, cull_evaluate_pass(fake_ctx(host), &m, NULL, variants, cut, n, list, answer, &cost));
        (void)printf("%s%.4f", r ? ", " : "", now() - t0);
    }
    (void)printf("], \"weight_bytes\": %llu, \"gflop\": %.1f, \"peak_mib\": %llu}\n",
                 (unsigned long long)(cost.weight_bytes / runs), (double)cost.flops / 1e9 / (double)runs,
                 (unsigned long long)(cull_peak_memory() >> 20));
    m.backend->close(m.model);
    fake_host_free(host);
    return 0;
}
