// Searching subsets: strategy combinatorial on criterion enumeration's losses, and on losses of a
// test's own.
#include <math.h>
#include <stdio.h>

#include "support/assert_close.h"
#include "support/dense_sample.h"
#include "support/fixture.h"
#include "support/subsets.h"
#include "support/test.h"

HOST_FIXTURE(2)

typedef struct combos { // the strategy with settings, on a world
    tinyworld *world;
    const cull_plugin *plugin;
    void *settings;
    cull_scores scores;
} combos;

static combos combos_on(tinyworld *world, const char *limit, const char *beam, const char *swaps)
{
    combos c = { .world = world, .plugin = fake_plugin(host, "strategy", "combinatorial") };

    c.settings = fake_settings(host, c.plugin);
    fake_set(host, c.plugin, c.settings, "limit", limit);
    fake_set(host, c.plugin, c.settings, "beam", beam);
    fake_set(host, c.plugin, c.settings, "swaps", swaps);
    return c;
}

static void score(combos *c, size_t l, const char *objective)
{
    const cull_plugin *p = fake_plugin(host, "criterion", "enumeration");
    const cull_criterion *criterion = p->vtable;
    void *settings = fake_settings(host, p);

    fake_set(host, p, settings, "objective", objective);
    c->scores = (cull_scores){ .size = sizeof c->scores, .form = CULL_FORM_SUBSET };
    assert_ok(host, criterion->score(fake_ctx(host), settings, &c->world->view, l, &c->scores));
}

// The kept set after `remove` experts of layer l went.
static uint64_t kept(const combos *c, size_t l, size_t remove, size_t keep_at_least)
{
    const cull_strategy *strategy = c->plugin->vtable;
    const size_t removes[TINYWORLD_L] = { remove, remove, remove, remove };
    const size_t least[TINYWORLD_L] = { keep_at_least, keep_at_least, keep_at_least,
                                        keep_at_least };
    const cull_budget budget = {
        .size = sizeof budget, .scope = CULL_SCOPE_LAYER, .remove = removes, .least = least
    };
    cull_cut *cut = cull_cut_copy(fake_ctx(host), c->world->view.before);
    uint64_t set = 0;

    assert_ok(host, strategy->select(fake_ctx(host), c->settings, &c->world->view, &c->scores,
                                     &budget, l, cut));
    for (size_t e = 0; e < c->world->layer[l].E; e++)
        set |= cut->layer[l].action[e] == CULL_ACTION_BASE ? (uint64_t)1 << e : 0;
    return set;
}

static double loss_of(const combos *c, uint64_t set)
{
    double loss = 0;

    assert_ok(host,
              c->scores.subset.eval(fake_ctx(host), c->scores.subset.self, 1, 1, &set, &loss));
    return loss;
}

static const char *const objectives[] = { "sq", "peer", "rel" };

// ---- golden losses ----

enum { SETS = 1 << 16 }; // of 16 experts

// self: (SETS) losses by set
static cull_status look_up(cull_ctx *ctx, const void *self, size_t n, size_t words,
                           const uint64_t *sets, double *loss)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        loss[i] = ((const double *)self)[sets[i * words]];
    return CULL_OK;
}

// The losses of all sets of `keep` of the 16 experts of layer l.
static cull_scores golden_losses(golden *g, size_t l, size_t keep, const char *objective)
{
    char name[64];
    size_t n = 0, n_golden = 0;
    double *loss = cull_take(fake_ctx(host), SETS, sizeof *loss);
    const uint64_t *sets = subsets_all(host, 16, keep, &n);

    assert_non_null(loss);
    snprintf(name, sizeof name, "layer.%zu.keep%zu.%s", l, keep, objective);
    const double *want = golden_numbers(g, name, &n_golden);
    assert_int_equal(n_golden, n);
    for (size_t i = 0; i < SETS; i++)
        loss[i] = NAN;
    for (size_t i = 0; i < n; i++)
        loss[sets[i]] = want[i];
    return (cull_scores){ .size = sizeof(cull_scores),
                          .form = CULL_FORM_SUBSET,
                          .subset = { look_up, loss } };
}

