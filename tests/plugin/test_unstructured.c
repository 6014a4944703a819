// Masks: strategy unstructured with the criteria magnitude and wanda.
#include <math.h>
#include <stdio.h>

#include "support/assert_close.h"
#include "support/fixture.h"
#include "support/overlays.h"
#include "support/test.h"
#include "support/tinyworld.h"

HOST_FIXTURE(2)

typedef struct bench { // a strategy with its settings, on a world
    tinyworld *world;
    const cull_plugin *plugin;
    const cull_strategy *strategy;
    void *settings;
} bench;

static bench bench_on(const char *model, const char *criterion)
{
    bench b = { .world = tinyworld_open(host, model) };
    const cull_plugin *c = strcmp(criterion, "wanda") == 0
                               ? fake_plugin(host, "criterion", "wanda")
                               : fake_plugin(host, "criterion", "magnitude");

    b.world->criterion = c->vtable;
    b.world->criterion_settings = fake_settings(host, c);
    b.plugin = fake_plugin(host, "strategy", "unstructured");
    b.strategy = b.plugin->vtable;
    b.settings = fake_settings(host, b.plugin);
    return b;
}

static cull_cut *cut_layer(bench *b, size_t l, double sparsity)
{
    cull_ctx *ctx = fake_ctx(host);
    const cull_budget budget = { .size = sizeof budget, .sparsity = sparsity };
    const cull_scores scores = { .size = sizeof scores, .form = CULL_FORM_WEIGHT };
    cull_cut *cut = cull_cut_copy(ctx, b->world->view.before);

    assert_ok(host,
              b->strategy->select(ctx, b->settings, &b->world->view, &scores, &budget, l, cut));
    return cut;
}

static const cull_overlay *mask_of(const cull_cut *cut, cull_matrix_id where)
{
    const cull_overlay *mask = overlay_last(cut, where, CULL_MASK);

    assert_non_null(mask);
    return mask;
}

// Every mask of layer 0; where two metrics are nearer than float32 tells apart, that pair may be
// swapped.
static void wanda_as_golden(void **state)
{
    const char *model = *state;
    bench b = bench_on(model, "wanda");
    golden *g = tinyworld_golden(b.world, "weights");
    const cull_cut *cut = cut_layer(&b, 0, 0.5);

    assert_int_equal(cut->n_overlays, 3 * b.world->layer[0].E);
    for (cull_part p = CULL_PART_GATE; p <= CULL_PART_DOWN; p++) {
        for (size_t e = 0; e < b.world->layer[0].E; e++) {
            char name[96];
            snprintf(name, sizeof name, "layer.0.expert.%zu.%s.wanda50", e, tinyworld_w(p));
            const uint8_t *want = golden_u8(g, name, 2, NULL);
            strcat(name, "_gap");
            const double gap = golden_f64(g, name, 1, NULL)[0];
            const size_t off = overlay_differs(mask_of(cut, cull_at_expert(0, p, e)), want);
            if (off > (gap < 1e-6 ? 2u : 0u))
                fail_msg("%s: %zu entries differ, gap %g", name, off, gap);
        }
    }
    golden_close(g);
    tinyworld_close(b.world);
}

// The golden numbers of a mask: entries kept, and Σ|w| of them; the same by the authors' rule,
// which keeps what is above Cull's smallest kept magnitude; that threshold; and how many of the
// entries Wanda keeps too.
static void compare_magnitudes(bench *b, const cull_overlay *mask, const uint8_t *wanda,
                               const double *want)
{
    size_t rows = 0, cols = 0, kept = 0, above = 0, both = 0;
    const float *w = tinyworld_matrix(b->world, mask->where, &rows, &cols);
    double sum = 0, sum_above = 0, threshold = INFINITY;

    for (size_t pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < rows * cols; i++) {
            const double size = fabs((double)w[i]);
            const bool keeps = overlay_keeps(mask, i / cols, i % cols);
            if (pass == 0 && keeps)
                threshold = fmin(threshold, size);
            if (pass == 0)
                continue;
            kept += keeps;
            sum += keeps ? size : 0;
            both += keeps && wanda[i];
            above += size > threshold;
            sum_above += size > threshold ? size : 0;
        }
    const double got[6] = { (double)kept, (double)above, threshold, sum, sum_above, (double)both };
    assert_close((const double *)got, want, 6, 1e-6, 0);
}

