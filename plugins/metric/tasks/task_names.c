// From names to tasks: find the files, read them, enter their tasks and groups.
#define _GNU_SOURCE // dladdr
#include "task_names.h"

#include <dlfcn.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct wanted {
    const task_definition *from;
    const char *part; // of a family: subject or category; "": all
} wanted;

// ---- files ----

// The folder tasks/ beside this plugin.
static cull_status shipped_folder(cull_ctx *ctx, span *out)
{
    static const char here[] = "";
    Dl_info info;

    if (dladdr(here, &info) == 0)
        return ctx->host->fail(ctx, CULL_EENV, "the plugin does not know where it lies");
    const char *slash = strrchr(info.dli_fname, '/');
    const span folder = { info.dli_fname, slash ? (size_t)(slash + 1 - info.dli_fname) : 0 };
    return span_join(ctx, 2, (span[]){ folder, span_of("tasks/") }, out);
}

enum { ALIKE = 3, TOLD = 4, ROOM = 200 }; // letters at the beginning; names told, and their bytes

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

// Letters to change, add or leave out between a and b, of n letters.
static size_t letters_apart(const char *a, const char *b, size_t n)
{
    size_t row[NAME_MAX + 1]; // from what of a has been seen to the first j letters of b

    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; *a; a++, i++) {
        size_t across = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            const size_t changed = across + (*a != b[j - 1]);
            across = row[j];
            row[j] = least(changed, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[n];
}

// Do they begin alike, or differ in a third of their letters at most?
static bool is_alike(const char *name, const char *own, size_t n)
{
    const size_t longer = n > strlen(name) ? n : strlen(name);

    return (strlen(name) >= ALIKE && strncmp(name, own, ALIKE) == 0) ||
           letters_apart(name, own, n) <= longer / 3;
}

// "; there is arc_easy": the files whose names are like this one.
static void names_alike(span folder, const char *name, char text[ROOM])
{
    char pattern[PATH_MAX];
    glob_t found;
    size_t used = 0, told = 0;

    *text = '\0';
    snprintf(pattern, sizeof pattern, "%s*.yaml", folder.s);
    if (strchr(name, '/') || glob(pattern, 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc && told < TOLD && used < ROOM; i++) {
        const char *own = found.gl_pathv[i] + strlen(folder.s);
        const size_t n = strlen(own) - strlen(".yaml");
        if (!is_alike(name, own, n))
            continue;
        const int wrote = snprintf(text + used, ROOM - used, "%s%.*s",
                                   told++ ? ", " : "; there is ", (int)n, own);
        used += wrote > 0 ? (size_t)wrote : 0;
    }
    globfree(&found);
}

// The file that has the whole name, else that of the longest part of it before a "_".
static cull_status find_file(cull_ctx *ctx, span folder, const char *name, const char **path,
                             const char **part)
{
    size_t n = strchr(name, '/') ? 0 : strlen(name);

    while (n > 0) {
        span found;
        CULL_TRY(span_join(ctx, 3, (span[]){ folder, { name, n }, span_of(".yaml") }, &found));
        if (access(found.s, F_OK) == 0) {
            *path = found.s;
            *part = name[n] ? name + n + 1 : "";
            return CULL_OK;
        }
        do
            n--;
        while (n > 0 && name[n] != '_');
    }
    char alike[ROOM];
    names_alike(folder, name, alike);
    return ctx->host->fail(ctx, CULL_EINVAL,
                           "there is no task \"%s\"%s (those that come with Cull are the "
                           "files of tasks/ beside its plugins, your own are named in "
                           "`definitions`)",
                           name, alike);
}

// Read a file, or have what was read of it before.
static cull_status define(cull_ctx *ctx, const char *path, size_t n, const wanted *before,
                          const task_definition **out)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(before[i].from->path, path) == 0) {
            *out = before[i].from;
            return CULL_OK;
        }
    task_definition *made = ctx->host->alloc(ctx, 1, sizeof *made);
    *out = made;
    return made ? task_yaml_read(ctx, path, made) : CULL_ENOMEM;
}

// ---- tasks and groups ----

