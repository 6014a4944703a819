// What a criterion must do: finite scores that follow their experts.
#include <math.h>
#include <string.h>

#include "base/call.h"
#include "check/conform.h"
#include "check/synthetic.h"
#include "plugin/host.h"
#include "plugin/settings.h"

enum { LIMIT = 1 << 16, SEED = 5, OTHER_SEED = 6 };

// All the numbers that a criterion yields, as one array in the order of the plain model, whatever
// the order in which the experts stood.
typedef struct outcome {
    cull_context context;
    cull_synthetic *world;
    const cull_criterion *criterion;
    const void *settings;
    uint32_t form; // of its scores
    double *number;
    size_t n;
} outcome;

static void put(outcome *o, double number)
{
    if (o->n < LIMIT)
        o->number[o->n++] = number;
}

// Where the plain model's expert e stands. A twin's twin is the expert itself.
static size_t position(const outcome *o, size_t l, size_t e)
{
    return o->world->permuted ? cull_synthetic_twin(o->world->layer[l].E, e) : e;
}

// A score that is not given is none.
static void leave_open(size_t n, double *score)
{
    for (size_t i = 0; i < n; i++)
        score[i] = NAN;
}

static cull_status make_scores(cull_ctx *ctx, const cull_synthetic *w, uint32_t form,
                               cull_scores *out)
{
    const size_t L = w->facts.L;
    double **expert = cull_take(ctx, L, sizeof *expert), **pair = cull_take(ctx, L, sizeof *pair);
    double **channel = cull_take(ctx, L, sizeof *channel);

    *out = (cull_scores){ .size = sizeof *out, .form = form, .L = L };
    out->layer = cull_take(ctx, L, sizeof *out->layer);
    if (!expert || !pair || !channel || !out->layer)
        return CULL_ENOMEM;
    for (size_t l = 0; l < L; l++) {
        const size_t E = w->layer[l].E, F = w->layer[l].F;
        expert[l] = E ? cull_take(ctx, E, sizeof **expert) : NULL;
        pair[l] = E ? cull_take(ctx, E * E, sizeof **pair) : NULL;
        channel[l] = E ? cull_take(ctx, E * F, sizeof **channel) : NULL;
        if (E && (!expert[l] || !pair[l] || !channel[l]))
            return CULL_ENOMEM;
        leave_open(E, expert[l]);
    }
    out->expert = expert;
    out->pair = pair;
    out->channel = channel;
    return CULL_OK;
}

static cull_status score_all(outcome *o)
{
    const cull_synthetic *w = o->world;
    cull_ctx *ctx = &o->context.ctx;
    cull_scores scores;

    CULL_TRY(make_scores(ctx, w, o->form, &scores));
    CULL_TRY(o->criterion->score(ctx, o->settings, &w->view, CULL_ALL_LAYERS, &scores));
    for (size_t l = 0; l < w->facts.L; l++) {
        const size_t E = w->layer[l].E;
        if (scores.form == CULL_FORM_LAYER)
            put(o, scores.layer[l]);
        for (size_t e = 0; scores.form == CULL_FORM_EXPERT && e < E; e++)
            put(o, scores.expert[l][position(o, l, e)]);
        for (size_t i = 0; scores.form == CULL_FORM_PAIR && i < E * E; i++)
            put(o, scores.pair[l][position(o, l, i / E) * E + position(o, l, i % E)]);
        const size_t F = w->layer[l].F;
        for (size_t i = 0; scores.form == CULL_FORM_CHANNEL && i < E * F; i++)
            put(o, scores.channel[l][position(o, l, i / F) * F + i % F]);
    }
    return CULL_OK;
}

static cull_status score_matrix(outcome *o, cull_matrix_id where)
{
    cull_ctx *ctx = &o->context.ctx;
    const cull_view *view = &o->world->view;
    const float *w = NULL, *bias = NULL;
    size_t rows = 0, cols = 0;

    CULL_TRY(view->weights(ctx, view, where, &w, &rows, &cols, &bias));
    float *scores = cull_scratch(ctx, rows * cols, sizeof *scores);
    if (!scores)
        return CULL_ENOMEM;
    CULL_TRY(o->criterion->score_weights(ctx, o->settings, view, where, rows, cols, w, scores));
    for (size_t i = 0; i < rows * cols; i++)
        put(o, (double)scores[i]);
    return CULL_OK;
}

static cull_status score_matrices(outcome *o)
{
    static const cull_part parts[] = { CULL_PART_GATE, CULL_PART_UP, CULL_PART_DOWN };

    for (size_t l = 0; l < o->world->facts.L; l++)
        for (size_t i = 0; i < 3 * o->world->layer[l].E; i++)
            CULL_TRY(score_matrix(o, cull_at_expert(l, parts[i % 3], position(o, l, i / 3))));
    return CULL_OK;
}

// The loss of every set that lacks one or two experts.
static cull_status score_sets(outcome *o)
{
    cull_ctx *ctx = &o->context.ctx;

    for (size_t l = 0; l < o->world->facts.L; l++) {
        const size_t E = o->world->layer[l].E;
        cull_scores scores = { .size = sizeof scores, .form = CULL_FORM_SUBSET, .L = E };
        if (!E)
            continue;
        CULL_TRY(o->criterion->score(ctx, o->settings, &o->world->view, l, &scores));
        if (!scores.subset.eval)
            return cull_fail(ctx, CULL_EPLUGIN, "subset.eval is not set");
        for (size_t i = 0; i < E * E; i++) {
            const uint64_t all = ((uint64_t)1 << E) - 1;
            const uint64_t set = all & ~((uint64_t)1 << position(o, l, i / E)) &
                                 ~((uint64_t)1 << position(o, l, i % E));
            const size_t gone = i / E == i % E ? 1 : 2;
            if (E < gone + o->world->layer[l].K) // the router could not do with it
                continue;
            double loss = NAN;
            CULL_TRY(scores.subset.eval(ctx, scores.subset.self, 1, 1, &set, &loss));
            put(o, loss);
        }
    }
    return CULL_OK;
}

