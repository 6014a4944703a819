// Cuts written, read back, and files that are none.
#include "support/test.h"

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/safetensors.h"
#include "cut/cut_file.h"
#include "support/fake_host.h"

enum { L = 3, D = 5 };
static const size_t experts[L] = { 0, 4, 3 };
static const cull_matrix_id up = { 1, CULL_PART_UP, 1 }, q = { 0, CULL_PART_Q, CULL_NONE },
                            head = { CULL_NONE, CULL_PART_HEAD, CULL_NONE },
                            down = { 2, CULL_PART_DOWN, 0 },
                            shared = { 0, CULL_PART_SHARED_DOWN, CULL_NONE };
static char path[64];

static int make(void **state)
{
    *state = fake_host_new(1);
    snprintf(path, sizeof path, "/tmp/cull-cut-%ld.safetensors", (long)getpid());
    return 0;
}

static int clear(void **state)
{
    fake_host_free(*state);
    unlink(path);
    return 0;
}

static cull_cut *empty(fake_host *host)
{
    return cull_cut_new(fake_ctx(host), L, D, experts);
}

// One of everything that a cut can hold.
static cull_cut *everything(fake_host *host)
{
    cull_ctx *ctx = fake_ctx(host);
    cull_cut *cut = empty(host);
    cull_layer_cut *one = &cut->layer[1], *two = &cut->layer[2];

    one->action[0] = CULL_ACTION_NOVICE;
    for (size_t d = 0; d < D; d++)
        one->constant[d] = 0.1f * (float)d - 0.3f;
    one->action[2] = CULL_ACTION_ALIAS;
    one->target[2] = 3;
    one->k = 2;
    one->skip_ratio = 0.25;
    two->top_p = 0.875;
    two->action[1] = CULL_ACTION_DROP;
    two->action[2] = CULL_ACTION_ZERO;
    two->skip_moe = true;
    cut->layer[0].skip_layer = true;

    unsigned char *mask = ctx->host->overlay(ctx, cut, up, CULL_MASK, 2, 11);
    memcpy(mask, (unsigned char[]){ 0xff, 0x07, 0x55, 0x05 }, 4);
    mask = ctx->host->overlay(ctx, cut, up, CULL_MASK, 2, 11); // a later stage's: both hold
    memcpy(mask, (unsigned char[]){ 0xfe, 0x07, 0xff, 0x07 }, 4);
    float *matrix = ctx->host->overlay(ctx, cut, q, CULL_MATRIX, 2, 3);
    memcpy(matrix, (float[]){ 1.0f / 3, -2e-8f, 65504, 0, 1e-3f, -7 }, 6 * sizeof *matrix);
    matrix = ctx->host->overlay(ctx, cut, head, CULL_MATRIX, 1, 8);
    matrix[3] = 2;

    unsigned char *channels = ctx->host->overlay(ctx, cut, down, CULL_CHANNELS, 1, 10);
    memcpy(channels, (unsigned char[]){ 0xf7, 0x03 }, 2);
    channels = ctx->host->overlay(ctx, cut, down, CULL_CHANNELS, 1, 10); // a later stage's
    memcpy(channels, (unsigned char[]){ 0x77, 0x03 }, 2);
    float *bias = ctx->host->overlay(ctx, cut, shared, CULL_BIAS, 1, D);
    bias[1] = 1.5f;
    bias = ctx->host->overlay(ctx, cut, shared, CULL_BIAS, 1, D); // they add
    bias[1] = 0.25f;
    return cut;
}

static void save(fake_host *host, const cull_cut *cut, cull_dtype store)
{
    const cull_cut_note note = { "method", "stün" };

    assert_ok(host, cull_cut_save(fake_ctx(host), cut,
                                  &(cull_cut_about){ .model = "0123456789abcdef0123456789abcdef",
                                                     .store = store,
                                                     .n_notes = 1,
                                                     .notes = &note },
                                  path));
}

