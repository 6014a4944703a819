// From calibration rows to held-out perplexity: every golden variant of the expert methods, through
// the engine's own statistics, criteria and strategies (tests/golden/methods/*/README.md).
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/methods.h"
#include "support/model.h"
#include "support/test.h"

enum {
    DOMAINS = 9,
    ROWS = 1, // of the 20 held-out rows of each domain
    WIDTH = 256,
    N = DOMAINS * ROWS,
    MOST = 96 // variants
};

typedef struct variant {
    char golden[64];
    const cull_cut *cut;
    bool kept; // its kept lists are golden too
    uint8_t action;
} variant;

typedef struct run {
    fake_host *host;
    tinyworld *world;
    test_model model;
    golden *ids, *eval;
    cull_stats_store *store;
    size_t n;
    variant variant[MOST];
} run;

// ---- calibrate
// ----------------------------------------------------------------------------------------

static void calibrate(run *r)
{
    const uint32_t groups = CULL_STAT_A | CULL_STAT_B | CULL_STAT_C | CULL_STAT_D | CULL_STAT_F;
    const int32_t *ids = golden_i32(r->ids, "ids", 2, (size_t[]){ 72, WIDTH });
    const cull_layer_facts *facts[TINYWORLD_L];
    cull_sequence at[72];
    const cull_sequences rows = { sizeof rows, 72, at };
    const cull_calibration calibration = { .rows = &rows, .groups = groups };

    for (size_t i = 0; i < 72; i++)
        at[i] = (cull_sequence){ ids + WIDTH * i, WIDTH, "golden", i };
    for (size_t l = 0; l < TINYWORLD_L; l++)
        facts[l] = cull_layer_of(&r->model.opened, l);
    r->store = cull_stats_store_new(fake_ctx(r->host), r->model.opened.facts, facts, groups);
    assert_non_null(r->store);
    assert_ok(r->host, cull_calibrate_pass(fake_ctx(r->host), &r->model.opened, NULL, &calibration,
                                           r->store, NULL));
    r->world->view.stats = cull_stats_store_view(r->store);
}

// ---- select
// -------------------------------------------------------------------------------------------

static void add(run *r, const char *name, const cull_cut *cut, uint8_t action)
{
    variant *v = &r->variant[r->n++];
    char kept[128];

    assert_true(r->n < MOST);
    snprintf(v->golden, sizeof v->golden, "%s", name);
    snprintf(kept, sizeof kept, "%s.layer.0.kept", name);
    v->cut = cut;
    v->kept = golden_has(r->eval, kept);
    v->action = action;
}

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
static const cull_budget *like_stun(run *r)
{
    cull_budget *budget = methods_budget(r->world, CULL_SCOPE_LAYER, 0, r->world->layer[0].K);
    size_t *remove = cull_take(fake_ctx(r->host), TINYWORLD_L, sizeof *remove);
    golden *stun = tinyworld_golden(r->world, "stun");

    assert_non_null(remove);
    for (size_t l = 0; l < TINYWORLD_L; l++) {
        char name[32];
        snprintf(name, sizeof name, "layer.%zu.kept", l);
        remove[l] = r->world->layer[l].E - golden_tensor(stun, name).shape[0];
    }
    golden_close(stun);
    budget->remove = remove;
    return budget;
}

static void add_lowest(run *r, const char *name, const char *action, const cull_scores *scores,
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
            add(r, name, methods_select(r->world, "lowest", WORDS(word), scores, budget),
                actions[a].action);
}

