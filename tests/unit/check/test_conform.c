// What `cull check` finds: plugins that break their contract, each in one way, and two that keep
// it.
#include "check/conform.h"

#include <cull/cull.h>

#include "check/synthetic.h"
#include "support/fake_host.h"
#include "support/test.h"

// ---- what is told ----

typedef struct told {
    size_t faults, fine, untested;
    char fault[1024]; // the first
} told;

static void listen(void *arg, cull_verdict verdict, const char *text)
{
    told *t = arg;

    if (verdict == CULL_FAULT && !t->faults++)
        strcpy(t->fault, text);
    t->fine += verdict == CULL_FINE;
    t->untested += verdict == CULL_UNTESTED;
}

static told run(const cull_plugin *plugin)
{
    told t = { 0 };

    cull_conform_runs(&(cull_examiner){ listen, &t }, plugin);
    return t;
}

#define assert_faulty(plugin, says)                                                                \
    do {                                                                                           \
        const told told_ = run(plugin);                                                            \
        if (!strstr(told_.fault, says))                                                            \
            fail_msg("wanted a fault with \"%s\", got %zu: %s", says, told_.faults, told_.fault);  \
    } while (0)

// ---- criteria ----

static void for_each(const cull_view *view, cull_scores *out,
                     double (*f)(const cull_view *, size_t l, size_t e))
{
    for (size_t l = 0; l < view->model->L; l++)
        for (size_t e = 0; e < view->layer[l].E; e++)
            out->expert[l][e] = f(view, l, e);
}

static double by_count(const cull_view *view, size_t l, size_t e)
{
    return view->stats->layer[l].count[e];
}

static double by_place(const cull_view *view, size_t l, size_t e)
{
    return by_count(view, l, e) + 0.5 * (double)e;
}

static double not_finite(const cull_view *view, size_t l, size_t e)
{
    return by_count(view, l, e) / (e == 1 ? 0.0 : 1.0);
}

#define CRITERION(fn)                                                                              \
    static cull_status score_##fn(cull_ctx *ctx, const void *settings, const cull_view *view,      \
                                  size_t layer, cull_scores *out)                                  \
    {                                                                                              \
        (void)ctx, (void)settings, (void)layer;                                                    \
        for_each(view, out, fn);                                                                   \
        return CULL_OK;                                                                            \
    }
CRITERION(by_count)
CRITERION(by_place)
CRITERION(not_finite)

static cull_status score_random(cull_ctx *ctx, const void *settings, const cull_view *view,
                                size_t layer, cull_scores *out)
{
    cull_rng *rng = ctx->host->rng(ctx, "scores");

    (void)settings;
    (void)layer;
    for (size_t l = 0; l < view->model->L; l++)
        ctx->host->uniform(rng, out->expert[l], view->layer[l].E);
    return CULL_OK;
}

static cull_status score_first_layer(cull_ctx *ctx, const void *settings, const cull_view *view,
                                     size_t layer, cull_scores *out)
{
    (void)ctx, (void)settings, (void)layer;
    for (size_t e = 0; e < view->layer[0].E; e++)
        out->expert[0][e] = by_count(view, 0, e);
    return CULL_OK;
}

static cull_status score_refused(cull_ctx *ctx, const void *settings, const cull_view *view,
                                 size_t layer, cull_scores *out)
{
    (void)settings, (void)view, (void)layer, (void)out;
    return ctx->host->fail(ctx, CULL_EINVAL, "not today");
}

static told of_criterion(uint32_t flags,
                         cull_status (*score)(cull_ctx *, const void *, const cull_view *, size_t,
                                              cull_scores *))
{
    const cull_criterion criterion = { .size = sizeof criterion,
                                       .form = CULL_FORM_EXPERT,
                                       .needs = CULL_STAT_ROUTING,
                                       .flags = flags,
                                       .score = score };
    const cull_plugin plugin = { .size = sizeof plugin,
                                 .kind = CULL_CRITERION,
                                 .name = "sample",
                                 .version = "1",
                                 .brief = "b",
                                 .vtable = &criterion };

    return run(&plugin);
}

