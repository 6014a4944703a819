// Golden variants: their cuts, evaluated.
#include "support/variants.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/assert_close.h"
#include "support/test.h"

enum { DOMAINS = 9, DOMAIN_ROWS = 20, WIDTH = 256 };

enum { ROWS = DOMAINS * DOMAIN_ROWS };

static bool test_all(void)
{
    return getenv("CULL_TEST_ALL") != NULL;
}

// Rows that are evaluated: the first of every third domain, all of them if CULL_TEST_ALL is set.
static size_t held_out(size_t *row)
{
    size_t n = 0;

    for (size_t r = 0; r < ROWS; r += test_all() ? 1 : 3 * DOMAIN_ROWS)
        row[n++] = r;
    return n;
}

variants *variants_open(const char *model)
{
    char path[512];
    variants *v = test_calloc(1, sizeof *v);

    v->host = fake_host_new(2);
    v->world = tinyworld_open(v->host, model);
    snprintf(path, sizeof path, CULL_SOURCE_DIR "/models/%s", model);
    test_model_open(v->host, path, CULL_OPEN_WEIGHTS, &v->model);
    v->ids = tinyworld_golden(v->world, "calibration");
    v->eval = tinyworld_golden(v->world, "eval");
    return v;
}

void variants_close(variants *v)
{
    for (size_t i = 0; i < v->n_passes; i++)
        cull_stats_store_free(v->store[i]);
    golden_close(v->ids);
    golden_close(v->eval);
    test_model_close(&v->model);
    tinyworld_close(v->world);
    fake_host_free(v->host);
    test_free(v);
}

void variants_calibrate(variants *v, const cull_calibration *how)
{
    const int32_t *ids = golden_i32(v->ids, "ids", 2, (size_t[]){ 72, WIDTH });
    const cull_layer_facts *facts[TINYWORLD_L];
    cull_sequence at[72];
    const cull_sequences rows = { sizeof rows, 72, at };
    cull_calibration calibration = *how;

    for (size_t i = 0; i < 72; i++)
        at[i] = (cull_sequence){ .size = sizeof(cull_sequence),
                                 .ids = ids + WIDTH * i,
                                 .n = WIDTH,
                                 .source = "golden",
                                 .ordinal = i };
    for (size_t l = 0; l < TINYWORLD_L; l++)
        facts[l] = cull_layer_of(&v->model.opened, l);
    assert_true(v->n_passes < VARIANTS_PASSES);
    cull_stats_store *store =
        cull_stats_store_new(fake_ctx(v->host), v->model.opened.facts, facts, how->groups);
    assert_non_null(store);
    v->store[v->n_passes++] = store;
    calibration.rows = &rows;
    calibration.out = store;
    assert_ok(v->host, cull_calibrate_pass(fake_ctx(v->host), &v->model.opened, NULL, 1,
                                           &calibration, NULL));
    v->world->view.stats = cull_stats_store_view(store);
}

void variants_add(variants *v, const char *name, const cull_cut *cut, uint8_t action)
{
    variant *new = &v->variant[v->n++];
    char kept[128];

    assert_true(v->n < VARIANTS_MOST);
    snprintf(new->golden, sizeof new->golden, "%s", name);
    snprintf(kept, sizeof kept, "%s.layer.0.kept", name);
    new->cut = cut;
    new->kept = golden_has(v->eval, kept);
    new->action = action;
}

// [variant][row]
static const cull_answer *evaluate(variants *v, size_t n, const size_t *row)
{
    cull_ctx *ctx = fake_ctx(v->host);
    const int32_t *ids = golden_i32(v->ids, "heldout_ids", 2, (size_t[]){ ROWS, WIDTH });
    cull_request request[ROWS];
    const cull_request *requests[ROWS];
    const cull_cut *cuts[VARIANTS_MOST];
    cull_answer *answers = cull_take(ctx, v->n * n, sizeof *answers);

    assert_non_null(answers);
    for (size_t i = 0; i < n; i++) {
        request[i] = (cull_request){ sizeof(cull_request), .kind = CULL_SCORE,
                                     .ids = ids + row[i] * WIDTH, .n = WIDTH, .scored = WIDTH - 1 };
        requests[i] = &request[i];
    }
    for (size_t i = 0; i < v->n; i++)
        cuts[i] = v->variant[i].cut;
    assert_ok(v->host, cull_evaluate_pass(ctx, &v->model.opened, NULL, v->n, cuts, n, requests,
                                          answers, NULL));
    return answers;
}

// exp of the mean over these rows of the summed losses `nll`.
static double perplexity(size_t n, const size_t *row, const double *nll)
{
    double sum = 0.0;

    for (size_t i = 0; i < n; i++)
        sum += nll[row ? row[i] : i];
    return exp(sum / (double)(n * (WIDTH - 1)));
}

