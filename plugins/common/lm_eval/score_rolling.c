// How likely a text is, per word and per byte of the document. lm_eval/api/metrics.py,
// weighted_perplexity and bits_per_byte.
#include "common/lm_eval/scoring_state.h"

#include <math.h>

cull_status score_rolling(cull_ctx *ctx, const scored_task *t, const cull_requests *requests,
                          const cull_answer *answers, cull_report *out, task_means *means)
{
    const size_t n = t->task.n;
    double *loglik = ctx->host->alloc(ctx, n, sizeof *loglik);
    int64_t *words = ctx->host->alloc(ctx, n, sizeof *words),
            *bytes = ctx->host->alloc(ctx, n, sizeof *bytes),
            *tokens = ctx->host->alloc(ctx, n, sizeof *tokens);
    double all = 0, all_words = 0, all_bytes = 0;

    if (!loglik || !words || !bytes || !tokens)
        return CULL_ENOMEM;
    for (size_t d = 0; d < n; d++) {
        for (size_t i = t->first[d]; i < t->first[d + 1]; i++) {
            loglik[d] += cull_answer_at(answers, i)->ll;
            tokens[d] += (int64_t)requests->at[i].scored;
        }
        words[d] = t->task.document[d].words;
        bytes[d] = t->task.document[d].bytes;
        all += loglik[d];
        all_words += (double)words[d];
        all_bytes += (double)bytes[d];
    }
    (void)means;
    const char *const names[] = { "word_perplexity", "byte_perplexity", "bits_per_byte" };
    const double values[] = { perplexity_of(-all / all_words), perplexity_of(-all / all_bytes),
                              -all / all_bytes / log(2.0) };
    cull_status status = CULL_OK;
    for (size_t m = 0; status == CULL_OK && m < 3; m++)
        status = scoring_value(ctx, out, t->task.name, names[m], "none",
                               (summary){ values[m], NAN, n }, 0);
    const scoring_column columns[] = {
        { "loglik", "nat", "log-likelihood of the document", NULL, 0, 'd', loglik },
        { "words", "words", "of the document before any detokeniser", NULL, 0, 'i', words },
        { "bytes", "bytes", "of the document before any detokeniser", NULL, 0, 'i', bytes },
        { "tokens", "tokens", "scored", NULL, 0, 'i', tokens },
    };
    return status == CULL_OK ? scoring_columns(ctx, out, &t->task, 4, columns) : status;
}
