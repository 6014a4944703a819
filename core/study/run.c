// A run: the folder locked, what is there found, models one after the other.
#include "study/run.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/pages.h"
#include "flow/stage_view.h"
#include "plan/cost.h"
#include "plan/key.h"
#include "plan/time.h"
#include "record/folder.h"
#include "record/folder_note.h"

// ---- the folder ----

// One run at a time: an flock of <folder>/.lock, which the system lets go with the process.
static cull_status lock_folder(cull_ctx *ctx, const char *folder, int *lock)
{
    const char *path = cull_arena_printf(cull_context_of(ctx)->alloc, "%s/.lock", folder);
    if (!path)
        return cull_no_memory(ctx);
    *lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (*lock < 0)
        return cull_fail(ctx, CULL_EIO, "%s: %s", path, strerror(errno));
    if (flock(*lock, LOCK_EX | LOCK_NB) != 0)
        return cull_fail(ctx, CULL_EENV,
                         errno == EWOULDBLOCK ? "%s: another run is at work in this folder (%s)"
                                              : "%s: the folder cannot be locked: %s",
                         folder, strerror(errno));
    return CULL_OK;
}

static cull_status prepare_folder(cull_ctx *ctx, const char *folder, int *lock)
{
    size_t removed = 0;
    cull_arena *arena = cull_context_of(ctx)->alloc;
    const char *calibration = cull_arena_printf(arena, "%s/calibration", folder);
    const char *cuts = cull_arena_printf(arena, "%s/cuts", folder);
    if (!calibration || !cuts)
        return cull_no_memory(ctx);
    CULL_TRY(cull_make_folder(ctx, calibration));
    CULL_TRY(cull_make_folder(ctx, cuts));
    CULL_TRY(lock_folder(ctx, folder, lock));
    CULL_TRY(cull_results_sweep(ctx, folder, &removed));
    CULL_TRY(cull_folder_sweep(ctx, calibration, &removed));
    if (removed > 0)
        cull_log_line(cull_context_of(ctx)->log, CULL_INFO,
                      "%zu temporary file%s of an earlier run removed", removed,
                      removed == 1 ? "" : "s");
    return CULL_OK;
}

// ---- what is wanted ----

// A trial without its recipe could not be exported, nor evaluated any more.
static cull_status look_at_cut(cull_study *s, size_t c)
{
    cull_cell_state *cell = &s->cell[c];
    if (!cell->recorded || s->plan->cell[c].step == CULL_NOT)
        return CULL_OK;
    const char *path = cull_cut_path(s, &s->plan->cell[c]);
    if (!path)
        return CULL_ENOMEM;
    if (access(path, F_OK) == 0)
        return CULL_OK;
    cell->cut_lost = true;
    cell->state = CULL_WANTED;
    cull_log_line(cull_context_of(s->ctx)->log, CULL_WARN,
                  "%s: the cut of a finished trial is gone; made again", path);
    return CULL_OK;
}

static cull_status look_at_cell(cull_study *s, size_t c, const cull_stored_trials *stored)
{
    const size_t n = s->spec->n_metrics;
    cull_cell_state *cell = &s->cell[c];
    const cull_stored_trial *trial = cull_trial_exists(stored, s->plan->cell[c].id.hex);
    cell->missing = cull_take(s->ctx, n, sizeof *cell->missing);
    cell->keys = cull_take(s->ctx, n, sizeof *cell->keys);
    if (!cell->missing || !cell->keys)
        return CULL_ENOMEM;
    cell->recorded = trial;
    cell->state = CULL_DONE;
    if (s->plan->cell[c].left_out) {
        cell->state = CULL_IDLE;
        return CULL_OK;
    }
    CULL_TRY(look_at_cut(s, c));
    for (size_t i = 0; i < n; i++) {
        CULL_TRY(cull_evaluation_key(s->ctx, s->registry, s->inputs, s->plan, &s->plan->cell[c], i,
                                     &cell->keys[i]));
        cell->missing[i] = !trial || !cull_evaluation_exists(trial, cell->keys[i].hex);
        if (cell->missing[i])
            cell->state = CULL_WANTED;
    }
    return CULL_OK;
}

static void count_sharers(cull_study *s)
{
    for (size_t c = 0; c < s->plan->n_cells; c++) {
        if (s->cell[c].state != CULL_WANTED)
            continue;
        for (size_t i = s->plan->cell[c].step; i != CULL_NOT; i = s->plan->step[i].before)
            if (s->plan->step[i].set != CULL_NOT)
                s->sharers[s->plan->step[i].set]++;
    }
}

static cull_status look_around(cull_study *s, cull_tally *tally)
{
    cull_stored_trials stored;
    CULL_TRY(cull_find_stored_trials(s->ctx, s->options->folder, &stored));
    for (size_t c = 0; c < s->plan->n_cells; c++) {
        CULL_TRY(look_at_cell(s, c, &stored));
        tally->there += s->cell[c].state == CULL_DONE;
    }
    count_sharers(s);
    return CULL_OK;
}

// ---- the study ----

