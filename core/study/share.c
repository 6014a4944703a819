// Which of the work is this run's, where several are at work in a folder (record/folder/claims.h).
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "plan/cost/passes.h"
#include "study/steps.h"

// ---- cells ----

static bool is_open(const cull_study *s, size_t c, size_t model)
{
    return s->plan->cell[c].model == model && s->cell[c].state == CULL_WANTED && !s->cell[c].mine;
}

// Where calibrations, cuts and, beside a cache, evaluations are claimed: where they are kept. A
// cache that failed has no use for its claims.
static cull_claims *claims_of(cull_study *s)
{
    if (cull_cache_is_own(&s->cache)) {
        cull_claims_close(s->cache_claims);
        s->cache_claims = NULL;
    }
    return s->cache_claims ? s->cache_claims : s->claims;
}

static cull_status claim(cull_study *s, const char *key, bool *mine)
{
    CULL_TRY_CACHE(s->ctx, &s->cache, cull_claim(s->ctx, claims_of(s), key, mine));
    return CULL_OK;
}

static void release_evaluations(cull_study *s, size_t c)
{
    cull_cell_state *cell = &s->cell[c];

    for (size_t i = 0; i < s->spec->n_metrics; i++) {
        if (cell->claimed[i])
            cull_claim_release(claims_of(s), cell->keys[i].hex);
        cell->claimed[i] = false;
    }
}

// The lowest key of what a cell lacks and has not claimed; n_metrics: none.
static size_t next_unclaimed(const cull_study *s, size_t c)
{
    const cull_cell_state *cell = &s->cell[c];
    const size_t n = s->spec->n_metrics;
    size_t next = n;

    for (size_t i = 0; i < n; i++)
        if (cell->missing[i] && !cell->claimed[i] &&
            (next == n || strcmp(cell->keys[i].hex, cell->keys[next].hex) < 0))
            next = i;
    return next;
}

// Folders that share a cache know each other's cells by the keys of the evaluations alone. All that
// a cell lacks becomes this run's, or nothing: in the order of the keys, so that of two runs that
// want the same one gets it.
static cull_status claim_evaluations(cull_study *s, size_t c, bool *mine)
{
    *mine = true;
    if (!cull_shares_trials(s))
        return CULL_OK;
    for (size_t i; *mine && (i = next_unclaimed(s, c)) < s->spec->n_metrics;) {
        CULL_TRY(claim(s, s->cell[c].keys[i].hex, mine));
        s->cell[c].claimed[i] = *mine;
    }
    if (!*mine)
        release_evaluations(s, c);
    return CULL_OK;
}

static cull_status claim_cell(cull_study *s, size_t c)
{
    const char *id = s->plan->cell[c].id.hex;
    bool *mine = &s->cell[c].mine;

    CULL_TRY(cull_claim(s->ctx, s->claims, id, mine));
    if (!*mine)
        return CULL_OK;
    CULL_TRY(claim_evaluations(s, c, mine));
    if (!*mine)
        cull_claim_release(s->claims, id);
    return CULL_OK;
}

void cull_release_cell(cull_study *s, size_t c)
{
    if (s->cell[c].mine) {
        release_evaluations(s, c);
        cull_claim_release(s->claims, s->plan->cell[c].id.hex);
    }
    s->cell[c].mine = false;
}

// As many of the open cells as are this run's share, as far as others have not claimed them.
static cull_status claim_share(cull_study *s, size_t model, size_t *n_open, size_t *n_mine)
{
    *n_open = *n_mine = 0;
    for (size_t c = 0; c < s->plan->n_cells; c++)
        *n_open += is_open(s, c, model);
    const size_t runs = *n_open > 0 ? cull_claims_runs(s->claims) : 1;
    const size_t share = (*n_open + runs - 1) / runs;
    for (size_t c = 0; c < s->plan->n_cells && *n_mine < share; c++) {
        if (!is_open(s, c, model))
            continue;
        CULL_TRY(claim_cell(s, c));
        *n_mine += s->cell[c].mine;
    }
    return CULL_OK;
}

// Has a file been added to a folder's trials since the last look?
static bool is_changed(cull_study *s, const char *folder, struct timespec *looked)
{
    struct stat st;
    const char *trials = cull_arena_printf(cull_context_of(s->ctx)->scratch, "%s/trials", folder);

    if (!trials || stat(trials, &st) != 0)
        return true;
    const bool same = st.st_mtim.tv_sec == looked->tv_sec && st.st_mtim.tv_nsec == looked->tv_nsec;
    *looked = st.st_mtim;
    return !same;
}

