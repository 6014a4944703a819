// What earlier runs left of the steps: cuts and scores that need not be made again.
#include <string.h>
#include <unistd.h>

#include "cut/cut_file.h"
#include "study/steps.h"

// A file below the folder that calibrations, steps and cuts share; NULL: no memory, reported.
static const char *shared_file(cull_study *s, const char *folder, const char *name,
                               const char *ending)
{
    const char *path = cull_arena_printf(cull_context_of(s->ctx)->alloc, "%s/%s/%s%s",
                                         s->cache.path, folder, name, ending);

    if (!path)
        cull_no_memory(s->ctx);
    return path;
}

static const char *step_file(cull_study *s, const cull_step *step)
{
    return shared_file(s, "steps", step->key.hex, ".safetensors");
}

static const size_t *experts_of(cull_study *s, const cull_step *step)
{
    const cull_prepared_model *prepared = &s->inputs->at[step->model];
    const size_t L = prepared->opened.facts->L;
    size_t *E = cull_take(s->ctx, L, sizeof *E);

    for (size_t l = 0; E && l < L; l++)
        E[l] = prepared->layer[l]->E;
    return E;
}

// ---- keeping ----

size_t cull_first_set(const cull_study *s, size_t step)
{
    size_t g = CULL_NOT;

    for (size_t i = step; i != CULL_NOT; i = s->plan->step[i].before)
        if (s->plan->step[i].set != CULL_NOT)
            g = s->plan->step[i].set;
    return g;
}

static cull_status keep_step(cull_study *s, size_t i)
{
    const cull_step *step = &s->plan->step[i];
    const cull_prepared_model *prepared = &s->inputs->at[step->model];
    cull_step_state *made = &s->made[i];
    const size_t g = cull_first_set(s, i);
    cull_cut_about about = { .model = prepared->opened.facts->fingerprint,
                             .calibration = g == CULL_NOT ? NULL : s->plan->set[g].key.hex };
    const char *path = step_file(s, step);
    const char *cuts = cull_arena_printf(cull_context_of(s->ctx)->alloc, "%s/cuts", s->cache.path);
    const size_t *E = experts_of(s, step);

    if (!path || !E)
        return CULL_ENOMEM;
    if (!cuts)
        return cull_no_memory(s->ctx);
    CULL_TRY(cull_cut_store(s->ctx, s->spec->store, prepared->opened.facts->dtype, &about.store));
    CULL_TRY(cull_cut_keep(s->ctx, made->variant.cut, &about, cuts, &made->cut));
    return cull_step_save(s->ctx, path, made->cut.text, prepared->opened.facts->L, E,
                          &(cull_step_scores){ made->result.layer, made->result.expert,
                                               &made->variant.size.active_kept });
}

cull_status cull_keep_step(cull_study *s, size_t i)
{
    CULL_TRY_CACHE(s->ctx, &s->cache, keep_step(s, i));
    return CULL_OK;
}

// ---- finding ----

// Say that a stored file does not serve.
static cull_status leave(cull_study *s, cull_status status)
{
    if (!cull_own_failure(status))
        return status;
    cull_log_line(cull_context_of(s->ctx)->log, CULL_WARN, "%s; made anew",
                  cull_context_of(s->ctx)->error.sentence);
    cull_error_clear(s->ctx);
    return CULL_OK;
}

static cull_status load_cut(cull_study *s, size_t i, const char *path, bool *loaded)
{
    const cull_step *step = &s->plan->step[i];
    const cull_prepared_model *prepared = &s->inputs->at[step->model];
    cull_step_state *made = &s->made[i];

    *loaded = false;
    if (!path)
        return cull_no_memory(s->ctx);
    if (access(path, R_OK) != 0)
        return CULL_OK;
    made->result = (cull_stage_result){ .cut = cull_empty_cut(s->ctx, prepared) };
    if (!made->result.cut)
        return CULL_ENOMEM;
    cull_status status = cull_cut_load(s->ctx, path, made->result.cut);
    if (status == CULL_OK)
        status =
            cull_apply(s->ctx, prepared, cull_frozen_of(prepared, step->layers), s->spec->store,
                       made->result.cut, (cull_routing_counts){ 0 }, &made->variant);
    *loaded = status == CULL_OK;
    return leave(s, status);
}

