// Layers dealt out in turn, where some have no experts.
#include "engine/deal.h"

#include "support/test.h"

enum { L = 9 };
// Layers 1, 3, 4, 6, 7 have experts.
static const size_t experts[L] = { 0, 4, 0, 4, 4, 0, 4, 4, 0 };

typedef struct made {
    cull_layer_facts facts[L];
    const cull_layer_facts *layer[L];
    cull_model_facts model;
    cull_open_model opened;
} made;

static void make(made *m)
{
    *m = (made){ .model = { .size = sizeof m->model, .L = L } };
    for (size_t l = 0; l < L; l++) {
        m->facts[l] = (cull_layer_facts){ .size = sizeof m->facts[l], .E = experts[l] };
        m->layer[l] = &m->facts[l];
    }
    m->opened.facts = &m->model;
    m->opened.layer = m->layer;
}

static void deals_layers_with_experts_in_turn(void **state)
{
    made m;

    (void)state;
    make(&m);
    assert_int_equal(cull_layer_hand(&m.opened, 1, 2), 0);
    assert_int_equal(cull_layer_hand(&m.opened, 3, 2), 1);
    assert_int_equal(cull_layer_hand(&m.opened, 4, 2), 0);
    assert_int_equal(cull_layer_hand(&m.opened, 6, 2), 1);
    assert_int_equal(cull_layer_hand(&m.opened, 7, 2), 0);
    for (size_t l = 0; l < L; l++)
        assert_int_equal(cull_layer_hand(&m.opened, l, 1), 0);
}

static void ends_rounds_with_the_last_hand_or_layer(void **state)
{
    static const bool two[L] = { false, false, false, true, false, false, true, true, false };
    static const bool nine[L] = { false, false, false, false, false, false, false, true, false };
    made m;

    (void)state;
    make(&m);
    for (size_t l = 0; l < L; l++) {
        assert_int_equal(cull_round_ends(&m.opened, l, 1), experts[l] > 0);
        assert_int_equal(cull_round_ends(&m.opened, l, 2), two[l]);
        assert_int_equal(cull_round_ends(&m.opened, l, 9), nine[l]);
    }
}

// Over all rounds each layer with experts is one hand's, and the hand's that cull_layer_hand says.
static void gives_each_layer_of_a_round_to_its_hand(void **state)
{
    made m;

    (void)state;
    make(&m);
    for (size_t n = 1; n <= 7; n++) {
        size_t times[L + 1] = { 0 };
        for (size_t l = 0; l < L; l++) {
            if (!cull_round_ends(&m.opened, l, n))
                continue;
            for (size_t hand = 0; hand < n; hand++) {
                const size_t own = cull_round_layer(&m.opened, l, n, hand);
                times[own]++;
                if (own < L)
                    assert_int_equal(cull_layer_hand(&m.opened, own, n), hand);
            }
        }
        for (size_t l = 0; l < L; l++)
            assert_int_equal(times[l], experts[l] > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deals_layers_with_experts_in_turn),
        cmocka_unit_test(ends_rounds_with_the_last_hand_or_layer),
        cmocka_unit_test(gives_each_layer_of_a_round_to_its_hand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
