// A trial that nobody ran.
#include "support/made_trial.h"

#include "support/test.h"

#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "base/hash.h"
#include "cut/cut.h"

const size_t made_experts[MADE_L] = { 0, 8, 8, 6 };

static const char *key_of(cull_ctx *ctx, const char *what, const made_trial *made)
{
    const cull_trial_axes *a = &made->trial.axes;
    const char *text = cull_arena_printf(cull_context_of(ctx)->alloc, "%s %s %g %llu", what,
                                         a->method, a->sparsity, (unsigned long long)a->seed);
    const cull_key key = cull_key_of(text, strlen(text));

    return cull_arena_copy(cull_context_of(ctx)->alloc, key.hex, 32);
}

static void make_model(made_trial *m)
{
    m->model = (cull_model_facts){ .size = sizeof m->model,
                                   .arch = "mixtral",
                                   .dtype = "bf16",
                                   .source = "models/tiny",
                                   .fingerprint = "0123456789abcdef0123456789abcdef",
                                   .L = MADE_L,
                                   .D = MADE_D,
                                   .V = 32,
                                   .max_positions = 64,
                                   .logit_scale = 1,
                                   .params_total = 10000,
                                   .params_expert = 22 * 96,
                                   .params_active = 5000,
                                   .bytes = 20000 };
    for (size_t l = 0; l < MADE_L; l++) {
        m->facts[l] = (cull_layer_facts){ .size = sizeof m->facts[l],
                                          .E = made_experts[l],
                                          .K = made_experts[l] ? 2 : 0,
                                          .F = 4,
                                          .expert_params = 3 * 4 * MADE_D };
        m->layer[l] = &m->facts[l];
    }
}

// Scores that differ by layer: expert e of layer l scores (5 e + 3 l) mod E, so that all differ.
static double score_of(size_t l, size_t e)
{
    return (double)((5 * e + 3 * l) % made_experts[l]);
}

static void make_scores(cull_ctx *ctx, made_trial *m)
{
    const double **rows = cull_take(ctx, MADE_L, sizeof *rows);

    for (size_t l = 0; l < MADE_L; l++) {
        double *row = made_experts[l] ? cull_take(ctx, made_experts[l], sizeof *row) : NULL;
        for (size_t e = 0; e < made_experts[l]; e++)
            row[e] = score_of(l, e);
        rows[l] = row;
    }
    m->score = (cull_expert_score){ .criterion = m->trial.axes.method, .expert = rows };
    m->trial.scores = &m->score;
    m->trial.n_scores = 1;
}

static cull_stats *make_stats(cull_ctx *ctx)
{
    cull_stats *stats = cull_take(ctx, 1, sizeof *stats);
    cull_layer_stats *layer = cull_take(ctx, MADE_L, sizeof *layer);

    *stats = (cull_stats){ .size = sizeof *stats,
                           .groups = CULL_STAT_ROUTING,
                           .L = MADE_L,
                           .tokens = 100,
                           .layer = layer };
    for (size_t l = 0; l < MADE_L; l++) {
        const size_t E = made_experts[l];
        double *count = cull_take(ctx, E ? E : 1, sizeof *count);
        double *gate = cull_take(ctx, E ? E : 1, sizeof *gate);
        for (size_t e = 0; e < E; e++) {
            count[e] = (double)(10 * l + e);
            gate[e] = 0.5 * count[e];
        }
        layer[l] = (cull_layer_stats){
            sizeof(cull_layer_stats), .E = E,          .D = MADE_D, .tokens = 100,
            .count = count,           .gate_sum = gate
        };
    }
    return stats;
}

static cull_cut *make_cut(cull_ctx *ctx, size_t removed)
{
    cull_cut *cut = cull_cut_new(ctx, MADE_L, MADE_D, made_experts);

    for (size_t l = 0; l < MADE_L; l++)
        for (size_t e = 0; e < made_experts[l]; e++)
            if (score_of(l, e) < (double)removed)
                cut->layer[l].action[e] = CULL_ACTION_DROP;
    return cut;
}

