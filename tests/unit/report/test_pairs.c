// Two checkpoints, each evaluated as it is in a folder of its own, side by side.
#include "support/test.h"

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "report/tables/views.h"
#include "support/fake_host.h"
#include "support/made_trial.h"
#include "support/temp_files.h"

enum { DOCS = 200, FOLDERS = 3 };

static char folder[FOLDERS][64];

static int make(void **state)
{
    *state = fake_host_new(1);
    for (size_t i = 0; i < FOLDERS; i++)
        if (temp_folder(folder[i]) != 0)
            return -1;
    return 0;
}

static int clear(void **state)
{
    int failed = 0;

    fake_host_free(*state);
    for (size_t i = 0; i < FOLDERS; i++)
        failed |= temp_folder_end(folder[i]);
    return failed;
}

typedef struct checkpoint {
    const char *model, *fingerprint, *id;
    size_t facts, code; // documents 0 … n − 1 that are answered rightly; 0: not asked
} checkpoint;

static const checkpoint whole = { "whole", "0f23456789abcdef0123456789abcdef",
                                  "11111111111111111111111111111111", 120, 100 };
static const checkpoint pruned = { "pruned", "1f23456789abcdef0123456789abcdef",
                                   "22222222222222222222222222222222", 110, 99 };

static const uint8_t *right(fake_host *host, size_t n)
{
    uint8_t *acc = cull_take(fake_ctx(host), DOCS, 1);

    memset(acc, 1, n);
    return acc;
}

static made_trial *made(fake_host *host, const checkpoint *c, const char *method, double sparsity,
                        const char *protocol)
{
    made_trial *m = made_new(fake_ctx(host), method, sparsity, 0, 2);

    m->trial.axes.model = c->model;
    m->model.fingerprint = c->fingerprint;
    m->trial.id = c->id;
    if (c->facts)
        made_report(fake_ctx(host), m,
                    &(made_task){ "facts", DOCS, right(host, c->facts), NULL, 0, NULL, protocol });
    if (c->code)
        made_report(fake_ctx(host), m,
                    &(made_task){ "code", DOCS, right(host, c->code), NULL, 0, NULL, protocol });
    return m;
}

static void put(fake_host *host, size_t where, const checkpoint *c, const char *protocol)
{
    made_trial *m = made(host, c, "dense", NAN, protocol);

    assert_ok(host, cull_trial_write(fake_ctx(host), folder[where], &m->trial));
    made_free(m);
}

static void load(fake_host *host, size_t n, cull_frame *frame)
{
    const char *const folders[] = { folder[0], folder[1], folder[2] };

    assert_ok(host, cull_frame_load(fake_ctx(host), n, folders, NULL, frame));
}

static const char *cell(const cull_table *t, size_t row, const char *column)
{
    for (size_t c = 0; c < t->n_columns; c++)
        if (strcmp(t->column[c].name, column) == 0)
            return t->cell[row * t->n_columns + c].text;
    fail_msg("no column %s", column);
    return NULL;
}

static bool is_best(const cull_table *t, size_t row, size_t column)
{
    return t->cell[row * t->n_columns + column].best;
}

static void every_task_of_two(void **state)
{
    fake_host *host = *state;

    put(host, 0, &whole, "a");
    put(host, 1, &pruned, "a");
    cull_frame f;
    cull_table t;
    load(host, 2, &f);
    assert_ok(host, cull_frame_check(fake_ctx(host), &f));
    assert_ok(host, cull_view_pairs(fake_ctx(host), &f, "whole", &(cull_pairing){ 0 }, &t));
    assert_int_equal(t.n_rows, 3);
    assert_string_equal(cell(&t, 0, "task"), "facts");
    assert_non_null(strstr(cell(&t, 0, "whole"), "0.6000"));
    assert_non_null(strstr(cell(&t, 0, "pruned"), "0.5500"));
    assert_non_null(strstr(cell(&t, 0, "difference [95 %]"), "-0.0500 [-0.08"));
    assert_string_equal(cell(&t, 0, "p"), "0.0020");    // 10 flips, all one way: 2/2¹⁰
    assert_string_equal(cell(&t, 0, "Holm"), "0.0039"); // two others: 1 flip, and the mean by t
    assert_string_equal(cell(&t, 0, "to wrong"), "10");
    assert_string_equal(cell(&t, 0, "to right"), "0");
    assert_true(is_best(&t, 0, 2) && !is_best(&t, 0, 3));
    assert_string_equal(cell(&t, 1, "task"), "code");
    assert_string_equal(cell(&t, 1, "p"), "1.0000");
    assert_false(is_best(&t, 1, 2) || is_best(&t, 1, 3)); // better, but not separable
    assert_string_equal(cell(&t, 2, "task"), "mean of 2");
    assert_non_null(strstr(cell(&t, 2, "difference [95 %]"), "-0.0275"));
}

