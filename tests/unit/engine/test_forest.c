// Sequences become a forest: every path spells its sequence, and what is shared stands once.
#include "base/rng.h"
#include "engine/forest.h"
#include "support/fake_host.h"
#include "support/test.h"

static void check_paths(const cull_forest *f, size_t n, const cull_ids *seq, const size_t *end)
{
    size_t row[64];

    for (size_t i = 0; i < n; i++) {
        const cull_segment *last = f->segment + end[i];
        assert_int_equal(last->pos + last->n, seq[i].n);
        cull_forest_path(f, end[i], row);
        for (size_t p = 0; p < seq[i].n; p++) {
            assert_int_equal(f->ids[row[p]], seq[i].ids[p]);
            assert_int_equal(f->pos[row[p]], p);
            assert_true(p == 0 || row[p] > row[p - 1]);
        }
    }
}

static void check_trees(const cull_forest *f)
{
    size_t rows = 0, segments = 0;

    for (size_t t = 0; t < f->n_trees; t++) {
        assert_int_equal(f->tree[t].first_row, rows);
        assert_int_equal(f->tree[t].first_segment, segments);
        rows += f->tree[t].n_rows;
        segments += f->tree[t].n_segments;
    }
    assert_int_equal(rows, f->n_rows);
    assert_int_equal(segments, f->n_segments);
}

static void test_shared_prefix(void **state)
{
    fake_host *host = fake_host_new(1);
    int32_t a[12], b[12];
    cull_forest f;
    size_t end[3];

    (void)state;
    for (int32_t i = 0; i < 12; i++)
        a[i] = b[i] = i;
    b[10] = 99;
    const cull_ids seq[3] = { { a, 12 }, { b, 12 }, { a, 12 } };
    assert_ok(host, cull_forest_build(fake_ctx(host), 3, seq, true, 0, &f, end));
    check_paths(&f, 3, seq, end);
    check_trees(&f);
    assert_int_equal(f.n_trees, 1);
    assert_int_equal(f.n_rows, 10 + 2 + 2);
    assert_int_equal(end[0], end[2]);
    fake_host_free(host);
}

static void test_short_prefixes_part(void **state)
{
    fake_host *host = fake_host_new(1);
    const int32_t a[3] = { 0, 1, 2 }, b[3] = { 0, 5, 6 }, c[1] = { 0 };
    const cull_ids seq[3] = { { a, 3 }, { b, 3 }, { c, 1 } };
    cull_forest f;
    size_t end[3];

    (void)state;
    assert_ok(host, cull_forest_build(fake_ctx(host), 3, seq, true, 0, &f, end));
    check_paths(&f, 3, seq, end);
    check_trees(&f);
    assert_int_equal(f.n_trees, 3);
    fake_host_free(host);
}

static void test_long_paths_apart(void **state)
{
    fake_host *host = fake_host_new(1);
    int32_t a[40];
    cull_forest f;
    size_t end[2];

    (void)state;
    for (int32_t i = 0; i < 40; i++)
        a[i] = i;
    const cull_ids seq[2] = { { a, 40 }, { a, 32 } };
    assert_ok(host, cull_forest_build(fake_ctx(host), 2, seq, true, 32, &f, end));
    check_paths(&f, 2, seq, end);
    check_trees(&f);
    assert_int_equal(f.n_trees, 2);
    assert_false(f.tree[0].beyond);
    assert_true(f.tree[1].beyond);
    fake_host_free(host);
}

// Random words over a small alphabet, with and without sharing.
static void test_random(void **state)
{
    fake_host *host = fake_host_new(1);
    static int32_t word[200][32];
    cull_ids seq[200];
    size_t end[200];
    cull_rng rng;
    cull_forest f;

    (void)state;
    cull_rng_init(&rng, 7, "test", "forest");
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < 200; i++) {
            seq[i] = (cull_ids){ word[i], 1 + (size_t)cull_rng_below(&rng, 32) };
            for (size_t p = 0; p < 32; p++)
                word[i][p] = cull_rng_below(&rng, 8) ? 0 : (int32_t)cull_rng_below(&rng, 3);
        }
        for (int share = 0; share < 2; share++)
            for (size_t limit = 0; limit < 32; limit += 16) {
                assert_ok(host, cull_forest_build(fake_ctx(host), 200, seq, share, limit, &f, end));
                check_paths(&f, 200, seq, end);
                check_trees(&f);
            }
    }
    fake_host_free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_prefix),
        cmocka_unit_test(test_short_prefixes_part),
        cmocka_unit_test(test_long_paths_apart),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
