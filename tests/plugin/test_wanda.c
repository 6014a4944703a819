// Scores of single weights: criteria magnitude and wanda.
#include <math.h>
#include <stdio.h>

#include "support/assert_close.h"
#include "support/test.h"
#include "support/tinyworld.h"

static fake_host *host;
static tinyworld *world;

static int setup(void **state)
{
    (void)state;
    host = fake_host_new(2);
    world = tinyworld_open(host, "tinyworld-mixtral");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tinyworld_close(world);
    fake_host_free(host);
    return 0;
}

static float *scores(const cull_plugin *plugin, cull_matrix_id where, const float **w, size_t *n)
{
    const cull_criterion *c = plugin->vtable;
    size_t rows = 0;
    size_t cols = 0;

    *w = tinyworld_matrix(world, where, &rows, &cols);
    *n = rows * cols;
    float *out = cull_take(fake_ctx(host), *n, sizeof *out);
    assert_ok(host, c->score_weights(fake_ctx(host), fake_settings(host, plugin), &world->view,
                                     where, rows, cols, *w, out));
    return out;
}

static void metric_as_golden(void **state)
{
    (void)state;
    golden *g = tinyworld_golden(world, "weights");
    const float *w;
    size_t n = 0;
    const float *got = scores(fake_plugin(host, "criterion", "wanda"),
                              cull_at_expert(0, CULL_PART_GATE, 0), &w, &n);
    assert_close(got, golden_f64(g, "layer.0.expert.0.w1.wanda_metric", 2, NULL), n, 1e-6, 0);
    golden_close(g);
}

static void metric_of_olmoe_as_golden(void **state)
{
    tinyworld *mixtral = world;

    world = tinyworld_open(host, "tinyworld-olmoe");
    metric_as_golden(state);
    tinyworld_close(world);
    world = mixtral;
}

static void parts_have_inputs_of_their_own(void **state)
{
    (void)state;
    const cull_plugin *wanda = fake_plugin(host, "criterion", "wanda");
    const cull_layer_stats *st = &world->layer_stats[2];
    const struct {
        cull_matrix_id where;
        const double *sq;
        double tokens;
    } cases[] = {
        { cull_at_expert(2, CULL_PART_UP, 3), st->x_sq + 3 * st->D, st->count[3] },
        { cull_at_expert(2, CULL_PART_DOWN, 3), st->u_sq + 3 * st->F, st->count[3] },
        { cull_at(2, CULL_PART_K), st->part_sq[CULL_PART_K], 18432 },
        { cull_at(2, CULL_PART_O), st->part_sq[CULL_PART_O], 18432 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const float *w;
        size_t n = 0;
        const float *got = scores(wanda, cases[i].where, &w, &n);
        for (size_t j = 0; j < n; j++) {
            const double x = sqrt(cases[i].sq[j % TINYWORLD_D] / cases[i].tokens);
            assert_true(fabs((double)got[j] - fabs((double)w[j]) * x) <= 1e-6 * x);
        }
    }
}

static void unrouted_experts_fall_back_to_magnitude(void **state)
{
    (void)state;
    const float *w;
    size_t n = 0;
    size_t dead = 0;
    while (world->layer_stats[1].count[dead] > 0)
        dead++;
    const cull_matrix_id where = cull_at_expert(1, CULL_PART_DOWN, dead);
    const float *wanda = scores(fake_plugin(host, "criterion", "wanda"), where, &w, &n);
    const float *magnitude = scores(fake_plugin(host, "criterion", "magnitude"), where, &w, &n);
    for (size_t i = 0; i < n; i++) {
        assert_true(magnitude[i] == fabsf(w[i]));
        assert_true(wanda[i] == magnitude[i]);
    }
}

static void missing_statistics_are_named(void **state)
{
    (void)state;
    const cull_plugin *p = fake_plugin(host, "criterion", "wanda");
    const cull_criterion *c = p->vtable;
    const float w[1] = { 1 };
    float out[1];
    assert_fails(host,
                 c->score_weights(fake_ctx(host), fake_settings(host, p), &world->view,
                                  cull_at(3, CULL_PART_SHARED_UP), 1, 1, w, out),
                 CULL_ENOTSUP, "layer 3, shared_up");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metric_as_golden),
        cmocka_unit_test(metric_of_olmoe_as_golden),
        cmocka_unit_test(parts_have_inputs_of_their_own),
        cmocka_unit_test(unrouted_experts_fall_back_to_magnitude),
        cmocka_unit_test(missing_statistics_are_named),
    };

    return cmocka_run_group_tests_name("wanda", tests, setup, teardown);
}
