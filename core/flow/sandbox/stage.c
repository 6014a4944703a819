// A stage in a child: score and select, and what came of them.
#include "flow/sandbox/stage.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "cut/cut.h"
#include "engine/stats_store.h"
#include "flow/sandbox/child.h"
#include "flow/score.h"
#include "flow/select.h"

typedef struct call { // into the child
    const cull_stage_job *job;
    cull_stage_result *result;
    size_t layer;
    double sparsity;
    size_t n; // budgets, of cull_stage_run_each
    const cull_budget *budget;
} call;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// The experts that are kept are hidden from the stage's plugins, in the view and in a cut to be
// made.
static cull_status open_view(cull_ctx *ctx, const cull_stage_job *job, cull_stage_view *stage_view)
{
    const cull_cut *before = job->before;

    if (job->keep) {
        cull_cut *hidden = cull_cut_copy(ctx, job->before);
        if (!hidden)
            return CULL_ENOMEM;
        cull_keep_hide(job->keep, hidden);
        before = hidden;
    }
    cull_stage_view_init(stage_view, job->step, job->prepared, job->layers, job->stats, before,
                         job->observed);
    stage_view->view.experts = job->experts;
    stage_view->view.n_experts = job->n_experts;
    return CULL_OK;
}

// *own: what of a budget falls on the experts that are not kept; *more: × a layer's own sparsity.
static cull_status own_budget(cull_ctx *ctx, const cull_stage_job *job, const cull_budget *budget,
                              cull_budget *own, double *more)
{
    *own = *budget;
    *more = 1;
    return job->keep
               ? cull_keep_budget(ctx, job->step, job->prepared, job->before, job->keep, own, more)
               : CULL_OK;
}

// The cut, whose overlays from the first-th on are new, goes to the parent.
static cull_status write_result(cull_ctx *ctx, const cull_stage_job *job, FILE *out,
                                cull_stage_result *found, size_t first)
{
    if (job->keep)
        CULL_TRY(cull_keep_show(ctx, job->keep, found->cut, first));
    return cull_stage_result_write(ctx, out, found, first);
}

static void doing(char *text, const cull_use *use, const char *kind, const char *what, size_t layer)
{
    if (!use->plugin)
        return;
    if (layer == CULL_ALL_LAYERS)
        snprintf(text, CULL_DOING, "%s %s, %s", kind, use->plugin->name, what);
    else
        snprintf(text, CULL_DOING, "%s %s, %s layer %zu", kind, use->plugin->name, what, layer);
}

static void keep_scores(const cull_scores *scores, cull_stage_result *found)
{
    if (scores->form == CULL_FORM_LAYER)
        found->layer = scores->layer;
    if (scores->form == CULL_FORM_EXPERT)
        found->expert = scores->expert;
}

// ---- all layers ----

static cull_status select_all(cull_ctx *ctx, cull_stage_view *stage_view, const cull_stage_job *job,
                              const cull_budget *budget, const cull_scores *scores, cull_cut *cut,
                              char *text)
{
    const cull_strategy *strategy = job->step->spec->strategy.plugin->vtable;
    const size_t L = job->prepared->opened.facts->L;

    if (!(strategy->flags & CULL_BY_LAYER))
        return cull_select(ctx, stage_view, scores, budget, CULL_ALL_LAYERS, budget->sparsity, cut);
    double *sparsity = cull_take(ctx, L, sizeof *sparsity);
    if (!sparsity)
        return CULL_ENOMEM;
    CULL_TRY(cull_spread(ctx, stage_view, scores, budget, sparsity));
    for (size_t l = 0; l < L; l++) {
        if (budget->frozen[l])
            continue;
        doing(text, &job->step->spec->strategy, "strategy", "selecting", l);
        CULL_TRY(cull_select(ctx, stage_view, scores, budget, l, sparsity[l], cut));
        cull_arena_clear(cull_context_of(ctx)->scratch);
    }
    return CULL_OK;
}

// Under one budget, from scores that are there.
static cull_status select_one(cull_ctx *ctx, cull_stage_view *stage_view, const call *c, size_t i,
                              const cull_scores *scores, char *text)
{
    cull_stage_result *found = &c->result[i];
    cull_budget own;
    double more;

    CULL_TRY(own_budget(ctx, c->job, &c->budget[i], &own, &more));
    if (c->job->keep)
        cull_keep_hide(c->job->keep, found->cut);
    doing(text, &c->job->step->spec->strategy, "strategy", "selecting", CULL_ALL_LAYERS);
    CULL_TRY(select_all(ctx, stage_view, c->job, &own, scores, found->cut, text));
    keep_scores(scores, found);
    return CULL_OK;
}

