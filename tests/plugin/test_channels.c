// Criteria of channels and the strategies that cut them, against numpy
// (tests/golden/methods/make_channels.py), and their properties.
#include "support/methods.h"

#include <math.h>
#include <stdio.h>

#include "base/rng.h"

#include "support/assert_close.h"
#include "support/test.h"

static fake_host *host;
static tinyworld *worlds[2];
static golden *channels[2];

// The statistics of channels are those of the golden file, so that formulas are compared and
// nothing else.
static void golden_stats(tinyworld *world, golden *g)
{
    for (size_t l = 0; l < TINYWORLD_L; l++) {
        cull_layer_stats *s = &world->layer_stats[l];
        const struct {
            const double **field;
            const char *name;
        } rows[] = {
            { &s->count, "n" },         { &s->u_mean, "u_mean" }, { &s->u_var, "u_var" },
            { &s->u_sq, "u_sq" },       { &s->gx_sq, "gx_sq" },   { &s->gu_sq, "gu_sq" },
            { &s->gu_peak, "gu_peak" },
        };
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            char name[64];
            size_t n;
            snprintf(name, sizeof name, "layer.%zu.%s", l, rows[i].name);
            *rows[i].field = golden_numbers(g, name, &n);
        }
    }
}

static int open_worlds(void **state)
{
    (void)state;
    host = methods_open(worlds);
    for (size_t i = 0; i < 2; i++) {
        channels[i] = tinyworld_golden(worlds[i], "channels");
        golden_stats(worlds[i], channels[i]);
    }
    return 0;
}

static int close_worlds(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++)
        golden_close(channels[i]);
    methods_close(host, worlds);
    return 0;
}

static size_t channels_of(const tinyworld *world, size_t l)
{
    return world->layer[l].E * world->layer[l].F;
}

// ---- scores ----

static const struct golden_case {
    const char *criterion;
    const char *settings[3];
    const char *golden;
} cases[] = {
    { "flap", { NULL }, "flap" },
    { "camera", { "r=0" }, "camera" },
    { "camera", { "r=0.5" }, "camera_peak" },
    { "wanda", { "by=channel" }, "wanda" },
    { "magnitude", { "by=channel" }, "magnitude" },
};
enum { N_CASES = sizeof cases / sizeof *cases };

static void scores_are_numpys(void **state)
{
    (void)state;
    for (size_t w = 0; w < 2; w++)
        for (size_t i = 0; i < N_CASES; i++) {
            const cull_scores *got =
                methods_score(worlds[w], cases[i].criterion, cases[i].settings);

            for (size_t l = 0; l < TINYWORLD_L; l++) {
                char name[64];
                size_t n;
                double largest = 0.0;

                snprintf(name, sizeof name, "layer.%zu.%s", l, cases[i].golden);
                const double *want = golden_numbers(channels[w], name, &n);
                assert_int_equal(n, channels_of(worlds[w], l));
                for (size_t k = 0; k < n; k++)
                    largest = fmax(largest, fabs(want[k]));
                assert_close((const double *)got->channel[l], want, n, 0.0, 1e-9 * largest);
            }
        }
}

static void camera_by_default_takes_the_peaks(void **state)
{
    const cull_scores *sum = methods_score(worlds[0], "camera", WORDS("r=0"));
    const cull_scores *half = methods_score(worlds[0], "camera", WORDS("r=0.5"));
    const cull_scores *peak = methods_score(worlds[0], "camera", NULL);

    (void)state;
    for (size_t k = 0; k < channels_of(worlds[0], 0); k++)
        assert_true(fabs(2 * half->channel[0][k] - sum->channel[0][k] - peak->channel[0][k]) <=
                    1e-12 * sum->channel[0][k]);
}

