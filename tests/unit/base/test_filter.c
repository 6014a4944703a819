// Conditions: read, held against values, and whether they were anything's.
#include "base/filter.h"

#include <math.h>
#include <string.h>

#include "support/fake_host.h"
#include "support/test.h"

static bool is_key(const void *arg, const char *text, size_t n)
{
    const char *const *known = arg;

    for (; *known; known++)
        if (cull_is_key_of(text, n, *known))
            return true;
    return false;
}

static const char *const keys[] = { "method", "sparsity", "calibrate.rows_per_file", "x_hash",
                                    NULL };

static cull_filters read_one(fake_host *host, const char *text)
{
    cull_filters filters;

    assert_ok(host, cull_filters_read(fake_ctx(host), "--where", 1, &text, is_key, keys, &filters));
    return filters;
}

static void texts_become_conditions(void **state)
{
    (void)state;
    fake_host *host = fake_host_new(1);
    const cull_filters f = read_one(host, "method=reap,a=b,sparsity!=0.5,0.25");
    assert_int_equal(f.n, 2);
    assert_string_equal(f.at[0].key, "method");
    assert_int_equal(f.at[0].n, 2); // "a" is no key
    assert_string_equal(f.at[0].value[1].text, "a=b");
    assert_true(f.at[1].none);
    assert_string_equal(f.at[1].value[1].text, "0.25");
    static const char *const wrong[] = { "method", "=reap", "method=", "reap,method=x", "!=x", "" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cull_filters none;
        assert_fails(
            host, cull_filters_read(fake_ctx(host), "--where", 1, &wrong[i], is_key, keys, &none),
            CULL_EUSAGE, "is not KEY=VALUE");
    }
    fake_host_free(host);
}

static void values_are_words_patterns_numbers_and_ranges(void **state)
{
    (void)state;
    fake_host *host = fake_host_new(1);
    const struct {
        const char *condition, *value;
        bool met;
    } cases[] = {
        { "method=reap", "reap", true },       { "method=reap", "reaper", false },
        { "method=re*", "reaper", true },      { "method=r?ap", "reap", true },
        { "method=[rx]eap", "[rx]eap", true }, { "sparsity=0.5", "0.50", true },
        { "sparsity=0.25..0.5", "0.5", true }, { "sparsity=0.25..0.5", "0.51", false },
        { "sparsity=..0.5", "-3", true },      { "sparsity=0.5..", "0.4", false },
        { "sparsity=..", "0.4", false },       { "method=a..b", "a..b", true },
        { "x_hash=ab", "abcd", true },         { "method=ab", "abcd", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cull_filters f = read_one(host, cases[i].condition);
        assert_int_equal(cull_filter_meets(&f.at[0], cases[i].value), cases[i].met);
    }
    fake_host_free(host);
}

static void what_is_nothing_is_told(void **state)
{
    (void)state;
    fake_host *host = fake_host_new(1);
    cull_filters f = read_one(host, "rows_per_file=4,8");
    assert_false(cull_filter_knows(&f.at[0], "calibrate.rows"));
    assert_fails(host, cull_filters_check(fake_ctx(host), &f, "the results", keys), CULL_EUSAGE,
                 "nothing in the results has the key rows_per_file");
    assert_true(cull_filter_knows(&f.at[0], "calibrate.rows_per_file"));
    assert_true(cull_filter_meets_number(&f.at[0], 4));
    assert_fails(host, cull_filters_check(fake_ctx(host), &f, "the results", keys), CULL_EUSAGE,
                 "nothing in the results has rows_per_file=8");
    assert_true(cull_filter_meets_number(&f.at[0], 8));
    assert_ok(host, cull_filters_check(fake_ctx(host), &f, "the results", keys));
    f = read_one(host, "mehtod=x");
    assert_fails(host, cull_filters_check(fake_ctx(host), &f, "the results", keys), CULL_EUSAGE,
                 "did you mean \"method\"?");
    f = read_one(host, "method=wnda");
    static const char *const methods[] = { "reap", "wanda", "owl", "magnitude" };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        assert_true(cull_filter_knows(&f.at[0], "method") &&
                    !cull_filter_meets(&f.at[0], methods[i]));
    assert_fails(host, cull_filters_check(fake_ctx(host), &f, "the results", keys), CULL_EUSAGE,
                 "has method=wnda; did you mean \"wanda\"?");
    f = read_one(host, "sparsity>=0.5");
    assert_fails(host, cull_filters_check(fake_ctx(host), &f, "the results", keys), CULL_EUSAGE,
                 "there is no >=; a range of numbers is written sparsity=0.3..0.5");
    fake_host_free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_conditions),
        cmocka_unit_test(values_are_words_patterns_numbers_and_ranges),
        cmocka_unit_test(what_is_nothing_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
