// Buffers, the nearest word, UTF-8, paths; content keys.
#include "base/text.h"

#include "base/hash.h"
#include "support/test.h"

static void buffers_grow(void **state)
{
    cull_buf buf = CULL_BUF_INIT;

    (void)state;
    for (int i = 0; i < 1000; i++)
        cull_buf_printf(&buf, "%d,", i);
    assert_int_equal(buf.n, 10 * 2 + 90 * 3 + 900 * 4);
    assert_memory_equal(buf.s + buf.n - 8, "998,999,", 9);
    cull_buf_clear(&buf);
    cull_buf_json(&buf, "a\"\\\n\t\x01\0é", 9);
    assert_string_equal(buf.s, "\"a\\\"\\\\\\n\\t\\u0001\\u0000é\"");
    cull_buf_release(&buf);
}

static void nearest_word(void **state)
{
    static const char *const words[] = { "frequency", "reap", "similarity", "wanda", NULL };

    (void)state;
    assert_string_equal(cull_nearest("frequncy", words), "frequency");
    assert_string_equal(cull_nearest("raep", words), "reap");
    assert_string_equal(cull_nearest("simmilarty", words), "similarity");
    assert_null(cull_nearest("magnitude", words));
    assert_null(cull_nearest("", words));
}

static void utf8(void **state)
{
    (void)state;
    assert_true(cull_utf8_valid("aé漢😀", 10));
    assert_int_equal(cull_utf8_length("aé漢😀", 10), 4);
    assert_false(cull_utf8_valid("\xc0\x80", 2));         // overlong
    assert_false(cull_utf8_valid("\xe0\x80\x80", 3));     // overlong
    assert_false(cull_utf8_valid("\xed\xa0\x80", 3));     // a surrogate
    assert_false(cull_utf8_valid("\xf4\x90\x80\x80", 4)); // beyond U+10FFFF
    assert_false(cull_utf8_valid("\xe6\xbc", 2));         // cut short
    assert_false(cull_utf8_valid("\xff", 1));
}

static void paths(void **state)
{
    cull_buf buf = CULL_BUF_INIT;

    (void)state;
    cull_path_join(&buf, "a", "b");
    assert_string_equal(buf.s, "a/b");
    cull_path_join(&buf, "a/", "b");
    assert_string_equal(buf.s, "a/b");
    cull_path_join(&buf, "a", "/b");
    assert_string_equal(buf.s, "/b");
    cull_path_join(&buf, "", "b");
    assert_string_equal(buf.s, "b");
    cull_buf_release(&buf);
}

static void keys(void **state)
{
    cull_hash *one = cull_hash_new(), *two = cull_hash_new();

    (void)state;
    // XXH3-128 of nothing, as the reference implementation publishes it
    assert_string_equal(cull_hash_key(one).hex, "99aa06d3014798d86001c324468d497f");
    cull_hash_text(one, "ab");
    cull_hash_text(one, "c");
    cull_hash_text(two, "a");
    cull_hash_text(two, "bc");
    assert_string_not_equal(cull_hash_key(one).hex, cull_hash_key(two).hex);
    cull_hash_f64(one, 0.0);
    const cull_key plus = cull_hash_key(one);
    cull_hash_free(two);
    two = cull_hash_new();
    cull_hash_text(two, "ab");
    cull_hash_text(two, "c");
    cull_hash_f64(two, -0.0);
    assert_string_equal(plus.hex, cull_hash_key(two).hex);
    cull_hash_free(one);
    cull_hash_free(two);
}

static void control_characters_show(void **state)
{
    cull_buf out = CULL_BUF_INIT;

    (void)state;
    cull_buf_visible(&out, "a\033[2J\n\t\177é\xc2\x9b\rz");
    assert_string_equal(out.s, "a\\x1b[2J\n\t\\x7fé\\x9b\\x0dz");
    cull_buf_release(&out);
    cull_buf_visible(&out, "x\u202e\u202a\u2066\u2069\u2065\u202f\u2026y");
    assert_string_equal(out.s, "x\\u202e\\u202a\\u2066\\u2069\u2065\u202f\u2026y");
    cull_buf_release(&out);
}

static void names_are_no_patterns(void **state)
{
    static const char name[] = "a[1]*?\\b";
    cull_buf out = CULL_BUF_INIT;

    (void)state;
    cull_buf_glob(&out, name, sizeof name - 1);
    assert_string_equal(out.s, "a\\[1\\]\\*\\?\\\\b");
    cull_buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_grow),
        cmocka_unit_test(nearest_word),
        cmocka_unit_test(utf8),
        cmocka_unit_test(paths),
        cmocka_unit_test(keys),
        cmocka_unit_test(control_characters_show),
        cmocka_unit_test(names_are_no_patterns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
