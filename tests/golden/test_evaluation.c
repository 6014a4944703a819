// Evaluation against lm-evaluation-harness: what it asks of a model, what the model answers, and
// what it makes of the answers (tests/golden/evaluation/README.md).
//
// Each job is done twice over: with the golden answers, where metrics and standard errors must
// agree to 1e-9, and with the engine's, where log-likelihoods must agree to 1e-4 · max(1, |LL|). Of
// the large tasks the engine answers every eighth document, all of them if CULL_TEST_ALL is set.
#include "support/test.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "support/lm_golden.h"
#include "support/model.h"
#include "support/report.h"
#include "support/test_data.h"

#define GOLDEN CULL_SOURCE_DIR "/tests/golden/evaluation"
#define MODELS CULL_SOURCE_DIR "/models"
#define DOCS   GOLDEN "/docs"

enum { MOST_SETTINGS = 6, MOST_TASKS = 12 };

typedef struct setting {
    const char *name, *text;
} setting;

typedef struct job {
    const char *model, *name; // folders: tinyworld-<model>, <model>/<name>
    const char *metric;
    setting setting[MOST_SETTINGS];
    const char *list;             // the setting that takes the names of tasks; NULL: by a glob
    const char *task[MOST_TASKS]; // our names, in the order of the requests
    const char *prefix;           // theirs: with this in front
    bool again;                   // the requests of an earlier job: the engine is not asked twice
} job;

// ---- golden files ----

static json_t *golden_rows(const job *j, const char *task)
{
    char path[512];

    if (strcmp(j->name, "gsm8k") == 0)
        return lm_golden_lines(test_data_gsm8k(task, path, sizeof path));
    snprintf(path, sizeof path, GOLDEN "/%s/%s/%s%s.jsonl", j->model, j->name,
             j->prefix ? j->prefix : "", task);
    return lm_golden_lines(path);
}

static json_t *golden_results(const job *j)
{
    char path[512];
    json_error_t why;

    snprintf(path, sizeof path, GOLDEN "/%s/%s/results.json", j->model, j->name);
    json_t *results = json_load_file(path, 0, &why);
    if (!results)
        fail_msg("%s: %s", path, why.text);
    return results;
}

typedef void (*visit)(void *arg, size_t request, const json_t *row, const json_t *q,
                      const char *where);

// Every golden request of a job in the order of ours; how many.
static size_t walk(const job *j, json_t *const *rows, visit fn, void *arg)
{
    size_t i = 0;

    for (size_t t = 0; t < MOST_TASKS && j->task[t]; t++)
        for (size_t d = 0; d < json_array_size(rows[t]); d++) {
            const json_t *row = json_array_get(rows[t], d);
            const json_t *list = json_object_get(row, "requests");
            if (!list)
                list = json_object_get(row, "windows");
            for (size_t c = 0; c < (list ? json_array_size(list) : 1); c++) {
                char where[160];
                snprintf(where, sizeof where, "%s %s %s document %zu request %zu", j->model,
                         j->name, j->task[t], d, c);
                fn(arg, i++, row, list ? json_array_get(list, c) : row, where);
            }
        }
    return i;
}

typedef struct check {
    fake_host *host;
    const cull_text *text;
    const cull_requests *requests;
    size_t every;  // the engine is asked each so manieth document
    size_t *asked; // (n_asked) requests
    size_t n_asked;
    cull_answer *golden, *engine;
} check;

static bool is_asked(const check *c, const json_t *row)
{
    return (size_t)lm_number(row, "doc_id") % c->every == 0;
}

static void visit_request(void *arg, size_t i, const json_t *row, const json_t *q,
                          const char *where)
{
    check *c = arg;

    if (i >= c->requests->n)
        fail_msg("%s: only %zu requests are made", where, c->requests->n);
    const cull_request *r = &c->requests->at[i];
    c->golden[i] = c->engine[i] = lm_golden_answer(q);
    if (is_asked(c, row))
        c->asked[c->n_asked++] = i;
    if (json_object_get(q, "fed") || (json_object_get(row, "requests")))
        lm_check_pair(r, q, where);
    else if (json_object_get(row, "windows"))
        assert_true((double)r->scored == lm_number(q, "n_tokens") &&
                    (double)r->n == lm_number(q, "n_tokens") + lm_number(q, "n_ctx"));
    else if (json_object_get(row, "gen_ids"))
        lm_check_context(c->host, c->text, r, row, where);
}

