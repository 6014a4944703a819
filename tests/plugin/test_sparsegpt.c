// Strategy sparsegpt: masks, rewritten weights and reconstruction errors.
#include <math.h>
#include <stdio.h>

#include "support/assert_close.h"
#include "support/fixture.h"
#include "support/overlays.h"
#include "support/test.h"
#include "support/tinyworld.h"

HOST_FIXTURE(2)

static void *take(size_t n, size_t size)
{
    void *p = cull_take(fake_ctx(host), n, size);

    assert_non_null(p);
    return p;
}

typedef struct gpt {
    tinyworld *world;
    const cull_plugin *plugin;
    void *settings;
    double *x_hessian, *u_hessian; // (E, D, D), (E, F, F) of layer 0
} gpt;

// All experts of layer 0 but the first are gone, so that one expert's Hessians are enough.
static gpt gpt_on(const char *model)
{
    gpt q = { .world = tinyworld_open(host, model),
              .plugin = fake_plugin(host, "strategy", "sparsegpt") };
    const size_t E = q.world->layer[0].E;
    const size_t D = TINYWORLD_D;
    const size_t F = q.world->layer[0].F;
    cull_layer_stats *st = &q.world->layer_stats[0];
    cull_cut *before = tinyworld_cut(q.world);

    for (size_t e = 1; e < E; e++)
        before->layer[0].action[e] = CULL_ACTION_DROP;
    q.settings = fake_settings(host, q.plugin);
    q.world->view.before = before;
    st->x_hessian = q.x_hessian = take(E * D * D, sizeof(double));
    st->u_hessian = q.u_hessian = take(E * F * F, sizeof(double));
    return q;
}

// Σ x xᵀ from the golden H = (2/n) Σ x xᵀ.
static void give_hessians(gpt *q, golden *g)
{
    const double n = q->world->layer_stats[0].count[0];
    size_t size = 0;
    const double *x = golden_numbers(g, "layer.0.expert.0.w1.sparsegpt50.hessian", &size);

    for (size_t i = 0; i < size; i++)
        q->x_hessian[i] = x[i] * n / 2;
    const double *u = golden_numbers(g, "layer.0.expert.0.w2.sparsegpt50.hessian", &size);
    for (size_t i = 0; i < size; i++)
        q->u_hessian[i] = u[i] * n / 2;
}

static cull_cut *cut(gpt *q, double sparsity)
{
    const cull_strategy *strategy = q->plugin->vtable;
    const cull_budget budget = { .size = sizeof budget, .sparsity = sparsity };
    cull_cut *out = cull_cut_copy(fake_ctx(host), q->world->view.before);

    assert_ok(host, strategy->select(fake_ctx(host), q->settings, &q->world->view, NULL, &budget, 0,
                                     out));
    return out;
}

// tr((W − W') H (W − W')ᵀ)
static double error_of(size_t rows, size_t cols, const float *w, const float *w2, const double *H)
{
    double sum = 0;

    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < cols; i++) {
            const double d = (double)w[r * cols + i] - (double)w2[r * cols + i];
            double row = 0;
            for (size_t j = 0; d != 0 && j < cols; j++)
                row += H[i * cols + j] * ((double)w[r * cols + j] - (double)w2[r * cols + j]);
            sum += d * row;
        }
    return sum;
}

static void compare(gpt *q, golden *g, const cull_cut *got, cull_part part, const char *suffix,
                    size_t error_at)
{
    char name[96];
    char start[64];
    size_t rows = 0;
    size_t cols = 0;
    const cull_matrix_id where = cull_at_expert(0, part, 0);
    const cull_overlay *mask = overlay_last(got, where, CULL_MASK);
    const cull_overlay *matrix = overlay_last(got, where, CULL_MATRIX);
    const float *w = tinyworld_matrix(q->world, where, &rows, &cols);

    assert_non_null(mask);
    assert_non_null(matrix);
    snprintf(start, sizeof start, "layer.0.expert.0.%s.sparsegpt50.", tinyworld_w(part));

    snprintf(name, sizeof name, "%s%skeep", start, suffix);
    const uint8_t *keep = golden_u8(g, name, 2, NULL);
    assert_int_equal(overlay_differs(mask, keep), 0);
    snprintf(name, sizeof name, "%s%sweight", start, suffix);
    assert_close((const float *)matrix->data, golden_f64(g, name, 2, NULL), rows * cols, 1e-5,
                 1e-7);
    snprintf(name, sizeof name, "%shessian", start);
    size_t n = 0;
    const double *H = golden_numbers(g, name, &n);
    snprintf(name, sizeof name, "%serrors", start);
    const double want = golden_f64(g, name, 1, NULL)[error_at];
    const double error = error_of(rows, cols, w, matrix->data, H);
    assert_close(&error, &want, 1, 1e-4, 0);
}

static void as_golden(void **state)
{
    const char *model = *state;
    gpt q = gpt_on(model);
    golden *g = tinyworld_golden(q.world, "weights");

    give_hessians(&q, g);
    const cull_cut *whole = cut(&q, 0.5);
    fake_set(host, q.plugin, q.settings, "block", "32");
    const cull_cut *blocks = cut(&q, 0.5);
    assert_int_equal(whole->n_overlays, 6);
    for (cull_part p = CULL_PART_GATE; p <= CULL_PART_DOWN; p++) {
        compare(&q, g, whole, p, "", 0);
        compare(&q, g, blocks, p, "block32_", 1);
    }
    golden_close(g);
    tinyworld_close(q.world);
}

