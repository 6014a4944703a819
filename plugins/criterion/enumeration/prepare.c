// What the losses of all sets have in common, once per layer.
#include <math.h>

#include "losses.h"

static const double tolerance = 1e-4; // of the sample's coefficients against the rule

typedef struct prepare {
    cull_ctx *ctx;
    losses *q;
    const losses_of *of;
} prepare;

static bool left_to_router(const losses_of *of, size_t e)
{
    return !of->before || !of->before->action || of->before->action[e] != CULL_ACTION_DROP;
}

// Does something else than its own output stand for an expert? J does not know it.
static bool replaced(const losses_of *of)
{
    for (size_t e = 0; of->before && of->before->action && e < of->facts->E; e++)
        if (of->before->action[e] == CULL_ACTION_NOVICE ||
            of->before->action[e] == CULL_ACTION_ALIAS)
            return true;
    return false;
}

static double logit(const prepare *p, size_t t, size_t e)
{
    return (double)p->of->sample->logits[t * p->q->E + e];
}

// Experts by falling logit; insertion keeps ties in order of index.
static cull_status sort_token(void *arg, size_t t)
{
    const prepare *p = arg;
    uint16_t *order = p->q->order + t * p->q->A;
    size_t n = 0;

    for (size_t e = 0; e < p->q->E; e++) {
        if (!left_to_router(p->of, e))
            continue;
        if (!isfinite(logit(p, t, e)))
            return p->ctx->host->fail(p->ctx, CULL_ENUMERIC,
                                      "layer %zu: the router's logit of expert %zu is not finite",
                                      p->of->layer, e);
        size_t at = n++;
        for (; at > 0 && logit(p, t, order[at - 1]) < logit(p, t, e); at--)
            order[at] = order[at - 1];
        order[at] = (uint16_t)e;
    }
    return CULL_OK;
}

// Masses and coefficients of token t with all A experts kept.
static cull_status weigh_token(void *arg, size_t t)
{
    const prepare *p = arg;
    losses *q = p->q;
    const uint16_t *order = q->order + t * q->A;
    const size_t K = q->rule.K < q->A ? q->rule.K : q->A;
    double *mass = q->mass + t * q->E;
    double *base = q->base + t * q->rule.K;
    double chosen = 0;
    double all = 0;

    for (size_t i = 0; i < q->A; i++) {
        const double z = logit(p, t, order[i]);
        mass[order[i]] = q->rule.sigmoid ? 1 / (1 + exp(-z)) : exp(z - logit(p, t, order[0]));
        all += mass[order[i]];
        chosen += i < K ? mass[order[i]] : 0;
    }
    const double sum = q->rule.renormalise ? chosen : q->rule.sigmoid ? 1 : all;
    for (size_t i = 0; i < K; i++)
        base[i] = mass[order[i]] * q->rule.scale / sum;
    return CULL_OK;
}

static double coefficient(const losses *q, size_t t, size_t e)
{
    for (size_t i = 0; i < q->rule.K && i < q->A; i++)
        if (q->order[t * q->A + i] == e)
            return q->base[t * q->rule.K + i];
    return 0;
}

// Is e's logit so near to the least chosen one that float32 may choose otherwise?
static bool near_tie(const prepare *p, size_t t, size_t e)
{
    const losses *q = p->q;
    const size_t K = q->rule.K < q->A ? q->rule.K : q->A;
    const double last = logit(p, t, q->order[t * q->A + K - 1]);
    const double next = K < q->A ? logit(p, t, q->order[t * q->A + K]) : last;
    const double z = logit(p, t, e);
    const double reach = tolerance * fmax(1, fabs(z));

    return fabs(last - next) < reach && (fabs(z - last) < reach || fabs(z - next) < reach);
}

static bool follows(const prepare *p, size_t t)
{
    const losses *q = p->q;
    const float *gate = p->of->sample->gate + t * q->E;

    for (size_t e = 0; e < q->E; e++) {
        const double c = coefficient(q, t, e);
        if (fabs((double)gate[e] - c) > tolerance * q->rule.scale && !near_tie(p, t, e) &&
            left_to_router(p->of, e))
            return false;
    }
    return true;
}

