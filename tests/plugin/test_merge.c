// Strategy merge: groups, weights, neuron alignment; and what merging must leave alone.
#include "support/methods.h"

#include <math.h>

#include "base/rng.h"
#include "strategy/merge/align.h"
#include "support/assert_close.h"
#include "support/fixture.h"
#include "support/test.h"

WORLDS_FIXTURE

static const float *overlay_data(const cull_cut *cut, cull_matrix_id where)
{
    const size_t i = cull_cut_first(cut, where);

    return i == SIZE_MAX ? NULL : (const float *)cut->overlay[i].data;
}

static size_t aliases(const cull_layer_cut *layer)
{
    size_t n = 0;

    for (size_t e = 0; e < layer->E; e++) {
        assert_true(layer->action[e] == CULL_ACTION_BASE || layer->action[e] == CULL_ACTION_ALIAS);
        n += layer->action[e] == CULL_ACTION_ALIAS;
        assert_int_equal(layer->action[layer->target[e]], CULL_ACTION_BASE);
    }
    return n;
}

static void budgets_are_met_exactly(void **state)
{
    static const char *const groups[] = { "groups=dominant", "groups=average", "groups=complete",
                                          "groups=single" };

    (void)state;
    for (size_t w = 0; w < 2; w++)
        for (size_t g = 0; g < 4; g++) {
            tinyworld *world = worlds[w];
            const size_t E = world->layer[0].E;
            const cull_scores *scores = methods_score(world, "logit-similarity", NULL);

            for (size_t n = 0; n <= E; n += E / 2) {
                const cull_cut *by_layer =
                    methods_select(world, "merge", WORDS(groups[g]), scores,
                                   methods_budget(world, CULL_SCOPE_LAYER, n, 1));
                const cull_cut *global =
                    methods_select(world, "merge", WORDS(groups[g]), scores,
                                   methods_budget(world, CULL_SCOPE_GLOBAL, 3 * n, 1));
                size_t sum = 0;

                for (size_t l = 0; l < TINYWORLD_L; l++) {
                    assert_int_equal(aliases(&by_layer->layer[l]), n < E - 1 ? n : E - 1);
                    sum += aliases(&global->layer[l]);
                }
                assert_int_equal(sum, 3 * n);
            }
        }
}

// The most used experts stay, and every other serves the nearest of them.
static void minors_join_the_nearest_dominant(void **state)
{
    tinyworld *world = worlds[0];
    const size_t E = world->layer[0].E;
    const cull_scores *scores = methods_score(world, "logit-similarity", NULL);
    const cull_cut *cut = methods_select(world, "merge", NULL, scores,
                                         methods_budget(world, CULL_SCOPE_LAYER, E / 2, 1));

    (void)state;
    for (size_t l = 0; l < TINYWORLD_L; l++)
        for (size_t e = 0; e < E; e++) {
            const cull_layer_cut *layer = &cut->layer[l];
            const double *n = world->layer_stats[l].count;

            for (size_t c = 0; c < E; c++) {
                if (layer->action[e] == CULL_ACTION_BASE && layer->action[c] == CULL_ACTION_ALIAS)
                    assert_true(n[e] >= n[c]);
                if (layer->action[e] == CULL_ACTION_ALIAS && layer->action[c] == CULL_ACTION_BASE)
                    assert_true(scores->pair[l][e * E + layer->target[e]] <=
                                scores->pair[l][e * E + c]);
            }
        }
}

