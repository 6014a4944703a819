// What is asked together, and on how many threads, must not show in the answers: the same bits for
// any number of threads and however requests and variants are grouped. Statistics likewise.
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "engine/stats_store.h"
#include "support/model.h"
#include "support/temp_files.h"
#include "support/test.h"

enum { QUESTIONS = 12, ANSWERS = 3, N = QUESTIONS * ANSWERS, VARIANTS = 3, LONGEST = 96 };

typedef struct asked {
    fake_host *host;
    test_model model;
    int32_t ids[N][LONGEST];
    cull_request request[N];
    const cull_request *list[N];
    const cull_cut *cut[VARIANTS];
} asked;

// Answers to a question share its words; some are the beginning of others.
static void ask(asked *a)
{
    cull_rng rng;

    cull_rng_init(&rng, 5, "test", "grouping");
    for (size_t q = 0; q < QUESTIONS; q++) {
        const size_t shared = 20 + 5 * q;
        int32_t words[LONGEST];
        for (size_t i = 0; i < LONGEST; i++)
            words[i] = (int32_t)cull_rng_below(&rng, a->model.opened.facts->V);
        for (size_t j = 0; j < ANSWERS; j++) {
            const size_t r = q * ANSWERS + j, scored = 1 + 3 * j;
            memcpy(a->ids[r], words, sizeof words);
            if (j == 2)
                a->ids[r][shared] = words[shared] ? 0 : 1;
            a->request[r] = (cull_request){ .size = sizeof(cull_request),
                                            .wants = CULL_WANT_GREEDY | CULL_WANT_KL,
                                            .ids = a->ids[r],
                                            .n = shared + scored,
                                            .scored = scored };
            a->list[r] = a->request + r;
        }
    }
}

// Dense, every third expert dropped, and every second one in the last layer alone.
static void make_cuts(asked *a)
{
    const cull_model_facts *f = a->model.opened.facts;
    size_t E[8];

    assert_true(f->L <= 8);
    for (size_t l = 0; l < f->L; l++)
        E[l] = cull_layer_of(&a->model.opened, l)->E;
    for (size_t v = 1; v < VARIANTS; v++) {
        cull_cut *cut = cull_cut_new(fake_ctx(a->host), f->L, f->D, E);
        assert_non_null(cut);
        for (size_t l = v == 1 ? 0 : f->L - 1; l < f->L; l++)
            for (size_t e = 0; e < E[l]; e += v == 1 ? 3 : 2)
                cut->layer[l].action[e] = CULL_ACTION_DROP;
        a->cut[v] = cut;
    }
}

static asked *open_on(size_t threads)
{
    asked *a = calloc(1, sizeof *a);

    assert_non_null(a);
    a->host = fake_host_new(threads);
    test_model_open(a->host, CULL_SOURCE_DIR "/models/tinyworld-mixtral", CULL_OPEN_WEIGHTS,
                    &a->model);
    ask(a);
    make_cuts(a);
    return a;
}

static void close_all(asked *a)
{
    test_model_close(&a->model);
    fake_host_free(a->host);
    free(a);
}

static void evaluate(asked *a, size_t v, size_t n_variants, size_t first, size_t n,
                     cull_answer *answer)
{
    assert_ok(a->host, cull_evaluate_pass(fake_ctx(a->host), &a->model.opened, NULL, n_variants,
                                          a->cut + v, n, a->list + first, answer, NULL));
}

static void assert_same_answer(const cull_answer *a, const cull_answer *b)
{
    assert_memory_equal(&a->ll, &b->ll, sizeof a->ll);
    assert_memory_equal(&a->kl, &b->kl, sizeof a->kl);
    assert_int_equal(a->greedy, b->greedy);
}

static void threads_leave_every_bit(void **state)
{
    cull_answer one[VARIANTS * N], more[VARIANTS * N];
    asked *a = open_on(1);

    (void)state;
    evaluate(a, 0, VARIANTS, 0, N, one);
    close_all(a);
    for (size_t threads = 2; threads <= 5; threads += 3) {
        a = open_on(threads);
        evaluate(a, 0, VARIANTS, 0, N, more);
        for (size_t i = 0; i < VARIANTS * N; i++)
            assert_same_answer(&one[i], &more[i]);
        close_all(a);
    }
}

static void company_leaves_every_bit(void **state)
{
    cull_answer all[VARIANTS * N], alone;
    asked *a = open_on(2);

    (void)state;
    evaluate(a, 0, VARIANTS, 0, N, all);
    for (size_t v = 0; v < VARIANTS; v++)
        for (size_t i = 0; i < N; i++) {
            evaluate(a, v, 1, i, 1, &alone);
            assert_same_answer(&alone, &all[v * N + i]);
        }
    close_all(a);
}

// ---- calibration ----

enum {
    GROUPS = CULL_STAT_ROUTING | CULL_STAT_COACTIVATION | CULL_STAT_OUTPUT_NORM |
             CULL_STAT_OUTPUT_MOMENTS | CULL_STAT_LOGIT_GRAM | CULL_STAT_LAYER_COSINES
};

