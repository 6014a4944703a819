// What must be the same on all ranks, as lines of text, compared on rank 0.
#define _GNU_SOURCE // sched_getaffinity
#include "flow/ranks/alike.h"

#include <sched.h>
#include <string.h>

#include "base/text.h"
#include "math/cpu.h"
#include "math/kernels.h"
#include "record/trial_file.h"

// ---- the lines: "what\tvalue\n" ----

static void put_key(cull_buf *out, const char *what, const char *name, const cull_key *key)
{
    cull_buf_printf(out, "%s \"%s\"\t%s\n", what, name, key->hex);
}

static void put_model(cull_buf *out, const cull_plan *plan, const cull_prepared_model *prepared)
{
    const char *name = prepared->spec->name;

    cull_buf_printf(out, "the model \"%s\"\t%s\n", name, prepared->opened.facts->fingerprint);
    for (size_t i = 0; i < prepared->n_rows; i++)
        put_key(out, "the calibration rows of model", name, &prepared->rows[i].key);
    for (size_t i = 0; prepared->asked && i < plan->spec->n_metrics; i++)
        put_key(out, "the requests of model", name, &prepared->asked[i].key);
}

static cull_status describe(cull_ctx *ctx, const cull_plan *plan, const cull_inputs *inputs,
                            cull_buf *out)
{
    const cull_cpu cpu = cull_cpu_features();
    char features[64], kernels[CULL_KERNELS_TEXT];
    cull_provenance here = { 0 };
    cull_hash *hash = cull_hash_new();

    if (!hash)
        return cull_no_memory(ctx);
    cull_hash_bytes(hash, plan->spec->text, strlen(plan->spec->text));
    const cull_key text = cull_hash_key(hash);
    cull_hash_free(hash);
    CULL_TRY(cull_provenance_here(ctx, &here));
    cull_cpu_words(&cpu, features, sizeof features);
    cull_kernels_text(kernels);
    cull_buf_printf(out, "the program\t%s\n", here.binary_hash ? here.binary_hash : "not known");
    put_key(out, "the experiment", plan->spec->name, &text);
    cull_buf_printf(out, "the precision\t%s\n", cull_precision_word(inputs->precision));
    for (size_t m = 0; m < inputs->n; m++)
        put_model(out, plan, &inputs->at[m]);
    for (size_t c = 0; c < plan->n_cells; c++)
        cull_buf_printf(out, "trial %zu of the plan\t%s\n", c + 1, plan->cell[c].id.hex);
    cull_buf_printf(out, "the processor's features\t%s\nthe kernels\t%s\n", features, kernels);
    return out->failed ? cull_no_memory(ctx) : CULL_OK;
}

// ---- compared ----

static size_t line_of(const char *at, const char *end)
{
    const char *stop = memchr(at, '\n', (size_t)(end - at));

    return stop ? (size_t)(stop - at) : (size_t)(end - at);
}

static bool of_the_processor(const char *line)
{
    return strncmp(line, "the processor's", 15) == 0 || strncmp(line, "the kernels", 11) == 0;
}

static cull_status refuse(cull_ctx *ctx, size_t rank, const char *own, size_t n_own,
                          const char *other, size_t n_other)
{
    const cull_ranks *ranks = cull_context_of(ctx)->ranks;
    const size_t what = strcspn(own, "\t\n"), what_other = strcspn(other, "\t\n");

    if (what != what_other || memcmp(own, other, what) != 0 || what + 1 > n_own ||
        what + 1 > n_other)
        return cull_fail(ctx, CULL_EENV, "rank 0 (%s) and rank %zu (%s) plan different things",
                         cull_ranks_host(ranks, 0), rank, cull_ranks_host(ranks, rank));
    return cull_fail(ctx, CULL_EENV,
                     "the ranks are not alike: %.*s is %.*s on rank 0 (%s), and %.*s on rank %zu "
                     "(%s)%s",
                     (int)what, own, (int)(n_own - what - 1), own + what + 1,
                     cull_ranks_host(ranks, 0), (int)(n_other - what - 1), other + what + 1, rank,
                     cull_ranks_host(ranks, rank),
                     of_the_processor(own)
                         ? "; --mixed allows unlike processors, and results may differ in last bits"
                         : "");
}

static cull_status compare(cull_ctx *ctx, const cull_parts *parts, size_t rank, bool mixed)
{
    const char *own = parts->part[0], *other = parts->part[rank];
    const char *own_end = own + parts->bytes[0], *other_end = other + parts->bytes[rank];

    while (own < own_end && other < other_end) {
        const size_t n_own = line_of(own, own_end), n_other = line_of(other, other_end);
        const bool same = n_own == n_other && memcmp(own, other, n_own) == 0;
        if (!same && !(mixed && of_the_processor(own)))
            return refuse(ctx, rank, own, n_own, other, n_other);
        own += n_own + 1;
        other += n_other + 1;
    }
    return CULL_OK;
}

// ---- processors ----

typedef struct cores { // that a rank may use
    cpu_set_t set;
    size_t threads;
} cores;

static void warn_of_cores(cull_ctx *ctx, const cull_parts *parts, size_t first)
{
    const cull_ranks *ranks = cull_context_of(ctx)->ranks;
    const char *host = cull_ranks_host(ranks, first);
    size_t threads = 0;
    cpu_set_t all;

    CPU_ZERO(&all);
    for (size_t r = 0; r < parts->n; r++) {
        const cores *c = parts->part[r];
        if (strcmp(cull_ranks_host(ranks, r), host) != 0)
            continue;
        if (r < first)
            return; // said with the host's first rank
        CPU_OR(&all, &all, &c->set);
        threads += c->threads;
    }
    if (threads > (size_t)CPU_COUNT(&all))
        cull_log_line(cull_context_of(ctx)->log, CULL_WARN,
                      "host %s: %zu threads share %d processors; give each rank its own with "
                      "mpirun --map-by slot:PE=THREADS --bind-to core, or srun "
                      "--cpus-per-task=THREADS, and --threads",
                      host, threads, CPU_COUNT(&all));
}

static cull_status look_at_cores(cull_ctx *ctx)
{
    cores own = { .threads = cull_pool_threads(cull_context_of(ctx)->pool) };
    cull_parts parts;

    if (sched_getaffinity(0, sizeof own.set, &own.set) != 0)
        for (size_t i = 0; i < CPU_SETSIZE; i++)
            CPU_SET(i, &own.set);
    const cull_status status = cull_ranks_gather(ctx, sizeof own, &own, &parts);
    for (size_t r = 0; status == CULL_OK && r < parts.n; r++)
        warn_of_cores(ctx, &parts, r);
    cull_parts_release(&parts);
    return status;
}

cull_status cull_ranks_alike(cull_ctx *ctx, const cull_plan *plan, const cull_inputs *inputs,
                             bool mixed)
{
    cull_buf text = CULL_BUF_INIT;
    cull_parts parts = { 0 };

    if (!cull_context_of(ctx)->ranks)
        return CULL_OK;
    cull_status status = cull_ranks_agree(ctx, describe(ctx, plan, inputs, &text));
    if (status == CULL_OK)
        status = cull_ranks_gather(ctx, text.n, text.s, &parts);
    for (size_t r = 1; status == CULL_OK && r < parts.n; r++)
        status = compare(ctx, &parts, r, mixed);
    cull_parts_release(&parts);
    cull_buf_release(&text);
    CULL_TRY(cull_ranks_agree(ctx, status));
    return look_at_cores(ctx);
}
