// What a strategy must do: cuts within budget, the same for a seed, for any order of experts.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/call.h"
#include "base/rng.h"
#include "check/conform.h"
#include "check/synthetic.h"
#include "cut/cut.h"
#include "plugin/host.h"
#include "plugin/settings.h"

enum { LAYERS = CULL_SYNTHETIC_LAYERS, FROZEN = 2 };
static const double sparsity = 0.5;

// One cut of the made-up model, and what it was allowed.
typedef struct attempt {
    cull_context context;
    const cull_synthetic_shape *shape;
    cull_synthetic *world;
    const cull_strategy *strategy;
    uint32_t form, scope;
    bool equal, frozen; // all scores alike; layer FROZEN may not be cut
    size_t remove[LAYERS], least[LAYERS];
    double params[LAYERS]; // that channels may take
    uint8_t locked[LAYERS];
    size_t portions; // in which a layer's experts are asked about; 0: all at once
    bool backwards;  // layers are asked about one by one, the last first
    cull_budget budget;
    cull_scores scores;
    uint32_t emits; // what it says that a cut may hold
    cull_cut *cut;
    const void *settings;
} attempt;

// What a cut takes away.
typedef struct toll {
    size_t experts[LAYERS], layers;
    size_t weights, of; // zeroed, of those of all experts that may be cut
    const char *unsound;
} toll;

// ---- scores ----

static cull_status set_loss(cull_ctx *ctx, const void *self, size_t n, size_t words,
                            const uint64_t *sets, double *loss)
{
    const double *value = self;

    (void)ctx;
    for (size_t i = 0; i < n; i++) {
        loss[i] = 0;
        for (size_t e = 0; e < 8; e++)
            loss[i] += sets[i * words] >> e & 1 ? 0 : value[e];
    }
    return CULL_OK;
}

static double draw(const attempt *a, cull_rng *rng)
{
    return a->equal ? 1 : cull_rng_uniform(rng);
}

// A layer's scores of every form; NULL in a dense layer.
static cull_status make_layer(attempt *a, size_t l, cull_rng *rng, double **expert, double **pair,
                              double **channel)
{
    const size_t E = a->world->layer[l].E, F = a->world->layer[l].F;
    cull_ctx *ctx = &a->context.ctx;

    if (!E)
        return CULL_OK;
    *expert = cull_take(ctx, E, sizeof **expert);
    *pair = cull_take(ctx, E * E, sizeof **pair);
    *channel = cull_take(ctx, E * F, sizeof **channel);
    if (!*expert || !*pair || !*channel)
        return CULL_ENOMEM;
    for (size_t i = 0; i < E * F; i++)
        (*channel)[i] = draw(a, rng);
    for (size_t i = 0; i < E * E; i++) {
        if (i < E)
            (*expert)[i] = draw(a, rng);
        if (i / E < i % E)
            (*pair)[i] = (*pair)[i % E * E + i / E] = draw(a, rng);
    }
    return CULL_OK;
}

static cull_status make_scores(attempt *a)
{
    cull_ctx *ctx = &a->context.ctx;
    double **expert = cull_take(ctx, LAYERS, sizeof *expert);
    double **pair = cull_take(ctx, LAYERS, sizeof *pair);
    double **channel = cull_take(ctx, LAYERS, sizeof *channel);
    double **side = cull_take(ctx, LAYERS, sizeof *side); // there are no such parts
    double *layer = cull_take(ctx, LAYERS, sizeof *layer),
           *of_set = cull_take(ctx, 8, sizeof *of_set);
    cull_rng rng;

    if (!expert || !pair || !layer || !of_set || !channel || !side)
        return CULL_ENOMEM;
    cull_rng_init(&rng, 1, "conform", "scores");
    for (size_t e = 0; e < 8; e++)
        of_set[e] = draw(a, &rng);
    for (size_t l = 0; l < LAYERS; l++) {
        layer[l] = draw(a, &rng);
        CULL_TRY(make_layer(a, l, &rng, &expert[l], &pair[l], &channel[l]));
    }
    a->scores = (cull_scores){ .size = sizeof a->scores,
                               .form = a->form,
                               .L = LAYERS,
                               .layer = layer,
                               .expert = expert,
                               .pair = pair,
                               .channel = channel,
                               .side = side,
                               .subset = { set_loss, of_set } };
    return CULL_OK;
}

