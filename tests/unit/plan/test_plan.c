// The plan of an experiment: which cells there are, which steps and statistics they share.
#include "plan/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/fake_host.h"
#include "support/fixture.h"
#include "support/test.h"

static cull_spec spec;
static cull_plan plan;
static const char *take = "head"; // how the calibration rows are taken

REGISTRY_FIXTURE

// The experiment of a model that is not opened, with the methods and axes given.
static void make_of(const char *calibrate, const char *methods, const char *axes)
{
    char path[] = "/tmp/cull-plan-XXXXXX";
    FILE *file = fdopen(mkstemp(path), "w");
    cull_problems problems;

    assert_non_null(file);
    fprintf(file,
            "models: { a: { hf: { path: %s/models/tinyworld-mixtral } } }\n"
            "calibrate: %s\n"
            "metrics: { perplexity: { files: %s/models/tinyworld/text/facts.heldout.txt } }\n"
            "methods:\n%s\n%s\n",
            CULL_SOURCE_DIR, calibrate, CULL_SOURCE_DIR, methods, axes);
    fclose(file);
    const cull_spec_source source = { .file = path };
    cull_problems_init(&problems, fake_ctx(host));
    cull_status status = cull_spec_read(fake_ctx(host), &source, registry, &problems, &spec);
    if (status == CULL_OK)
        status = cull_plan_make(fake_ctx(host), &spec, &problems, &plan);
    unlink(path);
    for (size_t i = 0; i < problems.n; i++)
        print_error("%s\n", problems.at[i].sentence);
    assert_int_equal(status, CULL_OK);
}

static void make(const char *methods, const char *axes)
{
    char calibrate[512];

    snprintf(calibrate, sizeof calibrate,
             "{ text: { files: %s/models/tinyworld/text/facts.calibration.txt, take: %s } }",
             CULL_SOURCE_DIR, take);
    make_of(calibrate, methods, axes);
}

static size_t cells_of(const char *method)
{
    size_t n = 0;

    for (size_t i = 0; i < plan.n_cells; i++)
        n += plan.cell[i].method != CULL_NOT &&
             strcmp(spec.methods[plan.cell[i].method].name, method) == 0;
    return n;
}

static const char axes_of_all[] =
    "sparsities: [ 0.25, 0.5 ]\nallocations: [ layer, global ]\nseeds: [ 1, 2, 3 ]\n";

static void dense_is_always_a_cell(void **state)
{
    (void)state;
    make("  reap: { criterion: reap, strategy: lowest }", "sparsities: 0.5");
    assert_int_equal(plan.n_cells, 2);
    assert_int_equal(plan.cell[0].method, CULL_NOT);
    assert_true(isnan(plan.cell[0].sparsity));
    assert_int_equal(plan.n_notes, 0);
}

static void cells_that_differ_in_nothing_collapse(void **state)
{
    (void)state;
    make("  random: { criterion: random, strategy: lowest }\n"
         "  reap: { criterion: reap, strategy: lowest }\n"
         "  wanda: { criterion: wanda, strategy: unstructured }\n"
         "  k1: { strategy: { fixed-k: { k: 1 } } }\n",
         axes_of_all);
    assert_int_equal(cells_of("random"), 2 * 2 * 3);
    assert_int_equal(cells_of("reap"), 2 * 2);
    assert_int_equal(cells_of("wanda"), 2);
    assert_int_equal(cells_of("k1"), 1);
    assert_int_equal(plan.grid, 4 * 2 * 2 * 3);
    assert_int_equal(plan.n_notes, 3);
    for (size_t i = 0; i < plan.n_cells; i++)
        if (plan.cell[i].method != CULL_NOT && plan.cell[i].method == 3)
            assert_true(isnan(plan.cell[i].sparsity));
}

