// Tables in every form.
#include "support/test.h"

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "report/tables/format_number.h"
#include "report/tables/table.h"
#include "support/fake_host.h"

static int make(void **state)
{
    *state = fake_host_new(1);
    return 0;
}

static int clear(void **state)
{
    fake_host_free(*state);
    return 0;
}

static cull_table example(fake_host *host)
{
    static const cull_table_column columns[] = {
        { "name", false, false, false },
        { "a value", true, false, true },
        { "of it", true, true, false },
        { "another", true, false, true },
    };
    cull_table t = cull_table_new(fake_ctx(host), 4, 1, columns);

    cull_table_row(&t);
    cull_table_set(&t, 0, "a, \"b\" | 50 % _x");
    cull_table_set(&t, 1, "1.5");
    cull_table_best(&t, 1);
    cull_table_set(&t, 2, "±0.1");
    cull_table_set(&t, 3, "inf");
    cull_table_row(&t);
    cull_table_set(&t, 0, "é");
    cull_table_printf(&t, 1, "%d", -3);
    assert_int_equal(t.status, CULL_OK);
    return t;
}

static const char *text_of(FILE *out)
{
    static char text[4096];

    rewind(out);
    text[fread(text, 1, sizeof text - 1, out)] = '\0';
    fclose(out);
    return text;
}

static const char *written(fake_host *host, void (*write)(const cull_table *, FILE *))
{
    const cull_table t = example(host);
    FILE *out = tmpfile();

    write(&t, out);
    return text_of(out);
}

static const char *shown(fake_host *host, size_t width)
{
    const cull_table t = example(host);
    FILE *out = tmpfile();

    assert_ok(host, cull_table_show(&t, out, width));
    return text_of(out);
}

static void csv(void **state)
{
    assert_string_equal(written(*state, cull_table_csv), "name,a value,of it,another\n"
                                                         "\"a, \"\"b\"\" | 50 % _x\",1.5,±0.1,inf\n"
                                                         "é,-3,,\n");
}

// A spreadsheet would run it; numbers stay numbers.
static void csv_formulas(void **state)
{
    static const cull_table_column columns[] = { { "=name", false, false, false },
                                                 { "value", true, false, true } };
    static const char *const pairs[][2] = {
        { "=HYPERLINK(1)", "\"'=HYPERLINK(1)\"" },
        { "@SUM(1)", "\"'@SUM(1)\"" },
        { "+1+cmd", "\"'+1+cmd\"" },
        { "-2+3\"", "\"'-2+3\"\"\"" },
        { "-3", "-3" },
        { "-", "-" },
        { "a=b", "a=b" },
    };
    fake_host *host = *state;

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char *text = NULL, want[64];
        size_t n = 0;
        cull_table t = cull_table_new(fake_ctx(host), 2, 1, columns);
        cull_table_row(&t);
        cull_table_set(&t, 0, pairs[i][0]);
        cull_table_set(&t, 1, "-1.5");
        FILE *out = open_memstream(&text, &n);
        cull_table_csv(&t, out);
        fclose(out);
        (void)snprintf(want, sizeof want, "\"'=name\",value\n%s,-1.5\n", pairs[i][1]);
        assert_string_equal(text, want);
        free(text);
    }
}

static void write_json(const cull_table *t, FILE *out)
{
    assert_int_equal(cull_table_json(t, out), CULL_OK);
}

static void json(void **state)
{
    assert_string_equal(
        written(*state, write_json),
        "[\n {\"name\": \"a, \\\"b\\\" | 50 % _x\", \"a value\": 1.5, \"of it\": \"±0.1\", "
        "\"another\": null},\n {\"name\": \"é\", \"a value\": -3, \"of it\": \"\", \"another\": "
        "null}\n]\n");
}

static void markdown(void **state)
{
    assert_string_equal(written(*state, cull_table_markdown),
                        "|name             |a value|of it|another|\n"
                        "|-----------------|------:|----:|------:|\n"
                        "|a, \"b\" \\| 50 % _x|**1.5**| ±0.1|    inf|\n"
                        "|é                |     -3|     |       |\n");
}

static void write_tabular(const cull_table *t, FILE *out)
{
    cull_table_latex(t, NULL, NULL, out);
}

static void write_captioned(const cull_table *t, FILE *out)
{
    cull_table_latex(t, "a_b: ↓", "a_b 1", out);
}

static void latex_caption(void **state)
{
    const char *text = written(*state, write_captioned);

    assert_ptr_equal(strstr(text, "\\begin{table}\n\\centering\n\\caption{a\\_b: "
                                  "$\\downarrow$}\n\\label{tab:a-b-1}\n\\begin{tabular}"),
                     text);
    assert_non_null(strstr(text, "\\end{tabular}\n\\end{table}\n"));
}

static void latex(void **state)
{
    const char *text = written(*state, write_tabular);

    assert_non_null(strstr(text, "\\begin{tabular}{lrrr}\n\\toprule\n"));
    assert_non_null(
        strstr(text, "\\textbar{} 50 \\% \\_x & \\textbf{1.5} & $\\pm$0.1 & inf \\\\\n"));
}

