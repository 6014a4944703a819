// Losses of subsets: criterion enumeration against the losses of layers that were really sliced.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/assert_close.h"
#include "support/dense_sample.h"
#include "support/fixture.h"
#include "support/subsets.h"
#include "support/test.h"

static const char *const objectives[] = { "sq", "peer", "rel" };

HOST_FIXTURE(2)

static cull_subset_loss losses_of(tinyworld *world, size_t l, const char *objective)
{
    const cull_plugin *p = fake_plugin(host, "criterion", "enumeration");
    const cull_criterion *c = p->vtable;
    void *settings = fake_settings(host, p);
    cull_scores scores = { .size = sizeof scores, .form = CULL_FORM_SUBSET };

    fake_set(host, p, settings, "objective", objective);
    assert_ok(host, c->score(fake_ctx(host), settings, &world->view, l, &scores));
    return scores.subset;
}

// Losses as the golden ones, relative to the loss or, for sets that cost almost nothing, to the
// energy.
static void compare(tinyworld *world, golden *g, size_t l, size_t r)
{
    char name[64];
    size_t n = 0;
    size_t count = 0;
    const uint64_t *sets = subsets_all(host, world->layer[l].E, r, &count);

    snprintf(name, sizeof name, "layer.%zu.output_energy", l);
    const double energy = golden_numbers(g, name, &n)[0];
    const double tiny[] = { energy, sqrt(energy), 1 };
    double *loss = cull_take(fake_ctx(host), count, sizeof *loss);
    for (size_t o = 0; o < 3; o++) {
        const cull_subset_loss q = losses_of(world, l, objectives[o]);
        assert_ok(host, q.eval(fake_ctx(host), q.self, count, 1, sets, loss));
        snprintf(name, sizeof name, "layer.%zu.keep%zu.%s", l, r, objectives[o]);
        const double *want = golden_numbers(g, name, &n);
        assert_int_equal(n, count);
        assert_close(loss, want, n, 2e-6, 1e-10 * tiny[o]);
        for (size_t i = 0; i < n; i++)
            if (want[i] == 0 && loss[i] != 0)
                fail_msg("%s: set %zu costs %g, not exactly nothing", name, i, loss[i]);
    }
}

static void with_model(const char *model, size_t n, const size_t *keep)
{
    tinyworld *world = tinyworld_open(host, model);
    golden *g = tinyworld_golden(world, "subsets");

    for (size_t l = 0; l < TINYWORLD_L; l++) {
        world->layer_stats[l].dense = dense_sample_of(world, g, l);
        for (size_t i = 0; i < n; i++)
            compare(world, g, l, keep[i]);
    }
    golden_close(g);
    tinyworld_close(world);
}

static void mixtral_as_golden(void **state)
{
    (void)state;
    with_model("tinyworld-mixtral", 3, (size_t[]){ 14, 12, 8 });
}

static void olmoe_as_golden(void **state)
{
    (void)state;
    with_model("tinyworld-olmoe", 1, (size_t[]){ 30 });
}

// ---- small samples of a test's own ----

enum { SMALL_E = 6, SMALL_N = 70 };

typedef struct small {
    float logits[SMALL_N * SMALL_E], gram[SMALL_N * SMALL_E * SMALL_E], gate[SMALL_N * SMALL_E];
    double weight[SMALL_N];
    uint32_t group[SMALL_N];
    cull_dense_sample sample;
    cull_layer_facts facts;
    cull_layer_stats st;
    cull_stats stats;
    cull_view view;
} small;

