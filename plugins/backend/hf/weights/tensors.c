// The safetensors files of a checkpoint, and its tensors by name.
#include "tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/config.h"
#include "model.h"

#define INDEX "model.safetensors.index.json"

enum { MOST_FILES = 4096 };

static bool is_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const hf_tensor *)a)->name, ((const hf_tensor *)b)->name);
}

hf_tensor *hf_files_find(const hf_files *files, const char *name)
{
    const hf_tensor key = { .name = name };

    return files->n_tensors ? bsearch(&key, files->tensor, files->n_tensors, sizeof key, by_name)
                            : NULL;
}

static int file_name_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// The distinct file names of a weight_map, in order.
static cull_status list_shards(cull_ctx *ctx, const char *path, json_t *map, hf_files *files)
{
    const char **names = ctx->host->scratch(ctx, json_object_size(map), sizeof *names);
    size_t n = 0, distinct = 0;
    const char *tensor;
    json_t *value;

    if (!names)
        return CULL_ENOMEM;
    json_object_foreach(map, tensor, value)
    {
        const char *name = json_string_value(value);
        if (!name || !*name || *name == '.' || strpbrk(name, "/\\"))
            return ctx->host->fail(ctx, CULL_EFORMAT,
                                   "%s: \"%.200s\" must be mapped to the bare name of a file", path,
                                   tensor);
        names[n++] = name;
    }
    qsort(names, n, sizeof *names, file_name_order);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(names[i], names[i - 1]) != 0)
            names[distinct++] = names[i];
    if (distinct > MOST_FILES)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: %zu shards are too many", path, distinct);
    files->name = ctx->host->alloc(ctx, distinct, sizeof *files->name);
    files->file = ctx->host->alloc(ctx, distinct, sizeof *files->file);
    for (size_t i = 0; files->name && i < distinct; i++)
        if (!(files->name[i] = hf_text(ctx, "%s", names[i])))
            return CULL_ENOMEM;
    files->n = distinct;
    return files->name && files->file ? CULL_OK : CULL_ENOMEM;
}

static cull_status open_files(cull_ctx *ctx, const char *folder, hf_files *files)
{
    for (size_t i = 0; i < files->n; i++) {
        const char *path = hf_text(ctx, "%s/%s", folder, files->name[i]);
        if (!path)
            return CULL_ENOMEM;
        CULL_TRY(files->st->open(ctx, path, &files->file[i]));
        files->n_tensors += files->st->count(files->file[i]);
    }
    return CULL_OK;
}

// All tensors of all files in the order of their names; a name that comes twice is refused.
static cull_status list_tensors(cull_ctx *ctx, const char *folder, hf_files *files)
{
    size_t n = 0;

    if (files->n_tensors == 0)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: there are no tensors", folder);
    files->tensor = ctx->host->alloc(ctx, files->n_tensors, sizeof *files->tensor);
    if (!files->tensor)
        return CULL_ENOMEM;
    for (size_t i = 0; i < files->n; i++)
        for (size_t j = 0; j < files->st->count(files->file[i]); j++, n++) {
            files->tensor[n].name = files->st->at(files->file[i], j, &files->tensor[n].t);
            files->tensor[n].file = i;
        }
    qsort(files->tensor, n, sizeof *files->tensor, by_name);
    for (size_t i = 1; i < n; i++)
        if (strcmp(files->tensor[i].name, files->tensor[i - 1].name) == 0)
            return ctx->host->fail(ctx, CULL_EFORMAT, "%s: tensor \"%s\" is in both %s and %s",
                                   folder, files->tensor[i].name,
                                   files->name[files->tensor[i - 1].file],
                                   files->name[files->tensor[i].file]);
    return CULL_OK;
}

// Every tensor that the index lists must be in the file it names.
static cull_status check_index(cull_ctx *ctx, const char *path, json_t *map, hf_files *files)
{
    const char *tensor;
    json_t *value;

    json_object_foreach(map, tensor, value)
    {
        const hf_tensor *found = hf_files_find(files, tensor);
        const char *name = json_string_value(value);
        if (!found)
            return ctx->host->fail(ctx, CULL_EFORMAT, "%s: tensor \"%.200s\" is not in %s", path,
                                   tensor, name);
        if (strcmp(files->name[found->file], name) != 0)
            return ctx->host->fail(ctx, CULL_EFORMAT,
                                   "%s: tensor \"%.200s\" is not in %s but in %s", path, tensor,
                                   name, files->name[found->file]);
    }
    files->unlisted = files->n_tensors - json_object_size(map);
    return CULL_OK;
}

