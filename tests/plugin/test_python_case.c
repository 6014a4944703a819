// Case as Python's str has it, of every code point: tests/support/make_case.py says what of.
#include "support/test.h"

#include <utf8proc.h>

#include "common/python/python_text.h"
#include "common/python/sha256.h"
#include "support/fixture.h"

HOST_FIXTURE(1)

static void assert_text(span text, const char *want)
{
    if (!span_equal(text, span_of(want)))
        fail_msg("\"%.*s\", not \"%s\"", (int)text.n, text.s, want);
}

static void capitalize(const char *text, const char *want)
{
    span out;

    assert_ok(host, py_capitalize(fake_ctx(host), span_of(text), &out));
    assert_text(out, want);
}

static void lower(const char *text, const char *want)
{
    span out;

    assert_ok(host, py_lower(fake_ctx(host), span_of(text), &out));
    assert_text(out, want);
}

static void test_titles(void **state)
{
    (void)state;
    capitalize("\ufb01RST", "First");
    capitalize("\ufb03", "Ffi");
    capitalize("\u0149A", "\u02bcNa");
    capitalize("\u0587X", "\u0535\u0582x");
    capitalize("\u01f0", "J\u030c");
    capitalize("\u01c6A", "\u01c5a");
    capitalize("\u1fb3A", "\u1fbca");             // iota subscript: one character
    capitalize("\u1fb7A", "\u0391\u0342\u0345a"); // and three
}

// A sigma is final after something cased and before nothing cased, whatever marks are between.
static void test_sigma(void **state)
{
    (void)state;
    lower("x.\u03a3", "x.\u03c2");
    lower("x\u2019\u03a3", "x\u2019\u03c2");
    lower("x\u0301\u00ad\u03a3.", "x\u0301\u00ad\u03c2.");
    lower("x\u03a3\u02b0", "x\u03c2\u02b0");
    lower("x\u03a3\u02b0y", "x\u03c3\u02b0y");
    lower("\u2170\u03a3", "\u2170\u03c2");
    lower("\u24b6\u03a3", "\u24d0\u03c2");
    lower("\u00aa\u03a3\u00aa", "\u00aa\u03c3\u00aa");
    lower(".\u03a3", ".\u03c3");
    lower("1\u03a3", "1\u03c3");
    lower("x \u03a3", "x \u03c3");
    lower("\u03a3", "\u03c3");
}

// ---- every code point ----

// Letters and marks that Unicode 15.0 adds to the 14.0 of Python 3.11.
static bool is_newer(int32_t c)
{
    static const int32_t ranges[][2] = { { 0xece, 0xece },     { 0x10efd, 0x10eff },
                                         { 0x11241, 0x11241 }, { 0x11f00, 0x11f42 },
                                         { 0x13439, 0x13455 }, { 0x1df25, 0x1df2a },
                                         { 0x1e030, 0x1e08f }, { 0x1e4eb, 0x1e4ef } };

    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (c >= ranges[i][0] && c <= ranges[i][1])
            return true;
    return false;
}

static size_t fill(char *s, const char *pattern, const char *c, size_t n)
{
    size_t used = 0;

    for (; *pattern; pattern++) {
        const span part = *pattern == '?'   ? (span){ c, n }
                          : *pattern == 'S' ? span_of("\u03a3")
                                            : (span){ pattern, 1 };
        memcpy(s + used, part.s, part.n);
        used += part.n;
    }
    return used;
}

static void add_character(cull_ctx *ctx, sha256 *h, int32_t c)
{
    char utf8[4], lines[64];
    span out;
    const size_t n = (size_t)utf8proc_encode_char(c, (utf8proc_uint8_t *)utf8);

    assert_int_equal(py_capitalize(ctx, (span){ utf8, n }, &out), CULL_OK);
    sha256_add(h, out.s, out.n);
    sha256_add(h, "\n", 1);
    const size_t used = fill(lines, "?\nA?S\n.?S\nAS?\nAS?A\n", utf8, n);
    assert_int_equal(py_lower(ctx, (span){ lines, used }, &out), CULL_OK);
    sha256_add(h, out.s, out.n);
}

static void test_every_character(void **state)
{
    enum { BLOCK = 0x1000 }; // whose memory is let go together
    char hex[65];
    sha256 h;

    (void)state;
    if (strcmp(utf8proc_unicode_version(), "15.0.0") != 0)
        skip(); // other letters are new then
    sha256_init(&h);
    for (int32_t block = 0; block < 0x110000; block += BLOCK) {
        fake_host *own = fake_host_new(1);
        for (int32_t c = block; c < block + BLOCK; c++)
            if ((c < 0xd800 || c >= 0xe000) && !is_newer(c))
                add_character(fake_ctx(own), &h, c);
        fake_host_free(own);
    }
    sha256_hex(&h, hex);
    assert_string_equal(hex, "a38465810581fe71d50e29b47f027ef737cd1d4cd502ecdf258081d7a05c47be");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_titles),
        cmocka_unit_test(test_sigma),
        cmocka_unit_test(test_every_character),
    };

    return cmocka_run_group_tests_name("python case", tests, setup, teardown);
}
