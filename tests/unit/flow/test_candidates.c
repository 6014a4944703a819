// A search over counts per layer: what it proposes keeps to the budget, is new, and finds the best.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "flow/search/candidates.h"
#include "support/fake_host.h"
#include "support/test.h"

enum { L = 6 };

static const size_t most[L] = { 12, 12, 0, 5, 12, 28 };
static const double experts[L] = { 16, 16, 16, 16, 16, 32 };
static const cull_search_space space_of_tests = { L, 30, most, experts };

static cull_search_settings settings_of(int64_t by)
{
    return (cull_search_settings){
        .by = by, .population = 12, .generations = 60, .survivors = 3, .moves = 3, .experts = 4
    };
}

static void assert_within_budget(const cull_search_space *space, const size_t *gone)
{
    size_t sum = 0;

    for (size_t l = 0; l < space->L; l++) {
        assert_true(gone[l] <= space->most[l]);
        sum += gone[l];
    }
    assert_int_equal(sum, space->total);
}

// Against the definition: shares in proportion, whole parts first, then the largest remainders.
static void counts_are_shared_by_largest_remainder(void **state)
{
    const double weight[L] = { 1, 2, 7, 3, 4, 5 };
    const cull_search_space space = { L, 30, (const size_t[L]){ 99, 99, 99, 99, 99, 99 }, experts };
    const size_t want[L] = {
        1, 3, 10, 4, 5, 7
    }; // 30/22 of the weights: 1.36 2.73 9.55 4.09 5.45 6.82
    double room[L];
    size_t gone[L];

    (void)state;
    cull_spread_counts(&space, weight, room, gone);
    assert_memory_equal(gone, want, sizeof want);
}

static void a_full_layer_leaves_its_share_to_the_others(void **state)
{
    const double weight[L] = { 1, 1, 1, 1, 1, 1 };
    const cull_search_space space = { L, 50, most, experts };
    const size_t want[L] = { 12, 11, 0, 5, 11, 11 };
    double room[L];
    size_t gone[L];

    (void)state;
    cull_spread_counts(&space, weight, room, gone);
    assert_memory_equal(gone, want, sizeof want);
    const cull_search_space all = { L, 69, most, experts };
    cull_spread_counts(&all, weight, room, gone);
    assert_memory_equal(gone, most, sizeof most);
}

// Best at counts of its own in each layer.
static double fitness_of(const size_t *gone)
{
    static const double best[L] = { 1, 9, 0, 2, 5, 13 };
    double sum = 0;

    for (size_t l = 0; l < L; l++)
        sum -= ((double)gone[l] - best[l]) * ((double)gone[l] - best[l]);
    return sum;
}

static void search(cull_ctx *ctx, int64_t by, size_t generations, cull_candidates *scored)
{
    const cull_search_settings set = settings_of(by);
    const cull_search_space space = space_of_tests;

    for (size_t g = 0; g < generations; g++) {
        size_t n, *gone;
        double fitness[12];
        assert_int_equal(cull_propose(ctx, &set, &space, 7, g, scored, &n, &gone), CULL_OK);
        assert_true(n <= (size_t)(by == CULL_SEARCH_EVOLUTION && g ? 9 : 12));
        if (n == 0)
            return;
        for (size_t i = 0; i < n; i++) {
            const size_t *one = gone + i * L;
            assert_within_budget(&space, one);
            for (size_t j = 0; j < scored->n; j++)
                assert_memory_not_equal(one, scored->gone + j * L, L * sizeof *one);
            for (size_t j = 0; j < i; j++)
                assert_memory_not_equal(one, gone + j * L, L * sizeof *one);
            fitness[i] = fitness_of(one);
        }
        assert_int_equal(cull_candidates_add(ctx, scored, g, n, gone, fitness), CULL_OK);
    }
}

static void finds_the_best(int64_t by)
{
    fake_host *host = fake_host_new(1);
    cull_candidates scored = { .L = L };

    search(fake_ctx(host), by, 60, &scored);
    const size_t best = cull_fittest(&space_of_tests, &scored);
    assert_true(scored.fitness[best] == 0);
    assert_true(fitness_of(scored.gone) < 0); // an equal share, where both begin, is not it
    fake_host_free(host);
}

