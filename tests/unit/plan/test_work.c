// How long what strategies compute takes: on threads, and on ranks.
#include "plan/cost/work.h"

#include <math.h>

#include "plan/cost/scale.h"
#include "support/test.h"

static void counts_products_of_one_thread_as_often_as_there_are_threads(void **state)
{
    const cull_rates rates = { .hessian = 1000, .steps = 10 };
    const cull_work work = { .products = 2000, .alone = 500, .steps = 40 };

    (void)state;
    assert_true(cull_work_seconds(&rates, 1, &work) == 2.5 + 4);
    assert_true(cull_work_seconds(&rates, 4, &work) == 4 + 4);
}

static void takes_no_amount_that_is_none(void **state)
{
    const cull_work odd = { .products = -1, .alone = NAN, .steps = INFINITY };
    cull_work sum = { .products = 1, .alone = 2, .steps = 3 };

    (void)state;
    cull_work_add(&sum, &odd);
    assert_true(sum.products == 1 && sum.alone == 2 && sum.steps == 3);
}

// Of 16 experts in each of 4 layers three ranks decide about 6, or 2 layers, at most.
static void shares_out_what_ranks_decide_together(void **state)
{
    const cull_layer_facts dense = { .size = sizeof dense },
                           full = { .size = sizeof full, .E = 16 };
    const cull_layer_facts *layer[] = { &dense, &full, &full, &full, &full };
    const cull_model_facts facts = { .size = sizeof facts, .L = 5 };
    const cull_prepared_model model = { .opened.facts = &facts, .layer = layer };
    const cull_seconds alone = { .decide = 17, .by_experts = 8, .by_layers = 4 };

    (void)state;
    assert_true(cull_scale_deciding(&model, 1, &alone) == 17);
    assert_true(cull_scale_deciding(&model, 3, &alone) == 5 + 3 + 2);
    assert_true(cull_scale_deciding(&model, 64, &alone) == 5 + 0.5 + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_products_of_one_thread_as_often_as_there_are_threads),
        cmocka_unit_test(takes_no_amount_that_is_none),
        cmocka_unit_test(shares_out_what_ranks_decide_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
