// Generated answers where the files beside the weights say something else about them: what
// lm-evaluation-harness got from transformers' generate() (tests/golden/generation/make.py).
#include "support/test.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/engine.h"
#include "support/lm_golden.h"
#include "support/model.h"
#include "support/temp_files.h"

#define GOLDEN CULL_SOURCE_DIR "/tests/golden/generation/cases.json"
#define MODEL  CULL_SOURCE_DIR "/models/tinyworld-mixtral/"

enum { MOST_ROWS = 8 };

static void write_json(temp_files *files, const char *name, const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY);

    assert_non_null(text);
    (void)temp_text(files, name, text);
    free(text);
}

static void write_folder(temp_files *files, const json_t *changed)
{
    static const char *const same[] = { "model.safetensors", "tokenizer.json" };
    const char *name;
    json_t *value;

    for (size_t i = 0; i < 2; i++) {
        char from[512];
        (void)snprintf(from, sizeof from, MODEL "%s", same[i]);
        assert_int_equal(symlink(from, temp_path(files, same[i])), 0);
    }
    json_object_foreach((json_t *)(uintptr_t)changed, name, value)
    {
        if (!json_is_null(value))
            write_json(files, name, value);
    }
}

// The rows as a task file.
static const char *write_tasks(temp_files *files, const json_t *rows)
{
    const char *path = temp_path(files, "rows.jsonl");
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        json_t *line = json_pack("{s:O,s:O,s:O,s:s}", "context", json_object_get(row, "context"),
                                 "until", json_object_get(row, "until"), "max",
                                 json_object_get(row, "max"), "target", "");
        assert_non_null(line);
        assert_int_equal(json_dumpf(line, f, 0), 0);
        fputc('\n', f);
        json_decref(line);
    }
    assert_int_equal(fclose(f), 0);
    return path;
}

// older: by a backend that knows of one EOS and nothing else, 201.
static void check_case(const json_t *c, bool older)
{
    const json_t *rows = json_object_get(c, "rows");
    const cull_request *at[MOST_ROWS];
    cull_answer answers[MOST_ROWS];
    fake_host *host = fake_host_new(0);
    temp_files files;
    test_model model;

    temp_begin(&files);
    write_folder(&files, json_object_get(c, "files"));
    test_model_open(host, files.folder, CULL_OPEN_TOKENIZER | CULL_OPEN_WEIGHTS, &model);
    const cull_plugin *plugin = fake_plugin(host, "metric", "generation");
    const cull_metric *metric = plugin->vtable;
    void *settings = fake_settings(host, plugin);
    cull_requests requests = { .size = sizeof requests };
    fake_set(host, plugin, settings, "tasks", write_tasks(&files, rows));
    assert_ok(host, metric->prepare(fake_ctx(host), settings, &model.text, &requests));
    assert_int_equal(requests.n, json_array_size(rows));
    assert_true(requests.n <= MOST_ROWS);
    for (size_t i = 0; i < requests.n; i++)
        at[i] = &requests.at[i];
    assert_null(model.opened.facts->no_answers);
    cull_model_facts less = *model.opened.facts;
    if (older) {
        less.stop = NULL;
        less.n_stop = less.max_new = 0;
        less.repetition_penalty = 0;
        less.eos = 201;
        model.opened.facts = &less;
    }
    const cull_cut *dense[1] = { NULL };
    cull_cost_seen cost = { 0 };
    assert_ok(host, cull_evaluate_pass(fake_ctx(host), &model.opened, &(cull_engine_options){ 0 },
                                       1, dense, requests.n, at, answers, &cost));
    for (size_t i = 0; i < requests.n; i++) {
        char where[160];
        (void)snprintf(where, sizeof where, "%s: row %zu", lm_string(c, "name"), i);
        lm_check_generated(&answers[i], json_array_get(rows, i), where);
    }
    test_model_close(&model);
    temp_end(&files);
    fake_host_free(host);
}

static json_t *load_cases(void)
{
    json_error_t why;
    json_t *cases = json_load_file(GOLDEN, 0, &why);

    if (!cases)
        fail_msg("%s: %s", GOLDEN, why.text);
    return cases;
}

static void test_cases(void **state)
{
    json_t *cases = load_cases();

    (void)state;
    assert_true(json_array_size(cases) > 10);
    for (size_t i = 0; i < json_array_size(cases); i++)
        check_case(json_array_get(cases, i), false);
    json_decref(cases);
}

static void test_older_backend(void **state)
{
    json_t *cases = load_cases();

    (void)state;
    for (size_t i = 0; i < json_array_size(cases); i++)
        if (strcmp(lm_string(json_array_get(cases, i), "name"), "list") == 0)
            check_case(json_array_get(cases, i), true);
    json_decref(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases),
                                        cmocka_unit_test(test_older_backend) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
