// How long the exact search of a layer's experts takes once the Gram matrices are there, at two
// widths of the model: `subset_search [THREADS]`.
//
// Expert outputs and router logits are random. Widths take turns, so that a change of the machine's
// speed meets both.
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <cull/cull.h>

#include "base/context.h"
#include "base/memory.h"
#include "base/rng.h"
#include "bench.h"
#include "cut/cut.h"
#include "math/gemm.h"
#include "plugin/host.h"
#include "plugin/settings.h"

enum { TOKENS = 2304, SEQUENCE = 256, OUTPUTS = 32 };
static const size_t widths[] = { 128, 4096 };
enum { WIDTHS = 2 };

typedef struct problem {
    const char *what;
    size_t E, K, keep;
    const char *limit, *beam, *swaps; // of strategy combinatorial
} problem;

static const problem problems[] = {
    { "all 12870 sets of 8 of 16 experts, top-2", 16, 2, 8, "100000", "1", "0" },
    { "greedy removal from 64 experts to 32, top-8", 64, 8, 32, "0", "1", "0" },
    { "beam search (4, swaps) from 64 to 32, top-8", 64, 8, 32, "0", "4", "8" },
};

static void stop(cull_ctx *ctx, const char *what)
{
    char text[CULL_SENTENCE * 2];

    cull_error_text(&cull_context_of(ctx)->error, text, sizeof text);
    fprintf(stderr, "subset_search: %s: %s\n", what, text);
    exit(3);
}

static void *need(cull_ctx *ctx, size_t n, size_t size)
{
    void *p = cull_take(ctx, n, size);

    if (!p)
        stop(ctx, "memory");
    return p;
}

static const cull_plugin *plugin(cull_ctx *ctx, const char *file)
{
    char path[1024];

    snprintf(path, sizeof path, CULL_BINARY_DIR "/plugins/%s.so", file);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const cull_module *module = library ? dlsym(library, "cull_module_v1") : NULL;
    if (!module)
        stop(ctx, dlerror());
    return module->plugins[0];
}

static void *settings_of(cull_ctx *ctx, const cull_plugin *p)
{
    void *settings = NULL;

    if (cull_settings_new(ctx, p, &settings) != CULL_OK)
        stop(ctx, p->name);
    return settings;
}

static void set(cull_ctx *ctx, const cull_plugin *p, void *settings, const char *name,
                const char *text)
{
    char message[256];

    if (cull_setting_parse(ctx, cull_setting_find(p, name), 1, &text, NULL, settings, message,
                           sizeof message) != CULL_OK)
        stop(ctx, message);
}

static float noise(cull_rng *rng)
{
    return (float)(cull_rng_uniform(rng) - 0.5);
}

static void route(const problem *p, size_t N, const float *logits, float *gate)
{
    for (size_t t = 0; t < N; t++) {
        const float *z = logits + t * p->E;
        float *g = gate + t * p->E;
        double sum = 0;
        for (size_t k = 0; k < p->K; k++) {
            size_t best = p->E;
            for (size_t e = 0; e < p->E; e++)
                if (g[e] == 0 && (best == p->E || z[e] > z[best]))
                    best = e;
            g[best] = expf(z[best]);
            sum += (double)g[best];
        }
        for (size_t e = 0; e < p->E; e++)
            g[e] = (float)((double)g[e] / sum);
    }
}

static cull_dense_sample *sample_of(cull_ctx *ctx, const problem *p)
{
    cull_rng rng;
    const size_t n = TOKENS * p->E;
    float *logits = need(ctx, n, sizeof *logits);
    float *gate = need(ctx, n, sizeof *gate);
    double *weight = need(ctx, TOKENS, sizeof *weight);
    uint32_t *group = need(ctx, TOKENS, sizeof *group);
    cull_dense_sample *sample = need(ctx, 1, sizeof *sample);

    cull_rng_init(&rng, 1, "subset_search", "logits");
    for (size_t i = 0; i < n; i++)
        logits[i] = 8 * noise(&rng);
    route(p, TOKENS, logits, gate);
    for (size_t t = 0; t < TOKENS; t++) {
        weight[t] = 1;
        group[t] = (uint32_t)(t / SEQUENCE);
    }
    *sample = (cull_dense_sample){ .size = sizeof(cull_dense_sample),
                                   .N = TOKENS,
                                   .logits = logits,
                                   .gram = need(ctx, n * p->E, sizeof(float)),
                                   .gate = gate,
                                   .weight = weight,
                                   .group = group };
    return sample;
}

typedef struct gram_work {
    const float *y; // (OUTPUTS, E, D), taken in turns
    size_t E, D;
    float *gram; // (TOKENS, E, E)
} gram_work;

static cull_status gram_of(void *arg, size_t t)
{
    const gram_work *w = arg;
    const float *y = w->y + t % OUTPUTS * w->E * w->D;

    return cull_gemm_f32(false, true, w->E, w->E, w->D, 1, y, w->D, y, w->D, 0,
                         w->gram + t * w->E * w->E, w->E)
               ? CULL_OK
               : CULL_ENOMEM;
}

