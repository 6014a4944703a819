// Philox against the known answers that Random123 publishes (kat_vectors, philox 4 × 32, 10
// rounds).
#include "base/rng.h"

#include "support/test.h"

static void known_answers(void **state)
{
    static const struct {
        uint32_t counter[4], key[2], expected[4];
    } kat[] = {
        { { 0 }, { 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX },
          { UINT32_MAX, UINT32_MAX },
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof kat / sizeof *kat; i++) {
        cull_rng rng = { .used = 4 };
        memcpy(rng.counter, kat[i].counter, sizeof rng.counter);
        memcpy(rng.key, kat[i].key, sizeof rng.key);
        for (size_t j = 0; j < 4; j++)
            assert_int_equal(cull_rng_u32(&rng), kat[i].expected[j]);
    }
}

static void below_is_even(void **state)
{
    enum { N = 7, DRAWS = 70000 };
    size_t seen[N] = { 0 };
    cull_rng rng;

    (void)state;
    cull_rng_init(&rng, 3, "test", "below");
    for (size_t i = 0; i < DRAWS; i++)
        seen[cull_rng_below(&rng, N)]++;
    for (size_t i = 0; i < N; i++) // five standard deviations
        assert_in_range(seen[i], DRAWS / N - 463, DRAWS / N + 463);
    assert_int_equal(cull_rng_below(&rng, 1), 0);
}

static void shuffle_permutes(void **state)
{
    enum { N = 100 };
    size_t order[N], again[N];
    unsigned char seen[N] = { 0 };
    cull_rng rng;

    (void)state;
    cull_rng_init(&rng, 3, NULL, "shuffle");
    cull_rng_shuffle(&rng, N, order);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(seen[order[i]]++, 0);
    cull_rng_shuffle(&rng, N, again);
    assert_memory_not_equal(order, again, sizeof order);
    cull_rng_init(&rng, 3, NULL, "shuffle");
    cull_rng_shuffle(&rng, N, again);
    assert_memory_equal(order, again, sizeof order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(below_is_even),
        cmocka_unit_test(shuffle_permutes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
