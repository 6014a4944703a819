// The metric `choices`: forms of request files, every bad line refused by its place, what is
// reported.
#include "support/test.h"

#include <math.h>
#include <stdio.h>

#include "common/python/sha256.h"
#include "support/byte_text.h"
#include "support/fixture.h"
#include "support/report.h"

PLUGIN_FIXTURE("metric", "choices")
static cull_requests requests;

static cull_status prepare(void *settings)
{
    const cull_metric *metric = plugin->vtable;
    const cull_text text = byte_text(32);

    requests = (cull_requests){ .size = sizeof requests };
    return metric->prepare(fake_ctx(host), settings, &text, &requests);
}

static cull_status prepare_file(const char *path)
{
    void *settings = fake_settings(host, plugin);

    fake_set(host, plugin, settings, "tasks", path);
    return prepare(settings);
}

static seen_report *score(const cull_answer *answers)
{
    const cull_metric *metric = plugin->vtable;
    seen_report *seen = seen_new(host);

    assert_ok(host, metric->score(fake_ctx(host), NULL, &requests, answers, &seen->report));
    return seen;
}

static void assert_request(size_t i, const char *want, size_t scored)
{
    char got[64] = { 0 };
    const cull_request *r = &requests.at[i];

    for (size_t k = 0; k < r->n; k++)
        got[k] = (char)(r->ids[k] ? r->ids[k] - 2 : '^');
    assert_string_equal(got, want);
    assert_int_equal(r->scored, scored);
}

static void test_requests(void **state)
{
    (void)state;
    void *settings = fake_settings(host, plugin);
    fake_set(host, plugin, settings, "tasks",
             temp_text(&files, "t.jsonl",
                       "{\"context\":\"Ab \\n\",\"choices\":[\"x\",\" yz\"],\"gold\":1}\n"
                       "\n"
                       "{\"context\":\"\",\"choices\":[\"q\"],\"gold\":0}\n"));
    fake_set(host, plugin, settings, "delimiter", "-");
    assert_ok(host, prepare(settings));
    assert_int_equal(requests.n, 3);
    assert_request(0, "^Ab \n-x", 4); // trailing white space moves to the continuation
    assert_request(1, "^Ab \n- yz", 6);
    assert_request(2, "^-q", 2);
    assert_int_equal(requests.at[0].wants, CULL_WANT_GREEDY);
    fake_set(host, plugin, settings, "length", "5");
    fake_set(host, plugin, settings, "limit", "1");
    assert_fails(host, prepare(settings), CULL_EFORMAT,
                 "t.jsonl:1: a continuation of 6 tokens does not fit the length of 5");
    fake_set(host, plugin, settings, "length", "6");
    assert_ok(host, prepare(settings));
    assert_int_equal(requests.n, 2);
    assert_request(0, "^Ab \n-x", 4);
    assert_request(1, "b \n- yz", 6);
    fake_set(host, plugin, settings, "bos", "none");
    assert_ok(host, prepare(settings));
    assert_request(0, "Ab \n-x", 4);
    fake_set(host, plugin, settings, "length", "33");
    assert_fails(host, prepare(settings), CULL_EINVAL,
                 "length 33 is more than the model's 32 positions");
}

// lm_eval/models/huggingface.py at the three versions: prefix of an empty context, spelled BOS.
static void test_protocols(void **state)
{
    (void)state;
    void *settings = fake_settings(host, plugin);
    fake_set(host, plugin, settings, "tasks",
             temp_text(&files, "p.jsonl",
                       "{\"context\":\"\",\"choices\":[\"ab\"],\"gold\":0}\n"
                       "{\"context\":\"<s>c\",\"choices\":[\"d\"],\"gold\":0}\n"));
    assert_ok(host, prepare(settings));
    assert_request(0, "^ab", 2);
    assert_request(1, "<s>cd", 1); // spells BOS: gets no second one
    fake_set(host, plugin, settings, "protocol", "lm-eval-0.4.7");
    assert_ok(host, prepare(settings));
    assert_request(0, "^ab", 2);
    assert_request(1, "<s>cd", 1);
    fake_set(host, plugin, settings, "bos", "add");
    assert_ok(host, prepare(settings));
    assert_request(0, "^^ab", 3); // the old harness encoded the continuation with BOS, too
    assert_request(1, "^<s>cd", 1);
    fake_set(host, plugin, settings, "bos", "protocol");
    fake_set(host, plugin, settings, "protocol", "lm-eval-0.4.0");
    assert_ok(host, prepare(settings));
    assert_int_equal(requests.at[0].ids[0], 1); // EOS
}

