// Experts that a stage leaves as they are: found, hidden from its plugins, shown again.
#include "flow/sandbox/keep.h"

#include <math.h>
#include <stdlib.h>

#include "base/order.h"
#include "cut/cut.h"

// ---- which ----

static cull_status mark_named(const cull_keep *keep, uint8_t **out)
{
    for (size_t i = 0; i < keep->n; i++)
        out[keep->at[i][0]][keep->at[i][1]] = 1;
    return CULL_OK;
}

// The p-quantile of n > 0 numbers, which are sorted; between two of them by linear interpolation.
static double quantile(size_t n, double *x, double p)
{
    const double at = p * (double)(n - 1);
    const size_t low = (size_t)floor(at), high = low + 1 < n ? low + 1 : low;

    qsort(x, n, sizeof *x, cull_by_value);
    return x[low] + (at - (double)low) * (x[high] - x[low]);
}

static cull_status mark_super(cull_ctx *ctx, const cull_stats *stats, uint8_t **out)
{
    size_t n = 0, layers = 0, layer = 0;

    for (size_t l = 0; l < stats->L; l++) {
        n += stats->layer[l].E;
        layers += stats->layer[l].E > 0;
    }
    double *all = cull_scratch(ctx, n + 1, sizeof *all);
    if (!all)
        return CULL_ENOMEM;
    n = 0;
    for (size_t l = 0; l < stats->L; l++)
        for (size_t e = 0; e < stats->layer[l].E; e++)
            all[n++] = stats->layer[l].max_signed[e];
    if (n == 0)
        return CULL_OK;
    const double percentile = quantile(n, all, 0.995);
    const double bound = fmax(percentile, all[n - 1] / 10);
    for (size_t l = 0; l < stats->L && layer < layers * 3 / 4; l++) {
        layer += stats->layer[l].E > 0;
        for (size_t e = 0; e < stats->layer[l].E; e++)
            out[l][e] = stats->layer[l].max_signed[e] > bound;
    }
    return CULL_OK;
}

static void report(cull_ctx *ctx, const cull_prepared_model *s, uint8_t *const *keep)
{
    cull_buf text = CULL_BUF_INIT;

    for (size_t l = 0; l < s->opened.facts->L; l++)
        for (size_t e = 0; e < s->layer[l]->E; e++)
            if (keep[l][e])
                cull_buf_printf(&text, " %zu/%zu", l, e);
    cull_log_line(cull_context_of(ctx)->log, CULL_INFO,
                  "model \"%s\": kept super experts (layer/expert):%s", s->spec->name,
                  text.s ? text.s : " none");
    cull_buf_release(&text);
}

cull_status cull_keep_find(cull_ctx *ctx, const cull_step *step, const cull_prepared_model *s,
                           const cull_cut *before, const cull_stats *stats, uint8_t ***out)
{
    const cull_keep *keep = &step->spec->keep;
    const size_t L = s->opened.facts->L;

    *out = NULL;
    if (!keep->place.file)
        return CULL_OK;
    uint8_t **at = cull_take(ctx, L, sizeof *at);
    for (size_t l = 0; at && l < L; l++) {
        at[l] = cull_take(ctx, s->layer[l]->E + 1, 1);
        if (!at[l])
            return CULL_ENOMEM;
    }
    if (!at)
        return CULL_ENOMEM;
    CULL_TRY(keep->super ? mark_super(ctx, stats, at) : mark_named(keep, at));
    for (size_t l = 0; l < L; l++)
        for (size_t e = 0; e < s->layer[l]->E; e++)
            at[l][e] = at[l][e] && before->layer[l].action[e] == CULL_ACTION_BASE;
    if (keep->super)
        report(ctx, s, at);
    *out = at;
    return CULL_OK;
}

// ---- what the others have to give ----

static size_t kept_of(const cull_prepared_model *s, uint8_t *const *keep, size_t l)
{
    size_t n = 0;

    for (size_t e = 0; e < s->layer[l]->E; e++)
        n += keep[l][e];
    return n;
}

// Experts of layer l that stand and are not kept.
static size_t others_of(const cull_prepared_model *s, const cull_cut *before, uint8_t *const *keep,
                        size_t l)
{
    size_t n = 0;

    for (size_t e = 0; e < s->layer[l]->E; e++)
        n += before->layer[l].action[e] == CULL_ACTION_BASE && !keep[l][e];
    return n;
}

// Of these, how many may go; *least: how many have to stay.
static size_t most_of(const cull_prepared_model *s, const cull_cut *before, uint8_t *const *keep,
                      const cull_budget *budget, size_t l, size_t *least)
{
    const size_t kept = kept_of(s, keep, l), others = others_of(s, before, keep, l);

    *least = budget->least[l] > kept ? budget->least[l] - kept : 0;
    return others > *least && !budget->frozen[l] ? others - *least : 0;
}

