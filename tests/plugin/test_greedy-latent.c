// STUN's expert stage: dendrograms, the authors' greedy clustering, representatives and means
// against golden.
#include "support/methods.h"

#include <math.h>
#include <stdio.h>

#include "strategy/greedy-latent/reconstruct.h"
#include "strategy/greedy-latent/reject.h"
#include "support/assert_close.h"
#include "support/fixture.h"
#include "support/test.h"

WORLDS_FIXTURE

static const int32_t *layer_i32(golden *g, size_t l, const char *name, size_t n)
{
    char full[128];

    snprintf(full, sizeof full, "layer.%zu.%s", l, name);
    return golden_i32(g, full, 1, &n);
}

static double *copy_of(const double *x, size_t n)
{
    double *out = cull_take(fake_ctx(host), n, sizeof *out);

    assert_non_null(out);
    memcpy(out, x, n * sizeof *out);
    return out;
}

// ---- below the vtable ----

static void dendrograms_are_golden(void **state)
{
    (void)state;
    for (size_t w = 0; w < 2; w++) {
        const size_t E = worlds[w]->layer[0].E;
        const cull_scores *scores = methods_score(worlds[w], "similarity", NULL);
        golden *stun = tinyworld_golden(worlds[w], "stun");

        for (size_t l = 0; l < TINYWORLD_L; l++) {
            struct merge merges[64];
            size_t size[64], n = E - 1;
            char name[64];

            assert_int_equal(
                agglomerate(LINKAGE_COMPLETE, E, copy_of(scores->pair[l], E * E), size, merges), n);
            snprintf(name, sizeof name, "layer.%zu.merge_height", l);
            const double *height = golden_f64(stun, name, 1, &n);
            const int32_t *a = layer_i32(stun, l, "merge_a", n);
            const int32_t *b = layer_i32(stun, l, "merge_b", n);
            for (size_t m = 0; m < n; m++) {
                assert_int_equal(merges[m].a, a[m]);
                assert_int_equal(merges[m].b, b[m]);
                assert_true(fabs(merges[m].height - height[m]) < 1e-14);
            }
        }
        golden_close(stun);
    }
}

// Points on a line; by hand.
static void linkages_differ(void **state)
{
    const double x[4] = { 0.0, 1.0, 2.5, 4.5 };
    const double heights[3][3] = { [LINKAGE_COMPLETE] = { 1.0, 2.0, 4.5 },
                                   [LINKAGE_AVERAGE] = { 1.0, 2.0, 10.0 / 3.0 },
                                   [LINKAGE_SINGLE] = { 1.0, 1.5, 2.0 } };

    (void)state;
    for (int linkage = LINKAGE_COMPLETE; linkage <= LINKAGE_SINGLE; linkage++) {
        double d[16];
        size_t size[4];
        struct merge merges[3];

        for (size_t i = 0; i < 16; i++)
            d[i] = fabs(x[i / 4] - x[i % 4]);
        agglomerate((enum linkage)linkage, 4, d, size, merges);
        assert_close(
            (const double *)((double[]){ merges[0].height, merges[1].height, merges[2].height }),
            (const double *)heights[linkage], 3, 1e-15, 0.0);
    }
}

static void greedy_rejection_is_golden(void **state)
{
    (void)state;
    for (size_t w = 0; w < 2; w++) {
        const size_t E = worlds[w]->layer[0].E;
        const cull_scores *scores = methods_score(worlds[w], "similarity", NULL);
        golden *stun = tinyworld_golden(worlds[w], "stun");
        const double *taus = golden_f64(stun, "taus", 1, (size_t[]){ 3 });
        size_t experts[64];

        for (size_t e = 0; e < E; e++)
            experts[e] = e;
        for (size_t t = 0; t < 3; t++)
            for (size_t l = 0; l < TINYWORLD_L; l++) {
                const struct cloud cloud = {
                    .layer = l, .n = E, .expert = experts, .d = scores->pair[l]
                };
                const size_t cap = E - 1;
                struct merge merges[64];
                size_t n, label[64];
                char name[64];

                assert_ok(host,
                          reject_merges(fake_ctx(host), &(struct rejection){ 1, &cloud, &cap },
                                        taus[t], merges, &n));
                for (size_t e = 0; e < E; e++)
                    label[e] = e;
                for (size_t m = 0; m < n; m++)
                    for (size_t e = 0; e < E; e++)
                        label[e] = label[e] == merges[m].b ? merges[m].a : label[e];
                snprintf(name, sizeof name, "greedy_tau%zu.cluster", t);
                const int32_t *want = layer_i32(stun, l, name, E);
                for (size_t e = 0; e < E; e++)
                    assert_int_equal(label[e], want[e]);
            }
        golden_close(stun);
    }
}