static void test_report(void **state)
{
    (void)state;
    void *settings = fake_settings(host, plugin);
    char glob[96];
    // The second choice is the longer one, the third empty: it never wins a normalised metric.
    temp_text(&files, "r1.jsonl",
              "{\"context\":\"c\",\"choices\":[\"a\",\"\xc3\xa9\xc3\xa9\xc3\xa9\"],\"gold\":1,"
              "\"cluster\":\"k\"}\n"
              "{\"context\":\"c\",\"choices\":[\"a\",\"b\",\" \"],\"gold\":[0,1]}\n");
    temp_text(&files, "r2.jsonl", "{\"context\":\"c\",\"choices\":[\"x\",\"y\"],\"gold\":0}\n");
    fake_set(host, plugin, settings, "tasks", strcat(strcpy(glob, files.folder), "/r?.jsonl"));
    assert_ok(host, prepare(settings));
    const cull_answer answers[] = { { .size = sizeof(cull_answer), .ll = -2, .greedy = true },
                                    { .size = sizeof(cull_answer), .ll = -4 },
                                    { .size = sizeof(cull_answer), .ll = -3 },
                                    { .size = sizeof(cull_answer), .ll = -3 },
                                    { .size = sizeof(cull_answer), .ll = -5 },
                                    { .size = sizeof(cull_answer), .ll = -2 },
                                    { .size = sizeof(cull_answer), .ll = -1 } };
    seen_report *seen = score(answers);
    assert_true(seen_value(seen, "r1", "acc", "none")->value == 0.5);
    assert_true(seen_value(seen, "r1", "acc", "none")->stderr_ == 0.5);
    assert_true(seen_value(seen, "r1", "acc_norm", "none")->value == 1);
    assert_true(seen_value(seen, "r1", "acc_bytes", "none")->value == 1); // 4/6 < 2/1 nats a byte
    assert_true(isnan(seen_value(seen, "r2", "acc", "none")->stderr_));
    assert_true(fabs(seen_value(seen, "pooled", "acc", "none")->value - 1.0 / 3) < 1e-15);
    assert_true(seen_value(seen, "macro", "acc", "none")->value == 0.25);

    const cull_column *ll = seen_column(seen, "r1", "loglik", 'd');
    assert_int_equal(ll->shape[0], 2);
    assert_int_equal(ll->shape[1], 3);
    assert_true(isnan(((const double *)ll->data)[2])); // a document of two choices
    assert_int_equal(((const uint8_t *)seen_column(seen, "r1", "greedy", 'b')->data)[2], 255);
    assert_int_equal(((const int64_t *)seen_column(seen, "r1", "pred", 'i')->data)[1],
                     0); // of equals
    assert_int_equal(((const int64_t *)seen_column(seen, "r1", "len_chars", 'i')->data)[1], 3);
    assert_int_equal(((const int64_t *)seen_column(seen, "r1", "len_bytes", 'i')->data)[1], 6);
    assert_string_equal(((const char *const *)seen_column(seen, "r1", "cluster", 's')->data)[0],
                        "k");
    assert_false(seen_has_column(seen, "r2", "cluster"));
    assert_string_equal(seen_attribute(seen, "r1", "protocol"), "lm-eval-0.4.13");
    assert_string_equal(seen_attribute(seen, "r1", "length"), "32");
    assert_int_equal(strlen(seen_attribute(seen, "r1", "requests_hash")), 64);
}

// One continuation a document (LAMBADA): acc is the greedy flag.
static void test_single(void **state)
{
    (void)state;
    assert_ok(host, prepare_file(temp_text(&files, "lambada.jsonl",
                                           "{\"requests\":[{\"ctx\":\"a\",\"cont\":\" b\"}]}\n"
                                           "{\"requests\":[{\"ctx\":\"c\",\"cont\":\" d\"}]}\n")));
    const cull_answer answers[] = { { .size = sizeof(cull_answer), .ll = -1, .greedy = true },
                                    { .size = sizeof(cull_answer), .ll = -3 } };
    seen_report *seen = score(answers);
    assert_true(seen_value(seen, "lambada", "acc", "none")->value == 0.5);
    assert_true(fabs(seen_value(seen, "lambada", "perplexity", "none")->value - exp(2)) < 1e-12);
    assert_false(seen_has_column(seen, "lambada", "gold"));
}

