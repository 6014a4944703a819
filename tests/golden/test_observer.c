// A criterion's own statistic (first-choice) against the choices that transformers made of the same
// tokens.
#include <math.h>
#include <stdio.h>

#include "support/golden.h"
#include "support/opened.h"
#include "support/test.h"

enum { ROWS = 72, LENGTH = 256, MOST_LAYERS = 8 };

typedef struct counted {
    double *acc[MOST_LAYERS];
    size_t n[MOST_LAYERS];
} counted;

static golden *open_part(fake_host *host, const char *model, const char *part)
{
    char path[512];

    (void)snprintf(path, sizeof path, CULL_SOURCE_DIR "/tests/golden/methods/%s/%s.safetensors",
                   model, part);
    return golden_open(host, path);
}

static void observe(fake_host *host, const char *model, const cull_open_model *m, counted *out)
{
    const cull_plugin *plugin = fake_plugin(host, "criterion", "first-choice");
    const cull_criterion *criterion = plugin->vtable;
    golden *ids = open_part(host, model, "calibration");
    const int32_t *at = golden_i32(ids, "ids", 2, (size_t[]){ ROWS, LENGTH });
    cull_sequence *sequence = cull_take(fake_ctx(host), ROWS, sizeof *sequence);
    cull_observer_use use = { .plugin = plugin,
                              .observer = criterion->observer,
                              .settings = fake_settings(host, plugin),
                              .n = out->n,
                              .acc = out->acc };

    assert_true(sequence && m->facts->L <= MOST_LAYERS);
    for (size_t i = 0; i < ROWS; i++)
        sequence[i] =
            (cull_sequence){ .size = sizeof *sequence, .ids = at + LENGTH * i, .n = LENGTH };
    for (size_t l = 0; l < m->facts->L; l++) {
        const size_t n = criterion->observer->doubles(use.settings, cull_layer_of(m, l));
        assert_int_equal(n, cull_layer_of(m, l)->E);
        out->n[l] = n;
        out->acc[l] = cull_take(fake_ctx(host), n, sizeof *out->acc[l]);
        assert_non_null(out->acc[l]);
    }

    const cull_sequences rows = { sizeof rows, ROWS, sequence };
    cull_stats_store *store = cull_stats_store_new(fake_ctx(host), m->facts, m->layer, 0);
    const cull_calibration cal = {
        .rows = &rows, .n_observers = 1, .observers = &use, .out = store
    };
    assert_non_null(store);
    assert_ok(host, cull_calibrate_pass(fake_ctx(host), m, NULL, 1, &cal, NULL));
    cull_stats_store_free(store);
    golden_close(ids);
}

static void check_layer(golden *stats, size_t l, size_t E, size_t K, const double *acc)
{
    const size_t tokens = (size_t)ROWS * LENGTH;
    double want[64] = { 0 }, sum = 0;
    char name[64];
    size_t n;

    (void)snprintf(name, sizeof name, "layer.%zu.topk", l);
    const double *chosen = golden_numbers(stats, name, &n);
    assert_true(E <= 64 && n == tokens * K);
    for (size_t t = 0; t < tokens; t++)
        want[(size_t)chosen[t * K]] += 1;
    for (size_t e = 0; e < E; e++) {
        if (fabs(acc[e] - want[e]) > 1) // a token whose first two gates are all but equal
            fail_msg("layer %zu: expert %zu comes first %g times, not %g", l, e, acc[e], want[e]);
        sum += acc[e];
    }
    assert_true(sum == (double)tokens);
}

static void first_choices(void **state)
{
    const char *model = *state;
    char path[128];
    counted alone = { .n = { 0 } }, together = { .n = { 0 } };

    (void)snprintf(path, sizeof path, "models/%s", model);
    for (size_t threads = 1; threads <= 3; threads += 2) {
        fake_host *host = fake_host_new(threads);
        cull_open_model m = opened_new(host, path);
        golden *stats = open_part(host, model, "stats");
        observe(host, model, &m, threads == 1 ? &alone : &together);
        for (size_t l = 0; l < m.facts->L; l++)
            check_layer(stats, l, m.layer[l]->E, m.layer[l]->K,
                        (threads == 1 ? &alone : &together)->acc[l]);
        golden_close(stats);
        opened_close(&m);
        fake_host_free(host);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        { "first_choices mixtral", first_choices, NULL, NULL, "tinyworld-mixtral" },
        { "first_choices olmoe", first_choices, NULL, NULL, "tinyworld-olmoe" },
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