// The merged matrices are the usage-weighted means, computed here once more; a group without any
// tokens takes the plain mean.
static void means_are_weighted_by_usage(void **state)
{
    tinyworld *world = worlds[0];
    const size_t E = world->layer[0].E;

    (void)state;
    for (int weighted = 0; weighted < 2; weighted++) {
        const cull_cut *cut = methods_select(
            world, "merge", WORDS("groups=average", weighted ? "weighted=true" : "weighted=false"),
            methods_score(world, "output-distance", NULL),
            methods_budget(world, CULL_SCOPE_LAYER, E / 2, 1));

        for (size_t l = 0; l < TINYWORLD_L; l++)
            for (size_t t = 0; t < E; t++) {
                const cull_matrix_id where = cull_at_expert(l, CULL_PART_UP, t);
                const float *merged = overlay_data(cut, where);
                size_t rows = 0, cols = 0, members = 0;
                double total = 0.0, all = 0.0;

                for (size_t e = 0; e < E; e++)
                    if (cut->layer[l].target[e] == t) {
                        all += world->layer_stats[l].count[e];
                        members++;
                    }
                assert_int_equal(merged != NULL, members > 1);
                if (!merged)
                    continue;

                double *sum = cull_take(fake_ctx(host), TINYWORLD_D * 128, sizeof *sum);
                assert_non_null(sum);
                for (size_t e = 0; e < E; e++) {
                    if (cut->layer[l].target[e] != t)
                        continue;
                    const double n = weighted && all > 0.0 ? world->layer_stats[l].count[e] : 1.0;
                    const float *w =
                        tinyworld_matrix(world, cull_at_expert(l, CULL_PART_UP, e), &rows, &cols);
                    for (size_t i = 0; i < rows * cols; i++)
                        sum[i] += n * (double)w[i];
                    total += n;
                }
                for (size_t i = 0; i < rows * cols; i++)
                    sum[i] /= total;
                assert_close(merged, (const double *)sum, rows * cols, 1e-7, 1e-12);
            }
    }
}

// The experts that no token reaches, merged into one, take their plain mean.
static void groups_without_tokens_take_the_plain_mean(void **state)
{
    tinyworld *world = worlds[0];
    const size_t l = 2, E = world->layer[l].E;
    const double *count = world->layer_stats[l].count;
    cull_scores *scores = methods_scores(world, CULL_FORM_PAIR);
    cull_budget *budget = methods_budget(world, CULL_SCOPE_LAYER, 0, 1);
    const size_t remove[TINYWORLD_L] = { 0, 0, 2, 0 };
    size_t unused = 0, first = SIZE_MAX, rows = 0, cols = 0;
    double *sum = cull_take(fake_ctx(host), TINYWORLD_D * 128, sizeof *sum);

    (void)state;
    assert_non_null(sum);
    budget->remove = remove;
    for (size_t i = 0; i < E * E; i++)
        scores->pair[l][i] = count[i / E] + count[i % E] > 0.0;
    const cull_cut *cut = methods_select(world, "merge", WORDS("groups=complete"), scores, budget);

    for (size_t e = 0; e < E; e++) {
        if (count[e] > 0.0)
            continue;
        const float *w =
            tinyworld_matrix(world, cull_at_expert(l, CULL_PART_DOWN, e), &rows, &cols);
        for (size_t i = 0; i < rows * cols; i++)
            sum[i] += (double)w[i] / 3.0;
        first = first == SIZE_MAX ? e : first;
        unused++;
        assert_int_equal(cut->layer[l].target[e], first);
    }
    assert_int_equal(unused, 3);
    const float *merged = overlay_data(cut, cull_at_expert(l, CULL_PART_DOWN, first));
    assert_non_null(merged);
    assert_close(merged, (const double *)sum, rows * cols, 1e-7, 1e-12);
}

// ---- centroids ----

// Who joins whom, once more: the first heads of a list sorted by saliency take their nearest.
static void take_in_turn(size_t E, const double *n, const double *d, size_t go, size_t capacity,
                         size_t *head)
{
    size_t order[64], left = go;

    for (size_t e = 0; e < E; e++) {
        size_t at = e;
        for (; at > 0 && n[order[at - 1]] > n[e]; at--)
            order[at] = order[at - 1];
        order[at] = e;
    }
    for (size_t i = 0; i < E; i++)
        head[order[i]] = i < go ? SIZE_MAX : order[i];
    for (size_t i = E; i-- > go && left > 0;)
        for (size_t taken = 1; taken < capacity && left > 0; taken++, left--) {
            size_t best = SIZE_MAX;
            for (size_t e = 0; e < E; e++)
                if (head[e] == SIZE_MAX &&
                    (best == SIZE_MAX || d[order[i] * E + e] < d[order[i] * E + best]))
                    best = e;
            head[best] = order[i];
        }
}