// MoE-Pruner: |w| sqrt(Σ (g x)² / n) for gate and up, |w| sqrt(Σ (g u)² / n) for down.
static void gated_wanda_weighs_its_inputs(void **state)
{
    static const cull_part parts[] = { CULL_PART_GATE, CULL_PART_UP, CULL_PART_DOWN };
    const tinyworld *world = worlds[1];
    const methods_plugin p = methods_load(worlds[1], "criterion", "wanda", WORDS("gated=true"));
    const cull_criterion *wanda = p.vtable;

    (void)state;
    assert_int_equal(wanda->needs_for(p.settings),
                     CULL_STAT_ROUTING | CULL_STAT_INPUT_SQUARES | CULL_STAT_GATED_SQUARES);
    for (size_t i = 0; i < 3; i++) {
        const cull_matrix_id where = cull_at_expert(2, parts[i], 7);
        size_t rows, cols;
        const float *w = tinyworld_matrix(worlds[1], where, &rows, &cols);
        const cull_layer_stats *s = &world->layer_stats[2];
        const double *sq = parts[i] == CULL_PART_DOWN ? s->gu_sq + 7 * s->F : s->gx_sq + 7 * s->D;
        float *got = cull_take(fake_ctx(host), rows * cols, sizeof *got);

        assert_ok(host, wanda->score_weights(fake_ctx(host), p.settings, &world->view, where, rows,
                                             cols, w, got));
        for (size_t k = 0; k < rows * cols; k++) {
            const double want = fabs((double)w[k]) * sqrt(sq[k % cols] / s->count[7]);
            assert_true(fabs((double)got[k] - want) <= 1e-6 * want);
        }
    }
}

// ---- cuts ----

static cull_budget channel_budget(tinyworld *world, uint32_t scope, double share)
{
    cull_budget budget = *methods_budget(world, scope, 0, 0);
    double *params = cull_take(fake_ctx(host), TINYWORLD_L, sizeof *params);

    assert_non_null(params);
    for (size_t l = 0; l < TINYWORLD_L; l++) {
        params[l] = share * (double)(world->layer[l].expert_params * world->layer[l].E);
        budget.total_params += params[l];
    }
    budget.params = params;
    budget.sparsity = share;
    return budget;
}

static const cull_overlay *find_overlay(const cull_cut *cut, size_t l, size_t e, uint32_t kind)
{
    const cull_overlay *found = NULL;

    for (size_t i = 0; i < cut->n_overlays; i++) {
        const cull_overlay *o = &cut->overlay[i];
        if (o->kind == kind && o->where.layer == l && o->where.expert == e &&
            o->where.part == CULL_PART_DOWN)
            found = o;
    }
    return found;
}

static bool keeps(const cull_cut *cut, size_t l, size_t e, size_t c)
{
    const cull_overlay *o = find_overlay(cut, l, e, CULL_CHANNELS);

    return !o || ((const uint8_t *)o->data)[c / 8] >> (c % 8) & 1;
}

static size_t kept_channels(const tinyworld *world, const cull_cut *cut, size_t l, size_t e)
{
    size_t n = 0;

    for (size_t c = 0; c < world->layer[l].F; c++)
        n += keeps(cut, l, e, c);
    return n;
}

static void assert_kept(size_t w, const cull_cut *cut, const char *variant)
{
    const tinyworld *world = worlds[w];
    const size_t E = world->layer[0].E, F = world->layer[0].F;
    char name[80];

    snprintf(name, sizeof name, "%s.kept", variant);
    const uint8_t *want = golden_u8(channels[w], name, 3, (size_t[]){ TINYWORLD_L, E, F });
    for (size_t i = 0; i < TINYWORLD_L * E * F; i++)
        if (keeps(cut, i / (E * F), i / F % E, i % F) != want[i])
            fail_msg("%s %s: layer %zu, expert %zu, channel %zu", world->name, variant, i / (E * F),
                     i / F % E, i % F);
}

static void assert_biases(size_t w, const cull_cut *cut, const char *variant)
{
    const size_t E = worlds[w]->layer[0].E, D = TINYWORLD_D;
    char name[80];

    snprintf(name, sizeof name, "%s.bias", variant);
    const double *want = golden_f64(channels[w], name, 3, (size_t[]){ TINYWORLD_L, E, D });
    for (size_t i = 0; i < TINYWORLD_L * E; i++) {
        const cull_overlay *o = find_overlay(cut, i / E, i % E, CULL_BIAS);
        for (size_t d = 0; d < D; d++)
            assert_true(fabs(want[i * D + d] - (o ? (double)((const float *)o->data)[d] : 0)) <
                        1e-6);
    }
}

