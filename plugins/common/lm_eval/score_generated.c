// Generated answers: what each filter makes of a text, and whether that is the target.
// lm_eval/filters/extraction.py and lm_eval/api/metrics.py, exact_match.
#include "common/lm_eval/scoring_state.h"

#include "common/python/regex.h"

typedef struct cleaner {
    size_t n;
    regex **ignore; // (n)
    bool ignore_case;
} cleaner;

static void cleaner_free(cleaner *c)
{
    for (size_t i = 0; i < c->n; i++)
        regex_free(c->ignore[i]);
}

static cull_status cleaner_new(cull_ctx *ctx, const task *t, cleaner *out)
{
    const answer_cleaning *how = &t->cleaning;

    *out = (cleaner){ .ignore_case = how->ignore_case };
    out->ignore = ctx->host->alloc(ctx, how->n_ignore + 1, sizeof *out->ignore);
    if (!out->ignore)
        return CULL_ENOMEM;
    for (; out->n < how->n_ignore; out->n++) {
        const cull_status status =
            regex_new(ctx, t->name, how->ignore[out->n], &out->ignore[out->n]);
        if (status != CULL_OK) {
            cleaner_free(out);
            return status;
        }
    }
    return CULL_OK;
}

static cull_status clean(cull_ctx *ctx, const cleaner *c, span text, span *out)
{
    cull_status status = CULL_OK;

    *out = text;
    for (size_t i = 0; status == CULL_OK && i < c->n; i++)
        status = regex_replace(ctx, c->ignore[i], *out, "", out);
    return status == CULL_OK && c->ignore_case ? py_lower(ctx, *out, out) : status;
}

// Does `ignore` leave nothing of one of the document's right answers?
static cull_status is_emptied(cull_ctx *ctx, const cleaner *c, const document *d, bool *emptied)
{
    const span *targets = d->n_targets ? d->targets : &d->target;
    cull_status status = CULL_OK;

    for (size_t i = 0; status == CULL_OK && i < (d->n_targets ? d->n_targets : 1); i++) {
        span target;
        status = clean(ctx, c, targets[i], &target);
        *emptied |= status == CULL_OK && targets[i].n > 0 && target.n == 0;
    }
    return status;
}

cull_status scoring_warn_of_emptied(cull_ctx *ctx, const task *t)
{
    cull_status status = CULL_OK;
    size_t n = 0;
    cleaner c;

    if (t->kind != TASK_GENERATE || t->cleaning.n_ignore == 0)
        return CULL_OK;
    CULL_TRY(cleaner_new(ctx, t, &c));
    for (size_t d = 0; status == CULL_OK && d < t->n; d++) {
        bool emptied = false;
        status = is_emptied(ctx, &c, &t->document[d], &emptied);
        n += emptied;
    }
    cleaner_free(&c);
    if (status == CULL_OK && n > 0)
        ctx->host->log(ctx, CULL_WARN,
                       "task %s: `ignore` leaves nothing of the right answers of %zu of %zu "
                       "documents: whatever it leaves nothing of is right there",
                       t->name, n, t->n);
    return status;
}

static cull_status extract(cull_ctx *ctx, const answer_filter *f, const regex *pattern, span text,
                           span *out, size_t *n_found)
{
    bool found = true;

    *out = text;
    if (!pattern)
        return CULL_OK;
    const cull_status status = regex_find(ctx, pattern, text, f->select, &found, out);
    *out = found ? py_strip(*out) : span_of(f->fallback);
    *n_found += found;
    return status;
}

typedef struct outcome { // of one task, (n, filters) but for text, target, tokens and cut
    double *exact, *tokens, *cut;
    const char **extracted, **text, **target;
} outcome;

// Is the cleaned answer any of the document's targets, cleaned?
static cull_status compare(cull_ctx *ctx, const cleaner *c, span answer, const document *d,
                           double *equal)
{
    const span *targets = d->n_targets ? d->targets : &d->target;
    cull_status status = CULL_OK;

    *equal = 0;
    for (size_t i = 0; status == CULL_OK && i < (d->n_targets ? d->n_targets : 1); i++) {
        span target;
        status = clean(ctx, c, targets[i], &target);
        if (status == CULL_OK && span_equal(answer, target))
            *equal = 1;
    }
    return status;
}

static cull_status score_filter(cull_ctx *ctx, const scored_task *t, size_t f, const cleaner *c,
                                const cull_answer *answers, outcome *o)
{
    const task *k = &t->task;
    regex *pattern = NULL;
    cull_status status = CULL_OK;
    size_t n_found = 0;

    if (k->filter[f].pattern)
        status = regex_new(ctx, k->name, k->filter[f].pattern, &pattern);
    for (size_t d = 0; status == CULL_OK && d < k->n; d++) {
        const cull_answer *a = cull_answer_at(answers, t->first[d]);
        const size_t at = d * k->n_filters + f;
        span answer = { a->text ? a->text : "", a->text ? a->text_len : 0 }, copy;
        status = extract(ctx, &k->filter[f], pattern, answer, &answer, &n_found);
        if (status == CULL_OK)
            status = span_copy(ctx, answer, &copy);
        if (status != CULL_OK)
            break;
        o->extracted[at] = copy.s;
        status = clean(ctx, c, answer, &answer);
        if (status == CULL_OK)
            status = compare(ctx, c, answer, &k->document[d], &o->exact[at]);
    }
    if (status == CULL_OK && pattern && n_found == 0)
        ctx->host->log(ctx, CULL_WARN, "task %s: filter %s finds nothing in any of %zu answers",
                       k->name, k->filter[f].name, k->n);
    regex_free(pattern);
    return status;
}

