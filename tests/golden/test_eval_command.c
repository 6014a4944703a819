// cull eval: the whole way from a command line to lm-eval's results JSON, against lm-eval's own.
#include "support/test.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/temp_files.h"

#define GOLDEN CULL_SOURCE_DIR "/tests/golden/evaluation"
#define TASKS                                                                                      \
    "arc_easy,arc_challenge,boolq,copa,hellaswag,mmlu_astronomy,mmlu_philosophy,openbookqa,piqa,"  \
    "rte,"                                                                                         \
    "winogrande"

static temp_files files;
static char command[2048];

static int run(const char *options, const char *results, const char *json)
{
    snprintf(command, sizeof command,
             CULL_BINARY_DIR "/cull eval " CULL_SOURCE_DIR
                             "/models/tinyworld-mixtral %s -o %s/%s --lm-eval %s "
                             "--quiet > %s/out 2> %s/err",
             options, files.folder, results, json, files.folder, files.folder);
    return system(command);
}

static json_t *load(const char *path)
{
    json_error_t why;
    json_t *value = json_load_file(path, 0, &why);

    if (!value)
        fail_msg("%s: %s", path, why.text);
    return value;
}

static size_t lines_of(const char *path)
{
    FILE *in = fopen(path, "rb");
    size_t n = 0;

    if (!in)
        fail_msg("%s is not there", path);
    for (int c; (c = fgetc(in)) != EOF;)
        n += c == '\n';
    fclose(in);
    return n;
}

static void check_task(const char *name, json_t *ours, json_t *theirs)
{
    const char *key;
    json_t *want;

    json_object_foreach(theirs, key, want)
    {
        if (!strchr(key, ','))
            continue;
        const json_t *got = json_object_get(ours, key);
        if (json_is_string(want))
            assert_string_equal(json_string_value(got), json_string_value(want));
        else if (!json_is_number(got) ||
                 fabs(json_number_value(got) - json_number_value(want)) > 1e-9)
            fail_msg("%s %s is %g, not %g", name, key, json_number_value(got),
                     json_number_value(want));
    }
}

static void test_published_tasks(void **state)
{
    (void)state;
    const char *json = temp_path(&files, "results.json");
    assert_int_equal(run("--tasks " TASKS " --data " GOLDEN "/docs --shots 0", "results", json), 0);
    json_t *ours = load(json), *theirs = load(GOLDEN "/mixtral/0shot/results.json"), *task;
    const char *name;
    size_t n = 0;
    json_object_foreach(json_object_get(ours, "versions"), name, task)
    {
        json_t *of = json_object_get(json_object_get(theirs, "results"), name);
        if (!of)
            continue; // our own averages
        check_task(name, json_object_get(json_object_get(ours, "results"), name), of);
        n++;
    }
    assert_int_equal(n, 11);
    assert_null(
        json_object_get(json_object_get(ours, "groups"), "pooled")); // lm-eval has no such group
    assert_non_null(strstr(json_string_value(json_object_get(ours, "evaluator")), "cull"));
    json_decref(ours);
    json_decref(theirs);
}

// The table on stdout is lm-eval's, also when all of it is there already.
static void test_table(void **state)
{
    (void)state;
    char line[256];
    const char *json = temp_path(&files, "code.json");
    const char *options =
        "--tasks " CULL_SOURCE_DIR "/models/tinyworld/tasks/code.jsonl --limit 20";
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(run(options, "code", json), 0);
        FILE *out = fopen(temp_path(&files, "out"), "rb");
        assert_non_null(out);
        assert_non_null(fgets(line, sizeof line, out));
        assert_string_equal(line,
                            "|Tasks|Version|Filter|n-shot|Metric   |   |Value |   |Stderr|\n");
        fclose(out);
    }
}

// Two evaluations of a task in one folder: each run tells of its own, and a trial that has both is
// replayed only where one is chosen.
static void test_one_folder(void **state)
{
    (void)state;
#define CODE "--tasks " CULL_SOURCE_DIR "/models/tinyworld/tasks/code.jsonl --limit "
    static const struct {
        const char *options;
        size_t n;
    } runs[] = { { CODE "20 --log-samples", 20 },
                 { CODE "7 --log-samples", 7 },
                 { CODE "20 --log-samples --bos none", 20 },
                 { CODE "20 --log-samples", 20 } };
    const char *json = temp_path(&files, "results_one.json");
    double acc[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(run(runs[i].options, "one", json), 0);
        json_t *root = load(json);
        json_t *of = json_object_get(json_object_get(root, "results"), "code");
        assert_int_equal(json_integer_value(json_object_get(of, "sample_len")), runs[i].n);
        acc[i] = json_number_value(json_object_get(of, "acc,none"));
        json_decref(root);
        assert_int_equal(lines_of(temp_path(&files, "samples_code_one.jsonl")), runs[i].n);
        assert_int_equal(lines_of(temp_path(&files, "out")), 5); // the table
    }
    assert_true(acc[0] == acc[3] && fabs(acc[1] * 7 - round(acc[1] * 7)) < 1e-9);

    snprintf(command, sizeof command,
             "cd %s/one/trials; trial=$(ls | grep -v eval-); " CULL_BINARY_DIR
             "/cull replay $trial --lm-eval ../x.json 2> ../err && exit 1; "
             "grep -q 'evaluated in two ways' ../err && for added in *.eval-*; do " CULL_BINARY_DIR
             "/cull replay $added --lm-eval ../x.json || exit 1; done",
             files.folder);
    assert_int_equal(system(command), 0);
}

static void test_refused(void **state)
{
    (void)state;
    const char *json = temp_path(&files, "none.json");
    char text[512] = "";
    assert_int_not_equal(run("--tasks no_such_task", "none", json), 0);
    FILE *err = fopen(temp_path(&files, "err"), "rb");
    assert_non_null(err);
    assert_true(fread(text, 1, sizeof text - 1, err) > 0);
    fclose(err);
    if (!strstr(text, "there is no task \"no_such_task\""))
        fail_msg("another complaint: %s", text);
}

static int setup(void **state)
{
    (void)state;
    temp_begin(&files);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", files.folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_tasks),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_one_folder),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests_name("cull eval", tests, setup, teardown);
}