static void evolution_finds_the_best(void **state)
{
    (void)state;
    finds_the_best(CULL_SEARCH_EVOLUTION);
}

static void greedy_exchange_finds_the_best(void **state)
{
    (void)state;
    finds_the_best(CULL_SEARCH_GREEDY);
}

// Cut in two, a search proposes what it would have in one.
static void goes_on_where_it_was(int64_t by)
{
    fake_host *host = fake_host_new(1);
    cull_candidates whole = { .L = L }, part = { .L = L }, rest = { .L = L };
    const cull_search_settings set = settings_of(by);
    const cull_search_space space = { L, 30, most, experts };
    size_t n, *gone, m, *again;

    search(fake_ctx(host), by, 3, &whole);
    search(fake_ctx(host), by, 2, &part);
    assert_true(whole.n > part.n);
    assert_memory_equal(whole.gone, part.gone, part.n * L * sizeof *part.gone);
    assert_int_equal(cull_candidates_add(fake_ctx(host), &rest, 0, part.n, part.gone, part.fitness),
                     CULL_OK);
    assert_int_equal(cull_propose(fake_ctx(host), &set, &space, 7, 2, &rest, &n, &gone), CULL_OK);
    assert_memory_equal(gone, whole.gone + part.n * L, n * L * sizeof *gone);
    assert_int_equal(cull_propose(fake_ctx(host), &set, &space, 8, 2, &rest, &m, &again), CULL_OK);
    assert_true(m != n || memcmp(gone, again, n * L * sizeof *gone) != 0); // another seed, others
    fake_host_free(host);
}

static void evolution_goes_on_where_it_was(void **state)
{
    (void)state;
    goes_on_where_it_was(CULL_SEARCH_EVOLUTION);
}

static void greedy_exchange_goes_on_where_it_was(void **state)
{
    (void)state;
    goes_on_where_it_was(CULL_SEARCH_GREEDY);
}

static void a_small_space_comes_to_an_end(void **state)
{
    fake_host *host = fake_host_new(1);
    const cull_search_settings set = settings_of(CULL_SEARCH_EVOLUTION);
    const cull_search_space space = { 2, 1, (const size_t[]){ 4, 4 }, experts };
    cull_candidates scored = { .L = 2 };
    size_t n, *gone;

    (void)state;
    assert_int_equal(cull_propose(fake_ctx(host), &set, &space, 1, 0, &scored, &n, &gone), CULL_OK);
    assert_int_equal(n, 2);
    const double fitness[] = { NAN, 1 };
    assert_int_equal(cull_candidates_add(fake_ctx(host), &scored, 0, n, gone, fitness), CULL_OK);
    assert_int_equal(cull_fittest(&space, &scored),
                     1); // what could not be scored is never the best
    assert_int_equal(cull_propose(fake_ctx(host), &set, &space, 1, 1, &scored, &n, &gone), CULL_OK);
    assert_int_equal(n, 0);
    fake_host_free(host);
}

// ---- sensitivity ----

enum { FEW = 4 };

static const size_t few[FEW] = { 3, 3, 0, 2 };
static const cull_search_space small = { FEW, 4, few, experts };

// Losses that hang together, so that the whole is not the sum of its layers.
static double loss_of(const size_t *gone)
{
    static const double weight[FEW] = { 3, 1, 0, 2.5 };
    double sum = 0;

    for (size_t l = 0; l < FEW; l++)
        sum += weight[l] * pow((double)gone[l], 1.7);
    return sum + (double)(gone[0] * gone[1]);
}

static double sum_of_losses(const size_t *gone)
{
    double sum = 0;

    for (size_t l = 0; l < FEW; l++) {
        size_t alone[FEW] = { 0 };
        alone[l] = gone[l];
        sum += loss_of(alone);
    }
    return sum;
}

// The least sum of single losses, by trying all.
static double least_of_all(void)
{
    double least = INFINITY;

    for (size_t i = 0; i < 4 * 4 * 3; i++) {
        const size_t gone[FEW] = { i / 12, i / 3 % 4, 0, i % 3 };
        if (gone[0] + gone[1] + gone[3] == small.total)
            least = fmin(least, sum_of_losses(gone));
    }
    return least;
}