// Gram matrices of random outputs; their time comes back.
static double fill_gram(cull_ctx *ctx, const problem *p, size_t D, const cull_dense_sample *sample)
{
    cull_rng rng;

    cull_rng_init(&rng, 1, "subset_search", "outputs");
    const size_t n = OUTPUTS * p->E * D;
    float *y = cull_alloc(n, sizeof *y);
    if (!y)
        stop(ctx, "memory");
    for (size_t j = 0; j < n; j++)
        y[j] = noise(&rng);
    gram_work work = { y, p->E, D, (float *)(uintptr_t)sample->gram };
    const double start = bench_now();
    if (ctx->host->parallel(ctx, TOKENS, gram_of, &work) != CULL_OK)
        stop(ctx, "Gram");
    const double seconds = bench_now() - start;
    cull_free(y);
    return seconds;
}

static double search(cull_ctx *ctx, const problem *p, const cull_view *view)
{
    const cull_plugin *enumeration = plugin(ctx, "criterion-enumeration");
    const cull_plugin *combinatorial = plugin(ctx, "strategy-combinatorial");
    const cull_criterion *criterion = enumeration->vtable;
    const cull_strategy *strategy = combinatorial->vtable;
    const void *objective = settings_of(ctx, enumeration);
    void *choice = settings_of(ctx, combinatorial);

    set(ctx, combinatorial, choice, "limit", p->limit);
    set(ctx, combinatorial, choice, "beam", p->beam);
    set(ctx, combinatorial, choice, "swaps", p->swaps);
    cull_scores scores = { .size = sizeof scores, .form = CULL_FORM_SUBSET };
    const size_t remove = p->E - p->keep;
    const cull_budget budget = { .size = sizeof budget,
                                 .scope = CULL_SCOPE_LAYER,
                                 .remove = &remove };
    cull_cut *cut = cull_cut_new(ctx, 1, 1, &p->E);
    if (!cut)
        stop(ctx, "memory");

    const double start = bench_now();
    if (criterion->score(ctx, objective, view, 0, &scores) != CULL_OK)
        stop(ctx, "score");
    if (strategy->select(ctx, choice, view, &scores, &budget, 0, cut) != CULL_OK)
        stop(ctx, "select");
    return bench_now() - start;
}

static void once(const problem *p, cull_pool *pool, size_t D, bench_times *gram, bench_times *found)
{
    cull_context context;

    if (cull_context_init(&context, pool, NULL) != CULL_OK)
        exit(3);
    cull_ctx *ctx = &context.ctx;
    cull_dense_sample *sample = sample_of(ctx, p);
    const cull_layer_facts facts = { .size = sizeof facts,
                                     .E = p->E,
                                     .K = p->K,
                                     .n_group = 1,
                                     .topk_group = 1,
                                     .renormalise = true };
    const cull_layer_stats layer = {
        .size = sizeof(cull_layer_stats), .E = p->E, .D = D, .dense = sample
    };
    const cull_stats stats = { .size = sizeof stats, .L = 1, .layer = &layer };
    const cull_view view = { .size = sizeof view, .layer = &facts, .stats = &stats };
    gram->s[gram->n++] = fill_gram(ctx, p, D, sample);
    found->s[found->n++] = search(ctx, p, &view);
    cull_context_release(&context);
}

static void run(const problem *p, cull_pool *pool)
{
    bench_times gram[WIDTHS] = { 0 };
    bench_times found[WIDTHS] = { 0 };
    bench_times ratio = { .n = BENCH_RUNS };

    for (size_t i = 0; i < BENCH_RUNS; i++) {
        for (size_t w = 0; w < WIDTHS; w++)
            once(p, pool, widths[w], &gram[w], &found[w]);
        ratio.s[i] = found[1].s[i] / found[0].s[i];
    }

    printf("%s\n", p->what);
    for (size_t w = 0; w < WIDTHS; w++) {
        const bench_summary g = bench_sum_up(gram[w]);
        const bench_summary s = bench_sum_up(found[w]);
        printf("  D %5zu   Gram %7.3f s (%.3f ... %.3f)   search %7.3f s (%.3f ... %.3f)\n",
               widths[w], g.median, g.low, g.high, s.median, s.low, s.high);
    }
    const bench_summary r = bench_sum_up(ratio);
    printf("  search, D %zu over D %zu: %.2f (%.2f ... %.2f)\n", widths[1], widths[0], r.median,
           r.low, r.high);
}

int main(int argc, char **argv)
{
    const size_t threads = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 0;
    cull_pool *pool = cull_pool_new(threads);

    if (!pool)
        return 3;
    printf("%d tokens, %zu threads, %d runs each: median (least ... most)\n", TOKENS,
           cull_pool_threads(pool), BENCH_RUNS);
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++)
        run(&problems[i], pool);
    cull_pool_free(pool);
    return 0;
}