// The first folder is what the others are compared to.
static void the_order_of_the_folders_counts(void **state)
{
    fake_host *host = *state;

    put(host, 0, &pruned, "a");
    put(host, 1, &whole, "a");
    cull_frame f;
    cull_table t;
    load(host, 2, &f);
    assert_ok(host, cull_view_pairs(fake_ctx(host), &f, "pruned", &(cull_pairing){ 0 }, &t));
    assert_non_null(strstr(cell(&t, 0, "difference [95 %]"), "+0.0500"));
    assert_string_equal(cell(&t, 0, "to right"), "10");
    assert_true(is_best(&t, 0, 3) && !is_best(&t, 0, 2));
}

static void other_protocols_are_refused(void **state)
{
    fake_host *host = *state;

    put(host, 0, &whole, "a");
    put(host, 1, &pruned, "b");
    cull_frame f;
    load(host, 2, &f);
    assert_fails(host, cull_frame_check(fake_ctx(host), &f), CULL_EUSAGE, "protocol=a");
}

static void models_of_one_name_are_told_apart(void **state)
{
    fake_host *host = *state;
    checkpoint same = pruned;

    same.model = "whole";
    put(host, 0, &whole, "a");
    put(host, 1, &same, "a");
    cull_frame f;
    cull_table t;
    load(host, 2, &f);
    assert_ok(host, cull_frame_check(fake_ctx(host), &f));
    assert_int_equal(f.n_cells, 2);
    assert_non_null(strstr(f.cell[0].model, "whole (cull-test-"));
    assert_ok(host, cull_view_pairs(fake_ctx(host), &f, f.cell[0].model, &(cull_pairing){ 0 }, &t));
    assert_non_null(strstr(cell(&t, 0, "difference [95 %]"), "-0.0500"));
}

// An exported checkpoint is a row of the table of the experiment that it came from.
static void a_checkpoint_beside_an_experiment(void **state)
{
    fake_host *host = *state;
    checkpoint variant = whole;

    variant.id = "33333333333333333333333333333333";
    variant.facts = 90;
    put(host, 0, &whole, "a");
    made_trial *m = made(host, &variant, "reap", 0.25, "a");
    assert_ok(host, cull_trial_write(fake_ctx(host), folder[0], &m->trial));
    made_free(m);
    put(host, 1, &pruned, "a");
    cull_frame f;
    cull_table t;
    load(host, 2, &f);
    assert_int_equal(f.n_cells, 3);
    assert_string_equal(f.cell[cull_frame_dense(&f, "whole")].method, "dense");
    assert_ok(host,
              cull_view_pairs(fake_ctx(host), &f, "whole", &(cull_pairing){ .metric = "acc" }, &t));
    assert_int_equal(t.n_rows, 6);
    assert_string_equal(cell(&t, 0, "of"), "reap 0.25");
    assert_string_equal(cell(&t, 1, "of"), "pruned");
}

// The same checkpoint, asked two things in two folders.
static void two_folders_of_one_checkpoint(void **state)
{
    fake_host *host = *state;
    checkpoint less = whole;

    less.code = 0;
    put(host, 0, &less, "a");
    put(host, 1, &whole, "a");
    put(host, 2, &pruned, "a");
    cull_frame f;
    load(host, 3, &f);
    assert_int_equal(f.n_trials, 2);
    assert_int_equal(f.n_columns, 2);
    assert_int_equal(f.n_rows, 4);
}

static void nothing_in_common(void **state)
{
    fake_host *host = *state;
    checkpoint facts = whole, code = pruned;

    facts.code = code.facts = 0;
    put(host, 0, &facts, "a");
    put(host, 1, &code, "a");
    cull_frame f;
    cull_table t;
    load(host, 2, &f);
    assert_fails(host, cull_view_pairs(fake_ctx(host), &f, "whole", &(cull_pairing){ 0 }, &t),
                 CULL_EUSAGE,
                 "no values can be set side by side: whole has facts (acc); pruned has code (acc)");
}

static void nothing_to_compare_to(void **state)
{
    fake_host *host = *state;

    put(host, 0, &whole, "a");
    cull_frame f;
    cull_table t;
    load(host, 1, &f);
    assert_fails(host, cull_view_pairs(fake_ctx(host), &f, "whole", &(cull_pairing){ 0 }, &t),
                 CULL_EUSAGE,
                 "the dense trial of \"whole\" alone, so there is nothing to compare it to");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clear)
        TEST(every_task_of_two),
        TEST(the_order_of_the_folders_counts),
        TEST(other_protocols_are_refused),
        TEST(models_of_one_name_are_told_apart),
        TEST(a_checkpoint_beside_an_experiment),
        TEST(two_folders_of_one_checkpoint),
        TEST(nothing_in_common),
        TEST(nothing_to_compare_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
