// Routers. The rule of a variant acts inside the family's own: a dropped expert takes no part in
// softmax, groups or top-k, just as if its row were gone from the checkpoint. Ties go to the lower
// index.
#include <string.h>

#include <cull/kernel.h>

#include "pieces.h"

typedef struct route_job {
    const cull_model *m;
    size_t l;
    const hf_layer *layer;
    const cull_rule *rule; // may be NULL
    const cull_routed *out;
    const float *logits;   // (n, E)
    float *score, *choice; // (n, E) scratch: what gates are made of, what is chosen by
    size_t k;
} route_job;

static bool allowed(const route_job *job, size_t e)
{
    return !job->rule || !job->rule->allowed || job->rule->allowed[e];
}

// Softmax over those of n entries that are above −∞; the others become 0.
CULL_CLONES
static void softmax(size_t n, const float *x, float *p)
{
    float most = -INFINITY;
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        most = x[i] > most ? x[i] : most;
    if (!(most > -INFINITY)) {
        memset(p, 0, n * sizeof *p);
        return;
    }
    for (size_t i = 0; i < n; i++)
        p[i] = cull_exp(x[i] - most);
    for (size_t i = 0; i < n; i++)
        sum += p[i];
    for (size_t i = 0; sum > 0 && i < n; i++)
        p[i] = (float)(p[i] / sum);
}

static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

// The entry that is largest and above −∞; n: none.
static size_t argmax(size_t n, const float *x)
{
    size_t best = n;

    for (size_t i = 0; i < n; i++)
        if (x[i] > (best < n ? x[best] : -INFINITY))
            best = i;
    return best;
}

// Scores of all experts, and what they are chosen by: −∞ for those that must not be.
static void score_row(const route_job *job, const float *logits, float *score, float *choice)
{
    const size_t E = job->layer->facts.E;
    const enum hf_score kind = job->m->s.score;

    for (size_t e = 0; e < E; e++)
        choice[e] = allowed(job, e) ? logits[e] : -INFINITY;
    if (kind == HF_SOFTMAX)
        softmax(E, choice, score);
    for (size_t e = 0; e < E; e++) {
        if (kind != HF_SOFTMAX)
            score[e] = kind == HF_SPARSEMIXER ? logits[e] : sigmoid(logits[e]);
        if (choice[e] > -INFINITY && kind != HF_TOP_SIGMOID)
            choice[e] = score[e] + (job->layer->bias ? job->layer->bias[e] : 0);
    }
}

// The score of a group of n experts: its best, or the sum of its best two.
static float group_score(enum hf_group_score kind, size_t n, const float *choice)
{
    float first = -INFINITY, second = -INFINITY;

    for (size_t i = 0; i < n; i++) {
        if (choice[i] > first) {
            second = first;
            first = choice[i];
        } else if (choice[i] > second) {
            second = choice[i];
        }
    }
    return kind == HF_GROUP_MAX || second == -INFINITY ? first : first + second;
}

// Group-limited routing (DeepSeek-V2, section 2.2.2): only the best groups' experts may be chosen.
static void limit_groups(const route_job *job, float *choice)
{
    const cull_model *m = job->m;
    const size_t G = m->s.n_group;
    float score[HF_MOST_GROUPS];

    for (size_t g = 0; g < G; g++) {
        const size_t first = hf_group_begin(m, job->l, g), end = hf_group_begin(m, job->l, g + 1);
        score[g] = group_score(m->arch->router.group_score, end - first, choice + first);
    }
    for (size_t g = 0; g < G; g++) {
        size_t better = 0;
        for (size_t o = 0; o < G; o++)
            better += score[o] > score[g] || (score[o] == score[g] && o < g);
        if (better < m->s.topk_group)
            continue;
        for (size_t e = hf_group_begin(m, job->l, g); e < hf_group_begin(m, job->l, g + 1); e++)
            choice[e] = -INFINITY;
    }
}

// The k best of those above −∞, the best first, with the scores as gates; returns how many there
// are.
static size_t pick_top(const route_job *job, const float *score, const float *choice,
                       int32_t *index, float *gate)
{
    const size_t E = job->layer->facts.E, k = job->k;
    size_t n = 0;

    for (size_t e = 0; k && e < E; e++) {
        if (!(choice[e] > (n < k ? -INFINITY : choice[index[n - 1]])))
            continue;
        size_t at = n < k ? n++ : n - 1;
        for (; at > 0 && choice[e] > choice[index[at - 1]]; at--)
            index[at] = index[at - 1];
        index[at] = (int32_t)e;
    }
    for (size_t i = 0; i < n; i++)
        gate[i] = score[index[i]];
    return n;
}

// One pick of the SparseMixer: the best of `choice`; its gate is its softmax share among those
// experts whose logit is within 2ε of it, relative to the larger of the two.
static float mixer_share(size_t E, const float *logits, const float *choice, size_t best,
                         float epsilon)
{
    const float most = choice[best];
    double sum = 0;

    for (size_t e = 0; e < E; e++)
        if (choice[e] > -INFINITY &&
            !((most - logits[e]) / fmaxf(fabsf(logits[e]), most) > 2 * epsilon))
            sum += expf(choice[e] - most);
    return (float)(1 / sum);
}