static void cuts_are_numpys(void **state)
{
    static const struct {
        const char *strategy, *setting, *criterion, *by, *golden;
        uint32_t scope;
    } rows[] = {
        { "flap", NULL, "flap", NULL, "flap", CULL_SCOPE_GLOBAL },
        { "channels", NULL, "flap", NULL, "flap-plain", CULL_SCOPE_GLOBAL },
        { "channels", "widths=equal", "wanda", "by=channel", "wanda-equal", CULL_SCOPE_LAYER },
    };

    (void)state;
    for (size_t w = 0; w < 2; w++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            for (size_t percent = 25; percent <= 50; percent += 25) {
                char variant[64];
                const cull_scores *scores =
                    methods_score(worlds[w], rows[i].criterion, WORDS(rows[i].by));
                const cull_budget budget =
                    channel_budget(worlds[w], rows[i].scope, (double)percent / 100);
                const cull_cut *cut = methods_select(worlds[w], rows[i].strategy,
                                                     WORDS(rows[i].setting), scores, &budget);

                snprintf(variant, sizeof variant, "%s-%zu", rows[i].golden, percent);
                assert_kept(w, cut, variant);
                if (strcmp(rows[i].strategy, "flap") == 0)
                    assert_biases(w, cut, variant);
            }
}

static double params_gone(const tinyworld *world, const cull_cut *cut)
{
    double gone = 0;

    for (size_t l = 0; l < TINYWORLD_L; l++)
        for (size_t e = 0; e < world->layer[l].E; e++) {
            gone +=
                3.0 * TINYWORLD_D * (double)(world->layer[l].F - kept_channels(world, cut, l, e));
            gone -= find_overlay(cut, l, e, CULL_BIAS) ? TINYWORLD_D : 0;
        }
    return gone;
}

static void budgets_are_met_within_a_channel(void **state)
{
    static const double shares[] = { 0.1, 0.29, 1.0 / 3, 0.7, 0.97 };

    (void)state;
    for (size_t w = 0; w < 2; w++)
        for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
            const cull_scores *scores = methods_score(worlds[w], "flap", NULL);
            const cull_budget budget = channel_budget(worlds[w], CULL_SCOPE_GLOBAL, shares[i]);
            const cull_cut *cut = methods_select(worlds[w], "flap", NULL, scores, &budget);
            const double gone = params_gone(worlds[w], cut);

            assert_true(gone <= budget.total_params + 1e-6);
            assert_true(gone > budget.total_params - 3.0 * TINYWORLD_D);
        }
}

static void widths_are_bounded_multiples(void **state)
{
    const tinyworld *world = worlds[0]; // 128 channels
    const cull_scores *scores = methods_score(worlds[0], "wanda", WORDS("by=channel"));
    const cull_budget budget = channel_budget(worlds[0], CULL_SCOPE_GLOBAL, 0.6);
    const cull_cut *cut =
        methods_select(worlds[0], "channels", WORDS("multiple=16", "least=32"), scores, &budget);
    const cull_budget third = channel_budget(worlds[0], CULL_SCOPE_LAYER, 0.34);
    const cull_cut *equal =
        methods_select(worlds[0], "channels", WORDS("widths=equal", "multiple=32"), scores, &third);

    (void)state;
    for (size_t l = 0; l < TINYWORLD_L; l++)
        for (size_t e = 0; e < world->layer[l].E; e++) {
            assert_true(kept_channels(world, cut, l, e) >= 32);
            for (size_t c = 0; c < world->layer[l].F; c++)
                assert_true(keeps(cut, l, e, c) == keeps(cut, l, e, c / 16 * 16));
            assert_int_equal(kept_channels(world, equal, l, e), 96);
        }
    assert_true(params_gone(world, cut) <= budget.total_params);
}

static void a_second_stage_goes_on(void **state)
{
    tinyworld world = *worlds[1];
    const cull_scores *scores = methods_score(&world, "wanda", WORDS("by=channel"));
    const cull_budget first = channel_budget(&world, CULL_SCOPE_GLOBAL, 0.3);
    cull_cut *before = methods_select(&world, "channels", NULL, scores, &first);

    (void)state;
    before->layer[1].action[5] = CULL_ACTION_DROP;
    world.view.before = before;
    const cull_budget second = channel_budget(&world, CULL_SCOPE_LAYER, 0.2);
    const cull_cut *after = methods_select(&world, "channels", NULL, scores, &second);
    assert_null(find_overlay(after, 1, 5, CULL_CHANNELS));
    for (size_t l = 0; l < TINYWORLD_L; l++) {
        size_t gone = 0;
        for (size_t e = 0; e < world.layer[l].E; e++) {
            const bool touched = find_overlay(after, l, e, CULL_CHANNELS) != NULL;
            for (size_t c = 0; touched && c < world.layer[l].F; c++) {
                assert_true(!keeps(after, l, e, c) || keeps(before, l, e, c));
                gone += keeps(before, l, e, c) && !keeps(after, l, e, c);
            }
        }
        assert_int_equal(gone, (size_t)(0.2 * (double)channels_of(&world, l)));
    }
}

