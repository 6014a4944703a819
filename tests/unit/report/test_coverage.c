// Simulated comparisons with known effects: intervals hold the truth in 93 to 97 of 100 cases, and
// Holm's adjustment claims something false in at most 5 (6.5 here, for the simulation's own error)
// of 100 tables.
#include "support/test.h"

#include <cmocka.h>
#include <math.h>

#include "base/rng.h"
#include "statistics/stats.h"
#include "support/fake_host.h"

enum { TRIALS = 1500, RESAMPLES = 2000, MOST = 400 };

static fake_host *host;
static cull_rng rng;

static double normal(void)
{
    return sqrt(-2 * log(1 - cull_rng_uniform(&rng))) *
           cos(6.283185307179586 * cull_rng_uniform(&rng));
}

static double normal_cdf(double x)
{
    return 0.5 * erfc(-x / sqrt(2));
}

static int begin(void **state)
{
    *state = host = fake_host_new(1);
    cull_rng_init(&rng, 11, "tests", "coverage");
    return 0;
}

static int end(void **state)
{
    fake_host_free(*state);
    return 0;
}

typedef struct sample {
    size_t n, cluster[MOST];
    double a1[MOST], a2[MOST], b[MOST];
    cull_items first, second;
} sample;

static void share_of(size_t held, size_t of)
{
    const double share = (double)held / (double)of;

    print_message("            %.1f %% of intervals hold the truth\n", 100 * share);
    assert_true(share >= 0.93 && share <= 0.97);
}

static bool holds(const cull_difference *d, double truth)
{
    return d->low <= truth && truth <= d->high;
}

// Right or wrong answers to items of shared difficulty. The truth is Φ(m₂/√2) − Φ(m₁/√2).
static void accuracies(void **state)
{
    (void)state;
    size_t held = 0;
    sample s = { .n = 200 };
    for (size_t i = 0; i < TRIALS; i++) {
        for (size_t j = 0; j < s.n; j++) {
            const double difficulty = normal();
            s.a1[j] = normal() + 0.5 > difficulty;
            s.a2[j] = normal() + 0.3 > difficulty;
        }
        const cull_difference d =
            cull_paired(&(cull_items){ .n = s.n, .a = s.a1 }, &(cull_items){ .n = s.n, .a = s.a2 });
        held += holds(&d, normal_cdf(0.3 / sqrt(2)) - normal_cdf(0.5 / sqrt(2)));
    }
    share_of(held, TRIALS);
}

// Documents of a passage share an effect on the difference.
static void clusters(void **state)
{
    (void)state;
    size_t held = 0, naive = 0;
    sample s = { .n = 240 };
    for (size_t i = 0; i < TRIALS; i++) {
        double shared = 0;
        for (size_t j = 0; j < s.n; j++) {
            if (j % 6 == 0)
                shared = 0.5 * normal();
            s.cluster[j] = j / 6;
            s.a1[j] = normal();
            s.a2[j] = s.a1[j] + 0.1 + shared + 0.5 * normal();
        }
        const cull_items x = { .n = s.n, .a = s.a1, .cluster = s.cluster };
        cull_items y = { .n = s.n, .a = s.a2, .cluster = s.cluster };
        cull_difference d = cull_paired(&x, &y);
        held += holds(&d, 0.1);
        y.cluster = NULL;
        d = cull_paired(&x, &y);
        naive += holds(&d, 0.1);
    }
    share_of(held, TRIALS);
    assert_true((double)naive / TRIALS < 0.85); // what is lost without them
}

// Twenty windows of uneven length, skewed losses. The truth is the difference of expected loss per
// token.
static void perplexities(void **state)
{
    (void)state;
    size_t held = 0;
    sample s = { .n = 20 };
    for (size_t i = 0; i < TRIALS; i++) {
        const cull_mark mark = cull_arena_mark(host->context.scratch);
        for (size_t j = 0; j < s.n; j++) {
            s.b[j] = 100 + (double)cull_rng_below(&rng, 156);
            const double base = 1.5 + 0.4 * (exp(0.5 * normal()) - exp(0.125));
            s.a1[j] = s.b[j] * base;
            s.a2[j] = s.b[j] * (base + 0.1 + 0.05 * (exp(0.5 * normal()) - exp(0.125)));
        }
        cull_difference d;
        assert_ok(host, cull_bootstrap(fake_ctx(host), NULL, RESAMPLES, 1,
                                       &(cull_items){ .n = s.n, .a = s.a1, .b = s.b },
                                       &(cull_items){ .n = s.n, .a = s.a2, .b = s.b }, i, &d));
        held += holds(&d, 0.1);
        cull_arena_rewind(host->context.scratch, mark);
    }
    share_of(held, TRIALS);
}

// The macro mean of three tasks of different size and spread.
static void macro_means(void **state)
{
    (void)state;
    static const size_t sizes[] = { 25, 100, 300 };
    static const double spreads[] = { 2, 0.5, 1 };
    size_t held = 0;
    sample s = { 0 };
    for (size_t i = 0; i < TRIALS; i++) {
        cull_difference part[3];
        for (size_t k = 0; k < 3; k++) {
            for (size_t j = 0; j < sizes[k]; j++) {
                s.a1[j] = normal();
                s.a2[j] = s.a1[j] + 0.2 * (double)k + spreads[k] * normal();
            }
            part[k] = cull_paired(&(cull_items){ .n = sizes[k], .a = s.a1 },
                                  &(cull_items){ .n = sizes[k], .a = s.a2 });
        }
        const cull_difference d = cull_macro(3, part);
        held += holds(&d, 0.2);
    }
    share_of(held, TRIALS);
}

// Ten comparisons of which seven are of equals.
static void families(void **state)
{
    (void)state;
    size_t false_claims = 0, plain = 0, found = 0;
    sample s = { .n = 60 };
    for (size_t i = 0; i < TRIALS; i++) {
        double p[10], adjusted[10];
        for (size_t k = 0; k < 10; k++) {
            for (size_t j = 0; j < s.n; j++) {
                s.a1[j] = normal();
                s.a2[j] = s.a1[j] + (k < 7 ? 0 : 0.5) + normal();
            }
            const cull_difference d = cull_paired(&(cull_items){ .n = s.n, .a = s.a1 },
                                                  &(cull_items){ .n = s.n, .a = s.a2 });
            p[k] = d.p;
        }
        const cull_mark mark = cull_arena_mark(host->context.scratch);
        assert_ok(host, cull_holm(fake_ctx(host), 10, p, adjusted));
        cull_arena_rewind(host->context.scratch, mark);
        bool claimed = false, unadjusted = false;
        for (size_t k = 0; k < 7; k++) {
            claimed |= adjusted[k] <= 0.05;
            unadjusted |= p[k] <= 0.05;
        }
        false_claims += claimed;
        plain += unadjusted;
        for (size_t k = 7; k < 10; k++)
            found += adjusted[k] <= 0.05;
    }
    print_message("            something false in %.1f %% of tables, %.1f %% without adjustment\n",
                  100.0 * (double)false_claims / TRIALS, 100.0 * (double)plain / TRIALS);
    assert_true((double)false_claims / TRIALS <= 0.065);
    assert_true((double)plain / TRIALS > 0.2);
    assert_true((double)found / (3 * TRIALS) > 0.7); // and the true effects are not lost
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(accuracies, begin, end),
        cmocka_unit_test_setup_teardown(clusters, begin, end),
        cmocka_unit_test_setup_teardown(perplexities, begin, end),
        cmocka_unit_test_setup_teardown(macro_means, begin, end),
        cmocka_unit_test_setup_teardown(families, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
