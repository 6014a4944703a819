// Cuts: empty, copied, with many overlays found again.
#include "cut/cut.h"

#include "base/pages.h"
#include "support/fixture.h"
#include "support/test.h"

HOST_FIXTURE(1)

static cull_cut *new_cut(void)
{
    cull_cut *cut = cull_cut_new(fake_ctx(host), 3, 4, (size_t[]){ 5, 0, 2 });

    assert_non_null(cut);
    return cut;
}

static void begins_empty(void **state)
{
    const cull_cut *cut = new_cut();

    (void)state;
    assert_int_equal(cut->L, 3);
    assert_int_equal(cut->n_overlays, 0);
    assert_int_equal(cut->layer[1].E, 0);
    for (size_t e = 0; e < 5; e++) {
        assert_int_equal(cut->layer[0].action[e], CULL_ACTION_BASE);
        assert_int_equal(cut->layer[0].target[e], e);
    }
    assert_int_equal(cull_cut_first(cut, cull_at(0, CULL_PART_Q)), SIZE_MAX);
}

static void finds_overlays(void **state)
{
    enum { EXPERTS = 300 };
    cull_ctx *ctx = fake_ctx(host);
    cull_cut *cut = new_cut();

    (void)state;
    for (size_t i = 0; i < 2 * EXPERTS; i++) { // each matrix twice: a mask, then a matrix
        const cull_matrix_id where = cull_at_expert(2, CULL_PART_UP, i % EXPERTS);
        uint8_t *data =
            ctx->host->overlay(ctx, cut, where, i < EXPERTS ? CULL_MASK : CULL_MATRIX, 3, 9);
        assert_non_null(data);
        assert_int_equal(data[i < EXPERTS ? 5 : 107], 0); // 3 rows of 2 bytes, of 9 floats
    }
    assert_int_equal(cut->n_overlays, 2 * EXPERTS);
    for (size_t e = 0; e < EXPERTS; e++) {
        const size_t first = cull_cut_first(cut, cull_at_expert(2, CULL_PART_UP, e));
        assert_int_equal(first, e);
        assert_int_equal(cull_cut_next(cut, first), e + EXPERTS);
        assert_int_equal(cull_cut_next(cut, e + EXPERTS), SIZE_MAX);
    }
    assert_int_equal(cull_cut_first(cut, cull_at_expert(2, CULL_PART_DOWN, 1)), SIZE_MAX);
}

static void copies_are_apart(void **state)
{
    cull_ctx *ctx = fake_ctx(host);
    cull_cut *cut = new_cut();

    (void)state;
    cut->layer[0].action[1] = CULL_ACTION_NOVICE;
    cut->layer[0].constant[1 * 4 + 2] = 7;
    cut->layer[2].skip_ratio = 0.5;
    assert_non_null(ctx->host->overlay(ctx, cut, cull_at(0, CULL_PART_Q), CULL_MASK, 2, 2));
    cull_cut *copy = cull_cut_copy(ctx, cut);
    assert_non_null(copy);
    cut->layer[0].action[1] = CULL_ACTION_DROP;
    assert_non_null(ctx->host->overlay(ctx, cut, cull_at(0, CULL_PART_K), CULL_MASK, 2, 2));

    assert_int_equal(copy->layer[0].action[1], CULL_ACTION_NOVICE);
    assert_true(copy->layer[0].constant[6] == 7 && copy->layer[2].skip_ratio == 0.5);
    assert_int_equal(copy->n_overlays, 1);
    assert_int_equal(cull_cut_first(copy, cull_at(0, CULL_PART_Q)), 0);
    assert_int_equal(cull_cut_first(copy, cull_at(0, CULL_PART_K)), SIZE_MAX);
}

// Large overlays stand in files: zeroed, with what was written when they come back, shared by
// copies; other pieces are not touched.
static void lets_pages_go(void **state)
{
    enum { ROWS = 64, COLS = 300, N = ROWS * COLS, MATRICES = 9 };
    cull_ctx *ctx = fake_ctx(host);
    temp_files files;
    float *data[MATRICES];

    (void)state;
    temp_begin(&files);
    cull_context_of(ctx)->pages = cull_pages_new(files.folder);
    assert_non_null(cull_context_of(ctx)->pages);
    cull_cut *cut = new_cut();
    for (size_t i = 0; i < MATRICES; i++) { // layers 0, 2, 0, …: what was made last leaves
        const cull_matrix_id where = cull_at(i % 2 ? 2 : 0, (cull_part)(CULL_PART_Q + i / 2));
        data[i] = ctx->host->overlay(ctx, cut, where, CULL_MATRIX, ROWS, COLS);
        assert_non_null(data[i]);
        for (size_t j = 0; j < N; j++) {
            assert_true(data[i][j] == 0);
            data[i][j] = (float)(i * N + j);
        }
    }
    const cull_cut *copy = cull_cut_copy(ctx, cut);
    assert_non_null(copy);
    cull_cut_leave(copy, 0);
    cull_cut_leave_matrix(copy, cull_at(2, CULL_PART_Q));
    for (size_t i = 0; i < MATRICES; i++)
        for (size_t j = 0; j < N; j++)
            assert_true(((const float *)copy->overlay[i].data)[j] == (float)(i * N + j));
    cull_pages_free(cull_context_of(ctx)->pages);
    cull_context_of(ctx)->pages = NULL;
    temp_end(&files);
}

static void refuses_nonsense(void **state)
{
    cull_ctx *ctx = fake_ctx(host);
    cull_cut *cut = new_cut();

    (void)state;
    assert_null(ctx->host->overlay(ctx, cut, cull_at(3, CULL_PART_Q), CULL_MASK, 2, 2));
    assert_fails(host, CULL_EPLUGIN, CULL_EPLUGIN, "layer 3");
    assert_null(ctx->host->overlay(ctx, cut, cull_at(0, CULL_PART_Q), 9, 2, 2));
    assert_fails(host, CULL_EPLUGIN, CULL_EPLUGIN, "kind 9");
    assert_null(ctx->host->overlay(ctx, cut, cull_at(0, CULL_PART_Q), CULL_MATRIX, SIZE_MAX, 2));
    assert_fails(host, CULL_EPLUGIN, CULL_EPLUGIN, "makes no sense");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(begins_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_overlays, setup, teardown),
        cmocka_unit_test_setup_teardown(copies_are_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(lets_pages_go, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_nonsense, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
