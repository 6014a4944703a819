// Strategies layer-drop and block-drop.
#include "support/methods.h"

#include "support/test.h"

static fake_host *host;
static tinyworld *world;

static int open_world(void **state)
{
    (void)state;
    host = fake_host_new(1);
    world = tinyworld_open(host, "tinyworld-mixtral");
    methods_stats(world);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    tinyworld_close(world);
    fake_host_free(host);
    return 0;
}

// The layers that a cut skips, as bits.
static unsigned skipped(const cull_cut *cut, bool moe)
{
    unsigned out = 0;

    for (size_t l = 0; l < cut->L; l++) {
        out |= (unsigned)(moe ? cut->layer[l].skip_moe : cut->layer[l].skip_layer) << l;
        assert_false(moe ? cut->layer[l].skip_layer : cut->layer[l].skip_moe);
    }
    return out;
}

static cull_scores *layer_scores(double a, double b, double c, double d)
{
    cull_scores *scores = methods_scores(world, CULL_FORM_LAYER);
    const double of[TINYWORLD_L] = { a, b, c, d };

    memcpy(scores->layer, of, sizeof of);
    return scores;
}

// What a setting or a criterion could not change is refused rather than ignored.
static void what_does_not_fit_is_refused(void **state)
{
    const methods_plugin run =
        methods_load(world, "strategy", "block-drop", WORDS("blocks=consecutive"));
    const methods_plugin angle =
        methods_load(world, "criterion", "cosine", WORDS("of=moe", "measure=angle"));
    const cull_strategy *strategy = run.vtable;
    const cull_criterion *criterion = angle.vtable;
    cull_scores *scores = layer_scores(0.3, 0.1, 0.1, 0.2);

    (void)state;
    assert_fails(host,
                 strategy->select(fake_ctx(host), run.settings, &world->view, scores,
                                  methods_budget(world, CULL_SCOPE_GLOBAL, 1, 0), CULL_ALL_LAYERS,
                                  tinyworld_cut(world)),
                 CULL_EINVAL, "must be left out");
    assert_fails(
        host,
        criterion->score(fake_ctx(host), angle.settings, &world->view, CULL_ALL_LAYERS, scores),
        CULL_EINVAL, "of: block");
}

static void the_lowest_layers_go(void **state)
{
    const cull_scores *scores = layer_scores(0.3, 0.1, 0.1, 0.2);
    const unsigned want[] = { 0, 2, 6, 14 }; // none, layer 1, then 2, then 3

    (void)state;
    for (size_t n = 0; n <= 3; n++) {
        const cull_budget *budget = methods_budget(world, CULL_SCOPE_GLOBAL, n, 0);
        assert_int_equal(skipped(methods_select(world, "layer-drop", NULL, scores, budget), true),
                         want[n]);
        assert_int_equal(skipped(methods_select(world, "block-drop", NULL, scores, budget), false),
                         want[n]);
    }
}

static void frozen_dense_and_gone_layers_stay(void **state)
{
    tinyworld mine = *world;
    cull_budget *budget = methods_budget(world, CULL_SCOPE_GLOBAL, 2, 0);
    const uint8_t frozen[TINYWORLD_L] = { 1, 0, 0, 0 };
    const cull_scores *scores = layer_scores(0.0, 0.1, 0.2, 0.3);

    (void)state;
    budget->frozen = frozen;
    mine.layer[1].E = 0;
    mine.view.layer = mine.layer;
    assert_int_equal(skipped(methods_select(&mine, "layer-drop", NULL, scores, budget), true), 12);
    assert_int_equal(skipped(methods_select(&mine, "block-drop", NULL, scores, budget), false), 6);

    cull_cut *before = tinyworld_cut(world);
    before->layer[2].skip_layer = true;
    mine.view.before = before;
    assert_int_equal(skipped(methods_select(&mine, "block-drop", NULL, scores, budget), false), 10);
}

static void shares_by_layer_are_heeded(void **state)
{
    cull_budget *budget = methods_budget(world, CULL_SCOPE_LAYER, 0, 0);
    const size_t remove[TINYWORLD_L] = { 1, 0, 0, 1 };
    const cull_scores *scores = layer_scores(0.9, 0.1, 0.2, 0.8);

    (void)state;
    budget->remove = remove;
    assert_int_equal(skipped(methods_select(world, "layer-drop", NULL, scores, budget), true), 9);
}

// Cosines by hand: layers 0–1 together turn the stream least, though 2 and 3 do so less one by one.
static void runs_are_judged_whole(void **state)
{
    tinyworld mine = *world;
    double cos_sum[25] = { 0.0 }, angle_sum[25] = { 0.0 };
    const cull_scores none = { .size = sizeof none, .form = CULL_FORM_NONE, .L = TINYWORLD_L };
    const cull_budget *two = methods_budget(world, CULL_SCOPE_GLOBAL, 2, 0);

    (void)state;
    mine.all_stats.tokens = 10;
    cos_sum[0 * 5 + 1] = 5.0, cos_sum[1 * 5 + 2] = 5.0, cos_sum[2 * 5 + 3] = 9.0;
    cos_sum[3 * 5 + 4] = 8.0, cos_sum[0 * 5 + 2] = 9.5, cos_sum[1 * 5 + 3] = 3.0;
    cos_sum[2 * 5 + 4] = 7.0;
    for (size_t i = 0; i < 25; i++)
        angle_sum[i] = cos_sum[i]; // by angle the largest entries are the farthest
    mine.all_stats.cos_sum = cos_sum;
    mine.all_stats.angle_sum = angle_sum;
    mine.view.stats = &mine.all_stats;

    assert_int_equal(skipped(methods_select(&mine, "block-drop", NULL, &none, two), false), 12);
    assert_int_equal(
        skipped(methods_select(&mine, "block-drop", WORDS("blocks=consecutive"), &none, two),
                false),
        3);
    assert_int_equal(
        skipped(methods_select(&mine, "block-drop", WORDS("blocks=consecutive", "measure=angle"),
                               &none, two),
                false),
        6);
    // one layer alone: as a run or by rank the same, the last layer included
    cos_sum[3 * 5 + 4] = 9.9;
    const cull_budget *one = methods_budget(world, CULL_SCOPE_GLOBAL, 1, 0);
    assert_int_equal(
        skipped(methods_select(&mine, "block-drop", WORDS("blocks=consecutive"), &none, one),
                false),
        8);
    assert_int_equal(skipped(methods_select(&mine, "block-drop", NULL,
                                            methods_score(&mine, "cosine", NULL), one),
                             false),
                     8);
}

static void all_layers_are_too_many(void **state)
{
    const methods_plugin p = methods_load(world, "strategy", "block-drop", NULL);
    const cull_strategy *strategy = p.vtable;

    (void)state;
    assert_fails(host,
                 strategy->select(fake_ctx(host), p.settings, &world->view,
                                  layer_scores(0.0, 0.0, 0.0, 0.0),
                                  methods_budget(world, CULL_SCOPE_GLOBAL, 4, 0), CULL_ALL_LAYERS,
                                  tinyworld_cut(world)),
                 CULL_EBUDGET, "all 4 layers");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(the_lowest_layers_go),
        cmocka_unit_test(frozen_dense_and_gone_layers_stay),
        cmocka_unit_test(shares_by_layer_are_heeded),
        cmocka_unit_test(runs_are_judged_whole),
        cmocka_unit_test(all_layers_are_too_many),
    };

    return cmocka_run_group_tests(tests, open_world, close_world);
}