// Each member's distance to its cluster's mean; the nearest represents the cluster.
static void distances_to_means_are_golden(void **state)
{
    (void)state;
    for (size_t w = 0; w < 2; w++) {
        const size_t E = worlds[w]->layer[0].E;
        golden *stun = tinyworld_golden(worlds[w], "stun");

        for (size_t l = 0; l < TINYWORLD_L; l++) {
            const int32_t *label = layer_i32(stun, l, "cluster", E);
            const int32_t *rep = layer_i32(stun, l, "representative", E);
            char name[64];

            snprintf(name, sizeof name, "layer.%zu.dist_to_mean", l);
            const double *want = golden_f64(stun, name, 1, &E);
            for (size_t first = 0; first < E; first++) {
                size_t member[64], n = 0, nearest = 0;
                double far[64];

                for (size_t e = first; e < E; e++)
                    if ((size_t)label[e] == first)
                        member[n++] = e;
                if (n == 0)
                    continue;
                const struct group group = { .layer = l, .n = n, .expert = member };
                assert_ok(host, distances_to_mean(fake_ctx(host), &worlds[w]->view, &group, far));
                assert_ok(host,
                          find_representative(fake_ctx(host), &worlds[w]->view, &group, &nearest));
                assert_int_equal(nearest, rep[first]);
                for (size_t i = 0; i < n; i++)
                    assert_true(fabs(far[i] - want[member[i]]) <= 1e-12 * (1.0 + far[i]));
            }
        }
        golden_close(stun);
    }
}

// ---- through the vtable ----

static void clusters_keep_golden_representatives(void **state)
{
    (void)state;
    for (size_t w = 0; w < 2; w++) {
        tinyworld *world = worlds[w];
        const size_t E = world->layer[0].E;
        golden *stun = tinyworld_golden(world, "stun");
        const cull_cut *cut = methods_select(
            world, "greedy-latent", NULL, methods_score(world, "similarity", NULL),
            methods_budget(world, CULL_SCOPE_GLOBAL, TINYWORLD_L * E / 4, world->layer[0].K));

        for (size_t l = 0; l < TINYWORLD_L; l++) {
            int32_t kept[64];
            const size_t n = methods_kept(&cut->layer[l], kept);

            assert_memory_equal(kept, layer_i32(stun, l, "kept", n), n * sizeof *kept);
        }
        assert_int_equal(cut->n_overlays, 0); // no layer is left with two clusters
        golden_close(stun);
    }
}

// The golden end-to-end variants: three distances, one share of every layer or one cut through all.
static void variants_are_golden(void **state)
{
    static const struct {
        const char *golden;
        const char *settings[3];
    } distances[] = {
        { "stun_a_norm", { NULL } },
        { "stun_b_norm", { "mode=coactivation" } },
        { "stun_c_raw", { "mode=both", "normalise=false" } },
    };

    (void)state;
    for (size_t w = 0; w < 2; w++) {
        tinyworld *world = worlds[w];
        const size_t E = world->layer[0].E, K = world->layer[0].K, all = TINYWORLD_L * E;
        golden *eval = tinyworld_golden(world, "eval");

        for (size_t d = 0; d < sizeof distances / sizeof *distances; d++) {
            const cull_scores *scores = methods_score(world, "similarity", distances[d].settings);
            const struct {
                const char *name;
                const cull_budget *budget;
            } cuts[] = {
                { "uniform", methods_budget(world, CULL_SCOPE_LAYER, E / 4, K) },
                { "cut", methods_budget(world, CULL_SCOPE_GLOBAL, all / 4, K) },
                { "cut-half", methods_budget(world, CULL_SCOPE_GLOBAL, all / 2, K) },
            };
            for (size_t c = 0; c < sizeof cuts / sizeof *cuts; c++) {
                char variant[64];

                snprintf(variant, sizeof variant, "drop-%s-%s", distances[d].golden, cuts[c].name);
                methods_assert_kept(world, eval, variant,
                                    methods_select(world, "greedy-latent",
                                                   WORDS("reconstruct=representative"), scores,
                                                   cuts[c].budget),
                                    CULL_ACTION_DROP);
            }
        }
        golden_close(eval);
    }
}

