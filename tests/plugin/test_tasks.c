// The metric `tasks`: GSM8K's filters on canned responses, chain of thought with shots of our own,
// groups, and what is refused. Prompts and scores of all tasks: tests/golden/test_evaluation.c.
#include "support/test.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/byte_text.h"
#include "support/fixture.h"
#include "support/model.h"
#include "support/report.h"
#include "support/test_data.h"

#define EVALUATION CULL_SOURCE_DIR "/tests/golden/evaluation"

PLUGIN_FIXTURE("metric", "tasks")
static cull_requests requests;

static void *settings_of(const char *names, const char *data, const char *shots)
{
    void *settings = fake_settings(host, plugin);

    fake_set(host, plugin, settings, "names", names);
    fake_set(host, plugin, settings, "data", data);
    fake_set(host, plugin, settings, "shots", shots);
    return settings;
}

static cull_status prepare(const void *settings, const cull_text *text)
{
    const cull_metric *metric = plugin->vtable;

    requests = (cull_requests){ .size = sizeof requests };
    return metric->prepare(fake_ctx(host), settings, text, &requests);
}

static seen_report *score(const void *settings, const cull_answer *answers)
{
    const cull_metric *metric = plugin->vtable;
    seen_report *seen = seen_new(host);

    assert_ok(host, metric->score(fake_ctx(host), settings, &requests, answers, &seen->report));
    return seen;
}

static json_t *lines_of(const char *path)
{
    const char *bytes;
    size_t n;
    json_t *all = json_array();

    assert_ok(host, fake_ctx(host)->host->read_file(fake_ctx(host), path, &bytes, &n));
    for (const char *at = bytes; at < bytes + n;) {
        const char *end = strchr(at, '\n');
        json_t *line = json_loadb(at, (size_t)(end - at), 0, NULL);
        assert_non_null(line);
        json_array_append_new(all, line);
        at = end + 1;
    }
    return all;
}

