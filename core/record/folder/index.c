// The derived table of a folder's trials, with links.
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "record/folder/folder.h"
#include "record/h5/h5.h"
#include "record/trial_file.h"

// The columns of the table of trials: attributes of a trial's root or of its /cut.
enum { TEXTS = 10, REALS = 6 };

static const struct {
    const char *where, *name;
} text_columns[TEXTS] = { { "/", "trial_id" }, { "/", "title" },      { "/", "model" },
                          { "/", "method" },   { "/", "allocation" }, { "/", "precision" },
                          { "/", "created" },  { "/", "finished" },   { "/", "calibration" },
                          { "/", "layers" } },
  real_columns[REALS] = { { "/", "sparsity" },           { "/", "seed" },
                          { "/cut", "achieved_expert" }, { "/cut", "achieved_all" },
                          { "/cut", "achieved_active" }, { "/", "schema_version" } };

typedef struct table {
    size_t n;
    const char **text[TEXTS], **file, **key;
    double *real[REALS];
} table;

static bool table_make(cull_ctx *ctx, table *t, size_t n)
{
    bool ok = true;
    const size_t room = n ? n : 1;

    for (size_t c = 0; ok && c < TEXTS; c++)
        ok = (t->text[c] = cull_scratch(ctx, room, sizeof *t->text[c])) != NULL;
    for (size_t c = 0; ok && c < REALS; c++)
        ok = (t->real[c] = cull_scratch(ctx, room, sizeof *t->real[c])) != NULL;
    t->file = ok ? cull_scratch(ctx, room, sizeof *t->file) : NULL;
    t->key = t->file ? cull_scratch(ctx, room, sizeof *t->key) : NULL;
    return t->key != NULL;
}

static cull_status read_row(cull_ctx *ctx, cull_h5_in *file, const char *path, table *t)
{
    for (size_t c = 0; c < TEXTS; c++)
        CULL_TRY(
            cull_h5_get_text(file, text_columns[c].where, text_columns[c].name, &t->text[c][t->n]));
    for (size_t c = 0; c < REALS; c++) {
        t->real[c][t->n] = NAN;
        CULL_TRY(
            cull_h5_get_real(file, real_columns[c].where, real_columns[c].name, &t->real[c][t->n]));
    }
    cull_key key;
    if (cull_key_of_file(path, &key) != 0)
        return cull_fail(ctx, CULL_EIO, "%s: cannot be read", path);
    t->key[t->n] = cull_arena_copy(cull_context_of(ctx)->scratch, key.hex, strlen(key.hex));
    return t->key[t->n] ? CULL_OK : cull_no_memory(ctx);
}

static cull_status read_table(cull_ctx *ctx, const char *dir, table *t)
{
    const char *const *names;
    size_t n;
    const char *trials = cull_arena_printf(cull_context_of(ctx)->scratch, "%s/trials", dir);

    if (!trials)
        return cull_no_memory(ctx);
    CULL_TRY(cull_folder_list(ctx, trials, ".h5", &n, &names));
    if (!table_make(ctx, t, n))
        return CULL_ENOMEM;

    for (size_t i = 0; i < n; i++) {
        cull_h5_in *file = NULL;
        const char *path =
            cull_arena_printf(cull_context_of(ctx)->scratch, "%s/%s", trials, names[i]);
        if (!path)
            return cull_no_memory(ctx);
        cull_status status = cull_h5_open(ctx, path, &file);
        if (status == CULL_OK)
            status = read_row(ctx, file, path, t);
        cull_h5_close(file);
        if (status == CULL_EFORMAT) { // a damaged file is no trial; cull_find_stored_trials says so
            cull_error_clear(ctx);
            continue;
        }
        CULL_TRY(status);
        t->file[t->n++] = names[i];
    }
    return CULL_OK;
}

static void put_column(cull_h5 *file, const char *name, char type, size_t n, const void *data,
                       const char *doc)
{
    cull_h5_put(file, "/trials",
                &(cull_h5_array){ name, type, 1, { "trial" }, { n }, data, NULL, doc, NULL });
}

static void put_table(cull_h5 *file, cull_arena *arena, const table *t)
{
    cull_h5_text(file, "/", "Conventions", "CF-1.8 cull-1");
    cull_h5_text(file, "/", "title", "derived from trials/: may be removed and is made again");
    cull_h5_group(file, "/trials");
    cull_h5_group(file, "/files");
    put_column(file, "file", 's', t->n, t->file, "below trials/");
    put_column(file, "xxh3", 's', t->n, t->key, "XXH3-128 of the file");
    for (size_t c = 0; c < TEXTS; c++)
        put_column(file, text_columns[c].name, 's', t->n, t->text[c], NULL);
    for (size_t c = 0; c < REALS; c++)
        put_column(file, real_columns[c].name, 'd', t->n, t->real[c], NULL);
    for (size_t i = 0; i < t->n; i++) {
        const char *link = cull_arena_printf(arena, "/files/%s", t->file[i]);
        const char *target = cull_arena_printf(arena, "trials/%s", t->file[i]);
        if (link && target)
            cull_h5_link(file, link, target, "/");
        else
            cull_h5_no_memory(file);
    }
}

// The files that the index names, in its order.
static cull_status read_files(cull_ctx *ctx, const char *path, size_t *n, const char *const **files)
{
    cull_h5_in *file = NULL;
    cull_h5_shape shape = { 0 };
    const void *data = NULL;
    cull_status status = cull_h5_open(ctx, path, &file);

    if (status == CULL_OK)
        status = cull_h5_get(file, "/trials/file", 's', &shape, &data);
    cull_h5_close(file);
    *n = shape.n;
    *files = data;
    return status;
}

cull_status cull_index_fits(cull_ctx *ctx, const char *dir, bool *fits)
{
    const char *path = cull_arena_printf(cull_context_of(ctx)->alloc, "%s/index.h5", dir);
    const char *trials = cull_arena_printf(cull_context_of(ctx)->alloc, "%s/trials", dir);
    const char *const *there, *const *named;
    size_t n, n_named;

    *fits = false;
    if (!path || !trials)
        return cull_no_memory(ctx);
    if (access(path, F_OK) != 0)
        return CULL_OK;
    const cull_status status = read_files(ctx, path, &n_named, &named);
    if (status == CULL_ENOMEM)
        return status;
    if (status != CULL_OK) {
        ctx->host->log(ctx, CULL_WARN, "%s; made anew", cull_context_of(ctx)->error.sentence);
        cull_error_clear(ctx);
        return CULL_OK;
    }
    CULL_TRY(cull_folder_list(ctx, trials, ".h5", &n, &there));
    *fits = n == n_named;
    for (size_t i = 0; *fits && i < n; i++)
        *fits = strcmp(there[i], named[i]) == 0;
    return CULL_OK;
}

cull_status cull_index_write(cull_ctx *ctx, const char *dir)
{
    table t = { 0 };
    const char *path = cull_arena_printf(cull_context_of(ctx)->scratch, "%s/index.h5", dir);

    if (!path)
        return cull_no_memory(ctx);
    CULL_TRY(cull_make_folder(ctx, dir));
    CULL_TRY(read_table(ctx, dir, &t));

    cull_h5 *file = cull_h5_create(ctx, path, 0);
    if (!file)
        return cull_context_of(ctx)->error.status;
    put_table(file, cull_context_of(ctx)->scratch, &t);
    return cull_while(ctx, cull_h5_commit(file), "writing the index");
}