static void magnitude_as_golden(const char *model)
{
    bench b = bench_on(model, "magnitude");
    golden *g = tinyworld_golden(b.world, "weights");

    fake_set(host, b.plugin, b.settings, "group", "tensor");
    b.world->view.stats = &(cull_stats){ .size = sizeof(cull_stats) }; // it needs none
    const cull_cut *cut = cut_layer(&b, 0, 0.5);
    for (cull_part p = CULL_PART_GATE; p <= CULL_PART_DOWN; p++) {
        for (size_t e = 0; e < b.world->layer[0].E; e++) {
            char name[96];
            const cull_overlay *o = mask_of(cut, cull_at_expert(0, p, e));
            snprintf(name, sizeof name, "layer.0.expert.%zu.%s.magnitude50_stats", e,
                     tinyworld_w(p));
            const double *want = golden_f64(g, name, 1, (size_t[]){ 6 });
            snprintf(name, sizeof name, "layer.0.expert.%zu.%s.wanda50", e, tinyworld_w(p));
            compare_magnitudes(&b, o, golden_u8(g, name, 2, NULL), want);
            snprintf(name, sizeof name, "layer.0.expert.%zu.%s.magnitude50", e, tinyworld_w(p));
            if (e == 0)
                assert_int_equal(overlay_differs(o, golden_u8(g, name, 2, NULL)), 0);
        }
    }
    golden_close(g);
    tinyworld_close(b.world);
}

static void magnitude_per_tensor_as_golden(void **state)
{
    (void)state;
    magnitude_as_golden("tinyworld-mixtral");
    magnitude_as_golden("tinyworld-olmoe");
}

static void two_of_four(const char *model)
{
    bench b = bench_on(model, "wanda");
    golden *g = tinyworld_golden(b.world, "weights");

    fake_set(host, b.plugin, b.settings, "m", "4");
    const cull_overlay *o = mask_of(cut_layer(&b, 0, 0.5), cull_at_expert(0, CULL_PART_GATE, 0));
    assert_int_equal(overlay_differs(o, golden_u8(g, "layer.0.expert.0.w1.wanda_2of4", 2, NULL)),
                     0);
    golden_close(g);
    tinyworld_close(b.world);
}

static void two_of_four_as_golden(void **state)
{
    (void)state;
    two_of_four("tinyworld-mixtral");
    two_of_four("tinyworld-olmoe");
}

// The scores of an expert's matrix, by the criterion alone.
static const float *scores_of(bench *b, cull_matrix_id where, size_t *n)
{
    size_t rows = 0, cols = 0;
    const float *w = tinyworld_matrix(b->world, where, &rows, &cols);
    float *out = cull_take(fake_ctx(host), rows * cols, sizeof *out);

    assert_non_null(out);
    *n = rows * cols;
    assert_ok(host, b->world->criterion->score_weights(fake_ctx(host), b->world->criterion_settings,
                                                       &b->world->view, where, rows, cols, w, out));
    return out;
}

// The percentage of a layer's scores above five times their mean; experts without tokens aside.
static double outliers(bench *b, size_t l)
{
    double sum = 0, n = 0, above = 0;

    for (int pass = 0; pass < 2; pass++)
        for (size_t e = 0; e < b->world->layer[l].E; e++)
            for (cull_part p = CULL_PART_GATE; p <= CULL_PART_DOWN; p++) {
                size_t size = 0;
                if (b->world->layer_stats[l].count[e] == 0)
                    continue;
                const float *score = scores_of(b, cull_at_expert(l, p, e), &size);
                for (size_t i = 0; i < size; i++) {
                    sum += pass ? 0 : (double)score[i];
                    above += pass && (double)score[i] > 5 * sum / n;
                }
                n += pass ? 0 : (double)size;
            }
    return 100 * above / n;
}