static uint64_t golden_set(golden *g, const char *name, size_t n)
{
    const int32_t *ids = golden_i32(g, name, 1, &n);
    uint64_t set = 0;

    for (size_t i = 0; i < n; i++)
        set |= (uint64_t)1 << ids[i];
    return set;
}

// The best set of `keep`, or one that ties with it; its loss; and greedy removal does no better.
static void best_set(combos *exact, combos *greedy, golden *g, size_t l, size_t keep,
                     const char *objective)
{
    char name[64];
    size_t n = 0;
    const size_t E = exact->world->layer[l].E;
    const size_t K = exact->world->layer[l].K;

    snprintf(name, sizeof name, "layer.%zu.keep%zu.best_%s", l, keep, objective);
    const uint64_t want = golden_set(g, name, keep);
    strcat(name, "_loss");
    const double best = golden_numbers(g, name, &n)[0];
    snprintf(name, sizeof name, "layer.%zu.keep%zu.second_%s_loss", l, keep, objective);
    const double second = golden_numbers(g, name, &n)[0];

    const uint64_t got = kept(exact, l, E - keep, K);
    const double loss = loss_of(exact, got);
    assert_int_equal(subsets_count(got), keep);
    assert_true(fabs(loss - best) <= 2e-6 * best + 1e-9);
    if (got != want) // only where the golden file knows of a tie
        assert_true(second - best <= 2e-6 * best);
    assert_true(loss <= loss_of(exact, kept(greedy, l, E - keep, K)));
}

static void best_sets_of(const char *model, size_t n, const size_t *keep)
{
    tinyworld *world = tinyworld_open(host, model);
    golden *g = tinyworld_golden(world, "subsets");
    combos exact = combos_on(world, "100000", "1", "0");
    combos greedy = combos_on(world, "0", "1", "0");

    for (size_t l = 0; l < TINYWORLD_L; l++) {
        world->layer_stats[l].dense = dense_sample_of(world, g, l);
        for (size_t o = 0; o < 3; o++) {
            score(&greedy, l, objectives[o]);
            for (size_t k = 0; k < n; k++) {
                exact.scores = world->layer[l].E == 16 ? golden_losses(g, l, keep[k], objectives[o])
                                                       : greedy.scores;
                best_set(&exact, &greedy, g, l, keep[k], objectives[o]);
            }
        }
    }
    golden_close(g);
    tinyworld_close(world);
}

// The many losses of the first are looked up (those of criterion enumeration are the same: see its
// own tests); the few of the second are worked out.
static void best_sets_as_golden(void **state)
{
    (void)state;
    best_sets_of("tinyworld-mixtral", 3, (size_t[]){ 14, 12, 8 });
    best_sets_of("tinyworld-olmoe", 1, (size_t[]){ 30 });
}

// What greedy removal sees: the losses of an inner criterion; and from which set it removes, which
// is the union of the sets that it asks for at once.
typedef struct path {
    cull_subset_loss inner;
    size_t n;
    uint64_t from[64];
} path;

static cull_status along(cull_ctx *ctx, const void *self, size_t n, size_t words,
                         const uint64_t *sets, double *loss)
{
    path *p = (path *)(uintptr_t)self;

    assert_in_range(p->n, 0, 63);
    p->from[p->n] = 0;
    for (size_t i = 0; i < n; i++)
        p->from[p->n] |= sets[i * words];
    p->n++;
    return p->inner.eval(ctx, p->inner.self, n, words, sets, loss);
}