static void a_random_sample_makes_seeds_matter(void **state)
{
    static const char methods[] = "  reap: { criterion: reap, strategy: lowest }\n"
                                  "  magnitude: { criterion: magnitude, strategy: unstructured }\n";

    (void)state;
    make(methods, "sparsities: 0.5\nseeds: [ 1, 2 ]");
    assert_int_equal(cells_of("reap"), 1);
    assert_int_equal(plan.n_sets, 1);
    take = "sample"; // of all rows, which is all of them
    make(methods, "sparsities: 0.5\nseeds: [ 1, 2 ]");
    assert_int_equal(cells_of("reap"), 1);
    take = "sample, rows: 4";
    make(methods, "sparsities: 0.5\nseeds: [ 1, 2 ]");
    take = "head";
    assert_int_equal(cells_of("reap"), 2);
    assert_int_equal(cells_of("magnitude"), 1);
    assert_int_equal(plan.n_sets, 2);
    assert_int_equal(plan.set[1].seed, 2);
}

static const char stun[] =
    "  stun:\n"
    "    - { criterion: similarity, strategy: { greedy-latent: { experts: 0.25 } } }\n"
    "    - { criterion: wanda, strategy: unstructured, recalibrate: true }\n";

static void first_stages_and_statistics_are_shared(void **state)
{
    (void)state;
    make(stun, "sparsities: [ 0.5, 0.65, 0.8 ]");
    assert_int_equal(cells_of("stun"), 3);
    assert_int_equal(plan.n_steps, 1 + 3);
    assert_int_equal(plan.n_sets, 1);
    assert_int_equal(plan.set[0].on, 0);
    assert_int_equal(plan.step[0].set, CULL_NOT); // router rows alone
    assert_int_equal(plan.step[0].unit, CULL_UNIT_EXPERT);
    for (size_t i = 1; i < 4; i++) {
        assert_int_equal(plan.step[i].before, 0);
        assert_int_equal(plan.step[i].set, 0);
        assert_int_equal(plan.step[i].unit, CULL_UNIT_WEIGHT);
    }
}

static void needs_are_united(void **state)
{
    (void)state;
    make("  reap: { criterion: reap, strategy: lowest }\n"
         "  mone: { criterion: mone, strategy: mone }\n"
         "  naee: { criterion: enumeration, strategy: combinatorial }\n",
         "sparsities: 0.5");
    assert_int_equal(plan.n_sets, 1);
    assert_int_equal(plan.set[0].groups,
                     CULL_STAT_ROUTING | CULL_STAT_OUTPUT_NORM | CULL_STAT_OUTPUT_MOMENTS);
    assert_true(plan.step[2].visit);
    assert_true(plan.step[2].needs & CULL_STAT_DENSE_SAMPLE);
}

static void counts_of_another_method_come_from_its_expert_stage(void **state)
{
    (void)state;
    cull_buf methods = CULL_BUF_INIT;
    cull_buf_printf(&methods, "%s  reap: { criterion: reap, strategy: lowest }\n", stun);
    make(methods.s, "sparsities: 0.5\nallocations: { like: stun }");
    cull_buf_release(&methods);
    const cull_cell *cell = &plan.cell[plan.n_cells - 1];
    const cull_step *step = &plan.step[cell->step];
    assert_string_equal(cell->allocation, "like:stun");
    assert_int_equal(step->scope, CULL_ALLOCATE_LIKE);
    const cull_step *donor = &plan.step[step->donor];
    assert_int_equal(donor->scope, CULL_ALLOCATE_GLOBAL);
    assert_int_equal(donor->before, CULL_NOT);
    assert_true(donor->spec->share == 0.5);
    assert_string_equal(donor->spec->strategy.plugin->name, "greedy-latent");
}

