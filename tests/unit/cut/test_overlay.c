// What a variant multiplies by and adds, of a small module with biases, and how much of it is
// counted.
#include "support/test.h"

#include "cut/cut.h"
#include "cut/cut_size.h"
#include "cut/overlay.h"
#include "support/fake_host.h"

enum { F = 10, D = 3 };
static const cull_matrix_id gate = { 0, CULL_PART_GATE, 0 }, up = { 0, CULL_PART_UP, 0 },
                            down = { 0, CULL_PART_DOWN, 0 }, other = { 0, CULL_PART_DOWN, 1 };

static float wide[F * D], tall[D * F], narrow_bias[F], wide_bias[D];

static cull_matrix matrix(size_t rows, size_t cols, const float *w, const float *bias)
{
    return (cull_matrix){ .size = sizeof(cull_matrix),
                          .rows = rows,
                          .cols = cols,
                          .data = w,
                          .dtype = CULL_DT_F32,
                          .row_stride = (ptrdiff_t)cols,
                          .col_stride = 1,
                          .bias = bias,
                          .bias_dtype = CULL_DT_F32,
                          .bias_stride = 1 };
}

static int setup(void **state)
{
    for (size_t i = 0; i < F * D; i++)
        wide[i] = tall[i] = 1.0f + (float)i;
    for (size_t i = 0; i < F; i++)
        narrow_bias[i] = 0.5f + (float)i;
    for (size_t i = 0; i < D; i++)
        wide_bias[i] = 10.0f + (float)i;
    *state = fake_host_new(1);
    return 0;
}

static int teardown(void **state)
{
    fake_host_free(*state);
    return 0;
}

// Channels 2 and 9 of expert 0 are gone, by two stages.
static cull_cut *without_two(fake_host *host)
{
    cull_cut *cut = cull_cut_new(fake_ctx(host), 1, D, (size_t[]){ 2 });
    unsigned char *bits = cull_cut_overlay(fake_ctx(host), cut, down, CULL_CHANNELS, 1, F);

    memcpy(bits, (unsigned char[]){ 0xfb, 0x03 }, 2);
    bits = cull_cut_overlay(fake_ctx(host), cut, down, CULL_CHANNELS, 1, F);
    memcpy(bits, (unsigned char[]){ 0xff, 0x01 }, 2);
    return cut;
}

static bool gone(size_t c)
{
    return c == 2 || c == 9;
}

static void channels_are_zero_in_all_parts(void **state)
{
    const cull_cut *cut = without_two(*state);
    const cull_matrix g = matrix(F, D, wide, narrow_bias), d = matrix(D, F, tall, wide_bias);
    const cull_overlaid rows = cull_overlay_of(cut, gate), cols = cull_overlay_of(cut, down);
    float w[F * D], b[F];

    assert_true(cull_overlaid_matrix(&rows) && cull_overlaid_bias(&rows, &g));
    assert_true(cull_overlaid_matrix(&cols) && !cull_overlaid_bias(&cols, &d));
    cull_overlay_rows(&rows, &g, 1, F - 1, w + D);
    cull_overlay_bias(&rows, &g, 1, F - 1, b + 1);
    for (size_t c = 1; c < F; c++) {
        assert_true(b[c] == (gone(c) ? 0 : narrow_bias[c]));
        for (size_t i = 0; i < D; i++)
            assert_true(w[c * D + i] == (gone(c) ? 0 : wide[c * D + i]));
    }
    cull_overlay_rows(&cols, &d, 0, D, w);
    cull_overlay_bias(&cols, &d, 0, D, b);
    for (size_t i = 0; i < D * F; i++)
        assert_true(w[i] == (gone(i % F) ? 0 : tall[i]));
    assert_memory_equal(b, wide_bias, sizeof wide_bias);
}

static void another_expert_is_untouched(void **state)
{
    const cull_cut *cut = without_two(*state);
    const cull_overlaid over = cull_overlay_of(cut, other);

    assert_false(cull_overlaid_matrix(&over));
    assert_true(cull_overlay_keeps(&over, 2));
}