static void frozen_layers_keep_all(void **state)
{
    const cull_scores *scores = methods_score(worlds[0], "magnitude", WORDS("by=channel"));
    const cull_budget budget = channel_budget(worlds[0], CULL_SCOPE_LAYER, 0.5);
    uint8_t frozen[TINYWORLD_L] = { 0, 1, 0, 0 };
    cull_budget part = budget;

    (void)state;
    part.frozen = frozen;
    const cull_cut *cut = methods_select(worlds[0], "channels", NULL, scores, &part);
    for (size_t e = 0; e < worlds[0]->layer[1].E; e++) {
        assert_null(find_overlay(cut, 1, e, CULL_CHANNELS));
        assert_true(kept_channels(worlds[0], cut, 1, e) == worlds[0]->layer[1].F);
    }
}

// ---- properties ----

// A world whose experts, and whose channels within each expert, stand in another order.
typedef struct shuffled_world {
    tinyworld world;                 // first
    size_t expert[64], channel[256]; // place p of the shuffled world is place …[p] of the true one
} shuffled_world;

static const double *shuffled(const shuffled_world *s, const double *x, size_t E, size_t F)
{
    double *out = cull_take(fake_ctx(host), E * F, sizeof *out);

    assert_non_null(out);
    for (size_t e = 0; e < E; e++)
        for (size_t c = 0; c < F; c++)
            out[e * F + c] = x[s->expert[e] * F + (F > 1 ? s->channel[c] : 0)];
    return out;
}

static cull_status shuffled_weights(cull_ctx *ctx, const cull_view *view, cull_matrix_id where,
                                    const float **w, size_t *rows, size_t *cols, const float **bias)
{
    shuffled_world *s = view->core;
    const bool down = where.part == CULL_PART_DOWN;

    (void)bias;
    where.expert = (uint32_t)s->expert[where.expert];
    const float *from = tinyworld_matrix(&s->world, where, rows, cols);
    float *out = cull_take(ctx, *rows * *cols, sizeof *out);
    assert_non_null(out);
    for (size_t r = 0; r < *rows; r++)
        for (size_t c = 0; c < *cols; c++)
            out[r * *cols + c] =
                from[(down ? r : s->channel[r]) * *cols + (down ? s->channel[c] : c)];
    *w = out;
    return CULL_OK;
}

static void shuffle(shuffled_world *s, const tinyworld *world)
{
    const size_t E = world->layer[0].E, F = world->layer[0].F;
    struct cull_rng rng;

    s->world = *world;
    cull_rng_init(&rng, 9, "test", "order");
    cull_rng_shuffle(&rng, E, s->expert);
    cull_rng_shuffle(&rng, F, s->channel);
    for (size_t l = 0; l < TINYWORLD_L; l++) {
        cull_layer_stats *st = &s->world.layer_stats[l];
        const double **per_channel[] = { &st->u_mean, &st->u_var, &st->u_sq, &st->gu_sq,
                                         &st->gu_peak };
        st->count = shuffled(s, st->count, E, 1);
        for (size_t i = 0; i < sizeof per_channel / sizeof *per_channel; i++)
            *per_channel[i] = shuffled(s, *per_channel[i], E, F);
    }
    s->world.all_stats.layer = s->world.layer_stats;
    s->world.view.stats = &s->world.all_stats;
    s->world.view.layer = s->world.layer;
    s->world.view.weights = shuffled_weights;
    s->world.view.core = s;
}

