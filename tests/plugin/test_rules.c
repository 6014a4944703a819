// Strategies fixed-k and skip: rules for the router, nothing removed.
#include "support/methods.h"

#include <stdio.h>

#include "support/test.h"

static fake_host *host;
static tinyworld *world;
static const cull_scores none = { .size = sizeof none, .form = CULL_FORM_NONE, .L = TINYWORLD_L };

static int open_world(void **state)
{
    (void)state;
    host = fake_host_new(1);
    world = tinyworld_open(host, "tinyworld-olmoe");
    methods_stats(world);
    for (size_t l = 0; l < TINYWORLD_L; l++)
        world->layer_stats[l].ratio_median = 0.1 * (double)(l + 1);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    tinyworld_close(world);
    fake_host_free(host);
    return 0;
}

static void assert_nothing_removed(const cull_cut *cut)
{
    for (size_t l = 0; l < cut->L; l++)
        for (size_t e = 0; e < cut->layer[l].E; e++)
            assert_int_equal(cut->layer[l].action[e], CULL_ACTION_BASE);
    assert_int_equal(cut->n_overlays, 0);
}

static void fixed_k_sets_every_layer(void **state)
{
    cull_budget *budget = methods_budget(world, CULL_SCOPE_GLOBAL, 0, 0);
    const uint8_t frozen[TINYWORLD_L] = { 0, 0, 1, 0 };

    (void)state;
    budget->frozen = frozen;
    const cull_cut *cut = methods_select(world, "fixed-k", WORDS("k=2"), &none, budget);
    for (size_t l = 0; l < TINYWORLD_L; l++)
        assert_int_equal(cut->layer[l].k, l == 2 ? 0 : 2);
    assert_nothing_removed(cut);
    assert_int_equal(methods_select(world, "fixed-k", WORDS("k=2"), &none, NULL)->layer[2].k, 2);
}

static void fixed_k_only_takes_fewer(void **state)
{
    const methods_plugin p = methods_load(world, "strategy", "fixed-k", WORDS("k=5"));
    const cull_strategy *strategy = p.vtable;

    (void)state;
    assert_fails(host,
                 strategy->select(fake_ctx(host), p.settings, &world->view, &none, NULL,
                                  CULL_ALL_LAYERS, tinyworld_cut(world)),
                 CULL_EINVAL, "k = 5: layer 0");
}

static void fixed_k_may_differ_by_layer(void **state)
{
    const char *const ks[] = { "2", "1", "4", "3" }, *const few[] = { "2", "1" };
    methods_plugin p = methods_load(world, "strategy", "fixed-k", WORDS("k=1"));
    const cull_strategy *strategy = p.vtable;
    cull_cut *cut = tinyworld_cut(world);

    (void)state;
    fake_set_list(host, p.plugin, p.settings, "k", 4, ks);
    assert_ok(host, strategy->select(fake_ctx(host), p.settings, &world->view, &none, NULL,
                                     CULL_ALL_LAYERS, cut));
    for (size_t l = 0; l < TINYWORLD_L; l++)
        assert_int_equal(cut->layer[l].k, ks[l][0] - '0');
    fake_set_list(host, p.plugin, p.settings, "k", 2, few);
    assert_fails(host,
                 strategy->select(fake_ctx(host), p.settings, &world->view, &none, NULL,
                                  CULL_ALL_LAYERS, tinyworld_cut(world)),
                 CULL_EINVAL, "k has 2 numbers, and the model 4 layers with experts");
}

// What runs is 1 - n p / P of what ran, where n experts of p parameters are left out by a token.
static void fixed_k_meets_active_parameters(void **state)
{
    const size_t want[][TINYWORLD_L] = { { 3, 4, 4, 4 }, { 2, 2, 3, 3 }, { 1, 1, 1, 1 } };
    const size_t slots[] = { 1, 6, 12 };
    const uint8_t frozen[TINYWORLD_L] = { 0, 1, 0, 0 };
    cull_budget *budget = methods_budget(world, CULL_SCOPE_GLOBAL, 0, 0);
    char active[40];

    (void)state;
    world->facts.params_active = 1000;
    for (size_t l = 0; l < TINYWORLD_L; l++)
        world->layer[l].expert_params = 30;
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
        snprintf(active, sizeof active, "active=%.17g", 1 - 0.03 * (double)slots[i]);
        const cull_cut *cut = methods_select(world, "fixed-k", WORDS(active), &none, NULL);
        for (size_t l = 0; l < TINYWORLD_L; l++)
            assert_int_equal(cut->layer[l].k ? cut->layer[l].k : 4, want[i][l]);
        assert_nothing_removed(cut);
    }
    // Never more than asked for; a layer that may not be cut leaves it to the others.
    budget->frozen = frozen;
    const cull_cut *cut = methods_select(world, "fixed-k", WORDS("active=0.81"), &none, budget);
    for (size_t l = 0; l < TINYWORLD_L; l++)
        assert_int_equal(cut->layer[l].k, l == 1 ? 0 : l == 0 ? 1 : 2);
}

