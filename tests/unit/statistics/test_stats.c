// Statistics against numbers from scipy.
#include "support/test.h"

#include <cmocka.h>
#include <jansson.h>
#include <math.h>

#include "base/rng.h"
#include "statistics/stats.h"
#include "support/fake_host.h"

static json_t *truth; // stats.json, by make_stats.py

static int load(void **state)
{
    *state = fake_host_new(1);
    truth = json_load_file(CULL_SOURCE_DIR "/tests/unit/statistics/stats.json", 0, NULL);
    return truth ? 0 : -1;
}

static int unload(void **state)
{
    json_decref(truth);
    fake_host_free(*state);
    return 0;
}

static double number(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static double at(const json_t *list, size_t i)
{
    return json_number_value(json_array_get(list, i));
}

static const double *numbers(fake_host *host, const json_t *object, const char *name, size_t *n)
{
    const json_t *list = json_object_get(object, name);

    *n = json_array_size(list);
    double *x = cull_take(fake_ctx(host), *n, sizeof *x);
    for (size_t i = 0; i < *n; i++)
        x[i] = at(list, i);
    return x;
}

static void close_to(double have, double want, double tolerance)
{
    if (!(fabs(have - want) <= tolerance * fmax(1e-300, fabs(want))))
        fail_msg("%.17g instead of %.17g", have, want);
}

static void distributions(void **state)
{
    (void)state;
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(truth, "t_cdf"), i, row)
        close_to(cull_t_cdf(at(row, 0), at(row, 1)), at(row, 2), 1e-9);
    json_array_foreach(json_object_get(truth, "t_quantile"), i, row) if (at(row, 0) != 0.5)
        close_to(cull_t_quantile(at(row, 0), at(row, 1)), at(row, 2), 1e-9);
    json_array_foreach(json_object_get(truth, "normal_quantile"), i, row)
        close_to(cull_t_quantile(at(row, 0), INFINITY), at(row, 1), 1e-10);
    json_array_foreach(json_object_get(truth, "mcnemar"), i, row)
        close_to(cull_mcnemar((size_t)at(row, 0), (size_t)at(row, 1)), at(row, 2), 1e-9);
    assert_true(fabs(cull_t_quantile(0.5, 7)) < 1e-12);
}

static void paired_differences(void **state)
{
    const json_t *want = json_object_get(truth, "paired");
    cull_items x = { 0 }, y = { 0 };

    x.a = numbers(*state, want, "x", &x.n);
    y.a = numbers(*state, want, "y", &y.n);
    const cull_difference d = cull_paired(&x, &y);
    close_to(d.value, number(want, "value"), 1e-12);
    close_to(d.error, number(want, "error"), 1e-12);
    close_to(d.low, number(want, "low"), 1e-10);
    close_to(d.high, number(want, "high"), 1e-10);
    close_to(d.p, number(want, "p"), 1e-9);
}

static void clustered_errors(void **state)
{
    const json_t *want = json_object_get(truth, "clustered");
    size_t n, m, cluster[64];
    const double *x = numbers(*state, want, "x", &n), *c = numbers(*state, want, "cluster", &m);
    double df;

    for (size_t i = 0; i < m; i++)
        cluster[i] = (size_t)c[i];
    close_to(cull_ratio_stderr(&(cull_items){ .n = n, .a = x, .cluster = cluster }, &df),
             number(want, "error"), 1e-12);
    assert_true(df == number(want, "df"));
}

static void ratios(void **state)
{
    const json_t *want = json_object_get(truth, "ratio");
    cull_items items = { 0 };
    double df;

    items.a = numbers(*state, want, "a", &items.n);
    items.b = numbers(*state, want, "b", &items.n);
    close_to(cull_ratio(&items), number(want, "value"), 1e-13);
    close_to(cull_ratio_stderr(&items, &df), number(want, "jackknife"), 0.02); // to first order
}

static void the_bootstrap(void **state)
{
    fake_host *host = *state;
    const json_t *data = json_object_get(truth, "paired"),
                 *want = json_object_get(truth, "bootstrap");
    cull_items x = { 0 }, y = { 0 };
    cull_difference d, again;

    x.a = numbers(host, data, "x", &x.n);
    y.a = numbers(host, data, "y", &y.n);
    assert_ok(host, cull_bootstrap(fake_ctx(host), NULL, CULL_RESAMPLES, 1, &x, &y, 1, &d));
    assert_ok(host, cull_bootstrap(fake_ctx(host), NULL, CULL_RESAMPLES, 1, &x, &y, 1, &again));
    assert_memory_equal(&d, &again, sizeof d);
    // BCa and the studentised one differ to second order: a tenth of the interval's half
    const double half = 0.5 * (number(want, "high") - number(want, "low"));
    assert_true(fabs(d.low - number(want, "low")) < 0.1 * half);
    assert_true(fabs(d.high - number(want, "high")) < 0.1 * half);
    const cull_difference t = cull_paired(&x, &y);
    assert_true(fabs(d.p - t.p) < 0.01);
}