static void same_slots(const cull_cut *a, const cull_cut *b)
{
    for (size_t l = 0; l < L; l++) {
        const cull_layer_cut *x = &a->layer[l], *y = &b->layer[l];
        if (x->E > 0) {
            assert_memory_equal(x->action, y->action, x->E);
            assert_memory_equal(x->target, y->target, x->E * sizeof *x->target);
        }
        assert_int_equal(x->skip_layer, y->skip_layer);
        assert_int_equal(x->skip_moe, y->skip_moe);
        assert_int_equal(x->k, y->k);
        assert_true(x->skip_ratio == y->skip_ratio);
        assert_true(x->top_p == y->top_p);
    }
}

static const cull_overlay *overlay(const cull_cut *cut, cull_matrix_id where)
{
    const size_t i = cull_cut_first(cut, where);

    assert_int_not_equal(i, SIZE_MAX);
    assert_int_equal(cull_cut_next(cut, i), SIZE_MAX); // several masks became one
    return &cut->overlay[i];
}

static void everything_comes_back(void **state)
{
    fake_host *host = *state;
    const cull_cut *cut = everything(host);

    save(host, cut, CULL_DT_F32);
    cull_cut *back = empty(host);
    assert_ok(host, cull_cut_load(fake_ctx(host), path, back));

    same_slots(cut, back);
    assert_memory_equal(cut->layer[1].constant, back->layer[1].constant, D * sizeof(float));
    const cull_overlay *mask = overlay(back, up);
    assert_int_equal(mask->cols, 11);
    assert_memory_equal(mask->data, ((unsigned char[]){ 0xfe, 0x07, 0x55, 0x05 }), 4);
    assert_memory_equal(overlay(back, q)->data, overlay(cut, q)->data, 6 * sizeof(float));
    assert_int_equal(overlay(back, head)->cols, 8);
    assert_int_equal(overlay(back, down)->kind, CULL_CHANNELS);
    assert_int_equal(overlay(back, down)->cols, 10);
    assert_memory_equal(overlay(back, down)->data, ((unsigned char[]){ 0x77, 0x03 }), 2);
    assert_int_equal(overlay(back, shared)->kind, CULL_BIAS);
    assert_true(((const float *)overlay(back, shared)->data)[1] == 1.75f);

    cull_cut_ids ids = { .size = sizeof ids };
    assert_ok(host, cull_cut_file_service.ids(fake_ctx(host), path, &ids));
    assert_string_equal(ids.model, "0123456789abcdef0123456789abcdef");
    assert_string_equal(ids.calibration, "");
}

// What is loaded from a half precision file is what rounding in memory gives.
static void rounding_is_what_is_stored(void **state)
{
    fake_host *host = *state;
    static const cull_dtype types[] = { CULL_DT_BF16, CULL_DT_F16 };
    // numpy and torch: float16(1/3), float16(-2e-8), float16(1e-3); bfloat16 of the same
    static const float third[] = { 0.333984375f, 0.333251953125f };
    static const float tiny[] = { -2.0023435354232788e-08f, -0.0f };
    static const float small[] = { 0.00099945068359375f, 0.0010004043579101562f };

    for (size_t i = 0; i < 2; i++) {
        cull_cut *cut = everything(host), *back = empty(host);
        save(host, cut, types[i]);
        cull_cut_round(cut, types[i]);
        assert_ok(host, cull_cut_load(fake_ctx(host), path, back));
        assert_memory_equal(cut->layer[1].constant, back->layer[1].constant, D * sizeof(float));
        const float *rounded = overlay(back, q)->data;
        assert_memory_equal(rounded, overlay(cut, q)->data, 6 * sizeof(float));
        assert_true(rounded[0] == third[i]);
        assert_true(rounded[1] == tiny[i]);
        assert_true(rounded[4] == small[i]);
        assert_true(rounded[5] == -7);
    }
}

