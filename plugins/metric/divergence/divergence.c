// How far a variant's predictions are from the dense model's.
#include <cull/cull.h>

#include <math.h>

#include "common/lm_eval/summary.h"
#include "common/text/windows.h"

struct settings {
    cull_texts files;
    int64_t seqlen, rows_per_file, bos, documents, first;
    const char *field, *join;
};

static const cull_param params[] = { WINDOWS_PARAMS(struct settings) };

static cull_status prepare(cull_ctx *ctx, const void *settings, const cull_text *text,
                           cull_requests *out)
{
    const struct settings *set = settings;
    const windows_wanted want = WINDOWS_WANTED(set, CULL_WANT_KL | CULL_WANT_TOP1);
    return windows_prepare(ctx, text, &want, out);
}

static cull_status report(cull_ctx *ctx, cull_report *out, const char *task, size_t n,
                          const double *kl, const double *top1)
{
    const struct {
        const char *name;
        const double *of;
        int higher_is_better;
    } metrics[] = { { "kl", kl, 0 }, { "top1_agreement", top1, 1 } };
    cull_status status = CULL_OK;
    for (size_t m = 0; status == CULL_OK && m < 2; m++) {
        const summary mean = summary_of(n, metrics[m].of);
        status = out->value(ctx, out,
                            &(cull_value){ .size = sizeof(cull_value),
                                           .task = task,
                                           .metric = metrics[m].name,
                                           .filter = "none",
                                           .value = mean.mean,
                                           .stderr_ = mean.stderr_,
                                           .n = n,
                                           .higher_is_better = metrics[m].higher_is_better });
    }
    return status;
}

static cull_status columns(cull_ctx *ctx, cull_report *out, const char *task, size_t n,
                           const double *kl, const double *top1)
{
    cull_column c = {
        .size = sizeof(cull_column), .task = task, .dims = { "window" }, .shape = { n }, .type = 'd'
    };
    c.name = "kl";
    c.unit = "nat";
    c.doc = "mean KL(dense || variant) over the window's targets";
    c.data = kl;
    const cull_status status = out->column(ctx, out, &c);
    if (status != CULL_OK)
        return status;
    c.name = "top1_agreement";
    c.unit = NULL;
    c.doc = "share of the window's targets at which both have the same arg-max";
    c.data = top1;
    return out->column(ctx, out, &c);
}

static cull_status score(cull_ctx *ctx, const void *settings, const cull_requests *requests,
                         const cull_answer *answers, cull_report *out)
{
    (void)settings;
    const windows *w = requests->state;
    double *kl = ctx->host->alloc(ctx, requests->n, sizeof *kl),
           *top1 = ctx->host->alloc(ctx, requests->n, sizeof *top1);
    if (!kl || !top1)
        return CULL_ENOMEM;
    for (size_t i = 0; i < requests->n; i++) {
        kl[i] = cull_answer_at(answers, i)->kl / (double)requests->at[i].scored;
        top1[i] = (double)cull_answer_at(answers, i)->top1 / (double)requests->at[i].scored;
    }
    cull_status status = CULL_OK;
    for (size_t f = 0; status == CULL_OK && f < w->n; f++) {
        const windows_of *of = &w->file[f];
        status = report(ctx, out, of->name, of->n, kl + of->first, top1 + of->first);
        if (status == CULL_OK)
            status = columns(ctx, out, of->name, of->n, kl + of->first, top1 + of->first);
        if (status == CULL_OK)
            status = windows_attributes(ctx, w, of->name, out);
    }
    if (status == CULL_OK && w->n > 1)
        status = report(ctx, out, "pooled", requests->n, kl, top1);
    return status;
}

static const cull_metric divergence = { .size = sizeof divergence,
                                        .prepare = prepare,
                                        .score = score };

CULL_PLUGIN(
    METRIC, divergence, "1.0",
    "KL divergence from the dense model and agreement of the likeliest token, on text",
    .doc =
        "Over disjoint windows of the files, at every target: KL(dense || variant) of the next "
        "token's distribution in nats, and whether both models' likeliest token is the same. Each "
        "file is a task; \"pooled\" is over all windows. The dense model is run along once for "
        "all variants.",
    .cite = "S. Kullback, R. Leibler, On Information and Sufficiency, 1951; used for compressed "
            "language models by A. Dutta et al., Accuracy is Not All You Need, NeurIPS 2024.",
    CULL_SETTINGS(params, struct settings));