// Whatever a name has prints as itself in OT1, LaTeX's default.
static void latex_signs(void **state)
{
    static const cull_table_column column = { "p", false, false, false };
    static const char *const pairs[][2] = {
        { "<0.0001", "$<$0.0001" },
        { "a>b|c", "a$>$b\\textbar{}c" },
        { "\"a\"1", "\\texttt{\\char34}a\\texttt{\\char34}1" },
        { "~^\\", "\\textasciitilde{}\\textasciicircum{}\\textbackslash{}" },
        { "&%$#_{}", "\\&\\%\\$\\#\\_\\{\\}" },
        { "a---b-c", "a-{}-{}-b-c" },
        { "[x]", "{}[x]" },
        { "*", "{}*" },
        { "–−", "--$-$" },
        { "-0.1 [-2, +3] a-1", "$-$0.1 [$-$2, +3] a-1" },
    };

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char want[160];
        cull_table t = cull_table_new(fake_ctx(*state), 1, 1, &column);
        FILE *out = tmpfile();
        cull_table_row(&t);
        cull_table_set(&t, 0, pairs[i][0]);
        assert_int_equal(t.status, CULL_OK);
        cull_table_latex(&t, NULL, NULL, out);
        snprintf(want, sizeof want, "\\midrule\n%s \\\\\n\\bottomrule\n", pairs[i][1]);
        const char *text = text_of(out);
        if (!strstr(text, want))
            fail_msg("%s, not %s", text, want);
    }
}

static void a_terminal_with_room(void **state)
{
    assert_string_equal(shown(*state, 0), "name             a value of it another\n"
                                          "a, \"b\" | 50 % _x    1.5*  ±0.1     inf\n"
                                          "é                    -3        \n");
}

// What belongs together stays together; the fixed column is there again.
static void a_narrow_one(void **state)
{
    assert_string_equal(shown(*state, 32), "name             a value of it\n"
                                           "a, \"b\" | 50 % _x    1.5*  ±0.1\n"
                                           "é                    -3  \n"
                                           "\n"
                                           "name             another\n"
                                           "a, \"b\" | 50 % _x     inf\n"
                                           "é                \n");
}

// Control characters are shown by their numbers, once; a byte that is no text is, too.
static void a_rounded_zero_has_no_sign(void **state)
{
    const cull_difference none = { .value = -0.00004, .low = -0.0038, .high = 0.00001 };
    const cull_difference percent = { .value = 0.0004, .low = -0.0004, .high = 0.002 };
    char text[CULL_SHOWN];

    (void)state;
    cull_show_difference(text, sizeof text, &none, CULL_LAW_MEAN);
    assert_string_equal(text, "0.0000 [-0.0038, 0.0000]");
    cull_show_difference(text, sizeof text, &percent, CULL_LAW_EXP);
    assert_string_equal(text, "0.0 % [0.0, +0.2]");
    cull_show_number(text, sizeof text, -0.00004, CULL_LAW_MEAN);
    assert_string_equal(text, "0.0000");
    cull_show_share(text, sizeof text, -0.0004);
    assert_string_equal(text, "0.0 %");
    cull_show_share(text, sizeof text, -0.0006);
    assert_string_equal(text, "-0.1 %");
    cull_show_share(text, sizeof text, NAN);
    assert_string_equal(text, "");
    cull_show_signed(text, sizeof text, 10, 0);
    assert_string_equal(text, "+10");
}

static void what_a_terminal_would_obey(void **state)
{
    static const cull_table_column column = { "p\033[2J", false, false, false };
    static const char *const pairs[][2] = {
        { "a\\x1b[2Jb\\", "a\\x1b[2Jb\\" },
        { "a\033[2Jb", "a\\x1b[2Jb" },
        { "a\nb\tc\302\233", "a\\x0ab\\x09c\\x9b" },
    };
    fake_host *host = *state;

    for (size_t i = 0; i <= sizeof pairs / sizeof *pairs; i++) {
        const bool text = i < sizeof pairs / sizeof *pairs;
        char *got = NULL, want[64];
        size_t n = 0;
        cull_table t = cull_table_new(fake_ctx(host), 1, 1, &column);
        cull_table_row(&t);
        cull_table_set(&t, 0, text ? pairs[i][0] : "a\233b");
        FILE *out = open_memstream(&got, &n);
        assert_int_equal(cull_table_show(&t, out, 0), CULL_OK);
        fclose(out);
        (void)snprintf(want, sizeof want, "p\\x1b[2J\n%s", text ? pairs[i][1] : "");
        if (text)
            assert_memory_equal(got, want, strlen(want));
        assert_null(strpbrk(got, "\033\233\t"));
        free(got);
    }
}

// However long: no part of a character is left over at its end.
static void a_very_long_one(void **state)
{
    static const cull_table_column column = { "name", false, false, false };
    fake_host *host = *state;
    char name[2 * 320 + 1] = "", *got = NULL;
    size_t n = 0;

    for (size_t i = 0; i < 320; i++)
        memcpy(name + 2 * i, "é", 3);
    cull_table t = cull_table_new(fake_ctx(host), 1, 1, &column);
    cull_table_row(&t);
    cull_table_set(&t, 0, name);
    FILE *out = open_memstream(&got, &n);
    assert_int_equal(cull_table_show(&t, out, 0), CULL_OK);
    fclose(out);
    assert_non_null(strstr(got, name));
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(csv, make, clear),
        cmocka_unit_test_setup_teardown(csv_formulas, make, clear),
        cmocka_unit_test_setup_teardown(json, make, clear),
        cmocka_unit_test_setup_teardown(markdown, make, clear),
        cmocka_unit_test_setup_teardown(latex, make, clear),
        cmocka_unit_test_setup_teardown(latex_caption, make, clear),
        cmocka_unit_test_setup_teardown(latex_signs, make, clear),
        cmocka_unit_test_setup_teardown(a_terminal_with_room, make, clear),
        cmocka_unit_test_setup_teardown(a_narrow_one, make, clear),
        cmocka_unit_test(a_rounded_zero_has_no_sign),
        cmocka_unit_test_setup_teardown(what_a_terminal_would_obey, make, clear),
        cmocka_unit_test_setup_teardown(a_very_long_one, make, clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
