// What a results folder holds, file by file.
#include "record/folder/inventory.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record/folder/folder.h"
#include "record/folder/index.h"
#include "record/step_file.h"
#include "record/trial_cache.h"

const char *cull_kept_word(cull_kept_kind kind)
{
    static const char *const words[CULL_N_KEPT] = { "trial",    "evaluation",  "cut",
                                                    "stage",    "calibration", "question",
                                                    "left over" };

    return words[kind];
}

// ---- files ----

typedef struct builder {
    cull_ctx *ctx;
    const char *folder;
    size_t room;
    cull_inventory *out;
} builder;

static cull_status add(builder *b, cull_kept_kind kind, const char *room, const char *name)
{
    cull_arena *arena = cull_context_of(b->ctx)->alloc;
    cull_inventory *out = b->out;
    struct stat st;
    const char *path = cull_arena_printf(arena, "%s/%s/%s", b->folder, room, name);

    if (!path)
        return cull_no_memory(b->ctx);
    if (stat(path, &st) != 0)
        return CULL_OK; // gone meanwhile
    if (out->n == b->room) {
        cull_kept *more = cull_take(b->ctx, b->room = b->room ? 2 * b->room : 64, sizeof *more);
        if (!more)
            return CULL_ENOMEM;
        if (out->n > 0)
            memcpy(more, out->at, out->n * sizeof *more);
        out->at = more;
    }
    const char *below = *room ? path + strlen(b->folder) + 1 : path + strlen(b->folder) + 2;
    out->at[out->n++] = (cull_kept){
        .kind = kind, .name = below, .bytes = (uint64_t)st.st_size, .changed = (double)st.st_mtime
    };
    return CULL_OK;
}

static cull_kept_kind kind_in(cull_kept_kind kind, const char *name)
{
    return kind == CULL_KEPT_TRIAL && strstr(name, ".eval-") ? CULL_KEPT_EVALUATION : kind;
}

static cull_status add_all(builder *b, cull_kept_kind kind, const char *room, const char *ending)
{
    const char *dir = cull_arena_printf(cull_context_of(b->ctx)->scratch, "%s/%s", b->folder, room);
    const char *const *names;
    size_t n;

    if (!dir)
        return cull_no_memory(b->ctx);
    CULL_TRY(cull_folder_list(b->ctx, dir, ending, &n, &names));
    for (size_t i = 0; i < n; i++)
        CULL_TRY(add(b, kind_in(kind, names[i]), room, names[i]));
    return CULL_OK;
}

static cull_status add_left(builder *b, const char *room)
{
    const char *dir = cull_arena_printf(cull_context_of(b->ctx)->scratch, "%s/%s", b->folder, room);
    const char *const *names;
    size_t n;

    if (!dir)
        return cull_no_memory(b->ctx);
    CULL_TRY(cull_folder_abandoned(b->ctx, dir, &n, &names));
    for (size_t i = 0; i < n; i++)
        CULL_TRY(add(b, CULL_KEPT_LEFT, room, names[i]));
    return CULL_OK;
}

// ---- who refers to what ----

static cull_kept *find(const cull_inventory *v, const char *name)
{
    for (size_t i = 0; i < v->n; i++)
        if (strcmp(v->at[i].name, name) == 0)
            return &v->at[i];
    return NULL;
}

// The file of a trial, or of what was added to it, without the ending: "trials/a" of
// "trials/a.eval-….h5".
static size_t base_length(const char *name)
{
    const char *added = strstr(name, ".eval-"), *end = strrchr(name, '.');

    return added ? (size_t)(added - name) : end ? (size_t)(end - name) : strlen(name);
}

static void mark_old(cull_inventory *v, const char *base)
{
    const size_t n = strlen(base);

    for (size_t i = 0; i < v->n; i++) {
        const char *name = v->at[i].name;
        if (v->at[i].kind <= CULL_KEPT_EVALUATION && base_length(name) == n + 7 &&
            memcmp(name + 7, base, n) == 0) // behind "trials/"
            v->at[i].old_name = true;
    }
}

static cull_status look_at_trials(builder *b)
{
    cull_stored_trials stored;
    cull_inventory *v = b->out;

    for (size_t i = 0; i < v->n; i++)
        if (v->at[i].kind <= CULL_KEPT_EVALUATION)
            v->at[i].damaged = true;
    CULL_TRY(cull_find_stored_trials(b->ctx, b->folder, &stored));
    for (size_t t = 0; t < stored.n; t++) {
        const char *name = stored.at[t].path + strlen(b->folder) + 1;
        const size_t length = base_length(name);
        for (size_t i = 0; i < v->n; i++) {
            cull_kept *k = &v->at[i];
            if (k->kind > CULL_KEPT_EVALUATION || strncmp(k->name, name, length) != 0 ||
                base_length(k->name) != length)
                continue;
            k->damaged = false;
            k->used = true;
            if (k->kind == CULL_KEPT_TRIAL) {
                k->cut = stored.at[t].cut;
                k->n_evaluations = stored.at[t].n_evaluations;
                k->question = stored.at[t].question;
                k->n_questions = stored.at[t].n_questions;
            }
        }
        if (*stored.at[t].renamed_from)
            mark_old(v, stored.at[t].renamed_from);
    }
    return CULL_OK;
}

