// Remarks on a plan: sparsities that mean less than they say, stages that remove nothing, files
// that a cut is both chosen and judged by.
#include "plan/remarks.h"

#include <math.h>
#include <string.h>

#include "base/whole.h"
#include "engine/stats_store.h"
#include "plan/fit.h"
#include "plugin/mix.h"
#include "plugin/settings.h"

typedef struct remarks {
    cull_ctx *ctx;
    const cull_inputs *inputs;
    cull_plan *plan;
} remarks;

// Once, however many steps it holds for.
static cull_status add(cull_ctx *ctx, size_t *n, const char ***list, const char *text)
{
    if (!text)
        return cull_no_memory(ctx);
    for (size_t i = 0; i < *n; i++)
        if (strcmp((*list)[i], text) == 0)
            return CULL_OK;
    const char **more = cull_take(ctx, *n + 1, sizeof *more);
    if (!more)
        return CULL_ENOMEM;
    if (*n > 0)
        memcpy(more, *list, *n * sizeof *more);
    more[(*n)++] = text;
    *list = more;
    return CULL_OK;
}

static cull_arena *arena_of(const remarks *r)
{
    return cull_context_of(r->ctx)->alloc;
}

// ---- what sparsity is of ----

double cull_allowed_share(const cull_prepared_model *s, size_t layers)
{
    const uint8_t *frozen = cull_frozen_of(s, layers);
    double all = 0, allowed = 0;

    for (size_t l = 0; l < s->opened.facts->L; l++) {
        const double here = (double)s->layer[l]->E * (double)s->layer[l]->expert_params;
        all += here;
        allowed += frozen[l] ? 0 : here;
    }
    return all > 0 ? allowed / all : 1;
}

bool cull_units_differ(const cull_prepared_model *s, const cull_step *step)
{
    const bool layers = step->unit == CULL_UNIT_LAYER;
    const uint8_t *frozen = cull_frozen_of(s, step->layers);
    uint64_t one = 0;

    if (!layers && (step->unit != CULL_UNIT_EXPERT || step->scope == CULL_ALLOCATE_LAYER))
        return false;
    for (size_t l = 0; l < s->opened.facts->L; l++) {
        const uint64_t here = s->layer[l]->expert_params * (layers ? s->layer[l]->E : 1);
        if (!frozen[l] && one > 0 && here != one)
            return true;
        one = frozen[l] ? one : here;
    }
    return false;
}

// "layers", "layers late" where there are several.
static const char *layers_words(const remarks *r, size_t layers)
{
    const char *name = r->plan->spec->layers[layers].name;

    return name ? cull_arena_printf(arena_of(r), "layers %s", name) : "layers";
}

static cull_status note_layers(const remarks *r, size_t model, size_t layers)
{
    const double share = cull_allowed_share(&r->inputs->at[model], layers);
    const char *words = layers_words(r, layers);

    if (share >= 1 || r->plan->n_cells <= r->inputs->n)
        return CULL_OK;
    return add(r->ctx, &r->plan->n_notes, &r->plan->note,
               words
                   ? cull_arena_printf(arena_of(r),
                                       "%s: sparsity is of the layers that may be cut, which hold "
                                       "%.4g %% of the routed experts' parameters of model \"%s\"",
                                       words, 100 * share, r->plan->spec->models[model].name)
                   : NULL);
}

// "only" and "except" together: which layers are left is not seen at a glance.
static cull_status note_both_lists(const remarks *r, size_t model, size_t layers)
{
    const cull_spec *spec = r->plan->spec;
    const cull_prepared_model *s = &r->inputs->at[model];
    const uint8_t *frozen = cull_frozen_of(s, layers);
    const char *words = layers_words(r, layers);
    cull_buf list = CULL_BUF_INIT;

    if (spec->layers[layers].only.n == 0 || spec->layers[layers].except.n == 0)
        return CULL_OK;
    for (size_t l = 0; l < s->opened.facts->L; l++)
        if (!frozen[l])
            cull_buf_printf(&list, "%s%zu", list.n ? ", " : "", l);
    const char *text =
        list.failed || !words
            ? NULL
            : cull_arena_printf(arena_of(r),
                                "%s: of \"only\" without \"except\" these may "
                                "be cut of model \"%s\": %s",
                                words, spec->models[model].name, list.s ? list.s : "none");
    cull_buf_release(&list);
    return add(r->ctx, &r->plan->n_notes, &r->plan->note, text);
}

// ---- budgets in other units ----

