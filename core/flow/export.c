// A trial's cut written out as a checkpoint of its own.
#include "flow/export.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/call.h"
#include "base/memory.h"
#include "base/narrow.h"
#include "base/new_file.h"
#include "base/text.h"
#include "cut/cut.h"
#include "cut/cut_file.h"
#include "cut/variant.h"
#include "flow/apply.h"
#include "plugin/host.h"
#include "record/h5/h5.h"

static const uint64_t default_shard = 5000000000;

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

// The folder above the folder of a file: "results" of "results/trials/a.h5"; "." where it says
// none.
static const char *results_of(cull_ctx *ctx, const char *path)
{
    const char *file = strrchr(path, '/');
    const char *folder = file;

    while (folder && folder > path && folder[-1] != '/')
        folder--;
    if (!file)
        return "..";
    return folder == path
               ? "."
               : cull_arena_copy(cull_context_of(ctx)->alloc, path, (size_t)(folder - path - 1));
}

static cull_status read_trial(cull_ctx *ctx, cull_h5_in *file, const char *path, cull_recipe *out)
{
    const char *cut = NULL;
    cull_buf joined = CULL_BUF_INIT;

    CULL_TRY(cull_h5_get_text(file, "/model", "source", &out->model));
    CULL_TRY(cull_h5_get_text(file, "/model", "fingerprint", &out->fingerprint));
    CULL_TRY(cull_h5_get_text(file, "/cut", "file", &cut));
    if (!out->model || !*out->model)
        return cull_fail(ctx, CULL_EINVAL, "%s: is no trial: it names no model", path);
    if (!cut || !*cut)
        return cull_fail(ctx, CULL_EINVAL, "%s: a trial without a cut: it is the model as it is",
                         path);
    cull_path_join(&joined, results_of(ctx, path), cut);
    if (!joined.failed)
        out->cut = cull_arena_copy(cull_context_of(ctx)->alloc, joined.s, joined.n);
    cull_buf_release(&joined);
    return out->cut ? CULL_OK : cull_no_memory(ctx);
}

cull_status cull_recipe_read(cull_ctx *ctx, const char *path, cull_recipe *out)
{
    cull_h5_in *file;
    cull_cut_ids ids = { .size = sizeof ids };

    *out = (cull_recipe){ .fingerprint = "" };
    if (ends_with(path, ".safetensors")) {
        CULL_TRY(cull_cut_read_ids(ctx, path, &ids));
        out->cut = path;
        out->fingerprint =
            cull_arena_copy(cull_context_of(ctx)->alloc, ids.model, strlen(ids.model));
        return out->fingerprint ? CULL_OK : cull_no_memory(ctx);
    }
    if (!ends_with(path, ".h5"))
        return cull_fail(ctx, CULL_EINVAL,
                         "%s: neither a trial's .h5 file nor a cut's .safetensors file", path);
    CULL_TRY(cull_h5_open(ctx, path, &file));
    const cull_status status = read_trial(ctx, file, path, out);
    return cull_h5_done(file, status);
}

cull_status cull_recipe_cut(cull_ctx *ctx, const cull_recipe *recipe,
                            const cull_prepared_model *prepared, cull_cut **out)
{
    const cull_model_facts *facts = prepared->opened.facts;

    if (*recipe->fingerprint && strcmp(recipe->fingerprint, facts->fingerprint) != 0)
        return cull_fail(ctx, CULL_EINVAL,
                         "%s: made for a model with the fingerprint %s, but %s has %s", recipe->cut,
                         recipe->fingerprint, facts->source, facts->fingerprint);
    if (access(recipe->cut, F_OK) != 0 && errno == ENOENT)
        return cull_fail(ctx, CULL_EIO,
                         "%s: the trial's cut is gone; `cull run` of its experiment makes it "
                         "again, with --set keep=all where that keeps none",
                         recipe->cut);
    *out = cull_empty_cut(ctx, prepared);
    const cull_status status = *out ? cull_cut_load(ctx, recipe->cut, *out) : CULL_ENOMEM;
    return status == CULL_EFORMAT
               ? cull_while(ctx, status,
                            "loading a cut; where it is removed, `cull run` of its "
                            "experiment makes it again")
               : status;
}

