// The grid of an experiment as cells, equal ones folded together.
#include "plan/plan.h"

#include <math.h>
#include <string.h>

#include "engine/stats_store.h"
#include "plan/fit.h"
#include "plugin/settings.h"
#include "spec/search.h"

// ---- which axes matter to a method ----

typedef struct axes {
    bool budget, sparsity, allocation, calibration;
    bool picks; // its budget is of experts per token, which a search alone spreads over layers
    bool draws; // random numbers of its own
} axes;

static axes axes_of(const cull_method *method)
{
    axes a = { false };

    for (size_t i = 0; i < method->n; i++) {
        const cull_stage *stage = &method->stage[i];
        const cull_unit unit = cull_stage_unit(stage);
        a.budget = a.budget || unit != CULL_UNIT_NONE;
        a.sparsity = a.sparsity || (unit != CULL_UNIT_NONE && isnan(stage->share));
        a.allocation = a.allocation || cull_unit_spreads(unit);
        a.picks = a.picks || unit == CULL_UNIT_PICK;
        a.calibration = a.calibration || cull_stage_needs(stage) || cull_stage_observes(stage);
        a.draws = a.draws || cull_stage_draws(stage);
    }
    return a;
}

// At one of the allocations: counts that are taken from another method rest on what it rests on,
// and a search draws.
static axes axes_at(const cull_spec *spec, size_t method, size_t allocation)
{
    const cull_allocation *from = &spec->allocations[allocation];
    axes a = axes_of(&spec->methods[method]);

    a.allocation = a.allocation || (a.picks && from->kind == CULL_ALLOCATE_SEARCH);
    a.draws = a.draws || (a.allocation && from->search && cull_search_draws(from->search));
    if (!a.allocation || from->kind != CULL_ALLOCATE_LIKE)
        return a;
    const axes donor = axes_of(&spec->methods[from->donor]);
    a.calibration = a.calibration || donor.calibration;
    a.draws = a.draws || donor.draws;
    return a;
}

static bool has_seed(const cull_spec *spec, axes a, size_t calibration)
{
    return a.draws || (a.calibration && cull_rows_random(&spec->calibrations[calibration]));
}

// ---- making it ----

typedef struct maker {
    cull_ctx *ctx;
    const cull_spec *spec;
    cull_plan *plan;
} maker;

static cull_status hash_use(maker *m, cull_hash *hash, const cull_use *use)
{
    cull_hash_text(hash, use->plugin ? use->plugin->name : "");
    return use->plugin ? cull_settings_hash(m->ctx, use->plugin, use->settings, hash) : CULL_OK;
}

static cull_status sketch(maker *m, cull_step *step)
{
    cull_hash *hash = cull_hash_new();

    if (!hash)
        return cull_no_memory(m->ctx);
    cull_hash_u64(hash, step->model);
    cull_hash_text(hash, step->before == CULL_NOT ? "" : m->plan->step[step->before].sketch.hex);
    cull_hash_text(hash, step->donor == CULL_NOT ? "" : m->plan->step[step->donor].sketch.hex);
    cull_hash_u64(hash, step->set);
    cull_hash_u64(hash, step->layers);
    cull_hash_u64(hash, step->scope);
    cull_hash_u64(hash, step->search ? step->search->at : 0);
    cull_hash_f64(hash, isnan(step->sparsity) ? -1 : step->sparsity);
    cull_hash_f64(hash, step->later);
    if (step->budget) {
        cull_hash_u64(hash, step->budget->kind);
        cull_hash_f64(hash, step->budget->value);
        if (step->later < 1) { // what later stages take with experts is part of it
            cull_hash_u64(hash, step->method);
            cull_hash_u64(hash, step->allocation);
        }
    }
    cull_hash_f64(hash, isnan(step->spec->share) ? -1 : step->spec->share);
    cull_hash_u64(hash, step->spec->propagate);
    cull_keep_hash(&step->spec->keep, hash);
    cull_hash_u64(hash, step->seeded ? step->seed : UINT64_MAX);
    cull_status status = hash_use(m, hash, &step->spec->criterion);
    if (status == CULL_OK)
        status = hash_use(m, hash, &step->spec->strategy);
    step->sketch = cull_hash_key(hash);
    cull_hash_free(hash);
    return status;
}

