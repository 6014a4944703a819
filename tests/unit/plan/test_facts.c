// What the core makes of the facts of a backend that was built when they were fewer.
#include "plan/inputs.h"

#include <math.h>

#include "plan/key.h"

#include "support/fake_host.h"
#include "support/test.h"

static cull_model_facts told; // what the backend says
static const int32_t ends[] = { 3 };

static cull_status open(cull_ctx *ctx, const void *settings, uint32_t what, cull_model **out)
{
    (void)ctx, (void)settings, (void)what;
    *out = (cull_model *)&told;
    return CULL_OK;
}

static void close(cull_model *model)
{
    (void)model;
}

static const cull_model_facts *facts(const cull_model *model)
{
    (void)model;
    return &told;
}

static const cull_backend vtable = {
    .size = sizeof vtable, .open = open, .close = close, .facts = facts
};
static const cull_plugin plugin = {
    .size = sizeof plugin, .kind = CULL_BACKEND, .name = "older", .vtable = &vtable
};
static const cull_model_spec spec = { .name = "m", .backend = { .plugin = &plugin } };

static fake_host *host;

static int setup(void **state)
{
    (void)state;
    host = fake_host_new(1);
    told = (cull_model_facts){ .size = sizeof told,
                               .arch = "older",
                               .dtype = "f32",
                               .source = "nowhere",
                               .fingerprint = "00",
                               .eos = 7,
                               .exports = "all",
                               .stop = ends,
                               .n_stop = 1,
                               .max_new = 5,
                               .no_answers = "none" };
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_host_free(host);
    return 0;
}

static void test_as_told(void **state)
{
    cull_prepared_model s;

    (void)state;
    assert_ok(host, cull_prepared_model_open(fake_ctx(host), &spec, 0, &s));
    assert_ptr_equal(s.opened.facts->stop, ends);
    assert_string_equal(s.opened.facts->no_answers, "none");
    assert_int_equal(s.text.max_new, 5);
    cull_prepared_model_close(&s);
}

// What lies behind the struct's own end is not looked at.
static void test_older(void **state)
{
    cull_prepared_model s;

    (void)state;
    told.size = offsetof(cull_model_facts, stop);
    assert_ok(host, cull_prepared_model_open(fake_ctx(host), &spec, 0, &s));
    assert_int_equal(s.opened.facts->eos, 7);
    assert_string_equal(s.opened.facts->exports, "all");
    assert_null(s.opened.facts->stop);
    assert_int_equal(s.opened.facts->n_stop, 0);
    assert_null(s.opened.facts->no_answers);
    assert_int_equal(s.text.max_new, 0);
    cull_prepared_model_close(&s);
}

static void test_none(void **state)
{
    cull_prepared_model s;

    (void)state;
    told.size = 0;
    assert_fails(host, cull_prepared_model_open(fake_ctx(host), &spec, 0, &s), CULL_EPLUGIN,
                 "a model's facts of 0 bytes");
    cull_prepared_model_close(&s);
}

// The id of a dense trial of the model as it is read.
static cull_key dense_trial(uint32_t reading)
{
    cull_spec experiment = { .models = (cull_model_spec *)&spec, .n_models = 1 };
    cull_cell cell = { .method = CULL_NOT,
                       .step = CULL_NOT,
                       .sparsity = NAN,
                       .calibration = CULL_NOT,
                       .layers = CULL_NOT };
    cull_plan plan = { .spec = &experiment, .cell = &cell, .n_cells = 1 };
    cull_prepared_model s;

    told.reading = reading;
    assert_ok(host, cull_prepared_model_open(fake_ctx(host), &spec, 0, &s));
    const cull_inputs inputs = { .spec = &experiment, .at = &s, .n = 1 };
    cull_registry *registry = cull_registry_new(fake_ctx(host));
    assert_non_null(registry);
    assert_ok(host, cull_plan_keys(fake_ctx(host), registry, &inputs, &plan));
    cull_registry_free(registry);
    cull_prepared_model_close(&s);
    return cell.id;
}

// The same files, read otherwise: what was found then is not found again.
static void test_reading(void **state)
{
    const cull_key first = dense_trial(0), again = dense_trial(0), other = dense_trial(1);

    (void)state;
    assert_string_equal(first.hex, again.hex);
    assert_string_not_equal(first.hex, other.hex);
    assert_string_not_equal(other.hex, dense_trial(2).hex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_as_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_older, setup, teardown),
        cmocka_unit_test_setup_teardown(test_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reading, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
