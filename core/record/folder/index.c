// The derived table of a folder's trials, with links and excerpts.
#include "record/folder/index.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "record/folder/folder.h"
#include "record/h5/h5.h"

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
    const char **text[TEXTS], **file, **key, **seal;
    double *real[REALS];
    uint64_t *end;     // (n) of each one's excerpt in
    cull_buf excerpts; // release it
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
    t->seal = t->key ? cull_scratch(ctx, room, sizeof *t->seal) : NULL;
    t->end = t->seal ? cull_scratch(ctx, room, sizeof *t->end) : NULL;
    return t->end != NULL;
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
    const char *seal = cull_h5_seal_of(file);
    t->key[t->n] = cull_arena_copy(cull_context_of(ctx)->scratch, key.hex, strlen(key.hex));
    t->seal[t->n] = cull_arena_copy(cull_context_of(ctx)->scratch, seal, strlen(seal));
    return t->key[t->n] && t->seal[t->n] ? CULL_OK : cull_no_memory(ctx);
}

// ---- excerpts ----

static cull_h5_excerpt excerpt_of(const cull_index *index, const char *name)
{
    for (size_t low = 0, end = index->n; low < end;) {
        const size_t i = low + (end - low) / 2;
        const int order = strcmp(name, index->file[i]);
        const uint64_t begin = i ? index->end[i - 1] : 0;
        if (order == 0)
            return (cull_h5_excerpt){ index->seal[i], (size_t)(index->end[i] - begin),
                                      index->excerpt + begin };
        low = order > 0 ? i + 1 : low;
        end = order < 0 ? i : end;
    }
    return (cull_h5_excerpt){ "", 0, NULL };
}

cull_status cull_index_open(cull_ctx *ctx, const cull_index *index, const char *name,
                            const char *path, cull_h5_in **out)
{
    const cull_h5_excerpt excerpt = excerpt_of(index, name);

    return excerpt.n > 0 ? cull_h5_open_excerpt(ctx, path, &excerpt, out)
                         : cull_h5_open(ctx, path, out);
}

// A new excerpt of what `read` reads of the file, and of what was noted; in the alloc arena nothing
// is left of it.
static cull_status add_new(cull_ctx *ctx, cull_h5_in *file, cull_read_fn read,
                           const cull_buf *noted, table *t)
{
    const cull_mark mark = cull_arena_mark(cull_context_of(ctx)->alloc);
    const cull_status status = read(ctx, file);

    cull_arena_rewind(cull_context_of(ctx)->alloc, mark);
    if (status == CULL_OK)
        cull_h5_pack_notes(noted, &t->excerpts);
    else if (status != CULL_ENOMEM)
        cull_error_clear(ctx);
    return status == CULL_ENOMEM ? status : CULL_OK;
}

// The row of a file and its excerpt.
static cull_status add_row(cull_ctx *ctx, const cull_index *before, cull_read_fn read,
                           cull_h5_in *file, const char *name, const char *path, table *t)
{
    const cull_h5_excerpt known = excerpt_of(before, name);
    const bool keeps = cull_h5_has_excerpt(file);
    const bool makes = !keeps && read && *cull_h5_seal_of(file);
    cull_buf noted = CULL_BUF_INIT;

    if (makes)
        cull_h5_note(file, &noted);
    cull_status status = read_row(ctx, file, path, t);
    if (status == CULL_OK && makes)
        status = add_new(ctx, file, read, &noted, t);
    if (status == CULL_OK && keeps)
        cull_buf_add(&t->excerpts, known.bytes, known.n);
    cull_buf_release(&noted);
    if (status == CULL_OK && t->excerpts.failed)
        status = cull_no_memory(ctx);
    if (status == CULL_OK) {
        t->end[t->n] = t->excerpts.n;
        t->file[t->n++] = name;
    }
    return status;
}

typedef struct trial_files {
    const char *dir; // <folder>/trials
    size_t n;
    const char *const *name; // in order
} trial_files;