static cull_status report_matches(cull_ctx *ctx, const task *t, const outcome *o, cull_report *out,
                                  task_means *means)
{
    double *one = ctx->host->alloc(ctx, t->n, sizeof *one);
    cull_status status = one ? CULL_OK : CULL_ENOMEM;

    for (size_t f = 0; status == CULL_OK && f < t->n_filters; f++) {
        for (size_t d = 0; d < t->n; d++)
            one[d] = o->exact[d * t->n_filters + f];
        status = scoring_mean_value(
            ctx, out, t->name,
            (task_mean){ "exact_match", t->filter[f].name, summary_of(t->n, one), 1 }, means);
    }
    return status;
}

static cull_status report(cull_ctx *ctx, const task *t, const outcome *o, cull_report *out,
                          task_means *means)
{
    const bool match = t->metrics & TASK_MATCH;
    const size_t F = t->n_filters;
    cull_status status = match ? report_matches(ctx, t, o, out, means)
                               : scoring_value(ctx, out, t->name, "answer_tokens", "none",
                                               summary_of(t->n, o->tokens),
                                               0); // for others to score

    if (status == CULL_OK)
        status = scoring_mean_value(
            ctx, out, t->name,
            (task_mean){ SCORING_LENGTH_CUT, "none", summary_of(t->n, o->cut), 0 }, means);
    const scoring_column columns[] = {
        { "exact_match", NULL, "1: the filtered answer is the target", "filter", F, 'd',
          match ? o->exact : NULL },
        { "answer_tokens", "tokens", "of what the model wrote", NULL, 0, 'd',
          match ? NULL : o->tokens },
        { SCORING_LENGTH_CUT, NULL, "1: the answer ended because it had all the ids it might have",
          NULL, 0, 'd', o->cut },
        { "extracted", NULL, "the filtered answer", "filter", F, 's', o->extracted },
        { "text", NULL, "what the model wrote, cut at the stop", NULL, 0, 's', o->text },
        { "target", NULL, "the reference before cleaning", NULL, 0, 's', o->target },
    };
    return status == CULL_OK
               ? scoring_columns(ctx, out, t, sizeof columns / sizeof *columns, columns)
               : status;
}

static cull_status outcome_new(cull_ctx *ctx, const scored_task *t, const cull_answer *answers,
                               outcome *o)
{
    const size_t n = t->task.n, all = n * t->task.n_filters;

    *o = (outcome){ .exact = ctx->host->alloc(ctx, all, sizeof *o->exact),
                    .tokens = ctx->host->alloc(ctx, n, sizeof *o->tokens),
                    .cut = ctx->host->alloc(ctx, n, sizeof *o->cut),
                    .extracted = ctx->host->alloc(ctx, all, sizeof *o->extracted),
                    .text = ctx->host->alloc(ctx, n, sizeof *o->text),
                    .target = ctx->host->alloc(ctx, n, sizeof *o->target) };
    if (!o->exact || !o->tokens || !o->cut || !o->extracted || !o->text || !o->target)
        return CULL_ENOMEM;
    for (size_t d = 0; d < n; d++) {
        const cull_answer *a = cull_answer_at(answers, t->first[d]);
        span text;
        const span answer = { a->text ? a->text : "", a->text ? a->text_len : 0 };
        if (span_copy(ctx, answer, &text) != CULL_OK)
            return CULL_ENOMEM;
        o->text[d] = text.s;
        o->tokens[d] = (double)a->n;
        o->cut[d] = a->ended == CULL_ENDED_LENGTH;
        o->target[d] = t->task.document[d].target.s;
    }
    return CULL_OK;
}

cull_status score_generated(cull_ctx *ctx, const scored_task *t, const cull_requests *requests,
                            const cull_answer *answers, cull_report *out, task_means *means)
{
    (void)requests;
    outcome o;
    cleaner c;
    cull_status status = outcome_new(ctx, t, answers, &o);
    if (status == CULL_OK)
        status = cleaner_new(ctx, &t->task, &c);
    if (status != CULL_OK)
        return status;
    for (size_t f = 0; status == CULL_OK && f < t->task.n_filters; f++)
        status = score_filter(ctx, t, f, &c, answers, &o);
    cleaner_free(&c);
    return status == CULL_OK ? report(ctx, &t->task, &o, out, means) : status;
}