// Room for one more element at the end of an array in the arena that doubles as it grows.
static void *grow(cull_ctx *ctx, void *at, size_t n, size_t size)
{
    if (n > 0 && (n & (n - 1)) != 0)
        return at;
    void *more = cull_take(ctx, n ? 2 * n : 1, size);
    if (more && n > 0)
        memcpy(more, at, n * size);
    return more;
}

static cull_status find_set(maker *m, const cull_calibration_set *wanted, size_t *out)
{
    cull_plan *plan = m->plan;
    for (*out = 0; *out < plan->n_sets; ++*out) {
        const cull_calibration_set *g = &plan->set[*out];
        if (g->model == wanted->model && g->on == wanted->on &&
            g->calibration == wanted->calibration && g->seed == wanted->seed)
            return CULL_OK;
    }
    plan->set = grow(m->ctx, plan->set, plan->n_sets, sizeof *plan->set);

    if (!plan->set)
        return CULL_ENOMEM;
    plan->set[plan->n_sets++] = *wanted;
    return CULL_OK;
}

static cull_status add_observer(maker *m, cull_calibration_set *g, const cull_use *use)
{
    for (size_t i = 0; i < g->n_observers; i++)
        if (g->observers[i]->plugin == use->plugin && g->observers[i]->settings == use->settings)
            return CULL_OK;
    g->observers = grow(m->ctx, g->observers, g->n_observers, sizeof *g->observers);
    if (!g->observers)
        return CULL_ENOMEM;
    g->observers[g->n_observers++] = use;
    return CULL_OK;
}

// The statistics that a step sees: of the dense model, or, where it or a stage before it
// recalibrates or propagates, of what was left before that stage. What runs under a rule is counted
// on such a set's rows, and needs nothing gathered on them.
static cull_status find_statistics(maker *m, const cull_method *method, size_t calibration,
                                   cull_step *step)
{
    const cull_stage *stage = step->spec;
    const bool counted = cull_stage_counted(stage) && m->spec->n_calibrations > 0;
    const bool sees = cull_step_sees(step);

    if (!sees && !counted) {
        step->set = CULL_NOT;
        return CULL_OK;
    }
    size_t on = step->before, from = step->stage;
    while (from > 0 && !method->stage[from].recalibrate && !method->stage[from].propagate) {
        on = m->plan->step[on].before;
        from--;
    }
    if (from == 0)
        on = CULL_NOT;
    const bool drawn = cull_rows_random(&m->spec->calibrations[calibration]);
    const cull_calibration_set wanted = {
        .model = step->model, .on = on, .calibration = calibration, .seed = drawn ? step->seed : 0
    };
    CULL_TRY(find_set(m, &wanted, &step->set));
    cull_calibration_set *g = &m->plan->set[step->set];
    if (sees)
        g->groups |= CULL_STAT_ROUTING | (step->needs & ~(uint32_t)CULL_STATS_IN_VISIT);
    return cull_stage_observes(stage) ? add_observer(m, g, &stage->criterion) : CULL_OK;
}

static cull_status add_step(maker *m, cull_step *step, size_t *index)
{
    cull_plan *plan = m->plan;

    CULL_TRY(sketch(m, step));
    for (*index = 0; *index < plan->n_steps; ++*index)
        if (strcmp(plan->step[*index].sketch.hex, step->sketch.hex) == 0)
            return CULL_OK;
    plan->step = grow(m->ctx, plan->step, plan->n_steps, sizeof *plan->step);
    if (!plan->step)
        return CULL_ENOMEM;
    plan->step[plan->n_steps++] = *step;
    return CULL_OK;
}

typedef struct point { // of the grid
    size_t model, sparsity, allocation, calibration, layers, seed;
} point;

// A stage at a point of the grid, on what the step `before` left.
typedef struct draft {
    const cull_method *method;
    size_t index, stage; // of the method in the experiment, of the stage in the method
    size_t before, donor;
    enum cull_allocation_kind scope;
    const cull_search *search;
} draft;

