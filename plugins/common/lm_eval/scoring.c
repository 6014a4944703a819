// Documents asked and scored as lm-eval does.
#include "common/lm_eval/scoring_state.h"

#include <stdio.h>
#include <string.h>

#include "common/python/sha256.h"
#include "common/text/two_bos.h"

// ---- prepare ----

// The requests of one document, in new memory.
static cull_status ask(cull_ctx *ctx, const lm_encoder *lm, const task *t, const document *d,
                       size_t *n, cull_request **out, bool *truncated)
{
    if (t->kind == TASK_ROLLING)
        return lm_score_rolling(ctx, lm, d->place, d->continuation[0], n, out);
    *n = d->n;
    *out = ctx->host->alloc(ctx, d->n, sizeof **out);
    if (!*out)
        return CULL_ENOMEM;
    if (d->own_max && d->max_new >= lm->length) // the line's fault, not the settings'
        return ctx->host->fail(ctx, CULL_EFORMAT,
                               "%s: \"max\" is %zu, which leaves no room for a context in a length "
                               "of %zu",
                               d->place, d->max_new, lm->length);
    if (t->kind == TASK_GENERATE)
        return lm_generate(ctx, lm, d->place, d->context[0], d->max_new, d->n_until, d->until, *out,
                           truncated);
    return lm_score_pairs(ctx, lm, d->place, d->n, d->context, d->continuation, *out, truncated);
}

static void hash_request(sha256 *h, const cull_request *r)
{
    const uint64_t numbers[4] = { r->kind, r->n, r->scored, r->max_new };

    sha256_add(h, numbers, sizeof numbers);
    sha256_add(h, r->ids, r->n * sizeof *r->ids);
    for (size_t i = 0; i < r->n_until; i++)
        sha256_add(h, r->until[i], strlen(r->until[i]) + 1);
}

typedef struct asked { // the requests of one document
    size_t n;
    cull_request *at;
} asked;

// A text without bytes counts in the sums, as in lm-eval; of such texts alone nothing can be
// divided.
static cull_status check_bytes(cull_ctx *ctx, const task *t)
{
    for (size_t d = 0; d < t->n; d++)
        if (t->kind != TASK_ROLLING || t->document[d].bytes > 0)
            return CULL_OK;
    return ctx->host->fail(
        ctx, CULL_EFORMAT, "%s: the text%s of task \"%s\" ha%s no bytes, so there is no perplexity",
        t->document[0].place, t->n > 1 ? "s" : "", t->name, t->n > 1 ? "ve" : "s");
}

// As lm-eval warns of each.
static void warn_of_lost(cull_ctx *ctx, const lm_encoder *lm, const task *t,
                         const uint8_t *truncated)
{
    size_t n = 0;

    for (size_t d = 0; d < t->n; d++)
        n += truncated[d];
    if (n > 0)
        ctx->host->log(ctx, CULL_WARN,
                       "task %s: %zu of %zu documents do not fit the length of %zu and lose ids on "
                       "the left",
                       t->name, n, t->n, lm->length);
}

static cull_status prepare_task(cull_ctx *ctx, const lm_encoder *lm, const task *t, size_t *total,
                                asked *docs, scored_task *out)
{
    sha256 h;

    sha256_init(&h);
    size_t *first = ctx->host->alloc(ctx, t->n + 1, sizeof *first);
    uint8_t *truncated = ctx->host->alloc(ctx, t->n, 1);
    if (!first || !truncated)
        return CULL_ENOMEM;
    const cull_status checked = check_bytes(ctx, t);
    if (checked != CULL_OK)
        return checked;
    for (size_t d = 0; d < t->n; d++) {
        bool lost = false;
        const cull_status status = ask(ctx, lm, t, &t->document[d], &docs[d].n, &docs[d].at, &lost);
        if (status != CULL_OK)
            return status;
        truncated[d] = lost;
        first[d] = *total;
        *total += docs[d].n;
        for (size_t i = 0; i < docs[d].n; i++)
            hash_request(&h, &docs[d].at[i]);
    }
    first[t->n] = *total;
    warn_of_lost(ctx, lm, t, truncated);
    CULL_TRY(scoring_warn_of_emptied(ctx, t));
    out->task = *t;
    out->first = first;
    out->truncated = truncated;
    sha256_hex(&h, out->hash);
    scoring_task_key(t, out->scoring);
    return CULL_OK;
}