static void numbers_too_large_for_f16_are_refused(void **state)
{
    fake_host *host = *state;
    cull_cut *cut = empty(host);
    float *matrix = fake_ctx(host)->host->overlay(fake_ctx(host), cut, q, CULL_MATRIX, 1, 1);

    matrix[0] = 65520;
    assert_fails(
        host, cull_cut_save(fake_ctx(host), cut, &(cull_cut_about){ .store = CULL_DT_F16 }, path),
        CULL_ENUMERIC, "too large for F16");
    assert_int_equal(access(path, F_OK), -1);
}

static void write_by_hand(fake_host *host, size_t n, const cull_entry *entries,
                          const void *const *data, size_t n_pairs, const cull_pair *pairs)
{
    cull_safetensors_writer *writer;
    cull_ctx *ctx = fake_ctx(host);

    assert_ok(host, cull_safetensors_create(ctx, path, n, entries, n_pairs, pairs, &writer));
    for (size_t i = 0; i < n; i++) {
        size_t bytes;
        assert_true(cull_tensor_bytes(entries[i].dtype, entries[i].rank, entries[i].shape, &bytes));
        assert_ok(host, cull_safetensors_put(ctx, writer, i, data[i], bytes));
    }
    assert_ok(host, cull_safetensors_finish(ctx, writer));
}

static const cull_pair head_pair[] = { { "cull", "cut/1" } };

static void a_list_of_kept_experts_is_enough(void **state)
{
    fake_host *host = *state;
    const int32_t kept[] = { 1, 3 };

    write_by_hand(host, 1,
                  &(cull_entry){ sizeof(cull_entry), "layer.1.kept", CULL_DT_I32, 1, { 2 } },
                  (const void *[]){ kept }, 1, head_pair);
    cull_cut *cut = empty(host);
    assert_ok(host, cull_cut_load(fake_ctx(host), path, cut));
    assert_memory_equal(cut->layer[1].action, ((uint8_t[]){ 1, 0, 1, 0 }), 4);
    assert_memory_equal(cut->layer[2].action, ((uint8_t[]){ 0, 0, 0 }), 3);
}

// ---- what makes no sense ----

static const uint8_t actions[] = { 0, 9, 0, 0 }, alias[] = { 0, 4, 0, 0 },
                     novice[] = { 0, 3, 0, 0 };
static const int32_t kept[] = { 3, 1, 0 }, target[] = { 0, 2, 2, 3 };
static const float nan_row[] = { NAN };

// Each case is one tensor that cannot be right.
static const struct {
    cull_entry entry;
    const void *data;
    const char *part;
} wrong_tensors[] = {
    { { sizeof(cull_entry), "layer.1.action", CULL_DT_U8, 1, { 4 } },
      actions,
      "no action has number 9" },
    { { sizeof(cull_entry), "layer.1.action", CULL_DT_U8, 1, { 3 } }, actions, "is not U8 (4)" },
    { { sizeof(cull_entry), "layer.1.action", CULL_DT_U8, 1, { 4 } },
      novice,
      "layer.1.novice\" is missing" },
    { { sizeof(cull_entry), "layer.1.kept", CULL_DT_I32, 1, { 2 } }, kept, "is no ascending list" },
    { { sizeof(cull_entry), "layer.1.target", CULL_DT_I32, 1, { 4 } },
      target,
      "expert 1: 2 cannot be its target" },
    { { sizeof(cull_entry), "layer.0.action", CULL_DT_U8, 1, { 1 } }, alias, "has no meaning" },
    { { sizeof(cull_entry), "layer.01.action", CULL_DT_U8, 1, { 4 } }, alias, "has no meaning" },
    { { sizeof(cull_entry), "layer.7.q.mask", CULL_DT_U8, 2, { 1, 1 } },
      actions,
      "names no matrix" },
    { { sizeof(cull_entry), "layer.1.expert.4.up.mask", CULL_DT_U8, 2, { 1, 1 } },
      actions,
      "names no matrix" },
    { { sizeof(cull_entry), "layer.1.up.mask", CULL_DT_U8, 2, { 1, 1 } },
      actions,
      "names no matrix" },
    { { sizeof(cull_entry), "layer.1.q.matrix", CULL_DT_F32, 2, { 1, 1 } }, nan_row, "not finite" },
    { { sizeof(cull_entry), "layer.1.q.matrix", CULL_DT_U8, 2, { 1, 1 } },
      actions,
      "no matrix of the type" },
    { { sizeof(cull_entry), "k", CULL_DT_I32, 1, { 3 } }, kept, "k 3" },
    { { sizeof(cull_entry), "surprise", CULL_DT_U8, 1, { 1 } }, actions, "has no meaning" },
};