static void several_comparisons(void **state)
{
    fake_host *host = *state;
    const json_t *want = json_object_get(truth, "holm");
    size_t n, m;
    const double *p = numbers(host, want, "p", &n), *adjusted = numbers(host, want, "adjusted", &m);
    double have[8];

    assert_ok(host, cull_holm(fake_ctx(host), n, p, have));
    for (size_t i = 0; i < n; i++)
        close_to(have[i], adjusted[i], 1e-14);

    double with_nan[] = { 0.02, NAN, 0.5 };
    assert_ok(host, cull_holm(fake_ctx(host), 3, with_nan, with_nan));
    assert_true(with_nan[0] == 0.04 && isnan(with_nan[1]) && with_nan[2] == 0.5);
}

// As lm-eval pools the errors of a group's tasks, n[i] items each.
static double pooled(size_t k, const size_t *n, const double *error)
{
    double squares = 0, total = 0;

    for (size_t i = 0; i < k; i++) {
        squares += (double)(n[i] - 1) * (double)n[i] * error[i] * error[i];
        total += (double)n[i];
    }
    return sqrt(squares / (total - (double)k) / total);
}

static void pooled_errors(void **state)
{
    const json_t *want = json_object_get(truth, "pooled");
    size_t k, sizes[8];
    const double *error = numbers(*state, want, "error", &k), *n = numbers(*state, want, "n", &k);

    for (size_t i = 0; i < k; i++)
        sizes[i] = (size_t)n[i];
    close_to(pooled(k, sizes, error), number(want, "value"), 1e-14);
}

// Items and seeds: interval and p say the same, and lie between what either part alone would say.
static void two_parts(void **state)
{
    (void)state;
    const cull_error_part items = { 0.3, 60 }, seeds = { 0.4, 1 }, none = { 0, INFINITY };
    const cull_difference d = cull_by_two_parts(1, items, seeds);
    close_to(d.error, 0.5, 1e-14);
    close_to(d.df, 0.0625 / (0.0081 / 60 + 0.0256), 1e-12);
    const double half = d.high - 1;
    assert_true(half > 0.5 * 2.0003 && half < 0.5 * 12.7062);
    close_to(cull_by_two_parts(half, items, seeds).p, 0.05, 1e-9);

    double last = 1;
    for (double value = 0.01; value < 1e6; value *= 1.7) {
        const double p = cull_by_two_parts(value, items, seeds).p;
        assert_true(p < last && p > 0);
        assert_true(p >= cull_by_t(value, 0.5, 60).p && p <= cull_by_t(value, 0.5, 1).p);
        close_to(cull_by_two_parts(-value, items, seeds).p, p, 0);
        last = p;
    }
    assert_true(cull_by_two_parts(0, items, seeds).p == 1);

    const cull_difference one = cull_by_t(0.7, 0.3, 60), other = cull_by_t(0.7, 0.4, 1);
    close_to(cull_by_two_parts(0.7, items, none).p, one.p, 1e-9);
    close_to(cull_by_two_parts(0.7, items, none).low, one.low, 1e-12);
    close_to(cull_by_two_parts(0.7, (cull_error_part){ 0, 60 }, seeds).p, other.p, 1e-9);
    const cull_error_part sum = cull_add_errors(cull_add_errors(items, seeds), seeds);
    const cull_error_part same = cull_add_errors(items, cull_add_errors(seeds, seeds));
    close_to(sum.error, same.error, 1e-14);
    close_to(sum.df, same.df, 1e-12);
}

static void too_little_to_say(void **state)
{
    fake_host *host = *state;
    const double one[] = { 0.25 }, two[] = { 0.5 }, same[] = { 1, 2, 3 };
    const cull_items x = { .n = 1, .a = one }, y = { .n = 1, .a = two };
    cull_difference d = cull_paired(&x, &y);

    assert_true(d.value == 0.25 && isnan(d.error) && isnan(d.low) && isnan(d.p));
    assert_ok(host, cull_bootstrap(fake_ctx(host), NULL, CULL_RESAMPLES, 1, &x, &y, 1, &d));
    assert_true(d.value == 0.25 && isnan(d.low));
    const cull_items s = { .n = 3, .a = same };
    d = cull_paired(&s, &s);
    assert_true(d.value == 0 && d.low == 0 && d.high == 0 && d.p == 1);
}