static void select_rankings(run *r)
{
    const size_t E = r->world->layer[0].E, K = r->world->layer[0].K, all = TINYWORLD_L * E;

    for (size_t c = 0; c < sizeof criteria / sizeof *criteria; c++) {
        const struct criterion *k = &criteria[c];
        const cull_scores *scores = methods_score(r->world, k->name, k->settings);
        char name[64];

        for (size_t keep = E / 2; keep <= 3 * E / 4; keep += E / 4) {
            const cull_budget *budget = methods_budget(r->world, CULL_SCOPE_LAYER, E - keep, 0);
            const char *const actions[][2] = { { "drop", "drop" },
                                               { "zero", "zero" },
                                               { "novice", "novice" },
                                               { "novice_gw", "novice-gw" } };
            for (size_t a = 0; a < 4; a++) {
                char first[96];
                snprintf(name, sizeof name, "%s-%s-%zu", actions[a][0], k->golden, keep);
                snprintf(first, sizeof first, "%s.nll", name);
                if (golden_has(r->eval, first))
                    add_lowest(r, name, actions[a][1], scores, budget);
            }
        }
        snprintf(name, sizeof name, "drop-%s-global", k->golden);
        if (k->global)
            add_lowest(r, name, "drop", scores,
                       methods_budget(r->world, CULL_SCOPE_GLOBAL, all / 4, K));
        snprintf(name, sizeof name, "drop-%s-stuncounts", k->golden);
        if ((k->novice || k->global) && strcmp(k->golden, "gate_sum") != 0)
            add_lowest(r, name, "drop", scores, like_stun(r));
    }
}

static void select_clusterings(run *r)
{
    const size_t E = r->world->layer[0].E, K = r->world->layer[0].K, all = TINYWORLD_L * E;
    const struct {
        const char *golden;
        const char *settings[3];
    } distances[] = { { "stun_a_norm", { NULL } },
                      { "stun_b_norm", { "mode=coactivation" } },
                      { "stun_c_raw", { "mode=both", "normalise=false" } } };
    const struct {
        const char *golden;
        const cull_budget *budget;
    } budgets[] = { { "uniform", methods_budget(r->world, CULL_SCOPE_LAYER, E / 4, K) },
                    { "cut", methods_budget(r->world, CULL_SCOPE_GLOBAL, all / 4, K) },
                    { "cut-half", methods_budget(r->world, CULL_SCOPE_GLOBAL, all / 2, K) } };

    for (size_t d = 0; d < 3; d++) {
        const cull_scores *scores = methods_score(r->world, "similarity", distances[d].settings);

        for (size_t b = 0; b < 3; b++) {
            char name[64];
            snprintf(name, sizeof name, "drop-%s-%s", distances[d].golden, budgets[b].golden);
            add(r, name,
                methods_select(r->world, "greedy-latent", WORDS("reconstruct=representative"),
                               scores, budgets[b].budget),
                CULL_ACTION_DROP);
        }
        if (d > 0)
            continue;
        add(r, "stun-representative",
            methods_select(r->world, "greedy-latent", NULL, scores, budgets[1].budget),
            CULL_ACTION_DROP);
        add(r, "stun-mean",
            methods_select(r->world, "greedy-latent", WORDS("reconstruct=mean"), scores,
                           budgets[1].budget),
            CULL_ACTION_DROP);
    }
}

// Random variants come from another generator: their lists are evaluated as a published recipe
// would be.
static void select_lists(run *r, const char *action, int seed, size_t keep)
{
    const cull_scores none = { .size = sizeof none, .form = CULL_FORM_NONE, .L = TINYWORLD_L };
    char path[] = "/tmp/cull-lists-XXXXXX", name[64], word[40], setting[64];
    FILE *file = fdopen(mkstemp(path), "w");

    assert_non_null(file);
    snprintf(name, sizeof name, "%s-random%d-%zu", action, seed, keep);
    for (size_t l = 0; l < TINYWORLD_L; l++) {
        char tensor[96];
        snprintf(tensor, sizeof tensor, "%s.layer.%zu.kept", name, l);
        const int32_t *kept = golden_i32(r->eval, tensor, 1, &keep);

        fprintf(file, "{\"%zu\": [", l);
        for (size_t i = 0; i < keep; i++)
            fprintf(file, "%s%d", i ? ", " : "", kept[i]);
        fprintf(file, "]}\n");
    }
    assert_int_equal(fclose(file), 0);
    snprintf(word, sizeof word, "action=%s", action);
    snprintf(setting, sizeof setting, "path=%s", path);
    add(r, name, methods_select(r->world, "from", WORDS(setting, word), &none, NULL),
        strcmp(action, "drop") == 0 ? CULL_ACTION_DROP : CULL_ACTION_NOVICE);
    unlink(path);
}

