// What a trial says of the searches that its counts come from.
#include "flow/search/history.h"
#include "study/study.h"

static const cull_step *donor_of(const cull_study *s, size_t i)
{
    return cull_search_of(s->plan, i) ? &s->plan->step[s->plan->step[i].donor] : NULL;
}

static const char *settings_of(cull_ctx *ctx, const cull_search *search)
{
    cull_buf text = CULL_BUF_INIT;

    cull_search_json(search, &text);
    const char *kept =
        text.failed ? NULL : cull_arena_copy(cull_context_of(ctx)->alloc, text.s, text.n);
    cull_buf_release(&text);
    if (!kept)
        (void)cull_no_memory(ctx);
    return kept;
}

// Its history stands in the folder, whichever run made it.
static cull_status found_by(cull_study *s, const cull_step *donor, cull_search_found *out)
{
    cull_candidates scored = { .L = s->inputs->at[donor->model].opened.facts->L };
    const char *path = cull_search_history_path(s->ctx, s->options->folder, donor->key.hex);

    if (!path)
        return CULL_ENOMEM;
    CULL_TRY(cull_search_history_load(s->ctx, path, &scored));
    *out = (cull_search_found){
        .settings = settings_of(s->ctx, donor->search),
        .fitness = donor->search->settings->fitness,
        .n = scored.n,
        .L = scored.L,
        .gone = scored.gone,
        .score = scored.fitness,
        .generation = scored.generation,
    };
    return out->settings ? CULL_OK : CULL_ENOMEM;
}

cull_status cull_searches_of(cull_study *s, const cull_cell *cell, cull_trial *trial)
{
    size_t n = 0;

    for (size_t i = cell->step; i != CULL_NOT; i = s->plan->step[i].before)
        n += donor_of(s, i) != NULL;
    cull_search_found *found = cull_take(s->ctx, n + 1, sizeof *found);
    if (!found)
        return CULL_ENOMEM;
    trial->n_searches = n;
    trial->searches = found;
    for (size_t i = cell->step; i != CULL_NOT; i = s->plan->step[i].before)
        if (donor_of(s, i))
            CULL_TRY(found_by(s, donor_of(s, i), &found[--n]));
    return CULL_OK;
}

// Steps that take the same counts share what finding them took.
static size_t takers(const cull_study *s, size_t donor)
{
    size_t n = 0;

    for (size_t i = 0; i < s->plan->n_steps; i++)
        n += s->plan->step[i].donor == donor;
    return n > 0 ? n : 1;
}

bool cull_search_phase(const cull_study *s, size_t i, cull_phase *out)
{
    const size_t donor = s->plan->step[i].donor;

    if (!donor_of(s, i) || s->made[donor].searched.wall_s <= 0)
        return false;
    const double share = 1 / (double)takers(s, donor);
    *out = s->made[donor].searched;
    out->wall_s *= share;
    out->cpu_s *= share;
    out->flops *= share;
    out->tokens = (size_t)((double)out->tokens * share);
    out->weight_bytes = (uint64_t)((double)out->weight_bytes * share);
    return true;
}