// A budget in another unit is known once the model is.
static void set_sparsity(const cull_sparsity *asked, cull_step *step)
{
    const bool fraction = asked->kind == CULL_FRACTION;

    step->sparsity = fraction ? asked->value : 0;
    step->budget = fraction ? NULL : asked;
}

static double kept_later(const cull_method *method, size_t stage)
{
    double kept = 1;

    for (size_t i = stage + 1; i < method->n; i++)
        kept *= isnan(method->stage[i].share) ? 1 : 1 - method->stage[i].share;
    return kept;
}

static cull_status make_step(maker *m, const draft *d, point p, size_t *out)
{
    const cull_stage *spec = &d->method->stage[d->stage];
    const cull_unit unit = cull_stage_unit(spec);
    const bool searched = d->search || d->donor != CULL_NOT;
    const bool spreads = cull_unit_spreads(unit) || (unit == CULL_UNIT_PICK && searched);
    cull_step step = {
        .model = p.model,
        .method = d->index,
        .stage = d->stage,
        .allocation = p.allocation,
        .spec = spec,
        .before = d->before,
        .donor = spreads ? d->donor : CULL_NOT,
        .layers = p.layers,
        .scope = spreads ? d->scope : CULL_ALLOCATE_LAYER,
        .search = d->search,
        .unit = unit,
        .needs = cull_stage_needs(spec),
        .emits = cull_stage_emits(spec),
        .sparsity = NAN,
        .later = isnan(spec->share) ? kept_later(d->method, d->stage) : 1,
        .visit = cull_stage_visits(spec),
        .seed = m->spec->seeds[p.seed].value,
    };

    if (unit != CULL_UNIT_NONE && isnan(spec->share))
        set_sparsity(&m->spec->sparsities[p.sparsity], &step);
    CULL_TRY(find_statistics(m, d->method, p.calibration, &step));
    const cull_step *before = d->before == CULL_NOT ? NULL : &m->plan->step[d->before];
    step.rows = step.set == CULL_NOT && before ? before->rows : step.set;
    step.counted = cull_stage_counted(spec) || (before && before->counted);
    step.seeded =
        (step.search && cull_search_draws(step.search)) || cull_stage_draws(spec) ||
        (step.set != CULL_NOT && cull_rows_random(&m->spec->calibrations[p.calibration])) ||
        (before && before->seeded) || (step.donor != CULL_NOT && m->plan->step[step.donor].seeded);
    return add_step(m, &step, out);
}

// `like: METHOD`: the counts at which METHOD's first stage of experts or channels arrives when it
// may spread the taker's share over the layers as it likes; `search`: those that are found best for
// it, or, without `like`, for the taker's own stage.
static cull_status make_donor(maker *m, const cull_method *taker, size_t stage, point p,
                              size_t *out)
{
    const cull_allocation *a = &m->spec->allocations[p.allocation];
    const bool own = a->kind == CULL_ALLOCATE_SEARCH;
    const cull_method *from = own ? taker : &m->spec->methods[a->donor];
    cull_stage *spec = cull_take(m->ctx, 1, sizeof *spec);
    cull_method *alone = cull_take(m->ctx, 1, sizeof *alone);

    if (!spec || !alone)
        return CULL_ENOMEM;
    *spec = from->stage[own ? stage : cull_spread_stage(from)];
    spec->recalibrate = spec->propagate = false;
    spec->share = taker->stage[stage].share;
    spec->share_place = a->place;
    if (isnan(spec->share) && cull_stage_unit(spec) != CULL_UNIT_PICK)
        spec->share =
            1 - (1 - m->spec->sparsities[p.sparsity].value) / (1 - cull_method_shares(taker));
    *alone = (cull_method){ from->place, from->name, 1, spec };
    const draft d = { .method = alone,
                      .index = (size_t)(from - m->spec->methods),
                      .before = CULL_NOT,
                      .donor = CULL_NOT,
                      .scope = a->search ? CULL_ALLOCATE_SEARCH : CULL_ALLOCATE_GLOBAL,
                      .search = a->search };
    return make_step(m, &d, p, out);
}

