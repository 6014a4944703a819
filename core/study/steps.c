// From the plan's steps to cuts. Steps rest on sets and sets on steps, so the work goes round
// by round: everything whose ground is laid, in one pass over the weights, until nothing is left.
#include "study/steps.h"

#include "plan/cost/passes.h"

static cull_state state_of(const cull_study *s, size_t i)
{
    return i == CULL_NOT ? CULL_DONE : s->made[i].state;
}

// A step's ground: what it starts from, what it takes counts from, what its statistics are gathered
// on.
static cull_state ground(const cull_study *s, const cull_step *step)
{
    const size_t on = step->set == CULL_NOT ? CULL_NOT : s->plan->set[step->set].on;
    const size_t rests[] = { step->before, step->donor, on };
    cull_state worst = CULL_DONE;

    for (size_t i = 0; i < 3; i++) {
        if (state_of(s, rests[i]) == CULL_FAILED)
            return CULL_FAILED;
        if (state_of(s, rests[i]) != CULL_DONE)
            worst = CULL_WANTED;
    }
    return worst;
}

static const char *reason_below(const cull_study *s, const cull_step *step)
{
    const size_t on = step->set == CULL_NOT ? CULL_NOT : s->plan->set[step->set].on;
    const size_t rests[] = { step->before, step->donor, on };

    for (size_t i = 0; i < 3; i++)
        if (state_of(s, rests[i]) == CULL_FAILED)
            return s->made[rests[i]].reason;
    return "";
}

// The wanted steps whose ground is laid.
static size_t ready_steps(cull_study *s, size_t model, size_t *steps)
{
    size_t n = 0;

    for (size_t i = 0; i < s->plan->n_steps; i++) {
        const cull_step *step = &s->plan->step[i];
        if (step->model != model || s->made[i].state != CULL_WANTED)
            continue;
        const cull_state laid = ground(s, step);
        if (laid == CULL_FAILED) {
            s->made[i].state = CULL_FAILED;
            s->made[i].reason = reason_below(s, step);
        } else if (laid == CULL_DONE) {
            steps[n++] = i;
        }
    }
    return n;
}

static size_t that_decide(const cull_study *s, cull_decides want, size_t n, const size_t *steps,
                          size_t *out)
{
    size_t found = 0;

    for (size_t i = 0; i < n; i++)
        if (s->made[steps[i]].state == CULL_WANTED && !s->made[steps[i]].uncounted &&
            cull_step_decides(&s->plan->step[steps[i]]) == want)
            out[found++] = steps[i];
    return found;
}

// Those whose rules are counted, and are decided from what the model says alone.
static size_t that_only_count(const cull_study *s, size_t n, const size_t *steps, size_t *out)
{
    size_t found = 0;

    for (size_t i = 0; i < n; i++) {
        const cull_step *step = &s->plan->step[steps[i]];
        if (step->counted && !cull_step_sees(step) && cull_step_decides(step) == CULL_DECIDES_WHOLE)
            out[found++] = steps[i];
    }
    return found;
}

// The steps that were decided, but wait for counts.
static size_t that_wait(const cull_study *s, size_t n, const size_t *steps)
{
    size_t found = 0;

    for (size_t i = 0; i < n; i++)
        found += s->made[steps[i]].uncounted != NULL;
    return found;
}

// The sets, each once, of steps that want all layers' statistics.
static size_t sets_of(const cull_study *s, size_t n, const size_t *steps, size_t *out)
{
    size_t found = 0;

    for (size_t i = 0; i < n; i++) {
        const size_t set = cull_step_awaits(&s->plan->step[steps[i]]);
        bool known = set == CULL_NOT;
        for (size_t g = 0; g < found && !known; g++)
            known = out[g] == set;
        if (!known)
            out[found++] = set;
    }
    return found;
}

static cull_status decide_at_once(cull_study *s, size_t n, const size_t *steps)
{
    for (size_t i = 0; i < n; i++) {
        const cull_status status = s->plan->step[steps[i]].search ? cull_search_step(s, steps[i])
                                                                  : cull_decide_step(s, steps[i]);
        if (status != CULL_OK)
            CULL_TRY(cull_fail_step(s, steps[i], status));
        cull_arena_clear(cull_context_of(s->ctx)->scratch);
    }
    return CULL_OK;
}

static cull_status make_ready(cull_study *s, size_t n, const size_t *steps)
{
    size_t *set = cull_take(s->ctx, n, sizeof *set);
    size_t *some = cull_take(s->ctx, n, sizeof *some);

    if (!set || !some)
        return CULL_ENOMEM;
    // 1. The steps that wait for no statistics, so that what runs under them is counted in
    // 2. One pass over the weights: the statistics that are wanted whole, and the steps that decide
    //    in it, layer by layer
    CULL_TRY(decide_at_once(s, that_only_count(s, n, steps, some), some));
    const size_t n_sets = sets_of(s, n, steps, set);
    CULL_TRY(cull_make_pass(s, n_sets, set, that_decide(s, CULL_DECIDES_LAYERWISE, n, steps, some),
                            some));
    // 3. The steps that decide from all layers at once
    CULL_TRY(decide_at_once(s, that_decide(s, CULL_DECIDES_WHOLE, n, steps, some), some));
    // 4. A second pass for those that spread their budget by what the first one found, and a third
    //    for what is left to count
    CULL_TRY(cull_make_pass(s, 0, NULL,
                            that_decide(s, CULL_DECIDES_LAYERWISE_SPREAD, n, steps, some), some));
    return that_wait(s, n, steps) > 0 ? cull_make_pass(s, 0, NULL, 0, NULL) : CULL_OK;
}

// Those of the ready steps that nobody else is making; while all are in the making, a rest. mine: n
// to work with.
static cull_status make_own(cull_study *s, size_t n, const size_t *steps, size_t *mine)
{
    size_t n_mine, waiting = 0;

    CULL_TRY(cull_claim_steps(s, n, steps, &n_mine, mine));
    if (n_mine > 0) {
        s->rests = 0;
        const cull_status status = make_ready(s, n_mine, mine);
        cull_release_steps(s, n_mine, mine);
        return status;
    }
    for (size_t i = 0; i < n; i++) {
        if (s->made[steps[i]].state == CULL_WANTED)
            CULL_TRY(cull_find_step(s, steps[i]));
        waiting += s->made[steps[i]].state == CULL_WANTED;
    }
    if (waiting == n)
        return cull_wait_for_others(s);
    s->rests = 0;
    return CULL_OK;
}

cull_status cull_make_cuts(cull_study *s, size_t model)
{
    size_t *steps = cull_take(s->ctx, 2 * s->plan->n_steps + 1, sizeof *steps);

    if (!steps)
        return CULL_ENOMEM;
    for (size_t c = 0; c < s->plan->n_cells; c++)
        if (s->plan->cell[c].model == model && s->cell[c].mine)
            CULL_TRY(cull_want_step(s, s->plan->cell[c].step));
    for (size_t n; (n = ready_steps(s, model, steps)) > 0;)
        CULL_TRY(make_own(s, n, steps, steps + s->plan->n_steps));
    return CULL_OK;
}
