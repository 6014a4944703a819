// One setting from text: its type, its bounds, its words.
#include "plugin/settings.h"

#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

// A value on its way from text into its field.
typedef struct reading {
    cull_ctx *ctx;
    const cull_param *param;
    const char *base;
    char *message;
    size_t size;
} reading;

#define REFUSE(r, ...) (snprintf((r)->message, (r)->size, __VA_ARGS__), CULL_EINVAL)

static cull_status no_memory(const reading *r)
{
    snprintf(r->message, r->size, "out of memory");
    return CULL_ENOMEM;
}

static cull_status check_bounds(const reading *r, const char *text, double value)
{
    const cull_param *p = r->param;
    const bool below = p->lo > CULL_ANY_LO, above = p->hi < CULL_ANY_HI;

    if (value >= p->lo && value <= p->hi)
        return CULL_OK;
    if (below && above)
        return REFUSE(r, "%s is not within [%.15g, %.15g]", text, p->lo, p->hi);
    if (below)
        return REFUSE(r, "%s is less than %.15g", text, p->lo);
    return REFUSE(r, "%s is more than %.15g", text, p->hi);
}

static cull_status read_bool(const reading *r, const char *text, bool *out)
{
    static const char *const words[] = { "false", "no", "off", "true", "yes", "on" };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i]) == 0) {
            *out = i >= 3;
            return CULL_OK;
        }
    return REFUSE(r, "\"%s\" is neither true nor false", text);
}

// Decimal notation alone: strtod would also take "nan", "infinity" and hexadecimal.
static cull_status read_real(const reading *r, const char *text, double *out)
{
    char *end;
    const size_t plain = strspn(text, "+-.0123456789eE");

    const double value = strtod(text, &end);
    if (end == text || *end || text[plain] || !isfinite(value))
        return REFUSE(r, "\"%s\" is not a number", text);
    CULL_TRY(check_bounds(r, text, value));
    *out = value;
    return CULL_OK;
}

// An integer, also written as 1e6. Lists of integers have no bounds of their own.
static cull_status read_int(const reading *r, const char *text, bool bounded, int64_t *out)
{
    char *end;

    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno) {
        const size_t plain = strspn(text, "+-.0123456789eE");
        const double real = strtod(text, &end);
        if (end == text || *end || text[plain] || real != floor(real) || fabs(real) > 0x1p53)
            return REFUSE(r, "\"%s\" is not an integer", text);
        value = (long long)real;
    }
    if (bounded)
        CULL_TRY(check_bounds(r, text, (double)value));
    *out = value;
    return CULL_OK;
}

static cull_status read_choice(const reading *r, const char *text, int64_t *out)
{
    const char *const *choices = r->param->choices;
    cull_buf list = CULL_BUF_INIT;

    for (int64_t i = 0; choices[i]; i++) {
        if (strcmp(choices[i], text) == 0) {
            *out = i;
            cull_buf_release(&list);
            return CULL_OK;
        }
        cull_buf_printf(&list, "%s%s", i ? ", " : "", choices[i]);
    }
    const char *nearest = cull_nearest(text, choices);
    if (nearest)
        snprintf(r->message, r->size, "\"%s\" is none of %s; did you mean \"%s\"?", text,
                 list.s ? list.s : "", nearest);
    else
        snprintf(r->message, r->size, "\"%s\" is none of %s", text, list.s ? list.s : "");
    cull_buf_release(&list);
    return CULL_EINVAL;
}

static cull_status keep_text(const reading *r, const char *text, const char **out)
{
    const char *copy = cull_arena_copy(cull_context_of(r->ctx)->alloc, text, strlen(text));

    if (!copy)
        return no_memory(r);
    *out = copy;
    return CULL_OK;
}

// The path as it is when absolute, else below `base`, else below the current folder.
static cull_status read_path(const reading *r, const char *text, const char **out)
{
    cull_buf path = CULL_BUF_INIT;

    if (!*text)
        return REFUSE(r, "an empty path");
    char *here = *text == '/' || (r->base && *r->base == '/') ? NULL : realpath(".", NULL);
    if (here) {
        cull_path_join(&path, here, r->base ? r->base : "");
        cull_buf base = path;
        path = (cull_buf)CULL_BUF_INIT;
        cull_path_join(&path, base.s ? base.s : "", text);
        path.failed = path.failed || base.failed;
        cull_buf_release(&base);
    } else {
        cull_path_join(&path, r->base ? r->base : "", text);
    }
    free(here);
    const cull_status status = path.failed ? no_memory(r) : keep_text(r, path.s, out);
    cull_buf_release(&path);
    return status;
}

// What glob finds for the path, of whose bytes the first n are a name and no pattern.
static cull_status find(const reading *r, const char *path, size_t n, bool first, glob_t *found)
{
    cull_buf pattern = CULL_BUF_INIT;

    cull_buf_glob(&pattern, path, n);
    cull_buf_puts(&pattern, path + n);
    const int how = GLOB_NOSORT | (first ? 0 : GLOB_APPEND);
    const bool lost = pattern.failed || glob(pattern.s, how, NULL, found) == GLOB_NOSPACE;
    cull_buf_release(&pattern);
    return lost ? no_memory(r) : CULL_OK;
}