// ---- the checkpoint ----

// Does storing change any of these numbers?
static bool rounds(cull_dtype type, size_t n, const float *x)
{
    uint32_t stored;
    float back;

    for (size_t i = 0; i < n; i++) {
        (void)cull_narrow(type, 1, x + i, &stored);
        cull_widen(type, 1, &stored, &back);
        if (back != x[i])
            return true;
    }
    return false;
}

// A trial that was kept with more digits than the checkpoint has does not evaluate to quite the
// same.
static cull_status warn_of_rounding(cull_ctx *ctx, const cull_prepared_model *prepared,
                                    const cull_cut *cut)
{
    const char *word = prepared->opened.facts->dtype;
    cull_dtype type;
    size_t n = 0;

    CULL_TRY(cull_cut_store(ctx, "model", word, &type));
    for (size_t i = 0; i < cut->n_overlays; i++) {
        const cull_overlay *o = &cut->overlay[i];
        cull_matrix m = { .size = sizeof m };
        if (o->kind != CULL_MATRIX)
            continue;
        CULL_TRY(
            CULL_CALL(ctx, prepared->opened.plugin, o->where.layer, matrix,
                      prepared->opened.backend->matrix(ctx, prepared->opened.model, o->where, &m)));
        const bool quantised = m.dtype == CULL_DT_F8_E4M3 || m.dtype == CULL_DT_F4;
        n += !quantised && rounds(type, o->rows * o->cols, o->data); // those are widened
        cull_cut_leave_matrix(cut, o->where);
    }
    if (n)
        ctx->host->log(ctx, CULL_WARN,
                       "%zu rewritten matrices are rounded to the checkpoint's %s; a trial with "
                       "store: model is evaluated as it is exported",
                       n, word);
    return CULL_OK;
}

static const void *service(cull_ctx *ctx, const char *id)
{
    (void)ctx;
    return strcmp(id, CULL_EXT_VARIANT) == 0 ? &cull_variant_service : NULL;
}

// Remove what is in the open folder, and close it; links are not followed.
static void empty_folder(int fd)
{
    DIR *dir = fdopendir(fd);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        const int inside =
            openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (inside >= 0)
            empty_folder(inside);
        (void)unlinkat(fd, entry->d_name, inside >= 0 ? AT_REMOVEDIR : 0);
    }
    if (dir)
        (void)closedir(dir);
    else
        (void)close(fd);
}

static void remove_folder(const char *folder)
{
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0) { // what is only a link to a folder loses the link
        (void)unlink(folder);
        return;
    }
    empty_folder(fd);
    (void)rmdir(folder);
}

// ".tmp.HOST.PID.NAME" beside the folder; what a dead process leaves is told from what another is
// writing.
static cull_status name_temporary(cull_ctx *ctx, const char *folder, cull_buf *out)
{
    char prefix[CULL_TEMPORARY_PREFIX];
    const char *slash = strrchr(folder, '/'), *name = slash ? slash + 1 : folder;

    cull_temporary_prefix(prefix);
    cull_buf_add(out, folder, (size_t)(name - folder));
    cull_buf_printf(out, "%s%ld.%s", prefix, (long)getpid(), name);
    return out->failed ? cull_no_memory(ctx) : CULL_OK;
}

static cull_status write_manifest(cull_ctx *ctx, const cull_prepared_model *prepared,
                                  const cull_cut *cut, const char *folder)
{
    cull_buf path = CULL_BUF_INIT;

    cull_path_join(&path, folder, "cull-kept.jsonl");
    const cull_status status =
        path.failed ? cull_no_memory(ctx) : cull_export_lists(ctx, prepared, cut, path.s);
    cull_buf_release(&path);
    return status;
}