static void owl_as_golden(void **state)
{
    const char *model = *state;
    bench b = bench_on(model, "wanda");
    golden *g = tinyworld_golden(b.world, "weights");
    const cull_budget budget = { .size = sizeof budget, .sparsity = 0.5 };
    double s[TINYWORLD_L];

    fake_set(host, b.plugin, b.settings, "layers", "owl");
    assert_ok(host,
              b.strategy->spread(fake_ctx(host), b.settings, &b.world->view, NULL, &budget, s));
    assert_close(s, golden_f64(g, "model.owl50.sparsity", 1, NULL), TINYWORLD_L, 0, 1e-6);
    for (size_t l = 0; l < TINYWORLD_L; l++)
        s[l] = outliers(&b, l);
    assert_close(s, golden_f64(g, "model.owl50.outlier_percent", 1, NULL), TINYWORLD_L, 0, 1e-3);
    golden_close(g);
    tinyworld_close(b.world);
}

// Stage 2 on what STUN left: fewer experts in some layers, their share of the mean accordingly
// less.
static void owl_weighs_layers_by_what_is_left(void **state)
{
    (void)state;
    bench b = bench_on("tinyworld-mixtral", "wanda");
    cull_cut *before = tinyworld_cut(b.world);
    const size_t left[TINYWORLD_L] = { 15, 10, 8, 15 };
    for (size_t l = 0; l < TINYWORLD_L; l++)
        for (size_t e = left[l]; e < 16; e++)
            before->layer[l].action[e] = CULL_ACTION_DROP;
    b.world->view.before = before;
    fake_set(host, b.plugin, b.settings, "layers", "owl");
    const double wanted[] = { 0.005, 0.05, 0.5, 0.95, 0.9995 };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        const cull_budget budget = { .size = sizeof budget, .sparsity = wanted[i] };
        double s[TINYWORLD_L];
        double sum = 0;
        assert_ok(host,
                  b.strategy->spread(fake_ctx(host), b.settings, &b.world->view, NULL, &budget, s));
        for (size_t l = 0; l < TINYWORLD_L; l++) {
            assert_in_range((int)(s[l] * 1e6), wanted[i] < 0.01 ? 0 : 10000, 999000);
            sum += s[l] * (double)left[l] / 48;
        }
        assert_true(sum <= wanted[i] + 1e-12);
        assert_true(sum > fmin(wanted[i], 0.999) - 1e-9);
    }
    tinyworld_close(b.world);
}

static void owl_without_differences_is_uniform(void **state)
{
    (void)state;
    bench b = bench_on("tinyworld-mixtral", "wanda");
    fake_set(host, b.plugin, b.settings, "layers", "owl");
    fake_set(host, b.plugin, b.settings, "outlier", "1000000"); // none anywhere: all D are 0
    const uint8_t frozen[TINYWORLD_L] = { 0, 0, 1, 0 };
    const cull_budget budget = { .size = sizeof budget, .sparsity = 0.7, .frozen = frozen };
    double s[TINYWORLD_L];
    assert_ok(host,
              b.strategy->spread(fake_ctx(host), b.settings, &b.world->view, NULL, &budget, s));
    for (size_t l = 0; l < TINYWORLD_L; l++)
        assert_true(fabs(s[l] - (frozen[l] ? 0 : 0.7)) < 1e-15);
    tinyworld_close(b.world);
}

static void rows_give_up_the_floor(void **state)
{
    (void)state;
    bench b = bench_on("tinyworld-olmoe", "wanda");
    const double sparsities[] = { 0, 0.1, 0.3, 1 - 0.5 / 0.75, 0.65, 0.8, 1 };
    for (size_t i = 0; i < sizeof sparsities / sizeof *sparsities; i++) {
        const cull_cut *cut = cut_layer(&b, 1, sparsities[i]);
        for (size_t k = 0; k < cut->n_overlays; k++) {
            const cull_overlay *o = &cut->overlay[k];
            const size_t gone = (size_t)floor((double)o->cols * sparsities[i] + 1e-9);
            for (size_t r = 0; r < o->rows; r++)
                assert_int_equal(overlay_kept_in_row(o, r), o->cols - gone);
        }
    }
    tinyworld_close(b.world);
}

