// What a model writes, compared with what it should: request files of generation tasks.
#include <cull/cull.h>

#include "common/lm_eval/scoring.h"
#include "common/lm_eval/task_file.h"
#include "common/python/regex.h"

struct settings {
    cull_texts tasks, filters, ignore;
    int64_t protocol, bos, length, limit, max_new;
    bool ignore_case;
};

static const cull_param params[] = {
    CULL_P_PATHS(struct settings, tasks, CULL_REQUIRED,
                 "request files or globs, one task each; files of another kind are left out"),
    CULL_P_INT(struct settings, max_new, 256, 1, 1 << 20,
               "tokens generated at most, where a document says nothing else"),
    CULL_P_TEXTS(struct settings, filters, 0,
                 "how an answer is taken from the text: NAME=PATTERN, the first match, or "
                 "NAME[-1]=PATTERN, the last; none: the text as it is"),
    CULL_P_TEXTS(struct settings, ignore, 0,
                 "patterns that are deleted from answer and target, in this order, before they "
                 "are compared"),
    CULL_P_BOOL(struct settings, ignore_case, false, "compare in lower case"),
    CULL_P_INT(struct settings, limit, 0, 0, 1 << 30, "documents of each task; 0: all"),
    LM_PROTOCOL_PARAMS(struct settings),
};

static cull_status read_filters(cull_ctx *ctx, cull_texts texts, size_t *n,
                                const answer_filter **out)
{
    answer_filter *filter = ctx->host->alloc(ctx, texts.n + 1, sizeof *filter);

    if (!filter)
        return CULL_ENOMEM;
    filter[0] = (answer_filter){ .name = "none" };
    *n = texts.n ? texts.n : 1;
    *out = filter;
    cull_status status = CULL_OK;
    for (size_t i = 0; status == CULL_OK && i < texts.n; i++)
        status = answer_filter_parse(ctx, texts.at[i], &filter[i]);
    return status;
}

static cull_status prepare(cull_ctx *ctx, const void *settings, const cull_text *text,
                           cull_requests *out)
{
    const struct settings *set = settings;
    task_reading how = { .kinds = 1u << TASK_GENERATE,
                         .limit = (size_t)set->limit,
                         .delimiter = "",
                         .max_new = (size_t)set->max_new,
                         .cleaning = { .n_ignore = set->ignore.n,
                                       .ignore = set->ignore.at,
                                       .ignore_case = set->ignore_case } };
    lm_encoder lm;
    task_list tasks;
    cull_status status = read_filters(ctx, set->filters, &how.n_filters, &how.filter);

    if (status == CULL_OK)
        status = lm_encoder_init(ctx, text, set->protocol, set->bos, set->length, &lm);
    if (status == CULL_OK)
        status = task_files_read(ctx, set->tasks, &how, &tasks);
    return status == CULL_OK ? scoring_prepare(ctx, &lm, &tasks, out) : status;
}

static cull_status score(cull_ctx *ctx, const void *settings, const cull_requests *requests,
                         const cull_answer *answers, cull_report *out)
{
    (void)settings;
    return scoring_report(ctx, requests, answers, out);
}

static cull_status check(cull_ctx *ctx, const void *settings)
{
    const struct settings *set = settings;
    cull_status status = CULL_OK;

    for (size_t i = 0; status == CULL_OK && i < set->filters.n; i++) {
        answer_filter filter;
        status = answer_filter_parse(ctx, set->filters.at[i], &filter);
        if (status == CULL_OK)
            status = regex_check(ctx, "filters", filter.pattern);
    }
    for (size_t i = 0; status == CULL_OK && i < set->ignore.n; i++)
        status = regex_check(ctx, "ignore", set->ignore.at[i]);
    return status;
}

static const cull_metric generation = { .size = sizeof generation,
                                        .prepare = prepare,
                                        .score = score,
                                        .document = scoring_document,
                                        .check = check };

CULL_PLUGIN(
    METRIC, generation, "1.0", "exact match of greedily generated answers",
    .doc =
        "A line of a task file is {\"context\", \"until\": [STOP, …], \"target\"} or "
        "{\"requests\": [{\"ctx\", \"until\", \"max\"}], \"target\"}. The context keeps its last "
        "length - max_new ids; decoding is greedy until a stop string (special tokens count), an "
        "EOS or max_new ids, as transformers decodes for lm-evaluation-harness with the "
        "checkpoint's generation_config.json; the text, without special tokens, is cut at the "
        "first of each stop, and each filter takes an answer from it ([invalid] where nothing "
        "matches). exact_match is its equality with the target after the cleaning that `ignore` "
        "and `ignore_case` ask for. GSM8K's filters are built into the metric `tasks`.",
    .cite = "L. Gao et al., lm-evaluation-harness 0.4.13, lm_eval/filters/extraction.py and "
            "lm_eval/api/metrics.py exact_match.",
    CULL_SETTINGS(params, struct settings));
