// Answers that begin before, at and beyond the switch from short to long rope factors: what
// transformers' generate() makes of them (tests/golden/generation/make_longrope.py).
#include "support/test.h"

#include <jansson.h>
#include <string.h>

#include "engine/engine.h"
#include "support/opened.h"

#define GOLDEN CULL_SOURCE_DIR "/tests/golden/generation/longrope.json"
#define MODEL  "tests/golden/architectures/phimoe-longrope"

enum { MOST = 8, LONGEST = 64 };

// The checkpoint has no tokenizer, and its answers are compared as ids.
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

static void test_answers(void **state)
{
    static int32_t prompt[MOST][LONGEST], answer[MOST][LONGEST];
    fake_host *host = fake_host_new(0);
    cull_open_model model = opened_new(host, MODEL);
    cull_backend backend = *model.backend;
    cull_model_facts facts = *model.facts;
    json_t *rows = json_load_file(GOLDEN, 0, NULL);
    cull_request request[MOST];
    const cull_request *at[MOST];
    cull_answer answers[MOST];
    const cull_cut *dense[1] = { NULL };
    cull_cost_seen cost = { 0 };

    (void)state;
    assert_true(rows && json_array_size(rows) <= MOST);
    backend.decode = no_text;
    model.backend = &backend;
    facts.eos = -1; // as it was asked there
    facts.stop = NULL;
    model.facts = &facts;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const size_t n = read_ids(row, "prompt", prompt[i]);
        request[i] = (cull_request){ .kind = CULL_GENERATE,
                                     .ids = prompt[i],
                                     .n = n,
                                     .max_new = read_ids(row, "answer", answer[i]) };
        at[i] = &request[i];
    }
    assert_ok(host, cull_evaluate_pass(fake_ctx(host), &model, &(cull_engine_options){ 0 }, 1,
                                       dense, json_array_size(rows), at, answers, &cost));
    for (size_t i = 0; i < json_array_size(rows); i++) {
        assert_int_equal(answers[i].n, request[i].max_new);
        assert_int_equal(answers[i].ended, CULL_ENDED_LENGTH);
        for (size_t j = 0; j < answers[i].n; j++)
            if (answers[i].ids[j] != answer[i][j])
                fail_msg("row %zu, id %zu is %d, not %d", i, j, (int)answers[i].ids[j],
                         (int)answer[i][j]);
    }
    json_decref(rows);
    opened_close(&model);
    fake_host_free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_answers) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