typedef struct calibrated { // questions [first, first + n) under a cut, and what they gave
    cull_sequence at[N];
    cull_sequences rows;
    cull_calibration how;
} calibrated;

static void begin_calibration(asked *a, size_t first, size_t n, const cull_cut *cut, calibrated *c)
{
    const cull_layer_facts *facts[8];

    for (size_t i = 0; i < n; i++)
        c->at[i] = (cull_sequence){ .size = sizeof(cull_sequence),
                                    .ids = a->ids[first + i],
                                    .n = LONGEST,
                                    .source = "test",
                                    .ordinal = i };
    for (size_t l = 0; l < a->model.opened.facts->L; l++)
        facts[l] = cull_layer_of(&a->model.opened, l);
    c->rows = (cull_sequences){ sizeof c->rows, n, c->at };
    c->how = (cull_calibration){ .rows = &c->rows, .groups = GROUPS, .cut = cut };
    c->how.out = cull_stats_store_new(fake_ctx(a->host), a->model.opened.facts, facts, GROUPS);
    assert_non_null(c->how.out);
}

static void calibrate(asked *a, const cull_engine_options *options, size_t n,
                      const cull_calibration *how, cull_cost_seen *cost)
{
    assert_ok(a->host,
              cull_calibrate_pass(fake_ctx(a->host), &a->model.opened, options, n, how, cost));
}

static void assert_same_statistics(const asked *a, const calibrated *one, const calibrated *other)
{
    assert_int_equal(cull_stats_store_view(one->how.out)->tokens,
                     cull_stats_store_view(other->how.out)->tokens);
    const size_t side = a->model.opened.facts->L + 1;
    assert_memory_equal(cull_stats_store_view(one->how.out)->cos_sum,
                        cull_stats_store_view(other->how.out)->cos_sum,
                        side * side * sizeof(double));
    for (size_t l = 0; l < a->model.opened.facts->L; l++) {
        const cull_layer_stats *x = cull_stats_store_layer(one->how.out, l);
        const cull_layer_stats *y = cull_stats_store_layer(other->how.out, l);
        const size_t E = cull_layer_of(&a->model.opened, l)->E, D = a->model.opened.facts->D;
        assert_memory_equal(x->count, y->count, E * sizeof *x->count);
        assert_memory_equal(x->prob_sum, y->prob_sum, E * sizeof *x->prob_sum);
        assert_memory_equal(x->coact, y->coact, E * E * sizeof *x->coact);
        assert_memory_equal(x->norm_sum, y->norm_sum, E * sizeof *x->norm_sum);
        assert_memory_equal(x->var, y->var, E * D * sizeof *x->var);
        assert_memory_equal(x->logit_gram, y->logit_gram, E * E * sizeof *x->logit_gram);
    }
}

static void threads_leave_every_statistic(void **state)
{
    calibrated one, more;
    asked *a = open_on(1), *b = open_on(3);

    (void)state;
    begin_calibration(a, 0, N, NULL, &one);
    begin_calibration(b, 0, N, NULL, &more);
    calibrate(a, NULL, 1, &one.how, NULL);
    calibrate(b, NULL, 1, &more.how, NULL);
    assert_same_statistics(a, &one, &more);
    cull_stats_store_free(one.how.out);
    cull_stats_store_free(more.how.out);
    close_all(a);
    close_all(b);
}

// The questions in another order, of answers and of statistics.
static void reverse(asked *a, calibrated *c)
{
    for (size_t i = 0; i < N / 2; i++) {
        const cull_request *request = a->list[i];
        const cull_sequence at = c->at[i];
        a->list[i] = a->list[N - 1 - i];
        a->list[N - 1 - i] = request;
        c->at[i] = c->at[N - 1 - i];
        c->at[N - 1 - i] = at;
    }
}

static void assert_near(size_t n, const double *x, const double *y)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs(x[i] - y[i]) <= 1e-12 * fmax(fabs(x[i]), 1)))
            fail_msg("%zu: %.17g and %.17g", i, x[i], y[i]);
}

// An answer knows no order of the questions. Nor do counts; sums over rows are made in the rows'
// order, and another one rounds otherwise.
static void order_leaves_answers_and_counts(void **state)
{
    cull_answer first[VARIANTS * N], other[VARIANTS * N];
    calibrated one, two;
    asked *a = open_on(2);

    (void)state;
    begin_calibration(a, 0, N, NULL, &one);
    begin_calibration(a, 0, N, NULL, &two);
    evaluate(a, 0, VARIANTS, 0, N, first);
    calibrate(a, NULL, 1, &one.how, NULL);
    reverse(a, &two);
    evaluate(a, 0, VARIANTS, 0, N, other);
    calibrate(a, NULL, 1, &two.how, NULL);
    for (size_t v = 0; v < VARIANTS; v++)
        for (size_t i = 0; i < N; i++)
            assert_same_answer(&first[v * N + i], &other[v * N + N - 1 - i]);
    for (size_t l = 0; l < a->model.opened.facts->L; l++) {
        const cull_layer_stats *x = cull_stats_store_layer(one.how.out, l);
        const cull_layer_stats *y = cull_stats_store_layer(two.how.out, l);
        const size_t E = cull_layer_of(&a->model.opened, l)->E, D = a->model.opened.facts->D;
        assert_memory_equal(x->count, y->count, E * sizeof *x->count);
        assert_memory_equal(x->coact, y->coact, E * E * sizeof *x->coact);
        assert_near(E, x->prob_sum, y->prob_sum);
        assert_near(E, x->norm_sum, y->norm_sum);
        assert_near(E * D, x->var, y->var);
        assert_near(E * E, x->logit_gram, y->logit_gram);
    }
    cull_stats_store_free(one.how.out);
    cull_stats_store_free(two.how.out);
    close_all(a);
}

