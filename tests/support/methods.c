// What the tests of methods share: golden statistics, budgets, plugins.
#include "support/methods.h"

#include <stdio.h>

#include "support/test.h"

static const double *layer_numbers(tinyworld *world, size_t l, const char *name)
{
    char full[64];
    size_t n = 0;

    snprintf(full, sizeof full, "layer.%zu.%s", l, name);
    return golden_numbers(world->stats, full, &n);
}

void methods_stats(tinyworld *world)
{
    size_t n = 0;

    for (size_t l = 0; l < TINYWORLD_L; l++) {
        cull_layer_stats *s = &world->layer_stats[l];
        const struct {
            const double **field;
            const char *name;
        } rows[] = {
            { &s->count, "n" },
            { &s->gate_sum, "sum_g" },
            { &s->gate_sq, "sum_g2" },
            { &s->prob_sum, "sum_p" },
            { &s->coact, "coact" },
            { &s->norm_sum, "sum_norm" },
            { &s->norm_sq, "sum_norm2" },
            { &s->gate_norm, "sum_g_norm" },
            { &s->norm_max, "max_norm" },
            { &s->max_signed, "max_signed" },
            { &s->max_abs, "max_abs" },
            { &s->mean, "mean_y" },
            { &s->var, "var_y" },
            { &s->mean_gate, "novice_gw" },
            { &s->easy_ep, "easyep" },
            { &s->logit_gram, "logit_gram" },
            { &s->sigmoid_gram, "sigmoid_gram" },
            { &s->dense_mean, "dense_mean_y" },
        };
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            *rows[i].field = layer_numbers(world, l, rows[i].name);
        s->moe_cos = *layer_numbers(world, l, "moe_cos_sum");
    }
    world->all_stats.cos_sum = golden_numbers(world->stats, "model.cos_sum", &n);
    world->all_stats.angle_sum = golden_numbers(world->stats, "model.angle_sum", &n);
    world->all_stats.groups |= CULL_STAT_ROUTING | CULL_STAT_COACTIVATION | CULL_STAT_OUTPUT_NORM |
                               CULL_STAT_OUTPUT_MOMENTS | CULL_STAT_EASY_EP | CULL_STAT_LOGIT_GRAM |
                               CULL_STAT_LAYER_COSINES | CULL_STAT_DENSE_MEAN;
}

static double **ragged(tinyworld *world, uint32_t form)
{
    double **out = cull_take(fake_ctx(world->host), TINYWORLD_L, sizeof *out);

    assert_non_null(out);
    for (size_t l = 0; l < TINYWORLD_L; l++) {
        const size_t E = world->layer[l].E;
        const size_t n = form == CULL_FORM_PAIR      ? E * E
                         : form == CULL_FORM_CHANNEL ? E * world->layer[l].F
                                                     : E;
        out[l] = cull_take(fake_ctx(world->host), n, sizeof **out);
        assert_non_null(out[l]);
    }
    return out;
}

cull_scores *methods_scores(tinyworld *world, uint32_t form)
{
    cull_scores *scores = cull_take(fake_ctx(world->host), 1, sizeof *scores);

    assert_non_null(scores);
    *scores = (cull_scores){ .size = sizeof *scores, .form = form, .L = TINYWORLD_L };
    if (form == CULL_FORM_LAYER)
        scores->layer = cull_take(fake_ctx(world->host), TINYWORLD_L, sizeof *scores->layer);
    if (form == CULL_FORM_EXPERT)
        scores->expert = ragged(world, form);
    if (form == CULL_FORM_PAIR)
        scores->pair = ragged(world, form);
    if (form == CULL_FORM_CHANNEL)
        scores->channel = ragged(world, form);
    return scores;
}