static cull_status gather(cull_ctx *ctx, size_t total, size_t n_docs, const asked *docs,
                          scoring *state, cull_requests *out)
{
    out->at = ctx->host->alloc(ctx, total, sizeof *out->at);
    if (!out->at)
        return CULL_ENOMEM;
    for (size_t d = 0; d < n_docs; d++) {
        memcpy(out->at + out->n, docs[d].at, docs[d].n * sizeof *out->at);
        out->n += docs[d].n;
    }
    out->state = state;
    return CULL_OK;
}

// lm-eval feeds two where a prompt brings its own, or its rolling prefix meets one.
static void warn_of_two_bos(cull_ctx *ctx, const lm_encoder *lm, const cull_requests *all)
{
    two_bos seen = { .bos = lm->text->bos };

    for (size_t i = 0; i < all->n; i++)
        two_bos_look(&seen, all->at[i].ids, all->at[i].n);
    two_bos_warn(ctx, &seen, "requests", "protocol", lm_versions[lm->version]);
}

cull_status scoring_prepare(cull_ctx *ctx, const lm_encoder *lm, const task_list *tasks,
                            cull_requests *out)
{
    size_t n_docs = 0, total = 0;

    for (size_t t = 0; t < tasks->n; t++)
        n_docs += tasks->task[t].n;
    scoring *state = ctx->host->alloc(ctx, 1, sizeof *state);
    scored_task *each = ctx->host->alloc(ctx, tasks->n, sizeof *each);
    asked *docs = ctx->host->alloc(ctx, n_docs, sizeof *docs);
    if (!state || !each || !docs)
        return CULL_ENOMEM;
    *state = (scoring){ .n = tasks->n,
                        .n_groups = tasks->n_groups,
                        .task = each,
                        .group = tasks->group,
                        .version = lm->version,
                        .bos = lm->bos,
                        .length = lm->length };
    asked *next = docs;
    for (size_t t = 0; t < tasks->n; t++) {
        const cull_status status = prepare_task(ctx, lm, &tasks->task[t], &total, next, &each[t]);
        if (status != CULL_OK)
            return status;
        next += tasks->task[t].n;
    }
    cull_status status = scoring_key(ctx, tasks, &out->key);
    if (status == CULL_OK)
        status = gather(ctx, total, n_docs, docs, state, out);
    if (status == CULL_OK)
        warn_of_two_bos(ctx, lm, out);
    return status;
}

// ---- score ----

static cull_status attributes(cull_ctx *ctx, const scoring *e, const scored_task *t,
                              cull_report *out)
{
    char shots[24], length[24];

    snprintf(shots, sizeof shots, "%zu", t->task.n_shot);
    snprintf(length, sizeof length, "%zu", e->length);
    const char *const pairs[][2] = { { "protocol", lm_versions[e->version] },
                                     { "bos", lm_boses[e->bos] },
                                     { "length", length },
                                     { "n_shot", shots },
                                     { "version", t->task.version ? t->task.version : "" },
                                     { "requests_hash", t->hash },
                                     { "scoring_hash", t->scoring } };
    cull_status status = CULL_OK;
    for (size_t i = 0; status == CULL_OK && i < sizeof pairs / sizeof *pairs; i++)
        status = out->attribute(ctx, out, t->task.name, pairs[i][0], pairs[i][1]);
    return status;
}

