// What a plan says of peak memory: which passes hold which copies of the hidden states.
#include "plan/cost/cost.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/memory.h"
#include "support/fake_host.h"
#include "support/fixture.h"
#include "support/test.h"

enum { ROWS = 6, LENGTH = 64 };

REGISTRY_FIXTURE

// of a model in the repository's folder `model`
static void write_experiment(const char *path, const char *model, const char *method)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fprintf(file,
            "models: { a: { hf: { path: %s/%s } } }\n"
            "calibrate: { text: { files: %s/models/tinyworld/text/facts.calibration.txt, rows: %d, "
            "length: %d } }\n"
            "metrics: { perplexity: { files: %s/models/tinyworld/text/facts.heldout.txt, length: "
            "64, rows_per_file: 2 } }\n"
            "sparsities: 0.5\nmethods: { m: %s }\n",
            CULL_SOURCE_DIR, model, CULL_SOURCE_DIR, ROWS, LENGTH, CULL_SOURCE_DIR, method);
    assert_int_equal(fclose(file), 0);
}

typedef struct estimate {
    cull_costs costs;
    size_t D, L, V, tokens;
    double expert_weights;
    cull_status with[2]; // of cull_check_memory: with all that is needed, and a byte less
} estimate;

typedef struct experiment {
    cull_problems problems;
    cull_spec spec;
    cull_plan plan;
    cull_inputs inputs;
} experiment;

static void open_experiment(const char *model, const char *method, experiment *x)
{
    char path[] = "/tmp/cull-memory-XXXXXX";
    const int fd = mkstemp(path);
    cull_ctx *ctx = fake_ctx(host);
    const cull_spec_source source = { .file = path };

    assert_true(fd >= 0 && close(fd) == 0);
    write_experiment(path, model, method);
    cull_problems_init(&x->problems, ctx);
    assert_ok(host, cull_spec_read(ctx, &source, registry, &x->problems, &x->spec));
    unlink(path);
    assert_ok(host, cull_plan_make(ctx, &x->spec, &x->problems, &x->plan));
    assert_ok(host, cull_inputs_open(ctx, &x->plan, 0, &x->problems, &x->inputs));
}

static estimate estimate_of(const char *method)
{
    cull_ctx *ctx = fake_ctx(host);
    experiment x;
    estimate e;

    open_experiment("models/tinyworld-mixtral", method, &x);
    assert_ok(host, cull_inputs_load(ctx, &x.plan, 0, &x.inputs, &x.problems));
    assert_ok(host, cull_estimate_cost(ctx, &x.plan, &x.inputs, 0, 0, 0, &e.costs));
    const cull_model_facts *facts = x.inputs.at[0].opened.facts;
    e.D = facts->D;
    e.L = facts->L;
    e.V = facts->V;
    e.expert_weights = (double)facts->params_expert;
    e.tokens = x.inputs.at[0].rows[0].tokens;
    e.with[0] = cull_check_memory(ctx, &x.plan, &x.inputs, 1, 1u << 30);
    e.with[1] = cull_check_memory(ctx, &x.plan, &x.inputs, 1, 1u << 20);
    cull_inputs_close(&x.inputs);
    return e;
}

static void assert_bytes(double is, double expected)
{
    assert_true(is > expected - 1 && is < expected + 1);
}

static void pruned_states_are_a_second_copy(void **state)
{
    (void)state;
    const estimate looks = estimate_of("[ { criterion: wanda, strategy: unstructured } ]");
    const estimate changes =
        estimate_of("[ { criterion: wanda, strategy: unstructured, propagate: pruned } ]");
    const double copy = (double)(ROWS * LENGTH * looks.D * sizeof(float));

    assert_int_equal(looks.tokens, ROWS * LENGTH);
    assert_bytes(changes.costs.calibrate.peak_bytes - looks.costs.calibrate.peak_bytes, copy);
    assert_bytes(changes.costs.evaluate.peak_bytes, looks.costs.evaluate.peak_bytes);
}

// A layer's are in hand at once. Neither reads rows for calibration, which would be counted.
static void masks_are_a_bit_a_weight(void **state)
{
    (void)state;
    const estimate experts = estimate_of("[ { criterion: random, strategy: lowest } ]");
    const estimate weights = estimate_of("[ { criterion: magnitude, strategy: unstructured } ]");
    const double more = weights.costs.evaluate.peak_bytes - experts.costs.evaluate.peak_bytes;
    const double of_layer = experts.expert_weights / (double)experts.L / 8;

    assert_true(more > 0.9 * of_layer);
    assert_true(more < 1.1 * of_layer);
}

static void earlier_states_stay_for_cosines_of_layers(void **state)
{
    (void)state;
    const estimate without = estimate_of("[ { criterion: frequency, strategy: lowest } ]");
    const estimate with = estimate_of("[ { criterion: cosine, strategy: layer-drop } ]");
    const double copies = (double)(ROWS * LENGTH * with.L * with.D * sizeof(float));
    const double more = with.costs.calibrate.peak_bytes - without.costs.calibrate.peak_bytes;

    assert_true(more > 0.9 * copies && more < 1.3 * copies);
}

