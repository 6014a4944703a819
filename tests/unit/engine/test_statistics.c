// Every statistic has the same bits whatever the memory, and so the blocks of rows, whatever the
// threads, alone or with other calibrations in the pass, and whoever owns which slices.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/rng.h"
#include "engine/blocks.h"
#include "engine/slices.h"
#include "engine/stats_store.h"
#include "support/model.h"
#include "support/temp_files.h"
#include "support/test.h"

enum {
    SEQUENCES = 41,
    LONGEST = 90,
    STORED = CULL_STAT_ROUTING | CULL_STAT_COACTIVATION | CULL_STAT_OUTPUT_NORM |
             CULL_STAT_OUTPUT_MOMENTS | CULL_STAT_EASY_EP | CULL_STAT_LOGIT_GRAM |
             CULL_STAT_INPUT_SQUARES | CULL_STAT_LAYER_COSINES | CULL_STAT_DENSE_MEAN |
             CULL_STAT_GATE_RATIO | CULL_STAT_PROB_NORM | CULL_STAT_DENSE_GATED,
};

typedef struct statistics { // of a calibration, and what layers showed while they were decided
    int32_t ids[SEQUENCES][LONGEST];
    cull_sequence at[SEQUENCES];
    cull_sequences rows;
    cull_calibration how;
    cull_cut *cut;
    cull_hash *seen;
    cull_key key; // of all of it
} statistics;

static fake_host *host_of(size_t threads, test_model *m)
{
    fake_host *host = fake_host_new(threads);

    test_model_open(host, CULL_SOURCE_DIR "/models/tinyworld-olmoe", CULL_OPEN_WEIGHTS, m);
    return host;
}

// Hessians and the dense sample are there only now.
static cull_status see_layer(void *arg, cull_ctx *ctx, size_t l, const cull_stats *stats,
                             cull_cut *cut)
{
    const cull_layer_stats *s = stats->layer + l;
    statistics *t = arg;

    (void)ctx, (void)cut;
    cull_hash_bytes(t->seen, s->x_hessian, s->E * s->D * s->D * sizeof(double));
    cull_hash_bytes(t->seen, s->u_hessian, s->E * s->F * s->F * sizeof(double));
    cull_hash_bytes(t->seen, s->dense->gram, s->dense->N * s->E * s->E * sizeof(float));
    cull_hash_bytes(t->seen, s->dense->weight, s->dense->N * sizeof(double));
    cull_hash_bytes(t->seen, s->dense->group, s->dense->N * sizeof(uint32_t));
    cull_hash_bytes(t->seen, s->dense->channels, s->dense->N * s->E * s->F * sizeof(float));
    return CULL_OK;
}

static void begin(fake_host *host, const test_model *m, uint64_t seed, statistics *t)
{
    const cull_layer_facts *facts[8];
    size_t E[8];
    cull_rng rng;

    cull_rng_init(&rng, seed, "test", "statistics");
    assert_true(m->opened.facts->L <= 8);
    for (size_t l = 0; l < m->opened.facts->L; l++) {
        facts[l] = cull_layer_of(&m->opened, l);
        E[l] = facts[l]->E;
    }
    for (size_t i = 0; i < SEQUENCES; i++) {
        const size_t n = 1 + cull_rng_below(&rng, LONGEST);
        for (size_t j = 0; j < n; j++)
            t->ids[i][j] = (int32_t)cull_rng_below(&rng, m->opened.facts->V);
        t->at[i] = (cull_sequence){
            .size = sizeof(cull_sequence), .ids = t->ids[i], .n = n, .source = "test", .ordinal = i
        };
    }
    t->rows = (cull_sequences){ sizeof t->rows, SEQUENCES, t->at };
    t->cut = cull_cut_new(fake_ctx(host), m->opened.facts->L, m->opened.facts->D, E);
    t->seen = cull_hash_new();
    assert_true(t->cut && t->seen);
    t->how = (cull_calibration){ .rows = &t->rows,
                                 .groups = STORED | CULL_STAT_HESSIAN | CULL_STAT_DENSE_SAMPLE |
                                           CULL_STAT_DENSE_CHANNELS,
                                 .dense_rows = 5,
                                 .decide = see_layer,
                                 .decide_arg = t,
                                 .deciding = t->cut };
    t->how.out = cull_stats_store_new(fake_ctx(host), m->opened.facts, facts, STORED);
    assert_non_null(t->how.out);
}

// The stored ones as the file that they make.
static void finish(fake_host *host, statistics *t)
{
    temp_files files;
    cull_key key;

    temp_begin(&files);
    const char *path = temp_path(&files, "stats.safetensors");
    assert_ok(host, cull_stats_store_save(fake_ctx(host), t->how.out, path));
    assert_int_equal(cull_key_of_file(path, &key), 0);
    temp_end(&files);
    cull_hash_bytes(t->seen, &key, sizeof key);
    t->key = cull_hash_key(t->seen);
    cull_hash_free(t->seen);
    cull_stats_store_free(t->how.out);
}

// n calibrations in one pass; the first one's key.
static cull_key calibrate(size_t threads, uint64_t memory, size_t n)
{
    test_model m;
    fake_host *host = host_of(threads, &m);
    statistics *t = calloc(n, sizeof *t);
    cull_calibration *how = calloc(n, sizeof *how);
    const cull_engine_options options = { .memory = memory };

    assert_true(t && how);
    for (size_t i = 0; i < n; i++) {
        begin(host, &m, 1 + i, t + i);
        how[n - 1 - i] = t[i].how;
    }
    assert_ok(host, cull_calibrate_pass(fake_ctx(host), &m.opened, &options, n, how, NULL));
    for (size_t i = 0; i < n; i++)
        finish(host, t + i);
    const cull_key key = t[0].key;
    free(t);
    free(how);
    test_model_close(&m);
    fake_host_free(host);
    return key;
}

