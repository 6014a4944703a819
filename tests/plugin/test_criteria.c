// The criteria of experts, pairs and layers against golden scores, and their properties.
#include "support/methods.h"

#include <math.h>
#include <stdio.h>

#include "base/rng.h"

#include "support/assert_close.h"
#include "support/fixture.h"
#include "support/test.h"

WORLDS_FIXTURE

static const struct golden_case {
    const char *criterion;
    const char *settings[3];
    const char *golden;
    bool similarity; // the golden tensor holds similarities, 1 − distance
} cases[] = {
    { "frequency", { NULL }, "frequency", false },
    { "frequency", { "of=gate-sum" }, "gate_sum", false },
    { "frequency", { "of=mean-gate" }, "mean_gate", false },
    { "frequency", { "of=probability" }, "mean_p", false },
    { "frequency", { "of=gate-probability" }, "mone_freq_code", false },
    { "gate", { NULL }, "gate_sum", false },
    { "gate", { "of=mean" }, "mean_gate", false },
    { "variance", { NULL }, "mone_variance", false },
    { "mone", { NULL }, "mone_fused", false },
    { "mone", { "frequency=paper" }, "mone_fused_paper", false },
    { "mone", { "factors=variance" }, "mone_variance", false },
    { "mone", { "factors=frequency" }, "mone_freq_code", false },
    { "mone", { "factors=frequency", "frequency=paper" }, "mone_freq_paper", false },
    { "reap", { NULL }, "reap", false },
    { "reap", { "of=sum" }, "gate_norm_sum", false },
    { "reap", { "of=max-signed" }, "max_signed", false },
    { "ean", { NULL }, "ean", false },
    { "ean", { "of=mean" }, "ean_mean", false },
    { "ean", { "of=mean-square" }, "ean_sq_mean", false },
    { "ean", { "of=ca" }, "ean_ca", false },
    { "easy-ep", { NULL }, "easyep", false },
    { "similarity", { NULL }, "stun_a_norm", false },
    { "similarity", { "normalise=false" }, "stun_a_raw", false },
    { "similarity", { "mode=coactivation" }, "stun_b_norm", false },
    { "similarity", { "mode=coactivation", "normalise=false" }, "stun_b_raw", false },
    { "similarity", { "mode=both" }, "stun_c_norm", false },
    { "similarity", { "mode=both", "normalise=false" }, "stun_c_raw", false },
    { "logit-similarity", { NULL }, "msmoe_similarity", true },
    { "logit-similarity", { "of=sigmoid" }, "msmoe_similarity_sigmoid", true },
    { "output-distance", { NULL }, "hcsmoe_distance", false },
};
enum { N_CASES = sizeof cases / sizeof *cases };

static size_t score_count(const cull_scores *scores, size_t E)
{
    return scores->form == CULL_FORM_PAIR ? E * E : E;
}

static const double *score_array(const cull_scores *scores, size_t l)
{
    return scores->form == CULL_FORM_PAIR ? scores->pair[l] : scores->expert[l];
}

static void scores_are_golden(void **state)
{
    (void)state;
    for (size_t w = 0; w < 2; w++) {
        golden *scores = tinyworld_golden(worlds[w], "scores");

        for (size_t i = 0; i < N_CASES; i++) {
            const cull_scores *got =
                methods_score(worlds[w], cases[i].criterion, cases[i].settings);

            for (size_t l = 0; l < TINYWORLD_L; l++) {
                const size_t n = score_count(got, worlds[w]->layer[l].E);
                char name[64];
                size_t n_want = 0;
                double want[1024], largest = 0.0;

                snprintf(name, sizeof name, "layer.%zu.%s", l, cases[i].golden);
                const double *g = golden_numbers(scores, name, &n_want);
                assert_int_equal(n, n_want);
                for (size_t k = 0; k < n; k++) {
                    want[k] = cases[i].similarity ? 1.0 - g[k] : g[k];
                    largest = fmax(largest, fabs(want[k]));
                }
                assert_close(score_array(got, l), (const double *)want, n, 0.0, 1e-9 * largest);
            }
        }
        golden_close(scores);
    }
}