made_trial *made_new(cull_ctx *ctx, const char *method, double sparsity, uint64_t seed,
                     size_t removed)
{
    made_trial *m = cull_take(ctx, 1, sizeof *m);

    assert_non_null(m);
    make_model(m);
    assert_int_equal(cull_collector_init(ctx, &m->found), CULL_OK);

    m->trial = (cull_trial){
        .axes = { .model = "tiny",
                  .method = method,
                  .allocation = isnan(sparsity) ? NULL : "layer",
                  .sparsity = sparsity,
                  .seeded = seed != 0,
                  .seed = seed,
                  .precision = "f32" },
        .provenance = { .config_yaml = "question: é?\nmodels: {}\n",
                        .config_resolved = "{\"method\": []}",
                        .compiler = "none",
                        .host = "here" },
        .model = &m->model,
        .layer = m->layer,
        .calibration = "{\"text\": {\"length\": 256}}",
        .stats = make_stats(ctx),
        .cut = isnan(sparsity) ? NULL : make_cut(ctx, removed),
        .summary = { .requested = sparsity,
                     .expert = isnan(sparsity) ? 0 : sparsity,
                     .all = isnan(sparsity) ? 0 : 0.5 * sparsity,
                     .kept_all = 10000,
                     .exportable = true },
        .n_evaluations = 1,
        .evaluations = &m->evaluation,
        .n_phases = 2,
        .phases = m->phase,
        .started = 1.75e9,
        .finished = 1.75e9 + 60,
    };
    m->phase[0] = (cull_phase){ "calibrate", 2, 3, 1 << 20, 4096, 1e9, 20000 };
    m->phase[1] = (cull_phase){ "evaluate", 4, 6, 1 << 20, 8192, 2e9, 20000 };
    m->trial.id = key_of(ctx, "trial", m);
    m->trial.calibration_key = key_of(ctx, "calibration", m);
    m->evaluation =
        (cull_evaluation){ "choices", key_of(ctx, "choices", m), "{\"shots\": 0}", &m->found };
    make_scores(ctx, m);
    return m;
}

static void report(cull_ctx *ctx, made_trial *m, const char *task, const char *metric, double value,
                   double error, size_t n, int better)
{
    assert_int_equal(m->found.report.value(ctx, &m->found.report,
                                           &(cull_value){ sizeof(cull_value), task, metric, "none",
                                                          value, error, n, better }),
                     CULL_OK);
}

static void column(cull_ctx *ctx, made_trial *m, const char *task, const char *name, char type,
                   const char *axis, size_t n, const void *data)
{
    assert_int_equal(m->found.report.column(ctx, &m->found.report,
                                            &(cull_column){ .size = sizeof(cull_column),
                                                            .task = task,
                                                            .name = name,
                                                            .dims = { axis },
                                                            .shape = { n },
                                                            .type = type,
                                                            .data = data }),
                     CULL_OK);
}

static void report_accuracy(cull_ctx *ctx, made_trial *m, const made_task *t)
{
    double right = 0;

    for (size_t i = 0; i < t->n; i++)
        right += t->acc[i];
    const double p = right / (double)t->n;
    column(ctx, m, t->task, "acc", 'b', "doc", t->n, t->acc);
    if (t->cluster)
        column(ctx, m, t->task, "cluster", 's', "doc", t->n, t->cluster);
    report(ctx, m, t->task, "acc", p, sqrt(p * (1 - p) / (double)(t->n - 1)), t->n, 1);
}

static void report_perplexity(cull_ctx *ctx, made_trial *m, const made_task *t)
{
    int64_t *tokens = cull_take(ctx, t->n, sizeof *tokens);
    double sum = 0;

    for (size_t i = 0; i < t->n; i++) {
        sum += t->nll[i];
        tokens[i] = (int64_t)t->tokens;
    }
    column(ctx, m, t->task, "nll", 'd', "window", t->n, t->nll);
    column(ctx, m, t->task, "tokens", 'i', "window", t->n, tokens);
    report(ctx, m, t->task, "perplexity", exp(sum / (double)(t->n * t->tokens)), NAN, t->n, 0);
}

void made_report(cull_ctx *ctx, made_trial *m, const made_task *t)
{
    if (t->acc)
        report_accuracy(ctx, m, t);
    if (t->nll)
        report_perplexity(ctx, m, t);
    if (t->protocol)
        assert_int_equal(
            m->found.report.attribute(ctx, &m->found.report, t->task, "protocol", t->protocol),
            CULL_OK);
}

void made_free(made_trial *m)
{
    cull_collector_release(&m->found);
}
