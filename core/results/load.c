// Trials' files into a frame.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "record/folder/folder.h"
#include "record/folder/folder_note.h"
#include "record/folder/index.h"
#include "record/h5/h5.h"
#include "results/load.h"

// ---- one trial ----

static cull_status read_reals(cull_h5_in *file, cull_frame_trial *t)
{
    t->sparsity = t->seed = t->achieved = t->achieved_all = t->active = NAN;
    t->kept_all = t->kept_active = t->checkpoint_bytes = t->numerics = t->finished_s = NAN;
    const struct {
        const char *where, *name;
        double *to;
    } reals[] = {
        { "/", "sparsity", &t->sparsity },
        { "/", "seed", &t->seed },
        { "/cut", "achieved_expert", &t->achieved },
        { "/cut", "achieved_all", &t->achieved_all },
        { "/cut", "achieved_active", &t->active },
        { "/cut", "kept_all", &t->kept_all },
        { "/cut", "kept_active", &t->kept_active },
        { "/", "numerics", &t->numerics },
        { "/cut", "checkpoint_bytes", &t->checkpoint_bytes },
        { "/", "finished_s", &t->finished_s },
    };
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++)
        CULL_TRY(cull_h5_get_real(file, reals[i].where, reals[i].name, reals[i].to));
    return CULL_OK;
}

static cull_status read_timing(cull_h5_in *file, cull_frame_trial *t)
{
    cull_h5_shape shape;
    const void *names, *wall, *flops;

    if (!cull_h5_has(file, "/timing/phase") || !cull_h5_has(file, "/timing/wall_s"))
        return CULL_OK;
    CULL_TRY(cull_h5_get(file, "/timing/phase", 's', &shape, &names));
    CULL_TRY(cull_h5_get(file, "/timing/wall_s", 'd', &shape, &wall));
    CULL_TRY(cull_h5_get(file, "/timing/flops", 'd', &shape, &flops));
    for (size_t i = 0; i < shape.n; i++) {
        const double seconds = ((const double *)wall)[i];
        t->wall_s += seconds;
        t->flops += ((const double *)flops)[i];
        if (strcmp(((const char *const *)names)[i], "calibrate") == 0)
            t->calibrate_s += seconds;
    }
    return CULL_OK;
}

static bool is_id(const char *id)
{
    return strlen(id) == 32 && strspn(id, "0123456789abcdef") == 32;
}

static cull_status read_trial(cull_ctx *ctx, cull_h5_in *file, cull_frame_trial *t)
{
    t->id = t->model = t->method = t->precision = t->fingerprint = t->finished = "";
    t->axis = cull_take(ctx, CULL_AXES_NAMED, sizeof *t->axis);
    if (!t->axis)
        return CULL_ENOMEM;
    for (size_t i = 0; i < CULL_AXES_NAMED; i++)
        t->axis[i] = "";
    const struct {
        const char *where, *name;
        const char **to;
    } texts[] = {
        { "/", "trial_id", &t->id },
        { "/", "model", &t->model },
        { "/", "method", &t->method },
        { "/", "allocation", &t->axis[CULL_AXIS_ALLOCATION] },
        { "/", "calibration", &t->axis[CULL_AXIS_CALIBRATION] },
        { "/", "layers", &t->axis[CULL_AXIS_LAYERS] },
        { "/", "precision", &t->precision },
        { "/", "finished", &t->finished },
        { "/model", "fingerprint", &t->fingerprint },
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        CULL_TRY(cull_h5_get_text(file, texts[i].where, texts[i].name, texts[i].to));
        *texts[i].to = cull_visible_name(ctx, *texts[i].to);
        if (!*texts[i].to)
            return CULL_ENOMEM;
    }
    if (!is_id(t->id))
        return cull_fail(ctx, CULL_EFORMAT, "%s: is not a trial", t->path);
    t->dense = strcmp(t->method, "dense") == 0;
    t->weights = t->model;
    CULL_TRY(cull_read_recipe(ctx, file, t));
    CULL_TRY(read_reals(file, t));
    return read_timing(file, t);
}

