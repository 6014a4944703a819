// What a finished cell leaves behind: the plan's and the study's words turned into those of
// record/.
#include <math.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "cut/cut_file.h"
#include "engine/exactness.h"
#include "flow/export.h"
#include "plan/cell_settings.h"
#include "plan/key.h"
#include "plugin/settings.h"
#include "record/folder/folder.h"
#include "study/steps.h"

cull_trial_axes cull_axes_of(const cull_study *s, const cull_cell *cell)
{
    const bool dense = cell->method == CULL_NOT;

    return (cull_trial_axes){
        .model = s->spec->models[cell->model].name,
        .method = dense ? "dense" : s->spec->methods[cell->method].name,
        .allocation = cell->allocation,
        .calibration = cull_calibration_name(s->spec, cell),
        .layers = cull_layers_name(s->spec, cell),
        .sparsity = cell->sparsity,
        .seeded = cell->seeded,
        .seed = cell->seed,
        .precision = cull_precision_word(s->inputs->precision),
        .numerics = CULL_NUMERICS_REVISION,
    };
}

static const char *use_json(cull_ctx *ctx, const cull_use *use)
{
    cull_buf text = CULL_BUF_INIT;

    cull_settings_json(use->plugin, use->settings, &text);
    const char *kept =
        text.failed ? NULL : cull_arena_copy(cull_context_of(ctx)->alloc, text.s, text.n);
    cull_buf_release(&text);
    return kept;
}

// ---- the parts of a trial ----

static cull_status add_plugin(cull_study *s, const cull_use *use, cull_plugin_used *all, size_t *n)
{
    if (!use->plugin)
        return CULL_OK;
    const cull_registered *from = cull_registry_of(s->registry, use->plugin);
    const char *settings = use_json(s->ctx, use);
    if (!settings)
        return cull_no_memory(s->ctx);
    all[(*n)++] = (cull_plugin_used){
        .kind = cull_kind_name(use->plugin->kind),
        .name = use->plugin->name,
        .version = use->plugin->version,
        .path = from ? from->from->path : "",
        .hash = from ? from->from->key.hex : "",
        .settings = settings,
        .cite = use->plugin->cite,
    };
    return CULL_OK;
}

static cull_status plugins_of(cull_study *s, const cull_cell *cell, cull_provenance *out)
{
    const cull_spec *spec = s->spec;
    const cull_method *method = cell->method == CULL_NOT ? NULL : &spec->methods[cell->method];
    const size_t most = 2 + (method ? 2 * method->n : 0) + spec->n_metrics;
    cull_plugin_used *all = cull_take(s->ctx, most, sizeof *all);

    if (!all)
        return CULL_ENOMEM;
    CULL_TRY(add_plugin(s, &spec->models[cell->model].backend, all, &out->n_plugins));
    if (method && cull_calibration_of(spec, cell))
        CULL_TRY(add_plugin(s, &cull_calibration_of(spec, cell)->data, all, &out->n_plugins));
    for (size_t i = 0; method && i < method->n; i++) {
        CULL_TRY(add_plugin(s, &method->stage[i].criterion, all, &out->n_plugins));
        CULL_TRY(add_plugin(s, &method->stage[i].strategy, all, &out->n_plugins));
    }
    for (size_t i = 0; i < spec->n_metrics; i++)
        CULL_TRY(add_plugin(s, &spec->metrics[i], all, &out->n_plugins));
    out->plugins = all;
    return CULL_OK;
}

static cull_status files_of(cull_study *s, const cull_cell *cell, cull_provenance *out)
{
    const cull_context *context = &s->inputs->at[cell->model].context;
    cull_name_key *files = cull_take(s->ctx, context->n_files + 1, sizeof *files);

    if (!files)
        return CULL_ENOMEM;
    for (size_t i = 0; i < context->n_files; i++)
        files[i] = (cull_name_key){ context->files[i].path, context->files[i].key.hex,
                                    context->files[i].bytes };
    out->files = files;
    out->n_files = context->n_files;
    return CULL_OK;
}

