// The metrics `perplexity` and `divergence`: which ids are fed, what is made of the answers.
#include "support/test.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/byte_text.h"
#include "support/lm_golden.h"
#include "support/model.h"
#include "support/report.h"
#include "support/temp_files.h"

typedef struct fixture {
    fake_host *host;
    const cull_plugin *plugin;
    void *settings;
    cull_text text;
    temp_files files;
    cull_requests requests;
    seen_report *seen;
} fixture;

static void begin(fixture *f, const char *metric)
{
    char path[256];

    *f = (fixture){ .host = fake_host_new(1), .text = byte_text(8) };
    snprintf(path, sizeof path, CULL_BINARY_DIR "/plugins/metric-%s.so", metric);
    f->plugin = fake_plugin_at(f->host, path, metric);
    f->settings = fake_settings(f->host, f->plugin);
    temp_begin(&f->files);
}

static void end(fixture *f)
{
    temp_end(&f->files);
    fake_host_free(f->host);
}

static void set(fixture *f, const char *name, const char *text)
{
    fake_set(f->host, f->plugin, f->settings, name, text);
}

static cull_status prepare(fixture *f)
{
    const cull_metric *metric = f->plugin->vtable;

    f->requests = (cull_requests){ .size = sizeof f->requests };
    const cull_status status =
        metric->check ? metric->check(fake_ctx(f->host), f->settings) : CULL_OK;
    if (status != CULL_OK)
        return status;
    return metric->prepare(fake_ctx(f->host), f->settings, &f->text, &f->requests);
}

static void score(fixture *f, const cull_answer *answers)
{
    const cull_metric *metric = f->plugin->vtable;

    f->seen = seen_new(f->host);
    assert_ok(f->host, metric->score(fake_ctx(f->host), f->settings, &f->requests, answers,
                                     &f->seen->report));
}

static void assert_request(const fixture *f, size_t i, const char *want, size_t scored)
{
    char got[64] = { 0 };
    const cull_request *r = &f->requests.at[i];

    for (size_t k = 0; k < r->n; k++)
        got[k] = (char)(r->ids[k] ? r->ids[k] - 2 : '^');
    assert_string_equal(got, want);
    assert_int_equal(r->scored, scored);
}

static void assert_near(double value, double want)
{
    if (!(fabs(value - want) <= 1e-12 * fmax(1, fabs(want))))
        fail_msg("%.15g, not %.15g", value, want);
}

static void test_windows(void **state)
{
    (void)state;
    fixture f;
    begin(&f, "perplexity");
    set(&f, "files", temp_text(&f.files, "a.heldout.txt", "abcdefghijklmnop"));
    set(&f, "seqlen", "5");
    assert_ok(f.host, prepare(&f));
    assert_int_equal(f.requests.n, 4);
    assert_request(&f, 1, "^efgh", 4);
    set(&f, "bos", "once");
    assert_ok(f.host, prepare(&f));
    assert_int_equal(f.requests.n, 3);
    assert_request(&f, 0, "^abcd", 4);
    assert_request(&f, 1, "efghi", 4);
    set(&f, "bos", "none");
    assert_ok(f.host, prepare(&f));
    assert_request(&f, 0, "abcde", 4);

    const cull_answer answers[] = { { .size = sizeof(cull_answer), .ll = -4 },
                                    { .size = sizeof(cull_answer), .ll = -8 },
                                    { .size = sizeof(cull_answer), .ll = -3 } };
    score(&f, answers);
    const cull_value *v = seen_value(f.seen, "a.heldout", "perplexity", "none");
    assert_near(v->value, exp(1.25)); // 15 nats over 12 targets
    assert_near(v->stderr_, exp(1.25) * sqrt((0.0625 + 0.5625 + 0.25) / 2 / 3));
    assert_int_equal(v->n, 3);
    assert_int_equal(v->higher_is_better, 0);
    assert_false(seen_has_value(f.seen, "pooled", "perplexity", "none")); // a single file
    const cull_column *nll = seen_column(f.seen, "a.heldout", "nll", 'd');
    assert_near(((const double *)nll->data)[1], 8);
    assert_string_equal(nll->dims[0], "window");
    assert_string_equal(seen_attribute(f.seen, "a.heldout", "bos"), "none");
    set(&f, "rows_per_file", "4");
    assert_fails(f.host, prepare(&f), CULL_EINVAL, "3 windows of 5; 4 are wanted");
    set(&f, "seqlen", "10");
    assert_fails(f.host, prepare(&f), CULL_EINVAL,
                 "seqlen 10 is more than the model's 8 positions");
    end(&f);
}

