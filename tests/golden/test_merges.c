// From calibration rows to held-out perplexity for merges, router rules and dropped layers, against
// tests/golden/methods/make_more.py.
#include <stdio.h>

#include "support/test.h"
#include "support/variants.h"

static void select_merges(variants *v)
{
    static const struct {
        const char *golden, *distance;
        const char *settings[3];
    } merges[] = {
        { "m-smoe", "logit-similarity", { NULL } },
        { "m-smoe-plain", "logit-similarity", { "weighted=false" } },
        { "m-smoe-aligned", "logit-similarity", { "align=true" } },
        { "hc-smoe", "output-distance", { "groups=average" } },
    };
    const size_t E = v->world->layer[0].E;

    for (size_t m = 0; m < sizeof merges / sizeof *merges; m++) {
        const cull_scores *scores = methods_score(v->world, merges[m].distance, NULL);

        for (size_t percent = 25; percent <= 50; percent += 25)
            for (uint32_t scope = CULL_SCOPE_LAYER; scope <= CULL_SCOPE_GLOBAL; scope++) {
                const bool global = scope == CULL_SCOPE_GLOBAL;
                const size_t n = (global ? TINYWORLD_L : 1) * E * percent / 100;
                char name[64];

                snprintf(name, sizeof name, "merge-%s-%zu-%s", merges[m].golden, percent,
                         global ? "global" : "layer");
                variants_add(v, name,
                             methods_select(v->world, "merge", merges[m].settings, scores,
                                            methods_budget(v->world, scope, n, 1)),
                             CULL_ACTION_ALIAS);
            }
    }
}

static void select_rules(variants *v)
{
    const cull_scores none = { .size = sizeof none, .form = CULL_FORM_NONE, .L = TINYWORLD_L };

    const struct {
        const char *golden, *strategy;
        const char *settings[2];
    } rules[] = {
        { "fixed-k-1", "fixed-k", { "k=1" } },
        { "skip", "skip", { NULL } },
        { "skip-half", "skip", { "scale=0.5" } },
    };

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        variants_add(v, rules[i].golden,
                     methods_select(v->world, rules[i].strategy, rules[i].settings, &none, NULL),
                     CULL_ACTION_BASE);
}

static void select_layers(variants *v)
{
    const struct {
        const char *strategy;
        const cull_scores *scores;
    } drops[] = {
        { "layer-drop", methods_score(v->world, "cosine", WORDS("of=moe")) },
        { "block-drop", methods_score(v->world, "cosine", NULL) },
    };

    for (size_t d = 0; d < 2; d++)
        for (size_t n = 1; n <= TINYWORLD_L / 2; n++) {
            char name[32];

            snprintf(name, sizeof name, "%s-%zu", drops[d].strategy, 100 * n / TINYWORLD_L);
            variants_add(v, name,
                         methods_select(v->world, drops[d].strategy, NULL, drops[d].scores,
                                        methods_budget(v->world, CULL_SCOPE_GLOBAL, n, 0)),
                         CULL_ACTION_BASE);
        }
}

static void select_all(variants *v)
{
    select_merges(v);
    select_rules(v);
    select_layers(v);
}

int main(void)
{
    return variants_main(&(variants_plan){ .name = "merges",
                                           .file = "more",
                                           .groups = CULL_STAT_ROUTING | CULL_STAT_LOGIT_GRAM |
                                                     CULL_STAT_LAYER_COSINES |
                                                     CULL_STAT_DENSE_MEAN | CULL_STAT_GATE_RATIO,
                                           .select = select_all,
                                           .n = 16 + 3 + 4 });
}