enum { TOGETHER = 3 };

// Three calibrations on rows and variants of their own, one by one and in one call under a limit of
// memory (0: none): the same bits.
static void calibrate_together(uint64_t memory, cull_cost_seen *cost)
{
    asked *a = open_on(2);
    calibrated alone[TOGETHER], together[TOGETHER];
    const cull_engine_options options = { .memory = memory };
    cull_calibration how[TOGETHER];

    for (size_t i = 0; i < TOGETHER; i++) {
        begin_calibration(a, 5 * i, N - 10 * i, a->cut[i], &alone[i]);
        begin_calibration(a, 5 * i, N - 10 * i, a->cut[i], &together[i]);
        calibrate(a, &options, 1, &alone[i].how, NULL);
        how[i] = together[i].how;
    }
    calibrate(a, &options, TOGETHER, how, cost);
    for (size_t i = 0; i < TOGETHER; i++) {
        assert_same_statistics(a, &alone[i], &together[i]);
        cull_stats_store_free(alone[i].how.out);
        cull_stats_store_free(together[i].how.out);
    }
    close_all(a);
}

static uint64_t layer_bytes(void)
{
    asked *a = open_on(1);
    uint64_t bytes = 0;

    for (size_t l = 0; l < a->model.opened.facts->L; l++)
        bytes += cull_layer_of(&a->model.opened, l)->bytes;
    close_all(a);
    return bytes;
}

// Together they read the weights once; in waves, where memory is short, once each.
static void calibrations_share_a_pass(void **state)
{
    const uint64_t once = layer_bytes();
    cull_cost_seen shared[TOGETHER] = { 0 }, waves[TOGETHER] = { 0 };
    uint64_t all = 0;

    (void)state;
    calibrate_together(0, shared);
    for (size_t i = 0; i < TOGETHER; i++)
        all += shared[i].weight_bytes;
    assert_in_range(all, once - 100 * TOGETHER, once); // shares are whole bytes
    calibrate_together(1, waves);
    for (size_t i = 0; i < TOGETHER; i++) {
        assert_int_equal(waves[i].weight_bytes, once);
        assert_int_equal(waves[i].flops, shared[i].flops);
    }
}

// What does not fit the memory and is kept in a file: statistics and answers of the same bits, the
// weights read once, and no file left.
static void what_is_spilled_comes_back(void **state)
{
    temp_files files;
    cull_answer parts[VARIANTS * N], spilled[VARIANTS * N];
    cull_cost_seen cost[2] = { 0 };
    calibrated one, other;
    asked *a = open_on(2);

    (void)state;
    temp_begin(&files);
    const cull_engine_options in_parts = { .memory = 1 };
    const cull_engine_options in_file = { .memory = 1, .spill = files.folder };
    assert_ok(a->host, cull_evaluate_pass(fake_ctx(a->host), &a->model.opened, &in_parts, VARIANTS,
                                          a->cut, N, a->list, parts, &cost[0]));
    assert_ok(a->host, cull_evaluate_pass(fake_ctx(a->host), &a->model.opened, &in_file, VARIANTS,
                                          a->cut, N, a->list, spilled, &cost[1]));
    assert_int_equal(cost[0].passes, QUESTIONS);
    assert_int_equal(cost[1].passes, 1);
    for (size_t i = 0; i < VARIANTS * N; i++)
        assert_same_answer(&spilled[i], &parts[i]);
    begin_calibration(a, 0, N, a->cut[1], &one);
    begin_calibration(a, 0, N, a->cut[1], &other);
    calibrate(a, &in_parts, 1, &one.how, NULL);
    calibrate(a, &in_file, 1, &other.how, NULL);
    assert_same_statistics(a, &one, &other);
    cull_stats_store_free(one.how.out);
    cull_stats_store_free(other.how.out);
    close_all(a);
    assert_int_equal(rmdir(files.folder), 0); // empty
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_leave_every_bit),
        cmocka_unit_test(company_leaves_every_bit),
        cmocka_unit_test(threads_leave_every_statistic),
        cmocka_unit_test(order_leaves_answers_and_counts),
        cmocka_unit_test(calibrations_share_a_pass),
        cmocka_unit_test(what_is_spilled_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