static void centroids_take_their_nearest(void **state)
{
    static const char *const capacities[] = { "capacity=2", "capacity=3", "capacity=16" };
    static const size_t capacity[] = { 2, 3, 16 };

    (void)state;
    for (size_t w = 0; w < 2; w++)
        for (size_t c = 0; c < 3; c++) {
            tinyworld *world = worlds[w];
            const size_t E = world->layer[0].E;
            const cull_scores *scores = methods_score(world, "logit-similarity", NULL);
            const cull_cut *cut =
                methods_select(world, "merge", WORDS("groups=centroids", capacities[c]), scores,
                               methods_budget(world, CULL_SCOPE_LAYER, E / 2, 1));

            for (size_t l = 0; l < TINYWORLD_L; l++) {
                size_t head[64];
                take_in_turn(E, world->layer_stats[l].count, scores->pair[l], E / 2, capacity[c],
                             head);
                for (size_t e = 0; e < E; e++)
                    assert_int_equal(cut->layer[l].target[e], head[e]);
            }
        }
}

static void too_few_places_are_refused(void **state)
{
    tinyworld *world = worlds[0];
    const methods_plugin p =
        methods_load(world, "strategy", "merge", WORDS("groups=centroids", "capacity=2"));
    const cull_strategy *merge = p.vtable;

    (void)state;
    assert_fails(host,
                 merge->select(fake_ctx(host), p.settings, &world->view,
                               methods_score(world, "logit-similarity", NULL),
                               methods_budget(world, CULL_SCOPE_LAYER, 9, 1), CULL_ALL_LAYERS,
                               tinyworld_cut(world)),
                 CULL_EINVAL, "7 groups of at most 2 experts have no room for 16");
}

// The members' rows are gone, their heads' matrices are those of an intact router, and a single
// layer is decided as it is among all.
static void routers_lose_the_members_rows(void **state)
{
    (void)state;
    for (size_t w = 0; w < 2; w++) {
        tinyworld *world = worlds[w];
        const size_t E = world->layer[0].E;
        const cull_scores *scores = methods_score(world, "logit-similarity", NULL);
        const cull_budget *budget = methods_budget(world, CULL_SCOPE_LAYER, E / 2, 1);
        const cull_cut *kept = methods_select(world, "merge", NULL, scores, budget);
        const cull_cut *cut = methods_select(world, "merge", WORDS("router=drop"), scores, budget);
        const methods_plugin p = methods_load(world, "strategy", "merge", WORDS("router=drop"));
        const cull_strategy *merge = p.vtable;
        cull_cut *alone = tinyworld_cut(world);

        for (size_t l = 0; l < TINYWORLD_L; l++)
            assert_ok(host, merge->select(fake_ctx(host), p.settings, &world->view, scores, budget,
                                          l, alone));
        for (size_t l = 0; l < TINYWORLD_L; l++)
            for (size_t e = 0; e < E; e++) {
                const cull_matrix_id up = cull_at_expert(l, CULL_PART_UP, e);
                const bool stays = kept->layer[l].target[e] == e;
                const float *merged = overlay_data(cut, up);

                assert_int_equal(cut->layer[l].action[e],
                                 stays ? CULL_ACTION_BASE : CULL_ACTION_DROP);
                assert_int_equal(alone->layer[l].action[e], cut->layer[l].action[e]);
                assert_int_equal(merged != NULL, overlay_data(kept, up) != NULL);
                if (!merged)
                    continue;
                const size_t bytes = world->layer[l].F * TINYWORLD_D * sizeof *merged;
                assert_memory_equal(merged, overlay_data(kept, up), bytes);
                assert_memory_equal(merged, overlay_data(alone, up), bytes);
            }
    }
}

