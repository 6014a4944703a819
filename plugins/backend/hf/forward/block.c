// A block around attention and experts: embedding, residuals, feed-forward parts.
#include <math.h>
#include <string.h>

#include <cull/kernel.h>

#include "pieces.h"
#include "weights/load.h"

cull_status hf_embed(cull_pass *pass, const cull_model *m, size_t n, const int32_t *ids, float *h)
{
    const size_t D = m->s.D, width = m->ends[0].dtype == CULL_DT_F32 ? 4 : 2;

    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || (size_t)ids[i] >= m->s.V)
            return pass->ctx->host->fail(pass->ctx, CULL_EINVAL,
                                         "token %d is not in the vocabulary of %zu", (int)ids[i],
                                         m->s.V);
        hf_widen(m->ends[0].dtype,
                 (const unsigned char *)m->ends[0].data + (size_t)ids[i] * D * width, D, h + i * D);
        for (size_t d = 0; d < D; d++)
            if (!isfinite(h[i * D + d]))
                return pass->ctx->host->fail(
                    pass->ctx, CULL_EFORMAT,
                    "embed: the checkpoint's weight in row %d, column %zu is no number",
                    (int)ids[i], d);
        for (size_t d = 0; m->s.embed_scale != 1 && d < D; d++)
            h[i * D + d] *= m->s.embed_scale;
    }
    return CULL_OK;
}

typedef struct sum_job { // h = r + scale (a + b); b may be NULL
    const float *r, *a, *b;
    float *h, scale;
    size_t D;
} sum_job;

CULL_CLONES
static void sum_block(void *arg, size_t first, size_t count)
{
    const sum_job *job = arg;

    for (size_t i = first * job->D; i < (first + count) * job->D; i++)
        job->h[i] = job->r[i] + job->scale * (job->b ? job->a[i] + job->b[i] : job->a[i]);
}

static void add(cull_pass *pass, const cull_model *m, size_t n, float scale, const float *r,
                const float *a, const float *b, float *h)
{
    sum_job job = { r, a, b, h, scale, m->s.D };

    pass->engine->rows(pass, n, sum_block, &job);
}

typedef struct act_job {
    const hf_shape *s;
    enum hf_act act;
    size_t F;
    float *g;
    const float *u;
} act_job;

// g = silu(g) · u
CULL_CLONES
static void silu_times(size_t n, float *restrict g, const float *restrict u)
{
    for (size_t i = 0; i < n; i++)
        g[i] = g[i] * cull_sigmoid(g[i]) * u[i];
}

// gpt-oss: g ≤ limit, |u| ≤ limit; g · σ(α g) · (u + 1)
CULL_CLONES
static void clamped_times(size_t n, float *restrict g, const float *restrict u, float limit,
                          float alpha)
{
    for (size_t i = 0; i < n; i++) {
        const float a = g[i] < limit ? g[i] : limit;
        const float b = u[i] < -limit ? -limit : (u[i] < limit ? u[i] : limit);
        g[i] = a * cull_sigmoid(alpha * a) * (b + 1.0f);
    }
}

// gelu(g) · u, gelu as 0.5 g (1 + tanh(√(2/π) (g + 0.044715 g³)))
static void gelu_times(size_t n, float *restrict g, const float *restrict u)
{
    for (size_t i = 0; i < n; i++) {
        const float cube = g[i] * g[i] * g[i];
        const float inner = 0.7978845608028654f * (g[i] + 0.044715f * cube);
        g[i] = 0.5f * g[i] * (1.0f + tanhf(inner)) * u[i];
    }
}

// relu(u)²
CULL_CLONES
static void relu_squared(size_t n, float *restrict u)
{
    for (size_t i = 0; i < n; i++) {
        const float positive = u[i] > 0 ? u[i] : 0;
        u[i] = positive * positive;
    }
}

static void act_block(void *arg, size_t first, size_t count)
{
    const act_job *job = arg;
    float *g = job->g + first * job->F;
    const float *u = job->u + first * job->F;

    if (job->act == HF_SILU)
        silu_times(count * job->F, g, u);
    else if (job->act == HF_RELU2)
        relu_squared(count * job->F, g);
    else if (job->act == HF_GELU)
        gelu_times(count * job->F, g, u);
    else
        clamped_times(count * job->F, g, u, job->s->act_limit, job->s->act_alpha);
}

cull_status hf_glu(cull_pass *pass, const cull_model *m, cull_matrix_id gate, size_t F, size_t n,
                   const float *x, float *y)
{
    const cull_matrix_id up = { gate.layer, gate.part + 1, gate.expert };
    const cull_matrix_id down = { gate.layer, gate.part + 2, gate.expert };
    const enum hf_act act = gate.expert == CULL_NONE ? m->arch->side_act : m->arch->act;
    float *g = pass->engine->scratch(pass, n * F);
    float *u = act == HF_RELU2 ? g : pass->engine->scratch(pass, n * F);

    if (!g || !u)
        return CULL_ENOMEM;
    if (act != HF_RELU2)
        CULL_TRY(pass->engine->linear(pass, gate, n, x, m->s.D, g, F));
    CULL_TRY(pass->engine->linear(pass, up, n, x, m->s.D, u, F));
    act_job job = { &m->s, act, F, g, u };
    pass->engine->rows(pass, n, act_block, &job);
    return pass->engine->linear(pass, down, n, g, F, y, m->s.D);
}

