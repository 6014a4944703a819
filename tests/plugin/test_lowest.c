// Strategies lowest and mone: kept lists against golden, budgets, ties, what becomes of the experts
// that go.
#include "support/methods.h"

#include <stdio.h>

#include "support/assert_close.h"
#include "support/fixture.h"
#include "support/test.h"

WORLDS_FIXTURE

// The criteria of the golden variants, by their names there.
static const struct {
    const char *golden, *criterion;
    const char *settings[2];
} criteria[] = {
    { "frequency", "frequency", { NULL } },
    { "gate_sum", "gate", { NULL } },
    { "mean_gate", "gate", { "of=mean" } },
    { "reap", "reap", { NULL } },
    { "ean", "ean", { NULL } },
    { "easyep", "easy-ep", { NULL } },
    { "mone_fused", "mone", { NULL } },
    { "mone_variance", "variance", { NULL } },
};

static const struct {
    const char *golden, *word;
    uint8_t action;
} actions[] = {
    { "drop", "action=drop", CULL_ACTION_DROP },
    { "zero", "action=zero", CULL_ACTION_ZERO },
    { "novice", "action=novice", CULL_ACTION_NOVICE },
    { "novice_gw", "action=novice-gw", CULL_ACTION_NOVICE },
};

static bool is_golden(golden *eval, const char *variant)
{
    char name[128];

    snprintf(name, sizeof name, "%s.layer.0.kept", variant);
    return golden_has(eval, name);
}

// Every golden variant ACTION-CRITERION-KEPT, with KEPT of E experts in each layer.
static void kept_lists_by_layer_are_golden(void **state)
{
    size_t seen = 0;

    (void)state;
    for (size_t w = 0; w < 2; w++) {
        golden *eval = tinyworld_golden(worlds[w], "eval");
        const size_t E = worlds[w]->layer[0].E, K = worlds[w]->layer[0].K;

        for (size_t c = 0; c < sizeof criteria / sizeof *criteria; c++) {
            const cull_scores *scores =
                methods_score(worlds[w], criteria[c].criterion, criteria[c].settings);
            for (size_t a = 0; a < sizeof actions / sizeof *actions; a++)
                for (size_t keep = E / 2; keep <= 3 * E / 4; keep += E / 4) {
                    char variant[64];

                    snprintf(variant, sizeof variant, "%s-%s-%zu", actions[a].golden,
                             criteria[c].golden, keep);
                    if (!is_golden(eval, variant))
                        continue;
                    const cull_cut *cut = methods_select(
                        worlds[w], "lowest", WORDS(actions[a].word), scores,
                        methods_budget(worlds[w], CULL_SCOPE_LAYER, E - keep, a == 0 ? K : 0));
                    methods_assert_kept(worlds[w], eval, variant, cut, actions[a].action);
                    seen++;
                }
        }
        golden_close(eval);
    }
    // 7 criteria dropped, 3 made novices, one zero and one gate-weighted; 2 counts, 2 models
    assert_int_equal(seen, (7 + 3 + 1 + 1) * 2 * 2);
}

static void kept_lists_over_all_layers_are_golden(void **state)
{
    size_t seen = 0;

    (void)state;
    for (size_t w = 0; w < 2; w++) {
        golden *eval = tinyworld_golden(worlds[w], "eval");
        const size_t E = worlds[w]->layer[0].E, K = worlds[w]->layer[0].K;

        for (size_t c = 0; c < sizeof criteria / sizeof *criteria; c++) {
            char variant[64];

            snprintf(variant, sizeof variant, "drop-%s-global", criteria[c].golden);
            if (!is_golden(eval, variant))
                continue;
            const cull_cut *cut = methods_select(
                worlds[w], "lowest", NULL,
                methods_score(worlds[w], criteria[c].criterion, criteria[c].settings),
                methods_budget(worlds[w], CULL_SCOPE_GLOBAL, TINYWORLD_L * E / 4, K));
            methods_assert_kept(worlds[w], eval, variant, cut, CULL_ACTION_DROP);
            seen++;
        }
        golden_close(eval);
    }
    assert_int_equal(seen, 4 * 2);
}

