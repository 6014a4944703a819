// A baseline of choice, every two methods, and how much of dense is left.
#include "support/test.h"

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "report/baseline.h"
#include "report/recovery.h"
#include "report/tables/views.h"
#include "support/fake_host.h"
#include "support/fixture.h"
#include "support/made_trial.h"

enum { DOCS = 200 };

FOLDER_FIXTURE

// Documents [from, to) are answered rightly.
static void put(fake_host *host, const char *id, const char *method, double sparsity, size_t from,
                size_t to)
{
    uint8_t *acc = cull_take(fake_ctx(host), DOCS, 1);
    made_trial *m = made_new(fake_ctx(host), method, sparsity, 0, 2);

    memset(acc + from, 1, to - from);
    m->trial.id = id;
    made_report(fake_ctx(host), m, &(made_task){ "facts", DOCS, acc, NULL, 0, NULL, "a" });
    assert_ok(host, cull_trial_write(fake_ctx(host), folder, &m->trial));
    made_free(m);
}

static void load(fake_host *host, cull_frame *frame)
{
    const char *const folders[] = { folder };

    put(host, "11111111111111111111111111111111", "dense", NAN, 0, 160);
    put(host, "22222222222222222222222222222222", "wanda", 0.5, 20, 140);
    put(host, "33333333333333333333333333333333", "stun", 0.5, 0, 150);
    put(host, "44444444444444444444444444444444", "stun", 0.8, 0, 60);
    put(host, "55555555555555555555555555555555", "same", 0.5, 0, 160);
    assert_ok(host, cull_frame_load(fake_ctx(host), 1, folders, NULL, frame));
}

static size_t cell_of(const cull_frame *f, const char *method, double sparsity)
{
    for (size_t c = 0; c < f->n_cells; c++)
        if (strcmp(f->cell[c].method, method) == 0 &&
            (isnan(sparsity) || f->cell[c].sparsity == sparsity))
            return c;
    fail_msg("no cell %s %g", method, sparsity);
    return 0;
}

static void stands_at_the_same_sparsity(void **state)
{
    cull_frame f;

    load(*state, &f);
    const size_t dense = cell_of(&f, "dense", NAN), wanda = cell_of(&f, "wanda", 0.5);
    const size_t half = cell_of(&f, "stun", 0.5), more = cell_of(&f, "stun", 0.8);

    assert_int_equal(cull_baseline_of(&f, half, "wanda"), wanda);
    assert_int_equal(cull_baseline_of(&f, more, "wanda"), SIZE_MAX);
    assert_int_equal(cull_baseline_of(&f, wanda, "wanda"), SIZE_MAX);
    assert_int_equal(cull_baseline_of(&f, dense, "wanda"), SIZE_MAX);
    assert_int_equal(cull_baseline_of(&f, more, NULL), dense);
    assert_int_equal(cull_baseline_of(&f, more, "dense"), dense);
    assert_int_equal(cull_baseline_of(&f, dense, NULL), SIZE_MAX);
    assert_true(cull_are_rivals(&f, wanda, half));
    assert_false(cull_are_rivals(&f, wanda, more));
    assert_false(cull_are_rivals(&f, half, more));
    assert_false(cull_are_rivals(&f, dense, half));
}

static void unknown_baselines_are_refused(void **state)
{
    cull_frame f;

    load(*state, &f);
    assert_ok(*state, cull_baseline_check(fake_ctx(*state), &f, "stun"));
    assert_ok(*state, cull_baseline_check(fake_ctx(*state), &f, NULL));
    assert_fails(*state, cull_baseline_check(fake_ctx(*state), &f, "wnada"), CULL_EUSAGE,
                 "did you mean \"wanda\"?");
}

static const char *text_at(const cull_table *t, size_t row, const char *column)
{
    for (size_t c = 0; c < t->n_columns; c++)
        if (strcmp(t->column[c].name, column) == 0)
            return t->cell[row * t->n_columns + c].text;
    fail_msg("no column %s", column);
    return NULL;
}

static void each_other(void **state)
{
    cull_frame f;
    cull_table t;

    load(*state, &f);
    assert_ok(*state,
              cull_view_pairs_tidy(fake_ctx(*state), &f,
                                   &(cull_pairing){ .metric = "acc", .each_other = true }, &t));
    assert_int_equal(t.n_rows, 3); // of three methods at 0.5; 0.8 has one
    for (size_t i = 0; i < t.n_rows; i++) {
        assert_string_equal(text_at(&t, i, "sparsity"), "0.5");
        assert_string_not_equal(text_at(&t, i, "method"), text_at(&t, i, "against"));
        const double value = atof(text_at(&t, i, "value")), its = atof(text_at(&t, i, "its_value"));
        assert_true(fabs(atof(text_at(&t, i, "difference")) - (value - its)) < 1e-6);
        assert_true(atof(text_at(&t, i, "holm")) >= atof(text_at(&t, i, "p")));
    }
}

// Where all have one allocation, names do without it.
static void names_have_what_varies(void **state)
{
    cull_frame f;
    cull_table t;

    load(*state, &f);
    assert_ok(*state, cull_view_pairs(fake_ctx(*state), &f, f.cell[0].model,
                                      &(cull_pairing){ .each_other = true }, &t));
    assert_int_equal(t.n_rows, 3);
    for (size_t i = 0; i < t.n_rows; i++) {
        assert_null(strchr(text_at(&t, i, "of"), ','));
        assert_null(strchr(text_at(&t, i, "against"), ','));
    }
}

// Σ (a − R b)² over the items, as a survey sampler would have it.
static void recovery(void **state)
{
    cull_frame f;
    cull_metric_views each;
    cull_difference d;

    load(*state, &f);
    assert_ok(*state, cull_metric_views_each(fake_ctx(*state), &f, &each));
    const size_t dense = cell_of(&f, "dense", NAN);
    const cull_metric_view *acc = &each.at[0];
    assert_string_equal(acc->label, "acc");

    assert_ok(*state,
              cull_recovery_of(fake_ctx(*state), &f, dense, cell_of(&f, "wanda", 0.5), acc, &d));
    const double R = 120.0 / 160.0;
    const double squares = 120 * pow(1 - R, 2) + 40 * R * R; // right in both; in dense alone
    const double error = sqrt(squares / (DOCS - 1) * DOCS) / 160;
    assert_true(fabs(d.value - R) < 1e-12 && fabs(d.error - error) < 1e-9);
    assert_true(d.low < R && R < d.high && d.high - d.low < 4 * error);

    assert_ok(*state,
              cull_recovery_of(fake_ctx(*state), &f, dense, cell_of(&f, "same", 0.5), acc, &d));
    assert_true(d.value == 1 && d.low == 1 && d.high == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(stands_at_the_same_sparsity, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_baselines_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(names_have_what_varies, setup, teardown),
        cmocka_unit_test_setup_teardown(recovery, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