static cull_status list_trials(cull_ctx *ctx, const char *dir, trial_files *out)
{
    out->dir = cull_arena_printf(cull_context_of(ctx)->alloc, "%s/trials", dir);
    return out->dir ? cull_folder_list(ctx, out->dir, ".h5", &out->n, &out->name)
                    : cull_no_memory(ctx);
}

static bool same_names(size_t n, const char *const *a, size_t m, const char *const *b)
{
    bool same = n == m;

    for (size_t i = 0; same && i < n; i++)
        same = strcmp(a[i], b[i]) == 0;
    return same;
}

static cull_status read_table(cull_ctx *ctx, const trial_files *files, const cull_index *before,
                              cull_read_fn read, table *t)
{
    const size_t n = files->n;

    if (!table_make(ctx, t, n))
        return CULL_ENOMEM;

    for (size_t i = 0; i < n; i++) {
        cull_h5_in *file = NULL;
        const char *path =
            cull_arena_printf(cull_context_of(ctx)->scratch, "%s/%s", files->dir, files->name[i]);
        if (!path)
            return cull_no_memory(ctx);
        cull_status status = cull_index_open(ctx, before, files->name[i], path, &file);
        if (status == CULL_OK)
            status = cull_h5_done(file, add_row(ctx, before, read, file, files->name[i], path, t));
        const bool gone = status == CULL_EIO && access(path, F_OK) != 0; // since it was listed
        if (gone || status == CULL_EFORMAT) // what is damaged cull_find_stored_trials says
            cull_error_clear(ctx);
        else
            CULL_TRY(status);
    }
    return CULL_OK;
}

// ---- the file ----

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
    put_column(file, "seal", 's', t->n, t->seal, "end of the file, by which it is known again");
    put_column(file, "excerpt_end", 'u', t->n, t->end, "of what was read of the file in excerpts");
    cull_h5_put(file, "/trials",
                &(cull_h5_array){ "excerpts",
                                  'b',
                                  1,
                                  { NULL },
                                  { t->excerpts.n },
                                  t->excerpts.s,
                                  NULL,
                                  "packed; for cull alone",
                                  NULL });
    for (size_t i = 0; i < t->n; i++) {
        const char *link = cull_arena_printf(arena, "/files/%s", t->file[i]);
        const char *target = cull_arena_printf(arena, "trials/%s", t->file[i]);
        if (link && target)
            cull_h5_link(file, link, target, "/");
        else
            cull_h5_no_memory(file);
    }
}

// A column of /trials of *n entries, SIZE_MAX: of any number; EFORMAT: there is none such.
static cull_status get_column(cull_ctx *ctx, cull_h5_in *file, const char *path, char type,
                              size_t *n, const void **data)
{
    cull_h5_shape shape;

    CULL_TRY(cull_h5_get(file, path, type, &shape, data));
    if (*n != SIZE_MAX && shape.n != *n)
        return cull_fail(ctx, CULL_EFORMAT, "%s has %zu entries, not %zu", path, shape.n, *n);
    *n = shape.n;
    return CULL_OK;
}

static cull_status read_index(cull_ctx *ctx, cull_h5_in *file, cull_index *out)
{
    const void *names, *seals, *ends, *bytes;
    size_t n = SIZE_MAX, n_bytes = SIZE_MAX;

    CULL_TRY(get_column(ctx, file, "/trials/file", 's', &n, &names));
    CULL_TRY(get_column(ctx, file, "/trials/seal", 's', &n, &seals));
    CULL_TRY(get_column(ctx, file, "/trials/excerpt_end", 'u', &n, &ends));
    CULL_TRY(get_column(ctx, file, "/trials/excerpts", 'b', &n_bytes, &bytes));
    *out = (cull_index){ n, names, seals, ends, bytes };
    for (size_t i = 0; i < n; i++)
        if (out->end[i] > n_bytes || out->end[i] < (i ? out->end[i - 1] : 0) ||
            (i && strcmp(out->file[i - 1], out->file[i]) >= 0))
            return cull_fail(ctx, CULL_EFORMAT, "/trials/excerpt_end does not fit");
    return CULL_OK;
}