// Plain greedy removal takes the golden path, step by step.
static void greedy_as_golden(void **state)
{
    const char *model = *state;
    tinyworld *world = tinyworld_open(host, model);
    golden *g = tinyworld_golden(world, "subsets");
    combos c = combos_on(world, "0", "1", "0");
    const size_t E = world->layer[0].E;
    const size_t K = world->layer[0].K;

    for (size_t l = 0; l < TINYWORLD_L; l++) {
        world->layer_stats[l].dense = dense_sample_of(world, g, l);
        for (size_t o = 0; o < 3; o++) {
            char name[64];
            snprintf(name, sizeof name, "layer.%zu.greedy_%s.removed", l, objectives[o]);
            const int32_t *removed = golden_i32(g, name, 1, NULL);
            snprintf(name, sizeof name, "layer.%zu.greedy_%s.loss", l, objectives[o]);
            const double *loss = golden_f64(g, name, 1, NULL);
            uint64_t want = ((uint64_t)1 << E) - 1;
            score(&c, l, objectives[o]);
            path p = { .inner = c.scores.subset };
            c.scores.subset = (cull_subset_loss){ along, &p };
            const uint64_t got = kept(&c, l, E - K, K);
            c.scores.subset = p.inner;
            assert_int_equal(p.n, E - K);
            for (size_t step = 0; step < E - K; step++) {
                assert_int_equal(p.from[step], want);
                want &= ~((uint64_t)1 << removed[step]);
                const double got_loss = loss_of(&c, want);
                assert_close(&got_loss, &loss[step], 1, 2e-6, 1e-8);
            }
            assert_int_equal(got, want);
        }
    }
    golden_close(g);
    tinyworld_close(world);
}

static void what_is_left_of_earlier_stages(void **state)
{
    (void)state;
    tinyworld *world = tinyworld_open(host, "tinyworld-mixtral");
    golden *g = tinyworld_golden(world, "subsets");
    cull_cut *before = tinyworld_cut(world);
    combos c = combos_on(world, "100000", "1", "0");
    before->layer[0].action[2] = CULL_ACTION_DROP;
    before->layer[0].action[9] = CULL_ACTION_ZERO;
    world->view.before = before;
    world->layer_stats[0].dense = dense_sample_of(world, g, 0);
    // the gates that the model uses once expert 2 is gone
    cull_dense_sample after = *world->layer_stats[0].dense;
    float *gate = cull_take(fake_ctx(host), after.N * 16, sizeof *gate);
    for (size_t t = 0; t < after.N; t++) {
        size_t pick[2] = { 16, 16 };
        for (size_t k = 0; k < 2; k++)
            for (size_t e = 0; e < 16; e++)
                if (e != 2 && e != pick[0] &&
                    (pick[k] == 16 || after.logits[t * 16 + e] > after.logits[t * 16 + pick[k]]))
                    pick[k] = e;
        const double ratio =
            exp((double)after.logits[t * 16 + pick[1]] - (double)after.logits[t * 16 + pick[0]]);
        gate[t * 16 + pick[0]] = (float)(1 / (1 + ratio));
        gate[t * 16 + pick[1]] = (float)(ratio / (1 + ratio));
    }
    after.gate = gate;
    world->layer_stats[0].dense = &after;
    score(&c, 0, "sq");
    assert_true(loss_of(&c, 0xffff) == 0);
    assert_true(loss_of(&c, 0xfffb) == 0); // whether the set names the dropped expert or not
    const uint64_t set = kept(&c, 0, 4, 2);
    assert_int_equal(subsets_count(set), 10);     // of 14 with weights of their own
    assert_int_equal(set & (1 << 2 | 1 << 9), 0); // not BASE
    assert_int_equal(subsets_count(kept(&c, 0, 100, 5)),
                     4); // the zeroed expert counts among the least
    golden_close(g);
    tinyworld_close(world);
}

// ---- losses of a test's own ----

// Greedy's first removal (0) is part of no best set: experts 1 and 2 are worth nothing, but only
// together.
static cull_status trap(cull_ctx *ctx, const void *self, size_t n, size_t words,
                        const uint64_t *sets, double *loss)
{
    (void)ctx, (void)self;
    for (size_t i = 0; i < n; i++) {
        const uint64_t set = sets[i * words];
        const bool has1 = set >> 1 & 1;
        const bool has2 = set >> 2 & 1;
        loss[i] = (set & 1 ? 0 : 1) + (has1 != has2 ? 2 : 0);
        for (size_t e = 3; e < 16; e++)
            loss[i] += set >> e & 1 ? 0 : 10;
    }
    return CULL_OK;
}