// As many stay in each of a router's groups, the most salient of it, and never fewer than asked.
static void groups_of_a_router_keep_as_many(void **state)
{
    tinyworld world = *worlds[1];
    cull_layer_facts layer[TINYWORLD_L];
    const size_t E = world.layer[0].E, size = E / 4;

    (void)state;
    for (size_t l = 0; l < TINYWORLD_L; l++) {
        layer[l] = world.layer[l];
        layer[l].n_group = 4;
        layer[l].topk_group = 2;
    }
    world.view.layer = layer;
    for (size_t go = 8; go <= 10; go += 2) {
        const cull_cut *cut =
            methods_select(&world, "merge", WORDS("groups=centroids", "router=drop"),
                           methods_score(&world, "logit-similarity", NULL),
                           methods_budget(&world, CULL_SCOPE_LAYER, go, 8));
        for (size_t l = 0; l < TINYWORLD_L; l++)
            for (size_t g = 0; g < 4; g++) {
                const double *n = world.layer_stats[l].count;
                double least = INFINITY, most = 0;
                size_t stay = 0;
                for (size_t e = g * size; e < (g + 1) * size; e++) {
                    const bool stays = cut->layer[l].action[e] == CULL_ACTION_BASE;
                    stay += stays;
                    least = stays ? fmin(least, n[e]) : least;
                    most = stays ? most : fmax(most, n[e]);
                }
                assert_int_equal(stay, 6);
                assert_true(least >= most);
            }
    }
}

// ---- merging identical experts changes nothing ----

static size_t twin[64];            // whose weights an expert has
static const size_t *neuron_order; // (F) how an odd expert's neurons are turned; NULL: not at all

static cull_status twin_weights(cull_ctx *ctx, const cull_view *view, cull_matrix_id where,
                                const float **w, size_t *rows, size_t *cols, const float **bias)
{
    const size_t e = where.expert;
    const float *base;

    *bias = NULL;
    base =
        tinyworld_matrix(view->core, cull_at_expert(where.layer, where.part, twin[e]), rows, cols);
    *w = base;
    if (!neuron_order || twin[e] == e)
        return CULL_OK;

    float *turned = cull_take(ctx, *rows * *cols, sizeof *turned);
    assert_non_null(turned);
    for (size_t r = 0; r < *rows; r++)
        for (size_t c = 0; c < *cols; c++)
            turned[r * *cols + c] = where.part == CULL_PART_DOWN
                                        ? base[r * *cols + neuron_order[c]]
                                        : base[neuron_order[r] * *cols + c];
    *w = turned;
    return CULL_OK;
}

// Pairs of twins at distance 0, all else far apart.
static const cull_scores *twin_scores(tinyworld *world)
{
    const size_t E = world->layer[0].E;
    cull_scores *scores = methods_scores(world, CULL_FORM_PAIR);

    for (size_t l = 0; l < TINYWORLD_L; l++)
        for (size_t i = 0; i < E * E; i++)
            scores->pair[l][i] = twin[i / E] == twin[i % E] ? 0.0 : 1.0;
    return scores;
}

