#include "engine/observe.h"

#include <stdlib.h>

#include "base/memory.h"
#include "engine/observe_sums.h"

void cull_sums_add(double *to, size_t n, const double *from)
{
    for (size_t i = 0; i < n; i++)
        to[i] += from[i];
}

void cull_merge_observer(const cull_stats_pass *g, size_t i, const double *acc)
{
    const cull_observer_use *use = g->cal->observers + i;
    const cull_layer_facts *facts = cull_layer_of(g->run->m, g->l);

    if (use->observer->merge)
        use->observer->merge(use->settings, facts, use->acc[g->l], acc);
    else
        cull_sums_add(use->acc[g->l], use->observer->doubles(use->settings, facts), acc);
}

static cull_status part_hooks(cull_stats_pass *g, size_t l, cull_input_hooks *inputs)
{
    const cull_layer_facts *facts = cull_layer_of(g->run->m, l);

    for (uint32_t p = 0; p < CULL_N_PARTS; p++) {
        cull_matrix m = { .size = sizeof m };
        if (!(facts->parts >> p & 1u) || p == CULL_PART_GATE || p == CULL_PART_UP ||
            p == CULL_PART_DOWN || cull_part_is_filter((cull_part)p))
            continue;
        CULL_TRY(g->run->m->backend->matrix(g->run->ctx, g->run->m->model, cull_at(l, (cull_part)p),
                                            &m));
        inputs->part_sq[p] = cull_stats_store_part(g->store, l, (cull_part)p, m.cols);
        if (!inputs->part_sq[p])
            return cull_no_memory(g->run->ctx);
    }
    return CULL_OK;
}

static cull_status begin_hessians(cull_stats_pass *g)
{
    g->x_hessian = cull_alloc(g->E * g->D * g->D, sizeof(double));
    g->u_hessian = cull_alloc(g->E * g->F * g->F, sizeof(double));
    if (!g->x_hessian || !g->u_hessian)
        return cull_no_memory(g->run->ctx);
    g->stats->x_hessian = g->x_hessian;
    g->stats->u_hessian = g->u_hessian;
    return CULL_OK;
}

cull_status cull_stats_pass_begin(cull_stats_pass *g, size_t l, cull_layer_hooks *hooks)
{
    const cull_layer_facts *facts = cull_layer_of(g->run->m, l);

    g->l = l;
    g->E = facts->E;
    g->K = facts->K;
    g->F = facts->F;
    g->D = g->run->m->facts->D;
    g->stats = cull_stats_store_layer(g->store, l);
    g->n_ratios = 0;
    *hooks = (cull_layer_hooks){ .arg = g, .after = cull_hook_cosines };
    if (g->groups & CULL_STAT_INPUT_SQUARES)
        CULL_TRY(part_hooks(g, l, &hooks->inputs));
    if (g->E == 0)
        return CULL_OK;
    if (g->groups & CULL_STAT_HESSIAN)
        CULL_TRY(begin_hessians(g));
    g->item_doubles = cull_hook_experts(g, hooks);
    cull_free(g->observer_at);
    g->observer_at = cull_alloc(g->cal->n_observers + 1, sizeof *g->observer_at);
    if (!g->observer_at)
        return cull_no_memory(g->run->ctx);
    for (size_t i = 0; i < g->cal->n_observers; i++) {
        g->observer_at[i] = g->item_doubles;
        g->item_doubles +=
            g->cal->observers[i].observer->doubles(g->cal->observers[i].settings, facts);
    }
    hooks->want_p = true;
    hooks->serial = (g->groups & CULL_STAT_HESSIAN) != 0;
    hooks->item_doubles = g->item_doubles;
    hooks->moe = cull_hook_rows;
    return CULL_OK;
}

static int compare_floats(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void mirror(double *m, size_t E)
{
    for (size_t a = 0; a < E; a++)
        for (size_t b = 0; b < a; b++)
            m[b * E + a] = m[a * E + b];
}

static void finish_moments(const cull_stats_pass *g, size_t e)
{
    const double n = g->stats->count[e], g2 = g->stats->gate_sq[e];
    double *var = (double *)g->stats->var + e * g->D;
    double *mean_gate = (double *)g->stats->mean_gate + e * g->D;

    for (size_t d = 0; d < g->D; d++) {
        var[d] = n > 1.0 ? var[d] / (n - 1.0) : 0.0;
        mean_gate[d] = g2 > 0.0 ? mean_gate[d] / g2 : 0.0;
    }
}

cull_status cull_stats_pass_finish(cull_stats_pass *g, uint64_t tokens)
{
    cull_layer_stats *s = g->stats;

    s->tokens = tokens;
    if (g->E == 0)
        return CULL_OK;
    for (size_t e = 0; (g->groups & CULL_STAT_OUTPUT_MOMENTS) && e < g->E; e++)
        finish_moments(g, e);
    if (g->groups & CULL_STAT_LOGIT_GRAM) {
        mirror((double *)s->logit_gram, g->E);
        mirror((double *)s->sigmoid_gram, g->E);
    }
    if ((g->groups & CULL_STAT_GATE_RATIO) && g->n_ratios) {
        const size_t n = g->n_ratios;
        qsort(g->ratio, n, sizeof *g->ratio, compare_floats);
        s->ratio_median = n % 2 ? (double)g->ratio[n / 2]
                                : ((double)g->ratio[n / 2 - 1] + (double)g->ratio[n / 2]) / 2.0;
    }
    return CULL_OK;
}

void cull_stats_pass_leave(cull_stats_pass *g)
{
    cull_free(g->x_hessian);
    cull_free(g->u_hessian);
    g->x_hessian = g->u_hessian = NULL;
    g->stats->x_hessian = g->stats->u_hessian = NULL;
    g->stats->dense = NULL;
}

void cull_stats_pass_release(cull_stats_pass *g)
{
    cull_free(g->x_hessian);
    cull_free(g->u_hessian);
    cull_free(g->ratio);
    cull_free(g->observer_at);
}
