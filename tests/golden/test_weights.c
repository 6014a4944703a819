// From calibration rows to held-out perplexity: every golden variant of the weight methods, alone
// and after experts went, and of the subset search (tests/golden/methods/*/README.md).
#include <math.h>
#include <stdio.h>

#include "support/assert_close.h"
#include "support/test.h"
#include "support/variants.h"

// ---- one layer at a time ----

// A stage that decides by layer, and the cut that it fills.
typedef struct stage {
    char golden[64];
    const char *criterion; // NULL: none
    const char *strategy;
    const char *criterion_settings[2], *strategy_settings[4];
    double sparsity[TINYWORLD_L]; // of weights, by layer
    size_t remove[TINYWORLD_L];   // experts
    cull_cut *cut;
} stage;

static void decide_layer(variants *v, stage *s, size_t l)
{
    tinyworld *world = v->world;
    cull_budget *budget = methods_budget(world, CULL_SCOPE_LAYER, 0, world->layer[l].K);
    cull_scores scores = { .size = sizeof scores, .form = CULL_FORM_NONE, .L = TINYWORLD_L };

    budget->sparsity = s->sparsity[l];
    budget->remove = s->remove;
    if (s->criterion) {
        const methods_plugin c =
            methods_load(world, "criterion", s->criterion, s->criterion_settings);
        world->criterion = c.vtable;
        world->criterion_settings = c.settings;
        scores.form = world->criterion->form;
        if (scores.form == CULL_FORM_SUBSET)
            assert_ok(v->host, world->criterion->score(fake_ctx(v->host), c.settings, &world->view,
                                                       l, &scores));
    }
    const methods_plugin p = methods_load(world, "strategy", s->strategy, s->strategy_settings);
    const cull_strategy *strategy = p.vtable;
    assert_ok(v->host, strategy->select(fake_ctx(v->host), p.settings, &world->view, &scores,
                                        budget, l, s->cut));
}

typedef struct deciding { // inside a pass
    variants *v;
    size_t n;
    stage *stage;
} deciding;

static cull_status decide(void *arg, cull_ctx *ctx, size_t l, const cull_stats *stats,
                          cull_cut *cut)
{
    const deciding *d = arg;

    (void)ctx, (void)cut;
    d->v->world->view.stats = stats;
    for (size_t i = 0; i < d->n; i++)
        decide_layer(d->v, &d->stage[i], l);
    return CULL_OK;
}

static cull_cut *copy(variants *v, const cull_cut *before)
{
    cull_cut *cut = cull_cut_copy(fake_ctx(v->host), before);

    assert_non_null(cut);
    return cut;
}

static void add_all(variants *v, size_t n, const stage *stages)
{
    for (size_t i = 0; i < n; i++)
        variants_add(v, stages[i].golden, stages[i].cut, CULL_ACTION_DROP);
}

// ---- weights, from the statistics at hand ----

// A stage of strategy unstructured on what `before` left; `owl` spreads its sparsity.
static void prune(variants *v, const char *name, const cull_cut *before, const char *criterion,
                  const char *setting, double sparsity)
{
    stage s = { .criterion = criterion,
                .strategy = "unstructured",
                .strategy_settings = { setting },
                .cut = copy(v, before) };

    snprintf(s.golden, sizeof s.golden, "%s", name);
    for (size_t l = 0; l < TINYWORLD_L; l++)
        s.sparsity[l] = sparsity;
    v->world->view.before = before;
    if (setting && strcmp(setting, "layers=owl") == 0) {
        const methods_plugin c = methods_load(v->world, "criterion", criterion, NULL);
        const methods_plugin p =
            methods_load(v->world, "strategy", s.strategy, s.strategy_settings);
        const cull_strategy *strategy = p.vtable;
        cull_budget *budget = methods_budget(v->world, CULL_SCOPE_LAYER, 0, 0);
        char spread[96];
        budget->sparsity = sparsity;
        v->world->criterion = c.vtable;
        v->world->criterion_settings = c.settings;
        assert_ok(v->host, strategy->spread(fake_ctx(v->host), p.settings, &v->world->view, NULL,
                                            budget, s.sparsity));
        snprintf(spread, sizeof spread, "%s.layer_sparsity", name);
        if (golden_has(v->eval, spread))
            assert_close((const double *)s.sparsity, golden_f64(v->eval, spread, 1, NULL),
                         TINYWORLD_L, 0, 1e-3);
    }
    for (size_t l = 0; l < TINYWORLD_L; l++)
        decide_layer(v, &s, l);
    add_all(v, 1, &s);
}

