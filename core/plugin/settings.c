// A settings table as the host sees it: rows found, values set, freed, written out.
#include "plugin/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"

const cull_param *cull_setting_at(const cull_plugin *plugin, size_t i)
{
    return (const cull_param *)((const char *)plugin->params + i * plugin->param_size);
}

const cull_param *cull_setting_find(const cull_plugin *plugin, const char *name)
{
    for (size_t i = 0; i < plugin->n_params; i++)
        if (strcmp(cull_setting_at(plugin, i)->name, name) == 0)
            return cull_setting_at(plugin, i);
    return NULL;
}

const char *cull_setting_nearest(const cull_plugin *plugin, const char *name)
{
    const char **names = cull_alloc(plugin->n_params + 1, sizeof *names);

    if (!names)
        return NULL;

    for (size_t i = 0; i < plugin->n_params; i++)
        names[i] = cull_setting_at(plugin, i)->name;
    const char *nearest = cull_nearest(name, names);
    cull_free(names);
    return nearest;
}

bool cull_setting_is_list(const cull_param *param)
{
    return param->type == CULL_TEXTS || param->type == CULL_PATHS || param->type == CULL_INTS;
}

static void set_default(const cull_param *param, char *field)
{
    switch (param->type) {
    case CULL_BOOL:
        *(bool *)(void *)field = param->def != 0;
        break;
    case CULL_INT:
    case CULL_CHOICE:
        *(int64_t *)(void *)field = (int64_t)param->def;
        break;
    case CULL_REAL:
        *(double *)(void *)field = param->def;
        break;
    case CULL_TEXT:
        *(const char **)(void *)field = param->def_text;
        break;
    case CULL_PATH:
    case CULL_TEXTS:
    case CULL_PATHS:
    case CULL_INTS:
        break; // none, an empty list
    }
}

cull_status cull_settings_new(cull_ctx *ctx, const cull_plugin *plugin, void **out)
{
    char *settings = cull_take(ctx, plugin->settings_size ? plugin->settings_size : 1, 1);

    *out = settings;
    if (!settings)
        return CULL_ENOMEM;
    for (size_t i = 0; i < plugin->n_params; i++) {
        const cull_param *param = cull_setting_at(plugin, i);
        set_default(param, settings + param->offset);
    }
    return CULL_OK;
}

const cull_param *cull_settings_missing(const cull_plugin *plugin, const bool *given)
{
    for (size_t i = 0; i < plugin->n_params; i++)
        if ((cull_setting_at(plugin, i)->flags & CULL_REQUIRED) && !given[i])
            return cull_setting_at(plugin, i);
    return NULL;
}

// ---- content keys ----

// A file counts by its base name and content, anything else by its path.
static cull_status hash_path(cull_ctx *ctx, const char *path, cull_hash *hash)
{
    struct stat st;
    cull_key key;
    const bool there = stat(path, &st) == 0;

    if (!there && errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG)
        return cull_fail(ctx, CULL_EIO, "%s: %s", path, strerror(errno));
    if (!there || !S_ISREG(st.st_mode)) {
        cull_hash_text(hash, path);
        return CULL_OK;
    }
    const int error = cull_key_of_file(path, &key);
    if (error)
        return cull_fail(ctx, CULL_EIO, "%s: %s", path, strerror(error));
    const char *slash = strrchr(path, '/');
    cull_hash_text(hash, slash ? slash + 1 : path);
    cull_hash_text(hash, key.hex);
    return CULL_OK;
}

static void hash_text(const char *text, cull_hash *hash)
{
    cull_hash_u64(hash, text != NULL);
    if (text)
        cull_hash_text(hash, text);
}

static cull_status hash_list(cull_ctx *ctx, const cull_param *param, const void *field,
                             cull_hash *hash)
{
    if (param->type == CULL_INTS) {
        const cull_ints *ints = field;
        cull_hash_u64(hash, ints->n);
        for (size_t i = 0; i < ints->n; i++)
            cull_hash_u64(hash, (uint64_t)ints->at[i]);
        return CULL_OK;
    }

    const cull_texts *texts = field;
    cull_hash_u64(hash, texts->n);
    for (size_t i = 0; i < texts->n; i++)
        if (param->type == CULL_PATHS)
            CULL_TRY(hash_path(ctx, texts->at[i], hash));
        else
            cull_hash_text(hash, texts->at[i]);
    return CULL_OK;
}

