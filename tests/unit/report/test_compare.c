// Cells compared: estimates, differences, tables.
#include "support/test.h"

#include <cmocka.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "record/h5/h5.h"
#include "report/tables/views.h"
#include "support/fake_host.h"
#include "support/made_trial.h"
#include "support/temp_files.h"

enum { DOCS = 200, WINDOWS = 16 };

static char folder[64], other[64];

static int make(void **state)
{
    *state = fake_host_new(1);
    return temp_folder(folder) || temp_folder(other);
}

static int clear(void **state)
{
    fake_host_free(*state);
    return temp_folder_end(folder) || temp_folder_end(other);
}

typedef struct spec {
    const char *method;
    double sparsity;
    uint64_t seed;
    size_t right; // documents 0 … right − 1 are answered rightly
    double nll;   // of every window's token, to which each window adds its own
    const char *protocol;
    const char *dir;
} spec;

static made_trial *prepare(fake_host *host, const spec *s, const char *second_task)
{
    cull_ctx *ctx = fake_ctx(host);
    uint8_t *acc = cull_take(ctx, DOCS, 1);
    double *nll = cull_take(ctx, WINDOWS, sizeof *nll);

    for (size_t i = 0; i < s->right; i++)
        acc[i] = 1;
    for (size_t i = 0; i < WINDOWS; i++)
        nll[i] = 100 * (s->nll + 0.1 * sin((double)i)) + cos((double)(i * (s->right + 1)));
    made_trial *m = made_new(ctx, s->method, s->sparsity, s->seed, 2);
    made_report(ctx, m, &(made_task){ "facts", DOCS, acc, NULL, 0, NULL, s->protocol });
    made_report(ctx, m, &(made_task){ "prose", WINDOWS, NULL, nll, 100, NULL, "windows" });
    if (second_task)
        made_report(ctx, m, &(made_task){ second_task, DOCS, acc, NULL, 0, NULL, s->protocol });
    return m;
}

static void put(fake_host *host, const spec *s)
{
    made_trial *m = prepare(host, s, NULL);

    assert_ok(host, cull_trial_write(fake_ctx(host), s->dir ? s->dir : folder, &m->trial));
    made_free(m);
}

static void load(fake_host *host, size_t n, cull_frame *frame)
{
    const char *const folders[] = { folder, other };

    assert_ok(host, cull_frame_load(fake_ctx(host), n, folders, NULL, frame));
}

static size_t cell_of(const cull_frame *f, const char *method)
{
    for (size_t c = 0; c < f->n_cells; c++)
        if (strcmp(f->cell[c].method, method) == 0)
            return c;
    fail_msg("no cell of %s", method);
    return 0;
}

static const char *show(fake_host *host, const cull_frame *f, bool by_task)
{
    static char text[8192];
    cull_ctx *ctx = fake_ctx(host);
    cull_metric_views metric_views;
    cull_table table;
    FILE *out = tmpfile();

    assert_ok(host, by_task ? cull_metric_views_each(ctx, f, &metric_views)
                            : cull_metric_views_macro(ctx, f, &metric_views));
    assert_ok(host,
              cull_view_cells(ctx, f, "tiny", &metric_views, &(cull_view_options){ 0 }, &table));
    assert_ok(host, cull_table_show(&table, out, 0));
    rewind(out);
    text[fread(text, 1, sizeof text - 1, out)] = '\0';
    fclose(out);
    return text;
}

static void a_difference_is_paired(void **state)
{
    fake_host *host = *state;

    put(host, &(spec){ "dense", NAN, 0, 120, 1.0, "a", NULL });
    put(host, &(spec){ "reap", 0.25, 0, 110, 1.2, "a", NULL });
    cull_frame f;
    load(host, 1, &f);
    cull_metric_views m;
    cull_comparison c;
    assert_ok(host, cull_metric_views_macro(fake_ctx(host), &f, &m));
    assert_int_equal(m.n, 2);
    assert_ok(host, cull_compare_cells(fake_ctx(host), &f, cell_of(&f, "dense"),
                                       cell_of(&f, "reap"), &m.at[0], &c));
    assert_true(fabs(c.d.value + 0.05) < 1e-12); // 10 of 200, all of them flips to wrong
    assert_int_equal(c.test, CULL_TEST_MCNEMAR);
    assert_int_equal(c.to_wrong, 10);
    assert_int_equal(c.to_right, 0);
    assert_true(fabs(c.d.p - 2.0 / 1024) < 1e-12);
    assert_true(fabs(c.d.error - sqrt(0.05 * 0.95 / 199)) < 1e-12);

    assert_ok(host, cull_compare_cells(fake_ctx(host), &f, cell_of(&f, "dense"),
                                       cell_of(&f, "reap"), &m.at[1], &c));
    assert_int_equal(c.test, CULL_TEST_BOOTSTRAP);
    assert_true(fabs(c.d.value - 0.2) < 0.01 && c.d.low < 0.2 && c.d.high > 0.19);
    cull_estimate e;
    assert_ok(host, cull_estimate_of(fake_ctx(host), &f, cell_of(&f, "dense"), &m.at[1], &e));
    assert_true(e.value > 2.6 && e.value < 2.9);
}