// As many as the router needs, of each group alike.
static size_t least_of(const cull_layer_facts *f)
{
    return f->E == 0 ? 0 : (f->K + f->topk_group - 1) / f->topk_group * f->n_group;
}

static void make_budget(attempt *a)
{
    const bool by_layers = a->strategy->emits & CULL_EMITS_SKIP;

    a->budget = (cull_budget){ .size = sizeof a->budget,
                               .scope = a->scope,
                               .sparsity = sparsity,
                               .remove = a->remove,
                               .least = a->least,
                               .frozen = a->locked,
                               .params = a->params };
    for (size_t l = 0; l < LAYERS; l++) {
        const size_t E = a->world->layer[l].E;
        a->locked[l] = a->frozen && l == FROZEN;
        a->least[l] = least_of(&a->world->layer[l]);
        a->remove[l] = a->locked[l] ? 0 : by_layers ? l == 0 : (size_t)((double)E * sparsity);
        if (!by_layers && a->remove[l] > E - a->least[l])
            a->remove[l] = E - a->least[l]; // more is refused before it is asked for
        a->budget.total += a->remove[l];
        a->params[l] = a->locked[l] ? 0 : sparsity * (double)(E * a->world->layer[l].expert_params);
        a->budget.total_params += a->params[l];
    }
}

// ---- what was taken ----

static const char *layer_fault(const cull_layer_cut *layer)
{
    for (size_t e = 0; e < layer->E; e++) {
        if (layer->action[e] > CULL_ACTION_ALIAS)
            return "an action that there is not";
        if (layer->target[e] >= layer->E)
            return "an alias of an expert that there is not";
        if (layer->action[e] == CULL_ACTION_ALIAS &&
            layer->action[layer->target[e]] != CULL_ACTION_BASE)
            return "an alias of an expert that is itself gone";
    }
    return NULL;
}

static bool all_finite(const float *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i]))
            return false;
    return true;
}

// What a run would refuse of a layer's slots, beyond their sense.
static const char *slot_fault(const attempt *a, size_t l)
{
    const cull_layer_cut *layer = &a->cut->layer[l];
    const size_t D = a->world->facts.D, k = layer->k ? layer->k : a->world->layer[l].K;
    size_t kept = 0;

    for (size_t e = 0; e < layer->E; e++) {
        kept += layer->action[e] != CULL_ACTION_DROP;
        if (layer->action[e] == CULL_ACTION_NOVICE && !all_finite(layer->constant + e * D, D))
            return "a novice that is not finite";
    }
    if (!isfinite(layer->skip_ratio) || layer->skip_ratio < 0)
        return "a skip ratio that makes no sense";
    return layer->E && kept < k && !layer->skip_layer && !layer->skip_moe
               ? "fewer experts left than the router picks"
               : NULL;
}

// And of an overlay.
static const char *overlay_fault(const attempt *a, const cull_overlay *o)
{
    if (o->where.layer >= LAYERS || o->where.part >= CULL_N_PARTS)
        return "an overlay of a matrix that there is not";
    const cull_layer_facts *f = &a->world->layer[o->where.layer];
    const bool router = o->where.part == CULL_PART_ROUTER, down = o->where.part == CULL_PART_DOWN;
    const size_t rows = router ? f->E : down ? a->world->facts.D : f->F;
    const size_t cols = down ? f->F : a->world->facts.D;
    if (!(f->parts >> o->where.part & 1) || (!router && o->where.expert >= f->E))
        return "an overlay of a matrix that there is not";
    if ((o->kind == CULL_MASK || o->kind == CULL_MATRIX) && (o->rows != rows || o->cols != cols))
        return "an overlay of another shape than its matrix";
    return o->kind == CULL_MATRIX && !all_finite(o->data, rows * cols)
               ? "a rewritten matrix that is not finite"
               : NULL;
}