static cull_status nothing_matters(cull_ctx *ctx, const void *self, size_t n, size_t words,
                                   const uint64_t *sets, double *loss)
{
    (void)ctx, (void)self, (void)words, (void)sets;
    for (size_t i = 0; i < n; i++)
        loss[i] = 0;
    return CULL_OK;
}

static cull_status broken(cull_ctx *ctx, const void *self, size_t n, size_t words,
                          const uint64_t *sets, double *loss)
{
    (void)ctx, (void)self, (void)words, (void)sets;
    for (size_t i = 0; i < n; i++)
        loss[i] = NAN;
    return CULL_OK;
}

static void beam_and_swaps_escape_where_greedy_is_caught(void **state)
{
    (void)state;
    tinyworld *world = tinyworld_open(host, "tinyworld-mixtral");
    const cull_scores scores = { .size = sizeof scores,
                                 .form = CULL_FORM_SUBSET,
                                 .subset = { trap, NULL } };
    const struct {
        const char *limit, *beam, *swaps;
        uint64_t want;
    } cases[] = {
        { "1000000", "1", "0", 0xfff9 }, // exact: 1 and 2 go
        { "0", "1", "0", 0xfffc },       // greedy: 0, then 1
        { "0", "4", "0", 0xfff9 },
        { "0", "1", "1", 0xfff9 }, // 2 against 0
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        combos c = combos_on(world, cases[i].limit, cases[i].beam, cases[i].swaps);
        c.scores = scores;
        assert_int_equal(kept(&c, 0, 2, 2), cases[i].want);
    }
    tinyworld_close(world);
}

static void ties_take_the_first_set(void **state)
{
    (void)state;
    tinyworld *world = tinyworld_open(host, "tinyworld-mixtral");
    combos c = combos_on(world, "100000", "1", "0");
    c.scores = (cull_scores){ .size = sizeof c.scores,
                              .form = CULL_FORM_SUBSET,
                              .subset = { nothing_matters, NULL } };
    assert_int_equal(kept(&c, 0, 6, 2), 0x03ff);
    combos greedy = combos_on(world, "0", "1", "0");
    greedy.scores = c.scores;
    assert_int_equal(kept(&greedy, 0, 6, 2), 0xffc0);
    tinyworld_close(world);
}

static void bad_losses_and_scopes_are_refused(void **state)
{
    (void)state;
    tinyworld *world = tinyworld_open(host, "tinyworld-mixtral");
    combos c = combos_on(world, "100000", "1", "0");
    const cull_strategy *strategy = c.plugin->vtable;
    const size_t remove[TINYWORLD_L] = { 1, 1, 1, 1 };
    cull_budget budget = { .size = sizeof budget, .remove = remove };
    c.scores.subset.eval = broken;
    assert_fails(host,
                 strategy->select(fake_ctx(host), c.settings, &world->view, &c.scores, &budget, 0,
                                  tinyworld_cut(world)),
                 CULL_ENUMERIC, "not finite");
    budget.scope = CULL_SCOPE_GLOBAL;
    assert_fails(host,
                 strategy->select(fake_ctx(host), c.settings, &world->view, &c.scores, &budget, 0,
                                  tinyworld_cut(world)),
                 CULL_ENOTSUP, "one layer at a time");
    tinyworld_close(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(best_sets_as_golden),
        ON_BOTH_MODELS(greedy_as_golden),
        cmocka_unit_test(what_is_left_of_earlier_stages),
        cmocka_unit_test(beam_and_swaps_escape_where_greedy_is_caught),
        cmocka_unit_test(ties_take_the_first_set),
        cmocka_unit_test(bad_losses_and_scopes_are_refused),
    };

    return cmocka_run_group_tests_name("combinatorial", tests, setup, teardown);
}