static const double totals[] = { 0.5, 0.65, 0.8 };

// What the second stage takes of what the first left, so that a quarter of the experts and it make
// `total`.
static double second(double total)
{
    return 1 - (1 - total) / 0.75;
}

static void prune_after(variants *v, const char *first, const cull_cut *before, bool owl)
{
    char name[64];

    for (size_t i = 0; i < 3; i++) {
        const int percent = (int)lround(100 * totals[i]);
        snprintf(name, sizeof name, "%swanda-%d", first, percent);
        prune(v, name, before, "wanda", NULL, *first ? second(totals[i]) : totals[i]);
        snprintf(name, sizeof name, "%sowl-%d", first, percent);
        if (owl)
            prune(v, name, before, "wanda", "layers=owl", *first ? second(totals[i]) : totals[i]);
    }
}

// ---- inside the pass: Hessians and the dense subsample ----

static stage *sparsegpt(variants *v, stage *s, const char *first, const cull_cut *before)
{
    for (size_t i = 0; i < 2; i++, s++) {
        const double total = i ? 0.8 : 0.5;
        *s = (stage){ .strategy = "sparsegpt", .cut = copy(v, before) };
        snprintf(s->golden, sizeof s->golden, "%ssparsegpt-%d", first, i ? 80 : 50);
        for (size_t l = 0; l < TINYWORLD_L; l++)
            s->sparsity[l] = *first ? second(total) : total;
    }
    return s;
}

static void stun_counts(variants *v, size_t *remove)
{
    golden *stun = tinyworld_golden(v->world, "stun");

    for (size_t l = 0; l < TINYWORLD_L; l++) {
        char name[32];
        snprintf(name, sizeof name, "layer.%zu.kept", l);
        remove[l] = v->world->layer[l].E - golden_tensor(stun, name).shape[0];
    }
    golden_close(stun);
}

// Searches that the golden file knows: exact ones, and greedy removal.
static stage *searches(variants *v, stage *s, const cull_cut *before)
{
    static const char *const objectives[][2] = { { "sq", "objective=sq" },
                                                 { "peer", "objective=peer" },
                                                 { "rel", "objective=rel" } };
    const size_t E = v->world->layer[0].E;

    for (size_t greedy = 0; greedy < 2; greedy++) {
        for (size_t o = 0; o < 3; o++) {
            for (size_t level = 0; level < 3; level++) {
                char first[96];
                const size_t keep = level ? E / 2 : 3 * E / 4;
                *s = (stage){ .criterion = "enumeration",
                              .criterion_settings = { objectives[o][1] },
                              .strategy = "combinatorial" };
                if (greedy)
                    memcpy(s->strategy_settings, WORDS("limit=0", "beam=1", "swaps=0"),
                           sizeof s->strategy_settings);
                const int n = snprintf(s->golden, sizeof s->golden, "drop-%s_%s-",
                                       greedy ? "greedy" : "naee", objectives[o][0]);
                if (level < 2)
                    snprintf(s->golden + n, sizeof s->golden - (size_t)n, "%zu", keep);
                else
                    snprintf(s->golden + n, sizeof s->golden - (size_t)n, "stuncounts");
                snprintf(first, sizeof first, "%s.nll", s->golden);
                for (size_t l = 0; l < TINYWORLD_L; l++)
                    s->remove[l] = E - keep;
                if (level == 2)
                    stun_counts(v, s->remove);
                if (!golden_has(v->eval, first))
                    continue;
                s->cut = copy(v, before);
                s++;
            }
        }
    }
    return s;
}