// Shown beside each other, by a test that knows nothing of items.
static void numbers_of_another_revision_are_not_paired(void **state)
{
    fake_host *host = *state;

    put(host, &(spec){ "dense", NAN, 0, 120, 1.0, "a", NULL });
    made_trial *newer = prepare(host, &(spec){ "reap", 0.25, 0, 110, 1.2, "a", NULL }, NULL);
    newer->trial.axes.numerics++;
    assert_ok(host, cull_trial_write(fake_ctx(host), folder, &newer->trial));
    made_free(newer);
    cull_frame f;
    cull_metric_views m;
    load(host, 1, &f);
    assert_ok(host, cull_metric_views_macro(fake_ctx(host), &f, &m));
    for (size_t i = 0; i < m.n; i++) {
        cull_comparison c;
        assert_ok(host, cull_compare_cells(fake_ctx(host), &f, cell_of(&f, "dense"),
                                           cell_of(&f, "reap"), &m.at[i], &c));
        assert_int_equal(c.test, CULL_TEST_UNPAIRED);
    }
    assert_non_null(strstr(show(host, &f, false), "reap"));
}

static void only_the_separable_is_best(void **state)
{
    fake_host *host = *state;

    put(host, &(spec){ "dense", NAN, 0, 150, 1.0, "a", NULL });
    put(host, &(spec){ "far", 0.25, 0, 140, 1.1, "a", NULL });
    put(host, &(spec){ "behind", 0.25, 0, 90, 1.5, "a", NULL });
    put(host, &(spec){ "near", 0.5, 0, 81, 1.1, "a", NULL });
    put(host, &(spec){ "nearly", 0.5, 0, 80, 1.1, "a", NULL });
    cull_frame f;
    load(host, 1, &f);
    cull_metric_views m;
    bool best[16] = { false };
    double p[16];
    assert_ok(host, cull_metric_views_macro(fake_ctx(host), &f, &m));
    assert_ok(host, cull_find_best(fake_ctx(host), &f, &m, best, p));
    assert_true(best[cell_of(&f, "far") * m.n] && best[cell_of(&f, "far") * m.n + 1]);
    assert_false(best[cell_of(&f, "behind") * m.n]);
    assert_false(best[cell_of(&f, "near") * m.n]);
    assert_false(best[cell_of(&f, "nearly") * m.n]);
    assert_false(best[cell_of(&f, "dense") * m.n]); // dense does not compete
    assert_true(p[cell_of(&f, "far") * m.n] <= 0.05 && p[cell_of(&f, "near") * m.n] > 0.05);
    assert_non_null(strstr(show(host, &f, false), "0.7000 ±0.0325*"));
}

static void seeds_are_one_cell(void **state)
{
    fake_host *host = *state;
    static const size_t right[] = { 100, 110, 120 };

    put(host, &(spec){ "dense", NAN, 0, 150, 1.0, "a", NULL });
    for (size_t s = 0; s < 3; s++)
        put(host, &(spec){ "random", 0.5, s + 1, right[s], 1.2 + 0.1 * (double)s, "a", NULL });
    cull_frame f;
    load(host, 1, &f);
    assert_int_equal(f.n_cells, 2);
    cull_metric_views m;
    cull_estimate e;
    cull_comparison c;
    assert_ok(host, cull_metric_views_macro(fake_ctx(host), &f, &m));
    const size_t cell = cell_of(&f, "random");
    assert_ok(host, cull_estimate_of(fake_ctx(host), &f, cell, &m.at[0], &e));
    assert_int_equal(e.seeds, 3);
    assert_true(fabs(e.value - 0.55) < 1e-12 && fabs(e.sd - 0.05) < 1e-12);
    assert_ok(host,
              cull_compare_cells(fake_ctx(host), &f, cell_of(&f, "dense"), cell, &m.at[0], &c));
    // between seeds: 0.05²/3; over items: the mean difference has its own error
    assert_true(fabs(c.d.value + 0.2) < 1e-12);
    assert_true(c.d.error > sqrt(0.05 * 0.05 / 3));
    assert_true(c.d.df > 2 && c.d.df < 30); // Welch and Satterthwaite's
}

