// What determines the numbers that are made of the answers: right answers, lengths, filters,
// groups. One hash is the identity of an evaluation and has all of it; the other says whether two
// tasks' numbers may stand side by side, and leaves out what moves none of them.
#include "common/lm_eval/scoring_state.h"

#include <string.h>

#include "common/python/sha256.h"

static void add_text(sha256 *h, const char *text)
{
    sha256_add(h, text ? text : "", text ? strlen(text) + 1 : 1);
}

static void add_span(sha256 *h, span text)
{
    const uint64_t n = text.n;

    sha256_add(h, &n, sizeof n);
    sha256_add(h, text.s, text.n);
}

static void add_numbers(sha256 *h, const int64_t *x, size_t n)
{
    const uint64_t count = x ? n : UINT64_MAX;

    sha256_add(h, &count, sizeof count);
    if (x)
        sha256_add(h, x, n * sizeof *x);
}

static void add_document(sha256 *h, const document *d)
{
    const int64_t size[] = { d->words, d->bytes };

    add_numbers(h, d->gold, d->n_gold);
    add_numbers(h, d->len_chars, d->n);
    add_numbers(h, d->len_bytes, d->n);
    add_numbers(h, size, 2);
    add_span(h, d->target);
    add_text(h, d->cluster);
    for (size_t i = 0; i < d->n_targets; i++)
        add_span(h, d->targets[i]);
}

static void add_filters(sha256 *h, const task *t)
{
    const int64_t facts[] = { (int64_t)t->n_filters, (int64_t)t->cleaning.n_ignore,
                              t->cleaning.ignore_case };

    add_numbers(h, facts, sizeof facts / sizeof *facts);
    for (size_t f = 0; f < t->n_filters; f++) {
        add_text(h, t->filter[f].name);
        add_text(h, t->filter[f].pattern);
        add_text(h, t->filter[f].fallback);
        add_numbers(h, &t->filter[f].select, 1);
    }
    for (size_t i = 0; i < t->cleaning.n_ignore; i++)
        add_text(h, t->cleaning.ignore[i]);
}

static void add_task(sha256 *h, const task *t)
{
    const int64_t facts[] = { t->kind, (int64_t)t->n_shot, t->metrics, (int64_t)t->n };

    add_text(h, t->name);
    add_text(h, t->version);
    add_numbers(h, facts, sizeof facts / sizeof *facts);
    add_filters(h, t);
    for (size_t d = 0; d < t->n; d++)
        add_document(h, &t->document[d]);
}

// Right answers; of a choice's lengths those that a metric divides by.
static void add_scoring(sha256 *h, const task *t, const document *d)
{
    const int64_t size[] = { d->words, d->bytes };

    switch (t->kind) {
    case TASK_CHOICE:
        add_numbers(h, d->gold, d->n_gold);
        add_numbers(h, t->metrics & TASK_ACC_NORM ? d->len_chars : NULL, d->n);
        add_numbers(h, t->metrics & TASK_ACC_BYTES ? d->len_bytes : NULL, d->n);
        return;
    case TASK_ROLLING:
        add_numbers(h, size, 2);
        return;
    case TASK_GENERATE:
        add_span(h, d->target);
        for (size_t i = 0; i < d->n_targets; i++)
            add_span(h, d->targets[i]);
    }
}

void scoring_task_key(const task *t, char out[65])
{
    const int64_t facts[] = { t->kind, (int64_t)t->n };
    sha256 h;

    sha256_init(&h);
    add_numbers(&h, facts, sizeof facts / sizeof *facts);
    if (t->kind == TASK_GENERATE)
        add_filters(&h, t);
    for (size_t d = 0; d < t->n; d++)
        add_scoring(&h, t, &t->document[d]);
    sha256_hex(&h, out);
}

cull_status scoring_key(cull_ctx *ctx, const task_list *tasks, const char **out)
{
    sha256 h;
    char *hex = ctx->host->alloc(ctx, 65, 1);

    if (!hex)
        return CULL_ENOMEM;
    sha256_init(&h);
    for (size_t t = 0; t < tasks->n; t++)
        add_task(&h, &tasks->task[t]);
    for (size_t g = 0; g < tasks->n_groups; g++) {
        const task_group *group = &tasks->group[g];
        add_text(&h, group->name);
        for (size_t i = 0; i < group->n; i++)
            add_text(&h, tasks->task[group->member[i]].name);
        for (size_t i = 0; i < group->n_values; i++)
            add_text(&h, group->value[i]);
        add_text(&h, group->by_task ? "by task" : "by document");
    }
    sha256_hex(&h, hex);
    *out = hex;
    return CULL_OK;
}