static cull_status index_path(cull_ctx *ctx, const char *dir, const char **path, bool *there)
{
    *path = cull_arena_printf(cull_context_of(ctx)->alloc, "%s/index.h5", dir);
    if (!*path)
        return cull_no_memory(ctx);
    *there = access(*path, F_OK) == 0;
    return CULL_OK;
}

cull_status cull_index_read(cull_ctx *ctx, const char *dir, cull_index *out)
{
    cull_h5_in *file = NULL;
    const char *path;
    bool there = false;

    *out = (cull_index){ 0 };
    CULL_TRY(index_path(ctx, dir, &path, &there));
    if (!there)
        return CULL_OK;
    cull_status status = cull_h5_open(ctx, path, &file);
    if (status == CULL_OK)
        status = cull_h5_done(file, read_index(ctx, file, out));
    if (status == CULL_ENOMEM)
        return status;
    if (status != CULL_OK) { // trials are read themselves
        *out = (cull_index){ 0 };
        cull_error_clear(ctx);
    }
    return CULL_OK;
}

// The files that the index names, in its order; none where it is older than excerpts.
static cull_status read_files(cull_ctx *ctx, const char *path, size_t *n, const char *const **files)
{
    cull_h5_in *file = NULL;
    const void *data = NULL;
    cull_status status = cull_h5_open(ctx, path, &file);

    *n = SIZE_MAX;
    if (status == CULL_OK && !cull_h5_has(file, "/trials/excerpts"))
        *n = 0;
    else if (status == CULL_OK)
        status = get_column(ctx, file, "/trials/file", 's', n, &data);
    *files = data;
    return cull_h5_done(file, status);
}

cull_status cull_index_fits(cull_ctx *ctx, const char *dir, bool *fits)
{
    const char *const *named, *path;
    size_t n_named;
    trial_files there;

    *fits = false;
    bool any = false;
    CULL_TRY(index_path(ctx, dir, &path, &any));
    if (!any)
        return CULL_OK;
    const cull_status status = read_files(ctx, path, &n_named, &named);
    if (status == CULL_ENOMEM)
        return status;
    if (status != CULL_OK) {
        ctx->host->log(ctx, CULL_WARN, "%s; made anew", cull_context_of(ctx)->error.sentence);
        cull_error_clear(ctx);
        return CULL_OK;
    }
    CULL_TRY(list_trials(ctx, dir, &there));
    *fits = same_names(there.n, there.name, n_named, named);
    return CULL_OK;
}

static cull_status write_table(cull_ctx *ctx, const char *dir, const trial_files *files,
                               cull_read_fn read, table *t)
{
    const char *path = cull_arena_printf(cull_context_of(ctx)->scratch, "%s/index.h5", dir);
    cull_index before;

    if (!path)
        return cull_no_memory(ctx);
    CULL_TRY(cull_make_folder(ctx, dir));
    CULL_TRY(cull_index_read(ctx, dir, &before));
    CULL_TRY(read_table(ctx, files, &before, read, t));

    cull_h5 *file = cull_h5_create(ctx, path, 0);
    if (!file)
        return cull_context_of(ctx)->error.status;
    put_table(file, cull_context_of(ctx)->scratch, t);
    return cull_while(ctx, cull_h5_commit(file), "writing the index");
}

// Others may put or remove trials meanwhile, and their index in place before this one: whoever is
// last in place sees that it is not of what is there, and writes it again.
cull_status cull_index_write(cull_ctx *ctx, const char *dir, cull_read_fn read)
{
    enum { TRIES = 16 }; // in a folder that is never still the next run makes it fit
    trial_files files, there;
    bool fits = false;

    CULL_TRY(list_trials(ctx, dir, &there));
    for (int i = 0; !fits && i < TRIES; i++) {
        table t = { 0 };
        files = there;
        const cull_status status = write_table(ctx, dir, &files, read, &t);
        cull_buf_release(&t.excerpts);
        CULL_TRY(status);
        CULL_TRY(list_trials(ctx, dir, &there));
        fits = same_names(files.n, files.name, there.n, there.name);
    }
    return CULL_OK;
}