static cull_status write_into(cull_ctx *ctx, cull_prepared_model *prepared, const cull_cut *cut,
                              const cull_export_options *options, const char *temporary)
{
    cull_context *own = &prepared->context;
    const cull_save how = { .size = sizeof how,
                            .folder = temporary,
                            .dequantise = options->dequantise,
                            .drop_bias = options->drop_bias,
                            .shard_bytes =
                                options->shard_bytes ? options->shard_bytes : default_shard };

    own->extension = service;
    const cull_status status =
        CULL_CALL(&own->ctx, prepared->opened.plugin, SIZE_MAX, save,
                  prepared->opened.backend->save(&own->ctx, prepared->opened.model, cut, &how));
    if (status != CULL_OK) {
        cull_error_copy(ctx, &own->ctx);
        return status;
    }
    CULL_TRY(write_manifest(ctx, prepared, cut, temporary));
    if (rename(temporary, options->folder) != 0)
        return cull_fail(ctx, CULL_EIO, "%s: %s", options->folder, strerror(errno));
    const int error = cull_sync_folder_of(options->folder);
    return error ? cull_fail(ctx, CULL_EIO, "%s: %s", options->folder, strerror(error)) : CULL_OK;
}

// Refusals are an export's affair, and so are warnings: nobody has asked for one.
cull_status cull_export_bytes(cull_ctx *ctx, const cull_prepared_model *prepared,
                              const cull_cut *cut, uint64_t *bytes)
{
    const cull_open_model *m = &prepared->opened;
    cull_context own;

    *bytes = 0;
    if (!CULL_KNOWS(cull_backend, m->backend, saved_bytes) || !m->backend->saved_bytes)
        return CULL_OK;
    CULL_TRY(cull_context_init(&own, NULL, NULL));
    own.extension = service;
    own.pages = cull_context_of(ctx)->pages;
    if (!cut)
        cut = cull_empty_cut(&own.ctx, prepared);
    const cull_status status =
        cut ? CULL_CALL(&own.ctx, m->plugin, SIZE_MAX, saved_bytes,
                        m->backend->saved_bytes(&own.ctx, m->model, cut, bytes))
            : CULL_ENOMEM;
    if (status != CULL_OK)
        *bytes = 0;
    const bool refused = cull_own_failure(status);
    if (status != CULL_OK && !refused)
        cull_error_copy(ctx, &own.ctx);
    cull_context_release(&own);
    return refused ? CULL_OK : status;
}

cull_status cull_export_checkpoint(cull_ctx *ctx, cull_prepared_model *prepared,
                                   const cull_cut *cut, const cull_export_options *options)
{
    cull_buf temporary = CULL_BUF_INIT;
    struct stat st;

    // 1. Can it be written, and is the place free?
    CULL_TRY(warn_of_rounding(ctx, prepared, cut));
    if (!prepared->opened.backend->save)
        return cull_fail(ctx, CULL_ENOTSUP, "backend %s writes no checkpoints",
                         prepared->spec->backend.plugin->name);
    if (lstat(options->folder, &st) == 0)
        return cull_fail(ctx, CULL_EINVAL, "%s: is there already", options->folder);
    // 2. Beside its place, under its own name when it is whole
    cull_status status = name_temporary(ctx, options->folder, &temporary);
    if (status == CULL_OK) {
        cull_temporary_sweep(options->folder, remove_folder);
        remove_folder(temporary.s);
        if (mkdir(temporary.s, 0777) != 0)
            status = cull_fail(ctx, CULL_EIO, "%s: %s", temporary.s, strerror(errno));
        else if ((status = write_into(ctx, prepared, cut, options, temporary.s)) != CULL_OK)
            remove_folder(temporary.s);
    }
    cull_buf_release(&temporary);
    return status;
}

// ---- verifying ----

