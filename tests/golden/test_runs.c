// From an experiment to its table: cull run on both embedded models, and what the trials recorded
// against the golden perplexities, within 1e-3, by domain and over all.
//
// The experiments are tests/golden/runs/*.yaml. A row of each domain is evaluated, all 20 if
// CULL_TEST_ALL is set. The name of a golden variant follows from method, allocation and sparsity.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "results/frame.h"
#include "support/golden.h"
#include "support/test.h"

enum { DOMAINS = 9, GOLDEN_ROWS = 20, TARGETS = 255 };

static size_t rows_of_domain(void)
{
    return getenv("CULL_TEST_ALL") ? GOLDEN_ROWS : 1;
}

static void run(const char *experiment, const char *folder)
{
    char command[1024];

    (void)snprintf(command, sizeof command,
                   CULL_BINARY_DIR "/cull run " CULL_SOURCE_DIR
                                   "/tests/golden/runs/%s.yaml -o %s --quiet "
                                   "--set metrics.0.perplexity.rows_per_file=%zu > %s.out 2>&1",
                   experiment, folder, rows_of_domain(), folder);
    if (system(command) != 0) {
        (void)snprintf(command, sizeof command, "cat %s.out >&2", folder);
        (void)!system(command);
        fail_msg("%s: cull run failed", experiment);
    }
}

// How the golden file calls what a trial is; false: it does not know it.
static bool golden_name(golden *g, const cull_frame_trial *t, size_t E, char *name, size_t size)
{
    char nll[160];
    const char *at = t->allocation ? t->allocation : "";
    const long percent = lround(100 * t->sparsity);
    const size_t keep = E - (size_t)lround((double)E * t->sparsity);

    if (t->dense || isnan(t->sparsity) ||
        (strcmp(t->method, "stun-mean") == 0 && strcmp(at, "global") == 0))
        (void)snprintf(name, size, "%s", t->method);
    else if (*at == '\0')
        (void)snprintf(name, size, "%s-%ld", t->method, percent);
    else if (strncmp(t->method, "merge-", 6) == 0)
        (void)snprintf(name, size, "%s-%ld-%s", t->method, percent, at);
    else if (strstr(t->method, "_norm"))
        (void)snprintf(name, size, "%s-%s", t->method,
                       strcmp(at, "layer") == 0    ? "uniform"
                       : strcmp(at, "global") == 0 ? "cut"
                                                   : at);
    else if (strchr(t->method, '-') && !strchr(t->method, '+'))
        (void)(strcmp(at, "layer") == 0
                   ? snprintf(name, size, "%s-%zu", t->method, keep)
                   : snprintf(name, size, "%s-%s", t->method,
                              strncmp(at, "like", 4) == 0 ? "stuncounts" : at));
    else
        (void)snprintf(name, size, "%s-%ld", t->method, percent);
    (void)snprintf(nll, sizeof nll, "%s.nll", name);
    return golden_has(g, nll);
}

// The golden perplexity of the first rows of a domain; DOMAINS: of all domains.
static double expected(golden *g, const char *name, size_t domain)
{
    char full[160];
    size_t n = 0;
    double sum = 0;
    const size_t rows = rows_of_domain();
    const size_t first = domain < DOMAINS ? domain : 0;
    const size_t end = domain < DOMAINS ? domain + 1 : DOMAINS;

    (void)snprintf(full, sizeof full, "%s.%s", name, domain < DOMAINS ? "ppl" : "ppl_pooled");
    if (rows == GOLDEN_ROWS && golden_has(g, full))
        return golden_numbers(g, full, &n)[domain < DOMAINS ? domain : 0];
    (void)snprintf(full, sizeof full, "%s.nll", name);
    const double *nll = golden_numbers(g, full, &n);
    for (size_t d = first; d < end; d++)
        for (size_t i = 0; i < rows; i++)
            sum += nll[d * GOLDEN_ROWS + i];
    return exp(sum / ((double)((end - first) * rows) * TARGETS));
}

static bool near(const char *model, const char *name, const char *task, double got, double want)
{
    const bool is = fabs(got - want) <= 1e-3 * want;
    if (!is)
        print_error("%s %s, %s: perplexity %.6g, not %.6g\n", model, name, task, got, want);
    return is;
}

// The rows of a trial stand in the order of the domains' names, as the golden ones do; the last is
// over all.
static bool check_trial(const cull_frame *f, size_t trial, golden *g, const char *name)
{
    size_t d = 0;
    bool all = true;

    for (size_t i = 0; i < f->n_rows; i++) {
        const cull_row *row = &f->row[i];
        if (row->trial != trial || strcmp(row->metric, "perplexity") != 0)
            continue;
        assert_in_range(d, 0, DOMAINS);
        assert_int_equal(d == DOMAINS, strcmp(row->task, "pooled") == 0);
        all =
            near(f->trial[trial].model, name, row->task, row->value, expected(g, name, d++)) && all;
    }
    assert_int_equal(d, DOMAINS + 1);
    return all;
}

// The trials of one model that golden file `file` knows; those that are off count as such.
static size_t check_model(fake_host *host, const cull_frame *f, const char *model, size_t E,
                          const char *file, size_t *off)
{
    char path[512], name[128];
    size_t known = 0;

    (void)snprintf(path, sizeof path, CULL_SOURCE_DIR "/tests/golden/methods/%s/%s.safetensors",
                   model, file);
    golden *g = golden_open(host, path);
    for (size_t i = 0; i < f->n_trials; i++)
        if (strcmp(f->trial[i].model, model) == 0 &&
            golden_name(g, &f->trial[i], E, name, sizeof name)) {
            known++;
            *off += !check_trial(f, i, g, name);
        }
    golden_close(g);
    return known;
}

static void check(const char *experiment, size_t n_golden)
{
    fake_host *host = fake_host_new(1);
    char folder[] = "/tmp/cull-runs-XXXXXX", command[128];
    const char *const folders[] = { folder };
    cull_frame f;
    size_t known = 0, off = 0;

    assert_non_null(mkdtemp(folder));
    run(experiment, folder);
    assert_ok(host, cull_frame_load(fake_ctx(host), 1, folders, NULL, &f));
    for (int more = 0; more < 2; more++) {
        const char *file = more ? "more" : "eval";
        known += check_model(host, &f, "tinyworld-mixtral", 16, file, &off);
        known += check_model(host, &f, "tinyworld-olmoe", 32, file, &off);
    }
    assert_int_equal(off, 0);
    assert_int_equal(known, n_golden);
    (void)snprintf(command, sizeof command, "rm -r %s %s.out", folder, folder);
    assert_int_equal(system(command), 0);
    fake_host_free(host);
}

static void rankings(void **state)
{
    (void)state;
    check("rankings", 2 * (1 + 2 * 11));
}

static void allocations(void **state)
{
    (void)state;
    check("allocations", 2 * (1 + 2 + 2 + 1 + 3 * 3));
}

static void weights(void **state)
{
    (void)state;
    check("weights", 2 * (1 + 8 * 2));
}

// Exact sets are golden where there are 16 experts.
static void searches(void **state)
{
    (void)state;
    check("searches", 3 * 2 + 2 * (1 + 2 * 2 + 2 * 4 + 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rankings),
        cmocka_unit_test(allocations),
        cmocka_unit_test(weights),
        cmocka_unit_test(searches),
    };
    return cmocka_run_group_tests_name("runs", tests, NULL, NULL);
}