static cull_status seeds_of(cull_study *s, const cull_cell *cell, cull_provenance *out)
{
    cull_seed_used *seeds = cull_take(s->ctx, 2, sizeof *seeds);

    if (!seeds)
        return CULL_ENOMEM;
    seeds[out->n_seeds++] = (cull_seed_used){ "method", cell->seed };
    const size_t g = cell->step == CULL_NOT ? CULL_NOT : s->plan->step[cell->step].set;
    if (g != CULL_NOT)
        seeds[out->n_seeds++] = (cull_seed_used){ "data", s->plan->set[g].seed };
    out->seeds = seeds;
    return CULL_OK;
}

static cull_status provenance_of(cull_study *s, const cull_cell *cell, cull_trial *trial)
{
    cull_buf config = CULL_BUF_INIT;

    trial->provenance = s->provenance;
    cull_put_settings(&config, s->plan, s->inputs->precision, cell);
    trial->provenance.config_resolved =
        config.failed ? NULL : cull_arena_copy(cull_context_of(s->ctx)->alloc, config.s, config.n);
    cull_buf_release(&config);
    if (!trial->provenance.config_resolved)
        return cull_no_memory(s->ctx);
    CULL_TRY(plugins_of(s, cell, &trial->provenance));
    CULL_TRY(seeds_of(s, cell, &trial->provenance));
    return files_of(s, cell, &trial->provenance);
}

// The stages' scores under their criteria's names, with the stage's number where two share one.
static cull_status scores_of(cull_study *s, const cull_cell *cell, cull_trial *trial)
{
    const size_t n = cell->method == CULL_NOT ? 0 : s->spec->methods[cell->method].n;
    cull_expert_score *scores = cull_take(s->ctx, n + 1, sizeof *scores);

    if (!scores)
        return CULL_ENOMEM;
    for (size_t i = cell->step; i != CULL_NOT; i = s->plan->step[i].before) {
        const cull_stage_result *found = &s->made[i].result;
        const cull_step *step = &s->plan->step[i];
        if (!found->expert && !found->layer)
            continue;
        const char *name = step->spec->criterion.plugin->name;
        for (size_t j = 0; j < trial->n_scores; j++)
            if (strcmp(scores[j].criterion, name) == 0)
                name = cull_arena_printf(cull_context_of(s->ctx)->alloc, "%s.%zu", name,
                                         step->stage + 1);
        if (!name)
            return cull_no_memory(s->ctx);
        scores[trial->n_scores++] = (cull_expert_score){
            .criterion = name,
            .expert = (const double *const *)found->expert,
            .layer = found->layer,
        };
    }
    trial->scores = scores;
    return CULL_OK;
}

// Do the cell's steps see the set's statistics, or are its rows only counted on?
static bool sees(const cull_study *s, const cull_cell *cell, size_t g)
{
    for (size_t i = cell->step; i != CULL_NOT; i = s->plan->step[i].before)
        if (cull_step_seen(&s->plan->step[i]) == g)
            return true;
    return false;
}

static cull_status calibration_of(cull_study *s, const cull_cell *cell, cull_trial *trial)
{
    const size_t g = cull_first_set(s, cell->step);

    if (g == CULL_NOT)
        return CULL_OK;
    trial->calibration_key = s->plan->set[g].key.hex;
    trial->calibration = use_json(s->ctx, &s->spec->calibrations[s->plan->set[g].calibration].data);
    if (!trial->calibration)
        return cull_no_memory(s->ctx);
    trial->calibration_rows =
        &cull_rows_of(&s->inputs->at[cell->model], &s->plan->set[g])->sequences;
    if (s->statistics[g].store && sees(s, cell, g))
        trial->stats = cull_stats_store_view(s->statistics[g].store);
    return CULL_OK;
}

static double gone(double kept, double total)
{
    return total > 0 ? 1 - kept / total : 0;
}

