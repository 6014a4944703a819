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
    const windows_wanted want =
        WINDOWS_WANTED(set, CULL_WANT_KL | CULL_WANT_TOP1 | CULL_WANT_OVERLAP);

    return windows_prepare(ctx, text, &want, out);
}

// What is reported, of each window the mean over its targets.
enum { KL, TOP1, OVERLAP, FIGURES };

static const struct {
    const char *name, *unit, *doc;
    int higher_is_better;
} figures[FIGURES] = {
    [KL] = { "kl", "nat", "mean KL(dense || variant) over the window's targets", 0 },
    [TOP1] = { "top1_agreement", NULL,
               "share of the window's targets at which both have the same arg-max", 1 },
    [OVERLAP] = { "overlap", NULL,
                  "mean over the window's targets of the mass that both distributions share", 1 },
};

static cull_status report(cull_ctx *ctx, cull_report *out, const char *task, size_t n, size_t m,
                          const double *of)
{
    const summary mean = summary_of(n, of);

    return out->value(ctx, out,
                      &(cull_value){ .size = sizeof(cull_value),
                                     .task = task,
                                     .metric = figures[m].name,
                                     .filter = "none",
                                     .value = mean.mean,
                                     .stderr_ = mean.stderr_,
                                     .n = n,
                                     .higher_is_better = figures[m].higher_is_better });
}

static cull_status column(cull_ctx *ctx, cull_report *out, const char *task, size_t n, size_t m,
                          const double *of)
{
    return out->column(ctx, out,
                       &(cull_column){ .size = sizeof(cull_column),
                                       .task = task,
                                       .name = figures[m].name,
                                       .unit = figures[m].unit,
                                       .doc = figures[m].doc,
                                       .dims = { "window" },
                                       .shape = { n },
                                       .type = 'd',
                                       .data = of });
}

static cull_status report_file(cull_ctx *ctx, cull_report *out, const windows *w,
                               const windows_of *file, double *const *each)
{
    for (size_t m = 0; m < FIGURES; m++) {
        cull_status status = report(ctx, out, file->name, file->n, m, each[m] + file->first);
        if (status == CULL_OK)
            status = column(ctx, out, file->name, file->n, m, each[m] + file->first);
        if (status != CULL_OK)
            return status;
    }
    return windows_attributes(ctx, w, file->name, out);
}

static cull_status score(cull_ctx *ctx, const void *settings, const cull_requests *requests,
                         const cull_answer *answers, cull_report *out)
{
    (void)settings;
    const windows *w = requests->state;
    double *each[FIGURES];
    for (size_t m = 0; m < FIGURES; m++)
        if (!(each[m] = ctx->host->alloc(ctx, requests->n, sizeof *each[m])))
            return CULL_ENOMEM;
    for (size_t i = 0; i < requests->n; i++) {
        const cull_answer *answer = cull_answer_at(answers, i);
        const double scored = (double)requests->at[i].scored;
        each[KL][i] = answer->kl / scored;
        each[TOP1][i] = (double)answer->top1 / scored;
        each[OVERLAP][i] = answer->overlap / scored;
    }
    cull_status status = CULL_OK;
    for (size_t f = 0; status == CULL_OK && f < w->n; f++)
        status = report_file(ctx, out, w, &w->file[f], each);
    for (size_t m = 0; status == CULL_OK && w->n > 1 && m < FIGURES; m++)
        status = report(ctx, out, "pooled", requests->n, m, each[m]);
    return status;
}

static cull_status check(cull_ctx *ctx, const void *settings)
{
    const struct settings *set = settings;
    const windows_wanted want = WINDOWS_WANTED(set, 0);

    return windows_check(ctx, &want);
}

static const cull_metric divergence = {
    .size = sizeof divergence, .prepare = prepare, .score = score, .check = check
};

CULL_PLUGIN(
    METRIC, divergence, "1.1",
    "KL divergence from the dense model, agreement of the likeliest token, and overlap, on text",
    .doc =
        "Over disjoint windows of the files, at every target: KL(dense || variant) of the next "
        "token's distribution in nats, whether both models' likeliest token is the same, and the "
        "probability mass that both distributions share, the sum over the vocabulary of min(dense, "
        "variant), which is 1 minus their total variation (EvoESAP's expected acceptance: how "
        "often speculative sampling would take a token that the variant drafts). Each file is a "
        "task; \"pooled\" is over all windows. A value is the mean over windows of the mean over a "
        "window's targets: with documents: ids short windows weigh as much as long ones. The "
        "dense model is run along once for all variants.",
    .cite = "S. Kullback, R. Leibler, On Information and Sufficiency, 1951; used for compressed "
            "language models by A. Dutta et al., Accuracy is Not All You Need, NeurIPS 2024. "
            "Overlap: EvoESAP (arXiv 2603.06003).",
    CULL_SETTINGS(params, struct settings));
