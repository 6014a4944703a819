// When a pass is over, no page of the weights stays resident, not even of the head.
#include <stdio.h>
#include <string.h>

#include "support/model.h"
#include "support/test.h"

enum { TOKENS = 12 };

// KiB of the process's memory that are pages of files of this name.
static size_t resident(const char *name)
{
    FILE *maps = fopen("/proc/self/smaps", "r");
    char line[4096];
    size_t all = 0, kib;
    bool ours = false;

    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        if (strchr(line, '-') && strstr(line, " r"))
            ours = strstr(line, name) != NULL;
        else if (ours && sscanf(line, "Rss: %zu kB", &kib) == 1)
            all += kib;
    }
    fclose(maps);
    return all;
}

// n bytes of the head, 0: all.
static void read_head(fake_host *host, const test_model *m, size_t n)
{
    const cull_matrix_id head = { .layer = CULL_NONE, .expert = CULL_NONE, .part = CULL_PART_HEAD };
    const cull_backend *backend = m->opened.backend;
    cull_matrix matrix = { .size = sizeof matrix };
    size_t sum = 0;

    assert_ok(host, backend->matrix(fake_ctx(host), m->opened.model, head, &matrix));
    for (size_t i = 0; i < (n ? n : 2 * matrix.rows * matrix.cols); i++)
        sum += ((const volatile unsigned char *)matrix.data)[i];
    assert_true(n || sum > 0);
}

// What the system maps around a single byte.
static size_t around(fake_host *host, const test_model *m)
{
    cull_open_model_release_all(&m->opened);
    read_head(host, m, 1);
    const size_t kib = resident("model.safetensors");
    cull_open_model_release_all(&m->opened);
    return kib;
}

static void backends_let_all_go(void **state)
{
    fake_host *host = fake_host_new(1);
    test_model m;

    (void)state;
    test_model_open(host, CULL_SOURCE_DIR "/models/tinyworld-mixtral", CULL_OPEN_WEIGHTS, &m);
    assert_true(cull_open_model_releases_all(&m.opened));
    const size_t least = around(host, &m);
    read_head(host, &m, 0);
    assert_true(resident("model.safetensors") > least);
    cull_open_model_release_all(&m.opened);
    assert_true(resident("model.safetensors") <= least);
    test_model_close(&m);
    fake_host_free(host);
}

// One that was built before there was such a service.
static void older_backends_are_not_asked(void **state)
{
    const cull_backend older = { .size = offsetof(cull_backend, release_all) };
    const cull_open_model m = { .backend = &older };

    (void)state;
    assert_false(cull_open_model_releases_all(&m));
    cull_open_model_release_all(&m);
}

static void a_pass_leaves_nothing(void **state)
{
    fake_host *host = fake_host_new(1);
    const int32_t ids[TOKENS] = { 1, 5, 9, 12, 40, 41, 42, 7, 8, 100, 101, 102 };
    const cull_request request = {
        .size = sizeof request, .kind = CULL_SCORE, .ids = ids, .n = TOKENS, .scored = TOKENS - 1
    };
    const cull_request *asked[] = { &request };
    const cull_cut *dense[] = { NULL };
    cull_answer answer;
    test_model m;

    (void)state;
    test_model_open(host, CULL_SOURCE_DIR "/models/tinyworld-mixtral", CULL_OPEN_WEIGHTS, &m);
    const size_t least = around(host, &m);
    assert_ok(host, cull_evaluate_pass(fake_ctx(host), &m.opened, NULL, 1, dense, 1, asked, &answer,
                                       NULL));
    assert_true(answer.ll < 0);
    assert_true(resident("model.safetensors") <= least);
    test_model_close(&m);
    fake_host_free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backends_let_all_go),
        cmocka_unit_test(older_backends_are_not_asked),
        cmocka_unit_test(a_pass_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
