// Cuts that leave the function as it was leave the numbers: a novice for an expert that is constant
// already, one expert in the place of two that are the same.
#include <math.h>
#include <stdio.h>

#include "cut/unpack.h"
#include "support/golden.h"
#include "support/opened.h"
#include "support/test.h"

enum { N_SEQ = 2, LEN = 48, N = N_SEQ * LEN, LAYER = 1 };

typedef struct fixture {
    fake_host *host;
    cull_open_model m;
    golden *g;
    const int32_t *ids; // (N)
} fixture;

static fixture begin(const char *architecture)
{
    fixture f = { .host = fake_host_new(2) };
    char path[512];

    (void)snprintf(path, sizeof path, "tests/golden/architectures/%s", architecture);
    f.m = opened_new(f.host, path);
    (void)snprintf(path, sizeof path,
                   CULL_SOURCE_DIR "/tests/golden/architectures/%s/golden.safetensors",
                   architecture);
    f.g = golden_open(f.host, path);
    f.ids = golden_i32(f.g, "input_ids", 2, (size_t[]){ N_SEQ, LEN });
    return f;
}

static void end(fixture *f)
{
    golden_close(f->g);
    opened_close(&f->m);
    fake_host_free(f->host);
}

static void *room(fixture *f, size_t n, size_t size)
{
    void *p = cull_take(fake_ctx(f->host), n, size);

    assert_non_null(p);
    return p;
}

static cull_cut *empty_cut(fixture *f)
{
    const size_t L = f->m.facts->L;
    size_t *E = room(f, L, sizeof *E);

    for (size_t l = 0; l < L; l++)
        E[l] = cull_layer_of(&f->m, l)->E;
    cull_cut *cut = cull_cut_new(fake_ctx(f->host), L, f->m.facts->D, E);
    assert_non_null(cut);
    return cut;
}

static cull_cut *copy(fixture *f, const cull_cut *cut)
{
    cull_cut *out = cull_cut_copy(fake_ctx(f->host), cut);

    assert_non_null(out);
    return out;
}

static cull_matrix matrix(fixture *f, cull_part part, size_t e)
{
    cull_matrix m = { .size = sizeof m };

    assert_ok(f->host, f->m.backend->matrix(fake_ctx(f->host), f->m.model,
                                            cull_at_expert(LAYER, part, e), &m));
    return m;
}

static float *overlay(fixture *f, cull_cut *cut, cull_part part, size_t e, const cull_matrix *like)
{
    float *w = cull_cut_overlay(fake_ctx(f->host), cut, cull_at_expert(LAYER, part, e), CULL_MATRIX,
                                like->rows, like->cols);

    assert_non_null(w);
    return w;
}

static float *logits(fixture *f, const cull_cut *cut)
{
    cull_trace trace = { .n_seq = N_SEQ, .len = LEN, .ids = f->ids };

    trace.logits = room(f, N * f->m.facts->V, sizeof *trace.logits);
    assert_ok(f->host, cull_trace_pass(fake_ctx(f->host), &f->m, NULL, cut, &trace));
    return trace.logits;
}

// The largest difference of the logits of two cuts.
static double apart(fixture *f, const cull_cut *a, const cull_cut *b)
{
    const float *x = logits(f, a), *y = logits(f, b);
    double most = 0;

    for (size_t i = 0; i < N * f->m.facts->V; i++)
        most = fmax(most, fabs((double)x[i] - (double)y[i]));
    return most;
}

