// What answers say of two distributions is what their whole logits say.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "cut/cut.h"
#include "support/model.h"
#include "support/test.h"

enum { TOKENS = 40, SCORED = 23 };

// softmax of n logits, in double and from the largest down.
static double *softmax(const float *logits, size_t n)
{
    double *p = calloc(n, sizeof *p), most = -INFINITY, sum = 0;

    assert_non_null(p);
    for (size_t v = 0; v < n; v++)
        most = fmax(most, (double)logits[v]);
    for (size_t v = 0; v < n; v++)
        sum += p[v] = exp((double)logits[v] - most);
    for (size_t v = 0; v < n; v++)
        p[v] /= sum;
    return p;
}

static float *logits_of(fake_host *host, const test_model *m, const int32_t *ids,
                        const cull_cut *cut)
{
    cull_trace trace = { .n_seq = 1, .len = TOKENS, .ids = ids };

    trace.logits = calloc(TOKENS * m->opened.facts->V, sizeof *trace.logits);
    assert_non_null(trace.logits);
    assert_ok(host, cull_trace_pass(fake_ctx(host), &m->opened, NULL, cut, &trace));
    return trace.logits;
}

// Every second expert of each layer but the first dropped.
static cull_cut *half(fake_host *host, const test_model *m)
{
    const cull_model_facts *facts = m->opened.facts;
    size_t E[8];

    assert_true(facts->L <= 8);
    for (size_t l = 0; l < facts->L; l++)
        E[l] = cull_layer_of(&m->opened, l)->E;
    cull_cut *cut = cull_cut_new(fake_ctx(host), facts->L, facts->D, E);
    assert_non_null(cut);
    for (size_t l = 1; l < facts->L; l++)
        for (size_t e = 0; e < E[l]; e += 2)
            cut->layer[l].action[e] = CULL_ACTION_DROP;
    return cut;
}

static void check(const cull_answer *answer, const float *dense, const float *cut, size_t V)
{
    double kl = 0, overlap = 0;

    for (size_t t = TOKENS - 1 - SCORED; t < TOKENS - 1; t++) {
        double *p = softmax(dense + t * V, V), *q = softmax(cut + t * V, V);
        for (size_t v = 0; v < V; v++) {
            kl += p[v] * log(p[v] / q[v]);
            overlap += fmin(p[v], q[v]);
        }
        free(p);
        free(q);
    }
    assert_true(fabs(answer->kl - kl) <= 1e-5 * fmax(1, kl));
    assert_true(fabs(answer->overlap - overlap) <= 1e-5 * SCORED);
}

static void agrees_with_the_logits(void **state)
{
    fake_host *host = fake_host_new(2);
    test_model model;
    int32_t ids[TOKENS];
    cull_rng rng;

    (void)state;
    test_model_open(host, CULL_SOURCE_DIR "/models/tinyworld-mixtral", CULL_OPEN_WEIGHTS, &model);
    const size_t V = model.opened.facts->V;
    cull_rng_init(&rng, 7, "test", "divergence");
    for (size_t i = 0; i < TOKENS; i++)
        ids[i] = (int32_t)cull_rng_below(&rng, V);
    const cull_request request = { .size = sizeof request,
                                   .wants = CULL_WANT_KL | CULL_WANT_OVERLAP,
                                   .ids = ids,
                                   .n = TOKENS,
                                   .scored = SCORED };
    const cull_request *asked[] = { &request };
    const cull_cut *cuts[] = { NULL, half(host, &model) };
    cull_answer answer[2];
    assert_ok(host, cull_evaluate_pass(fake_ctx(host), &model.opened, NULL, 2, cuts, 1, asked,
                                       answer, NULL));
    float *dense = logits_of(host, &model, ids, NULL), *cut = logits_of(host, &model, ids, cuts[1]);
    check(&answer[0], dense, dense, V);
    check(&answer[1], dense, cut, V);
    assert_true(answer[0].overlap == SCORED && answer[0].kl == 0);
    assert_true(answer[1].overlap < 0.99 * SCORED && answer[1].kl > 0);
    free(dense);
    free(cut);
    test_model_close(&model);
    fake_host_free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(agrees_with_the_logits) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