static void assert_same(cull_key a, cull_key b)
{
    assert_memory_equal(&a, &b, sizeof a);
}

static void threads_leave_every_bit(void **state)
{
    const cull_key one = calibrate(1, 0, 1);

    (void)state;
    for (size_t threads = 2; threads <= 4; threads++)
        assert_same(calibrate(threads, 0, 1), one);
}

// Memory for about so many rows in a block.
static uint64_t memory_for(double rows)
{
    test_model m;
    fake_host *host = host_of(1, &m);
    double floats = 0;

    for (size_t l = 0; l < m.opened.facts->L; l++)
        floats = fmax(floats, cull_reserved_floats(m.opened.facts, cull_layer_of(&m.opened, l)));
    const uint64_t fixed = cull_memory_fixed(&m.opened, 1e9, false);
    test_model_close(&m);
    fake_host_free(host);
    return fixed + (uint64_t)(4 * rows * floats * sizeof(float));
}

static void memory_leaves_every_bit(void **state)
{
    const cull_key whole = calibrate(2, 0, 1);

    (void)state;
    assert_same(calibrate(2, 1, 1), whole);
    assert_same(calibrate(2, memory_for(411), 1), whole);
    assert_same(calibrate(2, memory_for(999), 1), whole);
}

static void company_leaves_every_bit(void **state)
{
    const cull_key alone = calibrate(2, 0, 1);

    (void)state;
    assert_same(calibrate(2, 0, 3), alone);
    assert_same(calibrate(2, 1, 2), alone);
}

// ---- owners of slices ----

enum { OWNERS = 3, CALLS = 64 };

// What owners hand over, call by call; the first one comes last and gets everything.
typedef struct owner {
    size_t self, calls;
    double *sums[OWNERS][CALLS];
    const double *part[OWNERS];
    struct owner *all; // of them
} owner;

static cull_status hand_over(void *arg, cull_ctx *ctx, size_t to, size_t n, const double *own,
                             size_t *n_parts, const double *const **part)
{
    owner *o = arg;
    const size_t call = o->calls++;

    (void)ctx;
    assert_int_equal(to, 0);
    assert_true(call < CALLS);
    o->all->sums[o->self][call] = malloc(n * sizeof *own);
    assert_non_null(o->all->sums[o->self][call]);
    memcpy(o->all->sums[o->self][call], own, n * sizeof *own);
    *n_parts = o->self == 0 ? OWNERS : 0;
    for (size_t i = 0; i < *n_parts; i++)
        o->part[i] = o->all->sums[i][call];
    *part = o->part;
    return CULL_OK;
}

// An owner's calibration: the sequences whose slice is in [first, end).
static void own_slices(fake_host *host, const test_model *m, size_t first, size_t end, owner *o,
                       statistics *t, uint8_t *slice, uint32_t *ordinal)
{
    size_t n = 0;

    begin(host, m, 1, t);
    assert_ok(host, cull_calibration_slices(fake_ctx(host), &m->opened, &t->rows, slice));
    for (size_t i = 0; i < SEQUENCES; i++)
        if (slice[i] >= first && slice[i] < end) {
            slice[n] = slice[i];
            ordinal[n] = (uint32_t)i;
            t->at[n++] = t->at[i];
        }
    t->rows.n = n;
    if (first > 0)
        t->how.decide = NULL; // statistics are complete where the first slice is
    t->how.slice = slice;
    t->how.ordinal = ordinal;
    t->how.n_all = SEQUENCES;
    t->how.first_slice = first;
    t->how.end_slice = end;
    t->how.share = hand_over;
    t->how.share_arg = o;
}

static cull_key calibrate_in_parts(const size_t *end)
{
    owner all = { 0 }, each[OWNERS] = { 0 };
    cull_key key = { { 0 } };

    for (size_t i = OWNERS; i-- > 0;) {
        test_model m;
        fake_host *host = host_of(1 + i, &m);
        statistics *t = calloc(1, sizeof *t);
        uint8_t slice[SEQUENCES];
        uint32_t ordinal[SEQUENCES];
        assert_non_null(t);
        each[i].self = i;
        each[i].all = &all;
        own_slices(host, &m, i ? end[i - 1] : 0, end[i], each + i, t, slice, ordinal);
        assert_ok(host, cull_calibrate_pass(fake_ctx(host), &m.opened, NULL, 1, &t->how, NULL));
        finish(host, t);
        key = t->key;
        free(t);
        test_model_close(&m);
        fake_host_free(host);
    }
    for (size_t i = 0; i < OWNERS * CALLS; i++)
        free(all.sums[i / CALLS][i % CALLS]);
    return key;
}

static void owners_of_slices_leave_every_bit(void **state)
{
    const size_t ends[][OWNERS] = { { 5, 6, CULL_SLICES },
                                    { 8, 12, CULL_SLICES },
                                    { 1, 15, CULL_SLICES },
                                    { CULL_SLICES, CULL_SLICES, CULL_SLICES } };
    const cull_key whole = calibrate(2, 0, 1);

    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        assert_same(calibrate_in_parts(ends[i]), whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_leave_every_bit),
        cmocka_unit_test(memory_leaves_every_bit),
        cmocka_unit_test(company_leaves_every_bit),
        cmocka_unit_test(owners_of_slices_leave_every_bit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