static const char *budget_words(const remarks *r, const cull_sparsity *budget)
{
    switch (budget->kind) {
    case CULL_BYTES:
        return cull_arena_printf(arena_of(r), "{ bytes: %.0f }", budget->value);
    case CULL_EXPERTS:
        return cull_arena_printf(arena_of(r), "{ experts: %g }", budget->value);
    default:
        return cull_arena_printf(arena_of(r), "{ active: %g }", budget->value);
    }
}

static bool picks(const cull_method *method)
{
    for (size_t i = 0; i < method->n; i++)
        if (cull_stage_unit(&method->stage[i]) == CULL_UNIT_PICK)
            return true;
    return false;
}

static cull_status note_budget(const remarks *r, const cull_cell *cell)
{
    const cull_method *method = &r->plan->spec->methods[cell->method];
    const char *words = budget_words(r, cell->budget);

    return add(r->ctx, &r->plan->n_notes, &r->plan->note,
               words ? cull_arena_printf(arena_of(r),
                                         "method \"%s\" on model \"%s\": %s is a sparsity of "
                                         "%.4g%s",
                                         method->name, r->plan->spec->models[cell->model].name,
                                         words, cell->sparsity,
                                         picks(method) ? " of what routed experts run for a token, "
                                                         "which serve fewer tokens but stay"
                                                       : "")
                     : NULL);
}

// ---- axes that a method does not see ----

static bool takes_sparsity(const cull_method *method)
{
    for (size_t i = 0; i < method->n; i++)
        if (cull_stage_unit(&method->stage[i]) != CULL_UNIT_NONE && isnan(method->stage[i].share))
            return true;
    return false;
}

static cull_status note_shares(const remarks *r)
{
    const cull_spec *spec = r->plan->spec;

    for (size_t m = 0; m < spec->n_methods; m++) {
        const double shares = cull_method_shares(&spec->methods[m]);
        if (shares <= 0 || spec->n_sparsities == 0 || takes_sparsity(&spec->methods[m]))
            continue;
        CULL_TRY(add(r->ctx, &r->plan->n_notes, &r->plan->note,
                     cull_arena_printf(arena_of(r),
                                       "method \"%s\": all its stages carry shares of their own "
                                       "(experts:), %.6g together; \"sparsities\" do not change it",
                                       spec->methods[m].name, shares)));
    }
    return CULL_OK;
}

static cull_status note_like_itself(const remarks *r)
{
    const cull_spec *spec = r->plan->spec;

    for (size_t i = 0; i < spec->n_allocations; i++) {
        const cull_allocation *a = &spec->allocations[i];
        if (a->kind != CULL_ALLOCATE_LIKE || a->search)
            continue;
        CULL_TRY(add(r->ctx, &r->plan->n_notes, &r->plan->note,
                     cull_arena_printf(arena_of(r),
                                       "allocation %s: for method \"%s\" itself it is its own "
                                       "global ranking",
                                       a->label, a->like)));
    }
    return CULL_OK;
}

// ---- stages that remove nothing ----

typedef struct counts { // what may go of a model, in a step's unit
    size_t gone, of;    // all of it; the most that one share is taken of
} counts;

static counts counts_of(const cull_prepared_model *s, const cull_step *step, double share)
{
    const uint8_t *frozen = cull_frozen_of(s, step->layers);
    counts c = { 0 };
    size_t all = 0;

    for (size_t l = 0; l < s->opened.facts->L; l++) {
        const size_t E = s->layer[l]->E, wide = s->layer[l]->F > s->opened.facts->D
                                                    ? s->layer[l]->F
                                                    : s->opened.facts->D;
        if (frozen[l])
            continue;
        const size_t here = step->unit == CULL_UNIT_EXPERT ? E : E == 0 ? 0 : wide;
        all += step->unit == CULL_UNIT_LAYER ? 1 : here;
        c.gone += cull_whole_share(share, here);
        c.of = here > c.of ? here : c.of;
    }
    if (step->unit == CULL_UNIT_LAYER || step->scope != CULL_ALLOCATE_LAYER)
        c = (counts){ cull_whole_share(share, all), all };
    return c;
}