// Statistic D of the model under a cut.
static cull_stats_store *outputs(fixture *f, const cull_cut *cut)
{
    cull_ctx *ctx = fake_ctx(f->host);
    cull_sequence at[N_SEQ];
    const cull_sequences rows = { sizeof rows, N_SEQ, at };
    const uint32_t groups = CULL_STAT_ROUTING | CULL_STAT_OUTPUT_MOMENTS;
    cull_calibration how = { .rows = &rows, .groups = groups, .cut = cut };
    cull_stats_store *store =
        cull_stats_store_new(ctx, f->m.facts, opened_facts(f->host, &f->m), groups);

    for (size_t i = 0; i < N_SEQ; i++)
        at[i] = (cull_sequence){ .size = sizeof(cull_sequence),
                                 .ids = f->ids + i * LEN,
                                 .n = LEN,
                                 .source = "golden",
                                 .ordinal = i };
    assert_non_null(store);
    how.out = store;
    assert_ok(f->host, cull_calibrate_pass(ctx, &f->m, NULL, 1, &how, NULL));
    return store;
}

// gpt-oss has biases: without its down projection an expert returns one, whatever the token.
static void a_novice_for_a_constant_expert_changes_nothing(void **state)
{
    fixture f = begin("gpt_oss");
    cull_cut *constant = empty_cut(&f);
    size_t tested = 0;

    (void)state;
    const size_t E = constant->layer[LAYER].E, D = f.m.facts->D;
    for (size_t e = 0; e < E; e++) {
        const cull_matrix down = matrix(&f, CULL_PART_DOWN, e);
        (void)overlay(&f, constant, CULL_PART_DOWN, e, &down); // zeros
    }
    cull_stats_store *store = outputs(&f, constant);
    const cull_layer_stats *s = &cull_stats_store_view(store)->layer[LAYER];
    cull_cut *novices = copy(&f, constant);
    for (size_t e = 0; e < E; e++) {
        const cull_matrix down = matrix(&f, CULL_PART_DOWN, e);
        float *bias = room(&f, D, sizeof *bias);
        if (s->count[e] < 2)
            continue;
        cull_unpack_bias(&down, 0, D, bias);
        for (size_t d = 0; d < D; d++) {
            assert_true(fabs(s->mean[e * D + d] - (double)bias[d]) <= 1e-12);
            assert_true(s->var[e * D + d] <= 1e-20);
            novices->layer[LAYER].constant[e * D + d] = (float)s->mean[e * D + d];
        }
        novices->layer[LAYER].action[e] = CULL_ACTION_NOVICE;
        tested++;
    }
    assert_true(tested > 1);
    assert_true(apart(&f, constant, empty_cut(&f)) > 1e-3); // the layer matters
    assert_true(apart(&f, constant, novices) <= 1e-6);
    cull_stats_store_free(store);
    end(&f);
}

// Every second expert gets the weights of the one before; then that one serves for both, as after
// a merge.
static void merging_identical_experts_changes_nothing(void **state)
{
    static const char *const architectures[] = { "mixtral", "olmoe", "deepseek_v3" };

    (void)state;
    for (size_t i = 0; i < sizeof architectures / sizeof *architectures; i++) {
        fixture f = begin(architectures[i]);
        cull_cut *twins = empty_cut(&f);
        for (size_t e = 1; e < twins->layer[LAYER].E; e += 2)
            for (cull_part p = CULL_PART_GATE; p <= CULL_PART_DOWN; p++) {
                const cull_matrix m = matrix(&f, p, e - 1);
                cull_unpack_rows(&m, 0, m.rows, overlay(&f, twins, p, e, &m));
            }
        cull_cut *merged = copy(&f, twins);
        for (size_t e = 1; e < twins->layer[LAYER].E; e += 2) {
            merged->layer[LAYER].action[e] = CULL_ACTION_ALIAS;
            merged->layer[LAYER].target[e] = (uint32_t)e - 1;
        }
        assert_true(apart(&f, twins, empty_cut(&f)) > 1e-4);
        assert_true(apart(&f, twins, merged) <= 2e-5); // rows are grouped otherwise
        end(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_novice_for_a_constant_expert_changes_nothing),
        cmocka_unit_test(merging_identical_experts_changes_nothing),
    };

    return cmocka_run_group_tests_name("same function", tests, NULL, NULL);
}
