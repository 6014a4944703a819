// From calibration rows to what a pruned matrix still computes: Hessians and reconstruction errors
// tr((W − W') H (W − W')ᵀ) of expert 0, layer 0 (tests/golden/methods/*/README.md, file weights).
#include <math.h>
#include <stdio.h>

#include "support/assert_close.h"
#include "support/overlays.h"
#include "support/test.h"
#include "support/variants.h"

typedef struct pruning { // how, and where its error stands among the golden ones
    const char *criterion, *strategy, *setting;
    size_t error;
} pruning;

// The third golden error is of the authors' own mask, which takes an entry more than asked for.
static const pruning prunings[] = {
    { NULL, "sparsegpt", NULL, 0 },
    { NULL, "sparsegpt", "block=32", 1 },
    { "wanda", "unstructured", NULL, 3 },
    { "magnitude", "unstructured", "group=tensor", 4 },
};
enum { N_PRUNINGS = sizeof prunings / sizeof *prunings, WHOLE = 5 };

typedef struct checking {
    variants *v;
    golden *weights;
    size_t seen;
} checking;

static cull_cut *prune(variants *v, const pruning *how)
{
    cull_scores scores = { .size = sizeof scores, .form = CULL_FORM_NONE, .L = TINYWORLD_L };
    const methods_plugin p = methods_load(v->world, "strategy", how->strategy,
                                          how->setting ? WORDS(how->setting) : NULL);
    const cull_strategy *strategy = p.vtable;
    cull_budget *budget = methods_budget(v->world, CULL_SCOPE_LAYER, 0, 0);
    cull_cut *cut = tinyworld_cut(v->world);

    budget->sparsity = 0.5;
    if (how->criterion) {
        const methods_plugin c = methods_load(v->world, "criterion", how->criterion, NULL);
        v->world->criterion = c.vtable;
        v->world->criterion_settings = c.settings;
        scores.form = CULL_FORM_WEIGHT;
    }
    assert_ok(v->host, strategy->select(fake_ctx(v->host), p.settings, &v->world->view, &scores,
                                        budget, 0, cut));
    return cut;
}

// W' of a matrix under a cut, which may be NULL: all of it gone.
static double weight_of(const cull_cut *cut, cull_matrix_id where, size_t r, size_t c, double w)
{
    if (!cut)
        return 0;
    const cull_overlay *mask = overlay_last(cut, where, CULL_MASK);
    const cull_overlay *matrix = overlay_last(cut, where, CULL_MATRIX);

    if (!overlay_keeps(mask, r, c))
        return 0;
    return matrix ? (double)((const float *)matrix->data)[r * matrix->cols + c] : w;
}

static double error_of(variants *v, const cull_cut *cut, cull_matrix_id where, const double *H)
{
    size_t rows = 0, cols = 0;
    const float *w = tinyworld_matrix(v->world, where, &rows, &cols);
    double d[TINYWORLD_D], sum = 0;

    assert_true(cols <= TINYWORLD_D);
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < cols; c++) {
            const double whole = (double)w[r * cols + c];
            d[c] = whole - weight_of(cut, where, r, c, whole);
        }
        for (size_t i = 0; i < cols; i++)
            for (size_t j = 0; j < cols; j++)
                sum += d[i] * H[i * cols + j] * d[j];
    }
    return sum;
}

static void check_part(checking *k, cull_part part, const cull_layer_stats *s,
                       const cull_cut *const *cuts)
{
    const bool down = part == CULL_PART_DOWN;
    const size_t cols = down ? s->F : s->D;
    const double *sum = down ? s->u_hessian : s->x_hessian;
    const cull_matrix_id where = cull_at_expert(0, part, 0);
    char name[64];
    double most = 0;

    snprintf(name, sizeof name, "layer.0.expert.0.%s.sparsegpt50.hessian", tinyworld_w(part));
    const double *want = golden_f64(k->weights, name, 2, (size_t[]){ cols, cols });
    double *H = cull_take(fake_ctx(k->v->host), cols * cols, sizeof *H);
    assert_non_null(H);
    for (size_t i = 0; i < cols * cols; i++) {
        H[i] = 2 / s->count[0] * sum[i];
        most = fmax(most, fabs(want[i]));
    }
    assert_close(H, want, cols * cols, 0, 1e-5 * most);

    snprintf(name, sizeof name, "layer.0.expert.0.%s.sparsegpt50.errors", tinyworld_w(part));
    const double *errors = golden_f64(k->weights, name, 1, (size_t[]){ 6 });
    for (size_t i = 0; i <= N_PRUNINGS; i++) {
        const double got = error_of(k->v, i < N_PRUNINGS ? cuts[i] : NULL, where, H);
        assert_close(&got, &errors[i < N_PRUNINGS ? prunings[i].error : WHOLE], 1, 1e-3, 0);
        k->seen++;
    }
}

static cull_status check_layer(void *arg, cull_ctx *ctx, size_t l, const cull_stats *stats,
                               cull_cut *cut)
{
    checking *k = arg;
    const cull_cut *cuts[N_PRUNINGS];

    (void)ctx, (void)cut;
    if (l > 0)
        return CULL_OK;
    k->v->world->view.stats = stats;
    for (size_t i = 0; i < N_PRUNINGS; i++)
        cuts[i] = prune(k->v, &prunings[i]);
    for (cull_part p = CULL_PART_GATE; p <= CULL_PART_DOWN; p++)
        check_part(k, p, &stats->layer[0], cuts);
    return CULL_OK;
}

static void reconstruction_is_golden(void **state)
{
    checking k = { .v = variants_open(*state) };

    k.weights = tinyworld_golden(k.v->world, "weights");
    variants_calibrate(k.v,
                       &(cull_calibration){ .groups = CULL_STAT_ROUTING | CULL_STAT_INPUT_SQUARES |
                                                      CULL_STAT_HESSIAN,
                                            .decide = check_layer,
                                            .decide_arg = &k,
                                            .deciding = tinyworld_cut(k.v->world) });
    assert_int_equal(k.seen, 3 * (N_PRUNINGS + 1));
    golden_close(k.weights);
    variants_close(k.v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(reconstruction_is_golden, "tinyworld-mixtral"),
        cmocka_unit_test_prestate(reconstruction_is_golden, "tinyworld-olmoe"),
    };

    return cmocka_run_group_tests_name("reconstruction", tests, NULL, NULL);
}