static void select_all(run *r)
{
    const size_t E = r->world->layer[0].E;

    add(r, "dense", NULL, CULL_ACTION_BASE);
    select_rankings(r);
    select_clusterings(r);
    for (size_t keep = E / 2; keep <= 3 * E / 4; keep += E / 4) {
        for (int seed = 0; seed < 5; seed++)
            select_lists(r, "drop", seed, keep);
        select_lists(r, "novice", 0, keep);
    }
}

// ---- evaluate
// -----------------------------------------------------------------------------------------

static const cull_answer *evaluate(run *r)
{
    cull_ctx *ctx = fake_ctx(r->host);
    const int32_t *ids = golden_i32(r->ids, "heldout_ids", 2, (size_t[]){ 20 * DOMAINS, WIDTH });
    cull_request request[N];
    const cull_request *requests[N];
    const cull_cut *cuts[MOST];
    cull_answer *answers = cull_take(ctx, r->n * N, sizeof *answers);

    assert_non_null(answers);
    for (size_t i = 0; i < N; i++) {
        const size_t row = i / ROWS * 20 + i % ROWS;
        request[i] = (cull_request){
            .kind = CULL_SCORE, .ids = ids + row * WIDTH, .n = WIDTH, .scored = WIDTH - 1
        };
        requests[i] = &request[i];
    }
    for (size_t v = 0; v < r->n; v++)
        cuts[v] = r->variant[v].cut;
    assert_ok(r->host, cull_evaluate_pass(ctx, &r->model.opened, NULL, r->n, cuts, N, requests,
                                          answers, NULL));
    return answers;
}

// The perplexity of these rows, within 1e-3.
static void check_perplexity(run *r, const variant *v, const cull_answer *answers)
{
    char name[96];
    double got = 0.0, want = 0.0;

    snprintf(name, sizeof name, "%s.nll", v->golden);
    const double *nll = golden_f64(r->eval, name, 2, (size_t[]){ DOMAINS, 20 });
    for (size_t i = 0; i < N; i++) {
        got -= answers[i].ll;
        want += nll[i / ROWS * 20 + i % ROWS];
    }
    got = exp(got / (N * (WIDTH - 1)));
    want = exp(want / (N * (WIDTH - 1)));
    if (!(fabs(got - want) <= 1e-3 * want))
        fail_msg("%s %s: perplexity %.6g, not %.6g", r->world->name, v->golden, got, want);
}

static void check_model(const char *name)
{
    char path[512];
    run *r = test_calloc(1, sizeof *r);

    r->host = fake_host_new(2);
    r->world = tinyworld_open(r->host, name);
    snprintf(path, sizeof path, CULL_SOURCE_DIR "/models/%s", name);
    test_model_open(r->host, path, CULL_OPEN_WEIGHTS, &r->model);
    r->ids = tinyworld_golden(r->world, "calibration");
    r->eval = tinyworld_golden(r->world, "eval");

    calibrate(r);
    select_all(r);
    assert_int_equal(r->n, 1 + 14 + 10 + 4 + 4 + 9 + 2 + 12);
    const cull_answer *answers = evaluate(r);
    for (size_t v = 0; v < r->n; v++) {
        if (r->variant[v].kept)
            methods_assert_kept(r->world, r->eval, r->variant[v].golden, r->variant[v].cut,
                                r->variant[v].action);
        check_perplexity(r, &r->variant[v], answers + v * N);
    }

    cull_stats_store_free(r->store);
    golden_close(r->ids);
    golden_close(r->eval);
    test_model_close(&r->model);
    tinyworld_close(r->world);
    fake_host_free(r->host);
    test_free(r);
}

static void mixtral_variants_are_golden(void **state)
{
    (void)state;
    check_model("tinyworld-mixtral");
}

static void olmoe_variants_are_golden(void **state)
{
    (void)state;
    check_model("tinyworld-olmoe");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mixtral_variants_are_golden),
        cmocka_unit_test(olmoe_variants_are_golden),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
