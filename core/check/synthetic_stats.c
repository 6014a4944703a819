// Statistics of the made-up model, as a calibration would have left them.
#include "check/synthetic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/order.h"

// Statistics from the rows by their definitions, one group a function. Sums run over the tokens in
// order, so an expert's own numbers do not depend on where it stands.

enum { DENSE = 48 };

typedef struct counting {
    cull_ctx *ctx;
    const cull_synthetic *w;
    const cull_layer_facts *facts;
    const cull_synthetic_layer *rows;
    cull_layer_stats *out;
    size_t N, E, D, F;
} counting;

static double *take(const counting *c, size_t n)
{
    return cull_take(c->ctx, n, sizeof(double));
}

static bool chosen(const counting *c, size_t t, size_t e)
{
    return c->rows->gate_of[t * c->E + e] > 0;
}

static double gate(const counting *c, size_t t, size_t e)
{
    return (double)c->rows->gate_of[t * c->E + e];
}

static const float *output(const counting *c, size_t t, size_t e)
{
    return c->rows->y + (t * c->E + e) * c->D;
}

static double norm(const float *v, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)v[i] * (double)v[i];
    return sqrt(sum);
}

// cos(a, a + b)
static double cosine_to_sum(const float *a, const float *b, size_t n)
{
    double dot = 0, aa = 0, ss = 0;

    for (size_t i = 0; i < n; i++) {
        const double s = (double)a[i] + (double)b[i];
        dot += (double)a[i] * s;
        aa += (double)a[i] * (double)a[i];
        ss += s * s;
    }
    return dot / sqrt(aa * ss);
}

static cull_status count_a(counting *c)
{
    double *count = take(c, c->E), *sum = take(c, c->E), *sq = take(c, c->E), *p = take(c, c->E);

    if (!count || !sum || !sq || !p)
        return CULL_ENOMEM;
    for (size_t t = 0; t < c->N; t++)
        for (size_t e = 0; e < c->E; e++) {
            const double g = gate(c, t, e);
            count[e] += chosen(c, t, e);
            sum[e] += g;
            sq[e] += g * g;
            p[e] += (double)c->rows->p[t * c->E + e];
        }
    c->out->count = count;
    c->out->gate_sum = sum;
    c->out->gate_sq = sq;
    c->out->prob_sum = p;
    return CULL_OK;
}

static cull_status count_b(counting *c)
{
    double *coact = take(c, c->E * c->E);

    if (!coact)
        return CULL_ENOMEM;
    for (size_t t = 0; t < c->N; t++)
        for (size_t i = 0; i < c->E; i++)
            for (size_t j = 0; j < c->E; j++)
                coact[i * c->E + j] += i != j && chosen(c, t, i) && chosen(c, t, j);
    c->out->coact = coact;
    return CULL_OK;
}

static cull_status count_c(counting *c)
{
    double *sum = take(c, c->E), *sq = take(c, c->E), *gated = take(c, c->E);
    double *most = take(c, c->E), *top = take(c, c->E), *magnitude = take(c, c->E);

    if (!sum || !sq || !gated || !most || !top || !magnitude)
        return CULL_ENOMEM;
    for (size_t e = 0; e < c->E; e++) {
        bool first = true;
        for (size_t t = 0; t < c->N; t++) {
            if (!chosen(c, t, e))
                continue;
            const float *y = output(c, t, e);
            const double n = norm(y, c->D);
            sum[e] += n;
            sq[e] += n * n;
            gated[e] += gate(c, t, e) * n;
            most[e] = fmax(most[e], n);
            for (size_t d = 0; d < c->D; d++) {
                top[e] = first ? (double)y[d] : fmax(top[e], (double)y[d]);
                magnitude[e] = fmax(magnitude[e], fabs((double)y[d]));
                first = false;
            }
        }
    }
    c->out->norm_sum = sum;
    c->out->norm_sq = sq;
    c->out->gate_norm = gated;
    c->out->norm_max = most;
    c->out->max_signed = top;
    c->out->max_abs = magnitude;
    return CULL_OK;
}

