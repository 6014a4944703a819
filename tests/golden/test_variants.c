// From calibration rows to held-out perplexity: every golden variant of the expert methods, through
// the engine's own statistics, criteria and strategies (tests/golden/methods/*/README.md).
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cut/cut_file.h"
#include "support/test.h"
#include "support/variants.h"

// ---- select ----

static const struct criterion {
    const char *golden, *name;
    const char *settings[2];
    bool novice, global;
} criteria[] = {
    { "frequency", "frequency", { NULL }, true, true },
    { "gate_sum", "gate", { NULL }, false, true },
    { "mean_gate", "gate", { "of=mean" }, false, false },
    { "reap", "reap", { NULL }, true, false },
    { "ean", "ean", { NULL }, false, false },
    { "easyep", "easy-ep", { NULL }, false, true },
    { "mone_fused", "mone", { NULL }, true, true },
    { "mone_variance", "variance", { NULL }, false, false },
};

// Counts that STUN arrived at, as allocation `like` hands them down.
static const cull_budget *like_stun(variants *v)
{
    cull_budget *budget = methods_budget(v->world, CULL_SCOPE_LAYER, 0, v->world->layer[0].K);
    size_t *remove = cull_take(fake_ctx(v->host), TINYWORLD_L, sizeof *remove);
    golden *stun = tinyworld_golden(v->world, "stun");

    assert_non_null(remove);
    for (size_t l = 0; l < TINYWORLD_L; l++) {
        char name[32];
        snprintf(name, sizeof name, "layer.%zu.kept", l);
        remove[l] = v->world->layer[l].E - golden_tensor(stun, name).shape[0];
    }
    golden_close(stun);
    budget->remove = remove;
    return budget;
}

static void add_lowest(variants *v, const char *name, const char *action, const cull_scores *scores,
                       const cull_budget *budget)
{
    static const struct {
        const char *word;
        uint8_t action;
    } actions[] = { { "drop", CULL_ACTION_DROP },
                    { "zero", CULL_ACTION_ZERO },
                    { "novice", CULL_ACTION_NOVICE },
                    { "novice-gw", CULL_ACTION_NOVICE } };
    char word[32];

    snprintf(word, sizeof word, "action=%s", action);
    for (size_t a = 0; a < sizeof actions / sizeof *actions; a++)
        if (strcmp(actions[a].word, action) == 0)
            variants_add(v, name, methods_select(v->world, "lowest", WORDS(word), scores, budget),
                         actions[a].action);
}

static void select_rankings(variants *v)
{
    const size_t E = v->world->layer[0].E, K = v->world->layer[0].K, all = TINYWORLD_L * E;

    for (size_t c = 0; c < sizeof criteria / sizeof *criteria; c++) {
        const struct criterion *k = &criteria[c];
        const cull_scores *scores = methods_score(v->world, k->name, k->settings);
        char name[64];

        for (size_t keep = E / 2; keep <= 3 * E / 4; keep += E / 4) {
            const cull_budget *budget = methods_budget(v->world, CULL_SCOPE_LAYER, E - keep, 0);
            const char *const actions[][2] = { { "drop", "drop" },
                                               { "zero", "zero" },
                                               { "novice", "novice" },
                                               { "novice_gw", "novice-gw" } };
            for (size_t a = 0; a < 4; a++) {
                char first[96];
                snprintf(name, sizeof name, "%s-%s-%zu", actions[a][0], k->golden, keep);
                snprintf(first, sizeof first, "%s.nll", name);
                if (golden_has(v->eval, first))
                    add_lowest(v, name, actions[a][1], scores, budget);
            }
        }
        snprintf(name, sizeof name, "drop-%s-global", k->golden);
        if (k->global)
            add_lowest(v, name, "drop", scores,
                       methods_budget(v->world, CULL_SCOPE_GLOBAL, all / 4, K));
        snprintf(name, sizeof name, "drop-%s-stuncounts", k->golden);
        if ((k->novice || k->global) && strcmp(k->golden, "gate_sum") != 0)
            add_lowest(v, name, "drop", scores, like_stun(v));
    }
}