static bool near(variants *v, const variant *one, const char *of, double got, double want)
{
    const bool close = fabs(got - want) <= 1e-3 * want;

    if (!close)
        print_error("%s %s, %s: perplexity %.6g, not %.6g\n", v->world->name, one->golden, of, got,
                    want);
    return close;
}

// The golden perplexities are those of the golden losses, so that rows may stand for them.
static void golden_perplexities(variants *v, const variant *one, const double *nll, double *of)
{
    char name[96];
    size_t n = DOMAINS;

    for (size_t d = 0; d < DOMAINS; d++)
        of[d] = perplexity(DOMAIN_ROWS, NULL, nll + d * DOMAIN_ROWS);
    of[DOMAINS] = perplexity(ROWS, NULL, nll);
    snprintf(name, sizeof name, "%s.ppl", one->golden);
    if (!golden_has(v->eval, name))
        return;
    assert_close((const double *)of, golden_f64(v->eval, name, 1, &n), DOMAINS, 1e-12, 0);
    snprintf(name, sizeof name, "%s.ppl_pooled", one->golden);
    n = 1;
    assert_close((const double *)(of + DOMAINS), golden_f64(v->eval, name, 1, &n), 1, 1e-12, 0);
}

static bool check_perplexities(variants *v, const variant *one, size_t n, const size_t *row,
                               const cull_answer *answers)
{
    char name[96], domain[32];
    double got[ROWS], want[DOMAINS + 1];
    bool close = true;

    snprintf(name, sizeof name, "%s.nll", one->golden);
    const double *nll = golden_f64(v->eval, name, 2, (size_t[]){ DOMAINS, DOMAIN_ROWS });
    golden_perplexities(v, one, nll, want);
    for (size_t i = 0; i < n; i++)
        got[i] = -answers[i].ll;
    if (n < ROWS)
        return near(v, one, "some rows", perplexity(n, NULL, got), perplexity(n, row, nll));
    for (size_t d = 0; d < DOMAINS; d++) {
        snprintf(domain, sizeof domain, "domain %zu", d);
        close &=
            near(v, one, domain, perplexity(DOMAIN_ROWS, NULL, got + d * DOMAIN_ROWS), want[d]);
    }
    return near(v, one, "all", perplexity(ROWS, NULL, got), want[DOMAINS]) && close;
}

void variants_check(variants *v)
{
    size_t row[ROWS], off = 0;
    const size_t n = held_out(row);
    const cull_answer *answers = evaluate(v, n, row);

    for (size_t i = 0; i < v->n; i++) {
        const variant *one = &v->variant[i];
        if (one->kept)
            methods_assert_kept(v->world, v->eval, one->golden, one->cut, one->action);
        off += !check_perplexities(v, one, n, row, answers + i * n);
    }
    assert_int_equal(off, 0);
}

cull_cut *variants_kept(variants *v, const char *of)
{
    const bool stun = strcmp(of, "stun") == 0;
    golden *g = stun ? tinyworld_golden(v->world, "stun") : v->eval;
    cull_cut *cut = tinyworld_cut(v->world);

    for (size_t l = 0; l < TINYWORLD_L; l++) {
        char name[96];
        snprintf(name, sizeof name, "%s%slayer.%zu.kept", stun ? "" : of, stun ? "" : ".", l);
        const int32_t *ids = golden_i32(g, name, 1, NULL);
        memset(cut->layer[l].action, CULL_ACTION_DROP, cut->layer[l].E);
        for (size_t i = 0; i < golden_tensor(g, name).shape[0]; i++)
            cut->layer[l].action[ids[i]] = CULL_ACTION_BASE;
    }
    if (stun)
        golden_close(g);
    return cut;
}

// ---- a whole test program ----

typedef struct one_model {
    const variants_plan *plan;
    const char *model;
} one_model;

static void check_model(void **state)
{
    const one_model *of = *state;
    variants *v = variants_open(of->model);

    golden_close(v->eval);
    v->eval = tinyworld_golden(v->world, of->plan->file);
    variants_calibrate(v, &(cull_calibration){ .groups = of->plan->groups });
    of->plan->select(v);
    assert_int_equal(v->n, of->plan->n);
    variants_check(v);
    variants_close(v);
}

int variants_main(const variants_plan *plan)
{
    one_model mixtral = { plan, "tinyworld-mixtral" }, olmoe = { plan, "tinyworld-olmoe" };
    const struct CMUnitTest tests[] = {
        { "mixtral_variants_are_golden", check_model, NULL, NULL, &mixtral },
        { "olmoe_variants_are_golden", check_model, NULL, NULL, &olmoe },
    };

    return cmocka_run_group_tests_name(plan->name, tests, NULL, NULL);
}
