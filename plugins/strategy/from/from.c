// From: a cut that somebody else made, from a file.
#include <string.h>

#include <cull/cull.h>
#include <cull/ext/cut_file.h>

#include "common/prune/parts.h"
#include "common/prune/removal.h"
#include "lists.h"

struct settings {
    const char *path;
    int64_t lists, action;
};

enum { LISTS_KEPT, LISTS_REMOVED };
static const char *const list_words[] = { "kept", "removed", NULL };

static const cull_param params[] = {
    CULL_P_PATH(
        struct settings, path, CULL_REQUIRED,
        "a cut file (.safetensors), or lists of experts in JSON: {\"LAYER\": [EXPERT, …], …}"),
    CULL_P_CHOICE(struct settings, lists, LISTS_KEPT, list_words,
                  "what lists of experts hold: those that stay, or those that go"),
    CULL_P_CHOICE(struct settings, action, REMOVAL_DROP, removal_words,
                  "what becomes of the experts that lists let go: " REMOVAL_DOC),
};

static bool is_cut_file(const struct settings *set)
{
    static const char ending[] = ".safetensors";
    const size_t n = set->path ? strlen(set->path) : 0, m = sizeof ending - 1;

    return n >= m && strcmp(set->path + n - m, ending) == 0;
}

static cull_status load_cut_file(cull_ctx *ctx, const char *path, cull_cut *out)
{
    const cull_cut_file_ext *file = ctx->host->extension(ctx, CULL_EXT_CUT_FILE);

    if (!file)
        return ctx->host->fail(ctx, CULL_ENOTSUP, "%s: this host does not load cut files", path);
    return file->load(ctx, path, out);
}

// A file that says which model it was made for is for no other, whatever its shapes.
static cull_status check_model(cull_ctx *ctx, const char *path, const cull_model_facts *model)
{
    const cull_cut_file_ext *file = ctx->host->extension(ctx, CULL_EXT_CUT_FILE);
    cull_cut_ids ids = { .size = sizeof ids };

    if (!file)
        return CULL_OK;
    const cull_status status = file->ids(ctx, path, &ids);
    if (status != CULL_OK || !*ids.model || !model->fingerprint || !*model->fingerprint ||
        strcmp(ids.model, model->fingerprint) == 0)
        return status;
    return ctx->host->fail(ctx, CULL_EINVAL,
                           "%s: made for a model with the fingerprint %s, but %s has %s", path,
                           ids.model, model->source, model->fingerprint);
}

static cull_status use_cut_file(cull_ctx *ctx, const char *path, const cull_view *view,
                                cull_cut *out)
{
    const cull_status status = check_model(ctx, path, view->model);

    return status == CULL_OK ? load_cut_file(ctx, path, out) : status;
}

static cull_status apply_list(cull_ctx *ctx, const struct settings *set, const cull_view *view,
                              size_t l, const uint8_t *listed, cull_cut *out)
{
    for (size_t e = 0; e < cull_view_layer(view, l)->E; e++) {
        if (listed[e] != (set->lists == LISTS_REMOVED) || !expert_stands(view->before, l, e))
            continue;
        const cull_status status = remove_expert(ctx, view, l, e, (enum removal)set->action, out);
        if (status != CULL_OK)
            return status;
    }
    return CULL_OK;
}

// Lists that drop experts must leave each layer as many as every token needs. *gone grows by those
// that go.
static cull_status check_list(cull_ctx *ctx, const struct settings *set, const cull_view *view,
                              size_t l, const uint8_t *listed, size_t *gone)
{
    const size_t E = cull_view_layer(view, l)->E, K = cull_view_layer(view, l)->K;
    size_t stay = 0;

    for (size_t e = 0; e < E; e++) {
        const bool stood = !view->before || expert_stands(view->before, l, e),
                   stays = listed[e] != (set->lists == LISTS_REMOVED);
        stay += stood && stays;
        *gone += stood && !stays;
    }
    if (set->action == REMOVAL_DROP && stay < K)
        return ctx->host->fail(ctx, CULL_EINVAL,
                               "%s: layer %zu keeps %zu experts, but every token needs %zu",
                               set->path, l, stay, K);
    return CULL_OK;
}

