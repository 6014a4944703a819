// What STUN's second stage sees: statistics of the model that the first stage left, and the shares
// of outliers in it, against tests/golden/methods (files stun and eval).
//
// A token may lie so near a tie of the router that float32 decides it either way, and with it all
// that the later layers make of its row. Where the counts differ by such a token its expert's
// router row is nudged by a millionth; then all must agree to 1e-5.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cut/cut.h"
#include "strategy/unstructured/unstructured.h"
#include "support/assert_close.h"
#include "support/test.h"
#include "support/variants.h"

enum { ROWS = 72, WIDTH = 256, TOKENS = ROWS * WIDTH, MOST_E = 32 };

static const double nudge = 1e-6;    // of a router row, relative
static const double near_tie = 1e-6; // of probabilities: what the nudge may decide

typedef struct golden_layer {
    size_t n, D;
    const double *kept, *count, *x_sq; // (n), (n), (n, D)
} golden_layer;

static golden_layer layer_of(golden *stun, size_t l)
{
    golden_layer g = { .D = TINYWORLD_D };
    char name[40];

    snprintf(name, sizeof name, "layer.%zu.kept", l);
    g.kept = golden_numbers(stun, name, &g.n);
    snprintf(name, sizeof name, "layer.%zu.stage2_n", l);
    g.count = golden_numbers(stun, name, &g.n);
    snprintf(name, sizeof name, "layer.%zu.stage2_sum_x2", l);
    g.x_sq = golden_f64(stun, name, 2, (size_t[]){ g.n, g.D });
    return g;
}

// ---- tokens that may be routed either way ----

// The logits of layer l, (TOKENS, E), of the model under a cut.
static const float *logits_of(variants *v, const cull_cut *cut, size_t l)
{
    float *logits[TINYWORLD_L] = { NULL };
    cull_trace trace = { .n_seq = ROWS,
                         .len = WIDTH,
                         .ids = golden_i32(v->ids, "ids", 2, (size_t[]){ ROWS, WIDTH }),
                         .router_logits = logits };

    logits[l] = cull_take(fake_ctx(v->host), TOKENS * v->world->layer[l].E, sizeof(float));
    assert_non_null(logits[l]);
    assert_ok(v->host, cull_trace_pass(fake_ctx(v->host), &v->model.opened, NULL, cut, &trace));
    return logits[l];
}

static int falling(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x < y) - (x > y);
}

// Do these logits leave it to rounding whether expert `more` or `less` is the last to be chosen?
static bool between(const variants *v, const golden_layer *g, const float *z, size_t more,
                    size_t less)
{
    const size_t K = v->world->layer[0].K;
    double p[MOST_E], of[MOST_E], all = 0;

    for (size_t i = 0; i < g->n; i++)
        all += p[i] = exp((double)z[(size_t)g->kept[i]]);
    for (size_t i = 0; i < g->n; i++)
        of[i] = p[i] /= all;
    qsort(of, g->n, sizeof *of, falling);
    return of[K - 1] - of[K] < near_tie && p[more] >= of[K] && p[more] <= of[K - 1] &&
           p[less] >= of[K] && p[less] <= of[K - 1];
}

// The router row of the expert that got a token too few, a little longer or shorter.
static void nudge_row(variants *v, cull_cut *cut, size_t l, size_t e, bool longer)
{
    const cull_matrix_id where = cull_at(l, CULL_PART_ROUTER);
    size_t rows = 0, cols = 0;
    const float *w = tinyworld_matrix(v->world, where, &rows, &cols);
    float *to = cull_cut_overlay(fake_ctx(v->host), cut, where, CULL_MATRIX, rows, cols);

    assert_non_null(to);
    memcpy(to, w, rows * cols * sizeof *to);
    for (size_t c = 0; c < cols; c++)
        to[e * cols + c] = (float)((double)to[e * cols + c] * (longer ? 1 + nudge : 1 - nudge));
}