static void visit_answer(void *arg, size_t i, const json_t *row, const json_t *q, const char *where)
{
    const check *c = arg;

    if (!is_asked(c, row))
        return;
    if (json_object_get(row, "gen_ids"))
        lm_check_generated(&c->engine[i], row, where);
    else
        lm_check_ll(&c->engine[i], q, where);
}

// ---- metrics ----

static void check_value(const seen_report *seen, const job *j, const char *task, const char *theirs,
                        const char *key, const json_t *results, double tolerance)
{
    char metric[64], se[80];
    const char *comma = strchr(key, ',');

    snprintf(metric, sizeof metric, "%.*s", (int)(comma - key), key);
    const cull_value *v = seen_value(seen, task, metric, comma + 1);
    const double want = lm_number(results, key);
    if (!(fabs(v->value - want) <= tolerance * fmax(1, fabs(want))))
        fail_msg("%s %s: %s is %.12g, not %.12g", j->name, theirs, key, v->value, want);
    snprintf(se, sizeof se, "%s_stderr,%s", metric, comma + 1);
    const json_t *error = json_object_get(results, se);
    if (json_is_number(error) && !(fabs(v->stderr_ - json_number_value(error)) <= tolerance))
        fail_msg("%s %s: %s is %.12g, not %.12g", j->name, theirs, se, v->stderr_,
                 json_number_value(error));
    if (json_is_string(error))
        assert_true(isnan(v->stderr_));
}

// Every metric of lm-eval's table is among ours, with equal value and error.
static void check_results(const seen_report *seen, const job *j, double tolerance)
{
    json_t *all = golden_results(j), *value;

    for (size_t t = 0; t < MOST_TASKS && j->task[t]; t++) {
        char theirs[64];
        const char *key;
        snprintf(theirs, sizeof theirs, "%s%s", j->prefix ? j->prefix : "", j->task[t]);
        json_t *of = json_object_get(json_object_get(all, "results"), theirs);
        assert_non_null(of);
        json_object_foreach(of, key, value)
        {
            if (strchr(key, ',') && !strstr(key, "_stderr,"))
                check_value(seen, j, j->task[t], theirs, key, of, tolerance);
        }
    }
    json_t *two = json_object_get(json_object_get(all, "groups"), "mmlu_two");
    if (two && strcmp(j->list ? j->list : "", "mmlu_two") == 0)
        check_value(seen, j, "pooled", "mmlu_two", "acc,none", two, tolerance);
    json_decref(all);
}

static double entry(const cull_column *c, size_t i)
{
    return c->type == 'd' ? ((const double *)c->data)[i] : (double)((const int64_t *)c->data)[i];
}

static void check_document(const seen_report *seen, const char *task, size_t d, const json_t *row)
{
    const json_t *metrics = json_object_get(row, "metrics"), *value;
    const char *key;

    if (json_object_get(row, "requests")) {
        assert_true(entry(seen_column(seen, task, "gold", 'i'), d) == lm_number(row, "gold"));
        assert_true(entry(seen_column(seen, task, "pred", 'i'), d) == lm_number(row, "pred"));
        if (json_object_get(row, "pred_norm") && seen_has_column(seen, task, "pred_norm"))
            assert_true(entry(seen_column(seen, task, "pred_norm", 'i'), d) ==
                        lm_number(row, "pred_norm"));
        json_object_foreach((json_t *)(uintptr_t)metrics, key, value)
            assert_true(entry(seen_column(seen, task, key, 'd'), d) == json_number_value(value));
        return;
    }
    if (!json_object_get(row, "filtered")) {
        assert_true(entry(seen_column(seen, task, "words", 'i'), d) == lm_number(row, "words"));
        assert_true(entry(seen_column(seen, task, "bytes", 'i'), d) == lm_number(row, "bytes"));
        return;
    }
    const cull_column *exact = seen_column(seen, task, "exact_match", 'd');
    const cull_column *extracted = seen_column(seen, task, "extracted", 's');
    size_t f = 0;
    json_object_foreach(json_object_get(row, "filtered"), key, value)
    {
        const size_t at = d * exact->shape[1] + f++;
        assert_string_equal(((const char *const *)extracted->data)[at], json_string_value(value));
        assert_true(entry(exact, at) == lm_number(json_object_get(metrics, key), "exact_match"));
    }
}

// ---- a job ----