static cull_status count_d(counting *c)
{
    double *mean = take(c, c->E * c->D), *var = take(c, c->E * c->D);
    double *mean_gate = take(c, c->E * c->D);

    if (!mean || !var || !mean_gate)
        return CULL_ENOMEM;
    for (size_t i = 0; i < c->E * c->D; i++) {
        const size_t e = i / c->D, d = i % c->D;
        double n = 0, sum = 0, sum_g = 0, sum_gy = 0, off = 0;
        for (size_t t = 0; t < c->N; t++) {
            const double y = (double)output(c, t, e)[d], g2 = gate(c, t, e) * gate(c, t, e);
            n += chosen(c, t, e);
            sum += chosen(c, t, e) ? y : 0;
            sum_g += g2;
            sum_gy += g2 * y;
        }
        mean[i] = n > 0 ? sum / n : 0;
        mean_gate[i] = n > 0 ? sum_gy / sum_g : 0;
        for (size_t t = 0; t < c->N; t++)
            if (chosen(c, t, e))
                off += pow((double)output(c, t, e)[d] - mean[i], 2);
        var[i] = n > 1 ? off / (n - 1) : 0;
    }
    c->out->mean = mean;
    c->out->var = var;
    c->out->mean_gate = mean_gate;
    return CULL_OK;
}

static cull_status count_f(counting *c)
{
    double *easy = take(c, c->E);

    if (!easy)
        return CULL_ENOMEM;
    for (size_t t = 0; t < c->N; t++) {
        const float *r = c->rows->r + t * c->D, *moe = c->rows->moe + t * c->D;
        const double s = fmax(0, 1 - cosine_to_sum(r, moe, c->D));
        for (size_t e = 0; e < c->E; e++)
            easy[e] += s * gate(c, t, e) * norm(output(c, t, e), c->D);
    }
    c->out->easy_ep = easy;
    return CULL_OK;
}

static double sigmoid(double z)
{
    return 1 / (1 + exp(-z));
}

static cull_status count_g(counting *c)
{
    double *z_gram = take(c, c->E * c->E), *s_gram = take(c, c->E * c->E);

    if (!z_gram || !s_gram)
        return CULL_ENOMEM;
    for (size_t t = 0; t < c->N; t++)
        for (size_t i = 0; i < c->E * c->E; i++) {
            const double a = (double)c->rows->logits[t * c->E + i / c->E];
            const double b = (double)c->rows->logits[t * c->E + i % c->E];
            z_gram[i] += a * b;
            s_gram[i] += sigmoid(a) * sigmoid(b);
        }
    c->out->logit_gram = z_gram;
    c->out->sigmoid_gram = s_gram;
    return CULL_OK;
}

// Σ v vᵀ (or its diagonal) over the tokens routed to each expert; v (N, E, n), or (N, n) the same
// for all.
static double *routed_products(counting *c, const float *v, size_t n, bool per_expert, bool full)
{
    const size_t size = full ? n * n : n;
    double *out = take(c, c->E * size);

    for (size_t t = 0; out && t < c->N; t++)
        for (size_t e = 0; e < c->E; e++) {
            const float *row = v + (per_expert ? t * c->E + e : t) * n;
            for (size_t i = 0; chosen(c, t, e) && i < size; i++)
                out[e * size + i] += full ? (double)row[i / n] * (double)row[i % n]
                                          : (double)row[i] * (double)row[i];
        }
    return out;
}

static cull_status count_h(counting *c)
{
    double *router = take(c, c->D);

    c->out->x_sq = routed_products(c, c->rows->x, c->D, false, false);
    c->out->u_sq = routed_products(c, c->rows->u, c->F, true, false);
    if (!c->out->x_sq || !c->out->u_sq || !router)
        return CULL_ENOMEM;
    for (size_t i = 0; i < c->N * c->D; i++)
        router[i % c->D] += (double)c->rows->x[i] * (double)c->rows->x[i];
    c->out->part_sq[CULL_PART_ROUTER] = router;
    return CULL_OK;
}

static cull_status count_i(counting *c)
{
    c->out->x_hessian = routed_products(c, c->rows->x, c->D, false, true);
    c->out->u_hessian = routed_products(c, c->rows->u, c->F, true, true);
    return c->out->x_hessian && c->out->u_hessian ? CULL_OK : CULL_ENOMEM;
}

static cull_status count_j(counting *c, cull_dense_sample *sample)
{
    float *gram = cull_take(c->ctx, DENSE * c->E * c->E, sizeof *gram);
    double *weight = cull_take(c->ctx, DENSE, sizeof *weight);
    uint32_t *group = cull_take(c->ctx, DENSE, sizeof *group);

    if (!gram || !weight || !group)
        return CULL_ENOMEM;
    for (size_t t = 0; t < DENSE; t++) {
        double residual = 0;
        for (size_t i = 0; i < c->E * c->E; i++) {
            const float *a = output(c, t, i / c->E), *b = output(c, t, i % c->E);
            double dot = 0;
            for (size_t d = 0; d < c->D; d++)
                dot += (double)a[d] * (double)b[d];
            gram[t * c->E * c->E + i] = (float)dot;
        }
        for (size_t d = t * c->D; d < (t + 1) * c->D; d++)
            residual += pow((double)c->rows->r[d] + (double)c->rows->moe[d], 2);
        weight[t] = 1 / residual;
        group[t] = (uint32_t)(t / 12);
    }
    *sample = (cull_dense_sample){ .size = sizeof(cull_dense_sample),
                                   .N = DENSE,
                                   .logits = c->rows->logits,
                                   .gram = gram,
                                   .gate = c->rows->gate_of,
                                   .weight = weight,
                                   .group = group };
    c->out->dense = sample;
    return CULL_OK;
}