// What another folder has put into the cache meanwhile is taken.
static cull_status look_at_cache(cull_study *s, size_t n_mine)
{
    size_t taken;

    if (!cull_shares_trials(s) ||
        (!is_changed(s, s->cache.path, &s->looked_at_cache) && n_mine == 0))
        return CULL_OK;
    return cull_take_cached(s, &taken);
}

// What others have finished meanwhile is no longer wanted. Who has just claimed something looks in
// any case: it may have been published before it was let go.
static cull_status look_again(cull_study *s, size_t model, size_t n_mine, size_t *found)
{
    *found = 0;
    cull_stored_trials stored;
    CULL_TRY(look_at_cache(s, n_mine));
    if (!is_changed(s, s->options->folder, &s->looked) && n_mine == 0)
        return CULL_OK;
    CULL_TRY(cull_find_stored_trials(s->ctx, s->options->folder, &stored));
    for (size_t c = 0; c < s->plan->n_cells; c++) {
        if (s->plan->cell[c].model != model || s->cell[c].state != CULL_WANTED)
            continue;
        const bool mine = s->cell[c].mine;
        CULL_TRY(cull_look_at_cell(s, c, &stored));
        s->cell[c].mine = mine;
        if (s->cell[c].state != CULL_DONE)
            continue;
        s->cell[c].of_others = true;
        cull_release_cell(s, c);
        ++*found;
    }
    cull_arena_clear(cull_context_of(s->ctx)->scratch);
    return CULL_OK;
}

cull_status cull_claim_cells(cull_study *s, size_t model, bool *any)
{
    for (;;) {
        size_t open, mine, found = 0;
        CULL_TRY(claim_share(s, model, &open, &mine));
        if (open > 0) // also where the others have ended meanwhile
            CULL_TRY(look_again(s, model, mine, &found));
        *any = false;
        for (size_t c = 0; c < s->plan->n_cells; c++)
            *any |= s->plan->cell[c].model == model && s->cell[c].mine;
        if (*any || open == 0 || found > 0)
            s->rests = 0;
        if (*any || open == 0)
            return CULL_OK;
        if (found == 0)
            CULL_TRY(cull_wait_for_others(s));
    }
}

cull_status cull_wait_for_others(cull_study *s)
{
    const cull_context *context = cull_context_of(s->ctx);
    const long tenths = s->rests < 8 ? 2 + (long)s->rests++ : 10; // each try looks at all claims
    const struct timespec moment = { .tv_sec = tenths / 10,
                                     .tv_nsec = tenths % 10 * (100 * 1000 * 1000) };

    if (context->stop && context->stop())
        return cull_fail(s->ctx, CULL_ECANCELED, "interrupted");
    (void)nanosleep(&moment, NULL);
    return CULL_OK;
}

// ---- calibrations and cuts ----

// The statistics that a step reads from the cache, or writes into it; NULL: none.
static const char *set_of(const cull_study *s, const cull_step *step)
{
    const size_t set = cull_step_awaits(step);

    return set == CULL_NOT ? NULL : s->plan->set[set].key.hex;
}

static cull_status claim_step(cull_study *s, size_t i, bool *mine)
{
    const cull_step *step = &s->plan->step[i];
    const char *set = set_of(s, step);

    CULL_TRY(claim(s, step->key.hex, mine));
    if (!*mine)
        return CULL_OK;
    CULL_TRY(cull_find_step(s, i)); // another may just have made it
    *mine = s->made[i].state == CULL_WANTED;
    if (*mine && set)
        CULL_TRY(claim(s, set, mine));
    if (!*mine)
        cull_claim_release(claims_of(s), step->key.hex);
    return CULL_OK;
}

cull_status cull_claim_steps(cull_study *s, size_t n, const size_t *steps, size_t *n_mine,
                             size_t *mine)
{
    *n_mine = 0;
    for (size_t i = 0; i < n; i++) {
        bool own = false;
        CULL_TRY(claim_step(s, steps[i], &own));
        if (own)
            mine[(*n_mine)++] = steps[i];
    }
    return CULL_OK;
}

void cull_release_steps(cull_study *s, size_t n, const size_t *steps)
{
    for (size_t i = 0; i < n; i++) {
        const char *set = set_of(s, &s->plan->step[steps[i]]);
        cull_claim_release(claims_of(s), s->plan->step[steps[i]].key.hex);
        if (set)
            cull_claim_release(claims_of(s), set);
    }
}
