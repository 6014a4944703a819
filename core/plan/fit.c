// Do these plugins fit each other: forms, statistics, actions, budgets?
#include "plan/fit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/whole.h"
#include "engine/stats_store.h"
#include "spec/search.h"

// ---- what the experiment alone tells ----

static void form_names(uint32_t forms, char *buf, size_t size)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = { { CULL_FORM_NONE, "none" },      { CULL_FORM_LAYER, "layer" },
                  { CULL_FORM_EXPERT, "expert" },  { CULL_FORM_PAIR, "pair" },
                  { CULL_FORM_WEIGHT, "weight" },  { CULL_FORM_SUBSET, "subset" },
                  { CULL_FORM_CHANNEL, "channel" } };
    size_t used = 0;

    buf[0] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if ((forms & names[i].bit) && used < size) {
            const int n =
                snprintf(buf + used, size - used, "%s%s", used ? " or " : "", names[i].name);
            used += n > 0 ? (size_t)n : 0;
        }
}

static void fit_forms(const cull_stage *stage, cull_problems *problems)
{
    const cull_strategy *strategy = stage->strategy.plugin->vtable;
    const cull_criterion *criterion =
        stage->criterion.plugin ? stage->criterion.plugin->vtable : NULL;
    const uint32_t form = cull_stage_form(stage);
    char takes[80], yields[80];

    if (form & strategy->accepts)
        return;
    form_names(strategy->accepts, takes, sizeof takes);
    form_names(form, yields, sizeof yields);
    if (!criterion)
        cull_problem_add(problems, stage->strategy.place,
                         "strategy %s needs a criterion: it takes scores of the form %s",
                         stage->strategy.plugin->name, takes);
    else
        cull_problem_add(problems, stage->criterion.place,
                         "criterion %s yields scores of the form %s, but strategy %s takes %s",
                         stage->criterion.plugin->name, yields, stage->strategy.plugin->name,
                         takes);
}

static void fit_needs(const cull_spec *spec, const cull_stage *stage, cull_problems *problems)
{
    const uint32_t needs = cull_stage_needs(stage);
    const cull_strategy *strategy = stage->strategy.plugin->vtable;
    const cull_criterion *criterion =
        stage->criterion.plugin ? stage->criterion.plugin->vtable : NULL;
    const bool by_layer = strategy->flags & (CULL_BY_LAYER | CULL_EITHER_WAY);
    const bool of_subsets = cull_stage_form(stage) == CULL_FORM_SUBSET;
    const bool sets = needs || (criterion && criterion->observer);

    if ((sets || stage->propagate) && spec->n_calibrations == 0)
        cull_problem_add(problems, stage->place,
                         "this stage needs statistics, but the experiment has no \"calibrate\"");
    if (!by_layer && ((needs & CULL_STATS_IN_VISIT) || of_subsets))
        cull_problem_add(
            problems, stage->strategy.place,
            "%s exists one layer at a time, but strategy %s decides all layers at once",
            of_subsets  ? "a loss of subsets"
            : criterion ? "what the criterion needs"
                        : "what it needs",
            stage->strategy.plugin->name);
    if (stage->propagate && !by_layer)
        cull_problem_add(
            problems, stage->strategy.place,
            "strategy %s decides all layers at once, so it cannot see what the cuts of "
            "earlier layers let through",
            stage->strategy.plugin->name);
}

static void fit_keep(const cull_stage *stage, cull_problems *problems)
{
    const cull_unit unit = cull_stage_unit(stage);

    if (!stage->keep.place.file)
        return;
    if (!cull_unit_removes(unit) || unit == CULL_UNIT_LAYER)
        cull_problem_add(problems, stage->keep.place,
                         "keep: strategy %s removes no experts, channels or weights",
                         stage->strategy.plugin->name);
    if (stage->keep.super && cull_stage_visits(stage))
        cull_problem_add(problems, stage->keep.place,
                         "keep: super is found among all layers, but this stage decides one layer "
                         "at a time; name the experts in a list");
}

