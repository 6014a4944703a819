// The engine against tests/golden/methods: calibration statistics of both embedded models, and
// held-out perplexities of the dense model and of variants with dropped experts.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/assert_close.h"
#include "support/golden.h"
#include "support/opened.h"
#include "support/test.h"

typedef struct model {
    fake_host *host;
    cull_open_model m;
    golden *stats, *ids, *eval;
    cull_stats_store *store;
} model;

static golden *open_part(model *t, const char *name, const char *part)
{
    char path[512];

    (void)snprintf(path, sizeof path, CULL_SOURCE_DIR "/tests/golden/methods/%s/%s.safetensors",
                   name, part);
    return golden_open(t->host, path);
}

static model *setup(const char *name, size_t threads)
{
    model *t = test_calloc(1, sizeof *t);
    char path[128];

    t->host = fake_host_new(threads);
    (void)snprintf(path, sizeof path, "models/%s", name);
    t->m = opened_new(t->host, path);
    t->stats = open_part(t, name, "stats");
    t->ids = open_part(t, name, "calibration");
    t->eval = open_part(t, name, "eval");
    return t;
}

static void teardown(model *t)
{
    cull_stats_store_free(t->store);
    golden_close(t->stats);
    golden_close(t->ids);
    golden_close(t->eval);
    opened_close(&t->m);
    fake_host_free(t->host);
    test_free(t);
}

static cull_sequences sequences(model *t, const char *tensor, size_t n)
{
    const int32_t *ids = golden_i32(t->ids, tensor, 2, (size_t[]){ n, 256 });
    cull_sequence *at = cull_take(fake_ctx(t->host), n, sizeof *at);

    for (size_t i = 0; i < n; i++)
        at[i] = (cull_sequence){ .size = sizeof(cull_sequence),
                                 .ids = ids + 256 * i,
                                 .n = 256,
                                 .source = "golden",
                                 .ordinal = i };
    return (cull_sequences){ sizeof(cull_sequences), n, at };
}

static void calibrate(model *t, uint32_t groups, const cull_cut *cut)
{
    const cull_sequences rows = sequences(t, "ids", 72);
    cull_calibration cal = { .rows = &rows, .groups = groups, .cut = cut };

    t->store =
        cull_stats_store_new(fake_ctx(t->host), t->m.facts, opened_facts(t->host, &t->m), groups);
    assert_non_null(t->store);
    cal.out = t->store;
    assert_ok(t->host, cull_calibrate_pass(fake_ctx(t->host), &t->m, NULL, 1, &cal, NULL));
}

// 1e-5 of the tensor's largest magnitude, but for experts whose counts differ by a near-tie.
static void compare(model *t, size_t l, const char *name, const double *got, size_t n,
                    const uint8_t *excused, size_t per)
{
    char full[96];
    size_t count;

    (void)snprintf(full, sizeof full, "layer.%zu.%s", l, name);
    const double *want = golden_numbers(t->stats, full, &count);
    double most = 0.0;
    assert_int_equal(count, n);
    for (size_t i = 0; i < n; i++)
        most = fabs(want[i]) > most ? fabs(want[i]) : most;
    for (size_t i = 0; i < n; i++)
        if (!(excused && excused[i / per]) && !(fabs(got[i] - want[i]) <= 1e-5 * most))
            fail_msg("%s[%zu] is %.9g, not %.9g (largest %.3g)", full, i, got[i], want[i], most);
}

// The root of the summed variances of an expert's outputs.
static void compare_spread(model *t, size_t l, const cull_layer_stats *s, const uint8_t *excused)
{
    double *spread = test_calloc(s->E, sizeof *spread);

    for (size_t e = 0; e < s->E; e++) {
        for (size_t d = 0; d < s->D; d++)
            spread[e] += s->var[e * s->D + d];
        spread[e] = sqrt(spread[e]);
    }
    compare(t, l, "phi_var", spread, s->E, excused, 1);
    test_free(spread);
}

// Tokens that chose both; a near-tie may move any of them.
static void compare_pairs(model *t, size_t l, const cull_layer_stats *s, double near)
{
    char name[64];
    size_t n;

    (void)snprintf(name, sizeof name, "layer.%zu.coact", l);
    const double *want = golden_numbers(t->stats, name, &n);
    assert_int_equal(n, s->E * s->E);
    for (size_t i = 0; i < n; i++)
        assert_true(fabs(s->coact[i] - want[i]) <= near);
}