// The first layer in which two experts share their tokens otherwise: a token between them is found
// and put to the other. false: there is no such layer.
static bool move_a_token(variants *v, golden *stun, cull_cut *cut)
{
    for (size_t l = 0; l < TINYWORLD_L; l++) {
        const golden_layer g = layer_of(stun, l);
        const double *count = v->world->view.stats->layer[l].count;
        size_t more = SIZE_MAX, less = SIZE_MAX;
        for (size_t i = 0; i < g.n; i++) {
            const double off = count[(size_t)g.kept[i]] - g.count[i];
            more = off > 0 ? i : more;
            less = off < 0 ? i : less;
        }
        if (more == SIZE_MAX)
            continue;
        assert_true(less != SIZE_MAX);
        const size_t E = v->world->layer[l].E, e = (size_t)g.kept[less];
        const float *z = logits_of(v, cut, l);
        for (size_t t = 0; t < TOKENS; t++, z += E)
            if (between(v, &g, z, more, less)) {
                nudge_row(v, cut, l, e, z[e] > 0);
                return true;
            }
        fail_msg("%s, layer %zu: experts %g and %zu differ in their tokens, but none is near a tie",
                 v->world->name, l, g.kept[more], e);
    }
    return false;
}

// ---- the statistics ----

static void statistics_are_golden(variants *v, golden *stun)
{
    cull_cut *cut = variants_kept(v, "stun");
    const cull_calibration how = { .groups = CULL_STAT_ROUTING | CULL_STAT_INPUT_SQUARES,
                                   .cut = cut };

    variants_calibrate(v, &how);
    for (size_t moved = 0; move_a_token(v, stun, cut); moved++) {
        assert_in_range(moved, 0, 2);
        variants_calibrate(v, &how);
    }
    for (size_t l = 0; l < TINYWORLD_L; l++) {
        const cull_layer_stats *s = &v->world->view.stats->layer[l];
        const golden_layer g = layer_of(stun, l);
        double most = 0;
        for (size_t i = 0; i < g.n * g.D; i++)
            most = fmax(most, g.x_sq[i]);
        for (size_t i = 0; i < g.n; i++) {
            const size_t e = (size_t)g.kept[i];
            assert_true(s->count[e] == g.count[i]);
            assert_close(s->x_sq + e * g.D, g.x_sq + i * g.D, g.D, 0, 1e-5 * most);
        }
    }
}

// ---- outliers ----

// What OWL measures of this model is golden, whatever sparsity it then spreads.
static void outliers_are_golden(variants *v)
{
    const methods_plugin c = methods_load(v->world, "criterion", "wanda", NULL);
    const methods_plugin p =
        methods_load(v->world, "strategy", "unstructured", WORDS("layers=owl"));
    double percent[TINYWORLD_L];

    v->world->criterion = c.vtable;
    v->world->criterion_settings = c.settings;
    for (size_t l = 0; l < TINYWORLD_L; l++)
        assert_ok(v->host,
                  outlier_percent(fake_ctx(v->host), p.settings, &v->world->view, l, &percent[l]));
    for (int total = 50; total <= 80; total += 15) {
        char name[48];
        const size_t L = TINYWORLD_L;
        snprintf(name, sizeof name, "stun+owl-%d.outlier_percent", total);
        assert_close((const double *)percent, golden_f64(v->eval, name, 1, &L), L, 0, 1e-3);
    }
}

static void stage_two_is_golden(void **state)
{
    const char *model = *state;
    variants *v = variants_open(model);
    golden *stun = tinyworld_golden(v->world, "stun");

    statistics_are_golden(v, stun);
    v->world->view.before = variants_kept(v, "stun");
    outliers_are_golden(v);
    golden_close(stun);
    variants_close(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_MODELS(stage_two_is_golden),
    };

    return cmocka_run_group_tests_name("stage_two", tests, NULL, NULL);
}