static void select_clusterings(variants *v)
{
    const size_t E = v->world->layer[0].E, K = v->world->layer[0].K, all = TINYWORLD_L * E;

    const struct {
        const char *golden;
        const char *settings[3];
    } distances[] = { { "stun_a_norm", { NULL } },
                      { "stun_b_norm", { "mode=coactivation" } },
                      { "stun_c_raw", { "mode=both", "normalise=false" } } };
    const struct {
        const char *golden;
        const cull_budget *budget;
    } budgets[] = { { "uniform", methods_budget(v->world, CULL_SCOPE_LAYER, E / 4, K) },
                    { "cut", methods_budget(v->world, CULL_SCOPE_GLOBAL, all / 4, K) },
                    { "cut-half", methods_budget(v->world, CULL_SCOPE_GLOBAL, all / 2, K) } };

    for (size_t d = 0; d < 3; d++) {
        const cull_scores *scores = methods_score(v->world, "similarity", distances[d].settings);

        for (size_t b = 0; b < 3; b++) {
            char name[64];
            snprintf(name, sizeof name, "drop-%s-%s", distances[d].golden, budgets[b].golden);
            variants_add(v, name,
                         methods_select(v->world, "greedy-latent",
                                        WORDS("reconstruct=representative"), scores,
                                        budgets[b].budget),
                         CULL_ACTION_DROP);
        }
        if (d > 0)
            continue;
        variants_add(v, "stun-representative",
                     methods_select(v->world, "greedy-latent", NULL, scores, budgets[1].budget),
                     CULL_ACTION_DROP);
        variants_add(v, "stun-mean",
                     methods_select(v->world, "greedy-latent", WORDS("reconstruct=mean"), scores,
                                    budgets[1].budget),
                     CULL_ACTION_DROP);
    }
}

// Random variants come from another generator: their lists are evaluated as a published recipe
// would be.
static void select_lists(variants *v, const char *action, const char *name)
{
    const cull_scores none = { .size = sizeof none, .form = CULL_FORM_NONE, .L = TINYWORLD_L };
    char path[] = "/tmp/cull-lists-XXXXXX", word[40], setting[64];
    FILE *file = fdopen(mkstemp(path), "w");

    assert_non_null(file);
    for (size_t l = 0; l < TINYWORLD_L; l++) {
        char tensor[96];
        snprintf(tensor, sizeof tensor, "%s.layer.%zu.kept", name, l);
        const int32_t *kept = golden_i32(v->eval, tensor, 1, NULL);

        fprintf(file, "{\"%zu\": [", l);
        for (size_t i = 0; i < golden_tensor(v->eval, tensor).shape[0]; i++)
            fprintf(file, "%s%d", i ? ", " : "", kept[i]);
        fprintf(file, "]}\n");
    }
    assert_int_equal(fclose(file), 0);
    snprintf(word, sizeof word, "action=%s", action);
    snprintf(setting, sizeof setting, "path=%s", path);
    variants_add(v, name, methods_select(v->world, "from", WORDS(setting, word), &none, NULL),
                 strcmp(action, "drop") == 0 ? CULL_ACTION_DROP : CULL_ACTION_NOVICE);
    unlink(path);
}

static void select_random(variants *v)
{
    const size_t E = v->world->layer[0].E;
    char name[64];

    for (int seed = 0; seed < 5; seed++) {
        for (size_t keep = E / 2; keep <= 3 * E / 4; keep += E / 4) {
            snprintf(name, sizeof name, "drop-random%d-%zu", seed, keep);
            select_lists(v, "drop", name);
            snprintf(name, sizeof name, "novice-random%d-%zu", seed, keep);
            if (seed == 0)
                select_lists(v, "novice", name);
        }
        snprintf(name, sizeof name, "drop-random%d-stuncounts", seed);
        if (seed < 3)
            select_lists(v, "drop", name);
    }
}

// Novices as a checkpoint in bfloat16 holds them.
static void select_rounded(variants *v)
{
    const size_t E = v->world->layer[0].E;
    const cull_scores *scores = methods_score(v->world, "mone", NULL);

    for (size_t keep = E / 2; keep <= 3 * E / 4; keep += E / 4) {
        char name[64];
        cull_cut *cut = methods_select(v->world, "lowest", WORDS("action=novice"), scores,
                                       methods_budget(v->world, CULL_SCOPE_LAYER, E - keep, 0));
        snprintf(name, sizeof name, "novice_bf16-mone_fused-%zu", keep);
        cull_cut_round(cut, CULL_DT_BF16);
        variants_add(v, name, cut, CULL_ACTION_NOVICE);
    }
}

static void select_all(variants *v)
{
    variants_add(v, "dense", NULL, CULL_ACTION_BASE);
    select_rankings(v);
    select_clusterings(v);
    select_random(v);
    select_rounded(v);
}

int main(void)
{
    return variants_main(&(variants_plan){ .name = "variants",
                                           .file = "eval",
                                           .groups = CULL_STAT_ROUTING | CULL_STAT_COACTIVATION |
                                                     CULL_STAT_OUTPUT_NORM |
                                                     CULL_STAT_OUTPUT_MOMENTS | CULL_STAT_EASY_EP,
                                           .select = select_all,
                                           .n = 1 + 14 + 10 + 4 + 4 + 9 + 2 + 15 + 2 });
}