typedef struct columns_job {
    size_t D;
    const float *x, *scale;
    float *y;
} columns_job;

static void columns_block(void *arg, size_t first, size_t count)
{
    const columns_job *job = arg;

    for (size_t i = first; i < first + count; i++)
        for (size_t d = 0; d < job->D; d++)
            job->y[i * job->D + d] = job->x[i * job->D + d] * job->scale[d];
}

float *hf_scale_columns(cull_pass *pass, size_t n, size_t D, const float *scale, const float *x)
{
    columns_job job = { D, x, scale, pass->engine->scratch(pass, n * D) };

    if (job.y)
        pass->engine->rows(pass, n, columns_block, &job);
    return job.y;
}

// Rows of a narrower space stand in the first columns of as wide ones, before zeros.
static void clear_tail(const cull_model *m, size_t n, float *z)
{
    for (size_t i = 0; m->s.W < m->s.D && i < n; i++)
        memset(z + i * m->s.D + m->s.W, 0, (m->s.D - m->s.W) * sizeof *z);
}

cull_status hf_enter(cull_pass *pass, const cull_model *m, size_t l, size_t n, const float *x,
                     float *z)
{
    const size_t D = m->s.D;
    columns_job job = { D, x, m->layer[l].expert_scale, z };

    if (job.scale) {
        pass->engine->rows(pass, n, columns_block, &job);
        return CULL_OK;
    }
    clear_tail(m, n, z);
    return pass->engine->linear(pass, cull_at(l, CULL_PART_LATENT_IN), n, x, D, z, D);
}

cull_status hf_leave(cull_pass *pass, const cull_model *m, size_t l, size_t n, const float *z,
                     float *y)
{
    const size_t D = m->s.D;

    if (m->layer[l].expert_scale) {
        memcpy(y, z, n * D * sizeof *y);
        return CULL_OK;
    }
    return pass->engine->linear(pass, cull_at(l, CULL_PART_LATENT_OUT), n, z, D, y, D);
}

cull_status hf_expert(cull_pass *pass, const cull_model *m, size_t l, size_t e, size_t n,
                      const float *x, float *y)
{
    clear_tail(m, n, y);
    return hf_glu(pass, m, cull_at_expert(l, CULL_PART_GATE, e), m->s.F, n, x, y);
}

typedef struct gate_job {
    size_t D;
    const float *gate; // (n)
    float *side;       // (n, D)
} gate_job;

static void gate_block(void *arg, size_t first, size_t count)
{
    const gate_job *job = arg;

    for (size_t i = first; i < first + count; i++) {
        const float share = 1 / (1 + expf(-job->gate[i]));
        for (size_t d = 0; d < job->D; d++)
            job->side[i * job->D + d] *= share;
    }
}

// What runs beside the routed experts, or in their place. in: its input. A gate of its own,
// sigmoid(gate · in), is computed first, so that statistics of the part's channels know it.
static cull_status run_side(cull_pass *pass, const cull_model *m, size_t l, size_t n,
                            const float *in, float *side)
{
    const hf_layer *layer = &m->layer[l];
    const size_t D = m->s.D;
    const bool gated = layer->part[CULL_PART_SHARED_ROUTER].rows > 0;
    float *gate = gated ? pass->engine->scratch(pass, n) : NULL;
    gate_job job = { D, gate, side };

    if (gated && !gate)
        return CULL_ENOMEM;
    if (gated)
        CULL_TRY(
            pass->engine->linear(pass, cull_at(l, CULL_PART_SHARED_ROUTER), n, in, D, gate, 1));
    CULL_TRY(hf_glu(pass, m, cull_at(l, layer->side), layer->side_F, n, in, side));
    if (layer->side_after.n)
        hf_norm_rows(pass, &layer->side_after, n, side, D, side, D);
    if (gated)
        pass->engine->rows(pass, n, gate_block, &job);
    return CULL_OK;
}

// norm(x) in scratch memory, or x itself where there is no norm; NULL: no memory.
static const float *normed(cull_pass *pass, const hf_norm *norm, size_t n, const float *x)
{
    if (norm->n == 0)
        return x;
    float *y = pass->engine->scratch(pass, n * norm->n);
    if (y)
        hf_norm_rows(pass, norm, n, x, norm->n, y, norm->n);
    return y;
}

