// What a generation of a search costs: its candidates in one pass, beside a pass for each of them.
//
//     bench/search MODEL [SEQUENCES LENGTH THREADS ALONE]
//
// 32 candidates, a quarter of the experts gone: those with which evolution begins, and those that
// it makes of them. As overlap needs it, each pass runs the dense model along. Token ids are
// random, and which experts go; ALONE candidates (4; of embedded models let it be 32) are run by
// themselves, each in a turn with the others, and what they take is multiplied.
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "bench.h"
#include "cut/cut.h"
#include "engine/engine.h"
#include "flow/search/candidates.h"
#include "support/fake_host.h"
#include "support/opened.h"
#include "support/test.h"

enum { CANDIDATES = 32 };

typedef struct bench {
    fake_host *host;
    cull_open_model m;
    const cull_layer_facts *const *facts; // (L)
    size_t n, length;
    const cull_request **request; // (n)
    cull_rng rng;
} bench;

static void make_requests(bench *b)
{
    cull_ctx *ctx = fake_ctx(b->host);
    int32_t *ids = cull_take(ctx, b->n * b->length, sizeof *ids);
    cull_request *at = cull_take(ctx, b->n, sizeof *at);

    b->request = cull_take(ctx, b->n, sizeof *b->request);
    assert_true(ids && at && b->request);
    for (size_t i = 0; i < b->n * b->length; i++)
        ids[i] = (int32_t)cull_rng_below(&b->rng, b->m.facts->V);
    for (size_t i = 0; i < b->n; i++) {
        at[i] = (cull_request){ .size = sizeof at[i],
                                .wants = CULL_WANT_OVERLAP,
                                .ids = ids + i * b->length,
                                .n = b->length,
                                .scored = b->length - 1 };
        b->request[i] = &at[i];
    }
}

// The candidates of generation 0, or of generation 1 after fitness by chance.
static size_t *propose(bench *b, size_t generation)
{
    const cull_search_settings set = {
        .population = CANDIDATES, .survivors = 4, .moves = 3, .experts = 4
    };
    const size_t L = b->m.facts->L;
    cull_ctx *ctx = fake_ctx(b->host);
    size_t most[256], n, *gone;
    double experts[256], fitness[CANDIDATES];
    cull_search_space space = { L, 0, most, experts };
    cull_candidates scored = { .L = L };

    assert_true(L <= 256);
    for (size_t l = 0; l < L; l++) {
        const size_t E = b->facts[l]->E;
        most[l] = E - b->facts[l]->K;
        experts[l] = (double)E;
        space.total += E / 4;
    }
    assert_ok(b->host, cull_propose(ctx, &set, &space, 1, 0, &scored, &n, &gone));
    assert_int_equal(n, CANDIDATES);
    if (generation == 0)
        return gone;
    for (size_t i = 0; i < n; i++)
        fitness[i] = cull_rng_uniform(&b->rng);
    assert_ok(b->host, cull_candidates_add(ctx, &scored, 0, n, gone, fitness));
    const cull_search_settings later = {
        .population = CANDIDATES + 4, .survivors = 4, .moves = 3, .experts = 4
    };
    assert_ok(b->host, cull_propose(ctx, &later, &space, 1, 1, &scored, &n, &gone));
    assert_int_equal(n, CANDIDATES);
    return gone;
}

// One order of experts in each layer, as a criterion would give it, for all candidates.
static void make_cuts(bench *b, size_t generation, const cull_cut **cut)
{
    cull_ctx *ctx = fake_ctx(b->host);
    const size_t L = b->m.facts->L, *gone = propose(b, generation);
    size_t E[256], **order = cull_take(ctx, L, sizeof *order);

    assert_non_null(order);
    for (size_t l = 0; l < L; l++) {
        E[l] = b->facts[l]->E;
        order[l] = cull_take(ctx, E[l], sizeof **order);
        assert_non_null(order[l]);
        cull_rng_shuffle(&b->rng, E[l], order[l]);
    }
    for (size_t i = 0; i < CANDIDATES; i++) {
        cull_cut *one = cull_cut_new(ctx, L, b->m.facts->D, E);
        assert_non_null(one);
        for (size_t l = 0; l < L; l++)
            for (size_t e = 0; e < gone[i * L + l]; e++)
                one->layer[l].action[order[l][e]] = CULL_ACTION_DROP;
        cut[i] = one;
    }
}

static double pass(bench *b, size_t n_variants, const cull_cut *const *cuts)
{
    cull_answer *answers = cull_alloc(n_variants * b->n, sizeof *answers);

    assert_non_null(answers);
    const double start = bench_cpu();
    assert_ok(b->host, cull_evaluate_pass(fake_ctx(b->host), &b->m, NULL, n_variants, cuts, b->n,
                                          b->request, answers, NULL));
    const double took = bench_cpu() - start;
    cull_free(answers);
    return took;
}

static void compare(bench *b, size_t generation, size_t alone)
{
    const cull_cut *cut[CANDIDATES];
    bench_times single = { 0 };
    double sum = 0;

    make_cuts(b, generation, cut);
    (void)pass(b, 1, cut); // the weights are in memory from here on
    const double together = pass(b, CANDIDATES, cut);
    for (size_t i = 0; i < alone; i++) {
        const double took = pass(b, 1, &cut[i * CANDIDATES / alone]);
        sum += took;
        if (single.n < BENCH_RUNS)
            single.s[single.n++] = took;
    }
    const bench_summary s = bench_sum_up(single);
    printf(
        "generation %zu: %.2f processor s together, %.2f s one by one (a candidate: %.3f, %.3f ... "
        "%.3f): %.1f %%\n",
        generation + 1, together, sum / (double)alone * CANDIDATES, s.median, s.low, s.high,
        100 * together / (sum / (double)alone * CANDIDATES));
}

int main(int argc, char **argv)
{
    if (argc != 2 && argc != 6) {
        (void)fprintf(stderr, "usage: search MODEL [SEQUENCES LENGTH THREADS ALONE]\n");
        return 2;
    }
    bench b = { .n = argc == 6 ? strtoul(argv[2], NULL, 10) : 8,
                .length = argc == 6 ? strtoul(argv[3], NULL, 10) : 256,
                .host = fake_host_new(argc == 6 ? strtoul(argv[4], NULL, 10) : 0) };
    const size_t alone = argc == 6 ? strtoul(argv[5], NULL, 10) : 4;

    assert_true(alone >= 1 && alone <= CANDIDATES);
    b.m = opened_at(b.host, argv[1]);
    b.facts = opened_facts(b.host, &b.m);
    cull_rng_init(&b.rng, 1, "bench", "search");
    make_requests(&b);
    printf(
        "%d candidates, %zu layers of %zu experts, %zu x %zu tokens, vocabulary %zu, %zu threads\n",
        CANDIDATES, b.m.facts->L, b.facts[0]->E, b.n, b.length, b.m.facts->V,
        cull_pool_threads(b.host->pool));
    for (size_t generation = 0; generation < 2; generation++)
        compare(&b, generation, alone);
    opened_close(&b.m);
    fake_host_free(b.host);
    return 0;
}