static cull_status summary_of(cull_study *s, const cull_cell *cell, cull_cut_summary *out)
{
    const cull_prepared_model *prepared = &s->inputs->at[cell->model];
    cull_cut_size m;

    if (cell->step == CULL_NOT)
        CULL_TRY(cull_cut_size_of(s->ctx, &prepared->opened, NULL,
                                  cull_frozen_of(prepared, cell->layers),
                                  (cull_routing_counts){ 0 }, &m));
    else
        m = s->made[cell->step].variant.size;
    *out = (cull_cut_summary){
        .requested = cell->sparsity,
        .expert = gone(m.expert_kept, m.expert_total),
        .all = gone(m.all_kept, m.all_total),
        .active = gone(m.active_kept, m.active_total),
        .kept_expert = (uint64_t)llround(m.expert_kept),
        .kept_all = (uint64_t)llround(m.all_kept),
        .kept_active = m.active_kept,
        .exportable = m.exportable,
    };
    return cull_export_bytes(s->ctx, prepared,
                             cell->step == CULL_NOT ? NULL : s->made[cell->step].variant.cut,
                             &out->bytes);
}

static cull_status phases_of(cull_study *s, const cull_finding *f, cull_trial *trial)
{
    const size_t steps = f->cell->method == CULL_NOT ? 0 : s->spec->methods[f->cell->method].n;
    cull_phase *phases = cull_take(s->ctx, 5 * steps + 1, sizeof *phases);

    if (!phases)
        return CULL_ENOMEM;
    for (size_t i = f->cell->step; i != CULL_NOT; i = s->plan->step[i].before) {
        const size_t g = cull_step_seen(&s->plan->step[i]);
        const cull_stage_result *made = &s->made[i].result;
        if (g != CULL_NOT && s->statistics[g].wall_s > 0) {
            const cull_statistics *stats = &s->statistics[g];
            const double share = 1 / (double)(s->sharers[g] ? s->sharers[g] : 1);
            phases[trial->n_phases++] = (cull_phase){
                .name = "calibrate",
                .wall_s = stats->wall_s * share,
                .cpu_s = stats->cpu_s * share,
                .tokens = cull_rows_of(&s->inputs->at[f->cell->model], &s->plan->set[g])->tokens,
                .flops = (double)stats->cost.flops * share,
                .weight_bytes = (uint64_t)((double)stats->cost.weight_bytes * share),
            };
        }
        trial->n_phases += cull_search_phase(s, i, &phases[trial->n_phases]);
        if (s->made[i].counted.name)
            phases[trial->n_phases++] = s->made[i].counted;
        phases[trial->n_phases++] =
            (cull_phase){ .name = "score", .wall_s = made->score_s, .cpu_s = made->score_all_s };
        phases[trial->n_phases++] =
            (cull_phase){ .name = "select", .wall_s = made->select_s, .cpu_s = made->select_all_s };
    }
    phases[trial->n_phases++] = *f->evaluate;
    for (size_t i = 0; i < trial->n_phases; i++)
        phases[i].peak_rss_bytes = cull_peak_memory();
    trial->phases = phases;
    return CULL_OK;
}

static cull_status evaluations_of(cull_study *s, const cull_finding *f, cull_trial *trial)
{
    const cull_cell_state *cell = &s->cell[f->cell - s->plan->cell];
    cull_evaluation *all = cull_take(s->ctx, f->n, sizeof *all);

    if (!all)
        return CULL_ENOMEM;
    for (size_t i = 0; i < f->n; i++) {
        const cull_use *use = &s->spec->metrics[f->metric[i]];
        all[i] = (cull_evaluation){
            .metric = use->plugin->name,
            .key = cell->keys[f->metric[i]].hex,
            .settings = use_json(s->ctx, use),
            .found = &f->found[i],
        };
        if (!all[i].settings)
            return cull_no_memory(s->ctx);
    }
    trial->evaluations = all;
    trial->n_evaluations = f->n;
    return CULL_OK;
}

static const char *cut_in(cull_study *s, const char *folder, size_t step)
{
    const char *path = cull_arena_printf(cull_context_of(s->ctx)->alloc, "%s/cuts/%s", folder,
                                         s->made[step].cut.text);

    if (!path)
        cull_no_memory(s->ctx);
    return path;
}

