// A metric's requests answered for all variants, and its numbers collected.
#include "flow/evaluate.h"
#include "flow/ranks/share_evaluation.h"
#include "plugin/host.h"

#include <math.h>

#include "base/call.h"

// No metric can make a number of what is none; many would (of NaNs the first choice is as likely as
// any).
static cull_status check_answers(cull_ctx *ctx, const cull_prepared_metric *asked,
                                 const cull_answer *answers)
{
    for (size_t i = 0; i < asked->requests.n; i++)
        if (isnan(answers[i].ll) || isnan(answers[i].kl) || isnan(answers[i].overlap))
            return cull_fail(
                ctx, CULL_ENUMERIC,
                "%s of request %zu is not a number: the weights hold NaN or "
                "infinities, or lead to them",
                asked->request[i].kind == CULL_SCORE ? "the log-likelihood" : "a logit", i);
    return CULL_OK;
}

static cull_status score_metric(cull_ctx *ctx, const cull_evaluate_job *job, size_t i,
                                const cull_answer *answers, cull_collector *found)
{
    const cull_use *use = &job->spec->metrics[job->metric[i]];
    const cull_metric *metric = use->plugin->vtable;

    CULL_TRY(cull_collector_init(ctx, found));
    CULL_TRY(cull_while(ctx, check_answers(ctx, &job->prepared->asked[job->metric[i]], answers),
                        "asking for metric %s", use->plugin->name));
    cull_context_of(ctx)->owner = use->plugin->name;
    CULL_TRY(cull_while(
        ctx,
        CULL_CALL(ctx, use->plugin, SIZE_MAX, score,
                  metric->score(ctx, use->settings, &job->prepared->asked[job->metric[i]].requests,
                                answers, &found->report)),
        "making numbers of the answers with metric %s", use->plugin->name));
    if (found->n_values + found->n_columns + found->n_attributes == 0)
        return cull_fail(ctx, CULL_EPLUGIN, "metric %s: its callback \"score\" reports nothing",
                         use->plugin->name);
    return CULL_OK;
}

static cull_status score_variant(cull_ctx *ctx, const cull_evaluate_job *job,
                                 const cull_answer *answers, cull_evaluated *out)
{
    cull_context *context = cull_context_of(ctx);
    size_t at = 0;

    for (size_t i = 0; i < job->n && out->status == CULL_OK; i++) {
        out->status = score_metric(ctx, job, i, answers + at, &out->found[i]);
        at += job->prepared->asked[job->metric[i]].requests.n;
        cull_arena_clear(context->scratch);
    }
    if (out->status == CULL_ECANCELED || out->status == CULL_ENOMEM)
        return out->status; // the call's own: the context says why
    if (out->status != CULL_OK)
        out->error = context->error;
    cull_error_clear(ctx);
    return CULL_OK;
}

// By all ranks, where there are several.
static cull_status run_pass(cull_ctx *ctx, const cull_evaluate_job *job, size_t n,
                            const cull_request *const *requests, cull_answer *answers,
                            cull_cost_seen *cost)
{
    const cull_shared_evaluation shared = { .prepared = job->prepared,
                                            .model =
                                                (size_t)(job->prepared->spec - job->spec->models),
                                            .engine = job->engine,
                                            .n_variants = job->n_variants,
                                            .cuts = job->cuts,
                                            .n_metrics = job->n,
                                            .metric = job->metric };

    if (cull_context_of(ctx)->ranks)
        return cull_evaluate_shared(ctx, &shared, answers, cost);
    return cull_evaluate_pass(ctx, &job->prepared->opened, job->engine, job->n_variants, job->cuts,
                              n, requests, answers, cost);
}

// Answers and all that hangs on them live in a context of the call's own, and go with it.
static cull_status evaluate_in(cull_ctx *ctx, const cull_evaluate_job *job, cull_evaluated *out,
                               cull_cost_seen *cost)
{
    const cull_request *const *requests;
    size_t n;

    CULL_TRY(cull_requests_of(ctx, job->prepared, job->n, job->metric, &n, &requests));
    cull_answer *answers = cull_take(ctx, job->n_variants * n + 1, sizeof *answers);
    if (!answers)
        return CULL_ENOMEM;
    CULL_TRY(cull_while(ctx, run_pass(ctx, job, n, requests, answers, cost),
                        "evaluating model \"%s\"", job->prepared->spec->name));
    for (size_t v = 0; v < job->n_variants; v++)
        CULL_TRY(score_variant(ctx, job, answers + v * n, &out[v]));
    return CULL_OK;
}

cull_status cull_evaluate(cull_ctx *ctx, const cull_evaluate_job *job, cull_evaluated *out,
                          cull_cost_seen *cost)
{
    cull_context *parent = cull_context_of(ctx);
    cull_context own;

    for (size_t v = 0; v < job->n_variants; v++) {
        out[v] = (cull_evaluated){ .status = CULL_OK };
        out[v].found = cull_take(ctx, job->n, sizeof *out[v].found);
        if (!out[v].found)
            return CULL_ENOMEM;
    }
    if (cull_context_init(&own, parent->pool, parent->log) != CULL_OK)
        return cull_no_memory(ctx);
    own.stop = parent->stop;
    own.ranks = parent->ranks;
    const cull_status status = evaluate_in(&own.ctx, job, out, cost);
    if (status != CULL_OK)
        cull_error_copy(ctx, &own.ctx);
    cull_context_release(&own);
    return status;
}

void cull_evaluated_release(size_t n_metrics, cull_evaluated *evaluated)
{
    for (size_t i = 0; evaluated->found && i < n_metrics; i++)
        if (evaluated->found[i].arena)
            cull_collector_release(&evaluated->found[i]);
    evaluated->found = NULL;
}
