// Content keys: all that determines a calibration, a cut, an evaluation.
#include "plan/key.h"

#include <math.h>

#include "plan/remarks.h"
#include "plugin/settings.h"
#include "spec/search.h"

typedef struct keyer {
    cull_ctx *ctx;
    const cull_registry *registry;
    cull_hash *hash;
} keyer;

static cull_status begin(keyer *k, cull_ctx *ctx, const cull_registry *registry, const char *what)
{
    *k = (keyer){ ctx, registry, cull_hash_new() };
    if (!k->hash)
        return cull_no_memory(ctx);
    cull_hash_text(k->hash, what);
    cull_hash_u64(k->hash, CULL_NUMERICS_REVISION);
    return CULL_OK;
}

static cull_status finish(keyer *k, cull_status status, cull_key *out)
{
    *out = cull_hash_key(k->hash);
    cull_hash_free(k->hash);
    return status;
}

static cull_status add_use(keyer *k, const cull_use *use)
{
    cull_hash_text(k->hash, use->plugin ? use->plugin->name : "");
    if (!use->plugin)
        return CULL_OK;
    cull_hash_text(k->hash, use->plugin->version);
    cull_hash_text(k->hash, cull_registry_foreign_hash(k->registry, use->plugin));
    return cull_settings_hash(k->ctx, use->plugin, use->settings, k->hash);
}

static void add_key(keyer *k, const cull_key *key)
{
    cull_hash_text(k->hash, key ? key->hex : "");
}

// What a backend from elsewhere makes of the files, its hash alone says.
static void add_model(keyer *k, const cull_inputs *inputs, size_t model)
{
    const cull_open_model *opened = &inputs->at[model].opened;
    const cull_model_facts *facts = opened->facts;
    const char *foreign = cull_registry_foreign_hash(k->registry, opened->plugin);

    if (*foreign)
        cull_hash_text(k->hash, foreign);
    cull_hash_text(k->hash, facts->fingerprint);
    if (facts->reading) // it has not always been
        cull_hash_u64(k->hash, facts->reading);
    cull_hash_text(k->hash, cull_precision_word(inputs->precision));
}

static cull_status set_key(keyer *k, const cull_inputs *inputs, const cull_plan *plan,
                           cull_calibration_set *g)
{
    const cull_rows *rows = cull_rows_of(&inputs->at[g->model], g);

    CULL_TRY(begin(k, k->ctx, k->registry, "gather"));
    add_model(k, inputs, g->model);
    add_key(k, &rows->key);
    cull_hash_u64(k->hash, rows->dense_rows);
    add_key(k, g->on == CULL_NOT ? NULL : &plan->step[g->on].key);
    return finish(k, CULL_OK, &g->key);
}

// A search is its settings, its data, and what its fitness is measured with.
static cull_status add_search(keyer *k, const cull_prepared_model *s, const cull_search *search)
{
    if (!search)
        return CULL_OK;
    cull_hash_text(k->hash, "search");
    add_key(k, &s->asked[search->at].key);
    CULL_TRY(cull_settings_hash(k->ctx, &cull_search_table, search->settings, k->hash));
    return add_use(k, &search->metric);
}

// What rests on counts of units that differ in size, or on what an earlier stage passes over, was
// not always what it is. A cut that is given whole may do all that it says it emits.
static void add_units(keyer *k, const cull_prepared_model *s, const cull_plan *plan,
                      const cull_step *step)
{
    const uint32_t parts = CULL_EMITS_MASK | CULL_EMITS_CHANNELS | 1u << CULL_ACTION_NOVICE;
    const uint32_t gone = 1u << CULL_ACTION_DROP | 1u << CULL_ACTION_ZERO | 1u << CULL_ACTION_ALIAS;
    const uint32_t unlike = step->unit == CULL_UNIT_LAYER ? parts | gone : parts;
    uint32_t before = 0;

    for (size_t i = step->before; i != CULL_NOT; i = plan->step[i].before)
        before |= plan->step[i].emits;
    if (before & CULL_EMITS_SKIP)
        cull_hash_text(k->hash, "layers passed over are frozen");
    if (cull_step_by_size(step) && (before & unlike || cull_units_differ(s, step)))
        cull_hash_text(k->hash, "units by their parameters");
}

// Does a step rewrite matrices without a mask of theirs, as means of experts do, and as a cut that
// is given whole may? What is zero there by chance was counted as gone, and of experts that matter
// as much others stayed. Stages behind it have its key in theirs.
static bool rewrites(const cull_step *step)
{
    const bool given = step->unit == CULL_UNIT_NONE;

    return step->emits & CULL_EMITS_MATRIX && (given || !(step->emits & CULL_EMITS_MASK));
}