static void criteria(void **state)
{
    (void)state;
    told t = of_criterion(0, score_by_count);
    assert_true(t.faults == 0 && t.fine == 9);
    t = of_criterion(CULL_USES_SEED, score_random);
    assert_true(t.faults == 0 && t.fine == 7);
    assert_non_null(strstr(of_criterion(0, score_random).fault, "lack CULL_USES_SEED"));
    assert_non_null(strstr(of_criterion(0, score_by_place).fault, "do not follow their experts"));
    assert_non_null(strstr(of_criterion(0, score_not_finite).fault, "not finite"));
    assert_non_null(strstr(of_criterion(0, score_first_layer).fault, "not finite"));
    assert_non_null(strstr(of_criterion(0, score_refused).fault, "not today"));
}

// ---- strategies ----

// Drop `more` experts beyond the budget, from the front (step 1) or the end (−1), of frozen layers
// too.
typedef struct picking {
    size_t more;
    bool from_end, frozen_too;
    uint8_t action;
    bool remembers; // one less every second time
    size_t calls;
} picking;

static picking how; // the plugin of this test has no settings to carry it

static cull_status drop(cull_ctx *ctx, const void *settings, const cull_view *view,
                        const cull_scores *scores, const cull_budget *budget, size_t layer,
                        cull_cut *out)
{
    (void)ctx, (void)settings, (void)layer, (void)scores;
    const size_t less = how.remembers ? how.calls++ % 2 : 0;
    size_t left = budget->scope == CULL_SCOPE_LAYER ? 0 : budget->total;
    for (size_t l = 0; l < view->model->L; l++) {
        const size_t E = view->layer[l].E, keep = budget->least[l];
        if (!E || (budget->frozen[l] && !how.frozen_too))
            continue;
        const size_t wanted = budget->scope == CULL_SCOPE_LAYER ? budget->remove[l] : left;
        const size_t most = wanted < E - keep ? wanted : E - keep, n = most + how.more;
        for (size_t i = 0; i + less < n && i < E; i++)
            out->layer[l].action[how.from_end ? E - 1 - i : i] = how.action;
        left -= budget->scope == CULL_SCOPE_LAYER ? 0 : most;
    }
    return CULL_OK;
}

static void strategies(void **state)
{
    static const cull_strategy strategy = { .size = sizeof strategy,
                                            .accepts = CULL_FORM_EXPERT,
                                            .emits = 1u << CULL_ACTION_DROP,
                                            .select = drop };
    static const cull_plugin plugin = { .size = sizeof plugin,
                                        .kind = CULL_STRATEGY,
                                        .name = "sample",
                                        .version = "1",
                                        .brief = "b",
                                        .vtable = &strategy };

    (void)state;
    how = (picking){ .action = CULL_ACTION_DROP };
    const told t = run(&plugin);
    assert_true(t.faults == 0 && t.fine == 8);
    how = (picking){ .action = CULL_ACTION_DROP, .more = 1 };
    assert_faulty(&plugin, "more experts of a layer go than its budget allows");
    how = (picking){ .action = CULL_ACTION_DROP, .from_end = true };
    assert_faulty(&plugin, "a higher index goes before a lower one");
    how = (picking){ .action = CULL_ACTION_DROP, .frozen_too = true, .more = 1 };
    assert_faulty(&plugin, "a frozen layer is cut");
    how = (picking){ .action = 9 };
    assert_faulty(&plugin, "an action that there is not");
    how = (picking){ .action = CULL_ACTION_ALIAS };
    assert_faulty(&plugin, "an alias of an expert that is itself gone");
    how = (picking){ .action = CULL_ACTION_ZERO };
    assert_faulty(&plugin, "the cut holds what emits does not say");
    how = (picking){ .action = CULL_ACTION_DROP, .remembers = true };
    assert_faulty(&plugin, "another cut, asked a second time");
    how = (picking){ .action = CULL_ACTION_BASE };
    assert_faulty(&plugin, "fewer experts go than the budget asks for");
}