static cull_status count_m(counting *c)
{
    double *mean = take(c, c->E * c->D);

    if (!mean)
        return CULL_ENOMEM;
    for (size_t t = 0; t < c->N; t++)
        for (size_t i = 0; i < c->E * c->D; i++)
            mean[i] += (double)c->rows->y[t * c->E * c->D + i] / (double)c->N;
    c->out->dense_mean = mean;
    return CULL_OK;
}

static double probability(const counting *c, size_t t, size_t e)
{
    return (double)c->rows->p[t * c->E + e];
}

static cull_status count_prob_norms(counting *c)
{
    double *sum = take(c, c->E);

    if (!sum)
        return CULL_ENOMEM;
    for (size_t t = 0; t < c->N; t++)
        for (size_t e = 0; e < c->E; e++)
            if (chosen(c, t, e))
                sum[e] += pow(probability(c, t, e), 2) * norm(output(c, t, e), c->D);
    c->out->prob_norm = sum;
    return CULL_OK;
}

static cull_status count_gated_means(counting *c)
{
    double *mean = take(c, c->E * c->D);

    if (!mean)
        return CULL_ENOMEM;
    for (size_t t = 0; t < c->N; t++)
        for (size_t i = 0; i < c->E * c->D; i++)
            mean[i] += probability(c, t, i / c->D) * (double)output(c, t, i / c->D)[i % c->D] /
                       (double)c->N;
    c->out->dense_gated = mean;
    return CULL_OK;
}

// Of every expert on the tokens of the subsample.
static cull_status show_channels(counting *c, cull_dense_sample *sample)
{
    float *channels = cull_take(c->ctx, c->E * DENSE * c->F, sizeof *channels);

    if (!channels)
        return CULL_ENOMEM;
    memcpy(channels, c->rows->u, DENSE * c->E * c->F * sizeof *channels);
    sample->size = sizeof *sample;
    sample->N = DENSE;
    sample->channels = channels;
    c->out->dense = sample;
    return CULL_OK;
}

static cull_status count_r(counting *c)
{
    double *ratio = take(c, c->N);

    if (!ratio)
        return CULL_ENOMEM;
    for (size_t t = 0; t < c->N; t++) {
        const float *g = c->rows->gate + t * c->facts->K;
        ratio[t] = (double)g[1] / (double)g[0];
    }
    qsort(ratio, c->N, sizeof *ratio, cull_by_value);
    c->out->ratio_median = (ratio[(c->N - 1) / 2] + ratio[c->N / 2]) / 2;
    return CULL_OK;
}

// Channel i of expert e at token t.
static double channel(const counting *c, size_t t, size_t e, size_t i)
{
    return (double)c->rows->u[(t * c->E + e) * c->F + i];
}

static cull_status count_channels(counting *c)
{
    double *mean = take(c, c->E * c->F), *var = take(c, c->E * c->F);

    if (!mean || !var)
        return CULL_ENOMEM;
    for (size_t i = 0; i < c->E * c->F; i++) {
        const size_t e = i / c->F;
        double n = 0, sum = 0, off = 0;
        for (size_t t = 0; t < c->N; t++) {
            n += chosen(c, t, e);
            sum += chosen(c, t, e) ? channel(c, t, e, i % c->F) : 0;
        }
        mean[i] = n > 0 ? sum / n : 0;
        for (size_t t = 0; t < c->N; t++)
            if (chosen(c, t, e))
                off += pow(channel(c, t, e, i % c->F) - mean[i], 2);
        var[i] = n > 1 ? off / (n - 1) : 0;
    }
    c->out->u_mean = mean;
    c->out->u_var = var;
    return CULL_OK;
}

static cull_status count_gated_squares(counting *c)
{
    double *x_sq = take(c, c->E * c->D), *u_sq = take(c, c->E * c->F);

    if (!x_sq || !u_sq)
        return CULL_ENOMEM;
    for (size_t t = 0; t < c->N; t++)
        for (size_t e = 0; e < c->E; e++) {
            for (size_t d = 0; d < c->D; d++)
                x_sq[e * c->D + d] += pow(gate(c, t, e) * (double)c->rows->x[t * c->D + d], 2);
            for (size_t i = 0; i < c->F; i++)
                u_sq[e * c->F + i] += pow(gate(c, t, e) * channel(c, t, e, i), 2);
        }
    c->out->gx_sq = x_sq;
    c->out->gu_sq = u_sq;
    return CULL_OK;
}