// The experts' input x of what stands before the feed-forward part: hn, what attention read, and r.
// *side_in: the input of what runs beside them. False: no memory.
static bool feed_forward_inputs(cull_pass *pass, const cull_model *m, size_t l, size_t n,
                                const float *h, const float *hn, const float *r, float *x,
                                const float **side_in)
{
    const hf_layer *layer = &m->layer[l];
    const size_t D = m->s.D;
    const hf_norm bare = { .n = D, .eps = (float)m->s.eps };
    // Arctic's experts read the block's input, beside attention.
    const float *from = m->arch->one_norm ? hn : layer->parallel ? h : r;
    const hf_norm *norm = layer->expert_scale ? &bare : &layer->ffn_norm;

    if (norm->n)
        hf_norm_rows(pass, norm, n, from, D, x, D);
    else
        memcpy(x, from, n * D * sizeof *x);
    *side_in = layer->parallel       ? normed(pass, &layer->parallel_norm, n, r)
               : layer->expert_scale ? normed(pass, &layer->ffn_norm, n, r)
                                     : x;
    return *side_in;
}

// Sparse attention is computed where it is dense, and nowhere else.
static cull_status check_positions(cull_pass *pass, const cull_model *m, size_t n,
                                   const int32_t *pos)
{
    for (size_t i = 0; m->s.exact && i < n; i++)
        if ((size_t)pos[i] >= m->s.exact)
            return pass->ctx->host->fail(
                pass->ctx, CULL_ENOTSUP,
                "%s: position %d is beyond the %zu up to which its sparse attention is dense: the "
                "indexer that chooses among more is not supported",
                m->arch->model_type, (int)pos[i], m->s.exact);
    return CULL_OK;
}

// r = h + what attention, or what stands in its place, makes of *hn = norm(h)
static cull_status mix_rows(cull_pass *pass, const cull_model *m, size_t l, size_t n,
                            const int32_t *pos, const float *h, const float **hn, float *r)
{
    const hf_layer *layer = &m->layer[l];
    const size_t D = m->s.D;
    float *mixed = pass->engine->scratch(pass, n * D);

    *hn = normed(pass, &layer->attention_norm, n, h);
    if (!*hn || !mixed)
        return CULL_ENOMEM;
    CULL_TRY(check_positions(pass, m, n, pos));
    if (layer->mix == HF_MIX_RECURRENT)
        CULL_TRY(hf_mix(pass, m, l, n, *hn, mixed));
    else
        CULL_TRY((m->arch->attention == HF_MLA ? hf_mla : hf_gqa)(pass, m, l, n, pos, *hn, mixed));
    if (layer->attention_after.n)
        hf_norm_rows(pass, &layer->attention_after, n, mixed, D, mixed, D);
    add(pass, m, n, m->s.residual_scale, h, mixed, NULL, r);
    return CULL_OK;
}

cull_status hf_attend(cull_pass *pass, const cull_model *m, size_t l, size_t n, const int32_t *pos,
                      const float *h, float *r, float *side, float *x)
{
    const hf_layer *layer = &m->layer[l];
    const float *hn = h, *side_in;

    if (layer->mix != HF_MIX_NOTHING)
        CULL_TRY(mix_rows(pass, m, l, n, pos, h, &hn, r));
    else
        memcpy(r, h, n * m->s.D * sizeof *r);
    if (layer->alone)
        return CULL_OK;
    if (!feed_forward_inputs(pass, m, l, n, h, hn, r, x, &side_in))
        return CULL_ENOMEM;
    return side ? run_side(pass, m, l, n, side_in, side) : CULL_OK;
}

// What the feed-forward part yields, in scratch memory or not: experts, side, or both, normed.
static cull_status sum_parts(cull_pass *pass, const cull_model *m, size_t l, size_t n,
                             const float *side, const float **moe, const float **beside)
{
    const hf_layer *layer = &m->layer[l];
    const size_t D = m->s.D;

    *beside = *moe ? side : NULL;
    if (*moe && !(*moe = normed(pass, &layer->experts_after, n, *moe)))
        return CULL_ENOMEM;
    *moe = *moe ? *moe : side;
    if (!*moe || layer->ffn_after.n == 0)
        return CULL_OK;
    float *sum = pass->engine->scratch(pass, n * D);
    if (!sum)
        return CULL_ENOMEM;
    memcpy(sum, *moe, n * D * sizeof *sum);
    if (*beside)
        add(pass, m, n, 1, sum, *beside, NULL, sum);
    hf_norm_rows(pass, &layer->ffn_after, n, sum, D, sum, D);
    *moe = sum;
    *beside = NULL;
    return CULL_OK;
}

cull_status hf_after(cull_pass *pass, const cull_model *m, size_t l, size_t n, const float *r,
                     const float *side, const float *moe, float *h)
{
    const hf_layer *layer = &m->layer[l];
    const float *beside;

    CULL_TRY(sum_parts(pass, m, l, n, side, &moe, &beside));
    if (moe)
        add(pass, m, n, layer->sum_scale, r, moe, beside, h);
    else if (h != r)
        memcpy(h, r, n * m->s.D * sizeof *h);
    for (size_t i = 0; layer->out_scale != 1 && i < n * m->s.D; i++)
        h[i] *= layer->out_scale;
    return CULL_OK;
}