// One for the first stage and one for what it left; one where sets are searched while a layer is
// visited, and one more where masks are spread over all layers first. What runs under a rule is
// counted in one, after the statistics that it rests on.
static void passes_are_counted(void **state)
{
    (void)state;
    const estimate two =
        estimate_of("[ { criterion: frequency, strategy: { lowest: { experts: 0.25 } } }, "
                    "{ criterion: wanda, strategy: unstructured, recalibrate: true } ]");
    const estimate inside =
        estimate_of("[ { criterion: enumeration, strategy: { combinatorial: { inputs: progressive "
                    "} } } ]");
    const estimate after =
        estimate_of("[ { criterion: wanda, strategy: unstructured, propagate: pruned } ]");
    const estimate rule = estimate_of("[ { strategy: { top-p: { p: 0.5 } } } ]");
    const estimate skips = estimate_of("[ { strategy: skip } ]");

    assert_int_equal(rule.costs.calibrate.passes, 1);
    assert_bytes(rule.costs.calibrate.tokens, (double)ROWS * LENGTH);
    assert_int_equal(skips.costs.calibrate.passes, 2);
    assert_int_equal(two.costs.calibrate.passes, 2);
    assert_int_equal(inside.costs.calibrate.passes, 1);
    assert_int_equal(after.costs.calibrate.passes, 2);
    assert_bytes(two.costs.calibrate.bytes, 2 * two.costs.evaluate.bytes);
    assert_bytes(two.costs.calibrate.tokens, 2.0 * ROWS * LENGTH);
}

static void too_little_is_refused(void **state)
{
    (void)state;
    const estimate e = estimate_of("[ { criterion: frequency, strategy: lowest } ]");
    assert_int_equal(e.with[0], CULL_OK);
    assert_int_equal(e.with[1], CULL_EENV);
}

static cull_status a_gigabyte(cull_ctx *ctx, const cull_memory_need *need, uint64_t memory,
                              double *bytes)
{
    (void)ctx, (void)need, (void)memory;
    *bytes = 1e9;
    return CULL_OK;
}

// Three that need a gigabyte each, 400 MB of it pages of the checkpoint.
static void ranks_share_pages(void **state)
{
    (void)state;
    const cull_memory_need need = { .bytes = a_gigabyte, .node = { 3, 4e8 } };
    cull_ctx *ctx = fake_ctx(host);

    assert_ok(host, cull_memory_suffices(ctx, "a", &need, 2200000000));
    assert_int_equal(cull_memory_of_rank(2200000000, &need.node), 1000000000);
    assert_fails(
        host, cull_memory_suffices(ctx, "a", &need, 2199000000), CULL_EENV,
        "--memory of 2199 MB is too little for model \"a\": it needs 2200 MB for the ranks "
        "of a node");
    assert_int_equal(cull_memory_of_rank(0, &need.node), 0);
    assert_int_equal(cull_memory_of_rank(300000000, &need.node), 300000000);
    assert_int_equal(cull_memory_of_rank(2200000000, &(cull_neighbours){ 1, 4e8 }), 2200000000);
}

// A rank may have all pages of the model that it computes, and of others none.
static void ranks_share_pages_of_one_model(void **state)
{
    const cull_engine_options options = { .memory = 1u << 30, .neighbours = 3 };
    static const char *const models[] = { "models/tinyworld-mixtral",
                                          "tests/golden/architectures/mixtral" };
    double pages[2], share[2];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        experiment x;
        open_experiment(models[i], "{ criterion: reap, strategy: lowest }", &x);
        const cull_open_model *m = &x.inputs.at[0].opened;
        pages[i] = (double)cull_memory_mapped(m);
        share[i] = (double)cull_memory_share(m, &options);
        assert_true(share[i] > (double)options.memory / 3);
        assert_int_equal(cull_memory_share(m, &(cull_engine_options){ .memory = 5 }), 5);
        assert_int_equal(cull_memory_share(m, &(cull_engine_options){ .neighbours = 3 }), 0);
        cull_inputs_close(&x.inputs);
    }
    assert_true(pages[0] > pages[1] + 1e5);
    assert_true(fabs(share[0] - share[1] - (pages[0] - pages[1]) * 2 / 3) < 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pruned_states_are_a_second_copy, setup, teardown),
        cmocka_unit_test_setup_teardown(masks_are_a_bit_a_weight, setup, teardown),
        cmocka_unit_test_setup_teardown(earlier_states_stay_for_cosines_of_layers, setup, teardown),
        cmocka_unit_test_setup_teardown(passes_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(too_little_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(ranks_share_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(ranks_share_pages_of_one_model, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
