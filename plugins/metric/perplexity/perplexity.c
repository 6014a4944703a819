// Perplexity of running text: disjoint windows as the pruning papers have it, or rolling.
#include <cull/cull.h>

#include <math.h>
#include <string.h>

#include "common/lm_eval/scoring.h"
#include "common/lm_eval/summary.h"
#include "common/text/windows.h"

enum way { DISJOINT, ROLLING };
static const char *const ways[] = { "disjoint", "rolling", NULL };

struct settings {
    cull_texts files;
    int64_t seqlen, rows_per_file, bos, documents, first, windows;
    const char *field, *join;
};

static const cull_param params[] = {
    WINDOWS_PARAMS(struct settings),
    CULL_P_CHOICE(
        struct settings, windows, DISJOINT, ways,
        "windows that stand side by side, or every token with as much context as lm-eval's "
        "rolling log-likelihood gives it (seqlen is then the longest input)"),
};

static cull_status check(cull_ctx *ctx, const void *settings)
{
    const struct settings *set = settings;
    const windows_wanted want = WINDOWS_WANTED(set, 0);

    if (set->windows != ROLLING)
        return windows_check(ctx, &want);
    if (set->documents == WINDOWS_IDS)
        return ctx->host->fail(ctx, CULL_EINVAL, "rolling windows are of texts: no documents: ids");
    if (set->bos == TEXT_BOS_ROW)
        return ctx->host->fail(ctx, CULL_EINVAL,
                               "rolling windows take bos: once or none, since they have no rows");
    if (set->rows_per_file)
        return ctx->host->fail(ctx, CULL_EINVAL,
                               "rolling windows cover all of a text: no rows_per_file");
    return CULL_OK;
}

// ---- rolling ----

static cull_status rolling_task(cull_ctx *ctx, const text_file *file, task *out)
{
    document *doc = ctx->host->alloc(ctx, file->n, sizeof *doc);

    if (!doc)
        return CULL_ENOMEM;
    for (size_t d = 0; d < file->n; d++)
        doc[d] = (document){ .place = file->path,
                             .n = 1,
                             .context = &file->document[d],
                             .continuation = &file->document[d],
                             .words = (int64_t)py_words(file->document[d]),
                             .bytes = (int64_t)file->document[d].n };
    *out = (task){ .name = file->name, .kind = TASK_ROLLING, .n = file->n, .document = doc };
    return CULL_OK;
}

static cull_status prepare_rolling(cull_ctx *ctx, const struct settings *set, const cull_text *text,
                                   const text_reading *reading, cull_requests *out)
{
    lm_encoder lm;
    text_file *file;
    const int64_t bos = set->bos == TEXT_BOS_ONCE ? LM_BOS_PROTOCOL : LM_BOS_NONE;
    cull_status status = lm_encoder_init(ctx, text, LM_EVAL_0_4_13, bos, set->seqlen, &lm);

    if (status == CULL_OK)
        status = text_files_read(ctx, set->files, reading, &file);
    if (status != CULL_OK)
        return status;
    task *tasks = ctx->host->alloc(ctx, set->files.n + 1, sizeof *tasks);
    if (!tasks)
        return CULL_ENOMEM;
    for (size_t f = 0; status == CULL_OK && f < set->files.n; f++)
        status = rolling_task(ctx, &file[f], &tasks[f]);
    if (status != CULL_OK)
        return status;
    return scoring_prepare(ctx, &lm, &(task_list){ .n = set->files.n, .task = tasks }, out);
}

// ---- disjoint windows ----

static cull_status prepare(cull_ctx *ctx, const void *settings, const cull_text *text,
                           cull_requests *out)
{
    const struct settings *set = settings;
    const windows_wanted want = WINDOWS_WANTED(set, 0);

    return set->windows == ROLLING ? prepare_rolling(ctx, set, text, &want.reading, out)
                                   : windows_prepare(ctx, text, &want, out);
}

