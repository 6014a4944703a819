// Simulated cells with few seeds: the interval of a difference to dense, or to another cell of the
// same seeds, holds the truth, which is over both documents and seeds, in 93 to 97 of 100 cases,
// whichever of the two spreads more.
#include "support/test.h"

#include <cmocka.h>
#include <math.h>

#include "base/rng.h"
#include "report/compare.h"
#include "support/fake_host.h"

enum { TRIALS = 4000, DOCS = 60, SEEDS = 6 };

static cull_rng rng;

static double normal(void)
{
    return sqrt(-2 * log(1 - cull_rng_uniform(&rng))) *
           cos(6.283185307179586 * cull_rng_uniform(&rng));
}

// Two cells, the second of which does by 0.1 better: a dense trial and a cell of several seeds, or
// two of them.
typedef struct world {
    size_t seeds[2];
    double a[2 * SEEDS][DOCS];
    cull_row row[2 * SEEDS];
    const cull_row *at[2 * SEEDS];
    size_t order[2 * SEEDS];
    cull_frame_trial trial[2 * SEEDS];
    cull_frame_cell cell[2];
    cull_frame frame;
} world;

static void make(world *w, size_t base_seeds, size_t seeds)
{
    *w = (world){ .seeds = { base_seeds, seeds } };
    const size_t n = base_seeds + seeds;
    for (size_t i = 0; i < n; i++) {
        w->order[i] = i;
        w->at[i] = &w->row[i];
        w->trial[i].seed = (double)(i < base_seeds ? i : i - base_seeds);
        w->row[i] = (cull_row){
            .trial = i, .n = DOCS, .law = CULL_LAW_MEAN, .items = { .n = DOCS, .a = w->a[i] }
        };
    }
    w->cell[0] = (cull_frame_cell){ .dense = base_seeds == 1, .n_trials = base_seeds, .first = 0 };
    w->cell[1] = (cull_frame_cell){ .n_trials = seeds, .first = base_seeds };
    w->frame = (cull_frame){ .n_trials = n,
                             .n_columns = 1,
                             .n_cells = 2,
                             .trial = w->trial,
                             .cell = w->cell,
                             .order = w->order,
                             .at = w->at };
}

// Spread of the seeds, of what a document adds to a cell in all seeds, and in each anew. `common`:
// of what a seed does to both cells alike.
typedef struct spreads {
    double seeds, documents, both, common;
} spreads;

static void draw(world *w, spreads spread)
{
    double document[DOCS], common[SEEDS];

    for (size_t i = 0; i < DOCS; i++)
        document[i] = normal();
    for (size_t s = 0; s < SEEDS; s++)
        common[s] = spread.common * normal();
    for (size_t c = 0, trial = 0; c < 2; c++) {
        const bool dense = w->cell[c].dense;
        double harm[DOCS];
        for (size_t i = 0; i < DOCS; i++)
            harm[i] = dense ? 0 : spread.documents * normal();
        for (size_t s = 0; s < w->seeds[c]; s++, trial++) {
            const double shift = dense ? 0 : 0.1 * (double)c + common[s] + spread.seeds * normal();
            double mean = 0;
            for (size_t i = 0; i < DOCS; i++) {
                w->a[trial][i] =
                    document[i] + harm[i] + shift + (dense ? 0 : spread.both * normal());
                mean += w->a[trial][i] / DOCS;
            }
            w->row[trial].value = mean;
        }
    }
}

static void few_seeds(void **state)
{
    static const struct {
        size_t base, seeds;
        spreads spread;
    } cases[] = {
        { 1, 2, { 0.3, 0.3, 0.2, 0 } },    { 1, 2, { 0.05, 0.5, 0.2, 0 } },
        { 1, 2, { 0, 0.3, 1, 0 } },        { 1, 2, { 1, 0, 0.2, 0 } },
        { 1, 3, { 0.3, 0.3, 0.2, 0 } },    { 1, 3, { 0.05, 0.5, 0.2, 0 } },
        { 1, 3, { 0.1, 0.5, 1, 0 } },      { 1, 5, { 0.05, 1, 0.2, 0 } },
        { 1, 5, { 0.3, 0.3, 0.2, 0 } },    { 1, 5, { 0.05, 0.1, 1, 0 } },
        { 2, 2, { 0.3, 0.3, 0.2, 0 } },    { 2, 2, { 0.05, 0.5, 0.2, 0.3 } },
        { 2, 2, { 0, 0.3, 1, 1 } },        { 3, 3, { 0.3, 0.3, 0.2, 0.1 } },
        { 3, 3, { 0.05, 0.1, 0.2, 0.3 } }, { 5, 5, { 0.05, 0.5, 0.5, 1 } },
    };
    const size_t column = 0;
    const cull_metric_view m = { .k = 1, .column = &column, .law = CULL_LAW_MEAN };
    fake_host *host = *state = fake_host_new(1);

    cull_rng_init(&rng, 3, "tests", "seeds");
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        static world w;
        size_t held = 0;
        make(&w, cases[c].base, cases[c].seeds);
        for (size_t i = 0; i < TRIALS; i++) {
            cull_comparison d;
            draw(&w, cases[c].spread);
            assert_ok(host, cull_compare_cells(fake_ctx(host), &w.frame, 0, 1, &m, &d));
            assert_int_equal(d.test, CULL_TEST_T);
            held += d.d.low <= 0.1 && 0.1 <= d.d.high;
        }
        const double share = (double)held / TRIALS;
        print_message("            %zu seeds against %zu, spread %g between them, %g of documents, "
                      "%g of both, %g in common: %.1f %%\n",
                      cases[c].seeds, cases[c].base, cases[c].spread.seeds,
                      cases[c].spread.documents, cases[c].spread.both, cases[c].spread.common,
                      100 * share);
        assert_true(share >= 0.93 && share <= 0.97);
    }
    fake_host_free(host);
}

// Items whose spread is not known leave an interval unknown, however many seeds there are.
static void unknown_items(void **state)
{
    static world w;
    const size_t column = 0;
    const cull_metric_view m = { .k = 1, .column = &column, .law = CULL_LAW_MEAN };
    fake_host *host = *state = fake_host_new(1);
    cull_comparison d;
    cull_difference interval;

    make(&w, 1, 3);
    draw(&w, (spreads){ 0.3, 0.3, 0.2, 0 });
    for (size_t i = 0; i < 4; i++)
        w.row[i].n = w.row[i].items.n = 1;
    assert_ok(host, cull_compare_cells(fake_ctx(host), &w.frame, 0, 1, &m, &d));
    assert_true(isnan(d.d.low) && isnan(d.d.high) && isnan(d.d.p));
    assert_ok(host, cull_interval_of(fake_ctx(host), &w.frame, 1, &m, &interval));
    assert_true(!isnan(interval.value) && isnan(interval.low));
    fake_host_free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(few_seeds),
                                        cmocka_unit_test(unknown_items) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
