// A run: the folder entered, what is there found, models one after the other.
#include "study/run.h"

#include <stdlib.h>
#include <string.h>

#include "base/crash.h"
#include "base/pages.h"
#include "base/text.h"
#include "flow/stage_view.h"
#include "plan/cost/cost.h"
#include "plan/cost/time.h"
#include "record/folder/folder.h"
#include "record/folder/folder_note.h"
#include "record/folder/index.h"
#include "record/trial_cache.h"
#include "results/frame.h"

// ---- the folder ----

static cull_status make_folders(cull_ctx *ctx, const char *folder, size_t *removed)
{
    static const char *const inside[] = { "calibration", "steps", "cuts" };

    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
        const char *path =
            cull_arena_printf(cull_context_of(ctx)->scratch, "%s/%s", folder, inside[i]);
        if (!path)
            return cull_no_memory(ctx);
        CULL_TRY(cull_make_folder(ctx, path));
    }
    size_t here = 0;
    CULL_TRY(cull_results_sweep(ctx, folder, &here));
    *removed += here;
    return CULL_OK;
}

static cull_status prepare_cache(cull_study *s, size_t *removed)
{
    CULL_TRY(make_folders(s->ctx, s->cache.path, removed));
    CULL_TRY(cull_cache_mark(s->ctx, s->cache.path));
    return cull_claims_open(s->ctx, s->cache.path, &s->cache_claims);
}

static cull_status prepare_folders(cull_study *s)
{
    const cull_flow_options *o = s->options;
    size_t removed = 0;

    CULL_TRY(make_folders(s->ctx, o->folder, &removed));
    CULL_TRY(cull_claims_open(s->ctx, o->folder, &s->claims));
    s->cache = (cull_cache_folder){ .path = o->shared, .own = o->folder };
    if (!cull_cache_is_own(&s->cache)) {
        const cull_status status = prepare_cache(s, &removed);
        if (status != CULL_OK)
            CULL_TRY(cull_cache_give_up(s->ctx, &s->cache, status));
    }
    if (removed > 0)
        cull_log_line(cull_context_of(s->ctx)->log, CULL_INFO,
                      "%zu temporary file%s of an earlier run removed", removed,
                      removed == 1 ? "" : "s");
    return CULL_OK;
}

// What others that were killed meanwhile have left.
static cull_status sweep_folders(cull_study *s)
{
    size_t removed;

    CULL_TRY(cull_results_sweep(s->ctx, s->options->folder, &removed));
    if (cull_cache_is_own(&s->cache))
        return CULL_OK;
    return cull_cache_excuse(s->ctx, &s->cache,
                             cull_results_sweep(s->ctx, s->cache.path, &removed));
}

static void leave_folders(cull_study *s)
{
    cull_claims_close(s->cache_claims);
    cull_claims_close(s->claims);
}

// ---- what is wanted ----

// What was computed under names that the experiment no longer has is not computed again.
static cull_status take_over_names(cull_study *s, const cull_stored_trials *stored, bool *renamed)
{
    *renamed = false;
    for (size_t c = 0; c < s->plan->n_cells; c++) {
        const cull_stored_trial *twin = s->cell[c].recorded ? NULL : cull_find_twin(s, c, stored);
        if (!twin)
            continue;
        const cull_trial_axes axes = cull_axes_of(s, &s->plan->cell[c]);
        CULL_TRY(
            cull_trial_rename(s->ctx, s->options->folder, twin, &axes, s->plan->cell[c].id.hex));
        cull_log_line(cull_context_of(s->ctx)->log, CULL_INFO, "%s: known under another name",
                      cull_trial_slug(s->ctx, &axes));
        *renamed = true;
    }
    return CULL_OK;
}

static void count_sharers(cull_study *s)
{
    for (size_t c = 0; c < s->plan->n_cells; c++) {
        if (s->cell[c].state != CULL_WANTED)
            continue;
        for (size_t i = s->plan->cell[c].step; i != CULL_NOT; i = s->plan->step[i].before) {
            const size_t set = cull_step_seen(&s->plan->step[i]);
            if (set != CULL_NOT)
                s->sharers[set]++;
        }
    }
}

static cull_status look_at_cells(cull_study *s, cull_stored_trials *stored)
{
    CULL_TRY(cull_find_stored_trials(s->ctx, s->options->folder, stored));
    for (size_t c = 0; c < s->plan->n_cells; c++)
        CULL_TRY(cull_look_at_cell(s, c, stored));
    return CULL_OK;
}

