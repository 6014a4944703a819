// What of a cell is there already.
#include <unistd.h>

#include "plan/key.h"
#include "study/study.h"

// A trial without its recipe could not be exported, nor evaluated any more.
static cull_status look_at_cut(cull_study *s, cull_cell_state *cell)
{
    cell->cut_lost = false;
    if (!cell->recorded || !cell->cut || s->spec->keep == CULL_KEEP_SCORES)
        return CULL_OK;
    const char *path =
        cull_arena_printf(cull_context_of(s->ctx)->scratch, "%s/%s", s->options->folder, cell->cut);
    if (!path)
        return cull_no_memory(s->ctx);
    if (access(path, F_OK) == 0)
        return CULL_OK;
    cell->cut_lost = true;
    cell->state = CULL_WANTED;
    cull_log_line(cull_context_of(s->ctx)->log, CULL_WARN,
                  "%s: the cut of a finished trial is gone; made again", path);
    return CULL_OK;
}

static cull_status make_keys(cull_study *s, size_t c)
{
    const size_t n = s->spec->n_metrics;
    cull_cell_state *cell = &s->cell[c];

    if (cell->keys)
        return CULL_OK;
    cell->missing = cull_take(s->ctx, n, sizeof *cell->missing);
    cell->claimed = cull_take(s->ctx, n, sizeof *cell->claimed);
    cell->keys = cull_take(s->ctx, n, sizeof *cell->keys);
    if (!cell->missing || !cell->claimed || !cell->keys)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++)
        CULL_TRY(cull_evaluation_key(s->ctx, s->registry, s->inputs, s->plan, &s->plan->cell[c], i,
                                     &cell->keys[i]));
    return CULL_OK;
}

cull_status cull_look_at_cell(cull_study *s, size_t c, const cull_stored_trials *stored)
{
    cull_cell_state *cell = &s->cell[c];
    const cull_stored_trial *trial = cull_trial_exists(stored, s->plan->cell[c].id.hex);

    CULL_TRY(make_keys(s, c));
    cell->recorded = trial;
    cell->cut = trial ? trial->cut : NULL;
    cell->state = s->plan->cell[c].left_out ? CULL_IDLE : CULL_DONE;
    if (cell->state == CULL_IDLE)
        return CULL_OK;
    CULL_TRY(look_at_cut(s, cell));
    for (size_t i = 0; i < s->spec->n_metrics; i++) {
        cell->missing[i] = !trial || !cull_evaluation_exists(trial, cell->keys[i].hex);
        if (cell->missing[i])
            cell->state = CULL_WANTED;
    }
    return CULL_OK;
}

bool cull_is_twin(const cull_study *s, size_t c, const cull_stored_trial *trial)
{
    for (size_t i = 0; i < s->spec->n_metrics; i++)
        if (cull_evaluation_exists(trial, s->cell[c].keys[i].hex))
            return true;
    return false;
}

const cull_stored_trial *cull_find_twin(const cull_study *s, size_t c,
                                        const cull_stored_trials *stored)
{
    for (size_t t = 0; t < stored->n; t++)
        if (cull_is_twin(s, c, &stored->at[t]))
            return &stored->at[t];
    return NULL;
}
