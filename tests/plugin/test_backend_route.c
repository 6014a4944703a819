// Routers of the backend hf under a rule, on logits made by hand: ties, skipped picks, too few
// experts, NaN.
#include "support/test.h"

#include <math.h>

#include "support/fake_host.h"

#define GOLDEN CULL_SOURCE_DIR "/tests/golden/architectures/"

enum { MOST = 16 };

typedef struct fixture {
    fake_host *host;
    const cull_backend *hf;
    cull_model *model;
    float scratch[8][MOST];
    size_t used;
    const float *logits; // what the router's matrix is made to yield
    int32_t index[MOST];
    float gate[MOST], p[MOST], out[MOST];
} fixture;

static cull_status give_logits(cull_pass *pass, cull_matrix_id where, size_t n, const float *x,
                               size_t ldx, float *y, size_t ldy)
{
    const fixture *f = pass->core;

    (void)x;
    (void)ldx;
    assert_int_equal(where.part, CULL_PART_ROUTER);
    assert_int_equal(n, 1);
    memcpy(y, f->logits, ldy * sizeof *y);
    return CULL_OK;
}

static float *give_scratch(cull_pass *pass, size_t n)
{
    fixture *f = pass->core;

    assert_true(n <= MOST && f->used < 8);
    return f->scratch[f->used++];
}

static void in_place(cull_pass *pass, size_t n, void (*fn)(void *arg, size_t first, size_t count),
                     void *arg)
{
    (void)pass;
    fn(arg, 0, n);
}

static void open_model(fixture *f, const char *folder)
{
    const cull_plugin *plugin = fake_plugin(f->host, "backend", "hf");
    void *settings = fake_settings(f->host, plugin);

    f->hf = plugin->vtable;
    fake_set(f->host, plugin, settings, "path", folder);
    assert_ok(f->host, f->hf->open(fake_ctx(f->host), settings, CULL_OPEN_WEIGHTS, &f->model));
}

static void route(fixture *f, size_t l, const float *logits, const cull_rule *rule)
{
    static const cull_engine engine = {
        .size = sizeof engine, .linear = give_logits, .scratch = give_scratch, .rows = in_place
    };
    cull_pass pass = { sizeof pass, &engine, fake_ctx(f->host), false, f };
    const cull_routed out = { sizeof(cull_routed), f->index, f->gate, f->out, f->p };
    const float x[64] = { 0 };

    f->logits = logits;
    f->used = 0;
    assert_ok(f->host, f->hf->route(&pass, f->model, l, 1, x, rule, &out));
}

static int set_up(void **state)
{
    fixture *f = test_calloc(1, sizeof *f);

    f->host = fake_host_new(1);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    f->hf->close(f->model);
    fake_host_free(f->host);
    test_free(f);
    return 0;
}

static void near(double is, double wanted)
{
    if (!(fabs(is - wanted) < 1e-6))
        fail_msg("%.9g, wanted %.9g", is, wanted);
}

// Mixtral: softmax over the chosen two; equal logits go to the lower index.
static void test_ties(void **state)
{
    fixture *f = *state;
    const float logits[8] = { 0, 1, 2, 2, 1, 2, 0, 0 };
    const uint8_t allowed[8] = { 1, 1, 0, 1, 1, 1, 1, 1 };

    open_model(f, GOLDEN "mixtral");
    route(f, 0, logits, NULL);
    assert_int_equal(f->index[0], 2);
    assert_int_equal(f->index[1], 3);
    near(f->gate[0], 0.5);
    near(f->gate[1], 0.5);
    double sum = 0;
    for (size_t e = 0; e < 8; e++)
        sum += exp(logits[e]);
    for (size_t e = 0; e < 8; e++)
        near(f->p[e], exp(logits[e]) / sum);
    route(f, 0, logits, &(cull_rule){ .size = sizeof(cull_rule), .allowed = allowed });
    assert_int_equal(f->index[0], 3);
    assert_int_equal(f->index[1], 5);
    near(f->p[2], exp(2) / sum); // still over all experts
}

static void test_few(void **state)
{
    fixture *f = *state;
    const float logits[8] = { 0, 1, 2, 3, 1, 2, 0, 0 };
    const uint8_t one[8] = { [4] = 1 }, none[8] = { 0 };

    open_model(f, GOLDEN "mixtral");
    route(f, 0, logits, &(cull_rule){ .size = sizeof(cull_rule), .allowed = one });
    assert_int_equal(f->index[0], 4);
    near(f->gate[0], 1);
    assert_int_equal(f->index[1], -1);
    near(f->gate[1], 0);
    route(f, 0, logits, &(cull_rule){ .size = sizeof(cull_rule), .allowed = none });
    assert_int_equal(f->index[0], -1);
    near(f->gate[0], 0);
    route(f, 0, logits, &(cull_rule){ .size = sizeof(cull_rule), .k = 1 });
    assert_int_equal(f->index[0], 3);
    near(f->gate[0], 1);
    assert_int_equal(f->index[1], -1);
}