// Orthonormal expert outputs, so that a loss is Σ‖δ‖²; top-2 of gates that the caller fills in.
static small *small_new(void)
{
    small *s = cull_take(fake_ctx(host), 1, sizeof *s);

    assert_non_null(s);
    for (size_t t = 0; t < SMALL_N; t++) {
        for (size_t e = 0; e < SMALL_E; e++) {
            s->logits[t * SMALL_E + e] =
                (float)((t * 7 + e * 5 + t * e) % 11) / 3 - 2 + (float)e / 64;
            s->gram[(t * SMALL_E + e) * SMALL_E + e] = 1;
        }
        s->weight[t] = 1;
        s->group[t] = (uint32_t)(t / 20);
    }
    s->sample = (cull_dense_sample){ .size = sizeof(cull_dense_sample),
                                     .N = SMALL_N,
                                     .logits = s->logits,
                                     .gram = s->gram,
                                     .gate = s->gate,
                                     .weight = s->weight,
                                     .group = s->group };
    s->facts = (cull_layer_facts){
        .size = sizeof s->facts, .E = SMALL_E, .K = 2, .n_group = 1, .topk_group = 1
    };
    s->st =
        (cull_layer_stats){ .size = sizeof(cull_layer_stats), .E = SMALL_E, .dense = &s->sample };
    s->stats = (cull_stats){ .size = sizeof s->stats, .L = 1, .layer = &s->st };
    s->view = (cull_view){ .size = sizeof s->view, .layer = &s->facts, .stats = &s->stats };
    return s;
}

// The reference: the gates of token t over the experts of `set`, straight from the definition.
static void gates(const small *s, size_t t, uint64_t set, bool sigmoid, double scale, double *g)
{
    double mass[SMALL_E];
    double all = 0;
    double chosen = 0;

    for (size_t e = 0; e < SMALL_E; e++) {
        const double z = (double)s->logits[t * SMALL_E + e];
        g[e] = 0;
        mass[e] = !(set >> e & 1) ? -1 : sigmoid ? 1 / (1 + exp(-z)) : exp(z);
        all += mass[e] < 0 ? 0 : mass[e];
    }
    size_t pick[2];
    for (size_t k = 0; k < 2; k++) {
        pick[k] = 0;
        for (size_t e = 0; e < SMALL_E; e++)
            if (g[e] == 0 && mass[e] > mass[pick[k]] - (g[pick[k]] != 0 ? 1e9 : 0))
                pick[k] = e;
        g[pick[k]] = mass[pick[k]];
        chosen += mass[pick[k]];
    }
    for (size_t e = 0; e < SMALL_E; e++)
        g[e] *= scale / (s->facts.renormalise ? chosen : sigmoid ? 1 : all);
}

static void routers_of_several_kinds(void **state)
{
    (void)state;
    const cull_plugin *p = fake_plugin(host, "criterion", "enumeration");
    const cull_criterion *c = p->vtable;
    void *settings = fake_settings(host, p);
    fake_set(host, p, settings, "objective", "sq");
    for (size_t kind = 0; kind < 8; kind++) {
        const bool sigmoid = kind & 1;
        const double scale = kind & 4 ? 2.5 : 1;
        small *s = small_new();
        s->facts.renormalise = (kind & 2) != 0;
        double g[SMALL_E];
        double h[SMALL_E];
        for (size_t t = 0; t < SMALL_N; t++) {
            gates(s, t, 63, sigmoid, scale, g);
            for (size_t e = 0; e < SMALL_E; e++)
                s->gate[t * SMALL_E + e] = (float)g[e];
        }
        cull_scores scores = { .size = sizeof scores, .form = CULL_FORM_SUBSET };
        assert_ok(host, c->score(fake_ctx(host), settings, &s->view, 0, &scores));
        for (uint64_t set = 3; set < 64; set++) {
            double want = 0;
            double got = 0;
            if ((set & (set - 1)) == 0)
                continue; // fewer than two
            for (size_t t = 0; t < SMALL_N; t++) {
                gates(s, t, 63, sigmoid, scale, g);
                gates(s, t, set, sigmoid, scale, h);
                for (size_t e = 0; e < SMALL_E; e++)
                    want += (g[e] - h[e]) * (g[e] - h[e]);
            }
            assert_ok(host,
                      scores.subset.eval(fake_ctx(host), scores.subset.self, 1, 1, &set, &got));
            assert_close(&got, &want, 1, 1e-6, 1e-9);
        }
    }
}

