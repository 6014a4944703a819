// Trials that other folders have computed, by way of a cache beside them (record/trial_cache.h).
#include "base/safetensors.h"
#include "record/trial_cache.h"
#include "study/steps.h"

bool cull_shares_trials(const cull_study *s)
{
    return !cull_cache_is_own(&s->cache) && cull_is_cache(s->ctx, s->cache.path);
}

static cull_status leave(cull_study *s, cull_status status)
{
    return cull_cache_excuse(s->ctx, &s->cache, status);
}

cull_status cull_find_cached_trials(cull_study *s, cull_stored_trials *out)
{
    *out = (cull_stored_trials){ 0 };
    if (!cull_shares_trials(s))
        return CULL_OK;
    const cull_status status = cull_find_stored_trials(s->ctx, s->cache.path, out);
    if (status != CULL_OK)
        *out = (cull_stored_trials){ 0 };
    return leave(s, status);
}

// The keys of the evaluations that the folder lacks of a cell.
static size_t list_wanted(const cull_study *s, size_t c, const char **key)
{
    const cull_cell_state *cell = &s->cell[c];
    size_t n = 0;

    for (size_t i = 0; i < s->spec->n_metrics; i++)
        if (cell->missing[i])
            key[n++] = cell->keys[i].hex;
    return n;
}

// Is what a trial of the cache was cut by as it was written? A damaged one is said.
static cull_status check_cut(cull_study *s, const cull_stored_trial *trial, bool *whole)
{
    cull_safetensors *file = NULL;
    const char *path = cull_arena_printf(cull_context_of(s->ctx)->scratch, "%s/%s", s->cache.path,
                                         trial->cut ? trial->cut : "");

    *whole = !trial->cut;
    if (!path)
        return cull_no_memory(s->ctx);
    if (*whole)
        return CULL_OK;
    const cull_status status = cull_safetensors_open_sealed(s->ctx, path, &file);
    cull_safetensors_close(file);
    *whole = status == CULL_OK;
    return leave(s, status);
}

// Does the cell find what it lacks in this trial of the cache?
static cull_status look_at_cached(cull_study *s, size_t c, const cull_stored_trial *trial, size_t n,
                                  const char *const *key, bool whole, bool *serves)
{
    const bool recorded = s->cell[c].recorded;

    *serves = cull_trial_serves(s->ctx, s->cache.path, trial, n, key, recorded);
    return *serves && whole && !recorded ? check_cut(s, trial, serves) : CULL_OK;
}

cull_status cull_find_cached(cull_study *s, size_t c, const cull_stored_trials *cached, bool whole,
                             const cull_stored_trial **out, size_t *n, const char ***key)
{
    const cull_stored_trial *same = cull_trial_exists(cached, s->plan->cell[c].id.hex);
    bool serves = false;

    *out = NULL;
    *key = cull_take(s->ctx, s->spec->n_metrics + 1, sizeof **key);
    if (!*key)
        return CULL_ENOMEM;
    *n = list_wanted(s, c, *key);
    if (same && *n > 0)
        CULL_TRY(look_at_cached(s, c, same, *n, *key, whole, &serves));
    if (serves)
        *out = same;
    for (size_t t = 0; *n > 0 && !serves && t < cached->n; t++) {
        if (&cached->at[t] == same || !cull_is_twin(s, c, &cached->at[t]))
            continue;
        CULL_TRY(look_at_cached(s, c, &cached->at[t], *n, *key, whole, &serves));
        if (serves)
            *out = &cached->at[t];
    }
    return CULL_OK;
}

static cull_status take_cell(cull_study *s, size_t c, const cull_stored_trials *cached, bool *any)
{
    const cull_stored_trial *trial;
    const cull_trial_axes axes = cull_axes_of(s, &s->plan->cell[c]);
    const char **key;
    size_t n;

    *any = false;
    CULL_TRY(cull_find_cached(s, c, cached, true, &trial, &n, &key));
    if (!trial)
        return CULL_OK;
    const cull_status status =
        cull_trial_take(s->ctx, s->cache.path, s->options->folder, trial, &axes,
                        s->plan->cell[c].id.hex, n, key, s->cell[c].recorded, any);
    *any = *any && status == CULL_OK;
    return leave(s, status);
}

cull_status cull_take_cached(cull_study *s, size_t *n)
{
    cull_stored_trials cached;
    bool lacking = false;

    *n = 0;
    for (size_t c = 0; c < s->plan->n_cells; c++)
        lacking |= s->cell[c].state == CULL_WANTED;
    if (!lacking)
        return CULL_OK;
    CULL_TRY(cull_find_cached_trials(s, &cached));
    for (size_t c = 0; cached.n > 0 && c < s->plan->n_cells; c++) {
        bool any;
        if (s->cell[c].state != CULL_WANTED)
            continue;
        CULL_TRY(take_cell(s, c, &cached, &any));
        *n += any;
    }
    if (*n > 0)
        cull_log_line(cull_context_of(s->ctx)->log, CULL_INFO, "%zu trial%s taken from the cache",
                      *n, *n == 1 ? "" : "s");
    return CULL_OK;
}

// The file of the cut of a cell that has just been recorded, below the folder; *out NULL: it has
// none.
static cull_status find_cut(cull_study *s, const cull_cell *cell, const char **out)
{
    const cull_cell_state *state = &s->cell[cell - s->plan->cell];

    *out = state->cut;
    if (state->recorded || cell->step == CULL_NOT)
        return CULL_OK;
    *out = cull_arena_printf(cull_context_of(s->ctx)->scratch, "cuts/%s",
                             s->made[cell->step].cut.text);
    return *out ? CULL_OK : cull_no_memory(s->ctx);
}

cull_status cull_put_cached(cull_study *s, const cull_finding *f)
{
    const cull_cell_state *cell = &s->cell[f->cell - s->plan->cell];
    const cull_trial_axes axes = cull_axes_of(s, f->cell);
    const char **key = cull_scratch(s->ctx, f->n + 1, sizeof *key), *cut;

    if (!key)
        return CULL_ENOMEM;
    if (!cull_shares_trials(s))
        return CULL_OK;
    for (size_t i = 0; i < f->n; i++)
        key[i] = cell->keys[f->metric[i]].hex;
    CULL_TRY(find_cut(s, f->cell, &cut));
    return leave(s, cull_trial_put(s->ctx, s->options->folder, s->cache.path, &axes,
                                   f->cell->id.hex, cut, f->n, key));
}