methods_plugin methods_load(tinyworld *world, const char *kind, const char *name,
                            const char *const *settings)
{
    char path[512], word[64];
    methods_plugin p;

    snprintf(path, sizeof path, CULL_BINARY_DIR "/plugins/%s-%s.so", kind, name);
    p.plugin = fake_plugin_at(world->host, path, name);
    p.vtable = p.plugin->vtable;
    p.settings = fake_settings(world->host, p.plugin);
    for (; settings && *settings; settings++) {
        const char *value = strchr(*settings, '=');
        assert_non_null(value);
        snprintf(word, sizeof word, "%.*s", (int)(value - *settings), *settings);
        fake_set(world->host, p.plugin, p.settings, word, value + 1);
    }
    return p;
}

cull_scores *methods_score(tinyworld *world, const char *name, const char *const *settings)
{
    const methods_plugin p = methods_load(world, "criterion", name, settings);
    const cull_criterion *criterion = p.vtable;
    cull_scores *scores = methods_scores(
        world, criterion->form_for ? criterion->form_for(p.settings) : criterion->form);

    assert_ok(world->host, criterion->score(fake_ctx(world->host), p.settings, &world->view,
                                            CULL_ALL_LAYERS, scores));
    return scores;
}

cull_budget *methods_budget(tinyworld *world, uint32_t scope, size_t n, size_t least)
{
    cull_ctx *ctx = fake_ctx(world->host);
    cull_budget *budget = cull_take(ctx, 1, sizeof *budget);
    size_t *remove = cull_take(ctx, TINYWORLD_L, sizeof *remove);
    size_t *keep = cull_take(ctx, TINYWORLD_L, sizeof *keep);
    uint8_t *frozen = cull_take(ctx, TINYWORLD_L, 1);

    assert_true(budget && remove && keep && frozen);
    for (size_t l = 0; l < TINYWORLD_L; l++) {
        remove[l] = n;
        keep[l] = least;
    }
    *budget = (cull_budget){ .size = sizeof *budget,
                             .scope = scope,
                             .remove = remove,
                             .total = n,
                             .least = keep,
                             .frozen = frozen };
    return budget;
}

cull_cut *methods_select(tinyworld *world, const char *name, const char *const *settings,
                         const cull_scores *scores, const cull_budget *budget)
{
    const methods_plugin p = methods_load(world, "strategy", name, settings);
    const cull_strategy *strategy = p.vtable;
    cull_cut *cut = tinyworld_cut(world);

    assert_ok(world->host, strategy->select(fake_ctx(world->host), p.settings, &world->view, scores,
                                            budget, CULL_ALL_LAYERS, cut));
    return cut;
}

size_t methods_kept(const cull_layer_cut *layer, int32_t *kept)
{
    size_t n = 0;

    for (size_t e = 0; e < layer->E; e++)
        if (layer->action[e] == CULL_ACTION_BASE)
            kept[n++] = (int32_t)e;
    return n;
}

void methods_assert_kept(tinyworld *world, golden *eval, const char *variant, const cull_cut *cut,
                         uint8_t action)
{
    for (size_t l = 0; l < TINYWORLD_L; l++) {
        char name[128];
        int32_t kept[64];
        const size_t n = methods_kept(&cut->layer[l], kept);

        snprintf(name, sizeof name, "%s.layer.%zu.kept", variant, l);
        const int32_t *want = golden_i32(eval, name, 1, &n);
        for (size_t i = 0; i < n; i++)
            if (kept[i] != want[i])
                fail_msg("%s %s: kept expert %zu is %d, not %d", world->name, name, i, kept[i],
                         want[i]);
        for (size_t e = 0; e < cut->layer[l].E; e++)
            assert_true(cut->layer[l].action[e] == CULL_ACTION_BASE ||
                        cut->layer[l].action[e] == action);
    }
}

fake_host *methods_open(tinyworld *worlds[2])
{
    static const char *const names[] = { "tinyworld-mixtral", "tinyworld-olmoe" };
    fake_host *host = fake_host_new(2);

    for (size_t i = 0; i < 2; i++) {
        worlds[i] = tinyworld_open(host, names[i]);
        methods_stats(worlds[i]);
    }
    return host;
}

void methods_close(fake_host *host, tinyworld *worlds[2])
{
    for (size_t i = 0; i < 2; i++)
        tinyworld_close(worlds[i]);
    fake_host_free(host);
}