// STUN's counts, another method's, as allocation `like` hands them down.
static void kept_lists_with_given_counts_are_golden(void **state)
{
    size_t seen = 0;

    (void)state;
    for (size_t w = 0; w < 2; w++) {
        golden *eval = tinyworld_golden(worlds[w], "eval");
        golden *stun = tinyworld_golden(worlds[w], "stun");
        cull_budget *budget = methods_budget(worlds[w], CULL_SCOPE_LAYER, 0, 1);
        size_t *remove = cull_take(fake_ctx(host), TINYWORLD_L, sizeof *remove);

        assert_non_null(remove);
        for (size_t l = 0; l < TINYWORLD_L; l++) {
            char name[64];
            snprintf(name, sizeof name, "layer.%zu.kept", l);
            remove[l] = worlds[w]->layer[l].E - golden_tensor(stun, name).shape[0];
        }
        budget->remove = remove;
        for (size_t c = 0; c < sizeof criteria / sizeof *criteria; c++) {
            char variant[64];

            snprintf(variant, sizeof variant, "drop-%s-stuncounts", criteria[c].golden);
            if (!is_golden(eval, variant))
                continue;
            methods_assert_kept(worlds[w], eval, variant,
                                methods_select(worlds[w], "lowest", NULL,
                                               methods_score(worlds[w], criteria[c].criterion,
                                                             criteria[c].settings),
                                               budget),
                                CULL_ACTION_DROP);
            seen++;
        }
        golden_close(stun);
        golden_close(eval);
    }
    assert_int_equal(seen, 4 * 2);
}

static void novices_are_the_means(void **state)
{
    static const struct {
        const char *strategy, *word, *golden;
    } novices[] = {
        { "lowest", "action=novice", "mean_y" },
        { "lowest", "action=novice-gw", "novice_gw" },
        { "mone", "novice=mean", "mean_y" },
        { "mone", "novice=gate-weighted", "novice_gw" },
    };
    tinyworld *world = worlds[0];
    const size_t E = world->layer[0].E, D = TINYWORLD_D;
    const cull_scores *scores = methods_score(world, "mone", NULL);

    (void)state;
    for (size_t i = 0; i < sizeof novices / sizeof *novices; i++) {
        const cull_cut *cut =
            methods_select(world, novices[i].strategy, WORDS(novices[i].word), scores,
                           methods_budget(world, CULL_SCOPE_LAYER, E / 2, 0));
        size_t replaced = 0;

        for (size_t l = 0; l < TINYWORLD_L; l++) {
            char name[64];
            snprintf(name, sizeof name, "layer.%zu.%s", l, novices[i].golden);
            const double *mean = golden_f64(world->stats, name, 2, (size_t[]){ E, D });

            for (size_t e = 0; e < E; e++) {
                if (cut->layer[l].action[e] != CULL_ACTION_NOVICE)
                    continue;
                for (size_t d = 0; d < D; d++)
                    assert_true(cut->layer[l].constant[e * D + d] == (float)mean[e * D + d]);
                replaced++;
            }
        }
        assert_int_equal(replaced, TINYWORLD_L * E / 2);
    }
}

// mone is lowest with action novice.
static void mone_is_lowest_with_novices(void **state)
{
    (void)state;
    for (size_t w = 0; w < 2; w++) {
        const cull_scores *scores = methods_score(worlds[w], "reap", NULL);
        const cull_budget *budget = methods_budget(worlds[w], CULL_SCOPE_GLOBAL, 37, 0);
        const cull_cut *a = methods_select(worlds[w], "mone", NULL, scores, budget);
        const cull_cut *b =
            methods_select(worlds[w], "lowest", WORDS("action=novice"), scores, budget);

        for (size_t l = 0; l < TINYWORLD_L; l++) {
            const size_t E = worlds[w]->layer[l].E;
            assert_memory_equal(a->layer[l].action, b->layer[l].action, E);
            assert_memory_equal(a->layer[l].constant, b->layer[l].constant,
                                E * TINYWORLD_D * sizeof(float));
        }
    }
}

