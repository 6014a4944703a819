// The metric `generation`: contexts, stops and filters. Real generations:
// tests/golden/test_evaluation.c.
#include "support/test.h"

#include <stdio.h>

#include "support/byte_text.h"
#include "support/fixture.h"
#include "support/report.h"

PLUGIN_FIXTURE("metric", "generation")
static cull_requests requests;

static cull_status prepare(void *settings)
{
    const cull_metric *metric = plugin->vtable;
    const cull_text text = byte_text(16);

    requests = (cull_requests){ .size = sizeof requests };
    return metric->prepare(fake_ctx(host), settings, &text, &requests);
}

static cull_answer answer(const char *text)
{
    return (cull_answer){ .size = sizeof(cull_answer), .text = text, .text_len = strlen(text) };
}

static void test_requests(void **state)
{
    (void)state;
    void *settings = fake_settings(host, plugin);
    fake_set(host, plugin, settings, "tasks",
             temp_text(&files, "g.jsonl",
                       "{\"context\":\"0123456789\",\"until\":[\"\\n\",\"Q:\"],\"target\":\"7\"}\n"
                       "{\"context\":\"ab\",\"until\":\"</s>\",\"target\":\"8\",\"max\":4}\n"));
    fake_set(host, plugin, settings, "max_new", "8");
    assert_ok(host, prepare(settings));
    assert_int_equal(requests.n, 2);
    const cull_request *r = requests.at;
    assert_int_equal(r[0].kind, CULL_GENERATE);
    assert_int_equal(r[0].n, 8); // length 16 less 8 new: BOS and "01" are lost
    assert_int_equal(r[0].ids[0], '2' + 2);
    assert_int_equal(r[0].max_new, 8);
    assert_int_equal(r[0].n_until, 3);
    assert_string_equal(r[0].until[1], "Q:");
    assert_string_equal(r[0].until[2], "</s>"); // EOS as text is one more stop
    assert_int_equal(r[1].n, 3);
    assert_int_equal(r[1].max_new, 4);
    assert_int_equal(r[1].n_until, 1);
    fake_set(host, plugin, settings, "max_new", "16");
    assert_fails(host, prepare(settings), CULL_EINVAL, "g.jsonl:1: 16 new tokens leave no room");
    fake_set(host, plugin, settings, "tasks",
             temp_text(&files, "m.jsonl",
                       "{\"context\":\"ab\",\"until\":\"x\",\"target\":\"8\",\"max\":16}\n"));
    assert_fails(host, prepare(settings), CULL_EFORMAT,
                 "m.jsonl:1: \"max\" is 16, which leaves no room for a context in a length of 16");
}

static void test_filters(void **state)
{
    (void)state;
    static const char *const filters[] = { "first=#### ([0-9,]+)", "last[-1]=[0-9,]+" };
    static const char *const ignore[] = { ",", "\\.$" };
    const cull_metric *metric = plugin->vtable;
    void *settings = fake_settings(host, plugin);
    fake_set(host, plugin, settings, "tasks",
             temp_text(&files, "f.jsonl",
                       "{\"context\":\"a\",\"until\":\"\\n\",\"target\":\"1,234.\",\"max\":4}\n"
                       "{\"context\":\"a\",\"until\":\"\\n\",\"target\":\"Yes\",\"max\":4}\n"));
    fake_set_list(host, plugin, settings, "filters", 2, filters);
    fake_set_list(host, plugin, settings, "ignore", 2, ignore);
    assert_ok(host, prepare(settings));
    const cull_answer answers[] = { answer("#### 1,234 or 5"), answer("yes") };
    seen_report *seen = seen_new(host);
    assert_ok(host, metric->score(fake_ctx(host), settings, &requests, answers, &seen->report));
    assert_true(seen_value(seen, "f", "exact_match", "first")->value == 0.5);
    assert_true(seen_value(seen, "f", "exact_match", "last")->value == 0);
    const char *const *extracted = seen_column(seen, "f", "extracted", 's')->data;
    assert_string_equal(extracted[0], "1,234");
    assert_string_equal(extracted[1], "5");
    assert_string_equal(extracted[2], "[invalid]");

    settings = fake_settings(host, plugin); // no filter: the text as it is
    fake_set(
        host, plugin, settings, "tasks",
        temp_text(
            &files, "n.jsonl",
            "{\"context\":\"a\",\"until\":\"\\n\",\"target\":\"\xc3\x89T\xc3\x89\",\"max\":4}\n"));
    fake_set(host, plugin, settings, "ignore_case", "true");
    assert_ok(host, prepare(settings));
    const cull_answer same[] = { answer("\xc3\xa9t\xc3\xa9") };
    seen = seen_new(host);
    assert_ok(host, metric->score(fake_ctx(host), settings, &requests, same, &seen->report));
    assert_true(seen_value(seen, "n", "exact_match", "none")->value == 1);
}

