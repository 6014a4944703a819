// make-results DIR: a results folder with trials of known effect, for whatever reads such folders.
//
// Four tasks, two of choices (400 documents), two of text (20 windows). An item has a difficulty of
// its own that all methods share; a method adds a loss that grows with sparsity: reap least, random
// most, and differently for each of its three seeds.
#include "support/test.h"

#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "base/context.h"
#include "base/rng.h"
#include "plugin/host.h"
#include "record/folder/index.h"
#include "support/made_trial.h"

enum { DOCS = 400, WINDOWS = 20, TOKENS = 255 };

typedef struct effect {
    const char *method;
    double sparsity;
    uint64_t seed;
    double harm; // added to every item's difficulty
} effect;

static const effect effects[] = {
    { "dense", NAN, 0, 0 },        { "reap", 0.25, 0, 0.05 },    { "reap", 0.5, 0, 0.3 },
    { "frequency", 0.25, 0, 0.2 }, { "frequency", 0.5, 0, 0.8 }, { "random", 0.25, 1, 0.5 },
    { "random", 0.25, 2, 0.6 },    { "random", 0.25, 3, 0.45 },  { "random", 0.5, 1, 1.4 },
    { "random", 0.5, 2, 1.6 },     { "random", 0.5, 3, 1.5 },
};

static double normal(cull_rng *rng) // Box and Muller
{
    return sqrt(-2 * log(1 - cull_rng_uniform(rng))) *
           cos(6.283185307179586 * cull_rng_uniform(rng));
}

static void report_choices(cull_ctx *ctx, made_trial *m, const effect *e, const char *task)
{
    uint8_t *acc = cull_take(ctx, DOCS, 1);
    cull_rng items, noise;

    cull_rng_init(&items, 1, "items", task);
    cull_rng_init(&noise, e->seed, e->method, task);
    for (size_t i = 0; i < DOCS; i++)
        acc[i] = normal(&items) + 0.25 * normal(&noise) + e->harm < 0.4;
    made_report(ctx, m,
                &(made_task){ .task = task, .n = DOCS, .acc = acc, .protocol = "lm-eval-0.4.13" });
}

static void report_text(cull_ctx *ctx, made_trial *m, const effect *e, const char *task)
{
    double *nll = cull_take(ctx, WINDOWS, sizeof *nll);
    cull_rng items, noise;

    cull_rng_init(&items, 1, "windows", task);
    cull_rng_init(&noise, e->seed, e->method, task);
    for (size_t i = 0; i < WINDOWS; i++)
        nll[i] = TOKENS * (1.5 + 0.3 * normal(&items) + 0.03 * normal(&noise) + 0.5 * e->harm);
    made_report(ctx, m, &(made_task){ .task = task, .n = WINDOWS, .nll = nll, .tokens = TOKENS });
}

int main(int argc, char **argv)
{
    cull_context context;

    if (argc != 2 || cull_context_init(&context, NULL, NULL) != CULL_OK)
        return 2;
    cull_ctx *ctx = &context.ctx;
    cull_status status = CULL_OK;
    for (size_t i = 0; status == CULL_OK && i < sizeof effects / sizeof effects[0]; i++) {
        const effect *e = &effects[i];
        made_trial *m = made_new(ctx, e->method, e->sparsity, e->seed,
                                 isnan(e->sparsity) ? 0 : (size_t)(e->sparsity * 8));
        report_choices(ctx, m, e, "facts");
        report_choices(ctx, m, e, "code");
        report_text(ctx, m, e, "prose");
        report_text(ctx, m, e, "verse");
        status = cull_trial_write(ctx, argv[1], &m->trial);
        made_free(m);
    }
    if (status == CULL_OK)
        status = cull_index_write(ctx, argv[1], NULL);
    if (status != CULL_OK)
        fprintf(stderr, "%s\n", context.error.sentence);
    cull_context_release(&context);
    return status == CULL_OK ? 0 : 1;
}