// Generations of so many, until none follows.
static void sensitivity(cull_ctx *ctx, int64_t population, double lost, cull_candidates *scored)
{
    cull_search_settings set = settings_of(CULL_SEARCH_SENSITIVITY);
    size_t n, *gone;

    set.population = population;
    for (size_t g = 0; g < 20; g++) {
        double fitness[12];
        assert_int_equal(cull_propose(ctx, &set, &small, 1, g, scored, &n, &gone), CULL_OK);
        assert_true(n <= (size_t)population);
        if (n == 0)
            return;
        for (size_t i = 0; i < n; i++)
            fitness[i] = scored->n + i == 2 ? lost : 7 - loss_of(gone + i * FEW);
        assert_int_equal(cull_candidates_add(ctx, scored, g, n, gone, fitness), CULL_OK);
    }
    fail_msg("no end");
}

static void sensitivity_cuts_each_layer_alone(void **state)
{
    const size_t singles[][FEW] = { { 0 },          { 1, 0, 0, 0 }, { 2, 0, 0, 0 },
                                    { 3, 0, 0, 0 }, { 0, 1, 0, 0 }, { 0, 2, 0, 0 },
                                    { 0, 3, 0, 0 }, { 0, 0, 0, 1 }, { 0, 0, 0, 2 } };
    const size_t n = sizeof singles / sizeof *singles;

    (void)state;
    assert_int_equal(cull_single_cuts(&small), n);
    for (int64_t population = 2; population <= 12; population += 5) {
        fake_host *host = fake_host_new(1);
        cull_candidates scored = { .L = FEW };
        sensitivity(fake_ctx(host), population, 7 - loss_of(singles[2]), &scored);
        assert_int_equal(scored.n, n + 1);
        assert_memory_equal(scored.gone, singles, sizeof singles);
        const size_t *found = scored.gone + n * FEW;
        assert_int_equal(found[0] + found[1] + found[2] + found[3], small.total);
        assert_float_equal(sum_of_losses(found), least_of_all(), 1e-12);
        assert_int_equal(cull_fittest(&small, &scored), n); // none of the others goes so far
        fake_host_free(host);
    }
}

// A layer's cut that could not be scored is not part of what is chosen.
static void sensitivity_passes_over_what_has_no_score(void **state)
{
    fake_host *host = fake_host_new(1);
    cull_candidates scored = { .L = FEW };

    (void)state;
    sensitivity(fake_ctx(host), 12, NAN, &scored); // two fewer in layer 0
    assert_int_equal(scored.n, 10);
    assert_int_not_equal(scored.gone[9 * FEW], 2);
    fake_host_free(host);
}

static void equal_losses_are_taken_from_the_lower_layers(void **state)
{
    fake_host *host = fake_host_new(1);
    cull_search_settings set = settings_of(CULL_SEARCH_SENSITIVITY);
    cull_candidates scored = { .L = FEW };
    const double fitness[9] = { 0 };
    const size_t want[FEW] = { 3, 1, 0, 0 };
    size_t n, *gone;

    (void)state;
    assert_int_equal(cull_propose(fake_ctx(host), &set, &small, 1, 0, &scored, &n, &gone), CULL_OK);
    assert_int_equal(cull_candidates_add(fake_ctx(host), &scored, 0, n, gone, fitness), CULL_OK);
    assert_int_equal(cull_propose(fake_ctx(host), &set, &small, 1, 1, &scored, &n, &gone), CULL_OK);
    assert_int_equal(n, 1);
    assert_memory_equal(gone, want, sizeof want);
    fake_host_free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_shared_by_largest_remainder),
        cmocka_unit_test(a_full_layer_leaves_its_share_to_the_others),
        cmocka_unit_test(evolution_finds_the_best),
        cmocka_unit_test(greedy_exchange_finds_the_best),
        cmocka_unit_test(evolution_goes_on_where_it_was),
        cmocka_unit_test(greedy_exchange_goes_on_where_it_was),
        cmocka_unit_test(a_small_space_comes_to_an_end),
        cmocka_unit_test(sensitivity_cuts_each_layer_alone),
        cmocka_unit_test(sensitivity_passes_over_what_has_no_score),
        cmocka_unit_test(equal_losses_are_taken_from_the_lower_layers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
