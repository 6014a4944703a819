// Statistics on disk, under the key of what determines them.
#include "flow/calibration_cache.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/safetensors.h"
#include "record/folder/folder.h"

static const char letters[] = {
#define LETTER(name, letter, word, text) #letter[0],
    CULL_STAT_GROUPS(LETTER)
#undef LETTER
};

static void letters_of(uint32_t groups, char *out)
{
    for (size_t i = 0; i < CULL_N_STAT_GROUPS; i++)
        if (groups & 1u << i)
            *out++ = letters[i];
    *out = '\0';
}

static uint32_t groups_of(const char *word, size_t n)
{
    uint32_t groups = 0;

    for (size_t c = 0; c < n; c++) {
        const char *at = memchr(letters, word[c], sizeof letters);
        if (!at)
            return 0;
        groups |= 1u << (at - letters);
    }
    return groups;
}

// ---- the cache ----

static const char *cache_name(cull_ctx *ctx, const cull_calibrate_job *job, const char *key,
                              const char *what)
{
    const char *name =
        cull_arena_printf(cull_context_of(ctx)->alloc, "%s/calibration/%s.%s.safetensors",
                          job->cache->path, key, what);

    if (!name)
        cull_no_memory(ctx);
    return name;
}

// Do these letters, of a file of the gather, name a group that is wanted and not yet there?
static bool helps(const cull_stats_store *store, uint32_t wanted, const char *word)
{
    return groups_of(word, strcspn(word, ".")) & wanted & ~cull_stats_store_view(store)->groups;
}

// A damaged file is said, and its groups are gathered anew.
cull_status cull_cache_read(cull_ctx *ctx, const cull_calibrate_job *job, uint32_t wanted,
                            cull_stats_store *store)
{
    cull_arena *arena = cull_context_of(ctx)->alloc;
    const char *folder = cull_arena_printf(arena, "%s/calibration", job->cache->path);
    const char *const *name, *key = job->set->key.hex;
    size_t n, length = strlen(key);

    if (!folder)
        return cull_no_memory(ctx);
    CULL_TRY(cull_folder_list(ctx, folder, ".safetensors", &n, &name));
    for (size_t i = 0; i < n; i++) {
        if (strncmp(name[i], key, length) != 0 || name[i][length] != '.' ||
            !helps(store, wanted, name[i] + length + 1))
            continue;
        const char *path = cull_arena_printf(arena, "%s/%s", folder, name[i]);
        if (!path)
            return cull_no_memory(ctx);
        const cull_status status = cull_stats_store_load(ctx, store, path);
        if (status == CULL_ENOMEM)
            return status;
        if (status == CULL_OK)
            continue;
        cull_log_line(cull_context_of(ctx)->log, CULL_WARN, "%s; gathered anew",
                      cull_context_of(ctx)->error.sentence);
        cull_error_clear(ctx);
    }
    return CULL_OK;
}

cull_status cull_cache_groups(cull_ctx *ctx, const char *folder, const char *key, uint32_t *groups)
{
    const char *dir = cull_arena_printf(cull_context_of(ctx)->scratch, "%s/calibration", folder);
    const char *const *name;
    size_t n, length = strlen(key);

    *groups = 0;
    if (!dir)
        return cull_no_memory(ctx);
    CULL_TRY(cull_folder_list(ctx, dir, ".safetensors", &n, &name));
    for (size_t i = 0; i < n; i++)
        if (strncmp(name[i], key, length) == 0 && name[i][length] == '.')
            *groups |= groups_of(name[i] + length + 1, strcspn(name[i] + length + 1, "."));
    return CULL_OK;
}

bool cull_cache_has_observer(cull_ctx *ctx, const char *folder, const char *key)
{
    struct stat st;
    const char *path = cull_arena_printf(cull_context_of(ctx)->scratch,
                                         "%s/calibration/%s.observer.safetensors", folder, key);

    return path && stat(path, &st) == 0;
}

cull_status cull_cache_read_observer(cull_ctx *ctx, const cull_calibrate_job *job, size_t i,
                                     double **acc, bool *found)
{
    const cull_prepared_model *s = job->prepared;
    const char *path = cache_name(ctx, job, job->observer_keys[i].hex, "observer");
    struct stat st;
    cull_safetensors *file;

    *found = false;
    if (!path)
        return CULL_ENOMEM;
    if (stat(path, &st) != 0)
        return CULL_OK;
    const cull_status opened = cull_safetensors_open_sealed(ctx, path, &file);
    if (opened == CULL_EFORMAT) {
        cull_log_line(cull_context_of(ctx)->log, CULL_WARN, "%s; gathered anew",
                      cull_context_of(ctx)->error.sentence);
        cull_error_clear(ctx);
        return CULL_OK;
    }
    CULL_TRY(opened);
    bool good = true;
    for (size_t l = 0; l < s->opened.facts->L; l++) {
        const size_t n = job->out->observer[i].n[l];
        char name[40];
        cull_tensor tensor;
        snprintf(name, sizeof name, "layer.%zu", l);
        if (n == 0)
            continue;
        if (!cull_safetensors_find(file, name, &tensor) || tensor.dtype != CULL_DT_F64 ||
            tensor.bytes != n * sizeof(double))
            good = false;
        else
            memcpy(acc[l], tensor.data, tensor.bytes);
    }
    cull_safetensors_close(file);
    *found = good;
    return CULL_OK;
}

cull_status cull_cache_write_observer(cull_ctx *ctx, const cull_calibrate_job *job, size_t i,
                                      double *const *acc)
{
    const cull_prepared_model *s = job->prepared;
    const size_t L = s->opened.facts->L;
    const char *path = cache_name(ctx, job, job->observer_keys[i].hex, "observer");
    cull_entry *entry = cull_scratch(ctx, L, sizeof *entry);
    size_t n = 0, *layer = cull_scratch(ctx, L, sizeof *layer);

    if (!path || !entry || !layer)
        return CULL_ENOMEM;
    for (size_t l = 0; l < L; l++) {
        const size_t doubles = job->out->observer[i].n[l];
        if (doubles == 0)
            continue;
        char *name = cull_arena_printf(cull_context_of(ctx)->scratch, "layer.%zu", l);
        if (!name)
            return cull_no_memory(ctx);
        layer[n] = l;
        entry[n++] = (cull_entry){ sizeof(cull_entry), name, CULL_DT_F64, 1, { doubles } };
    }
    cull_safetensors_writer *writer;
    CULL_TRY(cull_safetensors_create_sealed(ctx, path, n, entry, 0, NULL, &writer));
    for (size_t j = 0; j < n; j++) {
        const cull_status status =
            cull_safetensors_put(ctx, writer, j, acc[layer[j]], entry[j].shape[0] * sizeof(double));
        if (status != CULL_OK) {
            cull_safetensors_abandon(writer);
            return status;
        }
    }
    return cull_safetensors_finish(ctx, writer);
}

cull_status cull_cache_write(cull_ctx *ctx, const cull_calibrate_job *job, uint32_t groups,
                             const cull_stats_store *store)
{
    char word[CULL_N_STAT_GROUPS + 1];

    letters_of(groups, word);
    const char *path = cache_name(ctx, job, job->set->key.hex, word);
    return path ? cull_stats_store_save(ctx, store, path) : CULL_ENOMEM;
}
