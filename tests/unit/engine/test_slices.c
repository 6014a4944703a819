// Slices: every sequence in one, about as many tokens in each; and sums over them against a
// recursive twin, in one process and put together from several, with slices that are empty.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "engine/slices.h"
#include "support/test.h"

static void sequences_are_shared_out_by_tokens(void **state)
{
    cull_rng rng;

    (void)state;
    cull_rng_init(&rng, 1, "test", "slices");
    for (size_t trial = 0; trial < 200; trial++) {
        const size_t n = 1 + cull_rng_below(&rng, 100);
        size_t length[100], tokens[CULL_SLICES] = { 0 }, all = 0, longest = 0;
        uint8_t slice[100];
        for (size_t i = 0; i < n; i++) {
            length[i] = 1 + cull_rng_below(&rng, trial % 2 ? 8 : 4000);
            all += length[i];
            longest = length[i] > longest ? length[i] : longest;
        }
        cull_slices_assign(n, length, slice);
        for (size_t i = 0; i < n; i++) {
            assert_true(slice[i] < CULL_SLICES && (i == 0 || slice[i] >= slice[i - 1]));
            tokens[slice[i]] += length[i];
        }
        for (size_t s = 0; s < CULL_SLICES; s++)
            assert_true(tokens[s] <= all / CULL_SLICES + longest + 1);
    }
    uint8_t each[CULL_SLICES];
    size_t equal[CULL_SLICES];
    for (size_t i = 0; i < CULL_SLICES; i++)
        equal[i] = 512;
    cull_slices_assign(CULL_SLICES, equal, each);
    for (size_t i = 0; i < CULL_SLICES; i++)
        assert_int_equal(each[i], i);
}

// ---- sums ----

enum { WIDTH = 3, ROWS = 400 };

typedef struct rows { // of all slices
    double x[ROWS][WIDTH];
    size_t slice[ROWS];
} rows;

static void make_rows(cull_rng *rng, rows *r)
{
    size_t first[CULL_SLICES + 1] = { 0 };

    for (size_t s = 0; s < CULL_SLICES; s++) {
        const size_t left = ROWS - first[s];
        const size_t n = cull_rng_below(rng, 3) ? cull_rng_below(rng, left / 3 + 1) : 0;
        first[s + 1] = s + 1 == CULL_SLICES ? ROWS : first[s] + n;
        for (size_t i = first[s]; i < first[s + 1]; i++)
            r->slice[i] = s;
    }
    for (size_t i = 0; i < ROWS; i++)
        for (size_t c = 0; c < WIDTH; c++)
            r->x[i][c] = (cull_rng_uniform(rng) - 0.5) * exp(20 * cull_rng_uniform(rng));
}

// The sum of slices [first, first + n), and whether there was any row.
static int twin(const rows *r, size_t first, size_t n, double *out)
{
    double right[WIDTH] = { 0 };
    int any = 0;

    memset(out, 0, WIDTH * sizeof *out);
    if (n == 1) {
        for (size_t i = 0; i < ROWS; i++)
            for (size_t c = 0; r->slice[i] == first && c < WIDTH; c++, any = 1)
                out[c] += r->x[i][c];
        return any;
    }
    const int left = twin(r, first, n / 2, out);
    any = twin(r, first + n / 2, n / 2, right);
    for (size_t c = 0; any && c < WIDTH; c++)
        out[c] = left ? out[c] + right[c] : right[c];
    return left || any;
}

static void add_rows(const rows *r, cull_slice_sum *sum)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (r->slice[i] < sum->first || r->slice[i] >= sum->end)
            continue;
        double *to = cull_slice_sum_at(sum, r->slice[i]);
        assert_non_null(to);
        for (size_t c = 0; c < WIDTH; c++)
            to[c] += r->x[i][c];
    }
}

static cull_slice_sum sum_of(size_t first, size_t end)
{
    return (cull_slice_sum){ .n = WIDTH, .first = first, .end = end };
}

static void one_process_sums_as_the_tree_says(void **state)
{
    cull_rng rng;
    rows r;

    (void)state;
    cull_rng_init(&rng, 2, "test", "slices");
    for (size_t trial = 0; trial < 200; trial++) {
        cull_slice_sum sum = sum_of(0, CULL_SLICES);
        double want[WIDTH];
        make_rows(&rng, &r);
        (void)twin(&r, 0, CULL_SLICES, want);
        add_rows(&r, &sum);
        assert_memory_equal(cull_slice_sum_total(&sum), want, sizeof want);
        cull_slice_sum_release(&sum);
    }
}

static void any_number_of_processes_sums_the_same(void **state)
{
    cull_rng rng;
    rows r;

    (void)state;
    cull_rng_init(&rng, 3, "test", "slices");
    for (size_t trial = 0; trial < 400; trial++) {
        cull_slice_sum all = sum_of(0, CULL_SLICES);
        double want[WIDTH];
        make_rows(&rng, &r);
        (void)twin(&r, 0, CULL_SLICES, want);
        for (size_t first = 0, end; first < CULL_SLICES; first = end) {
            end = first + 1 + cull_rng_below(&rng, CULL_SLICES - first);
            cull_slice_sum part = sum_of(first, end);
            double wire[1 + CULL_SLICES * (1 + WIDTH)];
            add_rows(&r, &part);
            const size_t n = cull_slice_sum_put(&part, wire);
            assert_int_equal(n, cull_slice_sum_put(&part, NULL));
            assert_int_equal(cull_slice_sum_take(&all, wire), n);
            cull_slice_sum_release(&part);
        }
        assert_memory_equal(cull_slice_sum_total(&all), want, sizeof want);
        cull_slice_sum_release(&all);
    }
}

static void nothing_has_no_sum(void **state)
{
    cull_slice_sum sum = sum_of(0, CULL_SLICES);
    double wire[1];

    (void)state;
    assert_null(cull_slice_sum_total(&sum));
    assert_int_equal(cull_slice_sum_put(&sum, wire), 1);
    assert_int_equal(cull_slice_sum_take(&sum, wire), 1);
    assert_null(cull_slice_sum_total(&sum));
    cull_slice_sum_release(&sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_are_shared_out_by_tokens),
        cmocka_unit_test(one_process_sums_as_the_tree_says),
        cmocka_unit_test(any_number_of_processes_sums_the_same),
        cmocka_unit_test(nothing_has_no_sum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