static cull_status read_all(cull_ctx *ctx, const struct settings *set, const cull_view *view,
                            struct lists *lists)
{
    cull_status status = read_lists(ctx, view, set->path, lists);
    size_t gone = 0;

    for (size_t l = 0; l < view->model->L && status == CULL_OK; l++)
        if (lists->named[l])
            status = check_list(ctx, set, view, l, lists->listed[l], &gone);
    if (status == CULL_OK && gone == 0)
        return ctx->host->fail(ctx, CULL_EINVAL, "%s: its lists let no expert go", set->path);
    return status;
}

static cull_status select_experts(cull_ctx *ctx, const void *settings, const cull_view *view,
                                  const cull_scores *scores, const cull_budget *budget,
                                  size_t layer, cull_cut *out)
{
    const struct settings *set = settings;
    struct lists lists;
    cull_status status;

    (void)scores, (void)budget, (void)layer;
    if (is_cut_file(set))
        return use_cut_file(ctx, set->path, view, out);
    status = read_all(ctx, set, view, &lists);
    for (size_t l = 0; l < view->model->L && status == CULL_OK; l++)
        if (lists.named[l])
            status = apply_list(ctx, set, view, l, lists.listed[l], out);
    return status;
}

// All but the novices of lists, which take statistics.
static cull_status fits(cull_ctx *ctx, const void *settings, const cull_view *view,
                        const cull_budget *budget, cull_cut *out)
{
    const struct settings *set = settings;
    struct lists lists;

    if (is_cut_file(set) && !view->before)
        return ctx->host->fail(ctx, CULL_EINVAL,
                               "%s: a stored cut is whole and must come before other stages",
                               set->path);
    if (is_cut_file(set) || (view->before && removal_needs((enum removal)set->action) == 0))
        return select_experts(ctx, settings, view, NULL, budget, CULL_ALL_LAYERS, out);
    return read_all(ctx, set, view, &lists);
}

static uint32_t needs_for(const void *settings)
{
    const struct settings *set = settings;

    return is_cut_file(set) ? 0 : removal_needs((enum removal)set->action);
}

enum {
    MAY_EMIT = 1u << CULL_ACTION_DROP | 1u << CULL_ACTION_ZERO | 1u << CULL_ACTION_NOVICE |
               1u << CULL_ACTION_ALIAS | CULL_EMITS_MASK | CULL_EMITS_MATRIX | CULL_EMITS_SKIP |
               CULL_EMITS_RULE
};

// Lists of experts rewrite nothing.
static uint32_t emits_for(const void *settings)
{
    return is_cut_file(settings) ? MAY_EMIT : MAY_EMIT & ~(uint32_t)CULL_EMITS_MATRIX;
}

static const cull_strategy from = {
    .size = sizeof from,
    .accepts = CULL_FORM_NONE,
    .emits = MAY_EMIT,
    .needs = CULL_STAT_OUTPUT_MOMENTS,
    .flags = CULL_NO_BUDGET,
    .needs_for = needs_for,
    .emits_for = emits_for,
    .select = select_experts,
    .fits = fits,
};

CULL_PLUGIN(STRATEGY, from, "1.0", "a cut from a file: a stored cut, or published lists of experts",
            .doc = "Evaluates a cut that is given whole. A cut file (.safetensors, as every trial "
                   "leaves one behind) brings its slot tables, novices, masks and matrices and "
                   "needs no calibration; one that names another model than the one it is used on "
                   "is refused. Lists of experts, as papers publish them, are JSON: one object "
                   "{\"LAYER\": [EXPERT, …], …} or several in a row (jsonl), experts numbered "
                   "from 0; layers that are not named stay as they are. `lists` says whether they "
                   "hold the experts that stay or those that go, `action` what becomes of the "
                   "latter; novices take the calibration's means.\n\nCost: none; novices for "
                   "lists take statistic output-moments.",
            .cite = "Not a method: a way to share recipes.",
            CULL_SETTINGS(params, struct settings));