static void different_protocols_are_not_mixed(void **state)
{
    fake_host *host = *state;

    put(host, &(spec){ "dense", NAN, 0, 120, 1.0, "lm-eval-0.4.13", NULL });
    put(host, &(spec){ "reap", 0.25, 0, 110, 1.2, "lm-eval-0.4.7", NULL });
    cull_frame f;
    load(host, 1, &f);
    assert_fails(host, cull_frame_check(fake_ctx(host), &f), CULL_EUSAGE,
                 "acc of task \"facts\" was measured in two ways");
    cull_table table; // the tidy table mixes nothing, and compares nothing
    assert_ok(host, cull_view_tidy(fake_ctx(host), &f, NULL, NULL, &table));
    assert_int_equal(table.n_rows, 4);
}

static void different_precisions_are_not_mixed(void **state)
{
    fake_host *host = *state;

    put(host, &(spec){ "dense", NAN, 0, 120, 1.0, "a", NULL });
    made_trial *m = prepare(host, &(spec){ "reap", 0.25, 0, 110, 1.2, "a", NULL }, NULL);
    m->trial.axes.precision = "bf16";
    assert_ok(host, cull_trial_write(fake_ctx(host), folder, &m->trial));
    made_free(m);
    cull_frame f;
    load(host, 1, &f);
    assert_fails(host, cull_frame_check(fake_ctx(host), &f), CULL_EUSAGE, "precision=bf16");
}

static void no_mean_over_two_protocols(void **state)
{
    fake_host *host = *state;
    made_trial *m = prepare(host, &(spec){ "dense", NAN, 0, 120, 1.0, "a", NULL }, NULL);
    static const uint8_t acc[4] = { 1, 0, 1, 0 };

    made_report(fake_ctx(host), m, &(made_task){ "code", 4, acc, NULL, 0, NULL, "b" });
    assert_ok(host, cull_trial_write(fake_ctx(host), folder, &m->trial));
    made_free(m);
    cull_frame f;
    cull_metric_views metric_views;
    load(host, 1, &f);
    assert_ok(host, cull_frame_check(fake_ctx(host), &f));
    assert_fails(host, cull_metric_views_macro(fake_ctx(host), &f, &metric_views), CULL_EUSAGE,
                 "no mean may mix acc of \"facts\" (protocol=a) and of \"code\" (protocol=b)");
    assert_non_null(strstr(show(host, &f, true), "code acc"));
}

static void two_models_of_one_name(void **state)
{
    fake_host *host = *state;

    put(host, &(spec){ "dense", NAN, 0, 120, 1.0, "a", NULL });
    made_trial *m = prepare(host, &(spec){ "reap", 0.25, 0, 110, 1.2, "a", NULL }, NULL);
    m->model.fingerprint = "ffff456789abcdef0123456789abcdef";
    assert_ok(host, cull_trial_write(fake_ctx(host), folder, &m->trial));
    made_free(m);
    cull_frame f;
    load(host, 1, &f);
    assert_fails(host, cull_frame_check(fake_ctx(host), &f), CULL_EUSAGE, "two different models");
}

static void the_later_trial_of_a_name_counts(void **state)
{
    fake_host *host = *state;

    put(host, &(spec){ "dense", NAN, 0, 120, 1.0, "a", NULL });
    put(host, &(spec){ "reap", 0.25, 0, 110, 1.2, "a", NULL });
    made_trial *m = prepare(host, &(spec){ "reap", 0.25, 0, 60, 1.2, "a", NULL }, NULL);
    m->trial.id = "00000000000000000000000000000000"; // the experiment was changed
    m->trial.finished += 100;
    assert_ok(host, cull_trial_write(fake_ctx(host), folder, &m->trial));
    made_free(m);
    cull_frame f;
    load(host, 1, &f);
    assert_int_equal(f.n_trials, 2);
    assert_non_null(strstr(show(host, &f, false), "0.3000"));
}

