// Statistics of the channels of shared and dense parts: what the engine gathers beside what the
// naive twin's products show, in plain loops.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "engine/stats_store.h"
#include "support/assert_close.h"
#include "support/model.h"
#include "support/naive_engine.h"
#include "support/test.h"

enum { SEQUENCES = 3, LENGTH = 24, ROWS = SEQUENCES * LENGTH, LAYERS = 16 };

typedef struct seen {      // of all sequences
    size_t F[LAYERS], row; // row: where the sequence in hand begins
    double *u[LAYERS];     // (ROWS, F)
    double g[LAYERS][ROWS];
    bool gated[LAYERS];
} seen;

static void see(void *arg, cull_matrix_id where, size_t n, size_t cols, const float *x, size_t ldx,
                const float *y, size_t ldy)
{
    seen *s = arg;
    const size_t l = where.layer;

    if (where.part == CULL_PART_SHARED_ROUTER)
        for (size_t i = 0; i < n; i++) {
            s->g[l][s->row + i] = 1 / (1 + exp(-(double)y[i * ldy]));
            s->gated[l] = true;
        }
    if (where.part != CULL_PART_SHARED_DOWN && where.part != CULL_PART_DENSE_DOWN)
        return;
    s->F[l] = cols;
    if (!s->u[l])
        s->u[l] = calloc(ROWS * cols, sizeof *s->u[l]);
    assert_non_null(s->u[l]);
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < cols; c++)
            s->u[l][(s->row + i) * cols + c] = (double)x[i * ldx + c];
}

// Mean, unbiased variance, sum and maximum of (g u)^2 of every channel of layer l.
static void check_layer(const seen *s, size_t l, const cull_layer_stats *found)
{
    const size_t F = s->F[l];
    double *want = calloc(4 * F, sizeof *want), most[4] = { 0 };
    const double *is[] = { found->side_mean, found->side_var, found->side_gu_sq,
                           found->side_gu_peak };

    assert_non_null(want);
    assert_int_equal(found->side_F, F);
    for (size_t c = 0; c < F; c++) {
        for (size_t i = 0; i < ROWS; i++) {
            const double u = s->u[l][i * F + c], gu = (s->gated[l] ? s->g[l][i] : 1) * u;
            want[c] += u / ROWS;
            want[2 * F + c] += gu * gu;
            want[3 * F + c] = fmax(want[3 * F + c], gu * gu);
        }
        for (size_t i = 0; i < ROWS; i++)
            want[F + c] += pow(s->u[l][i * F + c] - want[c], 2) / (ROWS - 1);
    }
    for (size_t q = 0; q < 4; q++) {
        for (size_t c = 0; c < F; c++)
            most[q] = fmax(most[q], fabs(want[q * F + c]));
        assert_true(most[q] > 0);
        assert_close(is[q], (const double *)want + q * F, F, 0.0, 1e-5 * most[q]);
    }
    free(want);
}

static void check_model(const char *name, size_t shared, size_t dense)
{
    fake_host *host = fake_host_new(2);
    const uint32_t groups =
        CULL_STAT_CHANNEL_MOMENTS | CULL_STAT_GATED_SQUARES | CULL_STAT_GATED_PEAKS;
    const cull_layer_facts *facts[LAYERS];
    int32_t ids[SEQUENCES][LENGTH];
    cull_sequence at[SEQUENCES];
    test_model m;
    seen s = { .row = 0 };
    cull_rng rng;

    test_model_open(host, name, CULL_OPEN_WEIGHTS, &m);
    assert_true(m.opened.facts->L <= LAYERS);
    cull_rng_init(&rng, 7, "test", name);
    for (size_t q = 0; q < SEQUENCES; q++, s.row += LENGTH) {
        const naive_watch watch = { &s, see };
        naive_forward f;

        for (size_t i = 0; i < LENGTH; i++)
            ids[q][i] = (int32_t)cull_rng_below(&rng, m.opened.facts->V);
        at[q] = (cull_sequence){ .size = sizeof(cull_sequence),
                                 .ids = ids[q],
                                 .n = LENGTH,
                                 .source = "test",
                                 .ordinal = q };
        assert_ok(host, naive_run_watched(fake_ctx(host), m.opened.backend, m.opened.model, LENGTH,
                                          ids[q], NULL, &watch, &f));
        naive_free(&f);
    }
    for (size_t l = 0; l < m.opened.facts->L; l++)
        facts[l] = cull_layer_of(&m.opened, l);

    cull_stats_store *store = cull_stats_store_new(fake_ctx(host), m.opened.facts, facts, groups);
    const cull_sequences rows = { sizeof rows, SEQUENCES, at };
    const cull_calibration how = { .rows = &rows, .groups = groups, .out = store };
    assert_non_null(store);
    assert_ok(host, cull_calibrate_pass(fake_ctx(host), &m.opened, NULL, 1, &how, NULL));
    for (size_t l = 0; l < m.opened.facts->L; l++) {
        shared -= facts[l]->parts >> CULL_PART_SHARED_DOWN & 1;
        dense -= facts[l]->parts >> CULL_PART_DENSE_DOWN & 1;
        if (s.F[l])
            check_layer(&s, l, cull_stats_store_layer(store, l));
        free(s.u[l]);
    }
    assert_int_equal(shared, 0);
    assert_int_equal(dense, 0);
    cull_stats_store_free(store);
    test_model_close(&m);
    fake_host_free(host);
}

#define GOLDEN CULL_SOURCE_DIR "/tests/golden/architectures/"

static void shared_experts_with_a_gate(void **state)
{
    (void)state;
    check_model(GOLDEN "qwen2_moe", 3, 0);
}

static void shared_experts_and_dense_layers(void **state)
{
    (void)state;
    check_model(GOLDEN "deepseek_v3", 2, 1);
}

static void stored_in_eight_bits(void **state)
{
    (void)state;
    check_model(GOLDEN "deepseek_v3-fp8", 2, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shared_experts_with_a_gate),
        cmocka_unit_test(shared_experts_and_dense_layers),
        cmocka_unit_test(stored_in_eight_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