static void tensors_that_make_no_sense_are_refused(void **state)
{
    fake_host *host = *state;

    for (size_t i = 0; i < sizeof wrong_tensors / sizeof wrong_tensors[0]; i++) {
        write_by_hand(host, 1, &wrong_tensors[i].entry, &wrong_tensors[i].data, 1, head_pair);
        cull_cut *cut = empty(host);
        assert_fails(host, cull_cut_load(fake_ctx(host), path, cut), CULL_EFORMAT,
                     wrong_tensors[i].part);
    }
}

static void forms_that_are_not_known_are_refused(void **state)
{
    fake_host *host = *state;

    write_by_hand(host, 0, NULL, NULL, 1, &(cull_pair){ "cull", "cut/9" });
    assert_fails(host, cull_cut_load(fake_ctx(host), path, empty(host)), CULL_EFORMAT,
                 "\"cut/9\", written by a newer Cull; this one reads up to \"cut/3\"");
    static const char *const no_forms[] = { "cut/", "cut/0", "cut/2a", "2", "cat/1" };
    for (size_t i = 0; i < sizeof no_forms / sizeof no_forms[0]; i++) {
        write_by_hand(host, 0, NULL, NULL, 1, &(cull_pair){ "cull", no_forms[i] });
        assert_fails(host, cull_cut_load(fake_ctx(host), path, empty(host)), CULL_EFORMAT,
                     "of the unknown form");
    }
    write_by_hand(host, 0, NULL, NULL, 0, NULL);
    assert_fails(host, cull_cut_load(fake_ctx(host), path, empty(host)), CULL_EFORMAT,
                 "no cut file");
    write_by_hand(host, 0, NULL, NULL, 2, (cull_pair[]){ { "cull", "cut/1" }, { "L", "4" } });
    assert_fails(host, cull_cut_load(fake_ctx(host), path, empty(host)), CULL_EFORMAT,
                 "L = 4, not 3");
}

// Older Culls read what they understand, and refuse the rest by its form.
static void the_form_says_what_is_in_it(void **state)
{
    fake_host *host = *state;
    cull_safetensors *file;
    cull_cut *plain = empty(host), *wider = empty(host);

    plain->layer[1].action[0] = CULL_ACTION_ZERO;
    save(host, plain, CULL_DT_F32);
    assert_ok(host, cull_safetensors_open(fake_ctx(host), path, &file));
    assert_string_equal(cull_safetensors_metadata(file, "cull"), "cut/1");
    cull_safetensors_close(file);

    wider->layer[0].top_p = 0.5;
    save(host, wider, CULL_DT_F32);
    assert_ok(host, cull_safetensors_open(fake_ctx(host), path, &file));
    assert_string_equal(cull_safetensors_metadata(file, "cull"), "cut/2");
    cull_safetensors_close(file);
}