static cull_status count_gated_peaks(counting *c)
{
    double *peak = take(c, c->E * c->F);

    if (!peak)
        return CULL_ENOMEM;
    for (size_t t = 0; t < c->N; t++)
        for (size_t i = 0; i < c->E * c->F; i++)
            peak[i] =
                fmax(peak[i], pow(gate(c, t, i / c->F) * channel(c, t, i / c->F, i % c->F), 2));
    c->out->gu_peak = peak;
    return CULL_OK;
}

static cull_status count_layer(counting *c, cull_dense_sample *sample, uint32_t groups)
{
    static const struct {
        uint32_t group;
        cull_status (*count)(counting *);
    } all[] = {
        { CULL_STAT_ROUTING, count_a },
        { CULL_STAT_COACTIVATION, count_b },
        { CULL_STAT_OUTPUT_NORM, count_c },
        { CULL_STAT_OUTPUT_MOMENTS, count_d },
        { CULL_STAT_EASY_EP, count_f },
        { CULL_STAT_LOGIT_GRAM, count_g },
        { CULL_STAT_INPUT_SQUARES, count_h },
        { CULL_STAT_HESSIAN, count_i },
        { CULL_STAT_DENSE_MEAN, count_m },
        { CULL_STAT_GATE_RATIO, count_r },
        { CULL_STAT_CHANNEL_MOMENTS, count_channels },
        { CULL_STAT_GATED_SQUARES, count_gated_squares },
        { CULL_STAT_GATED_PEAKS, count_gated_peaks },
        { CULL_STAT_PROB_NORM, count_prob_norms },
        { CULL_STAT_DENSE_GATED, count_gated_means },
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (groups & all[i].group)
            CULL_TRY(all[i].count(c));
    if (groups & CULL_STAT_DENSE_SAMPLE)
        CULL_TRY(count_j(c, sample));
    if (groups & CULL_STAT_DENSE_CHANNELS)
        CULL_TRY(show_channels(c, sample));
    for (size_t t = 0; (groups & CULL_STAT_LAYER_COSINES) && t < c->N; t++)
        c->out->moe_cos += cosine_to_sum(c->rows->r + t * c->D, c->rows->moe + t * c->D, c->D);
    return CULL_OK;
}

// Of the residual streams between the layers; here those entering them, and the last one's outcome.
static cull_status count_streams(cull_ctx *ctx, cull_synthetic *w)
{
    const size_t L = w->facts.L, D = w->facts.D, n = L + 1;
    double *cosines = cull_take(ctx, n * n, sizeof *cosines);
    double *angles = cull_take(ctx, n * n, sizeof *angles);

    if (!cosines || !angles)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++)
            for (size_t t = 0; t < w->N; t++) {
                const float *a = w->rows[i].r + t * D;
                const float *b = (j < L ? w->rows[j].r : w->rows[L - 1].moe) + t * D;
                double dot = 0;
                for (size_t d = 0; d < D; d++)
                    dot += (double)a[d] * (double)b[d];
                const double c = dot / (norm(a, D) * norm(b, D));
                cosines[i * n + j] += c;
                angles[i * n + j] += acos(fmax(-1, fmin(1, c))) / 3.141592653589793;
            }
    w->stats.cos_sum = cosines;
    w->stats.angle_sum = angles;
    return CULL_OK;
}

cull_status cull_synthetic_count(cull_ctx *ctx, cull_synthetic *w, uint32_t groups)
{
    w->stats = (cull_stats){ .size = sizeof w->stats,
                             .groups = groups,
                             .L = w->facts.L,
                             .tokens = w->N,
                             .layer = w->layer_stats };
    for (size_t l = 0; l < w->facts.L; l++) {
        const cull_layer_facts *facts = &w->layer[l];
        counting c = { ctx,  w,        facts,      &w->rows[l], &w->layer_stats[l],
                       w->N, facts->E, w->facts.D, facts->F };
        *c.out = (cull_layer_stats){
            .size = sizeof(cull_layer_stats), .E = c.E, .D = c.D, .F = c.F, .tokens = w->N
        };
        if (facts->E)
            CULL_TRY(count_layer(&c, &w->dense[l], groups));
    }
    return groups & CULL_STAT_LAYER_COSINES ? count_streams(ctx, w) : CULL_OK;
}
