// How many variants are evaluated together.
#include "plan/cost/waves.h"

#include "support/test.h"

static void a_wave_loses_ten_minutes_at_most(void **state)
{
    (void)state;
    assert_int_equal(cull_wave_variants(10, 43.5, 0), 13);
    assert_int_equal(cull_wave_variants(10, 600, 0), 1);
    assert_int_equal(cull_wave_variants(10, 7200, 0), 1); // what takes longer goes alone
}

static void answers_take_a_quarter_of_the_memory(void **state)
{
    (void)state;
    assert_int_equal(cull_wave_variants(999, 0, 4096000), 4);
    assert_int_equal(cull_wave_variants(999, 1e-9, 4096000), 4);
    assert_int_equal(cull_wave_variants(1000000, 0, 4096), 1);
    assert_true(cull_wave_variants(0, 0, 0) > 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wave_loses_ten_minutes_at_most),
        cmocka_unit_test(answers_take_a_quarter_of_the_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