static size_t zeros(const cull_overlay *o)
{
    const uint8_t *bits = o->data;
    const size_t row = cull_overlay_bytes(CULL_MASK, 1, o->cols);
    size_t n = 0;

    for (size_t i = 0; i < o->rows * o->cols; i++)
        n += !(bits[i / o->cols * row + i % o->cols / 8] >> i % o->cols % 8 & 1);
    return n;
}

static toll count(const attempt *a)
{
    toll t = { 0 };
    size_t added = 0;

    for (size_t l = 0; l < LAYERS; l++) {
        const cull_layer_cut *layer = &a->cut->layer[l];
        const char *fault = layer_fault(layer);
        fault = fault ? fault : slot_fault(a, l);
        t.unsound = fault ? fault : t.unsound;
        t.layers += layer->skip_layer || layer->skip_moe;
        t.of += a->locked[l] ? 0 : layer->E * 3 * a->world->layer[l].F * a->world->facts.D;
        for (size_t e = 0; e < layer->E; e++)
            t.experts[l] += layer->action[e] != CULL_ACTION_BASE;
    }
    for (size_t i = 0; i < a->cut->n_overlays; i++) {
        const cull_overlay *o = &a->cut->overlay[i];
        const char *fault = overlay_fault(a, o);
        t.unsound = fault ? fault : t.unsound;
        if (fault)
            continue;
        if (o->kind == CULL_MASK && o->where.expert != CULL_NONE)
            t.weights += zeros(o);
        if (o->kind == CULL_CHANNELS && o->where.expert != CULL_NONE)
            t.weights += zeros(o) * 3 * a->world->facts.D;
        added += o->kind == CULL_BIAS && o->where.expert != CULL_NONE ? a->world->facts.D : 0;
    }
    t.weights -= added < t.weights ? added : t.weights; // a bias that comes in is a parameter, too
    return t;
}

static bool touches(const attempt *a, size_t l)
{
    const cull_layer_cut *layer = &a->cut->layer[l];

    for (size_t e = 0; e < layer->E; e++)
        if (layer->action[e] != CULL_ACTION_BASE)
            return true;
    for (size_t i = 0; i < a->cut->n_overlays; i++)
        if (a->cut->overlay[i].where.layer == l)
            return true;
    return layer->skip_layer || layer->skip_moe;
}

// What the cut holds, as bits of cull_strategy.emits.
static uint32_t held_by(const cull_cut *cut)
{
    uint32_t bits = 0;

    for (size_t l = 0; l < LAYERS; l++) {
        const cull_layer_cut *layer = &cut->layer[l];
        for (size_t e = 0; e < layer->E; e++)
            bits |= 1u << layer->action[e];
        if (layer->skip_layer || layer->skip_moe)
            bits |= CULL_EMITS_SKIP;
        if (layer->k || layer->skip_ratio > 0 || layer->top_p > 0)
            bits |= CULL_EMITS_RULE;
    }
    for (size_t i = 0; i < cut->n_overlays; i++)
        bits |= cut->overlay[i].kind == CULL_MASK     ? CULL_EMITS_MASK
                : cut->overlay[i].kind == CULL_MATRIX ? CULL_EMITS_MATRIX
                                                      : CULL_EMITS_CHANNELS;
    return bits & ~(1u << CULL_ACTION_BASE);
}

// ---- judging ----

// What is wrong with the amount taken, or NULL.
static const char *amount_fault(const attempt *a, const toll *t)
{
    size_t experts = 0;

    for (size_t l = 0; l < LAYERS; l++) {
        experts += t->experts[l];
        if (a->scope == CULL_SCOPE_LAYER && t->experts[l] > a->remove[l])
            return "more experts of a layer go than its budget allows";
        if (a->world->layer[l].E && a->world->layer[l].E - t->experts[l] < a->least[l] &&
            t->experts[l] && a->scope == CULL_SCOPE_GLOBAL)
            return "a layer keeps fewer experts than it must";
    }
    if (a->strategy->emits & CULL_EMITS_SKIP)
        return t->layers > a->budget.total ? "more layers go than the budget allows" : NULL;
    if (experts > a->budget.total)
        return "more experts go than the budget allows";
    if ((double)t->weights > sparsity * (double)t->of)
        return "more weights go than the budget allows";
    if (!t->weights && experts + LAYERS < a->budget.total + 1)
        return "fewer experts go than the budget asks for";
    return NULL;
}

