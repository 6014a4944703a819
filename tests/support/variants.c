#include "support/variants.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/test.h"

enum { DOMAINS = 9, DOMAIN_ROWS = 20, WIDTH = 256 };

// Rows that are evaluated: the first of every third domain, of all if CULL_TEST_ALL is set.
static size_t held_out(size_t *row)
{
    const size_t step = getenv("CULL_TEST_ALL") ? 1 : 3;
    size_t n = 0;

    for (size_t d = 0; d < DOMAINS; d += step)
        row[n++] = d * DOMAIN_ROWS;
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
        at[i] = (cull_sequence){ ids + WIDTH * i, WIDTH, "golden", i };
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
    const int32_t *ids =
        golden_i32(v->ids, "heldout_ids", 2, (size_t[]){ DOMAIN_ROWS * DOMAINS, WIDTH });
    cull_request request[DOMAINS];
    const cull_request *requests[DOMAINS];
    const cull_cut *cuts[VARIANTS_MOST];
    cull_answer *answers = cull_take(ctx, v->n * n, sizeof *answers);

    assert_non_null(answers);
    for (size_t i = 0; i < n; i++) {
        request[i] = (cull_request){
            .kind = CULL_SCORE, .ids = ids + row[i] * WIDTH, .n = WIDTH, .scored = WIDTH - 1
        };
        requests[i] = &request[i];
    }
    for (size_t i = 0; i < v->n; i++)
        cuts[i] = v->variant[i].cut;
    assert_ok(v->host, cull_evaluate_pass(ctx, &v->model.opened, NULL, v->n, cuts, n, requests,
                                          answers, NULL));
    return answers;
}

// The perplexity of these rows, within 1e-3.
static bool check_perplexity(variants *v, const variant *one, size_t n, const size_t *row,
                             const cull_answer *answers)
{
    char name[96];
    double got = 0.0, want = 0.0;

    snprintf(name, sizeof name, "%s.nll", one->golden);
    const double *nll = golden_f64(v->eval, name, 2, (size_t[]){ DOMAINS, DOMAIN_ROWS });
    for (size_t i = 0; i < n; i++) {
        got -= answers[i].ll;
        want += nll[row[i]];
    }
    got = exp(got / (double)(n * (WIDTH - 1)));
    want = exp(want / (double)(n * (WIDTH - 1)));
    const bool close = fabs(got - want) <= 1e-3 * want;
    if (!close)
        print_error("%s %s: perplexity %.6g, not %.6g\n", v->world->name, one->golden, got, want);
    return close;
}

void variants_check(variants *v)
{
    size_t row[DOMAINS], off = 0;
    const size_t n = held_out(row);
    const cull_answer *answers = evaluate(v, n, row);

    for (size_t i = 0; i < v->n; i++) {
        const variant *one = &v->variant[i];
        if (one->kept)
            methods_assert_kept(v->world, v->eval, one->golden, one->cut, one->action);
        off += !check_perplexity(v, one, n, row, answers + i * n);
    }
    assert_int_equal(off, 0);
}