// A cut of an earlier version stands elsewhere; one that was put into a cache which failed since is
// not to be had. Both are written again.
static cull_status bring_cut(cull_study *s, size_t step)
{
    if (!s->made[step].cut.text[0])
        CULL_TRY(cull_keep_step(s, step));
    const char *to = cut_in(s, s->options->folder, step), *from = cut_in(s, s->cache.path, step);
    if (!to || !from)
        return CULL_ENOMEM;
    if (cull_cache_is_own(&s->cache))
        return access(to, F_OK) == 0 ? CULL_OK : cull_keep_step(s, step);
    const cull_status status = cull_folder_bring(s->ctx, from, to);
    if (status == CULL_OK)
        return CULL_OK;
    CULL_TRY(cull_cache_give_up(s->ctx, &s->cache, status));
    return cull_keep_step(s, step);
}

// The file of a cell's cut, below the results folder: in that, and where there is a cache in both.
static cull_status keep_cut(cull_study *s, const cull_cell *cell, const char **name)
{
    CULL_TRY(bring_cut(s, cell->step));
    *name =
        cull_arena_printf(cull_context_of(s->ctx)->alloc, "cuts/%s", s->made[cell->step].cut.text);
    return *name ? CULL_OK : cull_no_memory(s->ctx);
}

// The recipe stands before the trial that names it.
static cull_status save_cut(cull_study *s, const cull_cell *cell, cull_trial *trial)
{
    if (cell->step == CULL_NOT)
        return CULL_OK;
    trial->cut = s->made[cell->step].variant.cut;
    return keep_cut(s, cell, &trial->summary.file);
}

cull_status cull_restore_cut(cull_study *s, const cull_cell *cell)
{
    const cull_model_facts *facts = s->inputs->at[cell->model].opened.facts;
    const char *named = s->cell[cell - s->plan->cell].cut, *name;
    cull_cut_about about = { .model = facts->fingerprint };

    CULL_TRY(keep_cut(s, cell, &name));
    const char *path =
        cull_arena_printf(cull_context_of(s->ctx)->alloc, "%s/%s", s->options->folder, named);
    if (!path)
        return cull_no_memory(s->ctx);
    if (access(path, F_OK) == 0)
        return CULL_OK;
    CULL_TRY(cull_cut_store(s->ctx, s->spec->store, facts->dtype, &about.store));
    return cull_cut_save(s->ctx, s->made[cell->step].variant.cut, &about, path);
}

cull_status cull_record_cell(cull_study *s, const cull_finding *f)
{
    const cull_prepared_model *prepared = &s->inputs->at[f->cell->model];
    const bool added = s->cell[f->cell - s->plan->cell].recorded;
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    cull_trial trial = {
        .id = f->cell->id.hex,
        .axes = cull_axes_of(s, f->cell),
        .model = prepared->opened.facts,
        .layer = prepared->layer,
        .started = f->started,
        .finished = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec,
    };
    trial.n_notes = cull_prepared_model_notes(prepared, &trial.notes);
    if (s->inputs->precision == CULL_BF16X2)
        CULL_TRY(cull_count_f32_matrices(
            s->ctx, &prepared->opened,
            f->cell->step == CULL_NOT ? NULL : s->made[f->cell->step].variant.cut,
            &trial.f32_matrices));
    CULL_TRY(provenance_of(s, f->cell, &trial));
    CULL_TRY(summary_of(s, f->cell, &trial.summary));
    CULL_TRY(calibration_of(s, f->cell, &trial));
    CULL_TRY(scores_of(s, f->cell, &trial));
    CULL_TRY(cull_searches_of(s, f->cell, &trial));
    CULL_TRY(phases_of(s, f, &trial));
    CULL_TRY(evaluations_of(s, f, &trial));
    if (added) {
        if (f->cell->step != CULL_NOT)
            trial.cut = s->made[f->cell->step].variant.cut;
        return cull_trial_write_added(s->ctx, s->options->folder, &trial);
    }
    CULL_TRY(save_cut(s, f->cell, &trial));
    return cull_trial_write(s->ctx, s->options->folder, &trial);
}
