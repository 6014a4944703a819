// Experts of trials, and rank correlations.
#include "support/test.h"

#include <cmocka.h>
#include <jansson.h>
#include <math.h>

#include "results/experts.h"

static json_t *truth; // agreement.json, by make_agreement.py

static int load(void **state)
{
    (void)state;
    truth = json_load_file(CULL_SOURCE_DIR "/tests/unit/results/agreement.json", 0, NULL);
    return truth ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    json_decref(truth);
    return 0;
}

static void rank_correlations(void **state)
{
    (void)state;
    const size_t L = (size_t)json_integer_value(json_object_get(truth, "L"));
    const size_t E = (size_t)json_integer_value(json_object_get(truth, "E"));
    double a[64], b[64], ranks_a[64], ranks_b[64];
    for (size_t i = 0; i < L * E; i++) {
        a[i] = json_number_value(json_array_get(json_object_get(truth, "a"), i));
        b[i] = json_number_value(json_array_get(json_object_get(truth, "b"), i));
    }
    cull_rank_layers(L, E, a, ranks_a);
    cull_rank_layers(L, E, b, ranks_b);
    const double rho = cull_rank_correlation(L, E, ranks_a, ranks_b);
    assert_true(fabs(rho - json_number_value(json_object_get(truth, "rho"))) < 1e-12);
    assert_true(fabs(cull_rank_correlation(L, E, ranks_a, ranks_a) - 1) < 1e-12);
}

static void ranks_within_a_layer(void **state)
{
    (void)state;
    const double score[] = { 5, 1, 3, 3, NAN };
    double rank[5];
    cull_rank_layers(1, 5, score, rank);
    assert_true(rank[0] == 1 && rank[1] == 0 && rank[2] == 0.5 && rank[3] == 0.5 && isnan(rank[4]));
}

// Sets of x and y experts out of n; the first ones, so that they overlap in the smaller.
static void overlaps_and_chance(void **state)
{
    (void)state;
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(truth, "chance"), i, row)
    {
        const size_t n = (size_t)json_integer_value(json_array_get(row, 0));
        const size_t x = (size_t)json_integer_value(json_array_get(row, 1));
        const size_t y = (size_t)json_integer_value(json_array_get(row, 2));
        uint8_t a[66], b[66];
        memset(a, 255, sizeof a); // two more that are no experts
        memset(b, 255, sizeof b);
        for (size_t e = 0; e < n; e++) {
            a[e] = e >= x;
            b[e] = e >= y;
        }
        const cull_overlap o = cull_removed_overlap(1, n + 2, a, b);
        assert_true(fabs(o.jaccard - (double)(x < y ? x : y) / (double)(x < y ? y : x)) < 1e-12);
        assert_true(fabs(o.chance - json_number_value(json_array_get(row, 3))) < 1e-10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rank_correlations),
        cmocka_unit_test(ranks_within_a_layer),
        cmocka_unit_test(overlaps_and_chance),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