static const char *string(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

// Responses nobody generated, through the filters: tests/golden/evaluation/docs/canned.jsonl.
static void canned(const char *task)
{
    char path[256];
    const cull_text text = byte_text(1024);
    const char *bytes;
    size_t n;

    assert_ok(host, fake_ctx(host)->host->read_file(fake_ctx(host), EVALUATION "/docs/canned.jsonl",
                                                    &bytes, &n));
    void *settings = settings_of(task, temp_write(&files, "gsm8k.jsonl", bytes, n), "0");
    assert_ok(host, prepare(settings, &text));
    snprintf(path, sizeof path, EVALUATION "/mixtral/gsm8k-canned/%s.jsonl", task);
    json_t *rows = lines_of(path);
    assert_int_equal(requests.n, json_array_size(rows));
    cull_answer *answers = cull_take(fake_ctx(host), requests.n, sizeof *answers);
    for (size_t i = 0; i < requests.n; i++) {
        const char *response = string(json_array_get(rows, i), "text");
        answers[i] = (cull_answer){ .size = sizeof(cull_answer),
                                    .text = response,
                                    .text_len = strlen(response) };
    }
    seen_report *seen = score(settings, answers);
    static const char *const filters[] = { "strict-match", "flexible-extract" };
    const cull_column *extracted = seen_column(seen, task, "extracted", 's');
    const cull_column *exact = seen_column(seen, task, "exact_match", 'd');
    json_error_t why;
    json_t *results = json_load_file(EVALUATION "/mixtral/gsm8k-canned/results.json", 0, &why);
    const json_t *table = json_object_get(json_object_get(results, "results"), task);
    for (size_t f = 0; f < 2; f++) {
        char key[64];
        for (size_t i = 0; i < requests.n; i++) {
            const json_t *row = json_array_get(rows, i);
            const json_t *metrics = json_object_get(json_object_get(row, "metrics"), filters[f]);
            assert_string_equal(((const char *const *)extracted->data)[2 * i + f],
                                string(json_object_get(row, "filtered"), filters[f]));
            assert_true(((const double *)exact->data)[2 * i + f] ==
                        json_number_value(json_object_get(metrics, "exact_match")));
        }
        const cull_value *v = seen_value(seen, task, "exact_match", filters[f]);
        snprintf(key, sizeof key, "exact_match,%s", filters[f]);
        assert_true(fabs(v->value - json_number_value(json_object_get(table, key))) < 1e-12);
        snprintf(key, sizeof key, "exact_match_stderr,%s", filters[f]);
        assert_true(fabs(v->stderr_ - json_number_value(json_object_get(table, key))) < 1e-12);
    }
    json_decref(results);
    json_decref(rows);
}

static void test_canned(void **state)
{
    (void)state;
    canned("gsm8k");
    canned("gsm8k_cot");
}

// tests/golden/evaluation/yaml/gsm8k_cot_own.yaml: lm-eval's task with eight invented shots.
static const char *const own_shots[][2] = {
    { "Hana has 14 shells. Hana buys 4 shells. How many shells does Hana have now?",
      "14 + 4 = 18. The answer is 18." },
    { "Nils has 17 coins. Nils gives away 7 coins. Nils loses 9 coins. How many coins does Nils "
      "have now?",
      "17 - 7 = 10. 10 - 9 = 1. The answer is 1." },
    { "Cleo has 3 apples. Cleo buys 8 apples. How many apples does Cleo have now?",
      "3 + 8 = 11. The answer is 11." },
    { "Ema has 19 rings. Ema gives away 9 rings. How many rings does Ema have now?",
      "19 - 9 = 10. The answer is 10." },
    { "Tova has 7 nuts. Tova buys 9 nuts. How many nuts does Tova have now?",
      "7 + 9 = 16. The answer is 16." },
    { "Ada has 6 coins. Ada finds 8 coins. Ada gives away 2 coins. How many coins does Ada have "
      "now?",
      "6 + 8 = 14. 14 - 2 = 12. The answer is 12." },
    { "Olga has 2 seeds. Olga finds 4 seeds. How many seeds does Olga have now?",
      "2 + 4 = 6. The answer is 6." },
    { "Finn has 9 cups. Finn loses 1 cups. How many cups does Finn have now?",
      "9 - 1 = 8. The answer is 8." },
};

static void test_chain_of_thought(void **state)
{
    char path[512];
    const char *own = test_data_gsm8k("gsm8k_cot_own", path, sizeof path);

    (void)state;
    char shots[4096] = "";
    for (size_t i = 0; i < 8; i++) {
        json_t *shot =
            json_pack("{s:s,s:s}", "question", own_shots[i][0], "target", own_shots[i][1]);
        char *line = json_dumps(shot, JSON_COMPACT);
        strcat(strcat(shots, line), "\n");
        free(line);
        json_decref(shot);
    }
    const char *data[] = { EVALUATION "/docs/gsm8k.jsonl",
                           temp_text(&files, "gsm8k_cot.train.jsonl", shots) };
    test_model m;
    test_model_open(host, CULL_SOURCE_DIR "/models/tinyworld-mixtral",
                    CULL_OPEN_TOKENIZER | CULL_OPEN_WEIGHTS, &m);
    void *settings = settings_of("gsm8k_cot", data[0], "-1");
    fake_set_list(host, plugin, settings, "data", 2, data);
    assert_ok(host, prepare(settings, &m.text));
    json_t *rows = lines_of(own);
    assert_int_equal(requests.n, json_array_size(rows));
    for (size_t i = 0; i < requests.n; i++) {
        const json_t *row = json_array_get(rows, i);
        const cull_request *r = &requests.at[i];
        int32_t *ids;
        size_t n;
        const char *ctx = string(row, "ctx");
        assert_ok(host,
                  m.text.encode(fake_ctx(host), &m.text, ctx, strlen(ctx), CULL_SPECIAL, &ids, &n));
        assert_int_equal(r->n, json_integer_value(json_object_get(row, "n_ctx_fed")));
        assert_memory_equal(r->ids, ids + n - r->n, r->n * sizeof *ids);
        assert_int_equal(r->max_new, 256);
        assert_string_equal(r->until[0], "Q:");
    }
    json_decref(rows);
    test_model_close(&m);
}

static void test_groups(void **state)
{
    (void)state;
    static const char *const documents =
        "{\"question\":\"q\",\"choices\":[\"a\",\"b\",\"c\",\"d\"],\"answer\":2}\n";
    const cull_text text = byte_text(4096);
    temp_files folder;
    char glob[96];
    temp_begin(&folder);
    static const char *const subjects[] = { "formal_logic",
                                            "high_school_european_history",
                                            "high_school_us_history",
                                            "high_school_world_history",
                                            "international_law",
                                            "jurisprudence",
                                            "logical_fallacies",
                                            "moral_disputes",
                                            "moral_scenarios",
                                            "philosophy",
                                            "prehistory",
                                            "professional_law",
                                            "world_religions" };
    for (size_t i = 0; i < 13; i++) {
        char name[64];
        snprintf(name, sizeof name, "mmlu_%s.jsonl", subjects[i]);
        temp_text(&folder, name, documents);
    }
    void *settings =
        settings_of("mmlu_humanities", strcat(strcpy(glob, folder.folder), "/*.jsonl"), "-1");
    assert_ok(host, prepare(settings, &text));
    assert_int_equal(requests.n, 13 * 4);
    cull_answer *answers = cull_take(fake_ctx(host), requests.n, sizeof *answers);
    for (size_t i = 0; i < requests.n; i++)
        answers[i] = (cull_answer){
            .size = sizeof(cull_answer), .ll = i % 4 == 2 || i == 0 ? -1 : -2
        }; // the first subject's answer is wrong
    const seen_report *seen = score(settings, answers);
    assert_true(fabs(seen_value(seen, "mmlu_humanities", "acc", "none")->value - 12.0 / 13) <
                1e-15);
    assert_int_equal(seen_value(seen, "mmlu_humanities", "acc", "none")->n, 13);
    assert_true(seen_value(seen, "mmlu_formal_logic", "acc", "none")->value == 0);
    fake_set(host, plugin, settings, "names", "mmlu");
    assert_fails(host, prepare(settings, &text), CULL_EINVAL,
                 "task mmlu_abstract_algebra needs a file mmlu_abstract_algebra.jsonl");
    temp_end(&folder);
}

static const struct {
    const char *task, *document, *complaint;
} bad_documents[] = {
    { "arc_easy",
      "{\"question\":\"q\",\"choices\":{\"text\":[\"a\",\"b\"],\"label\":[\"A\",\"B\"]},"
      "\"answerKey\":\"C\"}",
      "\"answerKey\" is \"C\", which is none of choices.label" },
    { "arc_easy", "{\"question\":\"q\",\"answerKey\":\"C\"}",
      "\"choices.text\" is nothing, not a list of texts" },
    { "boolq", "{\"passage\":\"p\",\"question\":\"q\",\"label\":2}",
      "\"label\" names none of the 2 choices" },
    { "boolq", "{\"passage\":\"p\",\"label\":1}", "\"question\" is nothing, not a text" },
    { "copa",
      "{\"premise\":\"p.\",\"choice1\":\"\",\"choice2\":\"b\",\"question\":\"cause\",\"label\":"
      "0}",
      "\"choice1\" is empty" },
    { "copa",
      "{\"premise\":\"p.\",\"choice1\":\"a\",\"choice2\":\"b\",\"question\":\"why\",\"label\":"
      "0}",
      "\"question\" is \"why\", not cause or effect" },
    { "winogrande",
      "{\"sentence\":\"no gap\",\"option1\":\"a\",\"option2\":\"b\",\"answer\":\"1\"}",
      "\"sentence\" has no _" },
    { "winogrande",
      "{\"sentence\":\"a _ gap\",\"option1\":\"a\",\"option2\":\"b\",\"answer\":\"3\"}",
      "\"answer\" names none of the 2 choices" },
    { "hellaswag", "{\"activity_label\":\"l\",\"ctx_a\":\"a\",\"ctx_b\":\"b\",\"endings\":\"x\"}",
      "there is no \"label\"" },
    { "gsm8k", "{\"question\":\"q\"}", "\"answer\" is nothing, not a text" },
    { "wikitext", "{\"text\":\"q\"}", "there is no \"page\"" },
    { "wikitext", "{\"page\":\"\"}", "the text of task \"wikitext\" has no bytes" },
    { "wikitext", "{\"page\":\"\"}\n{\"page\":\"\"}",
      "the texts of task \"wikitext\" have no bytes" },
    { "piqa", "[1]", "the line is not a JSON object" },
};

static void test_bad_documents(void **state)
{
    (void)state;
    const cull_text text = byte_text(1024);
    for (size_t i = 0; i < sizeof bad_documents / sizeof *bad_documents; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.jsonl", bad_documents[i].task);
        const char *path = temp_text(&files, name, bad_documents[i].document);
        char part[200];
        snprintf(part, sizeof part, "%s:1: %s", path, bad_documents[i].complaint);
        assert_fails(host, prepare(settings_of(bad_documents[i].task, path, "0"), &text),
                     CULL_EFORMAT, part);
    }
}

// An empty page among others adds nothing to what is divided by.
static void test_empty_page(void **state)
{
    (void)state;
    const cull_text text = byte_text(1024);
    const char *path = temp_text(&files, "wikitext.jsonl", "{\"page\":\"\"}\n{\"page\":\"ab\"}\n");
    assert_ok(host, prepare(settings_of("wikitext", path, "0"), &text));
}

static void test_missing(void **state)
{
    (void)state;
    const cull_text text = byte_text(1024);
    const char *path =
        temp_text(&files, "boolq.jsonl", "{\"passage\":\"p\",\"question\":\"q\",\"label\":1}\n");
    assert_fails(host, prepare(settings_of("boolq", path, "1"), &text), CULL_EINVAL,
                 "task boolq needs a file boolq.train.jsonl");
    assert_fails(host, prepare(settings_of("bolq", path, "0"), &text), CULL_EINVAL,
                 "there is no task \"bolq\"; there is boolq (");
    const char *both[] = { path,
                           temp_text(&files, "boolq.train.jsonl",
                                     "{\"passage\":\"p\",\"question\":\"q\",\"label\":1}\n") };
    void *settings = settings_of("boolq", path, "1");
    fake_set_list(host, plugin, settings, "data", 2, both);
    assert_fails(host, prepare(settings, &text), CULL_EINVAL,
                 "1 documents; 1 shots of boolq need 2");
}

// ---- tasks of one's own ----

static void *own(temp_files *in, const char *name, const char *definition, const char *document)
{
    char file[64];

    snprintf(file, sizeof file, "%s.jsonl", name);
    void *settings = fake_settings(host, plugin);
    fake_set(host, plugin, settings, "data", temp_text(in, file, document));
    snprintf(file, sizeof file, "%s.yaml", name);
    fake_set(host, plugin, settings, "definitions", temp_text(in, file, definition));
    return settings;
}

// The byte tokenizer's ids are BOS and 2 + byte.
static void assert_asked(size_t i, const char *context, const char *target)
{
    char expected[256];
    const cull_request *r = &requests.at[i];
    const int n = snprintf(expected, sizeof expected, "%s%s", context, target);

    assert_int_equal(r->n, 1 + n);
    assert_int_equal(r->scored, strlen(target));
    for (int k = 0; k < n; k++)
        assert_int_equal(r->ids[1 + k], 2 + (unsigned char)expected[k]);
}

static void test_own_choices(void **state)
{
    (void)state;
    static const char *const definition = "# mine\n"
                                          "prompt: \"{{ q }} of {{n}}, {{list.1|trim}}:\"\n"
                                          "choices: ['{{list.0}}', no]\n"
                                          "gold: right\n"
                                          "gold_is: number\n"
                                          "metrics: [acc, acc_bytes]\n";
    const cull_text text = byte_text(1024);
    void *settings = own(&files, "mine", definition,
                         "{\"q\":\"One {\",\"n\":7,\"list\":[\"a\",\" b \"],\"right\":\"2\"}\n");
    assert_ok(host, prepare(settings, &text));
    assert_int_equal(requests.n, 2);
    assert_asked(0, "One { of 7, b:", " a");
    assert_asked(1, "One { of 7, b:", " no");
    const cull_answer answers[] = { { .size = sizeof(cull_answer), .ll = -2 },
                                    { .size = sizeof(cull_answer), .ll = -1.5 } };
    const seen_report *seen = score(settings, answers);
    assert_true(seen_value(seen, "mine", "acc", "none")->value == 1);       // −1.5 > −2
    assert_true(seen_value(seen, "mine", "acc_bytes", "none")->value == 1); // −1.5 / 2 > −2 / 1
}

// A group and its categories, from a file of one's own as from MMLU's.
static void test_own_family(void **state)
{
    (void)state;
    static const char *const definition =
        "description: \"About {{subject}}.\\n\"\nprompt: \"{{q}}\"\nchoices: [A, B]\ngold: a\n"
        "metrics: [acc]\ncategories: [x]\nsubjects: { red_ink: x }\n";
    const cull_text text = byte_text(1024);
    void *settings = own(&files, "fam", definition, "{\"q\":\"Why?\",\"a\":0}\n");
    fake_set(host, plugin, settings, "data",
             temp_text(&files, "fam_red_ink.jsonl", "{\"q\":\"Why?\",\"a\":0}\n"));
    assert_ok(host, prepare(settings, &text));
    assert_asked(0, "About red ink.\nWhy?", " A");
    const cull_answer answers[] = { { .size = sizeof(cull_answer), .ll = -1 },
                                    { .size = sizeof(cull_answer), .ll = -2 } };
    const seen_report *seen = score(settings, answers);
    assert_true(seen_value(seen, "fam_red_ink", "acc", "none")->value == 1);
    assert_true(seen_value(seen, "fam", "acc", "none")->value == 1);
    assert_true(seen_value(seen, "fam_x", "acc", "none")->value == 1);
}

static void test_own_generation(void **state)
{
    (void)state;
    static const char *const definition =
        "kind: generate\nprompt: \"{{q}}\"\nanswer: \"{{a}}\"\nuntil: []\nmetrics: [exact_match]\n"
        "filters: [{ name: digits, pattern: '([0-9]+)', select: -1 }]\n";
    const cull_text text = byte_text(1024);
    void *settings = own(&files, "gen", definition, "{\"q\":\"3+4\",\"a\":\"7\"}\n");
    assert_ok(host, prepare(settings, &text));
    assert_int_equal(requests.at[0].kind, CULL_GENERATE);
    assert_int_equal(requests.at[0].n_until, 1); // EOS as text is one more
    const cull_answer answer = { .size = sizeof answer, .text = "3 and 4: 7.", .text_len = 11 };
    const seen_report *seen = score(settings, &answer);
    assert_true(seen_value(seen, "gen", "exact_match", "digits")->value == 1);
}

#define GOOD    "prompt: q\nchoices: [a, b]\ngold: g\n"
#define ROLLING "kind: rolling\ntext: \"{{t}}\"\n"
#define WRITTEN "kind: generate\nprompt: q\nanswer: a\nuntil: [x]\n"

static void test_bad_definitions(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        { "", ":1:1: this is not a map of keys" },
        { "[a]", ":1:1: this is not a map of keys" },
        { GOOD "gold: h\n", ":4:1: this key is there already" },
        { GOOD "x: &a [1]\ny: *a\n", ":4:4: an anchor is used again" },
        { GOOD "x: !!int 1\n", ":4:4: tags" },
        { GOOD "---\na: b\n", "5:1: a second document" },
        { "prompt: \"q\n", "bad.yaml:" },
        { GOOD "prmpt: q\n", ":4:1: \"prmpt\" is no key of a task" },
        { GOOD "until: [x]\n", ":4:1: \"until\" is of no use in a task of this kind" },
        { "prompt: q\nchoices: [a, b]\n", "there is no \"gold\"" },
        { "prompt: q\ngold: g\n", "either \"prompt\" and \"choices\", or" },
        { GOOD "draw: some\n", ":4:1: \"draw\" is \"some\", not one of any, others, first" },
        { GOOD "shots: -1\n", ":4:1: \"shots\" is negative" },
        { GOOD "shots: many\n", ":4:1: \"shots\" is a text, not a whole number" },
        { GOOD "version: 1.0\n", ":4:1: \"version\" is a number with a fraction, not a text" },
        { GOOD "metrics: [exact_match]\n", ":4:1: \"exact_match\" is no metric of such a task" },
        { GOOD "subjects: { a: b }\n", ":4:1: \"a\" is of \"b\", which is none of `categories`" },
        { GOOD "categories: [a]\n", ":4:1: \"categories\" are of no subjects" },
        { "prompt: \"{{q\"\nchoices: [a]\ngold: g\n", ":1:1: \"{{\" without \"}}\"" },
        { "prompt: \"{{q.strip()}}\"\nchoices: [a]\ngold: g\n", ":1:1: \"q.strip()\" is no field" },
        { "prompt: \"{% if q %}\"\nchoices: [a]\ngold: g\n", ":1:1: a template has fields" },
        { "kind: generate\nprompt: q\nanswer: a\nuntil: [x]\nfilters: [{name: f, pattern: '('}]\n",
          ":5:1: " },
        { GOOD "labels: l\n", ":4:1: \"labels\" are of no use without \"gold_is\": label" },
        { GOOD "hash: prepared\n", ":4:1: \"hash\" is of no use without \"prepare\"" },
        { ROLLING "description: d\n", ":3:1: \"description\" is of no use in a task of this kind" },
        { ROLLING "shots: 0\n", ":3:1: \"shots\" is of no use in a task of this kind" },
        { WRITTEN "generation: { max_gen_toks: 4 }\n", ":5:1: \"generation\" is only logged, and "
                                                       "answers are greedy up to `until`: "
                                                       "\"max_gen_toks\" would have no effect" },
        { WRITTEN "generation: { do_sample: true }\n", "\"do_sample\" would have no effect" },
        { WRITTEN "generation: { until: [y] }\n", "\"until\" would have no effect" },
    };
    const cull_text text = byte_text(1024);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        temp_files in;
        temp_begin(&in);
        assert_fails(host, prepare(own(&in, "bad", bad[i][0], "{}"), &text), CULL_EFORMAT,
                     bad[i][1]);
        temp_end(&in);
    }
}

static void test_two_of_a_name(void **state)
{
    (void)state;
    const cull_text text = byte_text(1024);
    void *settings = own(&files, "boolq", GOOD, "{\"g\":0}\n");
    fake_set(host, plugin, settings, "names", "boolq");
    assert_fails(host, prepare(settings, &text), CULL_EINVAL, "task \"boolq\" is named twice");
    assert_fails(host, prepare(settings_of("mmlu_alchemy", "/dev/null", "0"), &text), CULL_EINVAL,
                 "there is no task \"mmlu_alchemy\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canned),         cmocka_unit_test(test_chain_of_thought),
        cmocka_unit_test(test_groups),         cmocka_unit_test(test_bad_documents),
        cmocka_unit_test(test_empty_page),     cmocka_unit_test(test_missing),
        cmocka_unit_test(test_own_choices),    cmocka_unit_test(test_own_family),
        cmocka_unit_test(test_own_generation), cmocka_unit_test(test_bad_definitions),
        cmocka_unit_test(test_two_of_a_name),
    };

    return cmocka_run_group_tests_name("metric tasks", tests, setup, teardown);
}