static const cull_overlay *overlay_at(const cull_cut *cut, cull_matrix_id where)
{
    const size_t i = cull_cut_first(cut, where);

    if (i == SIZE_MAX)
        return NULL;
    assert_int_equal(cut->overlay[i].kind, CULL_MATRIX);
    return &cut->overlay[i];
}

static void assert_router_means(tinyworld *world, golden *stun, const cull_cut *cut, size_t l)
{
    const size_t E = world->layer[l].E, D = TINYWORLD_D;
    const cull_overlay *router = overlay_at(cut, cull_at(l, CULL_PART_ROUTER));
    const int32_t *label = layer_i32(stun, l, "cluster", E);
    const int32_t *rep = layer_i32(stun, l, "representative", E);
    size_t rows, cols, cluster = 0;
    char name[64];

    snprintf(name, sizeof name, "layer.%zu.mean_router", l);
    const float *mean = golden_f32(stun, name, 2, NULL);
    const float *base = tinyworld_matrix(world, cull_at(l, CULL_PART_ROUTER), &rows, &cols);
    assert_non_null(router);
    assert_true(router->rows == E && router->cols == D);
    for (size_t e = 0; e < E; e++) {
        const float *row = (const float *)router->data + e * D;

        if ((size_t)label[e] == e) // clusters come in the order of their labels
            assert_memory_equal((const float *)router->data + (size_t)rep[e] * D,
                                mean + cluster++ * D, D * sizeof *row);
        if ((size_t)rep[e] != e)
            assert_memory_equal(row, base + e * D, D * sizeof *row);
    }
}

static void means_are_golden(void **state)
{
    static const cull_part parts[] = { CULL_PART_GATE, CULL_PART_UP, CULL_PART_DOWN };
    size_t samples = 0;

    (void)state;
    for (size_t w = 0; w < 2; w++) {
        tinyworld *world = worlds[w];
        const size_t E = world->layer[0].E;
        golden *stun = tinyworld_golden(world, "stun");
        const cull_cut *cut = methods_select(
            world, "greedy-latent", WORDS("reconstruct=mean"),
            methods_score(world, "similarity", NULL),
            methods_budget(world, CULL_SCOPE_GLOBAL, TINYWORLD_L * E / 4, world->layer[0].K));

        for (size_t l = 0; l < TINYWORLD_L; l++) {
            const int32_t *rep = layer_i32(stun, l, "representative", E);

            assert_router_means(world, stun, cut, l);
            for (size_t e = 0; e < E; e++)
                for (size_t p = 0; p < 3; p++) {
                    char name[64];
                    const cull_overlay *o =
                        overlay_at(cut, cull_at_expert(l, parts[p], (size_t)rep[e]));

                    snprintf(name, sizeof name, "layer.%zu.cluster.%zu.mean_%s", l, e,
                             tinyworld_w(parts[p]));
                    if (!golden_has(stun, name)) // one sample cluster is golden
                        continue;
                    assert_non_null(o);
                    assert_memory_equal(o->data,
                                        golden_f32(stun, name, 2, (size_t[]){ o->rows, o->cols }),
                                        o->rows * o->cols * sizeof(float));
                    samples++;
                }
        }
        golden_close(stun);
    }
    assert_int_equal(samples, 2 * 3);
}

// Means are taken where fewer than kappa clusters are left, and only there.
static void reconstruction_is_selective(void **state)
{
    tinyworld *world = worlds[0];
    const size_t E = world->layer[0].E;
    const cull_scores *scores = methods_score(world, "similarity", NULL);
    cull_budget *budget = methods_budget(world, CULL_SCOPE_LAYER, 0, 2);
    const size_t remove[TINYWORLD_L] = { 0, E - 2, E - 3, E - 2 };

    (void)state;
    budget->remove = remove;
    const cull_cut *cut = methods_select(world, "greedy-latent", NULL, scores, budget);
    for (size_t l = 0; l < TINYWORLD_L; l++)
        assert_int_equal(overlay_at(cut, cull_at(l, CULL_PART_ROUTER)) != NULL, l == 1 || l == 3);
    cut = methods_select(world, "greedy-latent", WORDS("kappa=4"), scores, budget);
    for (size_t l = 0; l < TINYWORLD_L; l++)
        assert_int_equal(overlay_at(cut, cull_at(l, CULL_PART_ROUTER)) != NULL, l > 0);
}

static size_t removed(const cull_cut *cut, size_t l)
{
    int32_t kept[64];

    return cut->layer[l].E - methods_kept(&cut->layer[l], kept);
}