// Of every m inputs n go, whatever the block.
static void n_of_m_is_met(void **state)
{
    (void)state;
    gpt q = gpt_on("tinyworld-mixtral");
    golden *g = tinyworld_golden(q.world, "weights");
    give_hessians(&q, g);
    fake_set(host, q.plugin, q.settings, "m", "12"); // 128 = 10 groups of 12, and 8
    fake_set(host, q.plugin, q.settings, "block", "20");
    const cull_cut *got = cut(&q, 0.35);
    for (cull_part p = CULL_PART_GATE; p <= CULL_PART_DOWN; p++) {
        const cull_overlay *o = overlay_last(got, cull_at_expert(0, p, 0), CULL_MASK);
        for (size_t r = 0; r < o->rows; r++) {
            for (size_t group = 0; group < 11; group++) {
                size_t n = 0;
                for (size_t c = 12 * group; c < 12 * group + 12 && c < o->cols; c++)
                    n += !overlay_keeps(o, r, c);
                assert_int_equal(n, group < 10 ? 4 : 2);
            }
        }
    }
    golden_close(g);
    tinyworld_close(q.world);
}

static void no_tokens_fall_back_to_magnitude(void **state)
{
    (void)state;
    gpt q = gpt_on("tinyworld-mixtral");
    golden *g = tinyworld_golden(q.world, "weights");
    double *count = take(16, sizeof *count);
    q.world->layer_stats[0].count = count;
    const cull_cut *got = cut(&q, 0.5);
    assert_int_equal(got->n_overlays, 3);
    for (cull_part p = CULL_PART_GATE; p <= CULL_PART_DOWN; p++) {
        char name[64];
        snprintf(name, sizeof name, "layer.0.expert.0.%s.magnitude50", tinyworld_w(p));
        const uint8_t *want = golden_u8(g, name, 2, NULL);
        const cull_overlay *o = overlay_last(got, cull_at_expert(0, p, 0), CULL_MASK);
        assert_int_equal(overlay_differs(o, want), 0);
    }
    golden_close(g);
    tinyworld_close(q.world);
}

// Three tokens for 128 inputs, two of them always zero, and no damping to begin with.
static void too_few_tokens_raise_the_damping(void **state)
{
    (void)state;
    gpt q = gpt_on("tinyworld-mixtral");
    double *count = take(16, sizeof *count);
    count[0] = 3;
    q.world->layer_stats[0].count = count;
    for (size_t t = 0; t < 3; t++)
        for (size_t i = 2; i < TINYWORLD_D; i++)
            for (size_t j = 2; j < TINYWORLD_D; j++) {
                const double x = sin((double)(i * (t + 1))) * sin((double)(j * (t + 1)));
                q.x_hessian[i * TINYWORLD_D + j] += x;
                q.u_hessian[i * TINYWORLD_D + j] += x;
            }
    fake_set(host, q.plugin, q.settings, "damp", "0");
    const cull_cut *got = cut(&q, 0.5);
    for (cull_part p = CULL_PART_GATE; p <= CULL_PART_DOWN; p++) {
        const cull_overlay *o = overlay_last(got, cull_at_expert(0, p, 0), CULL_MASK);
        const float *w = overlay_last(got, cull_at_expert(0, p, 0), CULL_MATRIX)->data;
        assert_int_equal(o->rows * o->cols - overlay_kept(o), o->rows * o->cols / 2);
        for (size_t r = 0; r < o->rows; r++)
            for (size_t c = 0; c < o->cols; c++) {
                assert_true(isfinite(w[r * o->cols + c]));
                if (c < 2 || !overlay_keeps(o, r, c))
                    assert_true(w[r * o->cols + c] == 0);
            }
    }
    q.x_hessian[5] = q.x_hessian[0] = NAN;
    const cull_strategy *strategy = q.plugin->vtable;
    const cull_budget budget = { .size = sizeof budget, .sparsity = 0.5 };
    assert_fails(host,
                 strategy->select(fake_ctx(host), q.settings, &q.world->view, NULL, &budget, 0,
                                  tinyworld_cut(q.world)),
                 CULL_ENUMERIC, "not finite");
    tinyworld_close(q.world);
}

static void what_earlier_stages_zeroed_stays_zero(void **state)
{
    (void)state;
    gpt q = gpt_on("tinyworld-mixtral");
    golden *g = tinyworld_golden(q.world, "weights");
    give_hessians(&q, g);
    const cull_cut *first = cut(&q, 0.25);
    q.world->view.before = first;
    const cull_cut *both = cut(&q, 0.5);
    for (cull_part p = CULL_PART_GATE; p <= CULL_PART_DOWN; p++) {
        const cull_matrix_id where = cull_at_expert(0, p, 0);
        const cull_overlay *old = overlay_last(first, where, CULL_MASK);
        const cull_overlay *new = overlay_last(both, where, CULL_MASK);
        const float *w = overlay_last(both, where, CULL_MATRIX)->data;
        assert_int_equal(new->rows *new->cols - overlay_kept(new), 4096 + 6144);
        for (size_t r = 0; r < old->rows; r++)
            for (size_t c = 0; c < old->cols; c++)
                assert_true(overlay_keeps(old, r, c) ||
                            (!overlay_keeps(new, r, c) && w[r * old->cols + c] == 0));
    }
    golden_close(g);
    tinyworld_close(q.world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_MODELS(as_golden),
        cmocka_unit_test(n_of_m_is_met),
        cmocka_unit_test(no_tokens_fall_back_to_magnitude),
        cmocka_unit_test(too_few_tokens_raise_the_damping),
        cmocka_unit_test(what_earlier_stages_zeroed_stays_zero),
    };

    return cmocka_run_group_tests_name("sparsegpt", tests, setup, teardown);
}