static cull_status enter(cull_ctx *ctx, task_plan *p, const task_definition *from, size_t subject,
                         size_t *index)
{
    task_spec *spec = ctx->host->alloc(ctx, 1, sizeof *spec);

    if (!spec)
        return CULL_ENOMEM;
    *spec = from->spec;
    if (from->n_subjects)
        CULL_TRY(task_of_subject(ctx, from, subject, spec));
    for (*index = 0; *index < p->n; ++*index)
        if (strcmp(p->task[*index]->name, spec->name) == 0)
            return p->from[*index] == from
                       ? CULL_OK
                       : ctx->host->fail(ctx, CULL_EINVAL, "task \"%s\" is named twice",
                                         spec->name);
    p->from[p->n] = from;
    p->task[p->n++] = spec;
    return CULL_OK;
}

// The subjects of a category (NULL: all) become tasks, and a group of them.
static cull_status enter_group(cull_ctx *ctx, task_plan *p, const task_definition *from,
                               const char *category)
{
    size_t *member = ctx->host->alloc(ctx, from->n_subjects, sizeof *member), n = 0;
    span name;

    if (!member)
        return CULL_ENOMEM;
    const span parts[] = { span_of(from->name), span_of("_"), span_of(category ? category : "") };
    CULL_TRY(span_join(ctx, category ? 3 : 1, parts, &name));
    for (size_t g = 0; g < p->n_groups; g++)
        if (strcmp(p->group[g].name, name.s) == 0)
            return CULL_OK;
    for (size_t i = 0; i < from->n_subjects; i++)
        if (!category || strcmp(from->category[i], category) == 0)
            CULL_TRY(enter(ctx, p, from, i, &member[n++]));
    p->group[p->n_groups++] = (task_group){ .name = name.s, .n = n, .member = member };
    return CULL_OK;
}

static cull_status enter_wanted(cull_ctx *ctx, task_plan *p, const wanted *w)
{
    const task_definition *from = w->from;
    size_t index;

    if (!*w->part && from->n_subjects == 0)
        return enter(ctx, p, from, 0, &index);
    if (!*w->part) {
        CULL_TRY(enter_group(ctx, p, from, NULL));
        for (size_t i = 0; i < from->n_categories; i++)
            CULL_TRY(enter_group(ctx, p, from, from->categories[i]));
        return CULL_OK;
    }
    for (size_t i = 0; i < from->n_categories; i++)
        if (strcmp(from->categories[i], w->part) == 0)
            return enter_group(ctx, p, from, w->part);
    for (size_t i = 0; i < from->n_subjects; i++)
        if (strcmp(from->subject[i], w->part) == 0)
            return enter(ctx, p, from, i, &index);
    return ctx->host->fail(ctx, CULL_EINVAL,
                           "there is no task \"%s_%s\": %s has no such subject or category",
                           from->name, w->part, from->path);
}

cull_status task_plan_make(cull_ctx *ctx, cull_texts names, cull_texts files, task_plan *out)
{
    const size_t n = names.n + files.n;
    size_t tasks = 0, groups = 0;
    wanted *all = ctx->host->alloc(ctx, n + 1, sizeof *all);
    span folder;

    if (!all)
        return CULL_ENOMEM;
    CULL_TRY(shipped_folder(ctx, &folder));
    for (size_t i = 0; i < n; i++) {
        const char *path = i < names.n ? NULL : files.at[i - names.n];
        all[i].part = "";
        if (!path)
            CULL_TRY(find_file(ctx, folder, names.at[i], &path, &all[i].part));
        CULL_TRY(define(ctx, path, i, all, &all[i].from));
        tasks += all[i].from->n_subjects + 1;
        groups += all[i].from->n_categories + 1;
    }
    *out = (task_plan){ 0 };
    out->task = ctx->host->alloc(ctx, tasks + 1, sizeof *out->task);
    out->from = ctx->host->alloc(ctx, tasks + 1, sizeof *out->from);
    out->group = ctx->host->alloc(ctx, groups + 1, sizeof *out->group);
    if (!out->task || !out->from || !out->group)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++)
        CULL_TRY(enter_wanted(ctx, out, &all[i]));
    return CULL_OK;
}