cull_status cull_frame_read_file(cull_ctx *ctx, cull_h5_in *file)
{
    cull_frame frame = { .n_axes = CULL_AXES_NAMED };
    loading in = { .ctx = ctx, .frame = &frame, .own_alone = true };
    cull_frame_trial t = { .path = "", .folder = "" };

    CULL_TRY(read_trial(ctx, file, &t));
    CULL_TRY(loading_add_trial(&in, &t));
    return cull_load_rows(&in, file, "", 0);
}

// ---- folders ----

typedef struct place {  // where trials are looked for
    const char *dir;    // the folder that holds their files
    const char *only;   // the trial's file without its ending, NULL: all of them
    const char *parent; // the folder that has an index of them; NULL: it is not asked for
} place;

// The file of one trial: what was added to it lies beside it.
static cull_status place_of_file(cull_ctx *ctx, const char *path, place *out)
{
    cull_arena *arena = cull_context_of(ctx)->alloc;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *end = strstr(name, ".eval-");
    size_t n = end ? (size_t)(end - name) : strlen(name);

    if (!end && n > 3 && strcmp(name + n - 3, ".h5") == 0)
        n -= 3;
    out->only = cull_arena_copy(arena, name, n);
    out->dir = slash ? cull_arena_copy(arena, path, (size_t)(slash - path)) : ".";
    return out->only && out->dir ? CULL_OK : cull_no_memory(ctx);
}

// A trial's file, a folder of trials, or one with trials/ in it.
static cull_status place_of(cull_ctx *ctx, const char *path, place *out)
{
    struct stat st;
    const char *below = cull_arena_printf(cull_context_of(ctx)->alloc, "%s/trials", path);

    if (!below)
        return cull_no_memory(ctx);
    if (stat(path, &st) != 0)
        return cull_fail(ctx, CULL_EUSAGE, "%s: %s", path, strerror(errno));
    if (S_ISREG(st.st_mode))
        return place_of_file(ctx, path, out);
    const bool has_trials = stat(below, &st) == 0 && S_ISDIR(st.st_mode);
    *out = (place){ has_trials ? below : path, NULL, has_trials ? path : NULL };
    return CULL_OK;
}

static bool is_wanted(const place *where, const char *name, bool added)
{
    const size_t n = where->only ? strlen(where->only) : 0;

    if ((strstr(name, ".eval-") != NULL) != added || strcmp(name, "index.h5") == 0)
        return false;
    return !where->only || (strncmp(name, where->only, n) == 0 &&
                            (strcmp(name + n, ".h5") == 0 || strncmp(name + n, ".eval-", 6) == 0));
}

static bool is_known(const loading *in, const char *id, size_t *trial)
{
    for (size_t i = 0; i < in->frame->n_trials; i++)
        if (strcmp(in->frame->trial[i].id, id) == 0) {
            *trial = i;
            return true;
        }
    return false;
}

// Of values that were measured alike, whatever the files' bytes, the first one stays: after what
// was asked for is chosen, which may be either.
static cull_status drop_known(cull_ctx *ctx, cull_frame *f)
{
    // A row's number + 1, 0: none. Of each trial the last row that stays, of each of those the one
    // before it.
    size_t *last = cull_scratch(ctx, f->n_trials + 1, sizeof *last);
    size_t *before = cull_scratch(ctx, f->n_rows + 1, sizeof *before), n = 0;

    if (!last || !before)
        return CULL_ENOMEM;
    for (size_t i = 0; i < f->n_rows; i++) {
        const cull_row row = f->row[i];
        size_t j = last[row.trial];
        while (j > 0 && !(cull_same_column(&f->row[j - 1], &row) &&
                          strcmp(f->row[j - 1].conditions, row.conditions) == 0))
            j = before[j - 1];
        if (j > 0)
            continue;
        before[n] = last[row.trial];
        f->row[n++] = row;
        last[row.trial] = n;
    }
    f->n_rows = n;
    return CULL_OK;
}