// Among equals the lower indices go: no expert stays that precedes one that goes.
static bool lower_first(const attempt *a)
{
    for (size_t l = 0; l < LAYERS; l++) {
        const cull_layer_cut *layer = &a->cut->layer[l];
        for (size_t e = 1; e < layer->E; e++)
            if (layer->action[e] != CULL_ACTION_BASE && layer->action[e - 1] == CULL_ACTION_BASE)
                return false;
    }
    return true;
}

// One layer, or all of them; its experts all at once or portion by portion.
static cull_status select_layer(attempt *a, const cull_plugin *plugin, const void *settings,
                                size_t l)
{
    cull_ctx *ctx = &a->context.ctx;
    cull_view *view = &a->world->view;
    const size_t E = a->portions ? a->world->layer[l].E : 0;
    uint32_t *experts = cull_take(ctx, E + 1, sizeof *experts);

    if (!experts)
        return CULL_ENOMEM;
    for (size_t e = 0; e < E; e++)
        experts[e] = (uint32_t)e;
    for (size_t i = 0; i < a->portions || i == 0; i++) {
        const size_t first = E * i / (a->portions + !a->portions);
        view->experts = a->portions ? experts + first : NULL;
        view->n_experts = a->portions ? E * (i + 1) / a->portions - first : 0;
        if (a->portions && view->n_experts == 0)
            continue;
        CULL_TRY(
            CULL_CALL(ctx, plugin, l, select,
                      a->strategy->select(ctx, settings, view, &a->scores, &a->budget, l, a->cut)));
    }
    return CULL_OK;
}

static cull_status run(attempt *a, const cull_plugin *plugin)
{
    cull_ctx *ctx = &a->context.ctx;
    void *settings = NULL;

    a->strategy = plugin->vtable;
    CULL_TRY(cull_context_init(&a->context, NULL, NULL));
    a->context.owner = plugin->name;
    CULL_TRY(cull_settings_new(ctx, plugin, &settings));
    a->settings = settings;
    const cull_strategy *s = a->strategy;
    CULL_TRY(cull_synthetic_shaped(ctx, a->shape, s->needs_for ? s->needs_for(settings) : s->needs,
                                   false, &a->world));
    CULL_TRY(make_scores(a));
    make_budget(a);
    a->emits = s->emits_for ? s->emits_for(settings) : s->emits;
    a->cut = cull_cut_copy(ctx, a->world->view.before);
    if (!a->cut)
        return CULL_ENOMEM;
    const bool single = s->flags & CULL_BY_LAYER || a->backwards;
    for (size_t i = 0; i < (single ? LAYERS : 1); i++) {
        const size_t at = a->backwards ? LAYERS - 1 - i : i;
        const size_t l = single ? at : CULL_ALL_LAYERS;
        if (l == CULL_ALL_LAYERS || (a->world->layer[l].E && !a->locked[l]))
            CULL_TRY(select_layer(a, plugin, settings, l));
    }
    return CULL_OK;
}

static void judge(const cull_examiner *examiner, const attempt *a, const char *what)
{
    const toll t = count(a);
    const char *amount = a->strategy->flags & CULL_NO_BUDGET ? NULL : amount_fault(a, &t);

    if (t.unsound)
        cull_verdict_say(examiner, CULL_FAULT, "%s: the cut has %s", what, t.unsound);
    else if (held_by(a->cut) & ~a->emits)
        cull_verdict_say(examiner, CULL_FAULT, "%s: the cut holds what emits does not say", what);
    else if (a->frozen && touches(a, FROZEN))
        cull_verdict_say(examiner, CULL_FAULT, "%s: a frozen layer is cut", what);
    else if (amount)
        cull_verdict_say(examiner, CULL_FAULT, "%s: %s", what, amount);
    else if (a->equal && a->scope == CULL_SCOPE_LAYER && !lower_first(a))
        cull_verdict_say(examiner, CULL_FAULT, "%s: a higher index goes before a lower one", what);
    else
        cull_verdict_say(examiner, CULL_FINE, "%s: %s", what,
                         a->equal ? "the lower index goes first"
                                  : "the cut is sound and within its budget");
}

