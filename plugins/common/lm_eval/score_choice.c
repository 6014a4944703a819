// Choices: which continuation is likeliest. lm_eval/api/task.py, ConfigurableTask.process_results.
#include "common/lm_eval/scoring_state.h"

#include <math.h>

typedef struct scored { // of one task; (n) a document, (n, C) a choice
    size_t n, C;
    double *loglik, *by_chars,
        *by_bytes;   // (n, C) log-likelihood, and divided by the choice's length
    uint8_t *greedy; // (n, C) 255: no such choice
    int64_t *cont_tokens, *len_chars, *len_bytes; // (n, C) −1: no such choice
    int64_t *gold, *pred;                         // (n)
    double *acc, *acc_norm, *acc_bytes;           // (n)
    double *mean;                                 // (n) log-likelihood over the choices
} scored;

static cull_status scored_new(cull_ctx *ctx, const task *t, scored *s)
{
    void *(*alloc)(cull_ctx *, size_t, size_t) = ctx->host->alloc;
    *s = (scored){ .n = t->n };
    for (size_t d = 0; d < t->n; d++)
        if (t->document[d].n > s->C)
            s->C = t->document[d].n;
    const size_t n = s->n, all = s->n * s->C;
    double **const reals[] = { &s->loglik,   &s->by_chars,  &s->by_bytes, &s->acc,
                               &s->acc_norm, &s->acc_bytes, &s->mean };
    int64_t **const integers[] = { &s->cont_tokens, &s->len_chars, &s->len_bytes, &s->gold,
                                   &s->pred };
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        if (!(*reals[i] = alloc(ctx, i < 3 ? all : n, sizeof **reals[i])))
            return CULL_ENOMEM;
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
        if (!(*integers[i] = alloc(ctx, i < 3 ? all : n, sizeof **integers[i])))
            return CULL_ENOMEM;
    s->greedy = alloc(ctx, all, 1);
    return s->greedy ? CULL_OK : CULL_ENOMEM;
}

// Log-likelihood per unit of length; a choice without length never wins (numpy: ll / 0 = −∞).
static double per_unit(double ll, const int64_t *length, size_t c)
{
    return length && length[c] > 0 ? ll / (double)length[c] : -INFINITY;
}

static void fill_choice(scored *s, size_t d, size_t c, const document *doc,
                        const cull_request *request, const cull_answer *answer)
{
    const size_t at = d * s->C + c;

    s->loglik[at] = answer->ll;
    s->by_chars[at] = per_unit(answer->ll, doc->len_chars, c);
    s->by_bytes[at] = per_unit(answer->ll, doc->len_bytes, c);
    s->greedy[at] = answer->greedy;
    s->cont_tokens[at] = (int64_t)request->scored;
    s->len_chars[at] = doc->len_chars ? doc->len_chars[c] : -1;
    s->len_bytes[at] = doc->len_bytes ? doc->len_bytes[c] : -1;
}

static void no_choice(scored *s, size_t at)
{
    s->loglik[at] = s->by_chars[at] = s->by_bytes[at] = NAN;
    s->greedy[at] = 255;
    s->cont_tokens[at] = s->len_chars[at] = s->len_bytes[at] = -1;
}

// The first of the largest.
static size_t best(const double *x, size_t n)
{
    size_t first = 0;

    for (size_t i = 1; i < n; i++)
        if (x[i] > x[first])
            first = i;
    return first;
}

static double right(const document *doc, size_t choice)
{
    for (size_t i = 0; i < doc->n_gold; i++)
        if (doc->gold[i] == (int64_t)choice)
            return 1;
    return 0;
}

static void decide(scored *s, size_t d, const document *doc, bool exact)
{
    const size_t at = d * s->C;
    const size_t pred = best(s->loglik + at, doc->n);

    s->pred[d] = (int64_t)pred;
    s->gold[d] = doc->n_gold ? doc->gold[0] : -1;
    s->acc[d] = exact ? s->greedy[at] : right(doc, pred);
    s->acc_norm[d] = right(doc, best(s->by_chars + at, doc->n));
    s->acc_bytes[d] = right(doc, best(s->by_bytes + at, doc->n));
}