// A pick whose gate is below the ratio goes; what is left is divided by its own sum where the
// family does that.
static void test_skip(void **state)
{
    fixture *f = *state;
    const float logits[8] = { 0, (float)log(3), 0, (float)log(10), 0, 0, 0, 0 };

    open_model(f, GOLDEN "mixtral");
    route(f, 0, logits, &(cull_rule){ .size = sizeof(cull_rule), .skip_ratio = 0.29 });
    near(f->gate[0], 10.0 / 13);
    near(f->gate[1], 3.0 / 13);
    route(f, 0, logits, &(cull_rule){ .size = sizeof(cull_rule), .skip_ratio = 0.31 });
    near(f->gate[0], 1);
    assert_int_equal(f->index[1], -1);
}

// Picks end with the one that brings the sum of probabilities, over all experts, to p.
static void test_top_p(void **state)
{
    fixture *f = *state;
    const float logits[8] = { 0, (float)log(3), 0, (float)log(10), 0, 0, 0, 0 };

    open_model(f, GOLDEN "mixtral");                    // gates are divided by their sum
    route(f, 0, logits, &(cull_rule){ .top_p = 0.52 }); // of 10 / 19
    near(f->gate[0], 1);
    assert_int_equal(f->index[1], -1);
    route(f, 0, logits, &(cull_rule){ .top_p = 0.53 });
    near(f->gate[0], 10.0 / 13);
    near(f->gate[1], 3.0 / 13);
    route(f, 0, logits, &(cull_rule){ .top_p = 1 }); // K at most
    near(f->gate[1], 3.0 / 13);
}

static void test_top_p_plain(void **state)
{
    fixture *f = *state;
    float flat[16] = { 0 };

    flat[3] = (float)log(10);
    flat[7] = (float)log(4);
    flat[1] = (float)log(2);
    open_model(f, GOLDEN "olmoe"); // K = 4, gates as they are
    route(f, 0, flat, &(cull_rule){ .top_p = 0.4 });
    near(f->gate[0], 10.0 / 29);
    near(f->gate[1], 4.0 / 29);
    assert_int_equal(f->index[2], -1);
}

static void test_skip_plain(void **state)
{
    fixture *f = *state;
    float logits[16] = { 0 };

    logits[3] = (float)log(10);
    logits[7] = (float)log(4);
    logits[1] = (float)log(2);
    open_model(f, GOLDEN "olmoe"); // K = 4, gates as they are
    route(f, 0, logits, &(cull_rule){ .size = sizeof(cull_rule), .skip_ratio = 0.3 });
    near(f->gate[0], 10.0 / 29);
    near(f->gate[1], 4.0 / 29);
    assert_int_equal(f->index[2], -1);
}

// DeepSeek-V3: 4 groups of 4, the best 2 by their best two.
static void test_groups(void **state)
{
    fixture *f = *state;
    float logits[16];
    const uint8_t allowed[16] = { 1, 1, 1, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 0 };

    for (size_t e = 0; e < 16; e++)
        logits[e] = -8;
    logits[0] = 6;               // one strong expert in group 0
    logits[4] = logits[5] = 1.5; // two good ones in group 1
    logits[8] = logits[9] = 2;   // and in group 2
    open_model(f, GOLDEN "deepseek_v3");
    route(f, 1, logits, NULL);
    for (size_t k = 0; k < 4; k++)
        assert_in_range(f->index[k], 4, 11);
    near(f->gate[0] + f->gate[1] + f->gate[2] + f->gate[3], 2.5);
    route(f, 1, logits,
          &(cull_rule){ .size = sizeof(cull_rule),
                        .allowed = allowed }); // without 8, group 2 is weaker than group 0
    for (size_t k = 0; k < 4; k++)
        assert_true(f->index[k] < 8 && allowed[f->index[k]]);
}

// A NaN is never chosen.
static void test_nan(void **state)
{
    fixture *f = *state;
    const float logits[8] = { NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN };

    open_model(f, GOLDEN "phimoe");
    route(f, 0, logits, NULL);
    assert_int_equal(f->index[0], -1);
    assert_int_equal(f->index[1], -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_ties),   TEST(test_few), TEST(test_skip),  TEST(test_skip_plain),
        TEST(test_groups), TEST(test_nan), TEST(test_top_p), TEST(test_top_p_plain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
