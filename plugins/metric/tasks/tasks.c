// Tasks, built from the hub's datasets: those that come with Cull, and a user's own.
#include <cull/cull.h>

#include <string.h>

#include "build.h"
#include "common/lm_eval/scoring.h"
#include "common/lm_eval/task_file.h"
#include "task_names.h"

struct settings {
    cull_texts names, definitions, data, files;
    int64_t shots, shot_seed, protocol, bos, length, limit, max_new;
};

static const cull_param params[] = {
    CULL_P_TEXTS(struct settings, names, 0,
                 "arc_easy arc_challenge boolq copa hellaswag openbookqa piqa rte winogrande "
                 "gsm8k gsm8k_cot wikitext, mmlu_SUBJECT, or the groups mmlu mmlu_stem mmlu_other "
                 "mmlu_social_sciences mmlu_humanities"),
    CULL_P_PATHS(
        struct settings, definitions, CULL_NO_KEY,
        "tasks of your own: files or globs NAME.yaml (docs/evaluation.md says how they are "
        "written)"),
    CULL_P_PATHS(struct settings, data, 0,
                 "the datasets' files or globs: NAME.jsonl with the documents that are evaluated, "
                 "NAME.train.jsonl with those that shots come from (MMLU: dev); .gz is unpacked"),
    CULL_P_PATHS(
        struct settings, files, 0,
        "request files or globs, one task each, of any kind (their forms: metrics choices and "
        "generation)"),
    CULL_P_INT(struct settings, shots, -1, -1, 1000,
               "examples in front of each question of `names` and `definitions`; -1: the task's "
               "own (gsm8k 5, gsm8k_cot 8, "
               "else 0)"),
    CULL_P_INT(struct settings, shot_seed, 1234, 0, UINT32_MAX,
               "of the generator that draws them, lm-eval's fewshot_random_seed"),
    CULL_P_INT(struct settings, limit, 0, 0, 1 << 30, "documents of each task; 0: all"),
    CULL_P_INT(struct settings, max_new, 256, 1, 1 << 20,
               "tokens generated at most, where a document says nothing else"),
    LM_PROTOCOL_PARAMS(struct settings),
};

static cull_status check(cull_ctx *ctx, const void *settings)
{
    const struct settings *set = settings;
    task_plan plan;

    if (set->names.n + set->definitions.n + set->files.n == 0)
        return ctx->host->fail(ctx, CULL_EINVAL,
                               "neither `names` nor `definitions` nor `files` says what to "
                               "evaluate");
    if (set->names.n + set->definitions.n == 0 && set->shots >= 0)
        return ctx->host->fail(ctx, CULL_EINVAL,
                               "`shots` is for `names` and `definitions`: files of requests have "
                               "in them what is asked");
    return task_plan_make(ctx, set->names, set->definitions, &plan);
}

static cull_status build_named(cull_ctx *ctx, const struct settings *set, task_list *out)
{
    const building how = { .data = set->data,
                           .shots = set->shots,
                           .shot_seed = (uint32_t)set->shot_seed,
                           .limit = (size_t)set->limit,
                           .max_new = (size_t)set->max_new,
                           .resample = set->protocol == LM_EVAL_0_4_13 };
    task_plan p;

    CULL_TRY(task_plan_make(ctx, set->names, set->definitions, &p));
    task *made = ctx->host->alloc(ctx, p.n + 1, sizeof *made);
    if (!made)
        return CULL_ENOMEM;
    for (size_t i = 0; i < p.n; i++)
        CULL_TRY(task_build(ctx, p.task[i], &how, &made[i]));
    *out = (task_list){ .n = p.n, .task = made, .n_groups = p.n_groups, .group = p.group };
    return CULL_OK;
}

static cull_status read_files(cull_ctx *ctx, const struct settings *set, task_list *out)
{
    static const answer_filter none = { .name = "none" };
    const task_reading how = { .kinds = ~0u,
                               .limit = (size_t)set->limit,
                               .delimiter = "",
                               .max_new = (size_t)set->max_new,
                               .n_filters = 1,
                               .filter = &none };

    return task_files_read(ctx, set->files, &how, out);
}