// What others score still has a value by which models can be told apart.
static cull_status report_likelihood(cull_ctx *ctx, const task *t, const scored *s,
                                     cull_report *out, task_means *means)
{
    for (size_t d = 0; d < s->n; d++)
        for (size_t c = 0; c < t->document[d].n; c++)
            s->mean[d] += s->loglik[d * s->C + c] / (double)t->document[d].n;
    return scoring_mean_value(ctx, out, t->name,
                              (task_mean){ "loglikelihood", "none", summary_of(s->n, s->mean), 1 },
                              means);
}

static cull_status report_means(cull_ctx *ctx, const task *t, const scored *s, cull_report *out,
                                task_means *means)
{
    const struct {
        uint32_t bit;
        const char *name;
        const double *outcome;
    } known[TASK_MOST_METRICS] = { { TASK_ACC | TASK_EXACT, "acc", s->acc },
                                   { TASK_ACC_NORM, "acc_norm", s->acc_norm },
                                   { TASK_ACC_BYTES, "acc_bytes", s->acc_bytes } };
    cull_status status = CULL_OK;
    if (!t->metrics)
        return report_likelihood(ctx, t, s, out, means);
    for (size_t m = 0; status == CULL_OK && m < TASK_MOST_METRICS; m++)
        if (t->metrics & known[m].bit)
            status = scoring_mean_value(
                ctx, out, t->name,
                (task_mean){ known[m].name, "none", summary_of(s->n, known[m].outcome), 1 }, means);
    if (status != CULL_OK || !(t->metrics & TASK_SURPRISE))
        return status;
    const summary ll = summary_of(s->n, s->loglik);
    return scoring_value(
        ctx, out, t->name, "perplexity", "none",
        (summary){ perplexity_of(-ll.mean), perplexity_of(-ll.mean) * ll.stderr_, ll.n }, 0);
}

static cull_status report_columns(cull_ctx *ctx, const task *t, const scored *s, cull_report *out)
{
    const size_t C = s->C;
    const bool any = t->metrics, chosen = any && !(t->metrics & (TASK_EXACT | TASK_SURPRISE)),
               norm = t->metrics & TASK_ACC_NORM, bytes = t->metrics & TASK_ACC_BYTES;
    const scoring_column columns[] = {
        { "loglik", "nat", "log-likelihood of the continuation", "choice", C, 'd', s->loglik },
        { "greedy", NULL, "1: greedy decoding writes the continuation; 255: no such choice",
          "choice", C, 'b', s->greedy },
        { "cont_tokens", "tokens", "scored tokens; -1: no such choice", "choice", C, 'i',
          s->cont_tokens },
        { "len_chars", "code points", "length that acc_norm divides by", "choice", C, 'i',
          norm ? s->len_chars : NULL },
        { "len_bytes", "bytes", "length that acc_bytes divides by", "choice", C, 'i',
          bytes ? s->len_bytes : NULL },
        { "gold", NULL, "the right choice", NULL, 0, 'i', chosen ? s->gold : NULL },
        { "pred", NULL, "the likeliest choice, the first of equals", NULL, 0, 'i',
          chosen ? s->pred : NULL },
        { "acc", NULL, "1: right", NULL, 0, 'd', any ? s->acc : NULL },
        { "acc_norm", NULL, "1: right per code point", NULL, 0, 'd', norm ? s->acc_norm : NULL },
        { "acc_bytes", NULL, "1: right per byte", NULL, 0, 'd', bytes ? s->acc_bytes : NULL },
        { "loglikelihood", "nat", "mean of loglik over the choices", NULL, 0, 'd',
          any ? NULL : s->mean },
    };

    return scoring_columns(ctx, out, t, sizeof columns / sizeof *columns, columns);
}

cull_status score_choice(cull_ctx *ctx, const scored_task *t, const cull_requests *requests,
                         const cull_answer *answers, cull_report *out, task_means *means)
{
    scored s;
    cull_status status = scored_new(ctx, &t->task, &s);

    if (status != CULL_OK)
        return status;
    for (size_t d = 0; d < s.n; d++) {
        const document *doc = &t->task.document[d];
        for (size_t c = 0; c < s.C; c++) {
            const size_t i = t->first[d] + c;
            if (c < doc->n)
                fill_choice(&s, d, c, doc, &requests->at[i], cull_answer_at(answers, i));
            else
                no_choice(&s, d * s.C + c);
        }
        decide(&s, d, doc, t->task.metrics & (TASK_EXACT | TASK_SURPRISE));
    }
    status = report_means(ctx, &t->task, &s, out, means);
    return status == CULL_OK ? report_columns(ctx, &t->task, &s, out) : status;
}