static cull_status look_at_steps(builder *b)
{
    cull_arena *arena = cull_context_of(b->ctx)->alloc;

    for (size_t i = 0; i < b->out->n; i++) {
        cull_kept *k = &b->out->at[i];
        cull_cut_name cut;
        if (k->kind != CULL_KEPT_STEP)
            continue;
        const char *path = cull_arena_printf(arena, "%s/%s", b->folder, k->name);
        if (!path)
            return cull_no_memory(b->ctx);
        const cull_status status = cull_step_cut(b->ctx, path, &cut);
        if (status == CULL_ENOMEM)
            return status;
        if (status != CULL_OK) { // damaged: nothing uses it
            cull_error_clear(b->ctx);
            continue;
        }
        k->cut = cull_arena_printf(arena, "cuts/%s", cut.text);
        if (!k->cut)
            return cull_no_memory(b->ctx);
    }
    return CULL_OK;
}

static void use_questions(const cull_inventory *v, const char *name)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->at[i].kind == CULL_KEPT_QUESTIONS && strcmp(v->at[i].name, name) == 0)
            v->at[i].used = true;
}

static void mark_used(cull_inventory *v)
{
    for (size_t i = 0; i < v->n; i++) {
        cull_kept *k = &v->at[i], *cut = k->cut ? find(v, k->cut) : NULL;
        if (cut)
            cut->used = true;
        if (k->kind == CULL_KEPT_STEP)
            k->used = cut != NULL;
        if (k->kind == CULL_KEPT_CALIBRATION)
            k->used = true;
        for (size_t q = 0; q < k->n_questions; q++)
            use_questions(v, k->question[q]);
    }
}

static int by_kind_and_name(const void *a, const void *b)
{
    const cull_kept *x = a, *y = b;

    return x->kind != y->kind ? (int)x->kind - (int)y->kind : strcmp(x->name, y->name);
}

cull_status cull_inventory_make(cull_ctx *ctx, const char *folder, cull_inventory *out)
{
    static const char *const rooms[] = { "trials", "cuts", "steps", "calibration", "questions" };
    builder b = { .ctx = ctx, .folder = folder, .out = out };
    bool any = false;

    *out = (cull_inventory){ 0 };
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        const char *path =
            cull_arena_printf(cull_context_of(ctx)->scratch, "%s/%s", folder, rooms[i]);
        if (!path)
            return cull_no_memory(ctx);
        any |= access(path, F_OK) == 0;
        CULL_TRY(add_left(&b, rooms[i]));
    }
    CULL_TRY(add_left(&b, "")); // of the index and the note
    if (!any)
        return cull_fail(ctx, CULL_EUSAGE, "%s: is neither a folder of results nor a cache",
                         folder);
    CULL_TRY(add_all(&b, CULL_KEPT_TRIAL, "trials", ".h5"));
    CULL_TRY(add_all(&b, CULL_KEPT_CUT, "cuts", ".safetensors"));
    CULL_TRY(add_all(&b, CULL_KEPT_STEP, "steps", ".safetensors"));
    CULL_TRY(add_all(&b, CULL_KEPT_CALIBRATION, "calibration", ".safetensors"));
    CULL_TRY(add_all(&b, CULL_KEPT_QUESTIONS, "questions", ".h5"));
    CULL_TRY(look_at_trials(&b));
    CULL_TRY(look_at_steps(&b));
    mark_used(out);
    if (out->n > 0)
        qsort(out->at, out->n, sizeof *out->at, by_kind_and_name);
    return CULL_OK;
}

cull_status cull_inventory_remove(cull_ctx *ctx, const char *folder, const cull_inventory *v,
                                  const bool *marked, bool dry, double *bytes)
{
    cull_arena *arena = cull_context_of(ctx)->alloc;
    bool trials = false;

    *bytes = 0;
    for (size_t i = 0; i < v->n; i++) {
        struct stat st;
        const char *path = cull_arena_printf(arena, "%s/%s", folder, v->at[i].name);
        if (!path)
            return cull_no_memory(ctx);
        if (!marked[i] || stat(path, &st) != 0)
            continue;
        *bytes += st.st_nlink == 1 ? (double)st.st_size : 0;
        trials |= v->at[i].kind <= CULL_KEPT_EVALUATION;
        if (!dry && unlink(path) != 0 && errno != ENOENT)
            return cull_fail(ctx, CULL_EIO, "%s: cannot be removed: %s", path, strerror(errno));
    }
    return trials && !dry && !cull_is_cache(ctx, folder) ? cull_index_write(ctx, folder, NULL)
                                                         : CULL_OK;
}