static cull_status run_in_child(cull_ctx *ctx, void *arg, FILE *out, char *text)
{
    const call *c = arg;
    const cull_stage *spec = c->job->step->spec;
    cull_scores scores;
    cull_stage_view stage_view;

    CULL_TRY(open_view(ctx, c->job, &stage_view));
    const double begin = now();
    doing(text, &spec->criterion, "criterion", "scoring", CULL_ALL_LAYERS);
    CULL_TRY(cull_score(ctx, &stage_view, CULL_ALL_LAYERS, &scores));
    double last = now();
    for (size_t i = 0; i < c->n; i++) {
        cull_stage_result *found = &c->result[i];
        CULL_TRY(select_one(ctx, &stage_view, c, i, &scores, text));
        found->score_s = i == 0 ? last - begin : 0;
        found->select_s = now() - last;
        CULL_TRY(write_result(ctx, c->job, out, found, c->job->before->n_overlays));
        cull_arena_clear(cull_context_of(ctx)->scratch);
        last = now();
    }
    return CULL_OK;
}

// A plugin is not called without the statistics that it says it needs, whatever became of them.
static cull_status check_statistics(cull_ctx *ctx, const cull_stage_job *job)
{
    const uint32_t lacks = job->step->needs & ~(uint32_t)CULL_STATS_IN_VISIT & ~job->stats->groups;

    return lacks == 0 ? CULL_OK
                      : cull_fail(ctx, CULL_EIO,
                                  "statistics that this stage needs are not there (groups 0x%x)",
                                  (unsigned)lacks);
}

cull_status cull_stage_run_each(cull_ctx *ctx, const cull_stage_job *job, size_t n,
                                const cull_budget *budget, cull_stage_result *results)
{
    call c = { .job = job, .result = results, .n = n, .budget = budget };
    const cull_child_job child = { job->folder, job->seconds * (double)n, run_in_child, &c };
    FILE *out;

    CULL_TRY(check_statistics(ctx, job));
    CULL_TRY(cull_child_run(ctx, &child, &out));
    const cull_status status = cull_stage_results_read(ctx, out, n, results);
    fclose(out);
    return status;
}

cull_status cull_stage_run(cull_ctx *ctx, const cull_stage_job *job, cull_stage_result *result)
{
    return cull_stage_run_each(ctx, job, 1, job->budget, result);
}

// ---- layer by layer ----

static cull_status spread_in_child(cull_ctx *ctx, void *arg, FILE *out, char *text)
{
    const call *c = arg;
    const size_t L = c->job->prepared->opened.facts->L;
    const cull_scores none = { .size = sizeof none, .form = CULL_FORM_NONE, .L = L };
    cull_scores scores = none;
    double *sparsity = cull_take(ctx, L, sizeof *sparsity), more;
    cull_stage_view stage_view;
    cull_budget own;

    if (!sparsity)
        return CULL_ENOMEM;
    CULL_TRY(open_view(ctx, c->job, &stage_view));
    CULL_TRY(own_budget(ctx, c->job, c->job->budget, &own, &more));
    scores.form = cull_stage_form(c->job->step->spec);
    doing(text, &c->job->step->spec->strategy, "strategy", "spreading over layers",
          CULL_ALL_LAYERS);
    CULL_TRY(cull_spread(ctx, &stage_view, &scores, &own, sparsity));
    if (fwrite(sparsity, sizeof *sparsity, L, out) != L)
        return cull_fail(ctx, CULL_EIO, "the results of a stage cannot be written: %s",
                         strerror(errno));
    return CULL_OK;
}

cull_status cull_stage_spread(cull_ctx *ctx, const cull_stage_job *job, double *sparsity)
{
    const size_t L = job->prepared->opened.facts->L;
    call c = { .job = job };
    const cull_child_job child = { job->folder, job->seconds, spread_in_child, &c };
    FILE *out;

    CULL_TRY(cull_child_run(ctx, &child, &out));
    const bool good = fread(sparsity, sizeof *sparsity, L, out) == L;
    fclose(out);
    return good ? CULL_OK : cull_fail(ctx, CULL_EIO, "the results of a stage cannot be read");
}

