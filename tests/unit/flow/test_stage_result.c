// A stage's result as a file: it comes back as it was, and damage is refused.
#include "flow/sandbox/stage_result.h"

#include <math.h>

#include "support/fake_host.h"
#include "support/fixture.h"
#include "support/test.h"

static const size_t experts[] = { 3, 0, 2 };

HOST_FIXTURE(1)

static cull_cut *new_cut(void)
{
    cull_cut *cut = cull_cut_new(fake_ctx(host), 3, 4, experts);

    assert_non_null(cut);
    return cut;
}

// A drop, a novice, an alias, rules, a mask of layer 0 and a matrix of layer 2, scores.
static cull_stage_result decided(void)
{
    static double first[] = { 1, 2, 3 }, last[] = { 4, 5 };
    static double *const scores[] = { first, NULL, last };
    cull_stage_result found = { .cut = new_cut(), .expert = scores, .score_s = 1, .select_s = 2 };
    cull_layer_cut *layer = found.cut->layer;

    layer[0].action[1] = CULL_ACTION_DROP;
    layer[0].action[2] = CULL_ACTION_NOVICE;
    for (size_t d = 0; d < 4; d++)
        layer[0].constant[2 * 4 + d] = (float)d;
    layer[2].action[1] = CULL_ACTION_ALIAS;
    layer[2].target[1] = 0;
    layer[2].k = 1;
    layer[2].skip_ratio = 0.5;
    layer[1].skip_layer = true;
    uint8_t *mask = cull_cut_overlay(fake_ctx(host), found.cut, cull_at_expert(0, CULL_PART_UP, 0),
                                     CULL_MASK, 2, 12);
    mask[3] = 0x0a;
    float *matrix = cull_cut_overlay(fake_ctx(host), found.cut,
                                     cull_at_expert(2, CULL_PART_DOWN, 0), CULL_MATRIX, 2, 3);
    matrix[5] = 2.5f;
    return found;
}

static FILE *written(const cull_stage_result *found)
{
    FILE *file = tmpfile();

    assert_non_null(file);
    assert_ok(host, cull_stage_result_write(fake_ctx(host), file, found, 0));
    rewind(file);
    fflush(file);
    return file;
}

static void comes_back_as_it_was(void **state)
{
    (void)state;
    const cull_stage_result found = decided();
    cull_stage_result back = { .cut = new_cut() };
    FILE *file = written(&found);
    assert_ok(host, cull_stage_result_read(fake_ctx(host), file, SIZE_MAX, &back));
    fclose(file);
    const cull_layer_cut *layer = back.cut->layer;
    assert_memory_equal(layer[0].action, found.cut->layer[0].action, 3);
    assert_memory_equal(layer[0].constant + 8, found.cut->layer[0].constant + 8, 16);
    assert_int_equal(layer[2].target[1], 0);
    assert_int_equal(layer[2].k, 1);
    assert_true(layer[2].skip_ratio == 0.5);
    assert_true(layer[1].skip_layer);
    assert_int_equal(back.cut->n_overlays, 2);
    assert_int_equal(((const uint8_t *)back.cut->overlay[0].data)[3], 0x0a);
    assert_true(((const float *)back.cut->overlay[1].data)[5] == 2.5f);
    assert_true(back.expert[2][1] == 5);
    assert_true(back.score_s == 1 && back.select_s == 2);
    assert_true(back.score_all_s == 1 && back.select_all_s == 2);
    cull_stage_result_release(&back);
}

static void one_layer_alone(void **state)
{
    (void)state;
    cull_stage_result found = decided();
    cull_stage_result back = { .cut = new_cut() };
    found.cut->n_overlays = 1; // that of layer 0
    FILE *file = written(&found);
    assert_ok(host, cull_stage_result_read(fake_ctx(host), file, 0, &back));
    fclose(file);
    assert_int_equal(back.cut->layer[0].action[1], CULL_ACTION_DROP);
    assert_int_equal(back.cut->layer[2].action[1], CULL_ACTION_BASE);
    cull_stage_result_release(&back);
    found.cut->n_overlays = 2;
    back = (cull_stage_result){ .cut = new_cut() };
    file = written(&found);
    assert_fails(host, cull_stage_result_read(fake_ctx(host), file, 0, &back), CULL_EPLUGIN,
                 "layer 2 was changed while layer 0 was decided");
    fclose(file);
    cull_stage_result_release(&back);
}

static void refused(void (*spoil)(cull_stage_result *), cull_status status, const char *part)
{
    cull_stage_result found = decided(), back = { .cut = new_cut() };

    spoil(&found);
    FILE *file = written(&found);
    assert_fails(host, cull_stage_result_read(fake_ctx(host), file, SIZE_MAX, &back), status, part);
    fclose(file);
    cull_stage_result_release(&back);
}

static void bad_action(cull_stage_result *r)
{
    r->cut->layer[0].action[0] = 9;
}
static void bad_target(cull_stage_result *r)
{
    r->cut->layer[2].target[1] = 1;
}
static void bad_novice(cull_stage_result *r)
{
    r->cut->layer[0].constant[8] = NAN;
}
static void bad_matrix(cull_stage_result *r)
{
    ((float *)(uintptr_t)r->cut->overlay[1].data)[0] = INFINITY;
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    refused(bad_action, CULL_EPLUGIN, "the slot of layer 0, expert 0 makes no sense");
    refused(bad_target, CULL_EPLUGIN, "the slot of layer 2, expert 1 makes no sense");
    refused(bad_novice, CULL_ENUMERIC, "the novice of layer 0, expert 2 is not finite");
    refused(bad_matrix, CULL_ENUMERIC, "a rewritten matrix of layer 2 is not finite");
}

// Any truncation, any byte turned over: refused or read, never outside the file.
static void damage_is_survived(void **state)
{
    static unsigned char bytes[8192];

    (void)state;
    const cull_stage_result found = decided();
    FILE *file = written(&found);
    const size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t i = 0; i < 2 * n; i++) {
        cull_stage_result back = { .cut = new_cut() };
        FILE *damaged = tmpfile();
        bytes[i % n] ^= 0xff;
        fwrite(bytes, 1, i < n ? n : i - n + 1, damaged);
        fflush(damaged);
        bytes[i % n] ^= 0xff;
        if (cull_stage_result_read(fake_ctx(host), damaged, SIZE_MAX, &back) != CULL_OK)
            fake_clear(host);
        fclose(damaged);
        cull_stage_result_release(&back);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(comes_back_as_it_was),
        TEST(one_layer_alone),
        TEST(nonsense_is_refused),
        TEST(damage_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