// At most one stage is without a share of its own; it takes the rest, which must not be negative.
static void fit_shares(const cull_spec *spec, const cull_method *method, cull_problems *problems)
{
    const double shares = cull_method_shares(method);
    size_t rest = 0;

    for (size_t i = 0; i < method->n; i++) {
        const cull_stage *stage = &method->stage[i];
        const cull_unit unit = cull_stage_unit(stage);
        if (!cull_unit_removes(unit) && !isnan(stage->share))
            cull_problem_add(problems, stage->share_place,
                             "strategy %s removes nothing, so it carries no share",
                             stage->strategy.plugin->name);
        if (!isnan(stage->share) && stage->share >= 1)
            cull_problem_add(problems, stage->share_place,
                             "experts: a share of 1 would leave nothing");
        if (unit == CULL_UNIT_NONE || !isnan(stage->share))
            continue;
        if (rest++ > 0)
            cull_problem_add(
                problems, stage->strategy.place,
                "two stages of method \"%s\" without a share (`experts`): which of them "
                "carries the sparsity?",
                method->name);
    }
    if (rest > 0 && spec->n_sparsities == 0)
        cull_problem_add(problems, method->place,
                         "method \"%s\" needs a sparsity, but the experiment has no \"sparsities\"",
                         method->name);
    for (size_t i = 0; rest > 0 && i < spec->n_sparsities; i++)
        if (spec->sparsities[i].kind == CULL_FRACTION && spec->sparsities[i].value < shares - 1e-12)
            cull_problem_add(
                problems, spec->sparsities[i].place,
                "sparsity %g is below %g, what the first stages of method \"%s\" carry",
                spec->sparsities[i].value, shares, method->name);
}

// Fewer experts serve a token: that meets a budget of what runs, and no other.
static void fit_picks(const cull_spec *spec, const cull_method *method, cull_problems *problems)
{
    bool picks = false;

    for (size_t i = 0; i < method->n; i++)
        picks = picks || cull_stage_unit(&method->stage[i]) == CULL_UNIT_PICK;
    for (size_t i = 0; picks && i < spec->n_sparsities; i++)
        if (spec->sparsities[i].kind != CULL_ACTIVE)
            cull_problem_add(problems, spec->sparsities[i].place,
                             "method \"%s\" removes nothing, but lets fewer experts serve a token: "
                             "the budget it takes is { active: FRACTION }",
                             method->name);
}

static void fit_global(const cull_stage *stage, const cull_allocation *a, const cull_method *method,
                       cull_problems *problems)
{
    const cull_strategy *strategy = stage->strategy.plugin->vtable;

    if ((strategy->flags & CULL_BY_LAYER) || cull_stage_visits(stage))
        cull_problem_add(problems, a->place,
                         "allocation global ranks all layers together, but strategy %s of method "
                         "\"%s\" decides one layer at a time",
                         stage->strategy.plugin->name, method->name);
}

// Counts of experts can be taken from experts alone; channels take parameters from either.
static void fit_like(const cull_spec *spec, const cull_stage *stage, const cull_allocation *a,
                     const cull_method *method, cull_problems *problems)
{
    const cull_method *from = &spec->methods[a->donor];
    const size_t donor = cull_spread_stage(from);

    if (donor != CULL_NOT && cull_stage_unit(stage) == CULL_UNIT_EXPERT &&
        cull_stage_unit(&from->stage[donor]) == CULL_UNIT_CHANNEL)
        cull_problem_add(problems, a->place,
                         "like: method \"%s\" removes channels, so it has no counts of experts for "
                         "method \"%s\"",
                         a->like, method->name);
}