// ---- by portions ----

static bool same_layer(const cull_layer_cut *a, const cull_layer_cut *b, size_t D)
{
    return memcmp(a->action, b->action, a->E) == 0 &&
           memcmp(a->target, b->target, a->E * sizeof *a->target) == 0 &&
           memcmp(a->constant, b->constant, a->E * D * sizeof *a->constant) == 0;
}

static bool same_overlay(const cull_overlay *a, const cull_overlay *b)
{
    return a->kind == b->kind && memcmp(&a->where, &b->where, sizeof a->where) == 0 &&
           a->rows == b->rows && a->cols == b->cols &&
           memcmp(a->data, b->data, cull_overlay_bytes(a->kind, a->rows, a->cols)) == 0;
}

// Overlays in any order.
static bool same_cut(const cull_cut *a, const cull_cut *b)
{
    bool same = a->n_overlays == b->n_overlays;

    for (size_t l = 0; same && l < LAYERS; l++)
        same = same_layer(&a->layer[l], &b->layer[l], a->D);
    for (size_t i = 0; same && i < a->n_overlays; i++) {
        bool found = false;
        for (size_t j = 0; !found && j < b->n_overlays; j++)
            found = same_overlay(&a->overlay[i], &b->overlay[j]);
        same = found;
    }
    return same;
}

static attempt once_more(const attempt *a)
{
    return (attempt){ .shape = a->shape,
                      .form = a->form,
                      .scope = a->scope,
                      .equal = a->equal,
                      .frozen = a->frozen };
}

// Nothing of an earlier call shows in a later one.
static void judge_again(const cull_examiner *examiner, const cull_plugin *plugin,
                        const attempt *first, const char *what)
{
    attempt again = once_more(first);

    if (run(&again, plugin) != CULL_OK || !same_cut(first->cut, again.cut))
        cull_verdict_say(examiner, CULL_FAULT, "%s: another cut, asked a second time", what);
    cull_context_release(&again.context);
}

// Asked in portions, or about the last layer first, it decides as when it is asked about all at
// once. No layer is frozen: there is more than one to decide about.
static void judge_shared(const cull_examiner *examiner, const cull_plugin *plugin,
                         const attempt *made, size_t portions, const char *what)
{
    const char *how = portions ? "some experts at a time" : "the last layer first";
    attempt whole = once_more(made), parts;

    whole.frozen = false;
    parts = whole;
    parts.portions = portions;
    parts.backwards = portions == 0;
    const cull_status status = run(&whole, plugin), in_parts = run(&parts, plugin);
    if (status != CULL_OK || in_parts != CULL_OK)
        cull_verdict_say(examiner, CULL_FAULT, "%s, %s: it fails: %s", what, how,
                         (status != CULL_OK ? &whole : &parts)->context.error.sentence);
    else if (!same_cut(whole.cut, parts.cut))
        cull_verdict_say(examiner, CULL_FAULT, "%s: another cut, %s", what, how);
    else
        cull_verdict_say(examiner, CULL_FINE, "%s: the same cut, %s", what, how);
    cull_context_release(&whole.context);
    cull_context_release(&parts.context);
}

// ---- what it says that it computes ----

static bool is_amount(double x)
{
    return isfinite(x) && x >= 0;
}

static void judge_work(const cull_examiner *examiner, const cull_plugin *plugin,
                       const attempt *made, const char *what)
{
    const void *settings = made->settings;
    bool amounts = true;

    for (size_t l = 0; l < LAYERS; l++) {
        const size_t E = made->world->layer[l].E;
        cull_work w = { .size = sizeof w, .left = E, .remove = E / 2, .tokens = 64, .dense = 16 };
        if (E == 0)
            continue;
        cull_call_enter(plugin, "work", l);
        made->strategy->work(settings, made->world->view.model, &made->world->layer[l], &w);
        cull_call_leave();
        amounts = amounts && is_amount(w.products) && is_amount(w.alone) && is_amount(w.steps);
    }
    cull_verdict_say(examiner, amounts ? CULL_FINE : CULL_FAULT,
                     amounts ? "%s: it says what it computes in numbers"
                             : "%s: what it says that it computes is negative, or not a number",
                     what);
}