// exp of the mean over windows; its error by the delta method from the windows' spread.
static cull_status report(cull_ctx *ctx, cull_report *out, const char *task_name, size_t n,
                          const double *mean_nll)
{
    const summary nll = summary_of(n, mean_nll);

    return out->value(ctx, out,
                      &(cull_value){ .size = sizeof(cull_value),
                                     .task = task_name,
                                     .metric = "perplexity",
                                     .filter = "none",
                                     .value = perplexity_of(nll.mean),
                                     .stderr_ = perplexity_of(nll.mean) * nll.stderr_,
                                     .n = n });
}

static cull_status columns(cull_ctx *ctx, cull_report *out, const char *task_name, size_t n,
                           const double *nll, const int64_t *tokens)
{
    cull_column c = { .size = sizeof(cull_column),
                      .task = task_name,
                      .dims = { "window" },
                      .shape = { n },
                      .type = 'd' };

    c.name = "nll";
    c.unit = "nat";
    c.doc = "sum of -log p over the window's targets";
    c.data = nll;
    const cull_status status = out->column(ctx, out, &c);
    if (status != CULL_OK)
        return status;
    c.name = "tokens";
    c.unit = "tokens";
    c.doc = "the window's targets";
    c.type = 'i';
    c.data = tokens;
    return out->column(ctx, out, &c);
}

static cull_status score(cull_ctx *ctx, const void *settings, const cull_requests *requests,
                         const cull_answer *answers, cull_report *out)
{
    const struct settings *set = settings;

    if (set->windows == ROLLING)
        return scoring_report(ctx, requests, answers, out);
    const windows *w = requests->state;
    const size_t n = requests->n;
    double *nll = ctx->host->alloc(ctx, n, sizeof *nll),
           *mean = ctx->host->alloc(ctx, n, sizeof *mean);
    int64_t *tokens = ctx->host->alloc(ctx, n, sizeof *tokens);
    if (!nll || !mean || !tokens)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        nll[i] = -cull_answer_at(answers, i)->ll;
        tokens[i] = (int64_t)requests->at[i].scored;
        mean[i] = nll[i] / (double)tokens[i];
    }
    cull_status status = CULL_OK;
    for (size_t f = 0; status == CULL_OK && f < w->n; f++) {
        const windows_of *of = &w->file[f];
        status = report(ctx, out, of->name, of->n, mean + of->first);
        if (status == CULL_OK)
            status = columns(ctx, out, of->name, of->n, nll + of->first, tokens + of->first);
        if (status == CULL_OK)
            status = windows_attributes(ctx, w, of->name, out);
    }
    return status == CULL_OK && w->n > 1 ? report(ctx, out, "pooled", n, mean) : status;
}

static const cull_metric perplexity = {
    .size = sizeof perplexity, .prepare = prepare, .score = score, .check = check
};

CULL_PLUGIN(
    METRIC, perplexity, "1.0",
    "perplexity of texts, in disjoint windows or rolling, or of rows of ids",
    .doc =
        "Each file is a task, \"pooled\" is over all windows; `documents: ids` is for models whose "
        "tokenizer "
        "cannot be read, and for windows that other programs have made. Disjoint windows of "
        "`seqlen` ids "
        "are fed alone and scored on their seqlen - 1 inner targets; perplexity = exp(mean over "
        "targets). `bos: once` is the manner of Wanda and SparseGPT: one tokenizer call for the "
        "whole text. Their WikiText-2 is the test rows joined by two newlines (a jsonl file with "
        "`join: \"\\n\\n\"`), their C4 `{first: 1100, join: \" \", rows_per_file: 256}` of "
        "validation shard 0, both with seqlen 2048. `windows: rolling` is lm-evaluation-harness's "
        "loglikelihood_rolling and yields word_perplexity, byte_perplexity and bits_per_byte per "
        "document.",
    .cite = "M. Sun et al., A Simple and Effective Pruning Approach for Large Language Models "
            "(Wanda), ICLR 2024, lib/eval.py; E. Frantar, D. Alistarh, SparseGPT, ICML 2023; L. "
            "Gao et al., lm-evaluation-harness 0.4.13, lm_eval/utils.py get_rolling_token_windows.",
    CULL_SETTINGS(params, struct settings));