// Rows of ids are windows as they are, and need no tokenizer.
static void test_ids(void **state)
{
    (void)state;
    fixture f;
    begin(&f, "perplexity");
    f.text.encode = NULL;
    set(&f, "files", temp_text(&f.files, "rows.jsonl", "[5, 6, 7]\n{\"ids\": [8, 9]}\n"));
    set(&f, "documents", "ids");
    assert_ok(f.host, prepare(&f));
    assert_int_equal(f.requests.n, 2);
    assert_request(&f, 0, "\3\4\5", 2);
    assert_request(&f, 1, "\6\7", 1);
    const cull_answer answers[] = { { .size = sizeof(cull_answer), .ll = -4 },
                                    { .size = sizeof(cull_answer), .ll = -1 } };
    score(&f, answers);
    assert_near(seen_value(f.seen, "rows", "perplexity", "none")->value, exp(1.5));
    assert_string_equal(seen_attribute(f.seen, "rows", "bos"), "as given");
    set(&f, "rows_per_file", "3");
    assert_fails(f.host, prepare(&f), CULL_EINVAL, "has 2 rows; 3 are wanted");
    set(&f, "rows_per_file", "0");
    set(&f, "files", temp_text(&f.files, "short.jsonl", "[5, 6]\n[7]\n"));
    assert_fails(f.host, prepare(&f), CULL_EINVAL, "row 1 has 1 ids");
    set(&f, "windows", "rolling");
    set(&f, "bos", "once");
    assert_fails(f.host, prepare(&f), CULL_EINVAL, "no documents: ids");
    end(&f);
}

// lm_eval/utils.py, get_rolling_token_windows: the example of its docstring.
static void test_rolling(void **state)
{
    (void)state;
    fixture f;
    begin(&f, "perplexity");
    set(&f, "files",
        temp_text(&f.files, "a.jsonl", "{\"text\":\"0123456789\"}\n{\"text\":\"x y\"}\n"));
    set(&f, "documents", "line");
    set(&f, "windows", "rolling");
    set(&f, "seqlen", "4");
    assert_fails(f.host, prepare(&f), CULL_EINVAL, "rolling windows take bos: once or none");
    set(&f, "bos", "none");
    assert_ok(f.host, prepare(&f));
    assert_int_equal(f.requests.n, 4);
    assert_request(&f, 0, "^0123", 4);
    assert_request(&f, 1, "34567", 4);
    assert_request(&f, 2, "56789", 2);
    assert_request(&f, 3, "^x y", 3);

    const cull_answer answers[] = { { .size = sizeof(cull_answer), .ll = -1 },
                                    { .size = sizeof(cull_answer), .ll = -2 },
                                    { .size = sizeof(cull_answer), .ll = -3 },
                                    { .size = sizeof(cull_answer), .ll = -4 } };
    score(&f, answers);
    assert_near(seen_value(f.seen, "a", "word_perplexity", "none")->value, exp(10.0 / 3));
    assert_near(seen_value(f.seen, "a", "byte_perplexity", "none")->value, exp(10.0 / 13));
    assert_near(seen_value(f.seen, "a", "bits_per_byte", "none")->value, 10.0 / 13 / log(2));
    assert_near(((const double *)seen_column(f.seen, "a", "loglik", 'd')->data)[0], -6);
    set(&f, "bos", "once");
    assert_ok(f.host, prepare(&f));
    assert_request(&f, 0, "^^012", 4); // prefix and tokenizer: lm-eval 0.4.13 sees BOS twice
    end(&f);
}

static void test_divergence(void **state)
{
    (void)state;
    fixture f;
    char glob[96];
    begin(&f, "divergence");
    temp_text(&f.files, "a.txt", "abcdefgh");
    temp_text(&f.files, "b.txt", "ijkl");
    set(&f, "files", strcat(strcpy(glob, f.files.folder), "/*.txt"));
    set(&f, "seqlen", "5");
    assert_ok(f.host, prepare(&f));
    assert_int_equal(f.requests.n, 3);
    assert_int_equal(f.requests.at[0].wants, CULL_WANT_KL | CULL_WANT_TOP1 | CULL_WANT_OVERLAP);
    const cull_answer answers[] = {
        { .size = sizeof(cull_answer), .kl = 4, .top1 = 4, .overlap = 3 },
        { .size = sizeof(cull_answer), .kl = 2, .top1 = 1, .overlap = 2 },
        { .size = sizeof(cull_answer), .kl = 0, .top1 = 4, .overlap = 4 }
    };
    score(&f, answers);
    assert_near(seen_value(f.seen, "a", "kl", "none")->value, 0.75);
    assert_near(seen_value(f.seen, "a", "top1_agreement", "none")->value, 0.625);
    assert_near(seen_value(f.seen, "pooled", "kl", "none")->value, 0.5);
    assert_near(seen_value(f.seen, "a", "overlap", "none")->value, 0.625);
    assert_near(seen_value(f.seen, "pooled", "overlap", "none")->value, 0.75);
    assert_true(seen_value(f.seen, "pooled", "overlap", "none")->higher_is_better);
    assert_near(seen_value(f.seen, "a", "kl", "none")->stderr_, 0.25);
    assert_true(isnan(seen_value(f.seen, "b", "kl", "none")->stderr_));
    end(&f);
}