// From the front, but from the end where another layer is decided already.
static cull_status drop_by_turns(cull_ctx *ctx, const void *settings, const cull_view *view,
                                 const cull_scores *scores, const cull_budget *budget, size_t layer,
                                 cull_cut *out)
{
    const size_t E = view->layer[layer].E;
    bool decided = false;

    (void)ctx, (void)settings, (void)scores;
    for (size_t l = 0; l < out->L; l++)
        for (size_t e = 0; l != layer && e < out->layer[l].E; e++)
            decided = decided || out->layer[l].action[e] == CULL_ACTION_DROP;
    for (size_t i = 0; i < budget->remove[layer]; i++)
        out->layer[layer].action[decided ? E - 1 - i : i] = CULL_ACTION_DROP;
    return CULL_OK;
}

static cull_status drop_first(cull_ctx *ctx, const void *settings, const cull_view *view,
                              const cull_scores *scores, const cull_budget *budget, size_t layer,
                              cull_cut *out)
{
    (void)ctx, (void)settings, (void)scores, (void)view;
    for (size_t i = 0; i < budget->remove[layer]; i++)
        out->layer[layer].action[i] = CULL_ACTION_DROP;
    return CULL_OK;
}

static void much(const void *settings, const cull_model_facts *model, const cull_layer_facts *layer,
                 cull_work *work)
{
    (void)settings, (void)model;
    work->steps = (double)work->left + (double)layer->E;
}

static void too_little(const void *settings, const cull_model_facts *model,
                       const cull_layer_facts *layer, cull_work *work)
{
    (void)settings, (void)model, (void)layer;
    work->products = -1;
}

static void strategies_by_layers(void **state)
{
    cull_strategy strategy = { .size = sizeof strategy,
                               .accepts = CULL_FORM_EXPERT,
                               .emits = 1u << CULL_ACTION_DROP,
                               .flags = CULL_BY_LAYER | CULL_LAYERS_APART,
                               .select = drop_first,
                               .work = much };
    const cull_plugin plugin = { .size = sizeof plugin,
                                 .kind = CULL_STRATEGY,
                                 .name = "sample",
                                 .version = "1",
                                 .brief = "b",
                                 .vtable = &strategy };

    (void)state;
    const told t = run(&plugin);
    assert_int_equal(t.faults, 0);
    strategy.select = drop_by_turns;
    assert_faulty(&plugin, "another cut, the last layer first");
    strategy.select = drop_first;
    strategy.work = too_little;
    assert_faulty(&plugin, "what it says that it computes is negative");
}

// ---- the made-up model ----

// The statistics of a permuted world are those of the plain one in another order.
static void the_world_permutes(void **state)
{
    fake_host *host = fake_host_new(1);
    cull_synthetic *plain = NULL, *other = NULL;
    const uint32_t all = (1u << CULL_N_STAT_GROUPS) - 1;

    (void)state;
    assert_ok(host, cull_synthetic_new(fake_ctx(host), all, false, &plain));
    assert_ok(host, cull_synthetic_new(fake_ctx(host), all, true, &other));
    const size_t E = plain->layer[0].E, D = plain->facts.D;
    const cull_layer_stats *a = &plain->layer_stats[0], *b = &other->layer_stats[0];
    double tokens = 0;
    for (size_t e = 0; e < E; e++) {
        const size_t twin = cull_synthetic_twin(E, e);
        assert_int_equal(cull_synthetic_twin(E, twin), e);
        tokens += a->count[e];
        assert_true(a->count[e] == b->count[twin] && a->norm_sum[e] == b->norm_sum[twin]);
        assert_true(a->mean[e * D + 3] == b->mean[twin * D + 3]);
        assert_true(a->coact[e * E] == b->coact[twin * E + cull_synthetic_twin(E, 0)]);
    }
    assert_true(tokens == (double)(plain->N * plain->layer[0].K));
    fake_host_free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(criteria),
        cmocka_unit_test(strategies),
        cmocka_unit_test(strategies_by_layers),
        cmocka_unit_test(the_world_permutes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
