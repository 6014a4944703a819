// From the plan's steps to cuts. Steps rest on gathers and gathers on steps, so the work goes round
// by round: everything whose ground is laid, until nothing is left.
#include "flow/steps.h"

bool cull_own_failure(cull_status status)
{
    return status != CULL_OK && status != CULL_ECANCELED && status != CULL_ENOMEM;
}

static cull_state state_of(const cull_study *s, size_t i)
{
    return i == CULL_NOT ? CULL_DONE : s->made[i].state;
}

// A step's ground: what it starts from, what it takes counts from, what its statistics are gathered
// on.
static cull_state ground(const cull_study *s, const cull_step *step)
{
    const size_t on = step->gather == CULL_NOT ? CULL_NOT : s->plan->gather[step->gather].on;
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
    const size_t on = step->gather == CULL_NOT ? CULL_NOT : s->plan->gather[step->gather].on;
    const size_t rests[] = { step->before, step->donor, on };
    for (size_t i = 0; i < 3; i++)
        if (state_of(s, rests[i]) == CULL_FAILED)
            return s->made[rests[i]].reason;
    return "";
}

// The wanted steps of one gather (CULL_NOT: of none) whose ground is laid.
static size_t ready_steps(cull_study *s, size_t model, size_t g, size_t *steps)
{
    size_t n = 0;
    for (size_t i = 0; i < s->plan->n_steps; i++) {
        const cull_step *step = &s->plan->step[i];
        if (step->model != model || step->gather != g || s->made[i].state != CULL_WANTED)
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

static cull_status make_ready(cull_study *s, size_t g, size_t n, const size_t *steps)
{
    size_t *visits = cull_take(s->ctx, n + 1, sizeof *visits), n_visits = 0;
    bool at_once = false;
    if (!visits)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        if (s->plan->step[steps[i]].visit)
            visits[n_visits++] = steps[i];
        else
            at_once = true;
    }
    if (at_once && g != CULL_NOT)
        CULL_TRY(cull_calibrate_gather(s, g));
    for (size_t i = 0; i < n; i++) {
        if (s->plan->step[steps[i]].visit)
            continue;
        const cull_status status = cull_decide_step(s, steps[i]);
        if (status != CULL_OK)
            CULL_TRY(cull_fail_step(s, steps[i], status));
        cull_arena_clear(cull_context_of(s->ctx)->scratch);
    }
    return n_visits ? cull_decide_in_visit(s, g, n_visits, visits) : CULL_OK;
}

cull_status cull_make_cuts(cull_study *s, size_t model)
{
    size_t *steps = cull_take(s->ctx, s->plan->n_steps + 1, sizeof *steps);
    if (!steps)
        return CULL_ENOMEM;
    for (size_t c = 0; c < s->plan->n_cells; c++)
        if (s->plan->cell[c].model == model && s->cell[c].state == CULL_WANTED)
            CULL_TRY(cull_want_step(s, s->plan->cell[c].step));
    for (size_t before = SIZE_MAX, left = SIZE_MAX - 1; left > 0 && left < before;) {
        before = left;
        for (size_t g = 0; g <= s->plan->n_gathers; g++) {
            const size_t which = g < s->plan->n_gathers ? g : CULL_NOT;
            const size_t n = ready_steps(s, model, which, steps);
            if (n > 0)
                CULL_TRY(make_ready(s, which, n, steps));
        }
        left = 0;
        for (size_t i = 0; i < s->plan->n_steps; i++)
            left += s->plan->step[i].model == model && s->made[i].state == CULL_WANTED;
    }
    return CULL_OK;
}