// Does this kind of mass, scaled, give the coefficients that the model used on every token?
static bool explains(prepare *p, bool sigmoid)
{
    losses *q = p->q;

    q->rule.sigmoid = sigmoid;
    q->rule.scale = 1;
    if (p->ctx->host->parallel(p->ctx, q->N, weigh_token, p) != CULL_OK)
        return false;
    double used = 0;
    double ruled = 0;
    for (size_t i = 0; i < q->N * q->E; i++)
        used += (double)p->of->sample->gate[i];
    for (size_t i = 0; i < q->N * q->rule.K; i++)
        ruled += q->base[i];
    if (!(used > 0 && ruled > 0))
        return false;
    const double scale = used / ruled;
    q->rule.scale = fabs(scale - 1) < tolerance ? 1 : scale;
    for (size_t i = 0; i < q->N * q->rule.K; i++)
        q->base[i] *= q->rule.scale;
    for (size_t t = 0; t < q->N; t++)
        if (!follows(p, t))
            return false;
    return true;
}

static cull_status find_rule(prepare *p)
{
    const cull_layer_facts *facts = p->of->facts;
    const cull_layer_cut *before = p->of->before;
    losses *q = p->q;

    q->rule.K = before && before->k ? before->k : facts->K;
    q->rule.renormalise = facts->renormalise;
    if (q->rule.K == 0 || q->rule.K > MOST_CHOSEN)
        return p->ctx->host->fail(p->ctx, CULL_ENOTSUP,
                                  "layer %zu: %zu experts per token are not "
                                  "within 1 and %d",
                                  p->of->layer, q->rule.K, MOST_CHOSEN);
    if (replaced(p->of))
        return p->ctx->host->fail(
            p->ctx, CULL_ENOTSUP,
            "layer %zu: the losses of subsets are not known where an earlier stage "
            "replaced experts by constants or by one another",
            p->of->layer);
    if (facts->gate_on_input || facts->topk_group < facts->n_group ||
        (before && (before->skip_ratio > 0 || before->top_p > 0)))
        return p->ctx->host->fail(
            p->ctx, CULL_ENOTSUP,
            "layer %zu: the losses of subsets are known only for routers that choose the K largest "
            "logits and weigh outputs, not inputs",
            p->of->layer);
    return CULL_OK;
}

// Blocks of at most BLOCK tokens, none across two sequences.
static cull_status make_blocks(prepare *p)
{
    losses *q = p->q;
    const uint32_t *group = p->of->sample->group;
    const cull_host *host = p->ctx->host;

    q->first = host->alloc(p->ctx, q->N + 1, sizeof *q->first);
    q->group = host->alloc(p->ctx, q->N, sizeof *q->group);
    if (!q->first || !q->group)
        return CULL_ENOMEM;
    for (size_t t = 0; t < q->N; t++) {
        const size_t b = q->n_blocks;
        if (b > 0 && t - q->first[b - 1] < BLOCK && group[t] == group[t - 1])
            continue;
        q->first[b] = t;
        q->group[b] = group[t] / (uint32_t)p->of->batch;
        q->n_blocks++;
    }
    q->first[q->n_blocks] = q->N;
    q->partial = host->alloc(p->ctx, q->n_blocks * BATCH, sizeof *q->partial);
    return q->partial ? CULL_OK : CULL_ENOMEM;
}

cull_status losses_init(cull_ctx *ctx, losses *q, const losses_of *of)
{
    const cull_host *host = ctx->host;
    prepare p = { ctx, q, of };

    *q = (losses){ .N = of->sample->N,
                   .E = of->facts->E,
                   .objective = of->objective,
                   .gram = of->sample->gram,
                   .weight = of->sample->weight,
                   .cross = of->sample->cross,
                   .offset = of->sample->offset };
    for (size_t e = 0; e < q->E; e++)
        q->A += left_to_router(of, e);
    cull_status status = find_rule(&p);
    if (status != CULL_OK)
        return status;

    q->order = host->alloc(ctx, q->N * q->A, sizeof *q->order);
    q->mass = host->alloc(ctx, q->N * q->E, sizeof *q->mass);
    q->base = host->alloc(ctx, q->N * q->rule.K, sizeof *q->base);
    if (!q->order || !q->mass || !q->base)
        return CULL_ENOMEM;
    status = host->parallel(ctx, q->N, sort_token, &p);
    if (status != CULL_OK)
        return status;
    if (!explains(&p, false) && !explains(&p, true))
        return host->fail(
            ctx, CULL_ENOTSUP,
            "layer %zu: the router's gates are neither a softmax nor a sigmoid of its "
            "logits over the %zu largest, so the losses of subsets are not known",
            of->layer, q->rule.K);
    if (!q->rule.renormalise && !q->rule.sigmoid) {
        q->kept = host->alloc(ctx, (size_t)BATCH * q->E, sizeof *q->kept);
        if (!q->kept)
            return CULL_ENOMEM;
    }
    return make_blocks(&p);
}