// ---- attempts ----

typedef struct attempted { // what is attempted
    uint32_t form;
    const char *name; // of the form
    const cull_synthetic_shape *shape;
    uint32_t scope;
    bool equal;
} attempted;

// A strategy may refuse a ranking over all layers, or what it says it does not support.
static bool may_refuse(const attempted *s, cull_status status)
{
    return status == CULL_ENOTSUP || (status == CULL_EINVAL && s->scope == CULL_SCOPE_GLOBAL);
}

static void attempt_one(const cull_examiner *examiner, const cull_plugin *plugin,
                        const attempted *s)
{
    attempt a = { .shape = s->shape,
                  .form = s->form,
                  .scope = s->scope,
                  .equal = s->equal,
                  .frozen = !s->equal };
    const bool plain = s->shape == &cull_synthetic_shapes[0];
    char what[160];

    snprintf(what, sizeof what, "%s%s%s, budget %s%s", plain ? "" : s->shape->name,
             plain ? "" : ", ", s->name,
             s->scope == CULL_SCOPE_LAYER ? "by layer" : "over all layers",
             s->equal ? ", all equal" : "");
    const cull_status status = run(&a, plugin);
    if (status != CULL_OK)
        cull_verdict_say(examiner, may_refuse(s, status) ? CULL_UNTESTED : CULL_FAULT,
                         may_refuse(s, status) ? "%s: it refuses: %s" : "%s: it fails: %s", what,
                         a.context.error.sentence);
    else
        judge(examiner, &a, what);
    if (status == CULL_OK)
        judge_again(examiner, plugin, &a, what);
    if (status == CULL_OK && a.strategy->flags & CULL_BY_EXPERT)
        judge_shared(examiner, plugin, &a, 3, what);
    if (status == CULL_OK && a.strategy->flags & CULL_LAYERS_APART && s->scope == CULL_SCOPE_LAYER)
        judge_shared(examiner, plugin, &a, 0, what);
    if (status == CULL_OK && a.strategy->work)
        judge_work(examiner, plugin, &a, what);
    cull_context_release(&a.context);
}

static void attempt_form(const cull_examiner *examiner, const cull_plugin *plugin, uint32_t form,
                         const char *name)
{
    const cull_strategy *s = plugin->vtable;
    const uint32_t merges = 1u << CULL_ACTION_ALIAS;
    attempted one = { form, name, &cull_synthetic_shapes[0], CULL_SCOPE_LAYER, false };

    attempt_one(examiner, plugin, &one);
    if (s->flags & CULL_NO_BUDGET)
        return;
    if (!(s->flags & CULL_BY_LAYER)) {
        one.scope = CULL_SCOPE_GLOBAL;
        attempt_one(examiner, plugin, &one);
        one.scope = CULL_SCOPE_LAYER;
    }
    if (form == CULL_FORM_EXPERT && !(s->emits & merges)) {
        one.equal = true;
        attempt_one(examiner, plugin, &one);
        one.equal = false;
    }
    for (size_t i = 1; i < CULL_SYNTHETIC_SHAPES; i++) {
        one.shape = &cull_synthetic_shapes[i];
        attempt_one(examiner, plugin, &one);
    }
}

void cull_conform_strategy(const cull_examiner *examiner, const cull_plugin *plugin)
{
    static const struct {
        uint32_t bit;
        const char *text;
    } forms[] = {
#define FORM(name, bits, words) { bits, words },
        CULL_FORMS(FORM)
#undef FORM
    };
    const cull_strategy *s = plugin->vtable;

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (s->accepts & forms[i].bit)
            attempt_form(examiner, plugin, forms[i].bit, forms[i].text);
}