static cull_status warn_of_nothing(const remarks *r, const cull_step *step)
{
    const cull_plan *plan = r->plan;
    const bool each = step->scope == CULL_ALLOCATE_LAYER;
    const char *const units[] = { [CULL_UNIT_EXPERT] = each ? "experts of a layer" : "experts",
                                  [CULL_UNIT_LAYER] = "layers",
                                  [CULL_UNIT_WEIGHT] = "weights of a row" };
    const double share = cull_nominal_share(plan, step);

    if (!cull_unit_removes(step->unit) || !(share > 0) || cull_experts_gone_before(plan, step))
        return CULL_OK;
    const counts c = counts_of(&r->inputs->at[step->model], step, share);
    if (c.gone > 0)
        return CULL_OK;
    return add(r->ctx, &r->plan->n_warnings, &r->plan->warning,
               cull_arena_printf(arena_of(r),
                                 "method \"%s\" on model \"%s\": stage %zu removes nothing: "
                                 "%g x %zu %s is less than one",
                                 plan->spec->methods[step->method].name,
                                 plan->spec->models[step->model].name, step->stage + 1, share, c.of,
                                 units[step->unit]));
}

// ---- sparsities that come to one ----

// Does the plan know how much goes? Of a first stage, of units that are alike.
static bool foreseen(const remarks *r, const cull_step *a)
{
    const bool each = a->scope == CULL_ALLOCATE_LAYER;

    return (a->unit == CULL_UNIT_EXPERT || a->unit == CULL_UNIT_LAYER) &&
           (each || a->scope == CULL_ALLOCATE_GLOBAL) && a->before == CULL_NOT &&
           !cull_units_differ(&r->inputs->at[a->model], a);
}

// The least sparsity above `last` at which a's stage takes as many experts, or layers, as at a's
// own; INFINITY: none.
static double next_twin(const remarks *r, const cull_step *a, size_t gone, double last)
{
    const cull_plan *plan = r->plan;
    double least = INFINITY;

    for (size_t i = 0; i < plan->n_steps; i++) {
        const cull_step *b = &plan->step[i];
        if (a->model != b->model || a->method != b->method || a->stage != b->stage ||
            a->scope != b->scope || a->layers != b->layers || a->before != b->before ||
            !(b->sparsity > last) || !(b->sparsity < least))
            continue;
        const counts c = counts_of(&r->inputs->at[a->model], b, cull_nominal_share(plan, b));
        least = c.gone == gone ? b->sparsity : least;
    }
    return least;
}

// "0.25, 0.3 and 0.31"; NULL: there is no memory for it.
static const char *twins_words(const remarks *r, const cull_step *a, size_t gone)
{
    const char *words = cull_arena_printf(arena_of(r), "%g", a->sparsity);
    double twin = next_twin(r, a, gone, a->sparsity);

    while (words && twin < INFINITY) {
        const double next = next_twin(r, a, gone, twin);
        words =
            cull_arena_printf(arena_of(r), "%s%s%g", words, next < INFINITY ? ", " : " and ", twin);
        twin = next;
    }
    return words;
}

// Sparsities of a method that take equally many experts, or layers, of a model: told at the least.
static cull_status note_twins(const remarks *r, const cull_step *a)
{
    const cull_plan *plan = r->plan;

    if (!foreseen(r, a))
        return CULL_OK;
    const counts c = counts_of(&r->inputs->at[a->model], a, cull_nominal_share(plan, a));
    if (c.gone == 0 || next_twin(r, a, c.gone, -INFINITY) != a->sparsity ||
        next_twin(r, a, c.gone, a->sparsity) == INFINITY)
        return CULL_OK;
    const char *words = twins_words(r, a, c.gone);
    return add(r->ctx, &r->plan->n_notes, &r->plan->note,
               words ? cull_arena_printf(
                           arena_of(r),
                           "method \"%s\" on model \"%s\": sparsities %s come to the same: %zu %s",
                           plan->spec->methods[a->method].name, plan->spec->models[a->model].name,
                           words, c.gone, a->unit == CULL_UNIT_EXPERT ? "experts" : "layers")
                     : NULL);
}

// ---- files that a cut is both chosen and judged by ----

// The place of `field` in the settings that name files; NULL: the setting is of another type.
static const cull_texts *files_in(const cull_param *param, const void *settings)
{
    const void *field = (const char *)settings + param->offset;

    return param->type == CULL_PATHS ? field : NULL;
}

static bool reads(const cull_use *use, const char *path)
{
    for (size_t i = 0; i < use->plugin->n_params; i++) {
        const cull_texts *files = files_in(cull_setting_at(use->plugin, i), use->settings);
        for (size_t f = 0; files && f < files->n; f++)
            if (strcmp(files->at[f], path) == 0)
                return true;
    }
    return false;
}