// The golden mode c has the weight that Cull's has unless told otherwise.
static void both_has_the_golden_mu(void **state)
{
    (void)state;
    for (size_t w = 0; w < 2; w++) {
        golden *stun = tinyworld_golden(worlds[w], "stun");
        const size_t one = 1, n = worlds[w]->layer[0].E * worlds[w]->layer[0].E;
        char mu[32];

        snprintf(mu, sizeof mu, "mu=%.17g", golden_f64(stun, "mu", 1, &one)[0]);
        const cull_scores *plain = methods_score(worlds[w], "similarity", WORDS("mode=both"));
        const cull_scores *told = methods_score(worlds[w], "similarity", WORDS("mode=both", mu));
        for (size_t l = 0; l < TINYWORLD_L; l++)
            assert_memory_equal(plain->pair[l], told->pair[l], n * sizeof(double));
        golden_close(stun);
    }
}

// ---- permuting the experts permutes the scores ----

static const size_t *order; // (E) expert e of the permuted world is expert order[e] of the true one

static const double *permuted(const double *x, size_t E, size_t width)
{
    double *out = cull_take(fake_ctx(host), E * width, sizeof *out);

    assert_non_null(out);
    for (size_t e = 0; e < E; e++)
        memcpy(out + e * width, x + order[e] * width, width * sizeof *out);
    return out;
}

static const double *permuted_square(const double *x, size_t E)
{
    double *out = cull_take(fake_ctx(host), E * E, sizeof *out);

    assert_non_null(out);
    for (size_t i = 0; i < E; i++)
        for (size_t j = 0; j < E; j++)
            out[i * E + j] = x[order[i] * E + order[j]];
    return out;
}

static cull_layer_stats permuted_stats(const cull_layer_stats *s)
{
    cull_layer_stats out = *s;
    const double **per_expert[] = { &out.count,      &out.gate_sum, &out.gate_sq,   &out.prob_sum,
                                    &out.norm_sum,   &out.norm_sq,  &out.gate_norm, &out.norm_max,
                                    &out.max_signed, &out.max_abs,  &out.easy_ep };
    const double **per_channel[] = { &out.mean, &out.var, &out.mean_gate, &out.dense_mean };
    const double **per_pair[] = { &out.coact, &out.logit_gram, &out.sigmoid_gram };

    for (size_t i = 0; i < sizeof per_expert / sizeof *per_expert; i++)
        *per_expert[i] = permuted(*per_expert[i], s->E, 1);
    for (size_t i = 0; i < sizeof per_channel / sizeof *per_channel; i++)
        *per_channel[i] = permuted(*per_channel[i], s->E, s->D);
    for (size_t i = 0; i < sizeof per_pair / sizeof *per_pair; i++)
        *per_pair[i] = permuted_square(*per_pair[i], s->E);
    return out;
}

static cull_status permuted_router(cull_ctx *ctx, const cull_view *view, cull_matrix_id where,
                                   const float **w, size_t *rows, size_t *cols, const float **bias)
{
    assert_int_equal(where.part, CULL_PART_ROUTER);
    const float *router = tinyworld_matrix(view->core, where, rows, cols);
    float *out = cull_take(ctx, *rows * *cols, sizeof *out);

    assert_non_null(out);
    for (size_t e = 0; e < *rows; e++)
        memcpy(out + e * *cols, router + order[e] * *cols, *cols * sizeof *out);
    *w = out;
    *bias = NULL;
    return CULL_OK;
}

static void permuting_experts_permutes_scores(void **state)
{
    (void)state;
    for (size_t w = 0; w < 2; w++) {
        tinyworld *world = worlds[w], mirror = *world;
        const size_t E = world->layer[0].E;
        size_t shuffled[64];
        struct cull_rng rng;

        cull_rng_init(&rng, 7, "test", "order");
        cull_rng_shuffle(&rng, E, shuffled);
        order = shuffled;
        for (size_t l = 0; l < TINYWORLD_L; l++)
            mirror.layer_stats[l] = permuted_stats(&world->layer_stats[l]);
        mirror.all_stats.layer = mirror.layer_stats;
        mirror.view.stats = &mirror.all_stats;
        mirror.view.weights = permuted_router;

        for (size_t i = 0; i < N_CASES; i++) {
            const cull_scores *a = methods_score(world, cases[i].criterion, cases[i].settings);
            const cull_scores *b = methods_score(&mirror, cases[i].criterion, cases[i].settings);

            for (size_t l = 0; l < TINYWORLD_L; l++) {
                const double *want = a->form == CULL_FORM_PAIR ? permuted_square(a->pair[l], E)
                                                               : permuted(a->expert[l], E, 1);
                assert_close(score_array(b, l), want, score_count(a, E), 1e-12, 1e-300);
            }
        }
    }
}