// A search makes many cuts at a time, of experts, from the statistics of all layers.
static void fit_search(const cull_spec *spec, const cull_stage *taker, const cull_allocation *a,
                       const cull_method *method, cull_problems *problems)
{
    const cull_method *from = a->like ? &spec->methods[a->donor] : method;
    const size_t spread = cull_spread_stage(from);

    if (spread == CULL_NOT)
        return; // said by fit_donors
    cull_stage alone = a->like ? from->stage[spread] : *taker;
    alone.propagate = false;
    if (cull_stage_unit(&alone) == CULL_UNIT_CHANNEL)
        cull_problem_add(problems, a->search->place,
                         "search: a search is for counts of experts, but method \"%s\" removes "
                         "channels",
                         from->name);
    else if (cull_stage_visits(&alone))
        cull_problem_add(problems, a->search->place,
                         "search: strategy %s of method \"%s\" decides each layer while it is "
                         "visited, so that many cuts cannot be made at a time; take the counts of "
                         "another method ({ like: METHOD, search: … })",
                         alone.strategy.plugin->name, from->name);
}

// What an earlier stage takes of that which counts are of; NULL: nothing.
static const char *taken_before(const cull_stage *earlier, cull_unit unit)
{
    const uint32_t emits = cull_stage_emits(earlier);

    if (emits & CULL_EMITS_SKIP)
        return cull_stage_unit(earlier) == CULL_UNIT_NONE ? "is a cut that is given"
                                                          : "takes whole layers";
    if (unit != CULL_UNIT_PICK && emits & CULL_TAKES_EXPERTS)
        return "takes experts";
    if (unit == CULL_UNIT_CHANNEL && emits & CULL_EMITS_CHANNELS)
        return "takes channels";
    return unit == CULL_UNIT_CHANNEL && emits & CULL_EMITS_MASK ? "takes weights" : NULL;
}

// Counts are found on the dense model, and say nothing of what an earlier stage leaves of it: a
// share of the whole would be more than the stage's share of the rest.
static void fit_counts(const cull_method *method, size_t stage, const cull_allocation *a,
                       cull_problems *problems)
{
    for (size_t i = 0; i < stage; i++) {
        const char *takes = taken_before(&method->stage[i], cull_stage_unit(&method->stage[stage]));
        if (!takes)
            continue;
        cull_problem_add(problems, a->place,
                         "allocations like and search count what goes of the whole model, but an "
                         "earlier stage of method \"%s\" %s",
                         method->name, takes);
        return;
    }
}

static void fit_allocations(const cull_spec *spec, const cull_method *method,
                            cull_problems *problems)
{
    for (size_t s = 0; s < method->n; s++) {
        const cull_stage *stage = &method->stage[s];
        const cull_unit unit = cull_stage_unit(stage);
        for (size_t i = 0; i < spec->n_allocations; i++) {
            const cull_allocation *a = &spec->allocations[i];
            if (!cull_unit_spreads(unit) &&
                !(unit == CULL_UNIT_PICK && a->kind == CULL_ALLOCATE_SEARCH))
                continue;
            if (a->kind == CULL_ALLOCATE_GLOBAL)
                fit_global(stage, a, method, problems);
            if (a->kind == CULL_ALLOCATE_LIKE || a->kind == CULL_ALLOCATE_SEARCH)
                fit_counts(method, s, a, problems);
            if (a->kind == CULL_ALLOCATE_LIKE && a->donor != CULL_NOT)
                fit_like(spec, stage, a, method, problems);
            if (a->search && a->donor != CULL_NOT)
                fit_search(spec, stage, a, method, problems);
        }
    }
}

static void fit_donors(const cull_spec *spec, cull_problems *problems)
{
    for (size_t i = 0; i < spec->n_allocations; i++) {
        const cull_allocation *a = &spec->allocations[i];
        if (a->kind != CULL_ALLOCATE_LIKE || a->donor == CULL_NOT)
            continue;
        const cull_method *from = &spec->methods[a->donor];
        const size_t stage = cull_spread_stage(from);
        if (stage == CULL_NOT)
            cull_problem_add(
                problems, a->place,
                "like: method \"%s\" removes neither experts nor channels, so it has no counts",
                a->like);
        else if ((((const cull_strategy *)from->stage[stage].strategy.plugin->vtable)->flags &
                  CULL_BY_LAYER) ||
                 cull_stage_visits(&from->stage[stage]))
            cull_problem_add(
                problems, a->place,
                "like: method \"%s\" decides one layer at a time, so it cannot spread a "
                "budget over layers",
                a->like);
    }
}