// The tasks and groups of both lists; the second's members move up by the first's tasks.
static cull_status append(cull_ctx *ctx, const task_list *first, const task_list *second,
                          task_list *out)
{
    const size_t n = first->n + second->n, n_groups = first->n_groups + second->n_groups;
    task *all = ctx->host->alloc(ctx, n, sizeof *all);
    task_group *group = ctx->host->alloc(ctx, n_groups + 1, sizeof *group);

    if (!all || !group)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        all[i] = i < first->n ? first->task[i] : second->task[i - first->n];
        for (size_t k = 0; k < i; k++)
            if (strcmp(all[k].name, all[i].name) == 0)
                return ctx->host->fail(ctx, CULL_EINVAL, "task \"%s\" is named twice", all[i].name);
    }
    for (size_t g = 0; g < n_groups; g++) {
        if (g < first->n_groups) {
            group[g] = first->group[g];
            continue;
        }
        group[g] = second->group[g - first->n_groups];
        size_t *member = ctx->host->alloc(ctx, group[g].n, sizeof *member);
        if (!member)
            return CULL_ENOMEM;
        for (size_t i = 0; i < group[g].n; i++)
            member[i] = group[g].member[i] + first->n;
        group[g].member = member;
    }
    *out = (task_list){ .n = n, .task = all, .n_groups = n_groups, .group = group };
    return CULL_OK;
}

static cull_status build(cull_ctx *ctx, const struct settings *set, task_list *out)
{
    task_list named = { 0 }, read = { 0 };
    cull_status status = CULL_OK;

    if (set->names.n + set->definitions.n)
        status = build_named(ctx, set, &named);
    if (status == CULL_OK && set->files.n)
        status = read_files(ctx, set, &read);
    return status == CULL_OK ? append(ctx, &named, &read, out) : status;
}

static cull_status prepare(cull_ctx *ctx, const void *settings, const cull_text *text,
                           cull_requests *out)
{
    const struct settings *set = settings;
    lm_encoder lm;
    task_list list;
    cull_status status = lm_encoder_init(ctx, text, set->protocol, set->bos, set->length, &lm);

    if (status == CULL_OK)
        status = build(ctx, set, &list);
    return status == CULL_OK ? scoring_prepare(ctx, &lm, &list, out) : status;
}

static cull_status score(cull_ctx *ctx, const void *settings, const cull_requests *requests,
                         const cull_answer *answers, cull_report *out)
{
    (void)settings;
    return scoring_report(ctx, requests, answers, out);
}

static const cull_metric tasks = { .size = sizeof tasks,
                                   .prepare = prepare,
                                   .score = score,
                                   .document = scoring_document,
                                   .check = check };

CULL_PLUGIN(
    METRIC, tasks, "1.0", "published tasks as lm-evaluation-harness asks and scores them",
    .doc = "Prompts, shots, filters and metrics of lm-evaluation-harness 0.4.13 for the ten "
           "choice tasks of the pruning papers, GSM8K (5 shots and chain of thought) and "
           "wikitext, each a small file NAME.yaml that is installed with Cull, from the datasets "
           "as the hub has them, a JSON object a line, and request files of any kind beside them. "
           "Shots are drawn as Python's random.Random(1234).sample does (shot_seed for 1234), one "
           "generator a task, in document order. The eight shots of gsm8k_cot are no part of "
           "Cull: tools/export_shots.py writes gsm8k_cot.train.jsonl from an installed "
           "lm-evaluation-harness. Groups are averaged over documents, with the pooled standard "
           "error.",
    .cite = "L. Gao et al., lm-evaluation-harness 0.4.13, lm_eval/tasks; ARC: Clark et al. 2018; "
            "BoolQ: Clark et al. 2019; COPA: Roemmele et al. 2011; HellaSwag: Zellers et al. "
            "2019; MMLU: Hendrycks et al. 2021; OpenBookQA: Mihaylov et al. 2018; PIQA: Bisk et "
            "al. 2020; RTE: Wang et al. 2019 (GLUE); WinoGrande: Sakaguchi et al. 2020; GSM8K: "
            "Cobbe et al. 2021; WikiText: Merity et al. 2016.",
    CULL_SETTINGS(params, struct settings));