static cull_status set_up(cull_study *s)
{
    const cull_plan *plan = s->plan;
    s->layers = cull_take(s->ctx, s->inputs->n, sizeof *s->layers);
    s->made = cull_take(s->ctx, plan->n_steps + 1, sizeof *s->made);
    s->statistics = cull_take(s->ctx, plan->n_sets + 1, sizeof *s->statistics);
    s->sharers = cull_take(s->ctx, plan->n_sets + 1, sizeof *s->sharers);
    s->cell = cull_take(s->ctx, plan->n_cells, sizeof *s->cell);
    if (!s->layers || !s->made || !s->statistics || !s->sharers || !s->cell)
        return CULL_ENOMEM;
    s->dense_flops = cull_take(s->ctx, s->inputs->n, sizeof *s->dense_flops);
    s->dense_seconds = cull_take(s->ctx, s->inputs->n, sizeof *s->dense_seconds);
    if (!s->dense_flops || !s->dense_seconds)
        return CULL_ENOMEM;
    for (size_t m = 0; m < s->inputs->n; m++) {
        s->layers[m] = cull_stage_view_layers(s->ctx, &s->inputs->at[m]);
        if (!s->layers[m])
            return CULL_ENOMEM;
    }
    s->provenance = (cull_provenance){
        .config_yaml = s->spec->text,
        .argc = s->options->argc,
        .argv = s->options->argv,
        .threads = cull_pool_threads(cull_context_of(s->ctx)->pool),
    };
    return cull_provenance_here(s->ctx, &s->provenance);
}

static void release(cull_study *s)
{
    for (size_t g = 0; s->statistics && g < s->plan->n_sets; g++)
        cull_statistics_release(&s->statistics[g]);
    for (size_t i = 0; s->made && i < s->plan->n_steps; i++)
        cull_stage_result_release(&s->made[i].result);
    cull_pages_free(cull_context_of(s->ctx)->pages);
    cull_context_of(s->ctx)->pages = NULL;
}

static bool wanted(const cull_study *s, size_t model)
{
    for (size_t c = 0; c < s->plan->n_cells; c++)
        if (s->plan->cell[c].model == model && s->cell[c].state == CULL_WANTED)
            return true;
    return false;
}

static double calibration_equivalents(const cull_study *s)
{
    double sum = 0;
    for (size_t g = 0; s->statistics && g < s->plan->n_sets; g++) {
        const double one = s->dense_flops ? s->dense_flops[s->plan->set[g].model] : 0;
        sum += one > 0 ? (double)s->statistics[g].cost.flops / one : 0;
    }
    return sum;
}

static cull_status run_models(cull_study *s, cull_tally *tally)
{
    cull_rates rates;
    // 1. What of the plan is there, and what is wanted
    CULL_TRY(set_up(s));
    CULL_TRY(look_around(s, tally));
    CULL_TRY(cull_rates_here(s->ctx, &rates));
    for (size_t m = 0; m < s->inputs->n; m++) {
        if (!wanted(s, m))
            continue;
        CULL_TRY(cull_dense_flops(s->ctx, s->inputs, m, &s->dense_flops[m]));
        CULL_TRY(cull_dense_seconds(s->ctx, s->inputs, m, &rates, &s->dense_seconds[m]));
        // 2. Calibrate, score, select, apply
        CULL_TRY(cull_make_cuts(s, m));
        // 3. Evaluate, record
        CULL_TRY(cull_evaluate_cells(s, m));
    }
    return CULL_OK;
}

// The index is derived: what took it away, damaged it, or came after it is made good by the next
// run.
static cull_status write_index(cull_ctx *ctx, const char *folder, bool changed)
{
    bool fits = false;
    if (!changed)
        CULL_TRY(cull_index_fits(ctx, folder, &fits));
    return fits ? CULL_OK : cull_index_write(ctx, folder);
}

cull_status cull_run_trials(cull_ctx *ctx, cull_registry *registry, cull_plan *plan,
                            cull_inputs *inputs, const cull_flow_options *options, cull_tally *out)
{
    cull_study study = {
        .ctx = ctx,
        .registry = registry,
        .options = options,
        .spec = plan->spec,
        .plan = plan,
        .inputs = inputs,
    };
    int lock = -1;
    *out = (cull_tally){ 0 };
    cull_status status = prepare_folder(ctx, options->folder, &lock);
    if (status == CULL_OK)
        status = cull_folder_note_write(
            ctx, options->folder,
            &(cull_folder_note){ plan->spec->question, plan->spec->baseline });
    if (status == CULL_OK) {
        cull_crash_results(options->folder);
        cull_context_of(ctx)->pages = cull_pages_new(options->folder);
        status = run_models(&study, out);
    }
    for (size_t c = 0; study.cell && c < plan->n_cells; c++) {
        out->done += study.cell[c].state == CULL_DONE;
        out->failed += study.cell[c].state == CULL_FAILED;
    }
    out->done -= out->there < out->done ? out->there : out->done;
    if (study.cell && (out->done > 0 || status == CULL_OK)) {
        const cull_status indexed = write_index(ctx, options->folder, out->done > 0);
        status = status == CULL_OK ? indexed : status;
    }
    out->equivalents = study.equivalents + calibration_equivalents(&study);
    release(&study);
    cull_crash_results(NULL);
    if (lock >= 0)
        close(lock);
    return status;
}
