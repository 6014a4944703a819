// Stored types as float32: all values of the small ones, and round trips.
#include <math.h>

#include "cut/unpack.h"
#include "support/test.h"
#include <cull/kernel.h>

static void test_halves(void **state)
{
    (void)state;
    for (uint32_t b = 0; b < 65536; b++) {
        const float f16 = cull_f16_to_f32((uint16_t)b), bf16 = cull_bf16_to_f32((uint16_t)b);
        if (!isnan(f16))
            assert_int_equal(cull_f32_to_f16(f16), b);
        if (!isnan(bf16))
            assert_int_equal(cull_f32_to_bf16(bf16), b);
    }
    assert_true(cull_f16_to_f32(0x3c00) == 1.0f && cull_f16_to_f32(0x0001) == 0x1p-24f);
    assert_true(cull_f16_to_f32(0x7bff) == 65504.0f && isinf(cull_f16_to_f32(0x7c00)));
    assert_int_equal(cull_f32_to_bf16(1.00390625f), 0x3f80); // a tie goes to the even one
    assert_int_equal(cull_f32_to_f16(65520.0f), 0x7c00);
}

static void test_e4m3(void **state)
{
    (void)state;
    for (unsigned b = 0; b < 128; b++) {
        const unsigned e = b >> 3, m = b & 7;
        const double want = e ? ldexp(1.0 + m / 8.0, (int)e - 7) : ldexp(m / 8.0, -6);
        if (b == 127) {
            assert_true(isnan(cull_e4m3_to_f32(127)) && isnan(cull_e4m3_to_f32(255)));
            continue;
        }
        assert_true((double)cull_e4m3_to_f32((uint8_t)b) == want);
        assert_true((double)cull_e4m3_to_f32((uint8_t)(b | 128)) == -want);
    }
    assert_true(cull_e4m3_to_f32(0x7e) == 448.0f);
}

static void test_strides(void **state)
{
    const float stored[6] = { 1, 2, 3, 4, 5, 6 }; // (2, 3)
    cull_matrix m = {
        .rows = 3, .cols = 2, .data = stored, .dtype = CULL_DT_F32, .row_stride = 1, .col_stride = 3
    };
    float out[6];

    (void)state;
    cull_unpack_rows(&m, 0, 3, out);
    const float want[6] = { 1, 4, 2, 5, 3, 6 };
    assert_memory_equal(out, want, sizeof want);
    assert_null(cull_plain_f32(&m));
}

static void test_mxfp4(void **state)
{
    const uint8_t blocks[16] = { 0x21, 0xf7 }; // 0.5 1 | 6 −6, then zeros
    const uint8_t scale[1] = { 128 };
    cull_matrix m = { .rows = 1,
                      .cols = 32,
                      .data = blocks,
                      .dtype = CULL_DT_F4,
                      .row_stride = 16,
                      .scale = scale,
                      .scale_dtype = CULL_DT_F8_E8M0,
                      .scale_stride = 1 };
    float out[32];

    (void)state;
    cull_unpack_rows(&m, 0, 1, out);
    assert_true(out[0] == 1.0f && out[1] == 2.0f && out[2] == 12.0f && out[3] == -12.0f &&
                out[4] == 0.0f);
}

static void test_exp(void **state)
{
    (void)state;
    for (double x = -87.0; x <= 88.0; x += 0.00371) {
        const double want = exp((double)(float)x);
        assert_true(fabs((double)cull_exp((float)x) - want) <= 2e-7 * want);
    }
    assert_true(cull_exp(-1000.0f) == 0.0f && cull_exp(0.0f) == 1.0f);
}

static void test_sigmoid(void **state)
{
    (void)state;
    for (double x = -85.0; x < 85.0; x += 0.0371) {
        const double want = 1.0 / (1.0 + exp(-(double)(float)x));
        assert_true(fabs((double)cull_sigmoid((float)x) - want) <= 4e-7 * want);
    }
    assert_true(cull_sigmoid(0.0f) == 0.5f && cull_sigmoid(1000.0f) == 1.0f);
    assert_true(cull_sigmoid(-1000.0f) == 0.0f && isnan(cull_sigmoid(NAN)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_halves), cmocka_unit_test(test_e4m3), cmocka_unit_test(test_strides),
        cmocka_unit_test(test_mxfp4),  cmocka_unit_test(test_exp),  cmocka_unit_test(test_sigmoid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