static void n_of_m_is_met_with_a_short_tail(void **state)
{
    (void)state;
    bench b = bench_on("tinyworld-mixtral", "wanda");
    fake_set(host, b.plugin, b.settings, "m", "12"); // 128 = 10 groups of 12, and 8
    const cull_cut *cut = cut_layer(&b, 0, 0.35);    // 4 of 12, 2 of the last 8
    for (size_t k = 0; k < cut->n_overlays; k++) {
        const cull_overlay *o = &cut->overlay[k];
        for (size_t r = 0; r < o->rows; r++) {
            for (size_t g = 0; g < 11; g++) {
                size_t n = 0;
                for (size_t c = 12 * g; c < 12 * g + 12 && c < o->cols; c++)
                    n += !overlay_keeps(o, r, c);
                assert_int_equal(n, g < 10 ? 4 : 2);
            }
        }
    }
    tinyworld_close(b.world);
}

// Removed experts are passed over; zeroed weights stay so, and the sparsity is of the others.
static void earlier_stages_are_respected(void **state)
{
    (void)state;
    static const char *const rules[] = { "row", "tensor", "share" };
    for (size_t rule = 0; rule < 3; rule++) {
        bench b = bench_on("tinyworld-mixtral", "wanda");
        fake_set(host, b.plugin, b.settings, "group", rules[rule]);
        cull_cut *first = cut_layer(&b, 0, 0.25);
        first->layer[0].action[3] = CULL_ACTION_DROP;
        first->layer[0].action[4] = CULL_ACTION_NOVICE;
        first->layer[0].action[5] = CULL_ACTION_ALIAS;
        b.world->view.before = first;
        const cull_cut *both = cut_layer(&b, 0, 0.5);
        assert_int_equal(first->n_overlays, 48);
        assert_int_equal(both->n_overlays, 48 + 39);
        for (size_t k = first->n_overlays; k < both->n_overlays; k++) {
            const cull_overlay *o = &both->overlay[k];
            const cull_overlay *old = mask_of(first, o->where);
            assert_true(o->where.expert < 3 || o->where.expert > 5);
            assert_int_equal(overlay_kept(o), (overlay_kept(old) + 1) / 2);
            for (size_t r = 0; r < o->rows; r++)
                for (size_t c = 0; c < o->cols; c++)
                    assert_true(overlay_keeps(old, r, c) || !overlay_keeps(o, r, c));
        }
        tinyworld_close(b.world);
    }
}

static void other_parts_on_request_never_the_router(void **state)
{
    (void)state;
    bench b = bench_on("tinyworld-mixtral", "wanda");
    fake_set(host, b.plugin, b.settings, "attention", "true");
    fake_set(host, b.plugin, b.settings, "shared", "true");
    fake_set(host, b.plugin, b.settings, "dense", "true");
    const cull_cut *cut = cut_layer(&b, 0, 0.5);
    assert_int_equal(cut->n_overlays, 48 + 4);
    for (size_t k = 0; k < cut->n_overlays; k++)
        assert_int_not_equal(cut->overlay[k].where.part, CULL_PART_ROUTER);
    tinyworld_close(b.world);
}

// ---- scores of a test's own ----

static cull_status ramp(cull_ctx *ctx, const void *settings, const cull_view *view,
                        cull_matrix_id where, size_t rows, size_t cols, const float *w, float *out)
{
    (void)ctx, (void)settings, (void)view, (void)where, (void)w;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            out[i * cols + j] = (float)(j + 1) * (float)(i + 1);
    return CULL_OK;
}

static cull_status flat(cull_ctx *ctx, const void *settings, const cull_view *view,
                        cull_matrix_id where, size_t rows, size_t cols, const float *w, float *out)
{
    (void)ctx, (void)settings, (void)view, (void)where, (void)w;
    for (size_t i = 0; i < rows * cols; i++)
        out[i] = 2;
    return CULL_OK;
}

static cull_status broken(cull_ctx *ctx, const void *settings, const cull_view *view,
                          cull_matrix_id where, size_t rows, size_t cols, const float *w,
                          float *out)
{
    const cull_status status = flat(ctx, settings, view, where, rows, cols, w, out);

    if (where.part == CULL_PART_UP && where.expert == 7)
        out[5 * cols + 6] = NAN;
    return status;
}