// Does the stage take counts from elsewhere: another method's, or those that are searched for?
static bool takes_counts(const cull_stage *stage, enum cull_allocation_kind kind)
{
    const cull_unit unit = cull_stage_unit(stage);

    if (unit == CULL_UNIT_PICK)
        return kind == CULL_ALLOCATE_SEARCH;
    return cull_unit_spreads(unit) && (kind == CULL_ALLOCATE_LIKE || kind == CULL_ALLOCATE_SEARCH);
}

// Is there a search, beside which what was not searched for wants a name?
static bool has_search(const cull_spec *spec)
{
    for (size_t i = 0; i < spec->n_allocations; i++)
        if (spec->allocations[i].kind == CULL_ALLOCATE_SEARCH)
            return true;
    return false;
}

static bool changes_experts(const cull_plan *plan, size_t step)
{
    for (; step != CULL_NOT; step = plan->step[step].before)
        if (plan->step[step].emits & (CULL_EMITS_MASK | CULL_EMITS_MATRIX | CULL_EMITS_CHANNELS))
            return true;
    return false;
}

static cull_status make_cell(maker *m, size_t method, axes a, point p)
{
    const cull_spec *spec = m->spec;
    cull_plan *plan = m->plan;
    draft d = { .method = &spec->methods[method], .index = method, .before = CULL_NOT };
    const enum cull_allocation_kind kind = spec->allocations[p.allocation].kind;
    const bool taken = kind == CULL_ALLOCATE_LIKE || kind == CULL_ALLOCATE_SEARCH;

    d.scope = taken ? CULL_ALLOCATE_LIKE : kind;
    for (d.stage = 0; d.stage < d.method->n; d.stage++) {
        d.donor = CULL_NOT;
        if (takes_counts(&d.method->stage[d.stage], kind))
            CULL_TRY(make_donor(m, d.method, d.stage, p, &d.donor));
        CULL_TRY(make_step(m, &d, p, &d.before));
    }
    plan->cell = grow(m->ctx, plan->cell, plan->n_cells, sizeof *plan->cell);
    if (!plan->cell)
        return CULL_ENOMEM;
    const cull_sparsity *asked = a.sparsity ? &spec->sparsities[p.sparsity] : NULL;
    plan->cell[plan->n_cells++] = (cull_cell){
        .model = p.model,
        .method = method,
        .step = d.before,
        .sparsity = asked      ? asked->value
                    : a.budget ? cull_method_shares(d.method)
                               : NAN,
        .budget = asked && asked->kind != CULL_FRACTION ? asked : NULL,
        .allocation = a.allocation || (a.picks && has_search(spec))
                          ? spec->allocations[p.allocation].label
                          : NULL,
        .calibration = a.calibration ? p.calibration : CULL_NOT,
        .layers = p.layers,
        .seeded = has_seed(spec, a, p.calibration),
        .seed = spec->seeds[p.seed].value,
        .own = changes_experts(plan, d.before),
    };
    return CULL_OK;
}

// The cells of a method at one sparsity and allocation.
static cull_status make_cells(maker *m, size_t method, point p)
{
    const cull_spec *spec = m->spec;
    const axes a = axes_at(spec, method, p.allocation);
    const size_t calibrations = a.calibration ? spec->n_calibrations : 1;

    for (p.calibration = 0; p.calibration < calibrations; p.calibration++) {
        const size_t seeds = has_seed(spec, a, p.calibration) ? spec->n_seeds : 1;
        for (p.layers = 0; p.layers < spec->n_layers; p.layers++)
            for (p.seed = 0; p.seed < seeds; p.seed++)
                CULL_TRY(make_cell(m, method, a, p));
    }
    return CULL_OK;
}