// The names along the axis `filter`, with a comma between.
static cull_status name_filters(cull_ctx *ctx, const task *t, cull_report *out)
{
    span *part = ctx->host->alloc(ctx, 2 * t->n_filters, sizeof *part), text;

    if (!part)
        return CULL_ENOMEM;
    for (size_t i = 0; i < t->n_filters; i++) {
        part[2 * i] = span_of(i ? "," : "");
        part[2 * i + 1] = span_of(t->filter[i].name);
    }
    const cull_status status = span_join(ctx, 2 * t->n_filters, part, &text);
    return status == CULL_OK ? out->attribute(ctx, out, t->name, "filters", text.s) : status;
}

// Is the mean one of its metric and filter? filter NULL: the first one of its metric.
static bool is_mean(const task_means *means, size_t i, const char *metric, const char *filter)
{
    const task_mean *m = &means->at[i];
    bool first = true;

    for (size_t j = 0; j < i; j++)
        first &= strcmp(means->at[j].metric, metric) != 0;
    return strcmp(m->metric, metric) == 0 && (filter ? strcmp(m->filter, filter) == 0 : first);
}

// The means of the member tasks that have this one, gathered in `of`; how many.
static size_t members(const task_means *means, const task_group *group, const char *metric,
                      const char *filter, summary *of)
{
    size_t have = 0;

    for (size_t i = 0; i < group->n; i++) {
        const task_means *m = &means[group->member[i]];
        for (size_t k = 0; k < m->n; k++)
            if (is_mean(m, k, metric, filter)) {
                of[have++] = m->at[k].of;
                break;
            }
    }
    return have;
}

// Does the group average this?
static bool is_averaged(const task_group *group, const task_mean *m)
{
    bool wanted = group->n_values == 0 || strcmp(m->metric, SCORING_LENGTH_CUT) == 0;

    for (size_t i = 0; i < group->n_values; i++) {
        const size_t n = strlen(m->metric);
        const char *value = group->value[i];
        wanted |= strncmp(value, m->metric, n) == 0 && value[n] == ',' &&
                  strcmp(value + n + 1, m->filter) == 0;
    }
    return wanted;
}

// Did member `i`, or one before it, report the mean already? filter NULL: whatever its filter.
static bool is_known(const task_means *means, const task_group *group, size_t i, size_t k,
                     const char *metric, const char *filter)
{
    for (size_t j = 0; j <= i; j++) {
        const task_means *m = &means[group->member[j]];
        for (size_t o = 0; o < (j == i ? k : m->n); o++)
            if (strcmp(m->at[o].metric, metric) == 0 &&
                (!filter || strcmp(m->at[o].filter, filter) == 0))
                return true;
    }
    return false;
}

static cull_status name_hash(cull_ctx *ctx, cull_report *out, const char *group, const char *key,
                             sha256 *h)
{
    char *hex = ctx->host->alloc(ctx, 65, 1);

    if (!hex)
        return CULL_ENOMEM;
    sha256_hex(h, hex);
    return out->attribute(ctx, out, group, key, hex);
}

// Hashes over those of the tasks: what is asked, and what is made of it.
static cull_status hash_members(cull_ctx *ctx, const scoring *e, const task_group *group,
                                cull_report *out)
{
    sha256 requests, scorers;

    sha256_init(&requests);
    sha256_init(&scorers);
    for (size_t i = 0; i < group->n; i++) {
        sha256_add(&requests, e->task[group->member[i]].hash, 64);
        sha256_add(&scorers, e->task[group->member[i]].scoring, 64);
    }
    const cull_status status = name_hash(ctx, out, group->name, "requests_hash", &requests);
    return status == CULL_OK ? name_hash(ctx, out, group->name, "scoring_hash", &scorers) : status;
}

// The names of its tasks, with a blank between.
static cull_status name_members(cull_ctx *ctx, const scoring *e, const task_group *group,
                                cull_report *out)
{
    span *part = ctx->host->alloc(ctx, 2 * group->n, sizeof *part), text;

    if (!part)
        return CULL_ENOMEM;
    for (size_t i = 0; i < group->n; i++) {
        part[2 * i] = span_of(i ? " " : "");
        part[2 * i + 1] = span_of(e->task[group->member[i]].task.name);
    }
    cull_status status = span_join(ctx, 2 * group->n, part, &text);
    if (status == CULL_OK)
        status = out->attribute(ctx, out, group->name, "tasks", text.s);
    return status == CULL_OK ? hash_members(ctx, e, group, out) : status;
}