static void folders_are_told_apart(void **state)
{
    fake_host *host = *state;

    put(host, &(spec){ "dense", NAN, 0, 120, 1.0, "a", NULL });
    put(host, &(spec){ "dense", NAN, 0, 120, 1.0, "a", other }); // the same trial: counts once
    put(host, &(spec){ "reap", 0.25, 0, 110, 1.2, "a", NULL });
    made_trial *m = prepare(host, &(spec){ "reap", 0.25, 0, 60, 1.2, "a", NULL }, NULL);
    m->trial.id = "00000000000000000000000000000000";
    assert_ok(host, cull_trial_write(fake_ctx(host), other, &m->trial));
    made_free(m);
    cull_frame f;
    load(host, 2, &f);
    assert_int_equal(f.n_trials, 3);
    assert_int_equal(f.n_cells, 3);
    assert_string_equal(f.cell[1].method, "reap");
    assert_int_equal(f.n_axes, CULL_AXES_NAMED + 1);
    assert_string_equal(f.axis[CULL_AXES_NAMED], "folder");
    assert_string_equal(f.cell[0].axis[CULL_AXES_NAMED], ""); // dense is every folder's
    assert_string_equal(f.cell[1].axis[CULL_AXES_NAMED], strrchr(folder, '/') + 1);
    assert_string_equal(f.cell[2].axis[CULL_AXES_NAMED], strrchr(other, '/') + 1);
}

// One name for two methods: no seeds of each other, wherever they are.
static void recipes_are_told_apart(void **state)
{
    fake_host *host = *state;
    static const char *const recipe[] = {
        "{\"method\":[{\"criterion\":{\"reap\":{\"norm\":1}}}],\"seed\":1}",
        "{\"method\":[{\"criterion\":{\"reap\":{\"norm\":1}}}],\"seed\":2}",
        "{\"method\":[{\"criterion\":{\"reap\":{\"norm\":2.5}}}],\"seed\":3}"
    };

    put(host, &(spec){ "dense", NAN, 0, 120, 1.0, "a", NULL });
    for (size_t there = 0; there < 2; there++) {
        for (size_t s = 0; s < 3; s++) {
            made_trial *m =
                prepare(host, &(spec){ "reap", 0.25, s + 1, 60 + 10 * s, 1.2, "a", NULL }, NULL);
            m->trial.provenance.config_resolved = recipe[s];
            m->trial.finished += 100 * (double)s;
            assert_ok(host, cull_trial_write(fake_ctx(host), s == 2 && there ? other : folder,
                                             &m->trial));
            made_free(m);
        }
        cull_frame f;
        load(host, 2 - !there, &f);
        if (there) {
            assert_int_equal(f.n_cells, 3); // dense, and one each
            assert_int_equal(f.cell[1].n_trials, 2);
            assert_string_equal(f.axis[CULL_AXES_NAMED], "norm"); // by what differs, not by folders
            assert_int_equal(f.n_axes, CULL_AXES_NAMED + 1);
            assert_string_equal(f.cell[1].axis[CULL_AXES_NAMED], "1");
            assert_string_equal(f.cell[2].axis[CULL_AXES_NAMED], "2.5");
        } else {
            assert_int_equal(f.n_cells, 2);
            assert_int_equal(f.cell[1].n_trials, 1); // the last one
            assert_true(f.trial[f.order[f.cell[1].first]].seed == 3);
            char command[128];
            snprintf(command, sizeof command, "rm %s/trials/*seed3*", folder);
            assert_int_equal(system(command), 0);
        }
    }
}

// A second experiment asked the dense model something else.
static void dense_trials_are_one(void **state)
{
    fake_host *host = *state;

    put(host, &(spec){ "dense", NAN, 0, 120, 1.0, "a", NULL });
    put(host, &(spec){ "reap", 0.25, 0, 110, 1.2, "a", NULL });
    made_trial *m = prepare(host, &(spec){ "dense", NAN, 0, 120, 1.0, "a", NULL }, "code");
    m->trial.id = "00000000000000000000000000000000";
    m->trial.finished -= 100;
    assert_ok(host, cull_trial_write(fake_ctx(host), other, &m->trial));
    made_free(m);
    cull_frame f;
    load(host, 2, &f);
    assert_int_equal(f.n_trials, 2);
    assert_int_equal(f.n_columns, 3); // with the other folder's task
    assert_int_equal(f.n_rows, 5);
}

static void dense_is_always_a_row(void **state)
{
    fake_host *host = *state;

    put(host, &(spec){ "reap", 0.25, 0, 110, 1.2, "a", NULL });
    cull_frame f;
    load(host, 1, &f);
    assert_non_null(strstr(show(host, &f, false), " dense "));
}