static void scores_follow_experts_and_channels(void **state)
{
    (void)state;
    for (size_t w = 0; w < 2; w++) {
        const size_t E = worlds[w]->layer[0].E, F = worlds[w]->layer[0].F;
        shuffled_world s;

        shuffle(&s, worlds[w]);
        for (size_t i = 0; i < N_CASES; i++) {
            const cull_scores *a = methods_score(worlds[w], cases[i].criterion, cases[i].settings);
            const cull_scores *b = methods_score(&s.world, cases[i].criterion, cases[i].settings);
            for (size_t l = 0; l < TINYWORLD_L; l++) {
                const double *want = shuffled(&s, a->channel[l], E, F);
                assert_close((const double *)b->channel[l], want, E * F, 1e-9, 1e-12);
            }
        }
    }
}

// Experts without tokens, with one token, with constant channels, and with channels all alike.
static void odd_experts_are_harmless(void **state)
{
    tinyworld world = *worlds[0];
    const size_t E = world.layer[0].E, F = world.layer[0].F;

    (void)state;
    for (size_t l = 0; l < TINYWORLD_L; l++) {
        cull_layer_stats *s = &world.layer_stats[l];
        double *count = cull_take(fake_ctx(host), E, sizeof *count);
        double *var = cull_take(fake_ctx(host), E * F, sizeof *var);

        assert_true(count && var);
        memcpy(count, s->count, E * sizeof *count);
        memcpy(var, s->u_var, E * F * sizeof *var);
        count[0] = 0;
        count[1] = 1;
        memset(var, 0, 3 * F * sizeof *var); // 2: constant
        s->count = count;
        s->u_var = var;
    }
    world.all_stats.layer = world.layer_stats;
    world.view.stats = &world.all_stats;
    world.view.layer = world.layer;
    const cull_scores *scores = methods_score(&world, "flap", NULL);
    for (size_t l = 0; l < TINYWORLD_L; l++)
        for (size_t i = 0; i < E * F; i++) {
            assert_true(isfinite(scores->channel[l][i]));
            assert_true(i >= 3 * F || scores->channel[l][i] <= scores->channel[0][0]);
        }
    const cull_budget all = channel_budget(&world, CULL_SCOPE_GLOBAL, 0.9);
    const cull_cut *cut = methods_select(&world, "flap", NULL, scores, &all);
    assert_int_equal(kept_channels(&world, cut, 0, 0), 0); // they go first, and may go whole
    assert_null(find_overlay(cut, 0, 0, CULL_BIAS));       // without tokens there is no mean
    assert_non_null(find_overlay(cut, 0, 1, CULL_BIAS));
}

static void what_cannot_be_is_refused(void **state)
{
    const methods_plugin p =
        methods_load(worlds[0], "strategy", "channels", WORDS("widths=equal", "multiple=48"));
    const cull_strategy *strategy = p.vtable;
    const cull_budget global = channel_budget(worlds[0], CULL_SCOPE_GLOBAL, 0.5);
    const cull_budget layer = channel_budget(worlds[0], CULL_SCOPE_LAYER, 0.5);
    cull_view view = worlds[0]->view;
    cull_model_facts facts = worlds[0]->facts;

    (void)state;
    assert_fails(host, strategy->fits(fake_ctx(host), p.settings, &view, &layer, NULL), CULL_EINVAL,
                 "48 does not divide the 128 channels");
    assert_fails(host, strategy->fits(fake_ctx(host), p.settings, &view, &global, NULL),
                 CULL_EINVAL, "allocation global");
    facts.one_width = "one key gives the width of shared experts too";
    view.model = &facts;
    assert_fails(host, strategy->fits(fake_ctx(host), p.settings, &view, &layer, NULL),
                 CULL_ENOTSUP, "one key");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_numpys),
        cmocka_unit_test(camera_by_default_takes_the_peaks),
        cmocka_unit_test(gated_wanda_weighs_its_inputs),
        cmocka_unit_test(cuts_are_numpys),
        cmocka_unit_test(budgets_are_met_within_a_channel),
        cmocka_unit_test(widths_are_bounded_multiples),
        cmocka_unit_test(a_second_stage_goes_on),
        cmocka_unit_test(frozen_layers_keep_all),
        cmocka_unit_test(scores_follow_experts_and_channels),
        cmocka_unit_test(odd_experts_are_harmless),
        cmocka_unit_test(what_cannot_be_is_refused),
    };

    return cmocka_run_group_tests(tests, open_worlds, close_worlds);
}