static void fixed_k_takes_k_or_active(void **state)
{
    const struct {
        const char *words[3], *says;
        cull_status status;
    } cases[] = { { { "k=2", "active=0.5" }, "either k or active", CULL_ENOTSUP },
                  { { "active=0.5" }, "0.14 of the parameters too many run", CULL_EINVAL } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const methods_plugin p = methods_load(world, "strategy", "fixed-k", cases[i].words);
        const cull_strategy *strategy = p.vtable;
        assert_fails(host,
                     strategy->select(fake_ctx(host), p.settings, &world->view, &none, NULL,
                                      CULL_ALL_LAYERS, tinyworld_cut(world)),
                     cases[i].status, cases[i].says);
    }
}

// Without k and active the budget says how many serve: in all, as `active` would have it, or in
// each layer.
static void fixed_k_keeps_the_budget(void **state)
{
    const methods_plugin p = methods_load(world, "strategy", "fixed-k", NULL);
    const methods_plugin own = methods_load(world, "strategy", "fixed-k", WORDS("k=2"));
    const cull_strategy *strategy = p.vtable;
    const size_t fewer[TINYWORLD_L] = { 3, 0, 1, 2 }, too_many[TINYWORLD_L] = { 0, 4, 0, 0 };
    cull_budget *budget = methods_budget(world, CULL_SCOPE_GLOBAL, 0, 0);
    cull_cut *cut = tinyworld_cut(world);

    (void)state;
    assert_true(strategy->picks_for(p.settings));
    assert_false(strategy->picks_for(own.settings));
    assert_ok(host, strategy->fits(fake_ctx(host), p.settings, &world->view, budget, cut));
    budget->total_params = 5 * 30 + 1;
    cut = methods_select(world, "fixed-k", NULL, &none, budget);
    for (size_t l = 0; l < TINYWORLD_L; l++)
        assert_int_equal(cut->layer[l].k, l < 2 ? 2 : 3);
    budget->scope = CULL_SCOPE_LAYER;
    budget->remove = fewer;
    cut = methods_select(world, "fixed-k", NULL, &none, budget);
    for (size_t l = 0; l < TINYWORLD_L; l++)
        assert_int_equal(cut->layer[l].k, fewer[l] ? 4 - fewer[l] : 0);
    budget->remove = too_many;
    assert_fails(host,
                 strategy->select(fake_ctx(host), p.settings, &world->view, &none, budget,
                                  CULL_ALL_LAYERS, tinyworld_cut(world)),
                 CULL_ENOTSUP, "layer 1: a token is to lose 4 of 4 experts");
}

static void top_p_sets_every_layer(void **state)
{
    const cull_cut *cut = methods_select(world, "top-p", WORDS("p=0.8"), &none, NULL);

    (void)state;
    for (size_t l = 0; l < TINYWORLD_L; l++)
        assert_true(cut->layer[l].top_p == 0.8);
    assert_nothing_removed(cut);
}

static void skip_takes_the_medians(void **state)
{
    const cull_cut *median = methods_select(world, "skip", NULL, &none, NULL);
    const cull_cut *half = methods_select(world, "skip", WORDS("scale=0.5"), &none, NULL);
    const cull_cut *fixed = methods_select(world, "skip", WORDS("ratio=0.3"), &none, NULL);

    (void)state;
    for (size_t l = 0; l < TINYWORLD_L; l++) {
        assert_true(median->layer[l].skip_ratio == world->layer_stats[l].ratio_median);
        assert_true(half->layer[l].skip_ratio == 0.5 * world->layer_stats[l].ratio_median);
        assert_true(fixed->layer[l].skip_ratio == 0.3);
    }
    assert_nothing_removed(median);
}

static void skip_needs_medians_only_without_a_ratio(void **state)
{
    const methods_plugin median = methods_load(world, "strategy", "skip", NULL);
    const methods_plugin fixed = methods_load(world, "strategy", "skip", WORDS("ratio=0.3"));
    const cull_strategy *skip = median.vtable;

    (void)state;
    assert_int_equal(skip->needs_for(median.settings), CULL_STAT_GATE_RATIO);
    assert_int_equal(skip->needs_for(fixed.settings), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_k_sets_every_layer),
        cmocka_unit_test(fixed_k_only_takes_fewer),
        cmocka_unit_test(fixed_k_may_differ_by_layer),
        cmocka_unit_test(fixed_k_meets_active_parameters),
        cmocka_unit_test(fixed_k_takes_k_or_active),
        cmocka_unit_test(fixed_k_keeps_the_budget),
        cmocka_unit_test(top_p_sets_every_layer),
        cmocka_unit_test(skip_takes_the_medians),
        cmocka_unit_test(skip_needs_medians_only_without_a_ratio),
    };

    return cmocka_run_group_tests(tests, open_world, close_world);
}
