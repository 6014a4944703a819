// Structs and arrays of a plugin that was built with more, or fewer, fields than this Cull.
#include "support/test.h"

#include <cull/cull.h>

#include "base/sized.h"
#include "support/fixture.h"

typedef struct ours {
    uint32_t size;
    int32_t first;
    double second;
} ours;

typedef struct newer {
    ours is;
    double third[3];
} newer;

enum { LEAST = CULL_UP_TO(ours, first) };

HOST_FIXTURE(1)

static void what_both_know_is_copied(void **state)
{
    const ours older = { .size = LEAST, .first = 7, .second = 1 };
    const newer later = { .is = { sizeof(newer), 8, 2 }, .third = { 3, 3, 3 } };
    ours got;

    (void)state;
    assert_ok(host, cull_sized_copy(fake_ctx(host), "a thing", LEAST, &older, sizeof got, &got));
    assert_int_equal(got.size, sizeof got);
    assert_int_equal(got.first, 7);
    assert_true(got.second == 0);
    assert_ok(host, cull_sized_copy(fake_ctx(host), "a thing", LEAST, &later, sizeof got, &got));
    assert_int_equal(got.size, sizeof got);
    assert_int_equal(got.first, 8);
    assert_true(got.second == 2);
}

static void no_size_is_a_fault(void **state)
{
    const ours forgotten[2] = { { sizeof(ours), 1, 1 }, { .first = 2 } };
    const void *at;
    ours got;

    (void)state;
    assert_fails(host,
                 cull_sized_copy(fake_ctx(host), "a thing", LEAST, &forgotten[1], sizeof got, &got),
                 CULL_EPLUGIN, "a thing of 0 bytes; it has 8 at least");
    const ours beyond = { .size = UINT32_MAX };
    assert_fails(host, cull_sized_copy(fake_ctx(host), "a thing", LEAST, &beyond, sizeof got, &got),
                 CULL_EPLUGIN, "a thing of 4294967295 bytes; no version has more than");
    assert_fails(host,
                 cull_sized_array(fake_ctx(host), "a thing", LEAST, 2, forgotten, sizeof got, &at),
                 CULL_EPLUGIN, "a thing of 0 bytes; it has 8 at least");
}

static void arrays_go_by_their_stride(void **state)
{
    const ours same[2] = { { sizeof(ours), 1, 1 }, { sizeof(ours), 2, 2 } };
    const newer later[2] = { { .is = { sizeof(newer), 3, 3 } }, { .is = { sizeof(newer), 4, 4 } } };
    const ours mixed[2] = { { sizeof(ours), 1, 1 }, { LEAST, 2, 2 } };
    const void *at;

    (void)state;
    assert_ok(host, cull_sized_array(fake_ctx(host), "a thing", LEAST, 2, same, sizeof *same, &at));
    assert_ptr_equal(at, same);
    assert_ok(host,
              cull_sized_array(fake_ctx(host), "a thing", LEAST, 2, later, sizeof(ours), &at));
    for (size_t i = 0; i < 2; i++) {
        const ours *is = (const ours *)at + i;
        assert_int_equal(is->size, sizeof *is);
        assert_int_equal(is->first, 3 + (int)i);
        assert_true(is->second == 3 + (double)i);
    }
    assert_fails(host,
                 cull_sized_array(fake_ctx(host), "a thing", LEAST, 2, mixed, sizeof *mixed, &at),
                 CULL_EPLUGIN, "a thing of 8 bytes among others of 16");
    assert_ok(host, cull_sized_array(fake_ctx(host), "a thing", LEAST, 0, NULL, sizeof(ours), &at));
}

// A host that is newer than the plugin: its elements are longer than the plugin thinks.
static void plugins_step_by_the_hosts_size(void **state)
{
    typedef struct longer {
        cull_layer_facts is;
        size_t more[4];
    } longer;
    const longer layer[3] = { { .is = { .size = sizeof(longer), .E = 4 } },
                              { .is = { .size = sizeof(longer), .E = 5 } },
                              { .is = { .size = sizeof(longer), .E = 6 } } };
    const cull_view view = { .size = sizeof view, .layer = &layer[0].is };

    (void)state;
    for (size_t l = 0; l < 3; l++)
        assert_int_equal(cull_view_layer(&view, l)->E, 4 + l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_both_know_is_copied, setup, teardown),
        cmocka_unit_test_setup_teardown(no_size_is_a_fault, setup, teardown),
        cmocka_unit_test_setup_teardown(arrays_go_by_their_stride, setup, teardown),
        cmocka_unit_test(plugins_step_by_the_hosts_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