static void nothing_to_compare(void **state)
{
    fake_host *host = *state;
    cull_frame f;
    const char *const none[] = { "/tmp/cull-there-is-no-such-folder", folder };

    assert_fails(host, cull_frame_load(fake_ctx(host), 1, none, NULL, &f), CULL_EUSAGE,
                 "No such file");
    assert_fails(host, cull_frame_load(fake_ctx(host), 1, none + 1, NULL, &f), CULL_EUSAGE,
                 "holds no finished trials");
}

// The folder's only file, from `from` bytes before its end on, filled with noise or, `cut`, gone.
static void damage(const char *dir, off_t from, bool cut)
{
    char command[256], path[256] = "", noise[64];

    memset(noise, 0x5a, sizeof noise);
    snprintf(command, sizeof command, "ls '%s'/trials/*.h5", dir);
    FILE *list = popen(command, "r");
    assert_non_null(fgets(path, sizeof path, list));
    pclose(list);
    path[strcspn(path, "\n")] = '\0';
    const int fd = open(path, O_RDWR);
    const off_t at = lseek(fd, 0, SEEK_END) - from;
    if (cut)
        assert_int_equal(ftruncate(fd, at), 0);
    else
        assert_int_equal(pwrite(fd, noise, sizeof noise, at), sizeof noise);
    close(fd);
}

static void a_folder_of_damaged_trials_is_none(void **state)
{
    fake_host *host = *state;
    cull_frame f;
    char sentence[128];
    const char *const both[] = { folder, other };

    put(host, &(spec){ "reap", 0.25, 0, 110, 1.2, "a", NULL });
    for (int cut = 0; cut <= 1; cut++) {
        put(host, &(spec){ "dense", NAN, 0, 120, 1.0, "a", other });
        damage(other, 5000, cut);
        snprintf(sentence, sizeof sentence, "%s: holds no finished trials that can be read", other);
        assert_fails(host, cull_frame_load(fake_ctx(host), 2, both, NULL, &f), CULL_EUSAGE,
                     sentence);
    }
}

// Others' files have no checksum: what was read before the damage does not count.
static void a_trial_whose_metrics_cannot_be_read_is_none(void **state)
{
    fake_host *host = *state;
    cull_frame f;
    static const char *const task[] = { "facts" };
    const cull_conditions all = { 0 };
    const char *const folders[] = { folder };
    const char *path = cull_arena_printf(host->context.alloc, "%s/reap.h5", folder);
    cull_h5 *file = cull_h5_create(fake_ctx(host), path, 0);

    cull_h5_text(file, "/", "trial_id", "00000000000000000000000000000000");
    cull_h5_text(file, "/", "method", "reap");
    cull_h5_group(file, "/metrics");
    cull_h5_put(file, "/metrics",
                &(cull_h5_array){ "task", 's', 1, { "row" }, { 1 }, task, NULL, NULL, NULL });
    assert_ok(host, cull_h5_commit(file));
    assert_fails(host, cull_frame_load(fake_ctx(host), 1, folders, &all, &f), CULL_EUSAGE,
                 "holds no finished trials that can be read");
}

static void trials_without_results_are_nothing_to_compare(void **state)
{
    fake_host *host = *state;
    cull_frame f;
    const cull_conditions all = { 0 };
    const char *const folders[] = { folder };
    made_trial *m = prepare(host, &(spec){ "reap", 0.25, 0, 110, 1.2, "a", NULL }, NULL);

    m->trial.n_evaluations = 0;
    assert_ok(host, cull_trial_write(fake_ctx(host), folder, &m->trial));
    made_free(m);
    assert_fails(host, cull_frame_load(fake_ctx(host), 1, folders, &all, &f), CULL_EUSAGE,
                 ": its trials hold no results");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clear)
        TEST(a_difference_is_paired),
        TEST(numbers_of_another_revision_are_not_paired),
        TEST(only_the_separable_is_best),
        TEST(seeds_are_one_cell),
        TEST(different_protocols_are_not_mixed),
        TEST(different_precisions_are_not_mixed),
        TEST(no_mean_over_two_protocols),
        TEST(two_models_of_one_name),
        TEST(the_later_trial_of_a_name_counts),
        TEST(folders_are_told_apart),
        TEST(recipes_are_told_apart),
        TEST(dense_trials_are_one),
        TEST(dense_is_always_a_row),
        TEST(nothing_to_compare),
        TEST(a_folder_of_damaged_trials_is_none),
        TEST(a_trial_whose_metrics_cannot_be_read_is_none),
        TEST(trials_without_results_are_nothing_to_compare),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