// ---- budgets and ties ----

static size_t removed(const cull_cut *cut, size_t l)
{
    int32_t kept[64];

    return cut->layer[l].E - methods_kept(&cut->layer[l], kept);
}

static void budgets_are_met_exactly(void **state)
{
    tinyworld *world = worlds[1];
    const size_t E = world->layer[0].E, K = world->layer[0].K;

    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        host->context.seed = seed;
        const cull_scores *scores = methods_score(world, "random", NULL);

        for (size_t n = 0; n <= E; n++) {
            const cull_cut *cut = methods_select(world, "lowest", NULL, scores,
                                                 methods_budget(world, CULL_SCOPE_LAYER, n, K));
            for (size_t l = 0; l < TINYWORLD_L; l++)
                assert_int_equal(removed(cut, l), n < E - K ? n : E - K);
        }
        for (size_t n = 0; n <= TINYWORLD_L * E; n += 7) {
            const cull_cut *cut = methods_select(world, "lowest", NULL, scores,
                                                 methods_budget(world, CULL_SCOPE_GLOBAL, n, K));
            size_t sum = 0;
            for (size_t l = 0; l < TINYWORLD_L; l++) {
                assert_true(removed(cut, l) <= E - K);
                sum += removed(cut, l);
            }
            assert_int_equal(sum, n < TINYWORLD_L * (E - K) ? n : TINYWORLD_L * (E - K));
        }
    }
}

static void ties_go_to_the_lower_index(void **state)
{
    tinyworld *world = worlds[0];
    const cull_scores *equal = methods_scores(world, CULL_FORM_EXPERT);
    const cull_cut *by_layer =
        methods_select(world, "lowest", NULL, equal, methods_budget(world, CULL_SCOPE_LAYER, 3, 2));
    const cull_cut *global = methods_select(world, "lowest", NULL, equal,
                                            methods_budget(world, CULL_SCOPE_GLOBAL, 17, 2));

    (void)state;
    for (size_t l = 0; l < TINYWORLD_L; l++)
        for (size_t e = 0; e < world->layer[l].E; e++) {
            // 14 of layer 0, the most that it may lose, then 3 of layer 1
            const bool goes = l == 0 ? e < 14 : l == 1 && e < 3;
            assert_int_equal(by_layer->layer[l].action[e] == CULL_ACTION_DROP, e < 3);
            assert_int_equal(global->layer[l].action[e] == CULL_ACTION_DROP, goes);
        }
}

static void frozen_layers_stay(void **state)
{
    tinyworld *world = worlds[0];
    const cull_scores *scores = methods_score(world, "frequency", NULL);

    (void)state;
    for (uint32_t scope = CULL_SCOPE_LAYER; scope <= CULL_SCOPE_GLOBAL; scope++) {
        cull_budget *budget = methods_budget(world, scope, 5, 2);
        const uint8_t frozen[TINYWORLD_L] = { 0, 1, 1, 0 };

        budget->frozen = frozen;
        const cull_cut *cut = methods_select(world, "lowest", NULL, scores, budget);
        assert_int_equal(removed(cut, 1) + removed(cut, 2), 0);
        assert_int_equal(removed(cut, 0) + removed(cut, 3), scope == CULL_SCOPE_LAYER ? 10 : 5);
    }
}