static void *job_settings(fake_host *host, const cull_plugin *plugin, const job *j)
{
    void *settings = fake_settings(host, plugin);

    for (size_t i = 0; i < MOST_SETTINGS && j->setting[i].name; i++)
        fake_set(host, plugin, settings, j->setting[i].name, j->setting[i].text);
    size_t n = 0;
    while (n < MOST_TASKS && j->task[n])
        n++;
    if (strcmp(j->metric, "tasks") == 0)
        fake_set_list(host, plugin, settings, "names", n, j->task);
    return settings;
}

static const cull_plugin *job_metric(fake_host *host, const char *name)
{
    char path[256];

    snprintf(path, sizeof path, CULL_BINARY_DIR "/plugins/metric-%s.so", name);
    return fake_plugin_at(host, path, name);
}

static void evaluate(const check *c, const test_model *model)
{
    cull_ctx *ctx = fake_ctx(c->host);
    const cull_request **at = cull_take(ctx, c->n_asked, sizeof *at);
    cull_answer *answers = cull_take(ctx, c->n_asked, sizeof *answers);
    const cull_cut *dense[1] = { NULL };
    cull_cost_seen cost = { 0 };

    for (size_t i = 0; i < c->n_asked; i++)
        at[i] = &c->requests->at[c->asked[i]];
    assert_ok(c->host, cull_evaluate_pass(ctx, &model->opened, &(cull_engine_options){ 0 }, 1,
                                          dense, c->n_asked, at, answers, &cost));
    for (size_t i = 0; i < c->n_asked; i++)
        c->engine[c->asked[i]] = answers[i];
}

static void run_job(const job *j)
{
    char path[256];
    fake_host *host = fake_host_new(0);
    test_model model;

    snprintf(path, sizeof path, MODELS "/tinyworld-%s", j->model);
    test_model_open(host, path, CULL_OPEN_TOKENIZER | CULL_OPEN_WEIGHTS, &model);

    const cull_plugin *plugin = job_metric(host, j->metric);
    const cull_metric *metric = plugin->vtable;
    void *settings = job_settings(host, plugin, j);
    cull_requests requests = { .size = sizeof requests };
    assert_ok(host, metric->prepare(fake_ctx(host), settings, &model.text, &requests));

    json_t *rows[MOST_TASKS];
    for (size_t t = 0; t < MOST_TASKS && j->task[t]; t++)
        rows[t] = golden_rows(j, j->task[t]);
    check c = { .host = host,
                .text = &model.text,
                .requests = &requests,
                .every = requests.n >= 400 && !getenv("CULL_TEST_ALL") ? 8 : 1,
                .asked = cull_take(fake_ctx(host), requests.n, sizeof *c.asked),
                .golden = cull_take(fake_ctx(host), requests.n, sizeof *c.golden),
                .engine = cull_take(fake_ctx(host), requests.n, sizeof *c.engine) };
    assert_int_equal(walk(j, rows, visit_request, &c), requests.n);

    seen_report *seen = seen_new(host);
    assert_ok(host, metric->score(fake_ctx(host), settings, &requests, c.golden, &seen->report));
    check_results(seen, j, 1e-9);
    for (size_t t = 0; t < MOST_TASKS && j->task[t]; t++)
        for (size_t d = 0; d < json_array_size(rows[t]); d++)
            check_document(seen, j->task[t], d, json_array_get(rows[t], d));

    if (!j->again) {
        evaluate(&c, &model);
        walk(j, rows, visit_answer, &c);
        seen = seen_new(host);
        assert_ok(host,
                  metric->score(fake_ctx(host), settings, &requests, c.engine, &seen->report));
        check_results(seen, j, 2e-3); // perplexities of 1e8: their logarithms agree to 1e-4
    }
    for (size_t t = 0; t < MOST_TASKS && j->task[t]; t++)
        json_decref(rows[t]);
    test_model_close(&model);
    fake_host_free(host);
}

// ---- the jobs ----

// clang-format off
#define TINYWORLD                                                                                  \
    "arithmetic", "code", "compare", "facts", "pronouns", "recall", "stories", "translate"
#define NINE                                                                                       \
    "arc_easy", "arc_challenge", "boolq", "copa", "hellaswag", "mmlu_astronomy",                   \
        "mmlu_philosophy", "piqa", "rte", "winogrande"
#define TW_TASKS  { "tasks", MODELS "/tinyworld/tasks/*.jsonl" }
#define TW_FILTER { "filters", "after-hashes=#### ([^\\n]*)" }, { "max_new", "64" }
#define DATA      { "data", DOCS "/*.jsonl" }
#define ROLLING   { "files", DOCS "/rolling.jsonl" }, { "documents", "line" }, { "windows", "rolling" }

