// What metadata.json beside request files says of their tasks, applied to them; and its groups.
#include "common/lm_eval/task_metadata.h"

#include <string.h>
#include <unistd.h>

#include "common/lm_eval/task_file.h"

// Report only what the task's own harness does, of what the documents allow.
static void read_metrics(json_t *from, task *t)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } known[] = { { "acc", TASK_ACC | TASK_EXACT },
                  { "acc_norm", TASK_ACC_NORM },
                  { "acc_bytes", TASK_ACC_BYTES },
                  { "perplexity", TASK_SURPRISE },
                  { "exact_match", TASK_MATCH } };
    json_t *list = json_object_get(from, "metrics");
    uint32_t wanted = 0;

    if (json_array_size(list) == 0)
        return;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        for (size_t k = 0; name && k < sizeof known / sizeof *known; k++)
            if (strcmp(name, known[k].name) == 0)
                wanted |= known[k].bit;
    }
    t->metrics &= wanted;
}

static cull_status apply(cull_ctx *ctx, const char *path, json_t *from, task *t)
{
    int64_t shots = 0;

    if (!json_is_object(from))
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: task \"%s\" is %s, not an object", path,
                               t->name, json_kind(from));
    cull_status status = json_get_optional(ctx, path, from, "version", &t->version);
    if (status == CULL_OK && json_object_get(from, "n_shot"))
        status = json_get_int(ctx, path, from, "n_shot", &shots);
    if (status == CULL_OK && shots < 0)
        status = ctx->host->fail(ctx, CULL_EFORMAT, "%s: \"n_shot\" is negative", path);
    t->n_shot = shots > 0 ? (size_t)shots : 0;
    read_metrics(from, t);
    if (status == CULL_OK)
        status = answer_filters_read(ctx, path, from, &t->n_filters, &t->filter);
    return status == CULL_OK ? answer_cleaning_read(ctx, path, from, &t->cleaning) : status;
}

static size_t task_index(const task_list *list, const char *name)
{
    for (size_t i = 0; name && i < list->n; i++)
        if (strcmp(list->task[i].name, name) == 0)
            return i;
    return SIZE_MAX;
}

// What a group averages of its tasks.
static cull_status read_values(cull_ctx *ctx, const char *place, json_t *from, task_group *out)
{
    json_t *by_task = json_object_get(from, "by_task");

    if (by_task && !json_is_boolean(by_task))
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: \"by_task\" is %s, not true or false", place,
                               json_kind(by_task));
    out->by_task = json_is_true(by_task);
    if (!json_object_get(from, "values"))
        return CULL_OK;
    return json_get_strings(ctx, place, from, "values", &out->n_values, &out->value);
}

// The tasks of the group that are in the list.
static cull_status read_members(cull_ctx *ctx, const char *place, json_t *names,
                                const task_list *list, task_group *out)
{
    const size_t most = json_array_size(names);
    size_t *member = ctx->host->alloc(ctx, most + 1, sizeof *member);

    if (!member)
        return CULL_ENOMEM;
    for (size_t i = 0; i < most; i++) {
        const json_t *name = json_array_get(names, i);
        if (!json_is_string(name))
            return ctx->host->fail(ctx, CULL_EFORMAT, "%s: entry %zu is %s, not a task's name",
                                   place, i, json_kind(name));
        const size_t t = task_index(list, json_string_value(name));
        if (t != SIZE_MAX)
            member[out->n++] = t;
    }
    out->member = member;
    return CULL_OK;
}

// Groups are few: the array grows by one copy at a time.
static cull_status add_group(cull_ctx *ctx, const char *path, const char *name, json_t *from,
                             task_list *list)
{
    task_group made = { 0 }, *group = ctx->host->alloc(ctx, list->n_groups + 1, sizeof *group);
    span copy, place;
    json_t *names = from;

    if (!group || span_copy(ctx, span_of(name), &copy) != CULL_OK ||
        span_join(ctx, 4, (span[]){ span_of(path), span_of(": group \""), copy, span_of("\"") },
                  &place) != CULL_OK)
        return CULL_ENOMEM;
    made.name = copy.s;
    cull_status status = task_name_check(ctx, path, name);
    if (status == CULL_OK && task_index(list, name) != SIZE_MAX)
        status = ctx->host->fail(ctx, CULL_EFORMAT, "%s is a task, too", place.s);
    if (status == CULL_OK && !json_is_array(from))
        status = json_get_list(ctx, place.s, from, "tasks", &names);
    if (status == CULL_OK)
        status = read_members(ctx, place.s, names, list, &made);
    if (status == CULL_OK && json_is_object(from))
        status = read_values(ctx, place.s, from, &made);
    if (status != CULL_OK || made.n == 0)
        return status;
    for (size_t g = 0; g < list->n_groups; g++) {
        group[g] = list->group[g];
        if (strcmp(group[g].name, name) == 0) // another folder's of the same name came first
            return CULL_OK;
    }
    group[list->n_groups++] = made;
    list->group = group;
    return CULL_OK;
}

// A part of the file, NULL where there is none.
static cull_status part(cull_ctx *ctx, const char *path, json_t *metadata, const char *key,
                        json_t **out)
{
    *out = json_object_get(metadata, key);
    if (!json_is_object(metadata))
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: this is %s, not an object", path,
                               json_kind(metadata));
    if (*out && !json_is_object(*out))
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: \"%s\" is %s, not an object", path, key,
                               json_kind(*out));
    return CULL_OK;
}

static cull_status apply_file(cull_ctx *ctx, const char *path, task *tasks, task_list *list)
{
    json_t *metadata, *value, *of_tasks, *groups = NULL;
    const char *name;
    cull_status status = json_read(ctx, path, &metadata);

    if (status != CULL_OK)
        return status;
    status = part(ctx, path, metadata, "tasks", &of_tasks);
    if (status == CULL_OK)
        status = part(ctx, path, metadata, "groups", &groups);
    json_object_foreach(of_tasks, name, value)
    {
        const size_t t = task_index(list, name);
        if (status == CULL_OK && t != SIZE_MAX)
            status = apply(ctx, path, value, &tasks[t]);
    }
    json_object_foreach(groups, name, value)
    {
        if (status == CULL_OK)
            status = add_group(ctx, path, name, value, list);
    }
    json_decref(metadata);
    return status;
}

cull_status task_metadata_apply(cull_ctx *ctx, cull_texts files, task *tasks, task_list *list)
{
    const char *before = "";

    for (size_t f = 0; f < files.n; f++) {
        const char *slash = strrchr(files.at[f], '/');
        const span folder = { files.at[f], slash ? (size_t)(slash + 1 - files.at[f]) : 0 };
        span path;
        cull_status status = span_join(ctx, 2, (span[]){ folder, span_of("metadata.json") }, &path);
        if (status != CULL_OK)
            return status;
        if (strcmp(path.s, before) == 0 || access(path.s, R_OK) != 0)
            continue;
        before = path.s;
        status = apply_file(ctx, path.s, tasks, list);
        if (status != CULL_OK)
            return status;
    }
    return CULL_OK;
}