static void compare_layer(model *t, size_t l)
{
    const cull_layer_stats *s = cull_stats_store_view(t->store)->layer + l;
    const size_t E = s->E, D = s->D, F = s->F;
    uint8_t *excused = test_calloc(E, 1);
    char name[64];
    size_t n;

    (void)snprintf(name, sizeof name, "layer.%zu.near_ties", l);
    const double near = *golden_numbers(t->stats, name, &n);
    (void)snprintf(name, sizeof name, "layer.%zu.n", l);
    const double *count = golden_numbers(t->stats, name, &n);
    for (size_t e = 0; e < E; e++) {
        assert_true(fabs(s->count[e] - count[e]) <= near);
        excused[e] = s->count[e] != count[e];
    }
    compare_pairs(t, l, s, near);
    compare(t, l, "sum_g", s->gate_sum, E, excused, 1);
    compare(t, l, "sum_g2", s->gate_sq, E, excused, 1);
    compare(t, l, "sum_p", s->prob_sum, E, NULL, 1);
    compare(t, l, "sum_norm", s->norm_sum, E, excused, 1);
    compare(t, l, "sum_norm2", s->norm_sq, E, excused, 1);
    compare(t, l, "sum_g_norm", s->gate_norm, E, excused, 1);
    compare(t, l, "max_norm", s->norm_max, E, excused, 1);
    compare(t, l, "max_signed", s->max_signed, E, excused, 1);
    compare(t, l, "max_abs", s->max_abs, E, excused, 1);
    compare(t, l, "mean_y", s->mean, E * D, excused, D);
    compare(t, l, "var_y", s->var, E * D, excused, D);
    compare_spread(t, l, s, excused);
    compare(t, l, "novice_gw", s->mean_gate, E * D, excused, D);
    compare(t, l, "easyep", s->easy_ep, E, excused, 1);
    compare(t, l, "logit_gram", s->logit_gram, E * E, NULL, 1);
    compare(t, l, "sigmoid_gram", s->sigmoid_gram, E * E, NULL, 1);
    compare(t, l, "sum_x2", s->x_sq, E * D, excused, D);
    compare(t, l, "sum_u2", s->u_sq, E * F, excused, F);
    compare(t, l, "sum_attn_in2", s->part_sq[CULL_PART_Q], D, NULL, 1);
    compare(t, l, "sum_o_in2", s->part_sq[CULL_PART_O], D, NULL, 1);
    compare(t, l, "sum_moe_in2", s->part_sq[CULL_PART_ROUTER], D, NULL, 1);
    compare(t, l, "dense_mean_y", s->dense_mean, E * D, NULL, 1);
    compare(t, l, "moe_cos_sum", &s->moe_cos, 1, NULL, 1);
    test_free(excused);
}

// Statistics of channels, which numpy computed in float64 (make_channels.py).
static void compare_channels(model *t, golden *channels, size_t l)
{
    const cull_layer_stats *s = cull_stats_store_view(t->store)->layer + l;
    uint8_t *excused = test_calloc(s->E, 1);
    char name[64];
    size_t n;

    (void)snprintf(name, sizeof name, "layer.%zu.n", l);
    const double *count = golden_numbers(channels, name, &n);
    for (size_t e = 0; e < s->E; e++)
        excused[e] = s->count[e] != count[e];
    golden *const stats = t->stats;
    t->stats = channels;
    compare(t, l, "u_mean", s->u_mean, s->E * s->F, excused, s->F);
    compare(t, l, "u_var", s->u_var, s->E * s->F, excused, s->F);
    compare(t, l, "gx_sq", s->gx_sq, s->E * s->D, excused, s->D);
    compare(t, l, "gu_sq", s->gu_sq, s->E * s->F, excused, s->F);
    compare(t, l, "gu_peak", s->gu_peak, s->E * s->F, excused, s->F);
    t->stats = stats;
    test_free(excused);
}

static void test_statistics(void **state)
{
    const char *name = *state;
    const uint32_t all = CULL_STAT_ROUTING | CULL_STAT_COACTIVATION | CULL_STAT_OUTPUT_NORM |
                         CULL_STAT_OUTPUT_MOMENTS | CULL_STAT_EASY_EP | CULL_STAT_LOGIT_GRAM |
                         CULL_STAT_INPUT_SQUARES | CULL_STAT_LAYER_COSINES | CULL_STAT_DENSE_MEAN |
                         CULL_STAT_GATE_RATIO | CULL_STAT_CHANNEL_MOMENTS |
                         CULL_STAT_GATED_SQUARES | CULL_STAT_GATED_PEAKS;
    model *t = setup(name, 2);
    const cull_stats *stats;
    size_t n;

    calibrate(t, all, NULL);
    stats = cull_stats_store_view(t->store);
    assert_int_equal(stats->tokens, 18432);
    golden *channels = open_part(t, name, "channels");
    for (size_t l = 0; l < stats->L; l++) {
        compare_layer(t, l);
        compare_channels(t, channels, l);
    }
    golden_close(channels);
    const double *cosines = golden_numbers(t->stats, "model.cos_sum", &n);
    const double *angles = golden_numbers(t->stats, "model.angle_sum", &n);
    assert_close(stats->cos_sum, cosines, n, 0.0, 1e-5 * 18432);
    assert_close(stats->angle_sum, angles, n, 0.0, 1e-5 * 18432);
    teardown(t);
}

