// AIMER against numpy (tests/golden/methods/make_channels.py), and what it makes of odd experts.
#include <math.h>
#include <stdio.h>

#include "support/fixture.h"
#include "support/methods.h"

#include "support/assert_close.h"
#include "support/test.h"

WORLDS_FIXTURE

static void ratios_are_numpys(void **state)
{
    (void)state;
    for (size_t w = 0; w < 2; w++) {
        golden *channels = tinyworld_golden(worlds[w], "channels");
        const cull_scores *got = methods_score(worlds[w], "aimer", NULL);

        for (size_t l = 0; l < TINYWORLD_L; l++) {
            char name[64];
            size_t n;

            snprintf(name, sizeof name, "layer.%zu.aimer", l);
            const double *want = golden_numbers(channels, name, &n);
            assert_int_equal(n, worlds[w]->layer[l].E);
            for (size_t e = 0; e < n; e++)
                assert_true(fabs(got->expert[l][e] + want[e]) < 1e-12);
        }
        golden_close(channels);
    }
}

// The matrices of a made-up layer: expert 0 zero, 1 and 2 alike, 3 constant, others of the model,
// in the order that `turned` says.
typedef struct odd_world {
    tinyworld world; // first
    bool turned;
} odd_world;

static const float *fill(cull_ctx *ctx, size_t n, float value)
{
    float *w = cull_take(ctx, n, sizeof *w);

    assert_non_null(w);
    for (size_t i = 0; i < n; i++)
        w[i] = value;
    return w;
}

static cull_status odd_weights(cull_ctx *ctx, const cull_view *view, cull_matrix_id where,
                               const float **w, size_t *rows, size_t *cols, const float **bias)
{
    odd_world *odd = view->core;
    const size_t E = odd->world.layer[where.layer].E;

    (void)bias;
    if (odd->turned)
        where.expert = (uint32_t)(E - 1 - where.expert);
    const uint32_t expert = where.expert;
    if (expert == 2)
        where.expert = 1;
    *w = tinyworld_matrix(&odd->world, where, rows, cols);
    if (expert == 0)
        *w = fill(ctx, *rows * *cols, 0.0f);
    if (expert == 3)
        *w = fill(ctx, *rows * *cols, -0.5f);
    return CULL_OK;
}

static const cull_scores *odd_scores(odd_world *odd, bool turned)
{
    odd->world = *worlds[0];
    odd->turned = turned;
    odd->world.view.core = odd;
    odd->world.view.weights = odd_weights;
    return methods_score(&odd->world, "aimer", NULL);
}

static void odd_experts_have_their_place(void **state)
{
    odd_world odd;
    const cull_scores *s = odd_scores(&odd, false);

    (void)state;
    for (size_t l = 0; l < TINYWORLD_L; l++) {
        assert_true(s->expert[l][0] == 0.0); // zeros are kept to the end
        assert_true(s->expert[l][1] == s->expert[l][2]);
        assert_true(fabs(s->expert[l][3] + 1.0) < 1e-12); // one size goes first
        for (size_t e = 4; e < odd.world.layer[l].E; e++)
            assert_true(s->expert[l][e] > s->expert[l][3] && s->expert[l][e] < 0.0);
    }
}

static void scores_follow_their_experts(void **state)
{
    odd_world plain, turned;
    const cull_scores *a = odd_scores(&plain, false), *b = odd_scores(&turned, true);
    const size_t E = plain.world.layer[0].E;

    (void)state;
    for (size_t l = 0; l < TINYWORLD_L; l++)
        for (size_t e = 0; e < E; e++)
            assert_true(a->expert[l][e] == b->expert[l][E - 1 - e]);
}

static void dropped_experts_are_passed_over(void **state)
{
    tinyworld world = *worlds[0];
    cull_cut *before = tinyworld_cut(&world);
    const cull_scores *all = methods_score(&world, "aimer", NULL);

    (void)state;
    before->layer[1].action[4] = CULL_ACTION_DROP;
    world.view.before = before;
    const cull_scores *rest = methods_score(&world, "aimer", NULL);
    assert_true(rest->expert[1][4] == 0.0);
    assert_true(rest->expert[1][5] == all->expert[1][5]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ratios_are_numpys),
        cmocka_unit_test(odd_experts_have_their_place),
        cmocka_unit_test(scores_follow_their_experts),
        cmocka_unit_test(dropped_experts_are_passed_over),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
