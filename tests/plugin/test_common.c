// The parts that evaluation shares: Python's text and random numbers, SHA-256, patterns.
#include "support/test.h"

#include "common/lm_eval/summary.h"
#include "common/python/python_random.h"
#include "common/python/regex.h"
#include "common/python/sha256.h"
#include "support/fixture.h"

HOST_FIXTURE(1)

static void assert_text(span text, const char *want)
{
    if (!span_equal(text, span_of(want)))
        fail_msg("\"%.*s\", not \"%s\"", (int)text.n, text.s, want);
}

// Values from CPython 3.11: random.Random(1234).sample(range(n), k), twice.
static void test_sample(void **state)
{
    (void)state;
    static const struct {
        size_t n, k, first[5], second[5];
    } cases[] = {
        { 7473, 5, { 6374, 3610, 957, 61, 742 }, { 7462, 6610, 4769, 286, 5501 } },
        { 12, 5, { 7, 1, 0, 10, 9 }, { 10, 1, 11, 5, 3 } },
    };
    for (size_t c = 0; c < 2; c++) {
        py_random r;
        size_t got[5], work[7473];
        py_random_seed(&r, 1234);
        py_random_sample(&r, cases[c].n, cases[c].k, got, work);
        assert_memory_equal(got, cases[c].first, sizeof got);
        py_random_sample(&r, cases[c].n, cases[c].k, got, work);
        assert_memory_equal(got, cases[c].second, sizeof got);
    }
}

// random.Random(1234).getrandbits(32), five times.
static void test_words(void **state)
{
    (void)state;
    static const uint32_t want[] = { 4150886329u, 3342196574u, 1892932127u, 501869158u, 32175636u };
    py_random r;
    py_random_seed(&r, 1234);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(py_random_u32(&r), want[i]);
}