static size_t pick_mixed(const route_job *job, const float *logits, float *choice, int32_t *index,
                         float *gate)
{
    const size_t E = job->layer->facts.E;
    size_t n = 0;

    for (; n < job->k; n++) {
        const size_t best = argmax(E, choice);
        if (best == E)
            break;
        index[n] = (int32_t)best;
        gate[n] = mixer_share(E, logits, choice, best, job->m->s.jitter);
        choice[best] = -INFINITY;
    }
    return n;
}

// Drop later picks whose gate is small beside the first's; returns how many are left, in order.
static size_t skip_small(double ratio, const float *scale, size_t n, int32_t *index, float *gate)
{
    const double most = n ? ratio * gate[0] * (scale ? scale[index[0]] : 1) : 0;
    size_t kept = n > 0;

    for (size_t i = 1; i < n; i++)
        if (!(gate[i] * (scale ? scale[index[i]] : 1) < most)) {
            index[kept] = index[i];
            gate[kept++] = gate[i];
        }
    return kept;
}

// What expert e weighs in the sum over all experts, before any correction for the selection.
static double mass_of(const route_job *job, const float *logits, const float *score, float most,
                      size_t e)
{
    if (!allowed(job, e))
        return 0;
    return job->m->s.score == HF_SPARSEMIXER ? exp((double)logits[e] - most) : score[e];
}

// The fewest of n picks, in their order, that hold the share p of all experts' mass.
static size_t reach_share(const route_job *job, const float *logits, const float *score, double p,
                          size_t n, const int32_t *index)
{
    const size_t E = job->layer->facts.E;
    float most = -INFINITY;
    double all = 0, sum = 0;

    for (size_t e = 0; e < E; e++)
        most = allowed(job, e) ? fmaxf(most, logits[e]) : most;
    for (size_t e = 0; e < E; e++)
        all += mass_of(job, logits, score, most, e);
    for (size_t i = 0; i < n; i++) {
        sum += mass_of(job, logits, score, most, (size_t)index[i]);
        if (sum >= p * all)
            return i + 1;
    }
    return n;
}

// Gates as the family makes them of the n picks' scores.
static void weigh(const route_job *job, size_t n, const int32_t *index, float *gate)
{
    const hf_shape *s = &job->m->s;
    const hf_router *router = &job->m->arch->router;
    const float *scale = job->layer->gate_scale;
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += gate[i];
    const float divisor = s->renormalise ? fmaxf((float)sum, s->floor) + (float)router->add : 1;
    for (size_t i = 0; i < n; i++)
        gate[i] = gate[i] / divisor * s->gate_scale * (scale ? scale[index[i]] : 1);
}

static void route_row(const route_job *job, const float *logits, float *score, float *choice,
                      int32_t *index, float *gate)
{
    const double ratio = job->rule ? job->rule->skip_ratio : 0;
    const double top_p = job->rule ? job->rule->top_p : 0;
    size_t n;

    score_row(job, logits, score, choice);
    if (job->m->s.n_group > 1)
        limit_groups(job, choice);
    n = job->m->s.score == HF_SPARSEMIXER ? pick_mixed(job, logits, choice, index, gate)
                                          : pick_top(job, score, choice, index, gate);
    n = top_p > 0 ? reach_share(job, logits, score, top_p, n, index) : n;
    const size_t kept = ratio > 0 ? skip_small(ratio, job->layer->gate_scale, n, index, gate) : n;
    weigh(job, kept, index, gate);
    for (size_t i = kept; i < job->layer->facts.K; i++) {
        index[i] = -1;
        gate[i] = 0;
    }
}

static void route_block(void *arg, size_t first, size_t count)
{
    const route_job *job = arg;
    const size_t E = job->layer->facts.E, K = job->layer->facts.K;

    for (size_t i = first; i < first + count; i++) {
        const float *logits = job->logits + i * E;
        route_row(job, logits, job->score + i * E, job->choice + i * E, job->out->index + i * K,
                  job->out->gate + i * K);
        if (!job->out->p)
            continue;
        float *p = job->out->p + i * E;
        softmax(E, logits, p);
        const enum hf_score kind = job->m->s.score;
        for (size_t e = 0; (kind == HF_SIGMOID || kind == HF_TOP_SIGMOID) && e < E; e++)
            p[e] = sigmoid(logits[e]);
    }
}

cull_status hf_route(cull_pass *pass, const cull_model *m, size_t l, size_t n, const float *x,
                     const cull_rule *rule, const cull_routed *out)
{
    const hf_layer *layer = &m->layer[l];
    const size_t E = layer->facts.E, K = layer->facts.K;
    float *logits = out->logits ? out->logits : pass->engine->scratch(pass, n * E);
    route_job job = {
        .m = m,
        .l = l,
        .layer = layer,
        .rule = rule,
        .out = out,
        .logits = logits,
        .score = pass->engine->scratch(pass, n * E),
        .choice = pass->engine->scratch(pass, n * E),
        .k = rule && rule->k && rule->k < K ? rule->k : K,
    };

    if (!logits || !job.score || !job.choice)
        return CULL_ENOMEM;
    if (layer->router_scale && !(x = hf_scale_columns(pass, n, m->s.D, layer->router_scale, x)))
        return CULL_ENOMEM;
    CULL_TRY(pass->engine->linear(pass, cull_at(l, CULL_PART_ROUTER), n, x, m->s.D, logits, E));
    pass->engine->rows(pass, n, route_block, &job);
    return CULL_OK;
}
