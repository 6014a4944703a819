// Which of several continuations is likeliest: request files of choice tasks.
#include <cull/cull.h>

#include "common/lm_eval/scoring.h"
#include "common/lm_eval/task_file.h"

struct settings {
    cull_texts tasks;
    int64_t protocol, bos, length, limit;
    const char *delimiter;
};

static const cull_param params[] = {
    CULL_P_PATHS(struct settings, tasks, CULL_REQUIRED,
                 "request files or globs, one task each; files of another kind are left out"),
    CULL_P_TEXT(struct settings, delimiter, "", 0,
                "what stands between a context and its choice; lengths are without it"),
    CULL_P_INT(struct settings, limit, 0, 0, 1 << 30, "documents of each task; 0: all"),
    LM_PROTOCOL_PARAMS(struct settings),
};

static cull_status prepare(cull_ctx *ctx, const void *settings, const cull_text *text,
                           cull_requests *out)
{
    const struct settings *set = settings;
    const task_reading how = { .kinds = 1u << TASK_CHOICE,
                               .limit = (size_t)set->limit,
                               .delimiter = set->delimiter };
    lm_encoder lm;
    task_list tasks;
    cull_status status = lm_encoder_init(ctx, text, set->protocol, set->bos, set->length, &lm);

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

static const cull_metric choices = {
    .size = sizeof choices, .prepare = prepare, .score = score, .document = scoring_document
};

CULL_PLUGIN(
    METRIC, choices, "1.0", "accuracy on choice tasks, scored as lm-evaluation-harness does",
    .doc = "A line of a task file is {\"context\", \"choices\", \"gold\"}, or {\"requests\": "
           "[{\"ctx\", \"cont\"}, …], \"gold\", \"len_chars\", \"len_bytes\"} as "
           "tools/export_requests.py writes it from lm-eval's own samples. Trailing white space "
           "of a context moves to the continuation; context and whole are encoded separately; "
           "what is too long loses ids on the left. acc: the largest log-likelihood, the first of "
           "equals; acc_norm: divided by the choice's code points without the delimiter (its own "
           "leading blank counts); acc_bytes: by its UTF-8 bytes. \"pooled\" is over the "
           "documents of all tasks, \"macro\" the mean over tasks.",
    .cite = "L. Gao et al., lm-evaluation-harness 0.4.13 (0.4.7, 0.4.0), lm_eval/api/task.py and "
            "lm_eval/models/huggingface.py.",
    CULL_SETTINGS(params, struct settings));