// ---- routing, token by token ----

enum { TOKENS = 18432, MOST_E = 64 };

// softmax(z) of all E
static void probabilities(size_t E, const float *z, double *p)
{
    double sum = 0;

    for (size_t e = 0; e < E; e++)
        sum += p[e] = exp((double)z[e]);
    for (size_t e = 0; e < E; e++)
        p[e] /= sum;
}

static int falling(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x < y) - (x > y);
}

// How far the least chosen expert of a token is from the next.
static double margin(size_t E, size_t K, const float *z)
{
    double p[MOST_E];

    probabilities(E, z, p);
    qsort(p, E, sizeof *p, falling);
    return p[K - 1] - p[K];
}

static void compare_choices(model *t, size_t l, const float *z, const int32_t *chosen)
{
    const cull_layer_facts *f = cull_layer_of(&t->m, l);
    char name[64];
    size_t n = 0, near = 0;
    double least = 1;

    (void)snprintf(name, sizeof name, "layer.%zu.topk", l);
    const uint8_t *want = golden_u8(t->stats, name, 2, (size_t[]){ TOKENS, f->K });
    for (size_t i = 0; i < TOKENS; i++) {
        const double m = margin(f->E, f->K, z + i * f->E);
        uint64_t got_set = 0, want_set = 0;
        double p[MOST_E];
        probabilities(f->E, z + i * f->E, p);
        for (size_t k = 0; k < f->K; k++) {
            const int32_t got = chosen[i * f->K + k];
            got_set |= (uint64_t)1 << got;
            want_set |= (uint64_t)1 << want[i * f->K + k];
            if (fabs(p[got] - p[want[i * f->K + k]]) >= 1e-5) // in falling order, too
                fail_msg("layer %zu, token %zu: expert %d is choice %zu", l, i, got, k);
        }
        if (got_set != want_set && m >= 1e-5)
            fail_msg("layer %zu, token %zu: other experts than the golden ones", l, i);
        near += m < 1e-5;
        least = m < least ? m : least;
    }
    (void)snprintf(name, sizeof name, "layer.%zu.margin_min", l);
    assert_true(fabs(least - golden_numbers(t->stats, name, &n)[0]) <= 1e-6);
    (void)snprintf(name, sizeof name, "layer.%zu.near_ties", l);
    assert_true(fabs((double)near - golden_numbers(t->stats, name, &n)[0]) <= 2);
}

static void check_choices(const char *name)
{
    model *t = setup(name, 2);
    const size_t L = t->m.facts->L;
    cull_trace trace = { .n_seq = 72,
                         .len = 256,
                         .ids = golden_i32(t->ids, "ids", 2, (size_t[]){ 72, 256 }) };

    trace.router_logits = cull_take(fake_ctx(t->host), L, sizeof *trace.router_logits);
    trace.router_index = cull_take(fake_ctx(t->host), L, sizeof *trace.router_index);
    assert_true(trace.router_logits && trace.router_index);
    for (size_t l = 0; l < L; l++) {
        const cull_layer_facts *f = cull_layer_of(&t->m, l);
        trace.router_logits[l] = cull_take(fake_ctx(t->host), TOKENS * f->E, sizeof(float));
        trace.router_index[l] = cull_take(fake_ctx(t->host), TOKENS * f->K, sizeof(int32_t));
        assert_true(trace.router_logits[l] && trace.router_index[l]);
    }
    assert_ok(t->host, cull_trace_pass(fake_ctx(t->host), &t->m, NULL, NULL, &trace));
    for (size_t l = 0; l < L; l++)
        compare_choices(t, l, trace.router_logits[l], trace.router_index[l]);
    teardown(t);
}

static void test_choices(void **state)
{
    (void)state;
    check_choices("tinyworld-mixtral");
    check_choices("tinyworld-olmoe");
}