// With groups: equal every router group loses as many, its own lowest; one more goes to the lowest
// of all.
static void groups_take_turns(void **state)
{
    tinyworld world = *worlds[1];
    const size_t E = world.layer[0].E, groups = 4, n = E / groups;
    const cull_scores *scores = methods_score(&world, "reap", NULL);
    const methods_plugin p = methods_load(&world, "strategy", "lowest", WORDS("groups=equal"));
    const cull_strategy *lowest = p.vtable;

    (void)state;
    for (size_t l = 0; l < TINYWORLD_L; l++)
        world.layer[l].n_group = groups;
    world.view.layer = world.layer;
    const cull_cut *even = methods_select(&world, "lowest", WORDS("groups=equal"), scores,
                                          methods_budget(&world, CULL_SCOPE_LAYER, 8, 4));
    const cull_cut *odd = methods_select(&world, "lowest", WORDS("groups=equal"), scores,
                                         methods_budget(&world, CULL_SCOPE_LAYER, 9, 4));
    for (size_t l = 0; l < TINYWORLD_L; l++) {
        assert_int_equal(removed(odd, l), 9);
        for (size_t g = 0; g < groups; g++) {
            double highest_gone = -1.0, lowest_kept = 1e300;
            size_t gone = 0;

            for (size_t e = g * n; e < (g + 1) * n; e++) {
                const double score = scores->expert[l][e];
                if (even->layer[l].action[e] == CULL_ACTION_BASE) {
                    lowest_kept = score < lowest_kept ? score : lowest_kept;
                } else {
                    assert_int_equal(odd->layer[l].action[e], CULL_ACTION_DROP);
                    highest_gone = score > highest_gone ? score : highest_gone;
                    gone++;
                }
            }
            assert_int_equal(gone, 2);
            assert_true(highest_gone < lowest_kept);
        }
    }
    assert_fails(host,
                 lowest->select(fake_ctx(host), p.settings, &world.view, scores,
                                methods_budget(&world, CULL_SCOPE_GLOBAL, 8, 4), CULL_ALL_LAYERS,
                                tinyworld_cut(&world)),
                 CULL_EINVAL, "allocation global");
}

// A second stage counts from what the first left, and takes a merged expert's aliases with it.
static void later_stages_take_what_stands(void **state)
{
    tinyworld world = *worlds[0];
    const methods_plugin p = methods_load(&world, "strategy", "lowest", WORDS("action=zero"));
    const cull_strategy *lowest = p.vtable;
    cull_scores *scores = methods_scores(&world, CULL_FORM_EXPERT);
    cull_cut *before = tinyworld_cut(&world);

    (void)state;
    before->layer[0].action[0] = CULL_ACTION_DROP;
    before->layer[0].action[2] = CULL_ACTION_ALIAS;
    before->layer[0].target[2] = 1;
    cull_cut *cut = cull_cut_copy(fake_ctx(host), before);
    assert_non_null(cut);
    world.view.before = before;
    assert_ok(host,
              lowest->select(fake_ctx(host), p.settings, &world.view, scores,
                             methods_budget(&world, CULL_SCOPE_LAYER, 2, 0), CULL_ALL_LAYERS, cut));
    const uint8_t want[] = { CULL_ACTION_DROP, CULL_ACTION_ZERO, CULL_ACTION_ZERO, CULL_ACTION_ZERO,
                             CULL_ACTION_BASE };
    assert_memory_equal(cut->layer[0].action, want, sizeof want);
    assert_int_equal(cut->layer[0].target[2], 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_lists_by_layer_are_golden),
        cmocka_unit_test(kept_lists_over_all_layers_are_golden),
        cmocka_unit_test(kept_lists_with_given_counts_are_golden),
        cmocka_unit_test(novices_are_the_means),
        cmocka_unit_test(mone_is_lowest_with_novices),
        cmocka_unit_test(budgets_are_met_exactly),
        cmocka_unit_test(ties_go_to_the_lower_index),
        cmocka_unit_test(frozen_layers_stay),
        cmocka_unit_test(groups_take_turns),
        cmocka_unit_test(later_stages_take_what_stands),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
