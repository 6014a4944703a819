// How far a pass is: told at its steps, and between them as its visits move.
#include "engine/progress.h"

#include "base/clock.h"
#include "math/kernels.h"
#include "ranks/ranks.h"

enum { SLOW_PASS_SECONDS = 20, PHASES = 64 };
static const double told_again = 0.1; // seconds

void cull_pass_begin(cull_run *run, const char *phase, size_t tokens)
{
    const cull_context *context = cull_context_of(run->ctx);

    run->progress.tokens = tokens;
    run->progress.phase =
        PHASES * cull_ranks_spent(context->ranks).meetings + run->progress.begins++;
    run->progress.begun = run->progress.told = cull_seconds();
    cull_pass_span(run, 0, 0);
    if (context->log)
        cull_progress_begin(context->log, phase, "tokens", (double)tokens);
}

void cull_pass_span(cull_run *run, double from, double to)
{
    run->progress.from = from;
    run->progress.to = to;
    run->progress.work = 0;
    atomic_store_explicit(&run->progress.done, 0, memory_order_relaxed);
}

void cull_pass_visits(cull_run *run, size_t l, double rows)
{
    const cull_layer_facts *f = cull_layer_of(run->m, l);

    run->progress.work = rows * ((double)f->other_params + (double)f->K * (double)f->expert_params);
}

static void show(const cull_run *run, double part)
{
    const cull_context *context = cull_context_of(run->ctx);

    part = cull_ranks_tell(context->ranks, run->progress.phase, part);
    if (context->log)
        cull_progress_tell(context->log, part * (double)run->progress.tokens);
}

void cull_pass_moved(cull_run *run, size_t worker, size_t n, uint64_t params)
{
    struct cull_run_progress *p = &run->progress;
    const uint64_t more = n * params;
    const uint64_t done = more + atomic_fetch_add_explicit(&p->done, more, memory_order_relaxed);

    if ((worker != 0 && worker != run->n_workers) || p->work <= 0)
        return;
    const double now = cull_seconds(), part = (double)done / p->work;
    if (now - p->told < told_again)
        return;
    p->told = now;
    show(run, p->from + (p->to - p->from) * (part < 1 ? part : 1));
}

cull_status cull_pass_goes_on(const cull_run *run)
{
    const cull_context *context = cull_context_of(run->ctx);

    if (context->stop && context->stop())
        return cull_fail(run->ctx, CULL_ECANCELED, "interrupted");
    return CULL_OK;
}

cull_status cull_pass_tell(cull_run *run, double part)
{
    show(run, part);
    return cull_pass_goes_on(run);
}

// A long pass says so when its products are much slower than the kernels are known to be here:
// because something else uses the processor, or because of its memory.
static void warn_if_slow(cull_run *run)
{
    double seconds = 0;

    for (size_t w = 0; run->worker && w <= run->n_workers; w++)
        seconds += run->worker[w].product_seconds;
    const double took = run->progress.begun > 0 ? cull_seconds() - run->progress.begun : 0;
    run->progress.begun = 0;
    if (took < SLOW_PASS_SECONDS || seconds <= 0)
        return;
    const double rate = (double)cull_run_cost(run).flops / seconds;
    const double known = cull_measure_f32(0.1);
    if (rate < known / 3)
        run->ctx->host->log(run->ctx, CULL_WARN,
                            "the products of this pass ran at %.1f GF a thread, where this "
                            "processor just did %.1f (cull --version --verbose)",
                            rate / 1e9, known / 1e9);
}

void cull_pass_end(cull_run *run)
{
    warn_if_slow(run);
    if (cull_context_of(run->ctx)->log)
        cull_progress_end(cull_context_of(run->ctx)->log);
}