// A donor's share is taken from the sparsity, which such a budget does not say yet.
static void fit_budgets(const cull_spec *spec, cull_problems *problems)
{
    bool donors = false, takers = false;

    for (size_t i = 0; i < spec->n_allocations; i++)
        donors = donors || (spec->allocations[i].kind != CULL_ALLOCATE_LAYER &&
                            spec->allocations[i].kind != CULL_ALLOCATE_GLOBAL);
    for (size_t i = 0; i < spec->n_methods; i++)
        takers = takers || cull_spread_stage(&spec->methods[i]) != CULL_NOT;
    for (size_t i = 0; donors && takers && i < spec->n_sparsities; i++)
        if (spec->sparsities[i].kind != CULL_FRACTION)
            cull_problem_add(problems, spec->sparsities[i].place,
                             "sparsities: with allocations like and search, the sparsities of "
                             "experts and channels are fractions");
}

static bool complete(const cull_method *method)
{
    for (size_t i = 0; i < method->n; i++)
        if (!method->stage[i].strategy.plugin)
            return false;
    return true;
}

void cull_fit_spec(const cull_spec *spec, cull_problems *problems)
{
    for (size_t m = 0; m < spec->n_methods; m++) {
        const cull_method *method = &spec->methods[m];
        if (!complete(method))
            return; // said already
        for (size_t i = 0; i < method->n; i++) {
            cull_problems_while(problems, "fitting stage %zu of method \"%s\"", i + 1,
                                method->name);
            fit_forms(&method->stage[i], problems);
            fit_needs(spec, &method->stage[i], problems);
            fit_keep(&method->stage[i], problems);
        }
        cull_problems_while(problems, NULL);
        fit_shares(spec, method, problems);
        fit_picks(spec, method, problems);
        fit_allocations(spec, method, problems);
    }
    fit_donors(spec, problems);
    fit_budgets(spec, problems);
}

// ---- what a model's facts tell ----

static bool check_layers(const char *key, const cull_ints *list, size_t L, cull_place place,
                         cull_problems *problems)
{
    bool good = true;

    for (size_t i = 0; i < list->n; i++)
        if (list->at[i] < 0 || (uint64_t)list->at[i] >= L) {
            cull_problem_add(problems, place,
                             "layers.%s: there is no layer %lld, the model has %zu", key,
                             (long long)list->at[i], L);
            good = false;
        }
    return good;
}

bool cull_frozen_layers(const cull_layers_spec *choice, size_t L,
                        const cull_layer_facts *const *layer, uint8_t *frozen,
                        cull_problems *problems)
{
    if (!check_layers("only", &choice->only, L, choice->place, problems) ||
        !check_layers("except", &choice->except, L, choice->place, problems))
        return false;
    for (size_t l = 0; l < L; l++)
        frozen[l] = choice->only.n > 0 ? CULL_EXCLUDED : 0;
    for (size_t i = 0; i < choice->only.n; i++)
        frozen[choice->only.at[i]] = 0;
    for (size_t i = 0; i < choice->except.n; i++)
        frozen[choice->except.at[i]] = CULL_EXCLUDED;
    size_t free_layers = 0;
    for (size_t l = 0; l < L; l++) {
        if (layer[l]->E == 0 && !frozen[l])
            frozen[l] = CULL_WITHOUT_EXPERTS;
        free_layers += !frozen[l];
    }
    if (free_layers > 0)
        return true;
    if (choice->place.file)
        cull_problem_add(problems, choice->place,
                         "layers: no layer with experts is left that may be cut");
    return !choice->place.file;
}

size_t cull_least_experts(const cull_layer_facts *layer, uint32_t emits)
{
    if (layer->E == 0)
        return 0;
    if (!(emits & 1u << CULL_ACTION_DROP))
        return emits & 1u << CULL_ACTION_ALIAS ? 1 : 0;
    if (layer->n_group <= 1 || layer->topk_group == 0)
        return layer->K;
    return (layer->K + layer->topk_group - 1) / layer->topk_group * layer->n_group;
}