// ---- perplexities: of each domain's 20 rows the first four, all of them if CULL_TEST_ALL is set
// ----

static size_t rows_of_domain(void)
{
    return getenv("CULL_TEST_ALL") ? 20 : 4;
}

static cull_cut *golden_cut(model *t, const char *variant)
{
    const size_t L = t->m.facts->L;
    const int32_t *kept[8];
    size_t n_kept[8];
    char name[128];

    for (size_t l = 0; l < L; l++) {
        (void)snprintf(name, sizeof name, "%s.layer.%zu.kept", variant, l);
        n_kept[l] = golden_tensor(t->eval, name).shape[0];
        kept[l] = golden_i32(t->eval, name, 1, NULL);
    }
    return opened_drop(t->host, &t->m, kept, n_kept);
}

static const char *const variants[] = {
    "drop-frequency-12",      "drop-mone_fused-12", "drop-reap-12", "drop-random1-12",
    "drop-frequency-8",       "drop-mone_fused-8",  "drop-reap-8",  "drop-random2-8",
    "drop-mone_fused-global", "drop-easyep-8"
};
enum { N_VARIANTS = sizeof variants / sizeof *variants + 1, N_DOMAINS = 9, N_ROWS = 180 };

// answers: [variant][domain][row]
static void evaluate(model *t, const cull_cut *const *cuts, size_t n, cull_answer *answers)
{
    const cull_sequences rows = sequences(t, "heldout_ids", N_ROWS);
    const size_t per = rows_of_domain();
    cull_request request[N_ROWS];
    const cull_request *list[N_ROWS];

    for (size_t i = 0; i < N_DOMAINS * per; i++) {
        const cull_sequence *row = rows.at + i / per * 20 + i % per;
        request[i] = (cull_request){
            .size = sizeof(cull_request), .ids = row->ids, .n = 256, .scored = 255
        };
        list[i] = request + i;
    }
    assert_ok(t->host, cull_evaluate_pass(fake_ctx(t->host), &t->m, NULL, n, cuts, N_DOMAINS * per,
                                          list, answers, NULL));
}

static void compare_nll(model *t, const char *variant, const cull_answer *answers)
{
    const size_t per = rows_of_domain();
    char name[128];
    size_t n;

    (void)snprintf(name, sizeof name, "%s.nll", variant);
    const double *want = golden_numbers(t->eval, name, &n);
    assert_int_equal(n, N_ROWS);
    for (size_t d = 0; d < N_DOMAINS; d++) {
        double sum = 0.0, expected = 0.0;
        for (size_t i = 0; i < per; i++) {
            sum -= answers[d * per + i].ll;
            expected += want[d * 20 + i];
        }
        const double tokens = 255 * (double)per;
        if (!(fabs(sum - expected) / tokens <= 1e-3))
            fail_msg("%s, domain %zu: %.6f nats a token, not %.6f", variant, d, sum / tokens,
                     expected / tokens);
    }
}

static void test_perplexities_mixtral(void **state)
{
    model *t = setup("tinyworld-mixtral", 2);
    const cull_cut *cuts[N_VARIANTS] = { NULL };
    cull_answer *answers = test_calloc(N_VARIANTS * N_ROWS, sizeof *answers);

    (void)state;
    for (size_t v = 1; v < N_VARIANTS; v++)
        cuts[v] = golden_cut(t, variants[v - 1]);
    evaluate(t, cuts, N_VARIANTS, answers);
    compare_nll(t, "dense", answers);
    for (size_t v = 1; v < N_VARIANTS; v++)
        compare_nll(t, variants[v - 1], answers + v * N_DOMAINS * rows_of_domain());
    test_free(answers);
    teardown(t);
}

// The same bits with one thread and with three.
static void test_same_bits(void **state)
{
    cull_answer *one = test_calloc(N_ROWS, sizeof *one),
                *three = test_calloc(N_ROWS, sizeof *three);
    model *a = setup("tinyworld-olmoe", 1), *b = setup("tinyworld-olmoe", 3);
    const cull_cut *dense[1] = { NULL };

    (void)state;
    evaluate(a, dense, 1, one);
    evaluate(b, dense, 1, three);
    compare_nll(a, "dense", one);
    for (size_t i = 0; i < N_DOMAINS * rows_of_domain(); i++)
        assert_true(one[i].ll == three[i].ll);
    test_free(one);
    test_free(three);
    teardown(a);
    teardown(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_MODELS(test_statistics),
        cmocka_unit_test(test_choices),
        cmocka_unit_test(test_perplexities_mixtral),
        cmocka_unit_test(test_same_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