enum { VERIFY_SEQUENCES = 4, VERIFY_LENGTH = 64 };

static cull_status logits_of(cull_ctx *ctx, const cull_prepared_model *prepared,
                             const cull_cut *cut, const cull_engine_options *engine,
                             const cull_trace *like, float *logits)
{
    cull_trace t = { .n_seq = like->n_seq, .len = like->len, .ids = like->ids, .logits = logits };
    const cull_status status = cull_trace_pass(ctx, &prepared->opened, engine, cut, &t);

    cull_open_model_release_all(&prepared->opened);
    return status;
}

static size_t verify_length(const cull_model_facts *facts)
{
    return facts->max_positions < VERIFY_LENGTH ? facts->max_positions : VERIFY_LENGTH;
}

// Ids all over the vocabulary, the same for every model with this one.
static cull_status draw_ids(cull_ctx *ctx, const cull_model_facts *facts, cull_trace *t)
{
    t->n_seq = VERIFY_SEQUENCES;
    t->len = verify_length(facts);
    int32_t *ids = cull_take(ctx, t->n_seq * t->len, sizeof *ids);
    if (!ids)
        return CULL_ENOMEM;
    for (size_t i = 0; i < t->n_seq * t->len; i++)
        ids[i] = (int32_t)((i + 1) * UINT64_C(0x9e3779b97f4a7c15) % facts->V);
    t->ids = ids;
    return CULL_OK;
}

// As a share of the largest number that is wanted.
static double worst_difference(size_t n, const float *want, const float *got)
{
    double worst = 0, most = 0;

    for (size_t i = 0; i < n; i++) {
        most = fmax(most, fabs(want[i]));
        worst = isfinite(got[i]) ? fmax(worst, fabs((double)got[i] - want[i])) : INFINITY;
    }
    return most > 0 ? worst / most : worst;
}

cull_status cull_export_verify(cull_ctx *ctx, const cull_prepared_model *prepared,
                               const cull_cut *cut, const cull_prepared_model *written,
                               const cull_engine_options *engine, double *worst)
{
    const size_t V = prepared->opened.facts->V;
    cull_trace t = { 0 };

    if (written->opened.facts->V != V)
        return cull_fail(ctx, CULL_EFORMAT, "%s: a vocabulary of %zu, where %zu were written",
                         written->opened.facts->source, written->opened.facts->V, V);
    CULL_TRY(draw_ids(ctx, prepared->opened.facts, &t));
    const size_t n = t.n_seq * t.len * V;
    float *want = cull_alloc(2 * n, sizeof *want), *got = want + n;
    if (!want)
        return cull_no_memory(ctx);
    cull_status status = logits_of(ctx, prepared, cut, engine, &t, want);
    if (status == CULL_OK)
        status = logits_of(ctx, written, NULL, engine, &t, got);
    if (status == CULL_OK)
        *worst = worst_difference(n, want, got);
    cull_free(want);
    return status;
}

cull_memory_need cull_export_need(cull_ctx *ctx, const cull_prepared_model *prepared,
                                  const cull_cut *cut, const cull_export_options *options,
                                  bool verify)
{
    const cull_model_facts *facts = prepared->opened.facts;
    double expert = 0, layer = 0;

    for (size_t l = 0; l < facts->L; l++) {
        const double one = (double)prepared->layer[l]->expert_params * sizeof(float);
        expert = fmax(expert, one);
        layer = fmax(layer, one * (double)prepared->layer[l]->E);
    }
    const double writing = cull_cut_bytes(ctx, cut) + expert;
    if (!verify)
        return cull_need_of_rows(prepared, 0, 0, writing);
    const double length = (double)verify_length(facts), rows = VERIFY_SEQUENCES * length,
                 logits = 2 * rows * (double)facts->V * sizeof(float),
                 wider = options->dequantise ? layer : 0; // where it is read again
    return cull_need_of_rows(prepared, rows, length, writing + logits + wider);
}
