// Stored types as float32: all values of the small ones, and round trips.
#include <math.h>

#include "cut/unpack.h"
#include "support/test.h"
#include <cull/kernel.h>
#include <cull/number.h>

static void test_halves(void **state)
{
    (void)state;
    for (uint32_t b = 0; b < 65536; b++) {
        const float f16 = cull_of_f16((uint16_t)b), bf16 = cull_of_bf16((uint16_t)b);
        if (!isnan(f16))
            assert_int_equal(cull_f16_of(f16), b);
        if (!isnan(bf16))
            assert_int_equal(cull_bf16_of(bf16), b);
    }
    assert_true(cull_of_f16(0x3c00) == 1.0f && cull_of_f16(0x0001) == 0x1p-24f);
    assert_true(cull_of_f16(0x7bff) == 65504.0f && isinf(cull_of_f16(0x7c00)));
    assert_int_equal(cull_bf16_of(1.00390625f), 0x3f80); // a tie goes to the even one
    assert_int_equal(cull_f16_of(65520.0f), 0x7c00);
}

// By the definition: the nearest of all values of the format, of two equally near the even one.
static void test_nearest(void **state)
{
    (void)state;
    for (uint32_t b = 1; b < 0x7c00; b++) {
        const float low = cull_of_f16((uint16_t)(b - 1)), high = cull_of_f16((uint16_t)b);
        const float middle = low + (high - low) / 2; // exact: float32 has more bits
        const uint32_t even = b & 1 ? b - 1 : b;
        assert_int_equal(cull_f16_of(middle), even);
        assert_int_equal(cull_f16_of(-middle), even | 0x8000);
        assert_int_equal(cull_f16_of(nextafterf(middle, 0)), b - 1);
        assert_int_equal(cull_f16_of(nextafterf(middle, high)), b);
    }
    for (uint32_t b = 0x0080; b < 0x7f80; b++) {
        const float low = cull_of_bf16((uint16_t)(b - 1)), high = cull_of_bf16((uint16_t)b);
        const float middle = cull_of_bits((cull_bits_of(low) + cull_bits_of(high)) / 2);
        assert_int_equal(cull_bf16_of(middle), b & 1 ? b - 1 : b);
        assert_int_equal(cull_bf16_of(-middle), (b & 1 ? b - 1 : b) | 0x8000);
        assert_int_equal(cull_bf16_of(nextafterf(middle, high)), b);
    }
    assert_int_equal(cull_f16_of(0x1p-25f), 0); // half of the smallest step
    assert_int_equal(cull_f16_of(INFINITY), 0x7c00);
    assert_int_equal(cull_bf16_of(-INFINITY), 0xff80);
}

// A NaN stays a quiet one, whichever way it goes, and keeps its sign.
static void test_nan(void **state)
{
    (void)state;
    for (uint32_t sign = 0; sign < 2; sign++)
        for (uint32_t payload = 1; payload < 0x400; payload++) {
            const float nan = cull_of_bits(sign << 31 | 0x7f800000u | payload);
            const uint16_t f16 = cull_f16_of(nan), bf16 = cull_bf16_of(nan);
            assert_true((f16 & 0x7e00) == 0x7e00 && f16 >> 15 == sign);
            assert_true((bf16 & 0x7fc0) == 0x7fc0 && bf16 >> 15 == sign);
            const uint32_t back =
                cull_bits_of(cull_of_f16((uint16_t)(sign << 15 | 0x7c00u | payload)));
            assert_true((back & 0x7fc00000u) == 0x7fc00000u && back >> 31 == sign);
        }
    assert_int_equal(cull_bits_of(cull_of_e4m3(0xff)), 0xffc00000u);
}

static void test_e4m3(void **state)
{
    (void)state;
    for (unsigned b = 0; b < 128; b++) {
        const unsigned e = b >> 3, m = b & 7;
        const double want = e ? ldexp(1.0 + m / 8.0, (int)e - 7) : ldexp(m / 8.0, -6);
        if (b == 127) {
            assert_true(isnan(cull_of_e4m3(127)) && isnan(cull_of_e4m3(255)));
            continue;
        }
        assert_true((double)cull_of_e4m3((uint8_t)b) == want);
        assert_true((double)cull_of_e4m3((uint8_t)(b | 128)) == -want);
    }
    assert_true(cull_of_e4m3(0x7e) == 448.0f);
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
        cmocka_unit_test(test_halves), cmocka_unit_test(test_nearest), cmocka_unit_test(test_nan),
        cmocka_unit_test(test_e4m3),   cmocka_unit_test(test_strides), cmocka_unit_test(test_mxfp4),
        cmocka_unit_test(test_exp),    cmocka_unit_test(test_sigmoid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