// What is found for one name or pattern is added to `found`. The folder that a pattern is relative
// to is none, and what no file matches as a pattern may still be a file's name: "data[1].txt".
static cull_status expand(const reading *r, const char *text, bool first, glob_t *found)
{
    const char *path = NULL;
    const size_t before = first ? 0 : found->gl_pathc;

    CULL_TRY(read_path(r, text, &path));
    const size_t all = strlen(path), own = strlen(text);
    const bool below = own <= all && strcmp(path + all - own, text) == 0;
    CULL_TRY(find(r, path, below ? all - own : 0, first, found));
    if (found->gl_pathc == before)
        CULL_TRY(find(r, path, all, false, found));
    if (found->gl_pathc == before)
        return REFUSE(r, "no file matches \"%s\"", text);
    return CULL_OK;
}

// "a/experiments/../models/x.txt" is a/models/x.txt. The last part stays as it is: hub caches name
// files by links.
static cull_status keep_file(const reading *r, char *path, const char **out)
{
    char *slash = strrchr(path, '/'), *folder = NULL;

    if (strstr(path, "/../") && slash) {
        *slash = '\0';
        folder = realpath(path, NULL);
        *slash = '/';
    }
    if (!folder)
        return keep_text(r, path, out);
    cull_buf tidy = CULL_BUF_INIT;
    cull_path_join(&tidy, folder, slash + 1);
    free(folder);
    const cull_status status = tidy.failed ? no_memory(r) : keep_text(r, tidy.s, out);
    cull_buf_release(&tidy);
    return status;
}

// All files once, sorted by bytes, whatever the locale.
static cull_status keep_found(const reading *r, const glob_t *found, cull_texts *out)
{
    const size_t n = found->gl_pathc;
    const char **at = cull_arena_alloc(cull_context_of(r->ctx)->alloc, n, sizeof *at);
    size_t kept = 0;

    if (!at)
        return no_memory(r);
    qsort(found->gl_pathv, n, sizeof *found->gl_pathv, cull_by_text);
    for (size_t i = 0; i < n; i++)
        if (!kept || strcmp(at[kept - 1], found->gl_pathv[i]) != 0)
            CULL_TRY(keep_file(r, found->gl_pathv[i], &at[kept++]));
    *out = (cull_texts){ kept, at };
    return CULL_OK;
}

static cull_status read_paths(const reading *r, size_t n, const char *const *texts, cull_texts *out)
{
    glob_t found = { 0 };
    cull_status status = CULL_OK;

    for (size_t i = 0; i < n && status == CULL_OK; i++)
        status = expand(r, texts[i], i == 0, &found);
    if (status == CULL_OK)
        status = keep_found(r, &found, out);
    globfree(&found);
    return status;
}

static cull_status read_list(const reading *r, size_t n, const char *const *texts, void *field)
{
    cull_arena *arena = cull_context_of(r->ctx)->alloc;

    if (r->param->type == CULL_PATHS)
        return n ? read_paths(r, n, texts, field) : REFUSE(r, "an empty list of files");
    if (r->param->type == CULL_INTS) {
        int64_t *ints = cull_arena_alloc(arena, n, sizeof *ints);
        if (!ints)
            return no_memory(r);
        for (size_t i = 0; i < n; i++)
            CULL_TRY(read_int(r, texts[i], false, &ints[i]));
        *(cull_ints *)field = (cull_ints){ n, ints };
        return CULL_OK;
    }
    const char **copy = cull_arena_alloc(arena, n, sizeof *copy);
    if (!copy)
        return no_memory(r);
    for (size_t i = 0; i < n; i++)
        CULL_TRY(keep_text(r, texts[i], &copy[i]));
    *(cull_texts *)field = (cull_texts){ n, copy };
    return CULL_OK;
}

cull_status cull_setting_parse(cull_ctx *ctx, const cull_param *param, size_t n,
                               const char *const *texts, const char *base, void *settings,
                               char *message, size_t size)
{
    const reading r = { ctx, param, base, message, size };
    void *field = (char *)settings + param->offset;

    if (cull_setting_is_list(param))
        return read_list(&r, n, texts, field);
    if (n != 1)
        return REFUSE(&r, "one value is wanted, not a list");
    switch (param->type) {
    case CULL_BOOL:
        return read_bool(&r, texts[0], field);
    case CULL_INT:
        return read_int(&r, texts[0], true, field);
    case CULL_REAL:
        return read_real(&r, texts[0], field);
    case CULL_TEXT:
        return keep_text(&r, texts[0], field);
    case CULL_PATH:
        return read_path(&r, texts[0], field);
    case CULL_CHOICE:
        return read_choice(&r, texts[0], field);
    default:
        return REFUSE(&r, "a setting of unknown type %d", (int)param->type);
    }
}