// The metrics that read a file of a reader; searches' metrics choose, too, and are not among them.
static cull_status warn_of_reader(const remarks *r, const char *what, const cull_use *reader)
{
    const cull_spec *spec = r->plan->spec;

    for (size_t i = 0; i < reader->plugin->n_params; i++) {
        const cull_texts *files = files_in(cull_setting_at(reader->plugin, i), reader->settings);
        for (size_t f = 0; files && f < files->n; f++) {
            // Examples for prompts stand in files of their own, which no metric asks about.
            if (strstr(files->at[f], ".train.json"))
                continue;
            for (size_t m = 0; m < spec->n_metrics; m++)
                if (reads(&spec->metrics[m], files->at[f]))
                    CULL_TRY(
                        add(r->ctx, &r->plan->n_warnings, &r->plan->warning,
                            cull_arena_printf(arena_of(r),
                                              "%s and metric %s both read %s: cuts are judged "
                                              "by what they were chosen on",
                                              what, spec->metrics[m].plugin->name, files->at[f])));
        }
    }
    return CULL_OK;
}

static cull_status warn_of_calibration(const remarks *r, const cull_calibration_spec *calibration)
{
    const cull_use *data = &calibration->data;
    const char *what = calibration->name
                           ? cull_arena_printf(arena_of(r), "calibration \"%s\"", calibration->name)
                           : "calibration";

    if (!what)
        return cull_no_memory(r->ctx);
    if (data->plugin != &cull_mix_plugin)
        return warn_of_reader(r, what, data);
    const cull_mix *mix = data->settings;
    for (size_t i = 0; i < mix->n; i++)
        CULL_TRY(warn_of_reader(
            r, what,
            &(cull_use){ .plugin = mix->part[i].plugin, .settings = mix->part[i].settings }));
    return CULL_OK;
}

static cull_status warn_of_shared_files(const remarks *r)
{
    const cull_spec *spec = r->plan->spec;

    for (size_t c = 0; c < spec->n_calibrations; c++)
        for (size_t i = 0; i < r->plan->n_sets; i++)
            if (r->plan->set[i].calibration == c) { // somebody learns from it
                CULL_TRY(warn_of_calibration(r, &spec->calibrations[c]));
                break;
            }
    for (size_t i = 0; i < spec->n_fitness; i++)
        CULL_TRY(warn_of_reader(r, "a search", &spec->metrics[spec->n_metrics + i]));
    return CULL_OK;
}

// A subsample's size is of no use where no method runs all experts on one.
static cull_status warn_of_dense_rows(const remarks *r)
{
    const cull_plan *plan = r->plan;

    for (size_t c = 0; c < plan->spec->n_calibrations; c++) {
        const cull_calibration_spec *one = &plan->spec->calibrations[c];
        bool used = one->dense_rows == 0;
        for (size_t i = 0; i < plan->n_sets; i++)
            used |= plan->set[i].calibration == c && (plan->set[i].groups & CULL_STATS_DENSE);
        if (!used)
            CULL_TRY(add(r->ctx, &r->plan->n_warnings, &r->plan->warning,
                         cull_arena_printf(arena_of(r),
                                           "calibrate%s%s: dense_rows has no effect: no method "
                                           "runs all experts on a subsample",
                                           one->name ? "." : "", one->name ? one->name : "")));
    }
    return CULL_OK;
}

cull_status cull_plan_remarks(cull_ctx *ctx, const cull_inputs *inputs, cull_plan *plan)
{
    const remarks r = { ctx, inputs, plan };

    for (size_t m = 0; m < inputs->n; m++)
        for (size_t layers = 0; layers < plan->spec->n_layers; layers++) {
            CULL_TRY(note_layers(&r, m, layers));
            CULL_TRY(note_both_lists(&r, m, layers));
        }
    for (size_t i = 0; i < plan->n_cells; i++)
        if (plan->cell[i].budget)
            CULL_TRY(note_budget(&r, &plan->cell[i]));
    CULL_TRY(note_shares(&r));
    CULL_TRY(note_like_itself(&r));
    for (size_t i = 0; i < plan->n_steps; i++)
        CULL_TRY(warn_of_nothing(&r, &plan->step[i]));
    for (size_t i = 0; i < plan->n_steps; i++)
        CULL_TRY(note_twins(&r, &plan->step[i]));
    CULL_TRY(warn_of_dense_rows(&r));
    return warn_of_shared_files(&r);
}
