// Values, columns and identities, as every kind of task reports them.
#include "common/lm_eval/scoring_state.h"

#include <stdio.h>
#include <string.h>

#include "common/python/sha256.h"

cull_status scoring_value(cull_ctx *ctx, cull_report *out, const char *name, const char *metric,
                          const char *filter, summary of, int higher_is_better)
{
    return out->value(ctx, out,
                      &(cull_value){ .size = sizeof(cull_value),
                                     .task = name,
                                     .metric = metric,
                                     .filter = filter,
                                     .value = of.mean,
                                     .stderr_ = of.stderr_,
                                     .n = of.n,
                                     .higher_is_better = higher_is_better });
}

cull_status scoring_mean_value(cull_ctx *ctx, cull_report *out, const char *name, task_mean mean,
                               task_means *means)
{
    means->at[means->n++] = mean;
    return scoring_value(ctx, out, name, mean.metric, mean.filter, mean.of, mean.higher_is_better);
}

cull_status scoring_columns(cull_ctx *ctx, cull_report *out, const task *t, size_t n,
                            const scoring_column *columns)
{
    cull_status status = CULL_OK;

    for (size_t i = 0; status == CULL_OK && i < n; i++) {
        const scoring_column *c = &columns[i];
        if (!c->data)
            continue;
        status = out->column(ctx, out,
                             &(cull_column){ .size = sizeof(cull_column),
                                             .task = t->name,
                                             .name = c->name,
                                             .unit = c->unit,
                                             .doc = c->doc,
                                             .dims = { "doc", c->dim, NULL },
                                             .shape = { t->n, c->dim ? c->width : 0, 0 },
                                             .type = c->type,
                                             .data = c->data });
    }
    return status;
}

static cull_status hash_prompt(cull_ctx *ctx, const task *t, const document *d, const char **out)
{
    const span prompt = t->kind == TASK_ROLLING ? d->continuation[0] : d->context[0];
    char *hex = ctx->host->alloc(ctx, 65, 1);

    if (!hex)
        return CULL_ENOMEM;
    sha256_of(prompt.s, prompt.n, hex);
    *out = hex;
    return CULL_OK;
}

cull_status scoring_identity(cull_ctx *ctx, cull_report *out, const scored_task *of)
{
    const task *t = &of->task;
    static const char *const names[3] = { "doc_hash", "prompt_hash", "cluster" };
    static const char *const docs[3] = { "hash of the document, lm-eval's or the request file's",
                                         "SHA-256 of the first context",
                                         "documents of one cluster are not independent" };
    const char **text[3];
    bool any[3] = { false };

    for (size_t i = 0; i < 3; i++)
        if (!(text[i] = ctx->host->alloc(ctx, t->n, sizeof *text[i])))
            return CULL_ENOMEM;
    for (size_t d = 0; d < t->n; d++) {
        const document *doc = &t->document[d];
        const char *have[3] = { doc->doc_hash, doc->prompt_hash, doc->cluster };
        if (!have[1] && hash_prompt(ctx, t, doc, &have[1]) != CULL_OK)
            return CULL_ENOMEM;
        for (size_t i = 0; i < 3; i++) {
            text[i][d] = have[i] ? have[i] : "";
            any[i] |= have[i] != NULL;
        }
    }
    scoring_column columns[4];
    for (size_t i = 0; i < 3; i++)
        columns[i] = (scoring_column){
            .name = names[i], .doc = docs[i], .type = 's', .data = any[i] ? text[i] : NULL
        };
    columns[3] = (scoring_column){ .name = "truncated",
                                   .doc = "1: a context lost ids on the left, to fit the length",
                                   .type = 'b',
                                   .data = of->truncated };
    return scoring_columns(ctx, out, t, 4, columns);
}