static cull_place sparsity_place(const cull_plan *plan, const cull_step *step)
{
    if (!isnan(step->spec->share))
        return step->spec->share_place;
    if (step->budget)
        return step->budget->place;
    for (size_t i = 0; i < plan->spec->n_sparsities; i++)
        if (plan->spec->sparsities[i].value == step->sparsity)
            return plan->spec->sparsities[i].place;
    return step->spec->place;
}

double cull_nominal_share(const cull_plan *plan, const cull_step *step)
{
    if (!isnan(step->spec->share))
        return step->spec->share;
    const double shares = cull_method_shares(&plan->spec->methods[step->method]);
    return 1 - (1 - step->sparsity) / (1 - shares);
}

bool cull_experts_gone_before(const cull_plan *plan, const cull_step *step)
{
    for (size_t i = step->before; i != CULL_NOT; i = plan->step[i].before)
        if (plan->step[i].unit == CULL_UNIT_EXPERT)
            return true;
    return false;
}

// Does the stage name experts that the model has? Those of layer l are counted.
static bool fit_named(const cull_plan *plan, const cull_step *step, const cull_model_facts *facts,
                      const cull_layer_facts *const *layer, cull_problems *problems)
{
    const cull_keep *keep = &step->spec->keep;

    for (size_t i = 0; i < keep->n; i++)
        if (keep->at[i][0] >= facts->L || keep->at[i][1] >= layer[keep->at[i][0]]->E) {
            cull_problem_add(problems, keep->place,
                             "keep: model \"%s\" has no expert %zu in layer %zu",
                             plan->spec->models[step->model].name, keep->at[i][1], keep->at[i][0]);
            return false;
        }
    return true;
}

size_t cull_kept_of_layer(const cull_keep *keep, size_t l)
{
    size_t n = 0;

    for (size_t i = 0; i < keep->n; i++) {
        bool again = false;
        for (size_t j = 0; j < i && !again; j++)
            again = keep->at[j][0] == l && keep->at[j][1] == keep->at[i][1];
        n += keep->at[i][0] == l && !again;
    }
    return n;
}

// Experts of layer l that have to stay: what its router needs, or what `keep` names.
static size_t least_of(const cull_step *step, const cull_layer_facts *layer, size_t l)
{
    const size_t least = cull_least_experts(layer, step->emits);
    const size_t kept = cull_kept_of_layer(&step->spec->keep, l);

    return kept > least ? kept : least;
}

static const char *who_needs(const cull_step *step, const char *router)
{
    return step->spec->keep.n ? "`keep` and the router need" : router;
}

// Channels and weights: may so much go of the experts that are not kept?
static void fit_parameters(const cull_plan *plan, const cull_step *step, double share,
                           const cull_model_facts *facts, const cull_layer_facts *const *layer,
                           const uint8_t *frozen, cull_problems *problems)
{
    double all = 0, free = 0;

    for (size_t l = 0; l < facts->L; l++) {
        if (frozen[l])
            continue;
        const double one = (double)layer[l]->expert_params;
        all += (double)layer[l]->E * one;
        free += (double)(layer[l]->E - cull_kept_of_layer(&step->spec->keep, l)) * one;
    }
    if (share * all > free * (1 + 1e-9))
        cull_problem_add(problems, sparsity_place(plan, step),
                         "method \"%s\" on model \"%s\": %.4g %% of the experts' parameters are to "
                         "go, but `keep` leaves only %.4g %% that may",
                         plan->spec->methods[step->method].name,
                         plan->spec->models[step->model].name, 100 * share, 100 * free / all);
}

