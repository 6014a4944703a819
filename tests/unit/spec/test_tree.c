// YAML as a tree: places, scalars that stay text, what is refused, overrides.
#include "spec/tree.h"

#include <time.h>

#include "support/fake_host.h"
#include "support/test.h"

static fake_host *host;
static cull_problems problems;

static int setup(void **state)
{
    (void)state;
    host = fake_host_new(1);
    cull_problems_init(&problems, fake_ctx(host));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_host_free(host);
    return 0;
}

static cull_node *parse(const char *text)
{
    return cull_tree_parse(&problems, "x.yaml", text, strlen(text));
}

static const char *told(void)
{
    static cull_buf text;

    cull_buf_clear(&text);
    cull_problems_print(&problems, &text);
    return text.s ? text.s : "";
}

static void keeps_places_and_texts(void **state)
{
    (void)state;
    const cull_node *root = parse("a: no\nb:\n  - 1e3\n  - \"~\"\n  - ~\n");
    assert_non_null(root);
    assert_string_equal(cull_node_get(root, "a")->text, "no");
    const cull_node *b = cull_node_get(root, "b");
    assert_int_equal(b->n, 3);
    assert_int_equal(b->item[0]->place.line, 3);
    assert_int_equal(b->item[0]->place.column, 5);
    assert_string_equal(b->item[0]->text, "1e3");
    assert_false(cull_node_is_null(b->item[1]));
    assert_true(cull_node_is_null(b->item[2]));
    assert_null(cull_node_get(root, "c"));
}

static void shares_what_an_anchor_shares(void **state)
{
    (void)state;
    const cull_node *root = parse("a: &x { k: 1 }\nb: *x\n");
    assert_non_null(root);
    assert_ptr_equal(cull_node_get(root, "a"), cull_node_get(root, "b"));
}

static void bounds_depth_through_anchors(void **state)
{
    cull_buf text = CULL_BUF_INIT;

    (void)state;
    cull_buf_puts(&text, "a0: &a0 [[[[[[[[[[x]]]]]]]]]]\n");
    for (int i = 1; i < 5; i++)
        cull_buf_printf(&text, "a%d: &a%d [[[[[[[[[[*a%d]]]]]]]]]]\n", i, i, i - 1);
    assert_null(parse(text.s));
    assert_non_null(strstr(told(), "nested deeper than 32 levels"));
    cull_buf_release(&text);
}

static void tells_all_problems_in_the_order_of_the_file(void **state)
{
    (void)state;
    assert_null(parse("a: 1\nb: { c: 1, c: 2 }\na: 2\n<<: 3\n"));
    assert_string_equal(told(), "x.yaml:2:12: error: the key \"c\" is here twice, first in line 2\n"
                                "x.yaml:3:1: error: the key \"a\" is here twice, first in line 1\n"
                                "x.yaml:4:1: error: merge keys (<<) are not supported\n");
}

static const char *after(const char *text, const char *override, const char *key)
{
    cull_node *root = parse(text);

    assert_non_null(root);
    root = cull_tree_set(&problems, root, override);
    assert_non_null(root);
    const cull_node *value = cull_node_get(root, key);
    assert_non_null(value);
    return value->kind == CULL_SCALAR ? value->text : NULL;
}

static void overrides_replace_and_add(void **state)
{
    (void)state;
    assert_string_equal(after("a: 1\n", "a=2", "a"), "2");
    assert_string_equal(after("a: 1\n", "b=[1, 2]", "a"), "1");
    cull_node *root = cull_tree_set(&problems, parse("a: [ { b: 1 }, 5 ]\n"), "a.0.c.d=x");
    assert_non_null(root);
    const cull_node *first = cull_node_get(root, "a")->item[0];
    assert_string_equal(cull_node_get(first, "b")->text, "1");
    assert_string_equal(cull_node_get(cull_node_get(first, "c"), "d")->text, "x");
    assert_int_equal(cull_node_get(first, "c")->place.line, 0);
}

static void overrides_keep_a_word_that_gets_settings(void **state)
{
    (void)state;
    const cull_node *root = cull_tree_set(&problems, parse("s: lowest\n"), "s.lowest.action=zero");
    assert_non_null(root);
    const cull_node *use = cull_node_get(root, "s");
    assert_string_equal(cull_node_get(cull_node_get(use, "lowest"), "action")->text, "zero");
    assert_null(cull_tree_set(&problems, parse("s: lowest\n"), "s.other.action=zero"));
}

static void overrides_leave_other_places_of_an_anchor(void **state)
{
    (void)state;
    const cull_node *root = cull_tree_set(&problems, parse("a: &x { k: 1 }\nb: *x\n"), "b.k=2");
    assert_string_equal(cull_node_get(cull_node_get(root, "a"), "k")->text, "1");
    assert_string_equal(cull_node_get(cull_node_get(root, "b"), "k")->text, "2");
}

static void overrides_reach_keys_with_dots(void **state)
{
    (void)state;
    const cull_node *root =
        cull_tree_set(&problems, parse("m: { qwen2.5: { k: 1 } }\n"), "m.qwen2.5.k=3");
    const cull_node *model = cull_node_get(cull_node_get(root, "m"), "qwen2.5");
    assert_non_null(model);
    assert_string_equal(cull_node_get(model, "k")->text, "3");
}

static void survives_any_prefix(void **state)
{
    static const char text[] =
        "models: { a: &x { hf: { path: \"y\\u0000\" } } }\nb: [ *x, '\\', !t z ]\n";

    (void)state;
    for (size_t n = 0; n < sizeof text; n++)
        cull_tree_parse(&problems, "x.yaml", text, n);
    assert_true(problems.n > 0);
    assert_false(problems.lost);
}

// Neither depth nor width takes time with its square.
static void long_texts_are_quick(void **state)
{
    static const char *const parts[] = { "[", "{a: ", "- ", "? ", "[a, {b: " };

    (void)state;
    const clock_t begin = clock();
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        cull_buf text = CULL_BUF_INIT;
        for (size_t n = 0; n < 100000; n++)
            cull_buf_puts(&text, parts[i]);
        assert_null(parse(text.s));
        assert_non_null(strstr(told(), "nested deeper than 32 levels"));
        cull_buf_release(&text);
        cull_problems_init(&problems, fake_ctx(host));
    }
    cull_buf wide = CULL_BUF_INIT;
    for (size_t n = 0; n < 90000; n++)
        cull_buf_printf(&wide, "k%zu: 1\n", n);
    assert_non_null(parse(wide.s));
    cull_buf_release(&wide);
    assert_true((double)(clock() - begin) < 20.0 * CLOCKS_PER_SEC);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(keeps_places_and_texts),
        TEST(shares_what_an_anchor_shares),
        TEST(bounds_depth_through_anchors),
        TEST(tells_all_problems_in_the_order_of_the_file),
        TEST(overrides_replace_and_add),
        TEST(overrides_keep_a_word_that_gets_settings),
        TEST(overrides_leave_other_places_of_an_anchor),
        TEST(overrides_reach_keys_with_dots),
        TEST(survives_any_prefix),
        TEST(long_texts_are_quick),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
