// What an earlier run left of the steps: cuts that need not be made again.
#include <string.h>
#include <unistd.h>

#include "cut/cut_file.h"
#include "study/steps.h"

const char *cull_step_file(cull_study *s, const cull_step *step)
{
    return cull_arena_printf(cull_context_of(s->ctx)->alloc, "%s/calibration/%s.cut.safetensors",
                             s->options->folder, step->key.hex);
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
    if (cull_own_failure(status)) {
        cull_log_line(cull_context_of(s->ctx)->log, CULL_WARN, "%s; made anew",
                      cull_context_of(s->ctx)->error.sentence);
        cull_error_clear(s->ctx);
        return CULL_OK;
    }
    *loaded = status == CULL_OK;
    return status;
}

// A recorded trial needs its cut only to be evaluated again; one that is not yet is made again
// where it has scores to record, which a stored cut lacks.
static bool scores_to_record(const cull_study *s, size_t i)
{
    return cull_stage_form(s->plan->step[i].spec) & (CULL_FORM_EXPERT | CULL_FORM_LAYER);
}

static cull_status find_stored(cull_study *s, size_t i)
{
    bool loaded = false;
    for (size_t c = 0; c < s->plan->n_cells && !loaded; c++) {
        const cull_cell *cell = &s->plan->cell[c];
        if (cell->step != i || (scores_to_record(s, i) && !s->cell[c].recorded))
            continue;
        const cull_trial_axes axes = cull_axes_of(s, cell);
        const char *name = cull_trial_cut_name(s->ctx, &axes, cell->id.hex);
        if (!name)
            return CULL_ENOMEM;
        CULL_TRY(load_cut(
            s, i,
            cull_arena_printf(cull_context_of(s->ctx)->alloc, "%s/%s", s->options->folder, name),
            &loaded));
    }
    if (!loaded && (s->plan->step[i].search || !scores_to_record(s, i)))
        CULL_TRY(load_cut(s, i, cull_step_file(s, &s->plan->step[i]), &loaded));
    if (loaded)
        s->made[i].state = CULL_DONE;
    return CULL_OK;
}

cull_status cull_want_step(cull_study *s, size_t i)
{
    if (i == CULL_NOT || s->made[i].state != CULL_IDLE)
        return CULL_OK;
    CULL_TRY(find_stored(s, i));
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