static cull_status step_key(keyer *k, const cull_inputs *inputs, const cull_plan *plan,
                            cull_step *step)
{
    const cull_prepared_model *s = &inputs->at[step->model];

    CULL_TRY(begin(k, k->ctx, k->registry, "step"));
    add_model(k, inputs, step->model);
    add_key(k, step->before == CULL_NOT ? NULL : &plan->step[step->before].key);
    add_key(k, step->donor == CULL_NOT ? NULL : &plan->step[step->donor].key);
    add_key(k, step->set == CULL_NOT ? NULL : &plan->set[step->set].key);
    cull_hash_u64(k->hash, step->unit);
    cull_hash_u64(k->hash, step->scope);
    cull_hash_f64(k->hash, isnan(step->spec->share) ? -1 : step->spec->share);
    cull_hash_f64(k->hash, isnan(step->sparsity) ? -1 : step->sparsity);
    if (step->later < 1)
        cull_hash_f64(k->hash, step->later);
    cull_hash_u64(k->hash, step->spec->propagate);
    cull_keep_hash(&step->spec->keep, k->hash);
    cull_hash_u64(k->hash, step->seeded ? step->seed : UINT64_MAX);
    cull_hash_bytes(k->hash, cull_frozen_of(s, step->layers), s->opened.facts->L);
    cull_hash_text(k->hash, inputs->spec->store);
    add_units(k, s, plan, step);
    if (rewrites(step))
        cull_hash_text(k->hash, "rewritten weights are kept, heads of groups stay");
    cull_status status = add_use(k, &step->spec->criterion);
    if (status == CULL_OK)
        status = add_use(k, &step->spec->strategy);
    if (status == CULL_OK)
        status = add_search(k, s, step->search);
    return finish(k, status, &step->key);
}

// An alternative without a name is no axis: trials of before there were names keep their ids.
static void add_axis(keyer *k, const char *axis, const char *name)
{
    if (!name)
        return;
    cull_hash_text(k->hash, axis);
    cull_hash_text(k->hash, name);
}

static cull_status cell_key(keyer *k, const cull_inputs *inputs, const cull_plan *plan,
                            cull_cell *cell)
{
    const cull_spec *spec = plan->spec;

    CULL_TRY(begin(k, k->ctx, k->registry, "trial"));
    add_model(k, inputs, cell->model);
    add_key(k, cell->step == CULL_NOT ? NULL : &plan->step[cell->step].key);
    cull_hash_text(k->hash, spec->models[cell->model].name);
    cull_hash_text(k->hash, cell->method == CULL_NOT ? "dense" : spec->methods[cell->method].name);
    cull_hash_f64(k->hash, isnan(cell->sparsity) ? -1 : cell->sparsity);
    cull_hash_text(k->hash, cell->allocation ? cell->allocation : "");
    cull_hash_u64(k->hash, cell->seeded ? cell->seed : UINT64_MAX);
    add_axis(k, "calibration", cull_calibration_name(spec, cell));
    add_axis(k, "layers", cull_layers_name(spec, cell));
    return finish(k, CULL_OK, &cell->id);
}

// Sets rest on steps and steps on sets, each on earlier ones of the other kind: keys are made
// as soon as what they rest on has them.
static bool rests_on_known(const cull_plan *plan, const cull_step *step)
{
    return step->set == CULL_NOT || plan->set[step->set].key.hex[0];
}

cull_status cull_plan_keys(cull_ctx *ctx, const cull_registry *registry, const cull_inputs *inputs,
                           cull_plan *plan)
{
    keyer k = { .ctx = ctx, .registry = registry };

    for (size_t g = 0; g < plan->n_sets; g++)
        plan->set[g].key.hex[0] = '\0';
    for (size_t i = 0; i <= plan->n_steps; i++) {
        for (size_t g = 0; g < plan->n_sets; g++) {
            cull_calibration_set *set = &plan->set[g];
            const bool ready = set->on == CULL_NOT || set->on < i;
            if (ready && !set->key.hex[0])
                CULL_TRY(set_key(&k, inputs, plan, set));
        }
        if (i == plan->n_steps)
            break;
        if (!rests_on_known(plan, &plan->step[i]))
            return cull_fail(ctx, CULL_EINVAL, "a step of the plan stands before what it rests on");
        CULL_TRY(step_key(&k, inputs, plan, &plan->step[i]));
    }
    for (size_t i = 0; i < plan->n_cells; i++)
        CULL_TRY(cell_key(&k, inputs, plan, &plan->cell[i]));
    return CULL_OK;
}

cull_status cull_evaluation_key(cull_ctx *ctx, const cull_registry *registry,
                                const cull_inputs *inputs, const cull_plan *plan,
                                const cull_cell *cell, size_t metric, cull_key *out)
{
    keyer k;

    CULL_TRY(begin(&k, ctx, registry, "evaluation"));
    add_model(&k, inputs, cell->model);
    add_key(&k, cell->step == CULL_NOT ? NULL : &plan->step[cell->step].key);
    add_key(&k, &inputs->at[cell->model].asked[metric].key);
    return finish(&k, add_use(&k, &inputs->spec->metrics[metric]), out);
}

cull_status cull_observer_key(cull_ctx *ctx, const cull_registry *registry,
                              const cull_calibration_set *set, const cull_use *use, cull_key *out)
{
    keyer k;

    CULL_TRY(begin(&k, ctx, registry, "observer"));
    add_key(&k, &set->key);
    return finish(&k, add_use(&k, use), out);
}