// ---- rules that goldens do not reach ----

static void experts_without_tokens_score_zero(void **state)
{
    static const char *const names[] = { "frequency", "gate", "variance", "mone",
                                         "reap",      "ean",  "easy-ep" };
    size_t unrouted = 0;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const cull_scores *scores = methods_score(worlds[0], names[i], NULL);

        for (size_t l = 0; l < TINYWORLD_L; l++)
            for (size_t e = 0; e < worlds[0]->layer[l].E; e++)
                if (worlds[0]->layer_stats[l].count[e] == 0.0) {
                    assert_true(scores->expert[l][e] == 0.0);
                    unrouted++;
                }
    }
    assert_int_equal(unrouted, 4 * sizeof names / sizeof *names);
}

static void easy_ep_normalises_layers(void **state)
{
    const cull_scores *scores = methods_score(worlds[1], "easy-ep", WORDS("normalise=true"));

    (void)state;
    for (size_t l = 0; l < TINYWORLD_L; l++) {
        double sum = 0.0;
        for (size_t e = 0; e < worlds[1]->layer[l].E; e++)
            sum += scores->expert[l][e];
        assert_true(fabs(sum - 1.0) < 1e-12);
    }
}

static void reap_lifts_super_experts(void **state)
{
    tinyworld world = *worlds[1];
    const size_t E = world.layer[0].E;
    double peaks[TINYWORLD_L][64];

    (void)state;
    for (size_t l = 0; l < TINYWORLD_L; l++) {
        for (size_t e = 0; e < E; e++)
            peaks[l][e] = 1.0 + 0.001 * (double)e;
        world.layer_stats[l].max_signed = peaks[l];
    }
    peaks[1][5] = 100.0; // super: alone above the percentile and a tenth of the maximum
    peaks[3][6] = 90.0;  // as large, but in the last quarter
    world.all_stats.layer = world.layer_stats;
    world.view.stats = &world.all_stats;

    const cull_scores *plain = methods_score(&world, "reap", NULL);
    const cull_scores *pinned = methods_score(&world, "reap", WORDS("keep_super=true"));
    for (size_t l = 0; l < TINYWORLD_L; l++)
        for (size_t e = 0; e < E; e++)
            if (l == 1 && e == 5) {
                for (size_t k = 0; k < TINYWORLD_L * E; k++)
                    assert_true(k / E == 1 || pinned->expert[l][e] > plain->expert[k / E][k % E]);
            } else {
                assert_true(pinned->expert[l][e] == plain->expert[l][e]);
            }
}

static void similarity_needs_coactivation(void **state)
{
    tinyworld world = *worlds[0];
    const double none[256] = { 0.0 };
    const methods_plugin p = methods_load(&world, "criterion", "similarity", WORDS("mode=both"));
    const cull_criterion *similarity = p.vtable;

    (void)state;
    world.layer_stats[2].coact = none;
    world.all_stats.layer = world.layer_stats;
    world.view.stats = &world.all_stats;
    assert_fails(host,
                 similarity->score(fake_ctx(host), p.settings, &world.view, CULL_ALL_LAYERS,
                                   methods_scores(&world, CULL_FORM_PAIR)),
                 CULL_EINVAL, "layer 2");
}

// Experts that an earlier stage dropped no longer count in the norms.
static void similarity_sees_what_stands(void **state)
{
    tinyworld world = *worlds[0];
    const size_t E = world.layer[0].E;
    cull_cut *before = tinyworld_cut(&world);
    const cull_scores *all = methods_score(&world, "similarity", WORDS("mode=coactivation"));
    const double *coact = world.layer_stats[0].coact;
    double sum = 0.0;

    (void)state;
    before->layer[0].action[3] = CULL_ACTION_DROP;
    world.view.before = before;
    const cull_scores *rest = methods_score(&world, "similarity", WORDS("mode=coactivation"));
    for (size_t k = 0; k < E * E; k++)
        sum += coact[k];
    const double ratio = (double)((E - 1) * (E - 1)) / (double)(E * E);
    assert_true(fabs(rest->pair[0][1] - all->pair[0][1] * ratio) < 1e-12);
    assert_true(fabs(all->pair[0][1] + coact[1] / (sum / (double)(E * E))) < 1e-12);
    assert_true(rest->pair[1][1] == all->pair[1][1]);
}

