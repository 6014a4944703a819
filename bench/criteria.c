// What the statistics of the criteria that look at routed rows add to the time of a plain pass,
// those of experts together, and those of channels and gated weights together:
//
//     bench/criteria MODEL [SEQUENCES LENGTH THREADS]
//
// MODEL is a checkpoint, for instance one with layers of OLMoE's shape and random weights that
// bench/forward.py leaves in its --keep folder. Token ids are random; passes with and without
// statistics take turns, so that a change of the machine's speed meets both.
#include <stdio.h>

#include "base/rng.h"
#include "bench.h"
#include "engine/engine.h"
#include "support/fake_host.h"
#include "support/opened.h"
#include "support/test.h"

typedef struct used { // a criterion, and a setting that it is used with
    const char *name, *setting, *value;
} used;

static const used of_experts[] = { { .name = "random" }, { .name = "frequency" },
                                   { .name = "gate" },   { .name = "variance" },
                                   { .name = "mone" },   { .name = "reap" },
                                   { .name = "ean" },    { .name = "easy-ep" } };
static const used of_channels[] = { { .name = "flap" },
                                    { .name = "camera" },
                                    { "wanda", "gated", "true" },
                                    { "wanda", "by", "channel" } };

typedef struct bench {
    fake_host *host;
    cull_open_model m;
    const cull_layer_facts *const *facts; // (L)
    cull_sequences rows;
} bench;

static void make_rows(bench *b, size_t n, size_t length)
{
    cull_rng rng;
    int32_t *ids = cull_take(fake_ctx(b->host), n * length, sizeof *ids);
    cull_sequence *at = cull_take(fake_ctx(b->host), n, sizeof *at);

    assert_true(ids && at);
    cull_rng_init(&rng, 1, "bench", "criteria");
    for (size_t i = 0; i < n * length; i++)
        ids[i] = (int32_t)cull_rng_below(&rng, b->m.facts->V);
    for (size_t i = 0; i < n; i++)
        at[i] = (cull_sequence){ .size = sizeof(cull_sequence),
                                 .ids = ids + i * length,
                                 .n = length,
                                 .source = "random",
                                 .ordinal = i };
    b->rows = (cull_sequences){ sizeof b->rows, n, at };
}

// What n criteria need, all together.
static uint32_t needs(fake_host *host, size_t n, const used *criteria)
{
    uint32_t groups = 0;

    for (size_t i = 0; i < n; i++) {
        char path[512];
        (void)snprintf(path, sizeof path, CULL_BINARY_DIR "/plugins/criterion-%s.so",
                       criteria[i].name);
        const cull_plugin *plugin = fake_plugin_at(host, path, criteria[i].name);
        const cull_criterion *criterion = plugin->vtable;
        void *settings = fake_settings(host, plugin);
        if (criteria[i].setting)
            fake_set(host, plugin, settings, criteria[i].setting, criteria[i].value);
        groups |= criterion->needs_for ? criterion->needs_for(settings) : criterion->needs;
    }
    return groups;
}

typedef struct seconds {
    double wall, cpu; // of the clock; of all threads
} seconds;

static double cpu_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static seconds pass(bench *b, uint32_t groups)
{
    cull_ctx *ctx = fake_ctx(b->host);
    cull_stats_store *store = cull_stats_store_new(ctx, b->m.facts, b->facts, groups);
    const cull_calibration how = { .rows = &b->rows, .groups = groups, .out = store };

    assert_non_null(store);
    const seconds start = { bench_now(), cpu_now() };
    assert_ok(b->host, cull_calibrate_pass(ctx, &b->m, NULL, 1, &how, NULL));
    const seconds took = { bench_now() - start.wall, cpu_now() - start.cpu };
    cull_stats_store_free(store);
    return took;
}

static void show(const char *what, bench_times times, const char *unit)
{
    const bench_summary s = bench_sum_up(times);

    printf("%-32s %8.2f %s (%.2f ... %.2f)\n", what, s.median, unit, s.low, s.high);
}

static void compare(bench *b, const char *whose, uint32_t groups)
{
    bench_times plain = { 0 }, with = { 0 }, wall = { 0 }, cpu = { 0 };

    (void)pass(b, 0); // the weights are in memory from here on
    for (size_t i = 0; i < BENCH_RUNS; i++) {
        const seconds without = pass(b, 0);
        const seconds all = pass(b, groups);
        plain.s[plain.n++] = without.wall;
        with.s[with.n++] = all.wall;
        wall.s[wall.n++] = 100 * (all.wall / without.wall - 1);
        cpu.s[cpu.n++] = 100 * (all.cpu / without.cpu - 1);
    }
    printf("%s:\n", whose);
    show("plain pass", plain, "s");
    show("with the statistics of all", with, "s");
    show("added, by the clock", wall, "%");
    show("added, in time of processors", cpu, "%");
}

int main(int argc, char **argv)
{
    if (argc != 2 && argc != 5) {
        (void)fprintf(stderr, "usage: criteria MODEL [SEQUENCES LENGTH THREADS]\n");
        return 2;
    }
    const size_t n = argc == 5 ? strtoul(argv[2], NULL, 10) : 8;
    const size_t length = argc == 5 ? strtoul(argv[3], NULL, 10) : 512;
    bench b = { .host = fake_host_new(argc == 5 ? strtoul(argv[4], NULL, 10) : 0) };

    b.m = opened_at(b.host, argv[1]);
    b.facts = opened_facts(b.host, &b.m);
    make_rows(&b, n, length);

    printf("%zu x %zu tokens, %zu layers, %zu threads, %d runs each: median (least ... most)\n", n,
           length, b.m.facts->L, cull_pool_threads(b.host->pool), BENCH_RUNS);
    compare(&b, "criteria of experts",
            needs(b.host, sizeof of_experts / sizeof *of_experts, of_experts));
    compare(&b, "criteria of channels, and gated weights",
            needs(b.host, sizeof of_channels / sizeof *of_channels, of_channels));
    opened_close(&b.m);
    fake_host_free(b.host);
    return 0;
}