// Earlier layers are cut: the output is off by r before anything is dropped here, and a loss is ‖δ
// + r‖².
static void a_shifted_output_counts(void **state)
{
    (void)state;
    const cull_plugin *p = fake_plugin(host, "criterion", "enumeration");
    const cull_criterion *c = p->vtable;
    void *settings = fake_settings(host, p);
    small *s = small_new();
    float cross[SMALL_N * SMALL_E]; // r itself, since the outputs are orthonormal
    double offset[SMALL_N] = { 0 };
    double g[SMALL_E];
    double h[SMALL_E];
    fake_set(host, p, settings, "objective", "sq");
    s->facts.renormalise = true;
    for (size_t t = 0; t < SMALL_N; t++) {
        gates(s, t, 63, false, 1, g);
        for (size_t e = 0; e < SMALL_E; e++) {
            s->gate[t * SMALL_E + e] = (float)g[e];
            cross[t * SMALL_E + e] = (float)((t + 2 * e) % 5) / 8 - 0.25F;
            offset[t] += pow((double)cross[t * SMALL_E + e], 2);
        }
    }
    s->sample.cross = cross;
    s->sample.offset = offset;
    cull_scores scores = { .size = sizeof scores, .form = CULL_FORM_SUBSET };
    assert_ok(host, c->score(fake_ctx(host), settings, &s->view, 0, &scores));
    for (uint64_t set = 3; set < 64; set += 4) {
        double want = 0;
        double got = 0;
        for (size_t t = 0; t < SMALL_N; t++) {
            gates(s, t, 63, false, 1, g);
            gates(s, t, set, false, 1, h);
            for (size_t e = 0; e < SMALL_E; e++)
                want += pow(h[e] - g[e] + (double)cross[t * SMALL_E + e], 2);
        }
        assert_ok(host, scores.subset.eval(fake_ctx(host), scores.subset.self, 1, 1, &set, &got));
        assert_close(&got, &want, 1, 1e-6, 0);
    }
}

static void other_routers_are_refused(void **state)
{
    (void)state;
    const cull_plugin *p = fake_plugin(host, "criterion", "enumeration");
    const cull_criterion *c = p->vtable;
    void *settings = fake_settings(host, p);
    cull_scores scores = { .size = sizeof scores, .form = CULL_FORM_SUBSET };
    small *s = small_new();
    for (size_t t = 0; t < SMALL_N; t++) // chosen against the order of the logits
        s->gate[t * SMALL_E + t % SMALL_E] = 1;
    assert_fails(host, c->score(fake_ctx(host), settings, &s->view, 0, &scores), CULL_ENOTSUP,
                 "neither a softmax nor a sigmoid");
    cull_cut *before = cull_cut_new(fake_ctx(host), 1, 1, &s->facts.E);
    assert_non_null(before);
    before->layer[0].action[2] = CULL_ACTION_NOVICE;
    s->view.before = before;
    assert_fails(host, c->score(fake_ctx(host), settings, &s->view, 0, &scores), CULL_ENOTSUP,
                 "replaced experts");
    s->view.before = NULL;
    s->facts.gate_on_input = true;
    assert_fails(host, c->score(fake_ctx(host), settings, &s->view, 0, &scores), CULL_ENOTSUP,
                 "layer 0");
    s->st.dense = NULL;
    assert_fails(host, c->score(fake_ctx(host), settings, &s->view, 0, &scores), CULL_ENOTSUP,
                 "no dense outputs");
}

static void threads_do_not_matter(void **state)
{
    (void)state;
    double loss[2][120];
    for (size_t i = 0; i < 2; i++) {
        fake_host *mine = host;
        host = fake_host_new(i == 0 ? 1 : 5);
        tinyworld *world = tinyworld_open(host, "tinyworld-mixtral");
        golden *g = tinyworld_golden(world, "subsets");
        size_t n = 0;
        const uint64_t *sets = subsets_all(host, 16, 14, &n);
        world->layer_stats[0].dense = dense_sample_of(world, g, 0);
        const cull_subset_loss q = losses_of(world, 0, "peer");
        assert_ok(host, q.eval(fake_ctx(host), q.self, n, 1, sets, loss[i]));
        golden_close(g);
        tinyworld_close(world);
        fake_host_free(host);
        host = mine;
    }
    assert_memory_equal(loss[0], loss[1], sizeof loss[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mixtral_as_golden),         cmocka_unit_test(olmoe_as_golden),
        cmocka_unit_test(routers_of_several_kinds),  cmocka_unit_test(a_shifted_output_counts),
        cmocka_unit_test(other_routers_are_refused), cmocka_unit_test(threads_do_not_matter),
    };

    return cmocka_run_group_tests_name("enumeration", tests, setup, teardown);
}