static void test_sha256(void **state)
{
    (void)state;
    char hex[65], long_text[1000];
    sha256_of("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_of("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    memset(long_text, 'a', sizeof long_text);
    sha256 h;
    sha256_init(&h);
    for (size_t i = 0; i < 1000; i++) // a million times "a", FIPS 180-2's third example
        sha256_add(&h, long_text, sizeof long_text);
    sha256_hex(&h, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void test_white_space(void **state)
{
    (void)state;
    assert_text(py_rstrip(span_of("Ends \t\n\u00a0\u2003\u2028\u3000\x1f")), "Ends");
    assert_text(py_rstrip(span_of("Zero-width\u200b")), "Zero-width\u200b");
    assert_text(py_strip(span_of(" \xc2\x85"
                                 "x\xc2\x85 ")),
                "x");
    assert_int_equal(py_words(span_of("a b\u3000\n c ")), 4);
    assert_int_equal(py_words(span_of("")), 1);
    assert_int_equal(py_len(span_of("\u00dfa\u00e9\U0001d7cf")), 4);
}

static void test_case(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        { "she SANG", "She sang" },
        { "\u00dfTRASSE", "Sstrasse" },
        { "\u0141UKASZ then", "\u0141ukasz then" },
        { "\u0130stanbul'A", "\u0130stanbul'a" },
        { "\u039f\u0394\u039f\u03a3", "\u039f\u03b4\u03bf\u03c2" },
        { "a\u0130", "Ai\u0307" },
        { "", "" },
    };
    span out;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        assert_ok(host, py_capitalize(fake_ctx(host), span_of(pairs[i][0]), &out));
        assert_text(out, pairs[i][1]);
    }
    assert_ok(host, py_lower_first(fake_ctx(host), span_of("\u03a9MEGA"), &out));
    assert_text(out, "\u03c9MEGA");
    assert_ok(host, py_replace(fake_ctx(host), span_of("a  b   c"), "  ", " ", &out));
    assert_text(out, "a b  c");
}

static void find(const char *pattern, const char *text, int64_t select, const char *want)
{
    regex *r;
    bool found;
    span out;

    assert_ok(host, regex_new(fake_ctx(host), "here", pattern, &r));
    assert_ok(host, regex_find(fake_ctx(host), r, span_of(text), select, &found, &out));
    if (want)
        assert_text(out, want);
    assert_int_equal(found, want != NULL);
    regex_free(r);
}

// What re.findall and lm-eval's RegexFilter make of it.
static void test_find(void **state)
{
    (void)state;
    const char *flexible = "(-?[$0-9.,]{2,})|(-?[0-9]+)";
    find("#### (\\-?[0-9\\.\\,]+)", "x #### -1,234.5 #### 7", 0, "-1,234.5");
    find("#### (\\-?[0-9\\.\\,]+)", "nothing", 0, NULL);
    find(flexible, "It costs $1,234.50. So 7", -1, "7");
    find(flexible, "is 18.", -1, "18.");
    find("The answer is (\\-?[0-9\\.\\,]+).", "The answer is 18", 0, "1");
    find("a*", "baa", 1, "aa"); // re.findall("a*", "baa") is ["", "aa", ""]
    find("a*", "baa", 2, "");
    find("(x)?(y)?", "", 0, NULL); // all groups empty
    find("\\w+", "\u00fcber x", 0, "\u00fcber");
}

static void replace(const char *pattern, const char *text, const char *want)
{
    regex *r;
    span out;

    assert_ok(host, regex_new(fake_ctx(host), "here", pattern, &r));
    assert_ok(host, regex_replace(fake_ctx(host), r, span_of(text), "_", &out));
    assert_text(out, want);
    regex_free(r);
}

// Where PCRE2 would take a pattern otherwise than re.sub does; the texts are Python's.
static void test_python_pattern(void **state)
{
    (void)state;
    const char *odd = "a\x1c\x1f \u180e\u200b\u3000b";
    replace("\\s", odd, "a___\u180e\u200b_b");
    replace("\\S", odd, "_\x1c\x1f __\u3000_");
    replace("[\\sb]", odd, "a___\u180e\u200b__");
    replace("[^\\sb]", odd, "_\x1c\x1f __\u3000b");
    replace("[\\S\x1c]", odd, "__\x1f __\u3000_");
    replace("[^\\S\x1c]", odd, "a\x1c__\u180e\u200b_b");
    replace("\\\\s", "\\s \\", "_ \\");
    replace("[\\\\s]", "\\s ", "__ ");
    replace("[]\\s]", "] s", "__s");
    replace("[^]\\s]", "] s", "] _");
    replace("\\[\\s]", "[ ] []", "_ []");
    replace("(?#[)\\s", "[ \x1d", "[__");
    replace("a(?#b)+", "aab", "_b");
    replace("(?x) a # [\n \\s", "a\x1d ", "_ ");
    replace("[[:alpha:]", "a[:b", "___b");
    replace("[.!?.]", "a.!b", "a__b");
    replace("^a{,2}$", "aa", "_");
    replace("a\\Z", "a\n", "a\n");
    replace("a$", "a\n", "_\n");
}

static void test_bad_pattern(void **state)
{
    (void)state;
    regex *r;
    assert_fails(host, regex_new(fake_ctx(host), "tasks.jsonl", "a(b", &r), CULL_EFORMAT,
                 "tasks.jsonl: the pattern \"a(b\" fails at its character 4");
    assert_fails(host, regex_new(fake_ctx(host), "tasks.jsonl", "\\s\\s**", &r), CULL_EFORMAT,
                 "tasks.jsonl: the pattern \"\\s\\s**\" fails at its character 6");
}

// A group's error is lm_eval's pooled_sample_stderr.
static void test_summary(void **state)
{
    (void)state;
    const double a[] = { 0, 0, 0, 0, 0, 0 }, b[] = { 0, 1, 0, 0, 0 };
    const summary both[] = { summary_of(6, a), summary_of(5, b) };
    const summary pooled = summary_pooled(2, both), macro = summary_macro(2, both);
    assert_true(fabs(pooled.mean - 1.0 / 11) < 1e-15 && pooled.n == 11);
    assert_true(fabs(pooled.stderr_ - 0.08989331499509896) < 1e-15);
    assert_true(fabs(macro.mean - 0.1) < 1e-15 && fabs(macro.stderr_ - 0.1) < 1e-15);
    assert_true(isnan(summary_of(1, b).stderr_));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),          cmocka_unit_test(test_sample),
        cmocka_unit_test(test_sha256),         cmocka_unit_test(test_white_space),
        cmocka_unit_test(test_case),           cmocka_unit_test(test_find),
        cmocka_unit_test(test_python_pattern), cmocka_unit_test(test_bad_pattern),
        cmocka_unit_test(test_summary),
    };

    return cmocka_run_group_tests_name("common", tests, setup, teardown);
}