static void steps_stand_after_what_they_rest_on(void **state)
{
    (void)state;
    cull_buf methods = CULL_BUF_INIT;
    cull_buf_printf(&methods,
                    "%s  reap: { criterion: reap, strategy: lowest }\n"
                    "  three:\n"
                    "    - { criterion: reap, strategy: { lowest: { experts: 0.2 } } }\n"
                    "    - { criterion: wanda, strategy: { unstructured: { experts: 0.1 } } }\n"
                    "    - { criterion: wanda, strategy: unstructured, recalibrate: true }\n",
                    stun);
    make(methods.s,
         "sparsities: [ 0.5, 0.6 ]\nallocations: [ layer, { like: stun } ]\nseeds: [ 1, 2 ]");
    cull_buf_release(&methods);
    for (size_t i = 0; i < plan.n_steps; i++) {
        const cull_step *step = &plan.step[i];
        const size_t on = step->set == CULL_NOT ? CULL_NOT : plan.set[step->set].on;
        assert_true(step->before == CULL_NOT || step->before < i);
        assert_true(step->donor == CULL_NOT || step->donor < i);
        assert_true(on == CULL_NOT || on < i);
    }
}

// Facts from the head of its file, code drawn from its.
static void make_two(const char *methods, const char *axes)
{
    char calibrate[1024];

    snprintf(calibrate, sizeof calibrate,
             "{ facts: { text: { files: %s/models/tinyworld/text/facts.calibration.txt } },"
             " code: { text: { files: %s/models/tinyworld/text/code.calibration.txt,"
             " take: sample, rows: 1 } } }",
             CULL_SOURCE_DIR, CULL_SOURCE_DIR);
    make_of(calibrate, methods, axes);
}

static void named_calibrations_and_layers_are_axes(void **state)
{
    (void)state;
    make_two("  reap: { criterion: reap, strategy: lowest }\n"
             "  random: { criterion: random, strategy: lowest }\n"
             "  k1: { strategy: { fixed-k: { k: 1 } } }\n",
             "sparsities: 0.5\nseeds: [ 1, 2 ]\nlayers: { all: {}, late: { only: [ 2, 3 ] } }");
    assert_int_equal(plan.grid, 3 * 2 * 2 * 2);
    assert_int_equal(cells_of("reap"), 2 * (1 + 2)); // seeds only where rows are drawn
    assert_int_equal(cells_of("random"), 2 * 2);     // needs no rows
    assert_int_equal(cells_of("k1"), 2);
    assert_int_equal(plan.n_sets, 3);
    assert_int_equal(plan.set[1].calibration, 1);
    const cull_cell *cell = &plan.cell[6]; // dense, and the last of reap
    assert_string_equal(cull_calibration_name(&spec, cell), "code");
    assert_string_equal(cull_layers_name(&spec, cell), "late");
    assert_int_equal(plan.step[cell->step].layers, 1);
    assert_null(cull_calibration_name(&spec, &plan.cell[7]));
    assert_null(cull_layers_name(&spec, &plan.cell[0]));
}

static void counts_are_taken_of_each_calibration(void **state)
{
    (void)state;
    make_two("  reap: { criterion: reap, strategy: lowest }\n"
             "  random: { criterion: random, strategy: lowest }\n",
             "sparsities: 0.5\nallocations: [ layer, { like: reap } ]");
    assert_int_equal(cells_of("random"), 1 + 2);
    const cull_cell *last = &plan.cell[plan.n_cells - 1];
    assert_string_equal(cull_calibration_name(&spec, last), "code");
    assert_int_equal(plan.set[plan.step[plan.step[last->step].donor].set].calibration, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(dense_is_always_a_cell),
        TEST(cells_that_differ_in_nothing_collapse),
        TEST(a_random_sample_makes_seeds_matter),
        TEST(first_stages_and_statistics_are_shared),
        TEST(needs_are_united),
        TEST(counts_of_another_method_come_from_its_expert_stage),
        TEST(steps_stand_after_what_they_rest_on),
        TEST(named_calibrations_and_layers_are_axes),
        TEST(counts_are_taken_of_each_calibration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
