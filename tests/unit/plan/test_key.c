// The keys of steps: whose results are not what they were has another one, all others have theirs.
#include "plan/key.h"

#include <math.h>

#include "support/fake_host.h"
#include "support/fixture.h"
#include "support/test.h"

REGISTRY_FIXTURE

static cull_model_facts facts = {
    .size = sizeof facts, .source = "nowhere", .fingerprint = "00", .L = 1
};
static const cull_layer_facts layer = { .size = sizeof layer, .E = 4, .expert_params = 12 };
static const cull_layer_facts *const layers[] = { &layer };
static uint8_t frozen[1];
static const cull_stage plain = { .share = NAN };

static cull_step step_of(cull_unit unit, uint32_t emits, size_t before)
{
    return (cull_step){ .spec = &plain,
                        .before = before,
                        .donor = CULL_NOT,
                        .set = CULL_NOT,
                        .layers = CULL_NOT,
                        .scope = CULL_ALLOCATE_LAYER,
                        .unit = unit,
                        .emits = emits,
                        .sparsity = 0.5,
                        .later = 1 };
}

// The key of the last of steps that stand behind each other.
static cull_key last_key(cull_step *step, size_t n)
{
    cull_spec experiment = { .n_models = 1, .store = "auto" };
    cull_plan plan = { .spec = &experiment, .step = step, .n_steps = n };
    cull_prepared_model s = { .opened.facts = &facts, .layer = layers, .frozen = frozen };
    const cull_inputs inputs = { .spec = &experiment, .at = &s, .n = 1 };

    assert_ok(host, cull_plan_keys(fake_ctx(host), registry, &inputs, &plan));
    return step[n - 1].key;
}

static cull_key key_of(cull_unit unit, uint32_t emits)
{
    cull_step step = step_of(unit, emits, CULL_NOT);

    return last_key(&step, 1);
}

// The key of a stage of weights behind one that emits so.
static cull_key key_behind(cull_unit unit, uint32_t emits)
{
    cull_step step[] = { step_of(unit, emits, CULL_NOT),
                         step_of(CULL_UNIT_WEIGHT, CULL_EMITS_MASK, 0) };

    return last_key(step, 2);
}

enum {
    DROPS = 1u << CULL_ACTION_DROP,
    MERGES = 1u << CULL_ACTION_ALIAS | CULL_EMITS_MATRIX,
    REWRITES = CULL_EMITS_MASK | CULL_EMITS_MATRIX,
    LISTS = DROPS | CULL_EMITS_MASK | CULL_EMITS_SKIP, // what a given cut without matrices may do
};

// What the keys were before the results of some steps changed: a step's, and that of one of weights
// behind it.
static const struct {
    cull_unit unit;
    uint32_t emits;
    bool stays;
    const char *alone, *behind;
} before[] = {
    { CULL_UNIT_EXPERT, DROPS, true, "f72591452f82852fbd1ea0565c7d337c",
      "d42751aeb96cb29b4b5bc9f6bbf7abe2" },
    { CULL_UNIT_WEIGHT, CULL_EMITS_MASK, true, "1ffcf35f7845cc0573a1523660362b34",
      "596f5746b0c27e3935ab697532177aed" },
    { CULL_UNIT_WEIGHT, REWRITES, true, "1ffcf35f7845cc0573a1523660362b34",
      "596f5746b0c27e3935ab697532177aed" },
    { CULL_UNIT_NONE, LISTS, true, "d645468f818f1b9f9dccdb3827406296",
      "80a173603553898bf5576c6e1656a748" },
    { CULL_UNIT_EXPERT, MERGES, false, "f72591452f82852fbd1ea0565c7d337c",
      "d42751aeb96cb29b4b5bc9f6bbf7abe2" },
    { CULL_UNIT_EXPERT, DROPS | CULL_EMITS_MATRIX, false, "f72591452f82852fbd1ea0565c7d337c",
      "d42751aeb96cb29b4b5bc9f6bbf7abe2" },
    { CULL_UNIT_NONE, LISTS | CULL_EMITS_MATRIX, false, "d645468f818f1b9f9dccdb3827406296",
      "80a173603553898bf5576c6e1656a748" },
};

// Means that were zero by chance counted as gone, and of experts that matter as much others stayed:
// merges, cuts that are given and may rewrite, and what stands behind them have keys of their own.
static void what_rewrites_has_another_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        const cull_key alone = key_of(before[i].unit, before[i].emits);
        const cull_key behind = key_behind(before[i].unit, before[i].emits);

        assert_int_equal(strcmp(alone.hex, before[i].alone) == 0, before[i].stays);
        assert_int_equal(strcmp(behind.hex, before[i].behind) == 0, before[i].stays);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_rewrites_has_another_key) };

    return cmocka_run_group_tests(tests, setup, teardown);
}