static void fit_layer_counts(const cull_plan *plan, const cull_step *step, double share,
                             const cull_model_facts *facts, const cull_layer_facts *const *layer,
                             const uint8_t *frozen, cull_problems *problems)
{
    for (size_t l = 0; l < facts->L; l++) {
        const size_t gone = cull_whole_share(share, layer[l]->E);
        const size_t least = least_of(step, layer[l], l);
        if (frozen[l] || layer[l]->E - gone >= least)
            continue;
        cull_problem_add(
            problems, sparsity_place(plan, step),
            "method \"%s\" on model \"%s\": layer %zu would keep %zu of %zu experts, but "
            "%s %zu",
            plan->spec->methods[step->method].name, plan->spec->models[step->model].name, l,
            layer[l]->E - gone, layer[l]->E, who_needs(step, "its router needs"), least);
        return;
    }
}

static void fit_total(const cull_plan *plan, const cull_step *step, double share,
                      const cull_model_facts *facts, const cull_layer_facts *const *layer,
                      const uint8_t *frozen, cull_problems *problems)
{
    size_t experts = 0, least = 0;

    for (size_t l = 0; l < facts->L; l++)
        if (!frozen[l]) {
            experts += layer[l]->E;
            least += least_of(step, layer[l], l);
        }
    const size_t gone = cull_whole_share(share, experts);
    if (experts - gone < least)
        cull_problem_add(problems, sparsity_place(plan, step),
                         "method \"%s\" on model \"%s\": %zu of %zu experts would be kept, but "
                         "%s %zu",
                         plan->spec->methods[step->method].name,
                         plan->spec->models[step->model].name, experts - gone, experts,
                         who_needs(step, "the routers need"), least);
}

// Experts that are constants already hold fewer parameters than facts.expert_params says of each.
static bool has_constants(const cull_model_facts *facts, const cull_layer_facts *const *layer)
{
    uint64_t whole = 0;

    for (size_t l = 0; l < facts->L; l++)
        whole += (uint64_t)layer[l]->E * layer[l]->expert_params;
    return facts->params_expert < whole;
}

// A budget counts whole experts, and scores compare them: a constant is neither.
static bool fit_whole_experts(const cull_plan *plan, size_t model, const cull_model_facts *facts,
                              const cull_layer_facts *const *layer, cull_problems *problems)
{
    if (!has_constants(facts, layer))
        return true;
    for (size_t i = 0; i < plan->n_steps; i++) {
        if (plan->step[i].model != model || plan->step[i].unit == CULL_UNIT_NONE)
            continue;
        cull_problem_add(problems, plan->spec->models[model].place,
                         "model \"%s\" has constants in the place of experts: it can be evaluated, "
                         "but not pruned again (prune the model it was made of)",
                         plan->spec->models[model].name);
        return false;
    }
    return true;
}

void cull_fit_model(const cull_plan *plan, size_t model, const cull_model_facts *facts,
                    const cull_layer_facts *const *layer, const uint8_t *frozen,
                    cull_problems *problems)
{
    size_t experts = 0;

    if (!fit_whole_experts(plan, model, facts, layer, problems))
        return;
    for (size_t l = 0; l < facts->L; l++)
        experts += layer[l]->E;
    for (size_t i = 0; i < plan->n_steps; i++) {
        const cull_step *step = &plan->step[i];
        if (step->model != model || !fit_named(plan, step, facts, layer, problems) ||
            cull_experts_gone_before(plan, step))
            continue;
        const double share = cull_nominal_share(plan, step);
        const uint8_t *may_not = frozen + step->layers * facts->L;
        if (step->spec->keep.n &&
            (step->unit == CULL_UNIT_CHANNEL || step->unit == CULL_UNIT_WEIGHT))
            fit_parameters(plan, step, share, facts, layer, may_not, problems);
        if (step->unit != CULL_UNIT_EXPERT)
            continue;
        if (experts == 0)
            cull_problem_add(problems, plan->spec->models[model].place,
                             "model \"%s\" has no routed experts", plan->spec->models[model].name);
        else if (step->scope == CULL_ALLOCATE_LAYER)
            fit_layer_counts(plan, step, share, facts, layer, may_not, problems);
        else
            fit_total(plan, step, share, facts, layer, may_not, problems);
    }
}
