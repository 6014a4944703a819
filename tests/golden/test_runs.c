// From an experiment to its table: cull run on both embedded models, and what the trials recorded
// against the golden perplexities, within 1e-3, window by window and over all.
//
// Another kernel sums in another order, and a router whose experts are tied to 1e-6 of its logits'
// spread may then choose another one. Such a window, and no other, is excused, and printed; then
// that trial's perplexity over all is not compared.
//
// The experiments are tests/golden/runs/*.yaml. A row of each domain is evaluated, all 20 if
// CULL_TEST_ALL is set. The name of a golden variant follows from method, allocation and sparsity.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cut/cut.h"
#include "cut/cut_file.h"
#include "flow/export.h"
#include "results/frame.h"
#include "support/golden.h"
#include "support/opened.h"
#include "support/router_margin.h"
#include "support/test.h"

enum { DOMAINS = 9, GOLDEN_ROWS = 20, TARGETS = 255, WINDOW = TARGETS + 1 };

static const double NEAR_TIE = 1e-6;

typedef struct checking { // the trials of one model
    fake_host *host;
    const char *model;
    cull_open_model opened;
    golden *golden, *calibration; // the latter has the windows' ids
    const cull_frame *frame;
} checking;

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
    const char *at = t->axis[CULL_AXIS_ALLOCATION];
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

static bool near(double got, double want)
{
    return fabs(got - want) <= 1e-3 * want;
}

// The cut of a trial, as its file has it; NULL: dense.
static cull_cut *cut_of(const checking *c, const cull_frame_trial *t)
{
    size_t E[8];
    cull_recipe recipe;

    if (t->dense)
        return NULL;
    for (size_t l = 0; l < c->opened.facts->L; l++)
        E[l] = cull_layer_of(&c->opened, l)->E;
    cull_cut *cut = cull_cut_new(fake_ctx(c->host), c->opened.facts->L, c->opened.facts->D, E);
    assert_non_null(cut);
    assert_ok(c->host, cull_recipe_read(fake_ctx(c->host), t->path, &recipe));
    assert_ok(c->host, cull_cut_load(fake_ctx(c->host), recipe.cut, cut));
    return cut;
}

// Does a router of the variant come near a tie in this window?
static bool excused(const checking *c, const cull_frame_trial *t, const char *name, size_t window)
{
    const size_t shape[] = { DOMAINS * GOLDEN_ROWS, WINDOW };
    size_t n = 0;
    const double *all = golden_numbers(c->calibration, "heldout_ids", &n);
    int32_t ids[WINDOW];

    assert_int_equal(n, shape[0] * shape[1]);
    for (size_t i = 0; i < WINDOW; i++)
        ids[i] = (int32_t)all[window * WINDOW + i];
    const router_margin m = least_router_margin(c->host, &c->opened, cut_of(c, t), TARGETS, ids);
    print_message("%s %s, window %zu: at token %zu the router of layer %zu has experts %zu and %zu "
                  "%.1e of its spread apart: %s\n",
                  c->model, name, window, m.token, m.layer, m.chosen, m.other, m.margin,
                  m.margin < NEAR_TIE ? "excused" : "no excuse");
    return m.margin < NEAR_TIE;
}

// The windows of a domain. n_excused: those that were.
static bool check_domain(const checking *c, const cull_row *row, size_t d, const char *name,
                         size_t *n_excused)
{
    char full[160];
    size_t n = 0;
    bool all = true;

    (void)snprintf(full, sizeof full, "%s.nll", name);
    const double *nll = golden_numbers(c->golden, full, &n);
    assert_int_equal(n, DOMAINS * GOLDEN_ROWS);
    assert_int_equal(row->items.n, rows_of_domain());
    for (size_t i = 0; i < row->items.n; i++) {
        const size_t window = d * GOLDEN_ROWS + i;
        const double got = exp(row->items.a[i] / TARGETS), want = exp(nll[window] / TARGETS);
        if (near(got, want))
            continue;
        print_error("%s %s, %s, window %zu: perplexity %.6g, not %.6g\n", c->model, name, row->task,
                    window, got, want);
        if (excused(c, &c->frame->trial[row->trial], name, window))
            ++*n_excused;
        else
            all = false;
    }
    return all;
}

// The rows of a trial stand in the order of the domains' names, as the golden ones do; the last is
// over all.
static bool check_trial(const checking *c, size_t trial, const char *name)
{
    size_t d = 0, n_excused = 0;
    bool all = true;

    for (size_t i = 0; i < c->frame->n_rows; i++) {
        const cull_row *row = &c->frame->row[i];
        if (row->trial != trial || strcmp(row->metric, "perplexity") != 0)
            continue;
        assert_in_range(d, 0, DOMAINS);
        assert_int_equal(d == DOMAINS, strcmp(row->task, "pooled") == 0);
        if (d < DOMAINS)
            all = check_domain(c, row, d, name, &n_excused) && all;
        const double want = expected(c->golden, name, d++);
        if (!n_excused && !near(row->value, want)) {
            print_error("%s %s, %s: perplexity %.6g, not %.6g\n", c->model, name, row->task,
                        row->value, want);
            all = false;
        }
    }
    assert_int_equal(d, DOMAINS + 1);
    return all;
}

static golden *open_methods(const checking *c, const char *file)
{
    char path[512];

    (void)snprintf(path, sizeof path, CULL_SOURCE_DIR "/tests/golden/methods/%s/%s.safetensors",
                   c->model, file);
    return golden_open(c->host, path);
}

// The trials of one model that golden file `file` knows; those that are off count as such.
static size_t check_model(fake_host *host, const cull_frame *f, const char *model, size_t E,
                          const char *file, size_t *off)
{
    char path[128], name[128];
    size_t known = 0;
    checking c = { .host = host, .model = model, .frame = f };

    (void)snprintf(path, sizeof path, "models/%s", model);
    c.opened = opened_new(host, path);
    c.golden = open_methods(&c, file);
    c.calibration = open_methods(&c, "calibration");
    for (size_t i = 0; i < f->n_trials; i++)
        if (strcmp(f->trial[i].model, model) == 0 &&
            golden_name(c.golden, &f->trial[i], E, name, sizeof name)) {
            known++;
            *off += !check_trial(&c, i, name);
        }
    golden_close(c.golden);
    golden_close(c.calibration);
    opened_close(&c.opened);
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