static const job jobs[] = {
    { .model = "mixtral", .name = "tinyworld", .metric = "choices",
      .setting = { TW_TASKS }, .task = { TINYWORLD }, .prefix = "tw_" },
    { .model = "olmoe", .name = "tinyworld", .metric = "choices",
      .setting = { TW_TASKS }, .task = { TINYWORLD }, .prefix = "tw_" },
    { .model = "mixtral", .name = "tinyworld-gen", .metric = "generation",
      .setting = { TW_TASKS, TW_FILTER }, .task = { "problems" }, .prefix = "tw_" },
    { .model = "olmoe", .name = "tinyworld-gen", .metric = "generation",
      .setting = { TW_TASKS, TW_FILTER }, .task = { "problems" }, .prefix = "tw_" },
    { .model = "mixtral", .name = "0shot", .metric = "tasks",
      .setting = { DATA }, .task = { NINE, "openbookqa" } },
    { .model = "mixtral", .name = "0shot", .metric = "choices",
      .setting = { { "tasks", DOCS "/edge.jsonl" } }, .task = { "edge" } },
    { .model = "mixtral", .name = "0shot", .metric = "choices",
      .setting = { { "tasks", GOLDEN "/mixtral/0shot/*_*.jsonl" } },
      .task = { "arc_challenge", "arc_easy", "mmlu_astronomy", "mmlu_philosophy" },
      .again = true },
    { .model = "mixtral", .name = "3shot", .metric = "tasks",
      .setting = { DATA, { "shots", "3" } }, .task = { "arc_easy", "hellaswag", "winogrande" } },
    { .model = "mixtral", .name = "3shot", .metric = "tasks",
      .setting = { DATA, { "shots", "3" } },
      .list = "mmlu_two", .task = { "mmlu_astronomy", "mmlu_philosophy" } },
    { .model = "mixtral", .name = "0shot-nobos", .metric = "tasks",
      .setting = { DATA, { "bos", "none" } }, .task = { NINE } },
    { .model = "mixtral", .name = "0shot-nobos", .metric = "tasks",
      .setting = { DATA, { "protocol", "lm-eval-0.4.7" } }, .task = { NINE }, .again = true },
    { .model = "mixtral", .name = "0shot-L128", .metric = "tasks",
      .setting = { DATA, { "length", "128" } }, .task = { NINE, "openbookqa" } },
    { .model = "mixtral", .name = "gsm8k", .metric = "tasks",
      .setting = { DATA }, .task = { "gsm8k" } },
    { .model = "mixtral", .name = "wikitext", .metric = "tasks",
      .setting = { DATA }, .task = { "wikitext" } },
    { .model = "mixtral", .name = "rolling", .metric = "perplexity",
      .setting = { ROLLING, { "seqlen", "1024" }, { "bos", "once" } }, .task = { "rolling" } },
    { .model = "mixtral", .name = "rolling-L256", .metric = "perplexity",
      .setting = { ROLLING, { "seqlen", "256" }, { "bos", "once" } }, .task = { "rolling" } },
    { .model = "mixtral", .name = "rolling-nobos", .metric = "perplexity",
      .setting = { ROLLING, { "seqlen", "1024" }, { "bos", "none" } }, .task = { "rolling" } },
    { .model = "mixtral", .name = "rolling-L256-nobos", .metric = "perplexity",
      .setting = { ROLLING, { "seqlen", "256" }, { "bos", "none" } }, .task = { "rolling" } },
};
// clang-format on

static void test_job(void **state)
{
    const job *j = *state;
    char path[512];

    if (strcmp(j->name, "gsm8k") == 0)
        (void)test_data_gsm8k(j->task[0], path, sizeof path); // skips before anything is open
    run_job(j);
}

int main(void)
{
    enum { N = sizeof jobs / sizeof *jobs };
    struct CMUnitTest tests[N];
    char names[N][96];

    for (size_t i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "%s %s %s", jobs[i].model, jobs[i].name,
                 jobs[i].metric);
        tests[i] = (struct CMUnitTest){ .name = names[i],
                                        .test_func = test_job,
                                        .initial_state = (void *)(uintptr_t)&jobs[i] };
    }
    return cmocka_run_group_tests_name("evaluation", tests, NULL, NULL);
}
