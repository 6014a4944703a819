// Packed masks and matrices: back as they were, smaller where that pays, and what is damaged.
#include "support/test.h"

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "cut/packed.h"
#include "support/fake_host.h"

enum { ROWS = 61, COLS = 133, STRIDE = (COLS + 7) / 8 };

static int make(void **state)
{
    *state = fake_host_new(1);
    return 0;
}

static int clear(void **state)
{
    fake_host_free(*state);
    return 0;
}

static uint32_t draw(uint32_t *x)
{
    *x = *x * 1664525u + 1013904223u;
    return *x >> 8;
}

// Numbers of which `percent` are not zero.
static void fill(uint32_t percent, float *values)
{
    uint32_t x = 7;

    for (size_t i = 0; i < (size_t)ROWS * COLS; i++)
        values[i] = draw(&x) % 100 < percent ? ((float)draw(&x) - 8e6f) / 3e9f : 0.0f;
}

static void a_sparse_matrix_comes_back(void **state)
{
    cull_ctx *ctx = fake_ctx(*state);
    static float values[ROWS * COLS], back[ROWS * COLS];
    cull_packed packed;
    bool pays;
    size_t rows, cols;

    fill(20, values);
    values[3] = -0.0f; // no zero: its sign is kept
    values[ROWS * COLS - 1] = NAN;
    assert_ok(*state, cull_pack_matrix(ctx, ROWS, COLS, 4, values, &packed, &pays));
    assert_true(pays);
    assert_true(packed.n < sizeof values / 4); // a fifth, and a bit each
    assert_true(cull_packed_shape(packed.bytes, packed.n, &rows, &cols));
    assert_int_equal(rows, ROWS);
    assert_int_equal(cols, COLS);
    assert_ok(*state, cull_unpack_matrix(ctx, packed.bytes, packed.n, 4, back));
    assert_memory_equal(values, back, sizeof values);
}

static void an_empty_matrix_comes_back(void **state)
{
    cull_ctx *ctx = fake_ctx(*state);
    static float values[ROWS * COLS], back[ROWS * COLS];
    cull_packed packed;
    bool pays;

    memset(back, 1, sizeof back);
    assert_ok(*state, cull_pack_matrix(ctx, ROWS, COLS, 4, values, &packed, &pays));
    assert_true(pays);
    assert_ok(*state, cull_unpack_matrix(ctx, packed.bytes, packed.n, 4, back));
    assert_memory_equal(values, back, sizeof values);
}

static void what_does_not_shrink_is_left(void **state)
{
    cull_ctx *ctx = fake_ctx(*state);
    static unsigned char noise[ROWS * STRIDE];
    cull_packed packed;
    bool pays;
    uint32_t x = 3;

    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (unsigned char)draw(&x);
    assert_ok(*state, cull_pack_bits(ctx, ROWS, COLS, noise, &packed, &pays));
    assert_false(pays);
    assert_ok(*state, cull_pack_matrix(ctx, 1, ROWS, 2, noise, &packed, &pays));
    assert_false(pays);
}

static void a_lean_mask_comes_back(void **state)
{
    cull_ctx *ctx = fake_ctx(*state);
    static unsigned char mask[ROWS * STRIDE], back[ROWS * STRIDE];
    cull_packed packed;
    bool pays;
    uint32_t x = 5;

    for (size_t i = 0; i < sizeof mask; i++)
        for (size_t b = 0; b < 8; b++)
            mask[i] |= (unsigned char)((draw(&x) % 10 == 0) << b);
    assert_ok(*state, cull_pack_bits(ctx, ROWS, COLS, mask, &packed, &pays));
    assert_true(pays);
    assert_true(packed.n < sizeof mask * 3 / 4);
    assert_ok(*state, cull_unpack_bits(ctx, packed.bytes, packed.n, back));
    assert_memory_equal(mask, back, sizeof mask);
}

// Any byte may be another, and the end may be missing: never more than is there, never a crash.
static void damage_is_refused(void **state)
{
    cull_ctx *ctx = fake_ctx(*state);
    static float values[ROWS * COLS], back[ROWS * COLS];
    cull_packed packed;
    bool pays;
    size_t rows, cols;

    fill(30, values);
    assert_ok(*state, cull_pack_matrix(ctx, ROWS, COLS, 4, values, &packed, &pays));
    for (size_t n = 0; n < packed.n; n += 1 + n / 16)
        assert_int_not_equal(cull_unpack_matrix(ctx, packed.bytes, n, 4, back), CULL_OK);
    for (size_t i = 16; i < packed.n; i += 1 + i / 32) {
        packed.bytes[i] ^= 0x55;
        const cull_status status = cull_packed_shape(packed.bytes, packed.n, &rows, &cols)
                                       ? cull_unpack_matrix(ctx, packed.bytes, packed.n, 4, back)
                                       : CULL_EFORMAT;
        assert_int_equal(status, CULL_EFORMAT); // deflate's checksum finds it
        packed.bytes[i] ^= 0x55;
    }
    packed.bytes[0]++; // one row more
    assert_int_equal(cull_unpack_bits(ctx, packed.bytes, packed.n, back), CULL_EFORMAT);
    memset(packed.bytes, 0xff, 16);
    assert_false(cull_packed_shape(packed.bytes, packed.n, &rows, &cols));
}

// Numbers of many pieces: their exponents repeat nothing, the first half's fractions do.
static void the_bytes_do_not_depend_on_threads(void **state)
{
    enum { R = 600, C = 1001 };
    static float values[R * C], back[R * C];
    fake_host *three = fake_host_new(3);
    cull_packed packed, other;
    bool pays, same;
    uint32_t x = 11;

    for (size_t i = 0; i < (size_t)R * C; i++)
        values[i] = i < R * C / 2 ? (float)(i % 10) : ((float)draw(&x) - 8e6f) / 3e9f;
    assert_ok(*state, cull_pack_matrix(fake_ctx(*state), R, C, 4, values, &packed, &pays));
    assert_ok(three, cull_pack_matrix(fake_ctx(three), R, C, 4, values, &other, &same));
    assert_true(pays && same);
    assert_int_equal(packed.n, other.n);
    assert_memory_equal(packed.bytes, other.bytes, packed.n);
    assert_ok(*state, cull_unpack_matrix(fake_ctx(*state), packed.bytes, packed.n, 4, back));
    assert_memory_equal(values, back, sizeof values);
    fake_host_free(three);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_sparse_matrix_comes_back, make, clear),
        cmocka_unit_test_setup_teardown(an_empty_matrix_comes_back, make, clear),
        cmocka_unit_test_setup_teardown(what_does_not_shrink_is_left, make, clear),
        cmocka_unit_test_setup_teardown(a_lean_mask_comes_back, make, clear),
        cmocka_unit_test_setup_teardown(damage_is_refused, make, clear),
        cmocka_unit_test_setup_teardown(the_bytes_do_not_depend_on_threads, make, clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