// Strata are pooled as lm-eval pools the errors of a group's tasks; clusters stay within them.
static void strata(void **state)
{
    (void)state;
    enum { N = 37 };
    static const size_t n[] = { 12, 5, 20 };
    double x[N], error[3], df;
    size_t stratum[N], cluster[N], at = 0;
    for (size_t k = 0; k < 3; k++) {
        for (size_t i = 0; i < n[k]; i++, at++) {
            x[at] = 10 * (double)k + (double)((i * i * 7 + k) % 5);
            stratum[at] = k;
            cluster[at] = at;
        }
        error[k] = cull_ratio_stderr(&(cull_items){ .n = n[k], .a = x + at - n[k] }, &df);
    }
    const double want = pooled(3, n, error);
    close_to(cull_ratio_stderr(&(cull_items){ .n = N, .a = x, .stratum = stratum }, &df), want,
             1e-13);
    assert_true(df == N - 3);
    const cull_items alone = { .n = N, .a = x, .stratum = stratum, .cluster = cluster };
    close_to(cull_ratio_stderr(&alone, &df), want, 1e-13);
    cluster[1] = 0;
    const double pair = cull_ratio_stderr(&alone, &df);
    assert_true(df == N - 4 && fabs(pair - want) > 1e-3 * want);
    assert_true(cull_ratio_stderr(&(cull_items){ .n = N, .a = x }, &df) > 3 * want);
}

// Interval and p never contradict each other, and a draw of one item throughout, of which rounding
// leaves an error of 1e-17, counts for nothing.
static void bootstraps_of_few(void **state)
{
    fake_host *host = *state;
    cull_rng rng;

    cull_rng_init(&rng, 5, "tests", "few");
    for (size_t n = 3; n <= 12; n += 3)
        for (size_t round = 0; round < 8; round++) {
            double a[12], b[12], c[12];
            for (size_t i = 0; i < n; i++) {
                b[i] = 20 + floor(80 * cull_rng_uniform(&rng));
                a[i] = b[i] * (2 + cull_rng_uniform(&rng));
                c[i] = a[i] + b[i] * (0.3 * cull_rng_uniform(&rng) - 0.1);
            }
            const cull_items x = { .n = n, .a = a, .b = b }, y = { .n = n, .a = c, .b = b };
            cull_difference d;
            assert_ok(host, cull_bootstrap(fake_ctx(host), NULL, 2000, 1, &x, &y, 1, &d));
            assert_true(d.high - d.low < 1e6);
            assert_true((d.p < 0.049 && (d.low > 0 || d.high < 0)) ||
                        (d.p > 0.051 && d.low < 0 && d.high > 0) || fabs(d.p - 0.05) <= 0.001);
        }
}

// Draws that several bootstraps share are the ones that each would make: of other units and strata,
// of as many that they are not kept, and again.
static void draws_that_are_shared(void **state)
{
    fake_host *host = *state;
    enum { MOST = 5000 };
    static const size_t n[][2] = { { 20, 12 }, { 12, 20 }, { 20, 20 }, { 20, 12 }, { MOST, 20 } };
    double *a = cull_take(fake_ctx(host), MOST, sizeof *a),
           *b = cull_take(fake_ctx(host), MOST, sizeof *b),
           *c = cull_take(fake_ctx(host), MOST, sizeof *c);
    cull_draws draws = { 0 };
    cull_rng rng;

    cull_rng_init(&rng, 7, "tests", "shared");
    for (size_t i = 0; i < MOST; i++) {
        b[i] = 20 + floor(80 * cull_rng_uniform(&rng));
        a[i] = b[i] * (2 + cull_rng_uniform(&rng));
        c[i] = a[i] + b[i] * (0.3 * cull_rng_uniform(&rng) - 0.1);
    }
    for (size_t t = 0; t < sizeof n / sizeof n[0]; t++) {
        cull_items x[2], y[2];
        for (size_t k = 0; k < 2; k++) {
            x[k] = (cull_items){ .n = n[t][k], .a = a, .b = b };
            y[k] = (cull_items){ .n = n[t][k], .a = c, .b = b };
        }
        cull_difference own, shared;
        const size_t before = draws.held;
        assert_ok(host, cull_bootstrap(fake_ctx(host), NULL, 2000, 2, x, y, 1, &own));
        assert_ok(host, cull_bootstrap(fake_ctx(host), &draws, 2000, 2, x, y, 1, &shared));
        assert_memory_equal(&own, &shared, sizeof own);
        assert_int_equal(draws.held - before, t < 3 ? 2000 * (n[t][0] + n[t][1]) : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distributions),         cmocka_unit_test(paired_differences),
        cmocka_unit_test(clustered_errors),      cmocka_unit_test(ratios),
        cmocka_unit_test(the_bootstrap),         cmocka_unit_test(several_comparisons),
        cmocka_unit_test(pooled_errors),         cmocka_unit_test(two_parts),
        cmocka_unit_test(too_little_to_say),     cmocka_unit_test(bootstraps_of_few),
        cmocka_unit_test(draws_that_are_shared), cmocka_unit_test(strata),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
