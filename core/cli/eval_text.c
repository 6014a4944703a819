// The experiment that `cull eval` and its options amount to, as YAML.
#include "cli/eval_text.h"

#include <string.h>
#include <sys/stat.h>

// The part of a list up to the next comma, without blanks around it; *rest moves behind the comma.
static size_t next_item(const char **rest, const char **item)
{
    const char *begin = *rest + strspn(*rest, " ");
    const size_t all = strcspn(begin, ",");
    size_t n = all;

    while (n > 0 && begin[n - 1] == ' ')
        n--;
    *item = begin;
    *rest = begin + all + (begin[all] == ',');
    return n;
}

static bool is_path(const char *item, size_t n)
{
    return memchr(item, '/', n) || memchr(item, '.', n) || memchr(item, '*', n);
}

static bool is_definition(const char *item, size_t n)
{
    static const char ending[] = ".yaml";
    const size_t length = sizeof ending - 1;

    return n > length && memcmp(item + n - length, ending, length) == 0;
}

// A folder stands for its jsonl files.
static void put_data(cull_buf *out, const char *item, size_t n)
{
    struct stat st;
    cull_buf path = CULL_BUF_INIT;

    cull_buf_add(&path, item, n);
    if (path.s && stat(path.s, &st) == 0 && S_ISDIR(st.st_mode)) {
        cull_buf_clear(&path);
        cull_buf_glob(&path, item, n);
        cull_buf_puts(&path, "/*.jsonl*");
    }
    out->failed |= path.failed;
    if (!path.failed && path.s)
        cull_buf_json(out, path.s, path.n);
    cull_buf_release(&path);
}

enum kind { NAMES, DEFINITIONS, FILES, DATA };

static enum kind kind_of(const char *item, size_t n)
{
    return is_definition(item, n) ? DEFINITIONS : is_path(item, n) ? FILES : NAMES;
}

// "key": [ … ], of the list's items that are of this kind; nothing where there are none.
static void put_list(cull_buf *out, const char *key, const char *list, enum kind kind)
{
    size_t written = 0, n;
    const char *item;

    for (const char *rest = list ? list : ""; *rest;) {
        n = next_item(&rest, &item);
        if (n == 0 || (kind != DATA && kind_of(item, n) != kind))
            continue;
        if (written++ == 0)
            cull_buf_printf(out, "\"%s\": [", key);
        else
            cull_buf_puts(out, ", ");
        if (kind == DATA)
            put_data(out, item, n);
        else
            cull_buf_json(out, item, n);
    }
    if (written)
        cull_buf_puts(out, "], ");
}

static void put_setting(cull_buf *out, const char *key, const char *value)
{
    if (!value)
        return;
    cull_buf_printf(out, "\"%s\": ", key);
    cull_buf_json(out, value, strlen(value));
    cull_buf_puts(out, ", ");
}

static void put_experiment(cull_buf *out, const cull_eval_wanted *w, const char *name)
{
    cull_buf_puts(out, "models: {");
    cull_buf_json(out, name, strlen(name));
    cull_buf_puts(out, ": {hf: {path: ");
    cull_buf_json(out, w->model, strlen(w->model));
    cull_buf_puts(out, "}}}\nmetrics:\n");
    if (w->tasks) {
        cull_buf_puts(out, "  - tasks: {");
        put_list(out, "names", w->tasks, NAMES);
        put_list(out, "definitions", w->tasks, DEFINITIONS);
        put_list(out, "files", w->tasks, FILES);
        put_list(out, "data", w->data, DATA);
        put_setting(out, "shots", w->shots);
        put_setting(out, "shot_seed", w->shot_seed);
        put_setting(out, "limit", w->limit);
        put_setting(out, "protocol", w->protocol);
        put_setting(out, "bos", w->bos);
        put_setting(out, "length", w->length);
        cull_buf_puts(out, "}\n");
    }
    for (size_t i = 0; i < w->n_metrics; i++)
        cull_buf_printf(out, "  - %s\n", w->metrics[i]);
}

// "models/tinyworld-mixtral/" → "tinyworld-mixtral"
static const char *name_of(cull_ctx *ctx, const char *model)
{
    size_t n = strlen(model);

    while (n > 1 && model[n - 1] == '/')
        n--;
    size_t from = n;
    while (from > 0 && model[from - 1] != '/')
        from--;
    return cull_arena_copy(cull_context_of(ctx)->alloc, model + from, n - from);
}

cull_status cull_eval_text(cull_ctx *ctx, const cull_eval_wanted *wanted, const char **text,
                           const char **name)
{
    cull_buf out = CULL_BUF_INIT;

    *text = NULL;
    *name = name_of(ctx, wanted->model);
    if (*name) {
        put_experiment(&out, wanted, *name);
        if (!out.failed)
            *text = cull_arena_copy(cull_context_of(ctx)->alloc, out.s, out.n);
    }
    cull_buf_release(&out);
    return *text ? CULL_OK : cull_no_memory(ctx);
}

cull_status cull_eval_cite(cull_ctx *ctx, const cull_eval_wanted *w, cull_spec_source *source)
{
    cull_arena *arena = cull_context_of(ctx)->alloc;
    const char **line = cull_take(ctx, w->n_metrics + 3, sizeof *line);
    size_t n = 0;

    if (!line)
        return CULL_ENOMEM;
    line[n++] = w->model;
    line[n++] = "--metric"; // "metrics:", of which nothing is told
    if (w->tasks)
        line[n++] = cull_arena_printf(arena, "--tasks %s", w->tasks);
    for (size_t i = 0; i < w->n_metrics; i++)
        line[n++] = cull_arena_printf(arena, "--metric %s", w->metrics[i]);
    for (size_t i = 0; i < n; i++)
        if (!line[i])
            return cull_no_memory(ctx);
    source->written = line;
    source->n_written = n;
    return CULL_OK;
}