// One file: a trial, what a second folder knows of it, or an evaluation that was added to it. Not
// taken: it says nothing of any trial.
static cull_status load_file(loading *in, const cull_index *index, const char *name,
                             const char *path, const char *folder, bool *taken)
{
    cull_ctx *ctx = in->ctx;
    cull_h5_in *file;
    cull_frame_trial t = { .path = path, .folder = folder };
    size_t trial = in->frame->n_trials;
    const size_t before = in->frame->n_rows, trials = in->frame->n_trials;

    *taken = false;
    CULL_TRY(cull_index_open(ctx, index, name, path, &file));

    cull_status status = read_trial(ctx, file, &t);
    const bool again = status == CULL_OK && is_known(in, t.id, &trial);
    const bool added = strstr(path, ".eval-") != NULL;
    if (status == CULL_OK && !again && !added)
        status = loading_add_trial(in, &t);
    if (status == CULL_OK && (again || !added))
        status = cull_load_rows(in, file, path, trial);
    status = cull_h5_done(file, status);
    *taken = status == CULL_OK && (again || !added);
    if (status != CULL_OK) { // nothing of it
        in->frame->n_rows = before;
        in->frame->n_trials = trials;
    }
    return status;
}

// Of the trials from `first` on: those that the last run asked for. Where the folder of results was
// not named, it is the one above that of the files.
static cull_status mark_asked(loading *in, const place *where, size_t first)
{
    const char *folder =
        where->parent ? where->parent
                      : cull_arena_printf(cull_context_of(in->ctx)->alloc, "%s/..", where->dir);

    if (!folder)
        return cull_no_memory(in->ctx);
    const cull_folder_note note = cull_folder_note_read(in->ctx, folder);
    for (size_t i = first; note.n_trials && i < in->frame->n_trials; i++) {
        cull_frame_trial *t = &in->frame->trial[i];
        t->asked =
            bsearch(&t->id, note.trial, note.n_trials, sizeof *note.trial, cull_by_text) != NULL;
    }
    return CULL_OK;
}

static cull_status load_folder(loading *in, const char *dir)
{
    cull_ctx *ctx = in->ctx;
    const size_t first = in->frame->n_trials;
    place where = { 0 };
    cull_index index = { 0 };
    const char *const *names;
    size_t n, n_taken = 0, n_left_out = 0;

    CULL_TRY(place_of(ctx, dir, &where));
    CULL_TRY(cull_folder_list(ctx, where.dir, ".h5", &n, &names));
    if (where.parent)
        CULL_TRY(cull_index_read(ctx, where.parent, &index));

    for (int added = 0; added <= 1; added++) // trials before what was added to them
        for (size_t i = 0; i < n; i++) {
            if (!is_wanted(&where, names[i], added))
                continue;
            const char *path =
                cull_arena_printf(cull_context_of(ctx)->alloc, "%s/%s", where.dir, names[i]);
            if (!path)
                return cull_no_memory(ctx);
            bool taken;
            const cull_status status = load_file(in, &index, names[i], path, dir, &taken);
            n_taken += taken;
            n_left_out += status == CULL_EFORMAT;
            if (status == CULL_EFORMAT) {
                ctx->host->log(ctx, CULL_WARN, "left out: %s",
                               cull_context_of(ctx)->error.sentence);
                cull_error_clear(ctx);
            } else if (status != CULL_OK) {
                return status;
            }
        }
    CULL_TRY(mark_asked(in, &where, first));
    return n_taken > 0 ? CULL_OK
                       : cull_fail(ctx, CULL_EUSAGE, "%s: holds no finished trials%s", dir,
                                   n_left_out ? " that can be read" : "");
}

cull_status cull_frame_load(cull_ctx *ctx, size_t n, const char *const *folders,
                            const cull_conditions *where, cull_frame *out)
{
    static const char *const axes[CULL_AXES_NAMED] = { "allocation", "calibration", "layers" };
    loading in = { .ctx = ctx, .frame = out };

    *out = (cull_frame){ .n_axes = CULL_AXES_NAMED,
                         .axis = cull_take(ctx, CULL_AXES_NAMED, sizeof *out->axis),
                         .draws = cull_take(ctx, 1, sizeof *out->draws) };
    if (!out->axis || !out->draws)
        return CULL_ENOMEM;
    memcpy(out->axis, axes, sizeof axes);
    for (size_t i = 0; i < n; i++)
        CULL_TRY(load_folder(&in, folders[i]));
    if (out->n_trials == 0)
        return cull_fail(ctx, CULL_EUSAGE, "%s: holds no finished trials", n ? folders[0] : ".");
    if (where)
        CULL_TRY(cull_frame_filter(ctx, where, out));
    CULL_TRY(drop_known(ctx, out));
    return cull_frame_arrange(ctx, out);
}