// Large and mostly zero: stored packed, loaded the same, under its content's name and once.
static void a_kept_cut_is_named_by_its_content(void **state)
{
    fake_host *host = *state;
    cull_ctx *ctx = fake_ctx(host);
    const cull_cut_about about = { .store = CULL_DT_F32 };
    cull_cut *cut = empty(host), *back = empty(host);
    cull_cut_name name, again;
    char file[96];
    unsigned char *mask = ctx->host->overlay(ctx, cut, up, CULL_MASK, 64, 77);
    float *matrix = ctx->host->overlay(ctx, cut, q, CULL_MATRIX, 64, 77);

    mask[100] = 1;
    for (size_t i = 0; i < 64 * 77; i += 5)
        matrix[i] = (float)i / 7;

    assert_ok(host, cull_cut_keep(ctx, cut, &about, "/tmp", &name));
    assert_ok(host, cull_cut_keep(ctx, cut, &about, "/tmp", &again));
    assert_string_equal(name.text, again.text);
    snprintf(file, sizeof file, "/tmp/%s", name.text);
    assert_ok(host, cull_cut_load(ctx, file, back));
    assert_memory_equal(overlay(back, up)->data, mask, 64 * 10);
    assert_memory_equal(overlay(back, q)->data, matrix, 64 * 77 * sizeof *matrix);
    unlink(file);

    matrix[1] = 1;
    assert_ok(host, cull_cut_keep(ctx, cut, &about, "/tmp", &again));
    assert_string_not_equal(name.text, again.text);
    snprintf(file, sizeof file, "/tmp/%s", again.text);
    unlink(file);
}

static void a_stored_cut_comes_first(void **state)
{
    fake_host *host = *state;

    save(host, everything(host), CULL_DT_F32);
    cull_cut *cut = empty(host);
    cut->layer[2].action[0] = CULL_ACTION_DROP;
    assert_fails(host, cull_cut_load(fake_ctx(host), path, cut), CULL_EINVAL,
                 "must come before other stages");
}

static void the_word_for_storing(void **state)
{
    fake_host *host = *state;
    cull_dtype store;

    assert_ok(host, cull_cut_store(fake_ctx(host), "model", "bf16", &store));
    assert_int_equal(store, CULL_DT_BF16);
    assert_ok(host, cull_cut_store(fake_ctx(host), "model", "fp8", &store));
    assert_int_equal(store, CULL_DT_F32);
    assert_fails(host, cull_cut_store(fake_ctx(host), "f64", "bf16", &store), CULL_EINVAL,
                 "\"f64\"");
}

static void every_allocation_may_fail(void **state)
{
    fake_host *host = *state;
    const cull_cut *cut = everything(host);
    cull_cut *back = empty(host);
    cull_status status = CULL_ENOMEM;

    for (size_t n = 0; status != CULL_OK; n++) {
        cull_torture_fail_after(n);
        status =
            cull_cut_save(fake_ctx(host), cut, &(cull_cut_about){ .store = CULL_DT_F32 }, path);
        if (status == CULL_OK)
            status = cull_cut_load(fake_ctx(host), path, back);
        cull_torture_fail_after(SIZE_MAX);
        assert_true(status == CULL_OK || status == CULL_ENOMEM);
        fake_clear(host);
        assert_true(n < 1000);
        if (status != CULL_OK)
            back = empty(host);
    }
    same_slots(cut, back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_comes_back, make, clear),
        cmocka_unit_test_setup_teardown(rounding_is_what_is_stored, make, clear),
        cmocka_unit_test_setup_teardown(numbers_too_large_for_f16_are_refused, make, clear),
        cmocka_unit_test_setup_teardown(a_list_of_kept_experts_is_enough, make, clear),
        cmocka_unit_test_setup_teardown(tensors_that_make_no_sense_are_refused, make, clear),
        cmocka_unit_test_setup_teardown(forms_that_are_not_known_are_refused, make, clear),
        cmocka_unit_test_setup_teardown(the_form_says_what_is_in_it, make, clear),
        cmocka_unit_test_setup_teardown(a_kept_cut_is_named_by_its_content, make, clear),
        cmocka_unit_test_setup_teardown(a_stored_cut_comes_first, make, clear),
        cmocka_unit_test_setup_teardown(the_word_for_storing, make, clear),
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, make, clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
