// The dense subsample (DENSE_SAMPLE) as the engine gathers it: its rows, weights and energy are
// golden, and with inputs: progressive its target stays the dense model's output.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "support/assert_close.h"
#include "support/test.h"
#include "support/variants.h"

enum { SAMPLE = 9 * 256 };

typedef struct norms { // ‖routed output of the dense model‖² of each token of the subsample
    bool known;
    double sq[TINYWORLD_L][SAMPLE];
    size_t shifted; // tokens whose output has changed
} norms;

// Σ g y, as seen through the Gram matrix: its squared norm, and its product with r.
static double output_norm(const cull_dense_sample *s, size_t E, size_t t, double *with_r)
{
    const float *g = s->gate + t * E;
    double sum = 0;

    *with_r = 0;
    for (size_t i = 0; i < E; i++) {
        for (size_t j = 0; j < E; j++)
            sum += (double)g[i] * (double)g[j] * (double)s->gram[(t * E + i) * E + j];
        if (s->cross)
            *with_r += (double)g[i] * (double)s->cross[t * E + i];
    }
    return sum;
}

// ---- the dense model's ----

// Every token is of a golden row; 1 / weight is the golden squared norm of the residual stream.
static void compare_sample(variants *v, golden *subsets, size_t l, const cull_dense_sample *s)
{
    const size_t E = v->world->layer[l].E;
    char name[64];
    size_t n = 0;
    double norm[SAMPLE], energy = 0, most = 0;

    const int32_t *rows = golden_i32(subsets, "rows", 1, (size_t[]){ SAMPLE / 256 });
    assert_int_equal(s->N, SAMPLE);
    for (size_t t = 0; t < SAMPLE; t++) {
        double unused;
        assert_int_equal(s->group[t], rows[t / 256]);
        norm[t] = 1 / s->weight[t];
        energy += output_norm(s, E, t, &unused);
    }
    snprintf(name, sizeof name, "layer.%zu.residual_norm2", l);
    const double *want = golden_numbers(subsets, name, &n);
    assert_int_equal(n, SAMPLE);
    for (size_t t = 0; t < SAMPLE; t++)
        most = fmax(most, want[t]);
    assert_close((const double *)norm, want, n, 0, 1e-5 * most);
    snprintf(name, sizeof name, "layer.%zu.output_energy", l);
    assert_close(&energy, golden_numbers(subsets, name, &n), 1, 1e-5, 0);
}

typedef struct comparing {
    variants *v;
    golden *subsets;
    size_t seen;
} comparing;

static cull_status compare_layer(void *arg, cull_ctx *ctx, size_t l, const cull_stats *stats,
                                 cull_cut *cut)
{
    comparing *c = arg;

    (void)ctx, (void)cut;
    compare_sample(c->v, c->subsets, l, stats->layer[l].dense);
    c->seen++;
    return CULL_OK;
}

static void subsample_is_golden(void **state)
{
    static const char *const models[] = { "tinyworld-mixtral", "tinyworld-olmoe" };

    (void)state;
    for (size_t m = 0; m < 2; m++) {
        comparing c = { .v = variants_open(models[m]) };
        c.subsets = tinyworld_golden(c.v->world, "subsets");
        variants_calibrate(
            c.v, &(cull_calibration){ .groups = CULL_STAT_ROUTING | CULL_STAT_DENSE_SAMPLE,
                                      .dense_rows = 9,
                                      .decide = compare_layer,
                                      .decide_arg = &c,
                                      .deciding = tinyworld_cut(c.v->world) });
        assert_int_equal(c.seen, TINYWORLD_L);
        golden_close(c.subsets);
        variants_close(c.v);
    }
}

// ---- inputs: progressive ----

// First the dense model's norms; then, with experts going layer by layer, the same norms from the
// changed outputs and what they differ by: ‖o − r‖² = ‖o‖² − 2 o·r + ‖r‖².
static cull_status compare_norms(void *arg, cull_ctx *ctx, size_t l, const cull_stats *stats,
                                 cull_cut *cut)
{
    norms *n = arg;
    const cull_dense_sample *s = stats->layer[l].dense;

    (void)ctx;
    assert_int_equal(s->N, SAMPLE);
    assert_true((s->cross != NULL) == n->known);
    for (size_t t = 0; t < SAMPLE; t++) {
        double with_r = 0;
        const double sq = output_norm(s, stats->layer[l].E, t, &with_r);
        if (!n->known) {
            n->sq[l][t] = sq;
            continue;
        }
        const double target = sq - 2 * with_r + s->offset[t];
        if (fabs(target - n->sq[l][t]) > 1e-4 * (n->sq[l][t] + s->offset[t]))
            fail_msg("layer %zu, token %zu: the target's norm is %g, not %g", l, t, target,
                     n->sq[l][t]);
        n->shifted += s->offset[t] > 0;
        assert_true(l > 0 || s->offset[t] == 0);
    }
    if (n->known)
        memset(cut->layer[l].action, CULL_ACTION_DROP, 4);
    return CULL_OK;
}

static void progressive_inputs_keep_the_dense_target(void **state)
{
    (void)state;
    variants *v = variants_open("tinyworld-mixtral");
    norms *n = test_calloc(1, sizeof *n);
    cull_calibration how = { .groups = CULL_STAT_ROUTING | CULL_STAT_DENSE_SAMPLE,
                             .dense_rows = 9,
                             .decide = compare_norms,
                             .decide_arg = n,
                             .deciding = tinyworld_cut(v->world) };
    variants_calibrate(v, &how);
    n->known = true;
    how.propagate = true;
    variants_calibrate(v, &how);
    assert_in_range(n->shifted, SAMPLE, 3 * SAMPLE);
    test_free(n);
    variants_close(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subsample_is_golden),
        cmocka_unit_test(progressive_inputs_keep_the_dense_target),
    };

    return cmocka_run_group_tests_name("subsample", tests, NULL, NULL);
}
