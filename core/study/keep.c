// What of the cuts stays when a run is over: `keep: scores | cuts | all`.
#include <string.h>
#include <unistd.h>

#include "study/steps.h"

static bool named_by_trial(const cull_stored_trials *stored, const char *cut)
{
    for (size_t i = 0; i < stored->n; i++)
        if (stored->at[i].cut && strcmp(stored->at[i].cut, cut) == 0)
            return true;
    return false;
}

// Remove one cut, "cuts/<name>", of the folder.
static cull_status drop(cull_study *s, const char *cut)
{
    const char *path =
        cull_arena_printf(cull_context_of(s->ctx)->scratch, "%s/%s", s->options->folder, cut);

    if (!path)
        return cull_no_memory(s->ctx);
    (void)unlink(path);
    return CULL_OK;
}

cull_status cull_keep_only(cull_study *s)
{
    cull_stored_trials stored;

    if (s->spec->keep == CULL_KEEP_ALL || cull_claims_runs(s->claims) > 1)
        return CULL_OK; // the last run tidies up
    CULL_TRY(cull_find_stored_trials(s->ctx, s->options->folder, &stored));
    for (size_t i = 0; i < s->plan->n_steps; i++) {
        const char *cut =
            cull_arena_printf(cull_context_of(s->ctx)->scratch, "cuts/%s", s->made[i].cut.text);
        if (!cut)
            return cull_no_memory(s->ctx);
        if (s->made[i].cut.text[0] &&
            (s->spec->keep == CULL_KEEP_SCORES || !named_by_trial(&stored, cut)))
            CULL_TRY(drop(s, cut));
    }
    for (size_t c = 0; s->spec->keep == CULL_KEEP_SCORES && c < s->plan->n_cells; c++) {
        const cull_stored_trial *trial = cull_trial_exists(&stored, s->plan->cell[c].id.hex);
        if (trial && trial->cut)
            CULL_TRY(drop(s, trial->cut));
    }
    return CULL_OK;
}