// As cull_keep_step left it. What is damaged makes room for what is made anew.
static cull_status load_step(cull_study *s, size_t i, bool *loaded)
{
    const cull_step *step = &s->plan->step[i];
    cull_step_state *made = &s->made[i];
    const char *path = step_file(s, step);
    const size_t *E = experts_of(s, step);
    cull_cut_name name;
    cull_step_scores scores;

    *loaded = false;
    if (!path || !E)
        return CULL_ENOMEM;
    if (access(path, R_OK) != 0)
        return CULL_OK;
    const cull_status status =
        cull_step_load(s->ctx, path, s->inputs->at[step->model].opened.facts->L, E, &name, &scores);
    if (status != CULL_OK)
        return leave(s, status);
    const char *cut = shared_file(s, "cuts", name.text, "");
    CULL_TRY(load_cut(s, i, cut, loaded));
    if (!*loaded) {
        if (access(cut, F_OK) == 0)
            (void)unlink(cut);
        return CULL_OK;
    }
    made->cut = name;
    made->result.layer = scores.layer;
    made->result.expert = scores.expert;
    if (scores.active)
        made->variant.size.active_kept = *scores.active;
    return CULL_OK;
}

// A recorded trial needs its cut only to be evaluated again; one that is not yet is made again
// where it has scores to record, which a cut alone lacks.
static bool scores_to_record(const cull_study *s, size_t i)
{
    return cull_stage_form(s->plan->step[i].spec) & (CULL_FORM_EXPERT | CULL_FORM_LAYER);
}

// As versions before 0.2 left it: the cut of a trial, or of a stage on which others rest.
static cull_status load_bare_cut(cull_study *s, size_t i, bool *loaded)
{
    cull_arena *arena = cull_context_of(s->ctx)->alloc;
    const char *folder = s->options->folder;

    for (size_t c = 0; c < s->plan->n_cells && !*loaded; c++) {
        const cull_cell_state *cell = &s->cell[c];
        if (s->plan->cell[c].step == i && cell->recorded && cell->cut)
            CULL_TRY(load_cut(s, i, cull_arena_printf(arena, "%s/%s", folder, cell->cut), loaded));
    }
    if (!*loaded && (s->plan->step[i].search || !scores_to_record(s, i)))
        CULL_TRY(load_cut(s, i,
                          cull_arena_printf(arena, "%s/calibration/%s.cut.safetensors", folder,
                                            s->plan->step[i].key.hex),
                          loaded));
    return CULL_OK;
}

cull_status cull_step_is_there(cull_study *s, size_t i, bool *there)
{
    const char *path = step_file(s, &s->plan->step[i]), *cut = NULL;
    cull_cut_name name;

    *there = false;
    if (!path)
        return CULL_ENOMEM;
    if (access(path, R_OK) == 0) {
        const cull_status status = cull_step_cut(s->ctx, path, &name);
        if (status != CULL_OK)
            return leave(s, status);
        cut = shared_file(s, "cuts", name.text, "");
        if (!cut)
            return CULL_ENOMEM;
    }
    *there = cut && access(cut, R_OK) == 0;
    for (size_t c = 0; c < s->plan->n_cells && !*there; c++)
        if (s->plan->cell[c].step == i && s->cell[c].recorded && s->cell[c].cut) {
            cut = cull_arena_printf(cull_context_of(s->ctx)->scratch, "%s/%s", s->options->folder,
                                    s->cell[c].cut);
            if (!cut)
                return cull_no_memory(s->ctx);
            *there = access(cut, R_OK) == 0;
        }
    return CULL_OK;
}

cull_status cull_find_step(cull_study *s, size_t i)
{
    bool loaded = false;

    CULL_TRY(load_step(s, i, &loaded));
    if (!loaded)
        CULL_TRY(load_bare_cut(s, i, &loaded));
    if (loaded)
        s->made[i].state = CULL_DONE;
    return CULL_OK;
}

cull_status cull_want_step(cull_study *s, size_t i)
{
    if (i == CULL_NOT || s->made[i].state != CULL_IDLE)
        return CULL_OK;
    CULL_TRY(cull_find_step(s, i));
    if (s->made[i].state == CULL_DONE)
        return CULL_OK;
    const cull_step *step = &s->plan->step[i];
    s->made[i].state = CULL_WANTED;
    CULL_TRY(cull_want_step(s, step->before));
    CULL_TRY(cull_want_step(s, step->donor));
    if (step->set != CULL_NOT)
        CULL_TRY(cull_want_step(s, s->plan->set[step->set].on));
    return CULL_OK;
}