// Every linkage meets every budget: of one threshold, of layers, with integer ties.
static void budgets_are_met_exactly(void **state)
{
    static const char *const linkages[] = { "linkage=complete", "linkage=average", "linkage=single",
                                            "linkage=stun-greedy" };
    static const char *const modes[] = { "mode=router", "mode=coactivation", "mode=both" };

    (void)state;
    for (size_t w = 0; w < 2; w++)
        for (size_t m = 0; m < 3; m++) {
            tinyworld *world = worlds[w];
            const size_t E = world->layer[0].E, K = world->layer[0].K;
            const cull_scores *scores =
                methods_score(world, "similarity", WORDS(modes[m], "normalise=false"));

            for (size_t i = 0; i < 4; i++)
                for (size_t n = 0; n <= E; n += E / 3) {
                    size_t sum = 0;
                    const cull_cut *by_layer =
                        methods_select(world, "greedy-latent", WORDS(linkages[i]), scores,
                                       methods_budget(world, CULL_SCOPE_LAYER, n, K));
                    const cull_cut *global =
                        methods_select(world, "greedy-latent", WORDS(linkages[i]), scores,
                                       methods_budget(world, CULL_SCOPE_GLOBAL, 3 * n, K));

                    for (size_t l = 0; l < TINYWORLD_L; l++) {
                        assert_int_equal(removed(by_layer, l), n < E - K ? n : E - K);
                        assert_true(removed(global, l) <= E - K);
                        sum += removed(global, l);
                    }
                    assert_int_equal(sum, 3 * n);
                }
        }
}

static void caps_bound_each_layer(void **state)
{
    tinyworld *world = worlds[1];
    const cull_cut *cut = methods_select(
        world, "greedy-latent", WORDS("linkage=stun-greedy", "cap=1"),
        methods_score(world, "similarity", NULL), methods_budget(world, CULL_SCOPE_GLOBAL, 4, 4));

    (void)state;
    for (size_t l = 0; l < TINYWORLD_L; l++)
        assert_int_equal(removed(cut, l), 1);
}

// Experts that all lie at one point: the lowest stays.
static void ties_keep_the_lowest(void **state)
{
    tinyworld *world = worlds[0];
    const cull_scores *equal = methods_scores(world, CULL_FORM_PAIR);
    const cull_cut *cut = methods_select(world, "greedy-latent", WORDS("kappa=1"), equal,
                                         methods_budget(world, CULL_SCOPE_GLOBAL, 1, 2));

    (void)state;
    for (size_t l = 0; l < TINYWORLD_L; l++)
        for (size_t e = 0; e < world->layer[l].E; e++)
            assert_int_equal(cut->layer[l].action[e] == CULL_ACTION_DROP, l == 0 && e == 1);
}

// Experts dropped before are no candidates and lie in no cluster.
static void later_stages_cluster_what_stands(void **state)
{
    tinyworld world = *worlds[0];
    const size_t E = world.layer[0].E;
    const methods_plugin p = methods_load(&world, "strategy", "greedy-latent", NULL);
    const cull_strategy *strategy = p.vtable;
    cull_scores *equal = methods_scores(&world, CULL_FORM_PAIR);
    cull_cut *before = tinyworld_cut(&world);

    (void)state;
    for (size_t e = 0; e < 4; e++)
        before->layer[1].action[e] = CULL_ACTION_DROP;
    cull_cut *cut = cull_cut_copy(fake_ctx(host), before);
    assert_non_null(cut);
    world.view.before = before;
    assert_ok(host, strategy->select(fake_ctx(host), p.settings, &world.view, equal,
                                     methods_budget(&world, CULL_SCOPE_LAYER, 1, 2),
                                     CULL_ALL_LAYERS, cut));
    for (size_t e = 0; e < E; e++)
        assert_int_equal(cut->layer[1].action[e] == CULL_ACTION_DROP, e < 4 || e == 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dendrograms_are_golden),
        cmocka_unit_test(linkages_differ),
        cmocka_unit_test(greedy_rejection_is_golden),
        cmocka_unit_test(distances_to_means_are_golden),
        cmocka_unit_test(clusters_keep_golden_representatives),
        cmocka_unit_test(variants_are_golden),
        cmocka_unit_test(means_are_golden),
        cmocka_unit_test(reconstruction_is_selective),
        cmocka_unit_test(budgets_are_met_exactly),
        cmocka_unit_test(caps_bound_each_layer),
        cmocka_unit_test(ties_keep_the_lowest),
        cmocka_unit_test(later_stages_cluster_what_stands),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
