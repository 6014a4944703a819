// Published tasks, built from the hub's datasets.
#include <cull/cull.h>

#include <string.h>

#include "build.h"
#include "common/lm_eval/scoring.h"
#include "common/lm_eval/task_file.h"

struct settings {
    cull_texts names, data, files;
    int64_t shots, shot_seed, protocol, bos, length, limit, max_new;
};

static const cull_param params[] = {
    CULL_P_TEXTS(struct settings, names, 0,
                 "arc_easy arc_challenge boolq copa hellaswag openbookqa piqa rte winogrande "
                 "gsm8k gsm8k_cot wikitext, mmlu_SUBJECT, or the groups mmlu mmlu_stem mmlu_other "
                 "mmlu_social_sciences mmlu_humanities"),
    CULL_P_PATHS(struct settings, data, 0,
                 "the datasets' files or globs: NAME.jsonl with the documents that are evaluated, "
                 "NAME.train.jsonl with those that shots come from (MMLU: dev); .gz is unpacked"),
    CULL_P_PATHS(
        struct settings, files, 0,
        "request files or globs, one task each, of any kind (their forms: metrics choices and "
        "generation)"),
    CULL_P_INT(
        struct settings, shots, -1, -1, 1000,
        "examples in front of each question of `names`; -1: the task's own (gsm8k 5, gsm8k_cot 8, "
        "else 0)"),
    CULL_P_INT(struct settings, shot_seed, 1234, 0, UINT32_MAX,
               "of the generator that draws them, lm-eval's fewshot_random_seed"),
    CULL_P_INT(struct settings, limit, 0, 0, 1 << 30, "documents of each task; 0: all"),
    CULL_P_INT(struct settings, max_new, 256, 1, 1 << 20,
               "tokens generated at most, where a document says nothing else"),
    LM_PROTOCOL_PARAMS(struct settings),
};

typedef struct plan {
    size_t n, n_groups;
    const char **name; // of the single tasks
    task_group *group;
} plan;

static size_t enter(plan *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->name[i], name) == 0)
            return i;
    p->name[p->n] = name;
    return p->n++;
}

// The subjects of a category (NULL: all) become tasks, and a group of them.
static cull_status enter_group(cull_ctx *ctx, plan *p, const char *name, const char *category)
{
    const char *const *subject, *const *of;
    const size_t n = mmlu_subjects(&subject, &of);
    size_t *member = ctx->host->alloc(ctx, n, sizeof *member), members = 0;
    if (!member)
        return CULL_ENOMEM;
    for (size_t g = 0; g < p->n_groups; g++)
        if (strcmp(p->group[g].name, name) == 0)
            return CULL_OK;
    for (size_t i = 0; i < n; i++)
        if (!category || strcmp(of[i], category) == 0)
            member[members++] = enter(p, subject[i]);
    p->group[p->n_groups++] = (task_group){ .name = name, .n = members, .member = member };
    return CULL_OK;
}

static cull_status enter_name(cull_ctx *ctx, plan *p, const char *name)
{
    static const char *const parts[] = { "mmlu_stem", "mmlu_other", "mmlu_social_sciences",
                                         "mmlu_humanities" };
    const task_family *family = task_family_find(name);
    if (!family) {
        enter(p, name);
        return CULL_OK;
    }
    cull_status status = enter_group(ctx, p, family->name, family->category);
    for (size_t i = 0; status == CULL_OK && !family->category && i < 4; i++)
        status = enter_group(ctx, p, parts[i], task_family_find(parts[i])->category);
    return status;
}

static cull_status make_plan(cull_ctx *ctx, cull_texts names, plan *p)
{
    const char *const *subject, *const *of;
    enum { GROUPS = 5 };
    *p = (plan){ 0 };
    p->name = ctx->host->alloc(ctx, names.n + mmlu_subjects(&subject, &of), sizeof *p->name);
    p->group = ctx->host->alloc(ctx, GROUPS, sizeof *p->group);
    if (!p->name || !p->group)
        return CULL_ENOMEM;
    cull_status status = CULL_OK;
    for (size_t i = 0; status == CULL_OK && i < names.n; i++)
        status = enter_name(ctx, p, names.at[i]);
    return status;
}

static cull_status find(cull_ctx *ctx, const char *name, task_spec *spec)
{
    if (task_find(ctx, name, spec))
        return CULL_OK;
    return ctx->host->fail(ctx, CULL_EINVAL,
                           "there is no task \"%s\" (cull describe metric tasks lists them)", name);
}

static cull_status check(cull_ctx *ctx, const void *settings)
{
    const struct settings *set = settings;
    cull_status status = CULL_OK;
    if (set->names.n + set->files.n == 0)
        return ctx->host->fail(ctx, CULL_EINVAL,
                               "neither `names` nor `files` says what to evaluate");
    for (size_t i = 0; status == CULL_OK && i < set->names.n; i++) {
        task_spec spec;
        if (!task_family_find(set->names.at[i]))
            status = find(ctx, set->names.at[i], &spec);
    }
    return status;
}

static cull_status build_named(cull_ctx *ctx, const struct settings *set, task_list *out)
{
    plan p;
    const building how = { .data = set->data,
                           .shots = set->shots,
                           .shot_seed = (uint32_t)set->shot_seed,
                           .limit = (size_t)set->limit,
                           .max_new = (size_t)set->max_new,
                           .resample = set->protocol == LM_EVAL_0_4_13 };
    cull_status status = make_plan(ctx, set->names, &p);
    task *made = status == CULL_OK ? ctx->host->alloc(ctx, p.n + 1, sizeof *made) : NULL;
    if (!made)
        return status == CULL_OK ? CULL_ENOMEM : status;
    for (size_t i = 0; status == CULL_OK && i < p.n; i++) {
        task_spec *spec = ctx->host->alloc(ctx, 1, sizeof *spec);
        if (!spec)
            return CULL_ENOMEM;
        status = find(ctx, p.name[i], spec);
        if (status == CULL_OK)
            status = task_build(ctx, spec, &how, &made[i]);
    }
    *out = (task_list){ .n = p.n, .task = made, .n_groups = p.n_groups, .group = p.group };
    return status;
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
    if (set->names.n)
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
           "wikitext, from the datasets as the hub has them, a JSON object a line, and request "
           "files of any kind beside them. Shots are drawn as Python's random.Random(1234).sample "
           "does (shot_seed for 1234), one generator a task, in document order. The eight shots "
           "of gsm8k_cot are no part of Cull: tools/export_shots.py writes gsm8k_cot.train.jsonl "
           "from an installed lm-evaluation-harness. Groups are averaged over documents, with the "
           "pooled standard error.",
    .cite = "L. Gao et al., lm-evaluation-harness 0.4.13, lm_eval/tasks; ARC: Clark et al. 2018; "
            "BoolQ: Clark et al. 2019; COPA: Roemmele et al. 2011; HellaSwag: Zellers et al. "
            "2019; MMLU: Hendrycks et al. 2021; OpenBookQA: Mihaylov et al. 2018; PIQA: Bisk et "
            "al. 2020; RTE: Wang et al. 2019 (GLUE); WinoGrande: Sakaguchi et al. 2020; GSM8K: "
            "Cobbe et al. 2021; WikiText: Merity et al. 2016.",
    CULL_SETTINGS(params, struct settings));