// Any of several targets is right; without one the answers are for others to score; no stop but
// EOS.
static void test_targets(void **state)
{
    (void)state;
    const cull_metric *metric = plugin->vtable;
    void *settings = fake_settings(host, plugin);
    fake_set(host, plugin, settings, "tasks",
             temp_text(&files, "t.jsonl",
                       "{\"context\":\"a\",\"until\":[],\"target\":\"['x', "
                       "'y']\",\"targets\":[\"x\",\"y\"],\"max\":4}\n"
                       "{\"context\":\"a\",\"until\":[],\"target\":\"['x', "
                       "'y']\",\"targets\":[\"x\",\"y\"],\"max\":4}\n"));
    assert_ok(host, prepare(settings));
    assert_int_equal(requests.at[0].n_until, 1);
    assert_string_equal(requests.at[0].until[0], "</s>");
    const cull_answer answers[] = { answer("y"), answer("['x', 'y']") };
    seen_report *seen = seen_new(host);
    assert_ok(host, metric->score(fake_ctx(host), settings, &requests, answers, &seen->report));
    assert_true(seen_value(seen, "t", "exact_match", "none")->value == 0.5);
    const char *const *target = seen_column(seen, "t", "target", 's')->data;
    assert_string_equal(target[0], "['x', 'y']");

    settings = fake_settings(host, plugin);
    fake_set(host, plugin, settings, "tasks",
             temp_text(&files, "o.jsonl",
                       "{\"context\":\"a\",\"until\":\"\\n\",\"target\":null,\"max\":4}\n"));
    assert_ok(host, prepare(settings));
    const cull_answer other[] = {
        { .size = sizeof(cull_answer), .text = "ab", .text_len = 2, .n = 3 }
    };
    seen = seen_new(host);
    assert_ok(host, metric->score(fake_ctx(host), settings, &requests, other, &seen->report));
    assert_true(seen_value(seen, "o", "answer_tokens", "none")->value == 3);
    assert_false(seen_has_value(seen, "o", "exact_match", "none"));
}

static void test_bad_filters(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        { "pattern", "filter \"pattern\" is not NAME=PATTERN" },
        { "=x", "is not NAME=PATTERN" },
        { "a[x]=y", "is not NAME[NUMBER]=PATTERN" },
        { "a[1=y", "is not NAME[NUMBER]=PATTERN" },
    };
    const char *path =
        temp_text(&files, "b.jsonl", "{\"context\":\"a\",\"until\":\"\\n\",\"target\":\"x\"}\n");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        void *settings = fake_settings(host, plugin);
        fake_set(host, plugin, settings, "tasks", path);
        fake_set(host, plugin, settings, "filters", bad[i][0]);
        assert_fails(host, prepare(settings), CULL_EINVAL, bad[i][1]);
    }
}

static void test_bad_stops(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        { "[\"\"]", ":1: a stop string is empty" },
        { "\"a\\u0000b\"", ":1: a stop string holds a NUL character" },
        { "[\"a\", \"\\u0000\"]", ":1: a stop string holds a NUL character" },
        { "[3]", ":1: entry 0 of \"until\" is a number, not a text" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        void *settings = fake_settings(host, plugin);
        char line[96];
        snprintf(line, sizeof line, "{\"context\":\"a\",\"until\":%s,\"target\":\"x\"}\n",
                 bad[i][0]);
        fake_set(host, plugin, settings, "tasks", temp_text(&files, "s.jsonl", line));
        assert_fails(host, prepare(settings), CULL_EFORMAT, bad[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),    cmocka_unit_test(test_filters),
        cmocka_unit_test(test_bad_filters), cmocka_unit_test(test_bad_stops),
        cmocka_unit_test(test_targets),
    };

    return cmocka_run_group_tests_name("metric generation", tests, setup, teardown);
}