static void assert_twins_merge_into_themselves(tinyworld *world, const char *align)
{
    static const cull_part parts[] = { CULL_PART_GATE, CULL_PART_UP, CULL_PART_DOWN };
    const size_t E = world->layer[0].E;
    const cull_cut *cut =
        methods_select(world, "merge", WORDS("groups=complete", align), twin_scores(world),
                       methods_budget(world, CULL_SCOPE_LAYER, E / 2, 1));

    for (size_t l = 0; l < TINYWORLD_L; l++)
        for (size_t e = 0; e < E; e++) {
            const size_t target = cut->layer[l].target[e];

            assert_int_equal(twin[target], twin[e]);
            for (size_t p = 0; p < 3 && target == e; p++) {
                const cull_matrix_id where = cull_at_expert(l, parts[p], e);
                const float *merged = overlay_data(cut, where), *own, *bias;
                size_t rows, cols;

                assert_ok(host, twin_weights(fake_ctx(host), &world->view, where, &own, &rows,
                                             &cols, &bias));
                assert_non_null(merged);
                assert_memory_equal(merged, own, rows * cols * sizeof *own);
            }
        }
}

static void merging_twins_changes_nothing(void **state)
{
    (void)state;
    for (size_t w = 0; w < 2; w++) {
        tinyworld world = *worlds[w];
        const size_t E = world.layer[0].E;

        for (size_t e = 0; e < E; e++)
            twin[e] = e / 2 * 2;
        neuron_order = NULL;
        world.view.weights = twin_weights;
        assert_twins_merge_into_themselves(&world, "align=false");
    }
}

// Twins whose neurons stand in another order are one expert again once they are aligned.
static void alignment_finds_the_permutation(void **state)
{
    (void)state;
    for (size_t w = 0; w < 2; w++) {
        tinyworld world = *worlds[w];
        const size_t E = world.layer[0].E, F = world.layer[0].F;
        size_t order[128];
        struct cull_rng rng;

        cull_rng_init(&rng, 3, "test", "neurons");
        cull_rng_shuffle(&rng, F, order);
        for (size_t e = 0; e < E; e++)
            twin[e] = e / 2 * 2;
        neuron_order = order;
        world.view.weights = twin_weights;
        assert_twins_merge_into_themselves(&world, "align=true");
        assert_twins_merge_into_themselves(&world, "align=weights");
        neuron_order = NULL;
    }
}

// ---- assignment ----

static double best_by_enumeration(size_t n, const double *cost, size_t row, unsigned used)
{
    double best = INFINITY;

    if (row == n)
        return 0.0;
    for (size_t c = 0; c < n; c++)
        if (!(used >> c & 1u))
            best = fmin(best,
                        cost[row * n + c] + best_by_enumeration(n, cost, row + 1, used | 1u << c));
    return best;
}

static void assignments_are_optimal(void **state)
{
    enum { N = 7 };
    struct cull_rng rng;

    (void)state;
    cull_rng_init(&rng, 11, "test", "cost");
    for (int i = 0; i < 200; i++) {
        double cost[N * N];
        size_t column[N];
        double sum = 0.0;
        unsigned used = 0;

        for (size_t k = 0; k < N * N; k++) // every other case has many ties
            cost[k] = i % 2 ? (double)cull_rng_below(&rng, 4) : cull_rng_uniform(&rng) - 0.5;
        assert_ok(host, assign(fake_ctx(host), N, cost, column));
        for (size_t r = 0; r < N; r++) {
            used |= 1u << column[r];
            sum += cost[r * N + column[r]];
        }
        assert_int_equal(used, (1u << N) - 1);
        assert_true(fabs(sum - best_by_enumeration(N, cost, 0, 0)) < 1e-6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(budgets_are_met_exactly),
        cmocka_unit_test(minors_join_the_nearest_dominant),
        cmocka_unit_test(means_are_weighted_by_usage),
        cmocka_unit_test(groups_without_tokens_take_the_plain_mean),
        cmocka_unit_test(centroids_take_their_nearest),
        cmocka_unit_test(too_few_places_are_refused),
        cmocka_unit_test(routers_lose_the_members_rows),
        cmocka_unit_test(groups_of_a_router_keep_as_many),
        cmocka_unit_test(merging_twins_changes_nothing),
        cmocka_unit_test(alignment_finds_the_permutation),
        cmocka_unit_test(assignments_are_optimal),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