static void ties_go_to_the_lower_index(void **state)
{
    (void)state;
    static const cull_criterion all_equal = { .size = sizeof all_equal, .score_weights = flat };
    bench b = bench_on("tinyworld-mixtral", "wanda");
    b.world->criterion = &all_equal;
    const cull_overlay *o = mask_of(cut_layer(&b, 0, 0.25), cull_at_expert(0, CULL_PART_UP, 2));
    for (size_t r = 0; r < o->rows; r++)
        for (size_t c = 0; c < o->cols; c++)
            assert_int_equal(overlay_keeps(o, r, c), c >= 32);
    fake_set(host, b.plugin, b.settings, "group", "tensor");
    o = mask_of(cut_layer(&b, 0, 0.25), cull_at_expert(0, CULL_PART_UP, 2));
    for (size_t r = 0; r < o->rows; r++)
        for (size_t c = 0; c < o->cols; c++)
            assert_int_equal(overlay_keeps(o, r, c), r >= 32);
    tinyworld_close(b.world);
}

// Rows that differ by a factor have equal shares: each loses the same, unlike under `tensor`.
static void share_does_not_see_the_scale_of_a_row(void **state)
{
    (void)state;
    static const cull_criterion ramps = { .size = sizeof ramps, .score_weights = ramp };
    bench b = bench_on("tinyworld-mixtral", "wanda");
    b.world->criterion = &ramps;
    fake_set(host, b.plugin, b.settings, "group", "share");
    const cull_overlay *o = mask_of(cut_layer(&b, 0, 0.5), cull_at_expert(0, CULL_PART_UP, 2));
    for (size_t r = 0; r < o->rows; r++)
        assert_in_range(overlay_kept_in_row(o, r), 63, 65);
    fake_set(host, b.plugin, b.settings, "group", "tensor");
    o = mask_of(cut_layer(&b, 0, 0.5), cull_at_expert(0, CULL_PART_UP, 2));
    assert_int_equal(overlay_kept_in_row(o, 0), 0);
    tinyworld_close(b.world);
}

static void n_of_m_fits_rows_alone(void **state)
{
    (void)state;
    bench b = bench_on("tinyworld-mixtral", "magnitude");
    const cull_budget budget = { .size = sizeof budget, .sparsity = 0.5 };
    const cull_scores scores = { .size = sizeof scores, .form = CULL_FORM_WEIGHT };
    fake_set(host, b.plugin, b.settings, "group", "tensor");
    fake_set(host, b.plugin, b.settings, "m", "4");
    assert_fails(host,
                 b.strategy->select(fake_ctx(host), b.settings, &b.world->view, &scores, &budget, 0,
                                    tinyworld_cut(b.world)),
                 CULL_EINVAL, "group: tensor does not fit");
    tinyworld_close(b.world);
}

static void a_score_that_is_not_finite_is_named(void **state)
{
    (void)state;
    static const cull_criterion nan = { .size = sizeof nan, .score_weights = broken };
    bench b = bench_on("tinyworld-mixtral", "wanda");
    cull_ctx *ctx = fake_ctx(host);
    const cull_budget budget = { .size = sizeof budget, .sparsity = 0.5 };
    b.world->criterion = &nan;
    assert_fails(host,
                 b.strategy->select(ctx, b.settings, &b.world->view, NULL, &budget, 1,
                                    tinyworld_cut(b.world)),
                 CULL_ENUMERIC,
                 "layer 1, expert 7, up: the score of the weight at row 5, column 6");
    tinyworld_close(b.world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_MODELS(wanda_as_golden),
        cmocka_unit_test(magnitude_per_tensor_as_golden),
        cmocka_unit_test(two_of_four_as_golden),
        cmocka_unit_test(n_of_m_fits_rows_alone),
        ON_BOTH_MODELS(owl_as_golden),
        cmocka_unit_test(owl_weighs_layers_by_what_is_left),
        cmocka_unit_test(owl_without_differences_is_uniform),
        cmocka_unit_test(rows_give_up_the_floor),
        cmocka_unit_test(n_of_m_is_met_with_a_short_tail),
        cmocka_unit_test(earlier_stages_are_respected),
        cmocka_unit_test(other_parts_on_request_never_the_router),
        cmocka_unit_test(ties_go_to_the_lower_index),
        cmocka_unit_test(share_does_not_see_the_scale_of_a_row),
        cmocka_unit_test(a_score_that_is_not_finite_is_named),
    };

    return cmocka_run_group_tests_name("unstructured", tests, setup, teardown);
}