static cull_status run(outcome *o, const cull_plugin *plugin, const cull_synthetic_shape *shape,
                       bool permuted, uint64_t seed)
{
    cull_ctx *ctx = &o->context.ctx;
    void *settings = NULL;

    o->criterion = plugin->vtable;
    CULL_TRY(cull_context_init(&o->context, NULL, NULL));
    o->context.seed = seed;
    o->context.owner = plugin->name;
    CULL_TRY(cull_settings_new(ctx, plugin, &settings));
    o->settings = settings;
    o->form = o->criterion->form_for ? o->criterion->form_for(settings) : o->criterion->form;
    o->number = cull_take(ctx, LIMIT, sizeof *o->number);
    if (!o->number)
        return CULL_ENOMEM;
    const cull_criterion *c = o->criterion;
    CULL_TRY(cull_synthetic_shaped(ctx, shape, c->needs_for ? c->needs_for(settings) : c->needs,
                                   permuted, &o->world));
    if (c->observer)
        CULL_TRY(cull_synthetic_observe(ctx, o->world, c->observer, settings));
    return CULL_CALL(ctx, plugin, SIZE_MAX, score,
                     o->form == CULL_FORM_WEIGHT   ? score_matrices(o)
                     : o->form == CULL_FORM_SUBSET ? score_sets(o)
                                                   : score_all(o));
}

static bool all_finite(const outcome *o)
{
    for (size_t i = 0; i < o->n; i++)
        if (!isfinite(o->number[i]))
            return false;
    return true;
}

static bool same_bits(const outcome *a, const outcome *b)
{
    return a->n == b->n && memcmp(a->number, b->number, a->n * sizeof *a->number) == 0;
}

// Up to what another order of summation does.
static bool nearly_same(const outcome *a, const outcome *b)
{
    double most = 0;

    for (size_t i = 0; i < a->n; i++)
        most = fmax(most, fabs(a->number[i]));
    for (size_t i = 0; i < a->n; i++)
        if (!(fabs(a->number[i] - b->number[i]) <= 1e-5 * most))
            return false;
    return a->n == b->n;
}

static bool symmetric(const outcome *o)
{
    const double *at = o->number;

    for (size_t l = 0; l < o->world->facts.L; l++) {
        const size_t E = o->world->layer[l].E;
        for (size_t i = 0; i < E * E; i++)
            if (at[i] != at[i % E * E + i / E])
                return false;
        at += E * E;
    }
    return true;
}

static void compare(const cull_examiner *examiner, const cull_criterion *c, const outcome o[4])
{
    const bool seeded = c->flags & CULL_USES_SEED;

    const struct {
        bool applies, fine;
        const char *good, *bad;
    } checks[] = {
        { true, all_finite(&o[0]), "every score is finite", "a score is not finite" },
        { c->form == CULL_FORM_PAIR, c->form == CULL_FORM_PAIR && symmetric(&o[0]),
          "distances are symmetric", "distances are not symmetric" },
        { true, same_bits(&o[0], &o[1]), "the same seed gives the same bits",
          "the same seed does not give the same bits" },
        { !seeded, same_bits(&o[0], &o[2]), "the seed does not matter, as it says",
          "the seed matters, but flags lack CULL_USES_SEED" },
        { !seeded, nearly_same(&o[0], &o[3]), "scores follow their experts into another order",
          "scores do not follow their experts into another order" },
    };

    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (checks[i].applies)
            cull_verdict_say(examiner, checks[i].fine ? CULL_FINE : CULL_FAULT, "%s",
                             checks[i].fine ? checks[i].good : checks[i].bad);
}

// A run refuses scores that are not finite, whatever the model.
static void try_shape(const cull_examiner *examiner, const cull_plugin *plugin,
                      const cull_synthetic_shape *shape)
{
    outcome o = { 0 };
    const cull_status status = run(&o, plugin, shape, false, SEED);

    if (status == CULL_ENOTSUP)
        cull_verdict_say(examiner, CULL_UNTESTED, "%s: it refuses it: %s", shape->name,
                         o.context.error.sentence);
    else if (status != CULL_OK)
        cull_verdict_say(examiner, CULL_FAULT, "%s: it fails: %s", shape->name,
                         o.context.error.sentence);
    else
        cull_verdict_say(examiner, all_finite(&o) ? CULL_FINE : CULL_FAULT, "%s: %s", shape->name,
                         all_finite(&o) ? "every score is finite" : "a score is not finite");
    cull_context_release(&o.context);
}

void cull_conform_criterion(const cull_examiner *examiner, const cull_plugin *plugin)
{
    static const uint64_t seeds[] = { SEED, SEED, OTHER_SEED, SEED };
    outcome o[4] = { 0 };
    bool fine = true;

    for (size_t i = 0; i < 4 && fine; i++) {
        const cull_status status = run(&o[i], plugin, &cull_synthetic_shapes[0], i == 3, seeds[i]);
        fine = status == CULL_OK;
        if (!fine)
            cull_verdict_say(examiner, CULL_FAULT, "it fails on a made-up model: %s",
                             o[i].context.error.sentence);
    }
    if (fine)
        compare(examiner, plugin->vtable, o);
    for (size_t i = 1; i < CULL_SYNTHETIC_SHAPES && fine; i++)
        try_shape(examiner, plugin, &cull_synthetic_shapes[i]);
    for (size_t i = 0; i < 4; i++)
        cull_context_release(&o[i].context);
}