static cull_status look_around(cull_study *s, cull_tally *tally)
{
    cull_stored_trials stored;
    bool renamed;
    size_t taken;

    CULL_TRY(look_at_cells(s, &stored));
    CULL_TRY(take_over_names(s, &stored, &renamed));
    if (renamed)
        CULL_TRY(look_at_cells(s, &stored));
    CULL_TRY(cull_take_cached(s, &taken));
    if (taken > 0)
        CULL_TRY(look_at_cells(s, &stored));
    for (size_t c = 0; c < s->plan->n_cells; c++)
        tally->there += s->cell[c].state == CULL_DONE;
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

// A share of what is wanted after the other; alone, that is all at once.
static cull_status run_model(cull_study *s, size_t m)
{
    bool any;

    for (;;) {
        CULL_TRY(cull_claim_cells(s, m, &any));
        if (!any)
            return CULL_OK;
        // 2. Calibrate, score, select, apply
        CULL_TRY(cull_make_cuts(s, m));
        // 3. Evaluate, record
        CULL_TRY(cull_evaluate_cells(s, m));
    }
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
        CULL_TRY(run_model(s, m));
    }
    return CULL_OK;
}

// The index is derived: what took it away, damaged it, or came after it is made good by the next
// run. One at a time writes it, so that the last one names all trials.
static cull_status write_index(cull_study *s, bool changed)
{
    bool fits = false, mine = false;

    if (!changed)
        CULL_TRY(cull_index_fits(s->ctx, s->options->folder, &fits));
    if (fits)
        return CULL_OK;
    for (;;) {
        CULL_TRY(cull_claim(s->ctx, s->claims, "index", &mine));
        if (mine)
            break;
        CULL_TRY(cull_wait_for_others(s));
    }
    const cull_status status = cull_index_write(s->ctx, s->options->folder, cull_frame_read_file);
    cull_claim_release(s->claims, "index");
    return status;
}

static void count(const cull_study *s, cull_tally *out)
{
    for (size_t c = 0; s->cell && c < s->plan->n_cells; c++) {
        out->done += s->cell[c].state == CULL_DONE && !s->cell[c].of_others;
        out->of_others += s->cell[c].of_others;
        out->failed += s->cell[c].state == CULL_FAILED;
    }
    out->done -= out->there < out->done ? out->there : out->done;
}

// The folder's note; what `auto` came to is kept by experiments that do not ask for it.
static cull_status note_experiment(const cull_study *s)
{
    const char **trial = cull_take(s->ctx, s->plan->n_cells + 1, sizeof *trial);
    if (!trial)
        return CULL_ENOMEM;
    for (size_t c = 0; c < s->plan->n_cells; c++)
        trial[c] = s->plan->cell[c].id.hex;
    if (s->plan->n_cells)
        qsort(trial, s->plan->n_cells, sizeof *trial, cull_by_text);
    const bool asks = strcmp(s->spec->precision, "auto") == 0;
    const cull_folder_note there = cull_folder_note_read(s->ctx, s->options->folder);
    const cull_folder_note note = { s->spec->question, s->spec->baseline,
                                    asks ? cull_precision_word(s->inputs->precision)
                                         : there.automatic,
                                    s->plan->n_cells, trial };

    return cull_folder_note_write(s->ctx, s->options->folder, &note);
}

static cull_status run(cull_study *s, cull_tally *out)
{
    const char *folder = s->options->folder;

    CULL_TRY(prepare_folders(s));
    CULL_TRY(note_experiment(s));
    cull_crash_results(folder);
    cull_context_of(s->ctx)->pages = cull_pages_new(folder);
    cull_status status = run_models(s, out);
    count(s, out);
    if (status == CULL_OK)
        status = sweep_folders(s);
    if (status == CULL_OK)
        status = cull_keep_only(s);
    if (s->cell && (out->done > 0 || status == CULL_OK)) {
        const cull_status indexed = write_index(s, out->done > 0);
        status = status == CULL_OK ? indexed : status;
    }
    return status;
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

    *out = (cull_tally){ 0 };
    const cull_status status = run(&study, out);
    out->equivalents = study.equivalents + calibration_equivalents(&study);
    release(&study);
    leave_folders(&study);
    cull_crash_results(NULL);
    return status;
}