static void output_biases_add(void **state)
{
    fake_host *host = *state;
    cull_cut *cut = without_two(host);
    const cull_matrix stored = matrix(D, F, tall, wide_bias), plain = matrix(D, F, tall, NULL);
    float b[D];

    for (size_t stage = 1; stage <= 2; stage++) {
        float *bias = cull_cut_overlay(fake_ctx(host), cut, down, CULL_BIAS, 1, D);
        for (size_t i = 0; i < D; i++)
            bias[i] = (float)(stage * i);
    }
    const cull_overlaid over = cull_overlay_of(cut, down);
    assert_true(cull_overlaid_bias(&over, &plain));
    cull_overlay_bias(&over, &stored, 0, D, b);
    for (size_t i = 0; i < D; i++)
        assert_true(b[i] == wide_bias[i] + 3.0f * (float)i);
    cull_overlay_bias(&over, &plain, 1, D - 1, b + 1);
    assert_true(b[1] == 3.0f && b[2] == 6.0f);
}

static void masks_and_channels_are_counted_together(void **state)
{
    fake_host *host = *state;
    cull_cut *cut = without_two(host);

    assert_int_equal(cull_kept_channels(cut, down, F), F - 2);
    assert_int_equal(cull_kept_channels(cut, other, F), F);
    assert_int_equal(cull_kept_weights(cut, gate, F, D), (F - 2) * D);
    assert_int_equal(cull_kept_weights(cut, down, D, F), (F - 2) * D);
    unsigned char *mask = cull_cut_overlay(fake_ctx(host), cut, up, CULL_MASK, F, D);
    memset(mask, 0x05, F); // of each row's three the middle one goes
    assert_int_equal(cull_kept_weights(cut, up, F, D), (F - 2) * 2);
    mask = cull_cut_overlay(fake_ctx(host), cut, down, CULL_MASK, D, F);
    memset(mask, 0xff, 2 * D);
    mask[0] = 0xf8; // of the first row 0, 1 and 2 go, of which 2 was gone
    assert_int_equal(cull_kept_weights(cut, down, D, F), (F - 2) * D - 2);
}

// What takes the place of weights is kept, whatever its bits: a mean may be 0 by chance.
static void rewritten_weights_are_kept(void **state)
{
    fake_host *host = *state;
    cull_cut *cut = without_two(host);

    memset(cull_cut_overlay(fake_ctx(host), cut, other, CULL_MATRIX, D, F), 0, sizeof tall);
    assert_int_equal(cull_kept_weights(cut, other, D, F), D * F);
    memset(cull_cut_overlay(fake_ctx(host), cut, down, CULL_MATRIX, D, F), 0, sizeof tall);
    assert_int_equal(cull_kept_weights(cut, down, D, F), D * (F - 2));
    unsigned char *mask = cull_cut_overlay(fake_ctx(host), cut, other, CULL_MASK, D, F);
    memset(mask, 0xff, 2 * D);
    mask[0] = 0xf8;
    assert_int_equal(cull_kept_weights(cut, other, D, F), D * F - 3);
}

static void what_makes_no_sense_is_refused(void **state)
{
    fake_host *host = *state;
    cull_cut *cut = without_two(host);

    assert_null(cull_cut_overlay(fake_ctx(host), cut, gate, CULL_CHANNELS, 1, F));
    fake_clear(host);
    assert_null(cull_cut_overlay(fake_ctx(host), cut, down, CULL_CHANNELS, 2, F));
    fake_clear(host);
    assert_null(cull_cut_overlay(fake_ctx(host), cut, up, CULL_BIAS, 1, F));
    fake_clear(host);
    assert_null(cull_cut_overlay(fake_ctx(host), cut, down, 5, 1, F));
    fake_clear(host);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(channels_are_zero_in_all_parts),
        TEST(another_expert_is_untouched),
        TEST(output_biases_add),
        TEST(masks_and_channels_are_counted_together),
        TEST(rewritten_weights_are_kept),
        TEST(what_makes_no_sense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