// The engine's losses of every eighth window, all of them if CULL_TEST_ALL is set, are those of the
// golden answers, which are in the order of the requests.
static void check_engine(fixture *f, const test_model *m, const cull_answer *golden)
{
    cull_ctx *ctx = fake_ctx(f->host);
    const size_t every = getenv("CULL_TEST_ALL") ? 1 : 8, n = (f->requests.n + every - 1) / every;
    const cull_request **at = cull_take(ctx, n, sizeof *at);
    cull_answer *answers = cull_take(ctx, n, sizeof *answers);
    const cull_cut *dense[1] = { NULL };
    cull_cost_seen cost = { 0 };

    for (size_t i = 0; i < n; i++)
        at[i] = &f->requests.at[i * every];
    assert_ok(f->host, cull_evaluate_pass(ctx, &m->opened, &(cull_engine_options){ 0 }, 1, dense, n,
                                          at, answers, &cost));
    for (size_t i = 0; i < n; i++) {
        const double want = golden[i * every].ll / 255, got = answers[i].ll / 255;
        if (!(fabs(got - want) <= 1e-4 * fmax(1, fabs(want))))
            fail_msg("window %zu: %.8g nats, not %.8g", i * every, -got, -want);
    }
}

// The held-out texts of five domains, and after them a file of all that `join` makes one text of.
static void write_all(fixture *f)
{
    static const char *const stems[] = { "arithmetic", "compare", "problems", "recall",
                                         "translate" };
    cull_ctx *ctx = fake_ctx(f->host);
    FILE *joined = fopen(temp_path(&f->files, "union.jsonl"), "wb");

    assert_non_null(joined);
    for (size_t i = 0; i < 5; i++) {
        const char *bytes;
        char path[256], name[64];
        size_t n;
        snprintf(path, sizeof path, CULL_SOURCE_DIR "/models/tinyworld/text/%s.heldout.txt",
                 stems[i]);
        snprintf(name, sizeof name, "%s.heldout.txt", stems[i]);
        assert_ok(f->host, ctx->host->read_file(ctx, path, &bytes, &n));
        json_t *text = json_pack("{s:s#}", "text", bytes, n);
        temp_write(&f->files, name, bytes, n);
        json_dumpf(text, joined, JSON_COMPACT);
        fputc('\n', joined);
        json_decref(text);
    }
    fclose(joined);
}

typedef struct windows {
    char name[6][64]; // files, in the order of the golden lines
    double ppl[6];
    size_t n[6], total; // windows
    cull_answer *answer;
} windows;

static void read_windows(fixture *f, const char *model, windows *w)
{
    char path[256];

    snprintf(path, sizeof path,
             CULL_SOURCE_DIR "/tests/golden/evaluation/%s/windows/wanda256.jsonl", model);
    json_t *lines = lm_golden_lines(path);
    assert_int_equal(json_array_size(lines), 6);
    w->answer = cull_take(fake_ctx(f->host), f->requests.n, sizeof *w->answer);
    for (size_t i = 0; i < 6; i++) {
        const json_t *line = json_array_get(lines, i), *nll = json_object_get(line, "nll");
        const char *text = lm_string(line, "text");
        snprintf(w->name[i], sizeof w->name[i], strchr(text, '+') ? "union" : "%s.heldout", text);
        w->ppl[i] = lm_number(line, "ppl");
        w->n[i] = json_array_size(nll);
        assert_true(w->total + w->n[i] <= f->requests.n);
        for (size_t k = 0; k < w->n[i]; k++)
            w->answer[w->total++] =
                (cull_answer){ .size = sizeof(cull_answer),
                               .ll = -255 * json_number_value(json_array_get(nll, k)) };
    }
    assert_int_equal(w->total, f->requests.n);
    json_decref(lines);
}

// Wanda's windows of the held-out texts, and of all of them joined
// (tests/golden/evaluation/README.md).
static void test_golden(void **state)
{
    const char *model = *state;
    fixture f;
    test_model m;
    windows w = { .total = 0 };
    char path[256];

    begin(&f, "perplexity");
    snprintf(path, sizeof path, CULL_SOURCE_DIR "/models/tinyworld-%s", model);
    test_model_open(f.host, path, CULL_OPEN_TOKENIZER | CULL_OPEN_WEIGHTS, &m);
    f.text = m.text;

    write_all(&f);
    snprintf(path, sizeof path, "%s/*", f.files.folder);
    set(&f, "files", path);
    set(&f, "seqlen", "256");
    set(&f, "bos", "once");
    assert_ok(f.host, prepare(&f));
    read_windows(&f, model, &w);
    score(&f, w.answer);
    for (size_t i = 0; i < 6; i++) {
        const cull_value *v = seen_value(f.seen, w.name[i], "perplexity", "none");
        assert_int_equal(v->n, w.n[i]);
        assert_true(fabs(v->value - w.ppl[i]) <= 1e-9 * w.ppl[i]);
    }
    check_engine(&f, &m, w.answer);
    test_model_close(&m);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_rolling),
        cmocka_unit_test(test_divergence),
        { "test_golden mixtral", test_golden, NULL, NULL, (void *)(uintptr_t) "mixtral" },
        { "test_golden olmoe", test_golden, NULL, NULL, (void *)(uintptr_t) "olmoe" },
    };

    return cmocka_run_group_tests_name("metric perplexity", tests, NULL, NULL);
}