// How the tasks of a group are averaged.
typedef struct averaging {
    size_t least;   // tasks that must have a value
    bool by_filter; // each filter's by itself; else each task's first, under the name "none"
    summary (*of)(size_t n, const summary *);
} averaging;

static cull_status average(cull_ctx *ctx, const scoring *e, const task_means *means,
                           const task_group *group, averaging how, cull_report *out)
{
    size_t reported = 0;
    summary *of = ctx->host->alloc(ctx, group->n, sizeof *of);
    cull_status status = of ? CULL_OK : CULL_ENOMEM;

    for (size_t i = 0; i < group->n; i++) {
        const task_means *own = &means[group->member[i]];
        for (size_t k = 0; status == CULL_OK && k < own->n; k++) {
            const task_mean *m = &own->at[k];
            const char *filter = how.by_filter ? m->filter : NULL;
            if (!is_averaged(group, m) || is_known(means, group, i, k, m->metric, filter))
                continue;
            const size_t n = members(means, group, m->metric, filter, of);
            if (n < how.least)
                continue;
            reported++;
            status = scoring_value(ctx, out, group->name, m->metric, filter ? filter : "none",
                                   how.of(n, of), m->higher_is_better);
        }
    }
    return status == CULL_OK && reported ? name_members(ctx, e, group, out) : status;
}

static cull_status averages(cull_ctx *ctx, const scoring *e, const task_means *means,
                            cull_report *out)
{
    size_t *all = ctx->host->alloc(ctx, e->n, sizeof *all);

    if (!all)
        return CULL_ENOMEM;
    for (size_t i = 0; i < e->n; i++)
        all[i] = i;
    const task_group pooled = { .name = "pooled", .n = e->n, .member = all };
    const task_group macro = { .name = "macro", .n = e->n, .member = all };
    cull_status status = CULL_OK;
    for (size_t g = 0; status == CULL_OK && g < e->n_groups; g++) {
        const task_group *group = &e->group[g];
        const averaging how = { 1, true, group->by_task ? summary_macro : summary_pooled };
        status = average(ctx, e, means, group, how, out);
    }
    if (status == CULL_OK)
        status = average(ctx, e, means, &pooled, (averaging){ 2, false, summary_pooled }, out);
    if (status == CULL_OK)
        status = average(ctx, e, means, &macro, (averaging){ 2, false, summary_macro }, out);
    return status;
}

cull_status scoring_report(cull_ctx *ctx, const cull_requests *requests, const cull_answer *answers,
                           cull_report *out)
{
    static task_scorer *const scorers[] = { [TASK_CHOICE] = score_choice,
                                            [TASK_ROLLING] = score_rolling,
                                            [TASK_GENERATE] = score_generated };
    const scoring *e = requests->state;
    task_means *means = ctx->host->alloc(ctx, e->n, sizeof *means);

    if (!means)
        return CULL_ENOMEM;
    for (size_t t = 0; t < e->n; t++) {
        const scored_task *one = &e->task[t];
        means[t].at = ctx->host->alloc(ctx, TASK_MOST_METRICS * (one->task.n_filters + 1),
                                       sizeof *means[t].at);
        if (!means[t].at)
            return CULL_ENOMEM;
        cull_status status = scorers[one->task.kind](ctx, one, requests, answers, out, &means[t]);
        if (status == CULL_OK)
            status = scoring_identity(ctx, out, one);
        if (status == CULL_OK)
            status = attributes(ctx, e, one, out);
        if (status == CULL_OK && one->task.kind == TASK_GENERATE)
            status = name_filters(ctx, &one->task, out);
        if (status != CULL_OK)
            return status;
    }
    return averages(ctx, e, means, out);
}