static cull_status make_method(maker *m, size_t model, size_t method)
{
    const cull_spec *spec = m->spec;
    const axes a = axes_of(&spec->methods[method]);
    const size_t sparsities = a.sparsity ? spec->n_sparsities : 1;
    point p = { .model = model };

    for (p.sparsity = 0; p.sparsity < sparsities; p.sparsity++) {
        bool made = false; // the one cell of all allocations that make no difference
        for (p.allocation = 0; p.allocation < spec->n_allocations; p.allocation++) {
            const bool matters = axes_at(spec, method, p.allocation).allocation;
            if (matters || !made)
                CULL_TRY(make_cells(m, method, p));
            made = made || !matters;
        }
    }
    return CULL_OK;
}

static cull_status make_dense(maker *m, size_t model)
{
    cull_plan *plan = m->plan;

    plan->cell = grow(m->ctx, plan->cell, plan->n_cells, sizeof *plan->cell);
    if (!plan->cell)
        return CULL_ENOMEM;
    plan->cell[plan->n_cells++] = (cull_cell){
        .model = model,
        .method = CULL_NOT,
        .step = CULL_NOT,
        .sparsity = NAN,
        .calibration = CULL_NOT,
        .layers = CULL_NOT,
        .seed = m->spec->seeds[0].value,
    };
    return CULL_OK;
}

// ---- saying what was collapsed ----

enum { SPARSITIES, ALLOCATIONS, CALIBRATIONS, SEEDS, AXES };

static bool matters(const cull_spec *spec, size_t method, int axis)
{
    axes a = axes_of(&spec->methods[method]);
    bool seed = false;

    for (size_t i = 0; i < spec->n_allocations; i++) {
        const axes here = axes_at(spec, method, i);
        seed = seed || here.draws;
        a.allocation = a.allocation || here.allocation;
    }
    for (size_t c = 0; c < spec->n_calibrations; c++)
        seed = seed || has_seed(spec, a, c);
    const bool all[AXES] = { a.sparsity, a.allocation, a.calibration, seed };
    return all[axis];
}

static cull_status add_note(maker *m, int axis)
{
    static const char *const words[AXES] = { "sparsities", "allocations", "calibrate", "seeds" };
    const cull_spec *spec = m->spec;
    const size_t values[AXES] = { spec->n_sparsities, spec->n_allocations, spec->n_calibrations,
                                  spec->n_seeds };
    cull_buf text = CULL_BUF_INIT;
    size_t n = 0;

    for (size_t i = 0; i < spec->n_methods; i++)
        if (values[axis] > 1 && !matters(spec, i, axis))
            cull_buf_printf(&text, "%s%s", n++ ? ", " : "", spec->methods[i].name);
    if (n == 0)
        return CULL_OK;
    cull_plan *plan = m->plan;
    plan->note = grow(m->ctx, plan->note, plan->n_notes, sizeof *plan->note);
    const char *note = cull_arena_printf(
        cull_context_of(m->ctx)->alloc,
        "%s: one cell instead of %zu for each method that they make no difference to (%s)",
        words[axis], values[axis], text.s ? text.s : "");
    const bool good = plan->note && note && !text.failed;
    cull_buf_release(&text);
    if (!good)
        return cull_no_memory(m->ctx);
    plan->note[plan->n_notes++] = note;
    return CULL_OK;
}

cull_status cull_plan_make(cull_ctx *ctx, const cull_spec *spec, cull_problems *problems,
                           cull_plan *out)
{
    *out = (cull_plan){ .spec = spec };
    maker m = { ctx, spec, out };
    // 1. Do the parts fit each other?
    cull_fit_spec(spec, problems);
    CULL_TRY(cull_problems_status(problems));
    // 2. Cells, with the steps and the sets of statistics that they rest on
    for (size_t model = 0; model < spec->n_models; model++) {
        CULL_TRY(make_dense(&m, model));
        for (size_t i = 0; i < spec->n_methods; i++)
            CULL_TRY(make_method(&m, model, i));
    }
    // 3. What collapsed, in sentences
    for (int axis = 0; axis < AXES; axis++)
        CULL_TRY(add_note(&m, axis));
    out->grid = spec->n_models * spec->n_methods * (spec->n_sparsities ? spec->n_sparsities : 1) *
                spec->n_allocations * (spec->n_calibrations ? spec->n_calibrations : 1) *
                spec->n_layers * spec->n_seeds;
    return CULL_OK;
}