static void test_kinds(void **state)
{
    (void)state;
    void *settings = fake_settings(host, plugin);
    char glob[96];
    temp_text(&files, "k1.jsonl", "{\"context\":\"c\",\"choices\":[\"x\",\"y\"],\"gold\":0}\n");
    temp_text(&files, "k2.jsonl", "{\"context\":\"c\",\"until\":[\"\\n\"],\"target\":\"7\"}\n");
    fake_set(host, plugin, settings, "tasks", strcat(strcpy(glob, files.folder), "/k?.jsonl"));
    assert_ok(host, prepare(settings));
    assert_int_equal(requests.n, 2); // the generation task is left to another metric
    fake_set(host, plugin, settings, "tasks", strcat(strcpy(glob, files.folder), "/k2.jsonl"));
    assert_fails(host, prepare(settings), CULL_EINVAL,
                 "none of the 1 files holds a task of this kind");
}

static void test_metadata(void **state)
{
    (void)state;
    void *settings = fake_settings(host, plugin);
    temp_files folder;
    char glob[96];
    temp_begin(&folder);
    temp_text(&folder, "one.jsonl",
              "{\"task\":\"m_one\",\"context\":\"c\",\"choices\":[\"x\",\"y\"],\"gold\":0}\n");
    temp_text(&folder, "two.jsonl",
              "{\"task\":\"m_two\",\"context\":\"c\",\"choices\":[\"x\",\"y\"],\"gold\":0}\n");
    temp_text(&folder, "metadata.json",
              "{\"tasks\":{\"m_one\":{\"version\":\"2.0\",\"n_shot\":3,\"metrics\":[\"acc\"]},"
              "\"other\":{}},"
              "\"groups\":{\"m\":[\"m_one\",\"m_two\",\"m_three\"],\"none\":[\"m_three\"]}}");
    fake_set(host, plugin, settings, "tasks", strcat(strcpy(glob, folder.folder), "/*.jsonl"));
    assert_ok(host, prepare(settings));
    const cull_answer answers[] = { { .size = sizeof(cull_answer), .ll = -1 },
                                    { .size = sizeof(cull_answer), .ll = -2 },
                                    { .size = sizeof(cull_answer), .ll = -2 },
                                    { .size = sizeof(cull_answer), .ll = -1 } };
    seen_report *seen = score(answers);
    assert_string_equal(seen_attribute(seen, "m_one", "version"), "2.0");
    assert_string_equal(seen_attribute(seen, "m_one", "n_shot"), "3");
    assert_false(seen_has_value(seen, "m_one", "acc_norm", "none"));
    assert_true(seen_has_value(seen, "m_two", "acc_norm", "none"));
    assert_true(seen_value(seen, "m", "acc", "none")->value == 0.5);
    assert_int_equal(seen_value(seen, "m", "acc", "none")->n, 2);
    assert_false(seen_has_value(seen, "none", "acc", "none"));

    const char *before = requests.key; // metadata is part of what an evaluation is
    folder.n--;
    temp_text(&folder, "metadata.json", "{}");
    assert_ok(host, prepare(settings));
    assert_string_not_equal(before, requests.key);
    temp_end(&folder);
}