static cull_status hash_field(cull_ctx *ctx, const cull_param *param, const void *field,
                              cull_hash *hash)
{
    const char *text;

    switch (param->type) {
    case CULL_BOOL:
        cull_hash_u64(hash, *(const bool *)field);
        return CULL_OK;
    case CULL_INT:
        cull_hash_u64(hash, (uint64_t) * (const int64_t *)field);
        return CULL_OK;
    case CULL_REAL:
        cull_hash_f64(hash, *(const double *)field);
        return CULL_OK;
    case CULL_CHOICE: // by word, so that choices may be reordered
        cull_hash_text(hash, param->choices[*(const int64_t *)field]);
        return CULL_OK;
    case CULL_TEXT:
        hash_text(*(const char *const *)field, hash);
        return CULL_OK;
    case CULL_PATH:
        text = *(const char *const *)field;
        cull_hash_u64(hash, text != NULL);
        return text ? hash_path(ctx, text, hash) : CULL_OK;
    case CULL_TEXTS:
    case CULL_PATHS:
    case CULL_INTS:
        return hash_list(ctx, param, field, hash);
    }
    return CULL_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const cull_param *const *)a)->name, (*(const cull_param *const *)b)->name);
}

cull_status cull_settings_hash(cull_ctx *ctx, const cull_plugin *plugin, const void *settings,
                               cull_hash *hash)
{
    const size_t n = plugin->n_params;
    const cull_param **row = cull_scratch(ctx, n, sizeof *row);

    if (!row)
        return CULL_ENOMEM;

    for (size_t i = 0; i < n; i++)
        row[i] = cull_setting_at(plugin, i);
    if (n)
        qsort(row, n, sizeof *row, by_name);
    for (size_t i = 0; i < n; i++) {
        if (row[i]->flags & CULL_NO_KEY)
            continue;
        cull_hash_text(hash, row[i]->name);
        CULL_TRY(hash_field(ctx, row[i], (const char *)settings + row[i]->offset, hash));
    }
    return CULL_OK;
}

// ---- showing ----

// The shortest decimal that reads back as the same double.
static void show_real(double x, cull_buf *out)
{
    char text[32];

    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    cull_buf_puts(out, text);
}

static void show_text(const char *text, bool json, cull_buf *out)
{
    if (!text)
        cull_buf_puts(out, json ? "null" : "none");
    else if (json)
        cull_buf_json(out, text, strlen(text));
    else
        cull_buf_puts(out, text);
}

static void show_list(const cull_param *param, const void *field, bool json, cull_buf *out)
{
    const cull_texts *texts = field;
    const cull_ints *ints = field;
    const size_t n = param->type == CULL_INTS ? ints->n : texts->n;

    cull_buf_puts(out, "[");
    for (size_t i = 0; i < n; i++) {
        cull_buf_puts(out, i ? (json ? "," : ", ") : "");
        if (param->type == CULL_INTS)
            cull_buf_printf(out, "%" PRId64, ints->at[i]);
        else
            show_text(texts->at[i], json, out);
    }
    cull_buf_puts(out, "]");
}

static void show(const cull_param *param, const void *settings, bool json, cull_buf *out)
{
    const void *field = (const char *)settings + param->offset;

    switch (param->type) {
    case CULL_BOOL:
        cull_buf_puts(out, *(const bool *)field ? "true" : "false");
        break;
    case CULL_INT:
        cull_buf_printf(out, "%" PRId64, *(const int64_t *)field);
        break;
    case CULL_REAL:
        show_real(*(const double *)field, out);
        break;
    case CULL_CHOICE:
        show_text(param->choices[*(const int64_t *)field], json, out);
        break;
    case CULL_TEXT:
    case CULL_PATH:
        show_text(*(const char *const *)field, json, out);
        break;
    case CULL_TEXTS:
    case CULL_PATHS:
    case CULL_INTS:
        show_list(param, field, json, out);
        break;
    }
}

void cull_setting_show(const cull_param *param, const void *settings, cull_buf *out)
{
    show(param, settings, false, out);
}

void cull_settings_json(const cull_plugin *plugin, const void *settings, cull_buf *out)
{
    cull_buf_puts(out, "{");
    for (size_t i = 0; i < plugin->n_params; i++) {
        const cull_param *param = cull_setting_at(plugin, i);
        cull_buf_puts(out, i ? "," : "");
        cull_buf_json(out, param->name, strlen(param->name));
        cull_buf_puts(out, ":");
        show(param, settings, true, out);
    }
    cull_buf_puts(out, "}");
}