static void cosine_reads_the_hidden_states(void **state)
{
    const tinyworld *world = worlds[0];
    const size_t L = TINYWORLD_L;
    const double N = 18432.0;
    const cull_scores *block = methods_score(worlds[0], "cosine", NULL);
    const cull_scores *moe = methods_score(worlds[0], "cosine", WORDS("of=moe"));
    const cull_scores *angle = methods_score(worlds[0], "cosine", WORDS("measure=angle"));

    (void)state;
    for (size_t l = 0; l < L; l++) {
        const size_t at = l * (L + 1) + l + 1;
        assert_true(block->layer[l] == 1.0 - world->all_stats.cos_sum[at] / N);
        assert_true(angle->layer[l] == world->all_stats.angle_sum[at] / N);
        assert_true(moe->layer[l] == 1.0 - world->layer_stats[l].moe_cos / N);
        assert_true(block->layer[l] > 0.0 && angle->layer[l] > 0.0 && moe->layer[l] > 0.0);
    }
}

// ---- random ----

static void random_is_seeded_by_layer(void **state)
{
    const size_t E = worlds[0]->layer[0].E;

    (void)state;
    host->context.seed = 5;
    const cull_scores *a = methods_score(worlds[0], "random", NULL);
    const cull_scores *b = methods_score(worlds[0], "random", NULL);
    tinyworld shorter = *worlds[0];
    shorter.layer[0].E = 0; // a dense layer in front changes nothing behind it
    shorter.view.layer = shorter.layer;
    const cull_scores *c = methods_score(&shorter, "random", NULL);
    host->context.seed = 6;
    const cull_scores *d = methods_score(worlds[0], "random", NULL);

    for (size_t l = 0; l < TINYWORLD_L; l++) {
        assert_memory_equal(a->expert[l], b->expert[l], E * sizeof(double));
        assert_memory_not_equal(a->expert[l], d->expert[l], E * sizeof(double));
        if (l > 0) {
            assert_memory_equal(a->expert[l], c->expert[l], E * sizeof(double));
            assert_memory_not_equal(a->expert[l], a->expert[l - 1], E * sizeof(double));
        }
    }
}

// Over many seeds every expert is among the lowest quarter about equally often, and layers choose
// independently.
static void random_is_uniform(void **state)
{
    enum { SEEDS = 2000, E = 16, LOW = 4 };
    size_t low[TINYWORLD_L][E] = { { 0 } }, both = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        bool is_low[TINYWORLD_L] = { false };

        host->context.seed = seed;
        const cull_scores *s = methods_score(worlds[0], "random", NULL);
        for (size_t l = 0; l < TINYWORLD_L; l++)
            for (size_t e = 0; e < E; e++) {
                size_t below = 0;
                for (size_t k = 0; k < E; k++)
                    below += s->expert[l][k] < s->expert[l][e];
                low[l][e] += below < LOW;
                is_low[l] = is_low[l] || (e == 0 && below < LOW);
            }
        both += is_low[0] && is_low[1];
    }
    const double p = (double)LOW / E, sd = sqrt(SEEDS * p * (1 - p));
    for (size_t l = 0; l < TINYWORLD_L; l++)
        for (size_t e = 0; e < E; e++)
            assert_true(fabs((double)low[l][e] - SEEDS * p) < 5 * sd);
    assert_true(fabs((double)both - SEEDS * p * p) < 5 * sqrt(SEEDS * p * p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_golden),
        cmocka_unit_test(both_has_the_golden_mu),
        cmocka_unit_test(permuting_experts_permutes_scores),
        cmocka_unit_test(experts_without_tokens_score_zero),
        cmocka_unit_test(easy_ep_normalises_layers),
        cmocka_unit_test(reap_lifts_super_experts),
        cmocka_unit_test(similarity_needs_coactivation),
        cmocka_unit_test(similarity_sees_what_stands),
        cmocka_unit_test(cosine_reads_the_hidden_states),
        cmocka_unit_test(random_is_seeded_by_layer),
        cmocka_unit_test(random_is_uniform),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
