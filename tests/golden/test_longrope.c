// Answers that begin before, at and beyond the switch from short to long rope factors: what
// transformers' generate() makes of them (tests/golden/generation/make_longrope.py). Some families
// rotate the keys before the switch anew, others keep them: the prompts are those that tell.
#include "support/test.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/engine.h"
#include "support/opened.h"
#include "support/temp_files.h"

#define GOLDEN CULL_SOURCE_DIR "/tests/golden/generation/longrope.json"

enum { MOST = 8, LONGEST = 64 };

// The checkpoints have no tokenizer, and their answers are compared as ids.
static cull_status no_text(cull_ctx *ctx, const cull_model *model, const int32_t *ids, size_t n,
                           uint32_t flags, char **s, size_t *len)
{
    (void)model, (void)ids, (void)n, (void)flags;
    *s = ctx->host->alloc(ctx, 1, 1);
    *len = 0;
    return *s ? CULL_OK : CULL_ENOMEM;
}

static size_t read_ids(const json_t *row, const char *name, int32_t *ids)
{
    const json_t *list = json_object_get(row, name);
    const size_t n = json_array_size(list);

    assert_true(n > 0 && n <= LONGEST);
    for (size_t i = 0; i < n; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return n;
}

// The weights of a golden checkpoint under another config.json.
static void make_folder(temp_files *files, const json_t *model)
{
    char weights[256], *config = json_dumps(json_object_get(model, "config"), 0);

    temp_begin(files);
    (void)snprintf(weights, sizeof weights,
                   CULL_SOURCE_DIR "/tests/golden/architectures/%s/model.safetensors",
                   json_string_value(json_object_get(model, "weights")));
    assert_int_equal(symlink(weights, temp_path(files, "model.safetensors")), 0);
    assert_non_null(config);
    (void)temp_text(files, "config.json", config);
    free(config);
}

static void check_answers(fake_host *host, cull_open_model *model, const json_t *rows)
{
    static int32_t prompt[MOST][LONGEST], answer[MOST][LONGEST];
    cull_request request[MOST];
    const cull_request *at[MOST];
    cull_answer answers[MOST];
    const cull_cut *dense[1] = { NULL };
    cull_cost_seen cost = { 0 };
    const size_t n = json_array_size(rows);

    assert_true(n > 0 && n <= MOST);
    for (size_t i = 0; i < n; i++) {
        const json_t *row = json_array_get(rows, i);
        const size_t length = read_ids(row, "prompt", prompt[i]);
        request[i] = (cull_request){ .kind = CULL_GENERATE,
                                     .ids = prompt[i],
                                     .n = length,
                                     .max_new = read_ids(row, "answer", answer[i]) };
        at[i] = &request[i];
    }
    assert_ok(host, cull_evaluate_pass(fake_ctx(host), model, &(cull_engine_options){ 0 }, 1, dense,
                                       n, at, answers, &cost));
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(answers[i].n, request[i].max_new);
        assert_int_equal(answers[i].ended, CULL_ENDED_LENGTH);
        for (size_t j = 0; j < answers[i].n; j++)
            if (answers[i].ids[j] != answer[i][j])
                fail_msg("%s, row %zu, id %zu is %d, not %d", model->facts->arch, i, j,
                         (int)answers[i].ids[j], (int)answer[i][j]);
    }
}

static void test_answers(void **state)
{
    json_t *models = json_load_file(GOLDEN, 0, NULL);

    (void)state;
    assert_int_equal(json_array_size(models), 2);
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *golden = json_array_get(models, i);
        fake_host *host = fake_host_new(0);
        temp_files files;
        make_folder(&files, golden);
        cull_open_model model = opened_at(host, files.folder);
        cull_backend backend = *model.backend;
        cull_model_facts facts = *model.facts;
        backend.decode = no_text;
        model.backend = &backend;
        facts.eos = -1; // as it was asked there
        facts.stop = NULL;
        model.facts = &facts;
        check_answers(host, &model, json_object_get(golden, "rows"));
        opened_close(&model);
        fake_host_free(host);
        temp_end(&files);
    }
    json_decref(models);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_answers) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
