// The time that oneDNN's own product takes for what the layers of a model multiply: one line of
// JSON on stdout.
//
//     bench/layer_rate MODEL SEQUENCES LENGTH THREADS RUNS
//
// Random tokens, those of bench/forward, are routed once; then every matrix meets as many random
// rows as it met there, in plain float32, each product in one thread, THREADS of them at once. What
// bench/forward takes over this is what is lost to everything else.
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/rng.h"
#include "bench.h"
#include "engine/engine.h"
#include "math/gemm.h"
#include "support/fake_host.h"
#include "support/opened.h"
#include "support/test.h"

typedef struct product { // rows (m, k) · W (n, k)ᵀ
    size_t m, n, k;
} product;

typedef struct bench {
    fake_host *host;
    cull_open_model m;
    size_t sequences, length, threads;
    size_t n, room;
    product *product;
    float *x, *w; // the largest of all products
    float **y;    // (threads)
} bench;

static void add(bench *b, size_t rows, cull_matrix_id where)
{
    cull_matrix w = { .size = sizeof w };

    if (rows == 0)
        return;
    assert_ok(b->host, b->m.backend->matrix(fake_ctx(b->host), b->m.model, where, &w));
    if (b->n == b->room) {
        b->product = cull_grow(b->product, b->room, 2 * b->room + 64, sizeof *b->product);
        assert_non_null(b->product);
        b->room = 2 * b->room + 64;
    }
    b->product[b->n++] = (product){ rows, w.rows, w.cols };
}

// Whole sequences through a matrix of all rows: a share of them for each thread.
static void add_shared(bench *b, cull_matrix_id where)
{
    const size_t rows = b->sequences * b->length;

    for (size_t i = 0; i < b->threads; i++)
        add(b, rows * (i + 1) / b->threads - rows * i / b->threads, where);
}

static void add_layer(bench *b, size_t l, const int32_t *index)
{
    const cull_layer_facts *facts = cull_layer_of(&b->m, l);
    size_t *count = cull_alloc(facts->E + 1, sizeof *count);

    assert_non_null(count);
    for (size_t i = 0; i < b->sequences * b->length * facts->K; i++)
        if (index[i] >= 0)
            count[index[i]]++;
    for (size_t p = 0; p < CULL_N_PARTS; p++) {
        const bool experts = p == CULL_PART_GATE || p == CULL_PART_UP || p == CULL_PART_DOWN;
        if (!(facts->parts >> p & 1u))
            continue;
        if (!experts)
            add_shared(b, cull_at(l, (cull_part)p));
        for (size_t e = 0; experts && e < facts->E; e++)
            add(b, count[e], cull_at_expert(l, (cull_part)p, e));
    }
    cull_free(count);
}

static void list_products(bench *b)
{
    const size_t L = b->m.facts->L, n = b->sequences * b->length;
    int32_t *ids = cull_alloc(n, sizeof *ids);
    int32_t **index = cull_alloc(L, sizeof *index);
    cull_rng rng;

    assert_true(ids && index);
    cull_rng_init(&rng, 1, "bench", "forward");
    for (size_t i = 0; i < n; i++)
        ids[i] = (int32_t)cull_rng_below(&rng, b->m.facts->V);
    for (size_t l = 0; l < L; l++) {
        index[l] = cull_alloc(n * cull_layer_of(&b->m, l)->K + 1, sizeof **index);
        assert_non_null(index[l]);
    }
    cull_trace trace = {
        .n_seq = b->sequences, .len = b->length, .ids = ids, .router_index = index
    };
    assert_ok(b->host, cull_trace_pass(fake_ctx(b->host), &b->m, NULL, NULL, &trace));
    for (size_t l = 0; l < L; l++) {
        add_layer(b, l, index[l]);
        cull_free(index[l]);
    }
    cull_free(index);
    cull_free(ids);
}

static float *random_floats(size_t n)
{
    float *x = cull_alloc(n, sizeof *x);
    cull_rng rng;

    assert_non_null(x);
    cull_rng_init(&rng, 2, "bench", "layer_rate");
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(i < 4096 ? cull_rng_uniform(&rng) - 0.5 : (double)x[i % 4096]);
    return x;
}

static void make_room(bench *b)
{
    size_t x = 0, w = 0, y = 0;

    for (size_t i = 0; i < b->n; i++) {
        const product *p = b->product + i;
        x = p->m * p->k > x ? p->m * p->k : x;
        w = p->n * p->k > w ? p->n * p->k : w;
        y = p->m * p->n > y ? p->m * p->n : y;
    }
    b->x = random_floats(x);
    b->w = random_floats(w);
    b->y = cull_alloc(b->threads, sizeof *b->y);
    assert_non_null(b->y);
    for (size_t i = 0; i < b->threads; i++)
        b->y[i] = random_floats(y);
}

static cull_status multiply(void *arg, size_t i, size_t worker)
{
    const bench *b = arg;
    const product *p = b->product + i;

    return cull_gemm_f32(false, true, p->m, p->n, p->k, 1.0f, b->x, p->k, b->w, p->k, 0.0f,
                         b->y[worker], p->n)
               ? CULL_OK
               : cull_no_memory(fake_ctx(b->host));
}

static void time_runs(bench *b, size_t runs)
{
    cull_pool *pool = cull_pool_new(b->threads);
    double *cpu = cull_alloc(runs, sizeof *cpu);
    double flops = 0;

    assert_true(pool && cpu);
    for (size_t i = 0; i < b->n; i++)
        flops += 2.0 * (double)b->product[i].m * (double)b->product[i].n * (double)b->product[i].k;
    (void)printf("{\"products\": %zu, \"gflop\": %.1f, \"seconds\": [", b->n, flops / 1e9);
    for (size_t r = 0; r < runs; r++) {
        const double start = bench_now(), begun = bench_cpu();
        assert_ok(b->host, cull_pool_run(pool, b->n, multiply, b));
        (void)printf("%s%.4f", r ? ", " : "", bench_now() - start);
        cpu[r] = bench_cpu() - begun;
    }
    (void)printf("], \"cpu_seconds\": [");
    for (size_t r = 0; r < runs; r++)
        (void)printf("%s%.4f", r ? ", " : "", cpu[r]);
    (void)printf("]}\n");
    cull_free(cpu);
    cull_pool_free(pool);
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        (void)fprintf(stderr, "usage: layer_rate MODEL SEQUENCES LENGTH THREADS RUNS\n");
        return 2;
    }
    bench b = { .sequences = strtoul(argv[2], NULL, 10),
                .length = strtoul(argv[3], NULL, 10),
                .threads = strtoul(argv[4], NULL, 10) };

    b.host = fake_host_new(b.threads);
    b.m = opened_at(b.host, argv[1]);
    list_products(&b);
    make_room(&b);
    time_runs(&b, strtoul(argv[5], NULL, 10));
    for (size_t i = 0; i < b.threads; i++)
        cull_free(b.y[i]);
    cull_free(b.y);
    cull_free(b.x);
    cull_free(b.w);
    cull_free(b.product);
    opened_close(&b.m);
    fake_host_free(b.host);
    return 0;
}