static bool is_asked(const cull_stage_job *job, uint32_t e)
{
    bool among = !job->experts;

    for (size_t i = 0; !among && i < job->n_experts; i++)
        among = job->experts[i] == e;
    return among;
}

static bool is_changed(const cull_layer_cut *before, const cull_layer_cut *after, size_t e)
{
    return before->action[e] != after->action[e] || before->target[e] != after->target[e];
}

static bool is_layer_changed(const cull_layer_cut *before, const cull_layer_cut *after)
{
    return before->skip_layer != after->skip_layer || before->skip_moe != after->skip_moe ||
           before->k != after->k || before->skip_ratio != after->skip_ratio ||
           before->top_p != after->top_p;
}

// Who is asked about some experts decides nothing about others, nor about the layer.
static cull_status check_asked(cull_ctx *ctx, const call *c, const cull_cut *before, size_t first)
{
    const cull_cut *cut = c->result->cut;
    const char *name = c->job->step->spec->strategy.plugin->name;

    if (!c->job->experts)
        return CULL_OK;
    if (is_layer_changed(&before->layer[c->layer], &cut->layer[c->layer]))
        return cull_fail(ctx, CULL_EPLUGIN,
                         "strategy %s was asked about some experts and changed layer %zu", name,
                         c->layer);
    for (uint32_t e = 0; e < cut->layer[c->layer].E; e++)
        if (!is_asked(c->job, e) && is_changed(&before->layer[c->layer], &cut->layer[c->layer], e))
            return cull_fail(ctx, CULL_EPLUGIN,
                             "strategy %s changed layer %zu, expert %u, about which it was not "
                             "asked",
                             name, c->layer, e);
    for (size_t i = first; i < cut->n_overlays; i++)
        if (!is_asked(c->job, cut->overlay[i].where.expert))
            return cull_fail(ctx, CULL_EPLUGIN,
                             "strategy %s changed %s of layer %u, about which it was not asked",
                             name, cull_part_word(cut->overlay[i].where.part),
                             cut->overlay[i].where.layer);
    return CULL_OK;
}

static cull_status visit_in_child(cull_ctx *ctx, void *arg, FILE *out, char *text)
{
    const call *c = arg;
    const cull_stage *spec = c->job->step->spec;
    cull_stage_result *found = c->result;
    const size_t first = found->cut->n_overlays;
    cull_scores scores;
    cull_stage_view stage_view;
    cull_budget own;
    double more;

    CULL_TRY(open_view(ctx, c->job, &stage_view));
    CULL_TRY(own_budget(ctx, c->job, c->job->budget, &own, &more));
    if (c->job->keep)
        cull_keep_hide(c->job->keep, found->cut);
    const double begin = now();
    doing(text, &spec->criterion, "criterion", "scoring", c->layer);
    CULL_TRY(cull_score(ctx, &stage_view, c->layer, &scores));
    const double scored = now();
    doing(text, &spec->strategy, "strategy", "selecting", c->layer);
    const cull_strategy *strategy = spec->strategy.plugin->vtable; // spread as the others can give
    CULL_TRY(cull_select(ctx, &stage_view, &scores, &own, c->layer,
                         strategy->spread ? c->sparsity : c->sparsity * more, found->cut));
    CULL_TRY(check_asked(ctx, c, stage_view.view.before, first));
    found->score_s = scored - begin;
    found->select_s = now() - scored;
    found->layer = NULL;
    found->expert = NULL;
    return write_result(ctx, c->job, out, found, first);
}

cull_status cull_stage_visit_apart(cull_ctx *ctx, const cull_stage_job *job, size_t layer,
                                   double sparsity, cull_stage_result *result, FILE **out)
{
    call c = { .job = job, .result = result, .layer = layer, .sparsity = sparsity };
    const cull_child_job child = { job->folder, job->seconds, visit_in_child, &c };

    return cull_child_run(ctx, &child, out);
}

cull_status cull_stage_visit(cull_ctx *ctx, const cull_stage_job *job, size_t layer,
                             double sparsity, cull_stage_result *result)
{
    FILE *out;

    CULL_TRY(cull_stage_visit_apart(ctx, job, layer, sparsity, result, &out));
    const cull_status status = cull_stage_result_read(ctx, out, layer, result);
    fclose(out);
    return status;
}