// ---- the variants ----

static void from_the_dense_model(variants *v)
{
    const cull_cut *none = tinyworld_cut(v->world);
    stage *stages = test_calloc(32, sizeof *stages);
    deciding d = { v, 0, stages };

    v->world->view.before = none;
    d.n = (size_t)(searches(v, sparsegpt(v, stages, "", none), none) - stages);
    variants_calibrate(v,
                       &(cull_calibration){ .groups = CULL_STAT_ROUTING | CULL_STAT_INPUT_SQUARES |
                                                      CULL_STAT_HESSIAN | CULL_STAT_DENSE_SAMPLE,
                                            .dense_rows = 9,
                                            .decide = decide,
                                            .decide_arg = &d,
                                            .deciding = tinyworld_cut(v->world) });
    add_all(v, d.n, stages);
    test_free(stages);
    prune_after(v, "", none, true);
    prune(v, "magnitude-50", none, "magnitude", "group=tensor", 0.5);
    prune(v, "magnitude-80", none, "magnitude", "group=tensor", 0.8);
    prune(v, "wanda-2of4", none, "wanda", "m=4", 0.5);
}

static void with_later_layers_seeing_the_pruned(variants *v)
{
    stage s = { .golden = "wanda-50-propagated",
                .criterion = "wanda",
                .strategy = "unstructured",
                .sparsity = { 0.5, 0.5, 0.5, 0.5 },
                .cut = tinyworld_cut(v->world) };
    deciding d = { v, 1, &s };

    v->world->view.before = tinyworld_cut(v->world);
    variants_calibrate(v,
                       &(cull_calibration){ .groups = CULL_STAT_ROUTING | CULL_STAT_INPUT_SQUARES,
                                            .decide = decide,
                                            .decide_arg = &d,
                                            .deciding = s.cut,
                                            .propagate = true });
    add_all(v, 1, &s);
}

static void after_experts_went(variants *v)
{
    static const char *const firsts[][2] = {
        { "stun", "stun+" },
        { "drop-mone_fused-stuncounts", "mone_fused-stuncounts+" },
        { "drop-reap-stuncounts", "reap-stuncounts+" },
        { "drop-easyep-global", "easyep-global+" },
    };

    for (size_t i = 0; i < 4; i++) {
        const cull_cut *before = variants_kept(v, firsts[i][0]);
        stage gpt[2];
        deciding d = { v, 2, gpt };
        cull_calibration how = { .groups = CULL_STAT_ROUTING | CULL_STAT_INPUT_SQUARES,
                                 .cut = before };
        v->world->view.before = before;
        if (i == 0) {
            sparsegpt(v, gpt, firsts[i][1], before);
            how.groups |= CULL_STAT_HESSIAN;
            how.decide = decide;
            how.decide_arg = &d;
            how.deciding = copy(v, before);
        }
        variants_calibrate(v, &how);
        if (i == 0)
            add_all(v, 2, gpt);
        prune_after(v, firsts[i][1], before, i == 0);
    }
}

static void check_model(const char *name, size_t n)
{
    variants *v = variants_open(name);

    from_the_dense_model(v);
    with_later_layers_seeing_the_pruned(v);
    after_experts_went(v);
    assert_int_equal(v->n, n);
    variants_check(v);
    variants_close(v);
}

static void mixtral_variants_are_golden(void **state)
{
    (void)state;
    check_model("tinyworld-mixtral", 12 + 17 + 14);
}

static void olmoe_variants_are_golden(void **state)
{
    (void)state;
    check_model("tinyworld-olmoe", 12 + 17 + 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mixtral_variants_are_golden),
        cmocka_unit_test(olmoe_variants_are_golden),
    };

    return cmocka_run_group_tests_name("weights", tests, NULL, NULL);
}
