// Methods: lists of stages, each a criterion and a strategy, with what the core itself wants to
// know of them.
#include <math.h>
#include <string.h>

#include "plugin/settings.h"
#include "spec/reader.h"

struct owned {
    bool recalibrate;
    int64_t propagate, inputs;
    double experts;
};

static const char *const propagations[] = { "dense", "pruned", NULL };
static const char *const inputs[] = { "dense", "progressive", NULL };

static const cull_param stage_params[] = {
    CULL_P_BOOL(struct owned, recalibrate, false, "score on what the earlier stages left"),
    CULL_P_CHOICE(struct owned, propagate, 0, propagations,
                  "what a layer is decided on: the dense model, or the layers already cut"),
};

static const cull_param strategy_params[] = {
    CULL_P_REAL(struct owned, experts, NAN, 0.0, 1.0,
                "the share of the routed experts' parameters that this stage carries"),
    CULL_P_CHOICE(struct owned, propagate, 0, propagations, "as the stage's"),
    CULL_P_CHOICE(struct owned, inputs, 0, inputs, "progressive: as propagate: pruned"),
};

static const cull_plugin stage_table = {
    .size = sizeof stage_table,
    .name = "",
    CULL_SETTINGS(stage_params, struct owned),
};

// A strategy's map may also hold these; one that has such a setting itself keeps it.
static const cull_plugin strategy_table = {
    .size = sizeof strategy_table,
    .name = "",
    CULL_SETTINGS(strategy_params, struct owned),
};

// A plugin that declares `inputs` or `propagate` as a choice of its own says with it the same.
static bool own_propagation(const cull_use *use)
{
    if (!use->plugin)
        return false;
    static const struct {
        const char *name, *word;
    } says[] = { { "propagate", "pruned" }, { "inputs", "progressive" } };
    for (size_t i = 0; i < sizeof says / sizeof *says; i++) {
        const cull_param *param = cull_setting_find(use->plugin, says[i].name);
        if (!param || param->type != CULL_CHOICE)
            continue;
        int64_t choice;
        memcpy(&choice, (const char *)use->settings + param->offset, sizeof choice);
        if (!strcmp(param->choices[choice], says[i].word))
            return true;
    }
    return false;
}

static void read_share(cull_stage *stage, const cull_node *settings, const struct owned *owned)
{
    const cull_node *share = settings ? cull_node_get(settings, "experts") : NULL;
    stage->share = share ? owned->experts : NAN;
    if (share)
        stage->share_place = share->place;
}

static void read_strategy(cull_reader *r, const cull_node *node, cull_stage *stage)
{
    const cull_node *settings;
    struct owned owned = { .experts = NAN };
    bool given[sizeof strategy_params / sizeof *strategy_params] = { 0 };
    if (!cull_read_use(r, CULL_STRATEGY, node, &strategy_table, &stage->strategy, &settings))
        return;
    if (cull_setting_find(stage->strategy.plugin, "experts") == NULL) {
        cull_bind_owned(&r->binder, &strategy_table, stage->strategy.plugin->name, settings, &owned,
                        given);
        read_share(stage, settings, &owned);
    }
    if (owned.propagate || owned.inputs)
        stage->propagate = true;
}

static void read_stage(cull_reader *r, const cull_node *node, cull_stage *stage)
{
    static const char *const keys[] = { "criterion", "strategy", "recalibrate", "propagate", NULL };
    *stage = (cull_stage){ .place = node->place, .share = NAN };
    if (node->kind != CULL_MAP) {
        cull_problem_add(r->problems, node->place,
                         "a stage is a map with the keys criterion and strategy, not %s",
                         cull_node_kind_name(node));
        return;
    }
    for (size_t i = 0; i < node->n; i++)
        cull_unknown_key(r, "a stage", node->key[i], keys);
    struct owned owned = { 0 };
    bool given[sizeof stage_params / sizeof *stage_params] = { 0 };
    cull_bind_owned(&r->binder, &stage_table, "", node, &owned, given);
    stage->recalibrate = owned.recalibrate;
    stage->propagate = owned.propagate;
    const cull_node *criterion = cull_node_get(node, "criterion");
    const cull_node *strategy = cull_node_get(node, "strategy");
    if (criterion)
        cull_read_use(r, CULL_CRITERION, criterion, NULL, &stage->criterion, NULL);
    if (strategy)
        read_strategy(r, strategy, stage);
    else
        cull_problem_add(r->problems, node->place, "this stage has no strategy");
    if (own_propagation(&stage->criterion) || own_propagation(&stage->strategy))
        stage->propagate = true;
}

static void read_method(cull_reader *r, const cull_node *key, const cull_node *value,
                        cull_method *method)
{
    cull_elements stages;
    cull_elements_of(value, &stages);
    *method = (cull_method){ .place = key->place, .name = key->text, .n = stages.n };
    method->stage = cull_take(r->ctx, stages.n + 1, sizeof *method->stage);
    if (!method->stage) {
        r->problems->lost = true;
        return;
    }
    if (stages.n == 0)
        cull_problem_add(r->problems, value->place, "method \"%s\" has no stages", key->text);
    if (!strcmp(key->text, "dense"))
        cull_problem_add(r->problems, key->place,
                         "\"dense\" is the uncut model, which is always evaluated");
    for (size_t i = 0; i < stages.n; i++) {
        cull_problems_while(r->problems, "reading stage %zu of method \"%s\"", i + 1, key->text);
        read_stage(r, stages.at[i], &method->stage[i]);
    }
    cull_problems_while(r->problems, NULL);
}

void cull_read_methods(cull_reader *r, const cull_node *node)
{
    cull_spec *spec = r->spec;
    if (node->kind != CULL_MAP || node->n == 0) {
        cull_problem_add(r->problems, node->place, "methods is a map of names to stages, not %s",
                         node->kind == CULL_MAP ? "an empty one" : cull_node_kind_name(node));
        return;
    }
    spec->methods = cull_take(r->ctx, node->n, sizeof *spec->methods);
    if (!spec->methods) {
        r->problems->lost = true;
        return;
    }
    spec->n_methods = node->n;
    for (size_t i = 0; i < node->n; i++)
        read_method(r, node->key[i], node->item[i], &spec->methods[i]);
}
