// Simulated cells with few seeds: the interval of a difference to dense holds the truth, which is
// over both documents and seeds, in 93 to 97 of 100 cases, whichever of the two spreads more.
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

// A dense trial and a cell of several seeds, which do by 0.1 better.
typedef struct world {
    double a[SEEDS + 1][DOCS]; // [0]: dense
    cull_row row[SEEDS + 1];
    const cull_row *at[SEEDS + 1];
    size_t order[SEEDS + 1];
    cull_frame_trial trial[SEEDS + 1];
    cull_frame_cell cell[2];
    cull_frame frame;
} world;

static void make(world *w, size_t seeds)
{
    *w = (world){ 0 };
    for (size_t s = 0; s <= seeds; s++) {
        w->order[s] = s;
        w->at[s] = &w->row[s];
        w->row[s] = (cull_row){
            .trial = s, .n = DOCS, .law = CULL_LAW_MEAN, .items = { .n = DOCS, .a = w->a[s] }
        };
    }
    w->cell[0] = (cull_frame_cell){ .dense = true, .n_trials = 1, .first = 0 };
    w->cell[1] = (cull_frame_cell){ .n_trials = seeds, .first = 1 };
    w->frame = (cull_frame){ .n_trials = seeds + 1,
                             .n_columns = 1,
                             .n_cells = 2,
                             .trial = w->trial,
                             .cell = w->cell,
                             .order = w->order,
                             .at = w->at };
}

// Spread of the seeds, of what a document adds to the difference in all seeds, and in each anew.
typedef struct spreads {
    double seeds, documents, both;
} spreads;

static void draw(world *w, size_t seeds, spreads spread)
{
    double mean[SEEDS + 1] = { 0 }, shift[SEEDS + 1] = { 0 };
    for (size_t s = 1; s <= seeds; s++)
        shift[s] = 0.1 + spread.seeds * normal();
    for (size_t i = 0; i < DOCS; i++) {
        const double document = normal(), harm = spread.documents * normal();
        for (size_t s = 0; s <= seeds; s++) {
            w->a[s][i] = document + (s ? shift[s] + harm + spread.both * normal() : 0);
            mean[s] += w->a[s][i] / DOCS;
        }
    }
    for (size_t s = 0; s <= seeds; s++)
        w->row[s].value = mean[s];
}

static void few_seeds(void **state)
{
    static const struct {
        size_t seeds;
        spreads spread;
    } cases[] = {
        { 2, { 0.3, 0.3, 0.2 } }, { 2, { 0.05, 0.5, 0.2 } }, { 2, { 0, 0.3, 1 } },
        { 2, { 1, 0, 0.2 } },     { 3, { 0.3, 0.3, 0.2 } },  { 3, { 0.05, 0.5, 0.2 } },
        { 3, { 0.1, 0.5, 1 } },   { 5, { 0.05, 1, 0.2 } },   { 5, { 0.3, 0.3, 0.2 } },
        { 5, { 0.05, 0.1, 1 } },
    };
    const size_t column = 0;
    const cull_measure m = { .k = 1, .column = &column, .law = CULL_LAW_MEAN };
    fake_host *host = *state = fake_host_new(1);
    cull_rng_init(&rng, 3, "tests", "seeds");
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        static world w;
        size_t held = 0;
        make(&w, cases[c].seeds);
        for (size_t i = 0; i < TRIALS; i++) {
            cull_comparison d;
            draw(&w, cases[c].seeds, cases[c].spread);
            assert_ok(host, cull_compare_cells(fake_ctx(host), &w.frame, 0, 1, &m, &d));
            assert_int_equal(d.test, CULL_TEST_T);
            held += d.d.low <= 0.1 && 0.1 <= d.d.high;
        }
        const double share = (double)held / TRIALS;
        print_message(
            "            %zu seeds, spread %g between them, %g of documents, %g of both: %.1f %%\n",
            cases[c].seeds, cases[c].spread.seeds, cases[c].spread.documents, cases[c].spread.both,
            100 * share);
        assert_true(share >= 0.93 && share <= 0.97);
    }
    fake_host_free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(few_seeds) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