cull_status cull_keep_most(cull_ctx *ctx, const cull_prepared_model *s, const cull_cut *before,
                           uint8_t *const *keep, const cull_budget *budget, size_t **out)
{
    const size_t L = s->opened.facts->L;
    const bool global = budget->scope == CULL_SCOPE_GLOBAL;
    size_t *most = cull_take(ctx, L, sizeof *most), least;

    if (!most)
        return CULL_ENOMEM;
    for (size_t l = 0; l < L; l++)
        most[global ? 0 : l] += most_of(s, before, keep, budget, l, &least);
    *out = most;
    return CULL_OK;
}

static cull_status spare_experts(cull_ctx *ctx, const cull_prepared_model *s,
                                 const cull_cut *before, uint8_t *const *keep, cull_budget *budget)
{
    const size_t L = s->opened.facts->L;
    size_t *least = cull_take(ctx, L, sizeof *least), all = 0;

    if (!least)
        return CULL_ENOMEM;
    for (size_t l = 0; l < L; l++) {
        const size_t most = most_of(s, before, keep, budget, l, &least[l]);
        all += most;
        if (budget->scope == CULL_SCOPE_LAYER && budget->remove[l] > most)
            return cull_fail(ctx, CULL_EBUDGET,
                             "keep: %zu experts of layer %zu are to go, but only %zu of those that "
                             "are not kept may",
                             budget->remove[l], l, most);
    }
    if (budget->scope == CULL_SCOPE_GLOBAL && budget->total > all)
        return cull_fail(ctx, CULL_EBUDGET,
                         "keep: %zu experts are to go, but only %zu of those that are not kept may",
                         budget->total, all);
    budget->least = least;
    return CULL_OK;
}

// Weights of the experts that stand in layers that may be cut: all, and those of the kept.
static void count_weights(const cull_prepared_model *s, const uint8_t *frozen,
                          const cull_cut *before, uint8_t *const *keep, double *all, double *kept)
{
    static const cull_part parts[] = { CULL_PART_GATE, CULL_PART_UP, CULL_PART_DOWN };
    const size_t D = s->opened.facts->D;

    *all = *kept = 0;
    for (size_t l = 0; l < s->opened.facts->L; l++) {
        for (size_t i = 0; i < 3 * s->layer[l]->E; i++) {
            const cull_part part = parts[i % 3];
            const size_t e = i / 3, F = s->layer[l]->F;
            if (frozen[l] || !(s->layer[l]->parts >> part & 1) ||
                before->layer[l].action[e] != CULL_ACTION_BASE)
                continue;
            const bool down = part == CULL_PART_DOWN;
            const double n = (double)cull_kept_weights(before, cull_at_expert(l, part, e),
                                                       down ? D : F, down ? F : D);
            *all += n;
            *kept += keep[l][e] ? n : 0;
        }
        cull_cut_leave(before, l);
    }
}

cull_status cull_keep_budget(cull_ctx *ctx, const cull_step *step, const cull_prepared_model *s,
                             const cull_cut *before, uint8_t *const *keep, cull_budget *budget,
                             double *more)
{
    double all, kept;

    *more = 1;
    if (step->unit == CULL_UNIT_EXPERT)
        return spare_experts(ctx, s, before, keep, budget);
    if (step->unit != CULL_UNIT_WEIGHT)
        return CULL_OK;
    count_weights(s, budget->frozen, before, keep, &all, &kept);
    *more = kept < all ? all / (all - kept) : INFINITY;
    if (budget->sparsity > 0 && !(budget->sparsity * *more <= 1))
        return cull_fail(ctx, CULL_EBUDGET,
                         "keep: %.4g %% of the weights are to go, but only %.4g %% belong to "
                         "experts that are not kept",
                         100 * budget->sparsity, 100 * (1 - kept / all));
    budget->sparsity = budget->sparsity > 0 ? budget->sparsity * *more : 0;
    return CULL_OK;
}

// ---- out of sight ----

void cull_keep_hide(uint8_t *const *keep, cull_cut *cut)
{
    for (size_t l = 0; l < cut->L; l++)
        for (size_t e = 0; e < cut->layer[l].E; e++)
            if (keep[l][e])
                cut->layer[l].action[e] = CULL_ACTION_ZERO;
}

cull_status cull_keep_show(cull_ctx *ctx, uint8_t *const *keep, cull_cut *cut, size_t first)
{
    for (size_t l = 0; l < cut->L; l++)
        for (size_t e = 0; e < cut->layer[l].E; e++) {
            if (!keep[l][e])
                continue;
            if (cut->layer[l].action[e] != CULL_ACTION_ZERO)
                return cull_fail(ctx, CULL_EPLUGIN,
                                 "expert %zu of layer %zu is kept, but was touched", e, l);
            cut->layer[l].action[e] = CULL_ACTION_BASE;
        }
    for (size_t i = first; i < cut->n_overlays; i++) {
        const cull_matrix_id at = cut->overlay[i].where;
        if (at.expert != CULL_NONE && keep[at.layer][at.expert])
            return cull_fail(ctx, CULL_EPLUGIN,
                             "expert %u of layer %u is kept, but its matrices were changed",
                             at.expert, at.layer);
    }
    return CULL_OK;
}