// A group averages the values that are named, of all tasks alike if it says so.
static void test_groups(void **state)
{
    (void)state;
    void *settings = fake_settings(host, plugin);
    temp_files folder;
    char glob[96];
    temp_begin(&folder);
    temp_text(&folder, "one.jsonl", "{\"context\":\"c\",\"choices\":[\"x\",\"y\"],\"gold\":0}\n");
    temp_text(&folder, "two.jsonl",
              "{\"context\":\"c\",\"choices\":[\"x\",\"y\"],\"gold\":0}\n"
              "{\"context\":\"d\",\"choices\":[\"x\",\"y\"],\"gold\":0}\n"
              "{\"context\":\"e\",\"choices\":[\"x\",\"y\"],\"gold\":0}\n");
    fake_set(host, plugin, settings, "tasks", strcat(strcpy(glob, folder.folder), "/*.jsonl"));
    temp_text(
        &folder, "metadata.json",
        "{\"groups\":{\"all\":[\"one\",\"two\"],"
        "\"alike\":{\"tasks\":[\"one\",\"two\"],\"values\":[\"acc,none\"],\"by_task\":true}}}");
    assert_ok(host, prepare(settings));
    const cull_answer answers[] = {
        { .size = sizeof(cull_answer), .ll = -1 }, { .size = sizeof(cull_answer), .ll = -2 },
        { .size = sizeof(cull_answer), .ll = -2 }, { .size = sizeof(cull_answer), .ll = -1 },
        { .size = sizeof(cull_answer), .ll = -2 }, { .size = sizeof(cull_answer), .ll = -1 },
        { .size = sizeof(cull_answer), .ll = -2 }, { .size = sizeof(cull_answer), .ll = -1 }
    };
    seen_report *seen = score(answers);
    assert_true(seen_value(seen, "all", "acc", "none")->value == 0.25);
    assert_true(seen_value(seen, "alike", "acc", "none")->value == 0.5);
    assert_true(seen_has_value(seen, "all", "acc_norm", "none"));
    assert_false(seen_has_value(seen, "alike", "acc_norm", "none"));

    static const char *const bad[][2] = {
        { "[]", "this is a list, not an object" },
        { "{\"groups\":5}", "\"groups\" is a number, not an object" },
        { "{\"tasks\":[]}", "\"tasks\" is a list, not an object" },
        { "{\"groups\":{\"g\":5}}", "group \"g\": this is a number, not an object" },
        { "{\"groups\":{\"g\":[1]}}", "group \"g\": entry 0 is a number, not a task's name" },
        { "{\"groups\":{\"g\":{\"tasks\":[\"one\"],\"by_task\":1}}}",
          "group \"g\": \"by_task\" is a number, not true or false" },
        { "{\"groups\":{\"one\":[\"one\"]}}", "group \"one\" is a task, too" },
        { "{\"groups\":{\"macro\":[\"one\"]}}", "\"macro\" cannot be the name of a task" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        folder.n--;
        temp_text(&folder, "metadata.json", bad[i][0]);
        assert_fails(host, prepare(settings), CULL_EFORMAT, bad[i][1]);
    }
    temp_end(&folder);
}

// Where nobody says what is right, the answers are for others to score.
static void test_unanswered(void **state)
{
    (void)state;
    assert_ok(host, prepare_file(temp_text(
                        &files, "open.jsonl",
                        "{\"context\":\"c\",\"choices\":[\"x\",\"y\"],\"gold\":null}\n")));
    const cull_answer answers[] = { { .size = sizeof(cull_answer), .ll = -1 },
                                    { .size = sizeof(cull_answer), .ll = -2 } };
    seen_report *seen = score(answers);
    assert_false(seen_has_value(seen, "open", "acc", "none"));
    assert_true(seen_value(seen, "open", "loglikelihood", "none")->value == -1.5);
    assert_false(seen_has_column(seen, "open", "gold") || seen_has_column(seen, "open", "acc"));
}

static void test_names(void **state)
{
    (void)state;
    static const char *const bad[] = { "a/b", "", ".", "..", "a\\nb", "pooled", "macro" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[128];
        snprintf(text, sizeof text,
                 "{\"task\":\"%s\",\"context\":\"c\",\"choices\":[\"x\",\"y\"],\"gold\":0}\n",
                 bad[i]);
        assert_fails(host, prepare_file(temp_text(&files, "name.jsonl", text)), CULL_EFORMAT,
                     "name.jsonl:1: \"");
    }
}

static void test_prompt_hash(void **state)
{
    (void)state;
    char hash[65], line[256];
    const char *form = "{\"requests\":[{\"ctx\":\"%s\",\"cont\":\" b\"},{\"ctx\":\"a\",\"cont\":\" "
                       "c\"}],\"gold\":0,"
                       "\"len_chars\":[1,1],\"prompt_hash\":\"%s\"}";
    sha256_of("a", 1, hash);
    snprintf(line, sizeof line, form, "a", hash);
    assert_ok(host, prepare_file(temp_text(&files, "h.jsonl", line)));
    snprintf(line, sizeof line, form, "A", hash);
    assert_fails(host, prepare_file(temp_text(&files, "h.jsonl", line)), CULL_EFORMAT,
                 "h.jsonl:1: \"prompt_hash\" is ca978112ca1bbdca");
}

static void test_bad_lines(void **state)
{
    (void)state;
#define GOOD "{\"context\":\"c\",\"choices\":[\"x\",\"y\"],\"gold\":0}\n"
    static const char *const bad[][2] = {
        { "{\"context\":\"c\",\"choices\":[\"x\"],\"gold\":1}",
          ":2: \"gold\" is 1, but there are 1 choices" },
        { "{\"context\":\"c\",\"choices\":[\"x\",\"y\"],\"gold\":-1}", ":2: \"gold\" is -1" },
        { "{\"context\":\"c\",\"choices\":[\"x\",\"y\"],\"gold\":\"x\"}",
          ":2: \"gold\" is a text, not the" },
        { "{\"context\":\"c\",\"choices\":[\"x\",\"y\"],\"gold\":[1,\"x\"]}",
          ":2: entry 1 of \"gold\" is a text, not the number of a choice" },
        { "{\"context\":\"c\",\"choices\":[\"x\",\"y\"],\"gold\":[0.5]}",
          ":2: entry 0 of \"gold\" is a number with a fraction" },
        { "{\"context\":\"c\",\"choices\":[\"x\",\"y\"],\"gold\":[]}", ":2: \"gold\" is empty" },
        { "{\"context\":\"c\",\"choices\":[\"x\"],\"gold\":[]}", ":2: \"gold\" is empty" },
        { "{\"context\":\"c\",\"choices\":[\"x\",\"y\"],\"gold\":[0,2]}",
          ":2: \"gold\" is 2, but" },
        { "{\"context\":\"c\",\"choices\":[\"x\",\"y\"]}",
          ":2: \"gold\" is nothing, not the number" },
        { "{\"context\":\"c\",\"choices\":[],\"gold\":0}", ":2: \"choices\" is empty" },
        { "{\"context\":\"c\",\"choices\":\"xy\",\"gold\":0}",
          ":2: \"choices\" is a text, not a list" },
        { "{\"context\":\"c\",\"choices\":[\"x\",3],\"gold\":0}",
          ":2: entry 1 of \"choices\" is a number" },
        { "{\"context\":3,\"choices\":[\"x\",\"y\"],\"gold\":0}",
          ":2: \"context\" is a number, not a text" },
        { "{\"choices\":[\"x\",\"y\"],\"gold\":0}", ":2: there is no \"context\"" },
        { "{\"context\":\"c\",\"choices\":[\"x\",\"\"],\"gold\":0}",
          ":2: a continuation leaves no token" },
        { "{\"context\":\"c\",\"until\":[\"x\"],\"target\":\"y\"}",
          ":2: texts to generate in a file of choices" },
        { "{\"q\":1}", ":2: there is none of \"choices\"" },
        { "[1]", ":2: the line is not a JSON object" },
        { "{\"context\":\"c\",\"context\":\"d\"}",
          ":2:24: this is not JSON: duplicate object key" },
        { "{\"context\":", ":2:" },
        { "{\"requests\":[{\"ctx\":\"a\"}],\"gold\":0}", ":2: there is no \"cont\"" },
        { "{\"requests\":[3],\"gold\":0}", ":2: this is a number, not an object" },
        { "{\"requests\":[{\"ctx\":\"a\",\"cont\":\" b\"}],\"gold\":0,\"len_chars\":[1,2]}",
          ":2: \"len_chars\" has 2 entries for 1 requests" },
        { "{\"requests\":[{\"ctx\":\"a\",\"cont\":\" b\"}],\"gold\":0,\"len_chars\":[-1]}",
          ":2: entry 0 of \"len_chars\" is not a length" },
        { "{\"task\":\"z\",\"context\":\"c\",\"choices\":[\"x\",\"y\"],\"gold\":0}",
          ":2: task \"z\" in a file of task \"bad\"" },
        { "{\"context\":\"caf\xe9\",\"choices\":[\"x\",\"y\"],\"gold\":0}", ":2:" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[512], part[160];
        snprintf(text, sizeof text, GOOD "%s\n", bad[i][0]);
        snprintf(part, sizeof part, "bad.jsonl%s", bad[i][1]);
        assert_fails(host, prepare_file(temp_text(&files, "bad.jsonl", text)), CULL_EFORMAT, part);
    }
}

static void test_twice(void **state)
{
    (void)state;
    void *settings = fake_settings(host, plugin);
    const char *both[] = {
        temp_text(&files, "a1.jsonl",
                  "{\"task\":\"t\",\"context\":\"c\",\"choices\":[\"x\"],\"gold\":0}\n"),
        temp_text(&files, "a2.jsonl",
                  "{\"task\":\"t\",\"context\":\"c\",\"choices\":[\"x\"],\"gold\":0}\n")
    };
    fake_set_list(host, plugin, settings, "tasks", 2, both);
    assert_fails(host, prepare(settings), CULL_EINVAL, "another file already holds task \"t\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),    cmocka_unit_test(test_protocols),
        cmocka_unit_test(test_report),      cmocka_unit_test(test_single),
        cmocka_unit_test(test_kinds),       cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_prompt_hash), cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_twice),       cmocka_unit_test(test_groups),
        cmocka_unit_test(test_unanswered),  cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests_name("metric choices", tests, setup, teardown);
}
