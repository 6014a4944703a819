// Methods: lists of stages, each a criterion and a strategy, with what the core itself wants to
// know of them.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/read_file.h"
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
        if (strcmp(param->choices[choice], says[i].word) == 0)
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

// ---- keep ----

// A whole number below 2³²; false: it is none.
static bool read_index(const cull_node *node, size_t *out)
{
    char *end;

    if (node->kind != CULL_SCALAR || !node->text[0] || strspn(node->text, "0123456789") > 9)
        return false;
    *out = (size_t)strtoull(node->text, &end, 10);
    return *end == '\0' && node->text[0] >= '0' && node->text[0] <= '9';
}

static void read_pairs(cull_reader *r, const cull_node *list, cull_keep *keep)
{
    size_t(*at)[2] = cull_take(r->ctx, list->n + 1, sizeof *at);
    if (!at) {
        r->problems->lost = true;
        return;
    }
    for (size_t i = 0; i < list->n; i++) {
        const cull_node *pair = list->item[i];
        if (pair->kind == CULL_LIST && pair->n == 2 && read_index(pair->item[0], &at[keep->n][0]) &&
            read_index(pair->item[1], &at[keep->n][1]))
            keep->n++;
        else
            cull_problem_add(r->problems, pair->place,
                             "keep: a pair [layer, expert] of numbers is expected");
    }
    keep->at = (const size_t(*)[2])at;
}

// The list that a file holds, as YAML or JSON.
static const cull_node *read_list(cull_reader *r, const cull_node *node)
{
    const char *base = cull_base_of(&r->binder, node);
    cull_buf file = CULL_BUF_INIT;

    cull_path_join(&file, base ? base : ".", node->text);
    const char *path =
        file.failed ? NULL : cull_arena_copy(cull_context_of(r->ctx)->alloc, file.s, file.n);
    cull_buf_release(&file);
    const char *text;
    size_t n;
    if (!path) {
        r->problems->lost = true;
        return NULL;
    }
    if (cull_read_file(r->ctx, path, &text, &n) != CULL_OK) {
        cull_problem_add(r->problems, node->place, "keep: %s",
                         cull_context_of(r->ctx)->error.sentence);
        cull_error_clear(r->ctx);
        return NULL;
    }
    return cull_tree_parse(r->problems, path, text, n);
}

static void read_keep(cull_reader *r, const cull_node *node, cull_keep *keep)
{
    const cull_node *list = node;

    keep->place = node->place;
    if (node->kind == CULL_SCALAR && strcmp(node->text, "super") == 0) {
        keep->super = true;
        return;
    }
    if (node->kind == CULL_SCALAR && !cull_node_is_null(node)) {
        list = read_list(r, node);
        if (!list)
            return;
    }
    if (list->kind == CULL_LIST)
        read_pairs(r, list, keep);
    else
        cull_problem_add(r->problems, list->place,
                         "keep: super, a list of pairs [layer, expert], or a file with such a list "
                         "is expected, not %s",
                         cull_node_kind_name(list));
}

static void read_stage(cull_reader *r, const cull_node *node, cull_stage *stage)
{
    static const char *const keys[] = { "criterion", "strategy", "recalibrate",
                                        "propagate", "keep",     NULL };

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
    const cull_node *keep = cull_node_get(node, "keep");
    if (keep)
        read_keep(r, keep, &stage->keep);
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
    if (strcmp(key->text, "dense") == 0)
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
    for (size_t i = 0; i < node->n; i++) {
        cull_check_name(r, "a method", node, i);
        read_method(r, node->key[i], node->item[i], &spec->methods[i]);
    }
}
