// Precisions against each other: how far a model's logits move, and which matrices they concern.
#include <math.h>

#include "base/rng.h"
#include "cut/cut.h"
#include "engine/exactness.h"
#include "support/model.h"
#include "support/test.h"

enum { LENGTH = 96, FP8_MATRICES = 72 };

typedef struct traced {
    float *logits, *hidden;
} traced;

// Of one random sequence, under a precision and a cut.
static traced trace(fake_host *host, const test_model *m, cull_precision precision,
                    const cull_cut *cut)
{
    const cull_model_facts *f = m->opened.facts;
    const cull_engine_options options = { .precision = precision };
    int32_t ids[LENGTH];
    cull_rng rng;
    traced t = { .logits = cull_take(fake_ctx(host), LENGTH * f->V, sizeof(float)),
                 .hidden = cull_take(fake_ctx(host), (f->L + 1) * LENGTH * f->D, sizeof(float)) };

    cull_rng_init(&rng, 3, "test", "precision");
    for (size_t i = 0; i < LENGTH; i++)
        ids[i] = (int32_t)cull_rng_below(&rng, f->V);
    assert_true(t.logits && t.hidden);
    cull_trace how = {
        .n_seq = 1, .len = LENGTH, .ids = ids, .logits = t.logits, .hidden = t.hidden
    };
    assert_ok(host, cull_trace_pass(fake_ctx(host), &m->opened, &options, cut, &how));
    return t;
}

// ‖a − b‖ / ‖b‖ of what layer 0 makes of the embeddings, before routing can differ by much.
static double distance(const test_model *m, const traced *a, const traced *b)
{
    const size_t n = LENGTH * m->opened.facts->D;
    double difference = 0, size = 0;

    for (size_t i = n; i < 2 * n; i++) {
        difference += pow((double)a->hidden[i] - (double)b->hidden[i], 2);
        size += pow((double)b->hidden[i], 2);
    }
    return sqrt(difference / size);
}

static void check(const char *path)
{
    fake_host *host = fake_host_new(2);
    test_model m;

    test_model_open(host, path, CULL_OPEN_WEIGHTS, &m);
    const traced f32 = trace(host, &m, CULL_F32, NULL);
    const traced half = trace(host, &m, CULL_BF16, NULL);
    const traced two = trace(host, &m, CULL_BF16X2, NULL);
    const double by_half = distance(&m, &half, &f32), by_two = distance(&m, &two, &f32);
    print_message("%s: bf16 %.2g, bf16x2 %.2g\n", path, by_half, by_two);
    assert_true(by_two > 0 && by_two < 2e-5);
    assert_true(by_half > 1e-4 && by_half < 5e-2);
    test_model_close(&m);
    fake_host_free(host);
}

static void distances(void **state)
{
    (void)state;
    check(CULL_SOURCE_DIR "/models/tinyworld-mixtral");
    check(CULL_SOURCE_DIR "/models/tinyworld-olmoe");
}

// Scaled FP8 is not exact in bf16: all of this model but its router and head, by its file.
static void inexact_weights(void **state)
{
    fake_host *host = fake_host_new(1);
    test_model m;
    size_t n = 0;

    (void)state;
    test_model_open(host, CULL_SOURCE_DIR "/tests/golden/architectures/deepseek_v3-fp8",
                    CULL_OPEN_WEIGHTS, &m);
    assert_ok(host, cull_count_f32_matrices(fake_ctx(host), &m.opened, NULL, &n));
    assert_int_equal(n, FP8_MATRICES);
    test_model_close(&m);
    fake_host_free(host);
}

// A rewritten matrix counts, and so does none that is only masked.
static void rewritten_weights(void **state)
{
    fake_host *host = fake_host_new(1);
    test_model m;
    size_t E[8], n = 0;

    (void)state;
    test_model_open(host, CULL_SOURCE_DIR "/models/tinyworld-mixtral", CULL_OPEN_WEIGHTS, &m);
    const cull_model_facts *f = m.opened.facts;
    const cull_layer_facts *layer = cull_layer_of(&m.opened, 1);
    for (size_t l = 0; l < f->L; l++)
        E[l] = cull_layer_of(&m.opened, l)->E;
    cull_cut *cut = cull_cut_new(fake_ctx(host), f->L, f->D, E);
    assert_non_null(cut);
    assert_ok(host, cull_count_f32_matrices(fake_ctx(host), &m.opened, cut, &n));
    assert_int_equal(n, 0);
    assert_non_null(cull_cut_overlay(fake_ctx(host), cut, cull_at_expert(1, CULL_PART_DOWN, 2),
                                     CULL_MATRIX, f->D, layer->F));
    assert_non_null(cull_cut_overlay(fake_ctx(host), cut, cull_at_expert(1, CULL_PART_UP, 2),
                                     CULL_MASK, layer->F, f->D));
    assert_ok(host, cull_count_f32_matrices(fake_ctx(host), &m.opened, cut, &n));
    assert_int_equal(n, 1);
    test_model_close(&m);
    fake_host_free(host);
}

static void words(void **state)
{
    cull_precision p;

    (void)state;
    for (int i = CULL_F32; i <= CULL_BF16X2; i++) {
        assert_true(cull_precision_of(cull_precision_word((cull_precision)i), &p));
        assert_int_equal(p, i);
    }
    assert_true(cull_precision_of("auto", &p));
    assert_true(p == CULL_F32 || p == CULL_BF16X2);
    assert_false(cull_precision_of("f64", &p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(distances),
        cmocka_unit_test(inexact_weights),
        cmocka_unit_test(rewritten_weights),
    };

    return cmocka_run_group_tests_name("precision", tests, NULL, NULL);
}