static cull_status open_index(cull_ctx *ctx, const char *folder, const char *path, json_t *root,
                              hf_files *files)
{
    json_t *map = json_object_get(root, "weight_map");

    if (!json_is_object(map) || json_object_size(map) == 0)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: weight_map must list tensors", path);
    CULL_TRY(list_shards(ctx, path, map, files));
    CULL_TRY(open_files(ctx, folder, files));
    CULL_TRY(list_tensors(ctx, folder, files));
    return check_index(ctx, path, map, files);
}

static cull_status open_single(cull_ctx *ctx, const char *folder, hf_files *files)
{
    files->name = ctx->host->alloc(ctx, 1, sizeof *files->name);
    files->file = ctx->host->alloc(ctx, 1, sizeof *files->file);
    if (!files->name || !files->file)
        return CULL_ENOMEM;
    files->name[0] = "model.safetensors";
    files->n = 1;
    CULL_TRY(open_files(ctx, folder, files));
    return list_tensors(ctx, folder, files);
}

// An index beside model.safetensors is not read, as transformers does not; but where it names
// another file the two contradict each other.
static cull_status look_beside(cull_ctx *ctx, const char *index, hf_files *files)
{
    json_t *root = is_file(index) ? json_load_file(index, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const char *tensor;
    json_t *value;
    cull_status status = CULL_OK;

    json_object_foreach(json_object_get(root, "weight_map"), tensor, value)
    {
        const char *name = json_string_value(value);
        if (files->beside || (name && strcmp(name, "model.safetensors") == 0))
            continue;
        files->beside = hf_text(ctx, "\"%.200s\"", name ? name : tensor);
        status = files->beside ? CULL_OK : CULL_ENOMEM;
    }
    json_decref(root);
    return status;
}

cull_status hf_files_open(cull_ctx *ctx, const char *folder, bool may_miss, hf_files *files)
{
    const char *single = hf_text(ctx, "%s/model.safetensors", folder);
    const char *index = hf_text(ctx, "%s/" INDEX, folder);
    json_t *root;

    *files = (hf_files){ .st = ctx->host->extension(ctx, CULL_EXT_SAFETENSORS) };
    if (!single || !index)
        return CULL_ENOMEM;
    if (!files->st)
        return ctx->host->fail(ctx, CULL_EENV, "this Cull lacks the service " CULL_EXT_SAFETENSORS);
    if (is_file(single)) {
        CULL_TRY(look_beside(ctx, index, files));
        return open_single(ctx, folder, files);
    }
    files->missing = may_miss && !is_file(index);
    if (files->missing)
        return CULL_OK;
    if (!is_file(index))
        return ctx->host->fail(ctx, CULL_EIO,
                               "%s: neither model.safetensors nor " INDEX
                               " is there (weights in other formats are not supported)",
                               folder);
    CULL_TRY(hf_json_load(ctx, index, &root));
    const cull_status status = open_index(ctx, folder, index, root, files);
    json_decref(root);
    return status;
}

void hf_files_close(hf_files *files)
{
    for (size_t i = 0; files->file && i < files->n; i++)
        if (files->file[i])
            files->st->close(files->file[i]);
    files->n = 0;
}

void hf_files_range(const hf_files *files, const char *prefix, size_t *first, size_t *end)
{
    const size_t n = strlen(prefix);
    size_t low = 0, high = files->n_tensors;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strncmp(files->tensor[middle].name, prefix, n) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *first = low;
    while (low < files->n_tensors && strncmp(files->tensor[low].name, prefix, n) == 0)
        low++;
    *end = low;
}

// all: with what an export alone reads.
static void each_used(const hf_files *files, size_t first, size_t end, bool all,
                      void (*fn)(const cull_safetensors *, const void *, size_t))
{
    for (size_t i = first; fn && i < end; i++) {
        const enum hf_role role = files->tensor[i].role;
        if (role && (all || (role != HF_BESIDE && role != HF_SECOND)))
            fn(files->file[files->tensor[i].file], files->tensor[i].t.data,
               files->tensor[i].t.bytes);
    }
}

void hf_files_prefetch(const hf_files *files, size_t first, size_t end)
{
    each_used(files, first, end, false, files->st->prefetch);
}

void hf_files_release(const hf_files *files, size_t first, size_t end)
{
    each_used(files, first, end, true, files->st->release);
}
